import { assert, assertEquals } from "@std/assert";
import { rules } from "../../vm/check/rules.ts";
import { wordLines, words, wordsIn } from "../../vm/check/words.ts";

const names = (texts: readonly string[], known?: ReadonlySet<string>) => wordsIn(texts, known).map(({ name }) => name);

Deno.test("the words of a text are explained, those of the first texts before others, and known ones not again", () => {
  assertEquals(names(["The available idx of a live queue went back."]), ["queue", "available ring"]);
  assertEquals(names(["PLIC"], new Set(["PLIC"])), []);
  const many = ["queue, descriptor, chain, available ring, used ring, notify, Status"];
  assertEquals(names(["PLIC", ...many]), ["queue", "descriptor", "chain", "available ring", "used ring", "PLIC"]);
  assertEquals(names(["made available", "used ring and wrap counter"]), ["packed ring"]);
  assertEquals(wordLines([]), []);
});

Deno.test("explanations are at most 100 columns wide, and begin in one column", () => {
  const lines = wordLines(words);
  assertEquals(lines[0], "what the words mean:");
  for (const line of lines.slice(1)) {
    assert(line.length <= 100, line);
    assert(/^ {2}(?:[A-Za-z]|.* {2})/.test(line) && line[18] === " " && line[19] !== " ", line);
  }
});

Deno.test("every word is in some rule or in what is told of a stall", () => {
  const told = rules.map(({ wrong, why, mend }) => `${wrong} ${why} ${mend}`).join("\n");
  // Stalls speak of a hart's registers, rules only seldom.
  for (const { name, found } of words) assert(found.test(told) || name === "mie, mip", name);
});
