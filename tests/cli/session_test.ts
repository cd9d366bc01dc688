import { assertEquals } from "@std/assert";
import { parseKeys } from "../../vm/cli/keys.ts";
import type { ScriptStep } from "../../vm/cli/options.ts";
import { Session } from "../../vm/cli/session.ts";

/** A session of steps written `?text` (expect) and `!keys` (send), with a log of what it did. */
function setUp(...steps: string[]) {
  const log: string[] = [];
  const script = steps.map((step): ScriptStep => ({
    action: step.startsWith("?") ? "expect" : "send",
    bytes: parseKeys(step.slice(1)),
  }));
  const session = new Session(script, {
    send: (bytes) => log.push(`send ${new TextDecoder().decode(bytes)}`),
    met: () => log.push("met"),
  });
  session.start();
  return { log, session, output: (text: string) => session.output(new TextEncoder().encode(text)) };
}

Deno.test("each text is awaited after the one before it, each send follows its text", () => {
  const { log, session, output } = setUp("?login:", "!root\\n", "?# ", "!off\\n");
  output("# login"); // "# " before the login does not count
  assertEquals(log, []);
  output(": ");
  assertEquals(log, ["send root\n"]);
  output("login: x");
  output("# ");
  assertEquals(log, ["send root\n", "send off\n"]);
  assertEquals(session.done, true);
});

Deno.test("a script that ends in an expectation ends the run, one that ends in a send does not", () => {
  const expects = setUp("?ok");
  expects.output("o");
  expects.output("k ok");
  assertEquals(expects.log, ["met"]);
  const sends = setUp("?ok", "!bye");
  sends.output("ok ok");
  assertEquals(sends.log, ["send bye"]);
});

Deno.test("what comes first is sent at the start", () => {
  assertEquals(setUp("!a", "!b", "?c").log, ["send a", "send b"]);
});

Deno.test("a text is found across writes and after a false start", () => {
  for (const [text, output] of [["aab", "aaab"], ["abcabd", "abcabcabd"], ["\\n$ ", "\n\n$ "], ["ü", "aü"]] as const) {
    const whole = setUp(`?${text}`);
    whole.output(output);
    assertEquals(whole.log, ["met"], text);
    const bytewise = setUp(`?${text}`);
    for (const byte of new TextEncoder().encode(output)) bytewise.session.output(Uint8Array.of(byte));
    assertEquals(bytewise.log, ["met"], text);
  }
  const absent = setUp("?aab");
  absent.output("ababaaca");
  assertEquals(absent.log, []);
});

Deno.test("two texts in one write are both found, but not in the same bytes", () => {
  const twice = setUp("?aa", "?aa");
  twice.output("aaa");
  assertEquals([twice.log, twice.session.done], [[], false]);
  twice.output("a");
  assertEquals(twice.log, ["met"]);
});

Deno.test("finding agrees with a search of the whole output", () => {
  // Words over two letters, where false starts are the rule: every one of length 4 in every one of length 9.
  const words = (length: number): string[] =>
    Array.from({ length: 2 ** length }, (_, n) => n.toString(2).padStart(length, "0"));
  for (const text of words(4)) {
    for (const output of words(9)) {
      const run = setUp(`?${text}`);
      run.output(output);
      if (run.session.done !== output.includes(text)) throw new Error(`${text} in ${output}`);
    }
  }
});

Deno.test("a script that is not met changes a good status only, and tells what it waited for", () => {
  const { session, output } = setUp("?ready", "!go\\n", "?done\\n");
  assertEquals(session.report(), [`still waiting for "ready" (--expect 1 of 2)`, "the guest has written nothing"]);
  output("boot\r\nready\r\n" + "x\x1b[0m\n");
  assertEquals([session.status(0), session.status(3), session.status(124)], [1, 3, 124]);
  assertEquals(session.report(), [
    `still waiting for "done\\n" (--expect 2 of 2)`,
    "the last lines of the guest's output:",
    "  | boot",
    "  | ready",
    "  | x",
  ]);
  output("done\n");
  assertEquals([session.status(0), session.report()], [0, []]);
});

Deno.test("much output keeps the report short", () => {
  const { session, output } = setUp("?never");
  for (let i = 0; i < 2000; i++) output(`line ${i}\n`);
  output(`${"y".repeat(10_000)}\nlast\n`);
  const report = session.report();
  assertEquals(report.at(-1), "  | last");
  assertEquals(report.join("").length < 6000, true);
});
