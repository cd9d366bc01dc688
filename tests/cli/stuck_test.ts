import { assertEquals, assertStringIncludes } from "@std/assert";
import { CommandFolder } from "../support/command.ts";
import { canTryPty, onPty } from "../support/pty.ts";

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

Deno.test({
  name: "Ctrl-A w says why it is stuck, of loops and of guests that sleep",
  ignore: !canTryPty(),
  fn: async () => {
    using folder = new CommandFolder();
    const main = decodeURIComponent(new URL("../../vm/main.ts", import.meta.url).pathname);
    const hello = "li t0, 0x10000000; li t1, 'A'; sb t1, 0(t0);";
    // A timer wakes the second one now and then: else its run would end.
    const sleeper = `${hello} la t0, h; csrw mtvec, t0; li t0, 0x80; csrw mie, t0; csrsi mstatus, 8
      1: wfi
      j 1b
      .align 2
      h: li t0, 0x02004000; li t1, 0x7fffffffffff; sd t1, 0(t0); mret`;
    for (const [program, says] of [[`${hello} j .`, "endless loop"], [sleeper, "nothing is under way"]] as const) {
      const image = folder.file(folder.program("image.bin", program));
      const shown = await onPty(`${Deno.execPath()} run -A ${main} ${image}`, [["A", "\x01w"], [says, "\x01x"]]);
      assertStringIncludes(shown, "why it is stuck: ");
      assertStringIncludes(shown, says);
    }
  },
});
