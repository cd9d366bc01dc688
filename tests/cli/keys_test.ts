import { assertEquals, assertThrows } from "@std/assert";
import { escapeHelp, parseKeys, showKeys, terminalKeys } from "../../vm/cli/keys.ts";

Deno.test("keys are UTF-8 with escapes", () => {
  const keys: [text: string, bytes: number[]][] = [
    ["ls\\n", [0x6c, 0x73, 0x0a]],
    ["\\r\\t\\b\\e\\0\\\\", [0x0d, 0x09, 0x08, 0x1b, 0x00, 0x5c]],
    ["\\x03a\\xfF", [0x03, 0x61, 0xff]],
    ["é\n", [0xc3, 0xa9, 0x0a]],
    ["", []],
    ["\\\\n", [0x5c, 0x6e]],
  ];
  for (const [text, bytes] of keys) assertEquals([...parseKeys(text)], bytes, text);
});

Deno.test("an escape that is none is refused with a list of those there are", () => {
  for (const text of ["\\q", "\\", "a\\x1", "\\xg0", "\\N"]) {
    assertThrows(() => parseKeys(text), RangeError, `text in which a backslash begins one of ${escapeHelp}`, text);
  }
});

Deno.test("what is shown can be typed again", () => {
  for (const text of ["login: ", "\\e[0m\\x01", "a\\\\b\\r\\n", "ü\\0"]) assertEquals(showKeys(parseKeys(text)), text);
});

Deno.test("no two keys of the terminal are the same", () => {
  assertEquals(new Set(terminalKeys.map((key) => key.code)).size, terminalKeys.length);
});
