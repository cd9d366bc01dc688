/**
 * The images pass on QEMU's `virt` machine too, with version 2 and version 1 devices: what they find right about
 * Ringside is not Ringside's private opinion.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { runTool, toolVersion, withTool } from "../support/tools.ts";

const images = new URL("../../images/", import.meta.url).pathname;

/** Console text by place, and whether the finisher said pass. */
interface QemuRun {
  readonly uart: string;
  readonly console: string;
  readonly ok: boolean;
}

const versions = {
  64: await toolVersion("qemu-system-riscv64"),
  32: await toolVersion("qemu-system-riscv32"),
} as const;

/** Boots an image with disk, virtio console (on standard input and output) and entropy device, and the UART in a file. */
async function boot(image: string, xlen: 32 | 64, version: 1 | 2, input: string): Promise<QemuRun> {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${dir}/disk`, new Uint8Array(1 << 20));
    const run = await runTool(`qemu-system-riscv${xlen}`, [
      ...["-M", "virt", "-bios", "none", "-display", "none", "-kernel", `${images}${image}.elf`],
      ...["-chardev", "stdio,id=hvc,signal=off", "-serial", `file:${dir}/uart`],
      ...["-global", `virtio-mmio.force-legacy=${version === 1}`],
      ...["-drive", `file=${dir}/disk,format=raw,if=none,id=disk`],
      ...["-device", "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0"],
      ...["-device", "virtio-serial-device,bus=virtio-mmio-bus.1", "-device", "virtconsole,chardev=hvc"],
      ...["-device", "virtio-rng-device,bus=virtio-mmio-bus.2"],
    ], input);
    return { uart: await Deno.readTextFile(`${dir}/uart`), console: run?.stdout ?? "", ok: run?.ok ?? false };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function qemuTest(
  image: string,
  version: 1 | 2,
  input: string,
  check: (run: QemuRun) => void,
): void {
  for (const xlen of [64, 32] as const) {
    const name = xlen === 64 ? image : `${image}_rv32`;
    const tool = { command: `qemu-system-riscv${xlen}`, version: versions[xlen] };
    Deno.test(withTool(`${name}, version ${version} devices, passes`, tool, async () => {
      const run = await boot(name, xlen, version, input);
      assertMatch(run.uart + run.console, /^PASS$/m);
      assertEquals(run.ok, true);
      check(run);
    }));
  }
}

const nothing = (): void => {};

for (const image of ["uart_hello", "traps", "timer", "plic", "dummy"]) qemuTest(image, 2, "", nothing);

for (const version of [1, 2] as const) {
  qemuTest("demo", version, "a line from outside\n", ({ console }) => {
    assertMatch(console, /you typed: a line from outside/);
    assertMatch(console, /second probe: 2048 sectors: written, flushed, read back, verified, restored/);
    assertMatch(console, /two reads, different bytes/);
  });
  qemuTest("block", version, "", ({ uart }) => assertMatch(uart, /INDIRECT_DESC, EVENT_IDX +ok/));
  qemuTest("block_errors", version, "", ({ uart }) => assertMatch(uart, /unknown type +UNSUPP/));
  qemuTest("late_callback", version, "", ({ uart }) => {
    assertEquals(uart.match(/1 callback after virtqueue_disable_cb/g)?.length, 2);
  });
}
qemuTest(
  "console_echo",
  2,
  "one\ntwo\n.\n",
  ({ console }) => assertMatch(console, /^one\n(.*\n)?two\n2 lines echoed/m),
);
qemuTest("legacy", 1, "", ({ console }) => assertMatch(console, /removed, and bound again/));
