import { assertEquals, assertStringIncludes } from "@std/assert";
import { CommandFolder } from "../support/command.ts";

Deno.test("a run that ends by a limit, the clock or a stall ends its report with why it is stuck", async () => {
  const cases: [program: string, args: string[], status: number, says: string][] = [
    ["j .", ["--timeout-insns", "1k"], 124, "endless loop: one instruction at 0x80000000"],
    ["j .", ["--timeout-insns", "100k", "--engine", "interpreter"], 124, "endless loop: one instruction at 0x80000000"],
    ["j .", ["--timeout", "50ms"], 124, "endless loop: one instruction at 0x80000000"],
    ["wfi; j .", [], 98, "every hart waits in wfi with mie 0"],
  ];
  using folder = new CommandFolder();
  for (const [program, args, status, says] of cases) {
    const image = folder.program("image.bin", program);
    const { status: got, stderr } = await folder.run([...args, image]);
    assertEquals(got, status, stderr);
    const last = stderr.trimEnd().split("\n\n").at(-1)!;
    assertStringIncludes(last, "why it is stuck: ");
    assertStringIncludes(last.replaceAll("\n", " "), says);
  }
});
