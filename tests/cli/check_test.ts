import { assertEquals, assertMatch } from "@std/assert";
import { CommandFolder } from "../support/command.ts";

// Reads DeviceID alone, then writes DRIVER to the status of slot 0; ends well.
const PROGRAM = `
  li t0, 0x10001000
  lw t1, 8(t0)
  li t1, 2
  sw t1, 0x70(t0)
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)`;

Deno.test("--check tells on standard error what the driver did wrong, and does not change how the run ends", async () => {
  using folder = new CommandFolder();
  const image = folder.program("a.bin", PROGRAM);
  const { status, stdout, stderr } = await folder.run(["--check", image]);
  assertEquals([status, stdout], [0, ""]);
  const rules = [...stderr.matchAll(/^ {2}rule {3}(\S+);/gm)].map(([, id]) => id);
  assertEquals(rules, [
    "virtio-1.2/4.2.3.1.1-probe-order",
    "virtio-1.2/3.1.1-status-not-reset",
    "virtio-1.2/3.1.1-status-order",
  ]);
  assertMatch(stderr, /^ {2}where {2}0x8000000c, M mode, hart 0, after \d+ instructions$/m);
  assertMatch(stderr, /^driver check: 3 errors; of \d+ rules \d+ exercised: \d+ passed, 3 broken; \d+ not reached$/m);
});

Deno.test("--check=qemu leaves out what works there; another profile is refused", async () => {
  using folder = new CommandFolder();
  const image = folder.program("a.bin", PROGRAM);
  assertMatch((await folder.run(["--check=qemu", image])).stderr, /^driver check: no findings; of /);
  const { status, stderr } = await folder.run(["--check=bochs", image]);
  assertEquals([status, stderr], [2, 'ringside: --check: expected spec, qemu or firecracker, got "bochs"\n']);
});
