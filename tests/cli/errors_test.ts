import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import {
  describeError,
  fileError,
  InputError,
  oneLine,
  PermissionError,
  Status,
  UsageError,
} from "../../vm/cli/errors.ts";

Deno.test("an error of the user's is one line and its status", () => {
  const rows: [error: unknown, line: string, status: number][] = [
    [new UsageError("--harts is given twice"), "ringside: --harts is given twice", 2],
    [new InputError("a.bin", "it is empty"), "ringside: a.bin: it is empty", 66],
    [
      new PermissionError("Deno denied read access", "deno run x"),
      "ringside: Deno denied read access; run: deno run x",
      77,
    ],
    [new InputError("a\nringside: b\x1b[2J", "gone"), "ringside: a ringside: b?[2J: gone", 66],
  ];
  for (const [error, line, status] of rows) assertEquals(describeError(error), { line, status: status as Status });
});

Deno.test("a bug of ours says so and where to report it, without a stack", () => {
  const { line, status } = describeError(new TypeError("x is undefined\n    at y"));
  assertEquals(status, 70);
  assertStringIncludes(
    line,
    "ringside: TypeError: x is undefined     at y (this is a bug in Ringside: please report it",
  );
  assertEquals(line.includes("\n"), false);
  assertEquals(describeError("a text").status, 70);
});

Deno.test("what the system says about a file is told in words", () => {
  const rows: [error: Error, message: string][] = [
    [new Deno.errors.NotFound("No such file or directory (os error 2), open 'a'"), "a: cannot be read: no such file"],
    [new Deno.errors.PermissionDenied("(os error 13)"), "a: cannot be read: permission denied by the system"],
    [new Deno.errors.IsADirectory("(os error 21)"), "a: cannot be read: it is a directory"],
    [new Error("No space left on device (os error 28)"), "a: cannot be read: No space left on device"],
  ];
  for (const [error, message] of rows) assertThrows(() => fileError("a", "read", error), InputError, message);
});

Deno.test("what is not about the file is passed on as it is", () => {
  const passed = [new Deno.errors.NotCapable("x"), new TypeError("y"), new UsageError("z")];
  for (const error of passed) {
    let caught: unknown;
    try {
      fileError("a", "read", error);
    } catch (thrown) {
      caught = thrown;
    }
    assertEquals(caught, error);
  }
});

Deno.test("a line stays one line", () => {
  assertEquals(oneLine("a\r\nb\tc\x00d\u2028e"), "a b c?d e");
  assertEquals(oneLine("\x1b[36mfile\x1b[0m \x1b[2J"), "file ?[2J");
});

Deno.test("a bug's stack is shown on request only, and asking for it needs no permission", async () => {
  const errors = new URL("../../vm/cli/errors.ts", import.meta.url).href;
  const program = `import { reportError } from "${errors}"; Deno.exit(reportError(new TypeError("x is undefined")));`;
  const run = async (flags: string[], debug: string): Promise<[number, string]> => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...flags, "-"],
      env: { RINGSIDE_DEBUG: debug, NO_COLOR: "1" },
      stdin: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(program));
    await writer.close();
    const { code, stderr } = await child.output();
    return [code, new TextDecoder().decode(stderr)];
  };
  const line = /^ringside: TypeError: x is undefined \(this is a bug in Ringside: [^\n]+\)\n/;
  for (const [flags, debug, stack] of [[[], "1", false], [["-A"], "0", false], [["-A"], "1", true]] as const) {
    const [status, stderr] = await run([...flags], debug);
    assertEquals(status, 70);
    assertMatch(stderr, line);
    assertEquals(/\n {4}at /.test(stderr), stack, stderr);
  }
});
