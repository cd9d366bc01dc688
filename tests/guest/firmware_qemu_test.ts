/**
 * The images on QEMU's `virt` machine print what `images/expected` says they print here, line for line: what they find
 * right about Ringside is not Ringside's private opinion. Where QEMU differs, {@linkcode DIFFERENCES} says how and why.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type GuestProgram, guestPrograms, imageName } from "../../tools/guest_images.ts";
import { expectedConsole } from "../support/boot_image.ts";
import { toolVersion, withTool } from "../support/tools.ts";

const images = new URL("../../images/", import.meta.url).pathname;

/** A text of ours, what QEMU 7.2 prints instead, and why. */
type Difference = readonly [ours: string | RegExp, qemu: string, why: string];

/** By program. */
const DIFFERENCES: Readonly<Record<string, readonly Difference[]>> = {
  traps: [
    [
      "amoadd.w                cause 6",
      "amoadd.w                cause 4",
      "an AMO that QEMU cannot do is a load fault",
    ],
    ["bit 11 reads 0", "bit 11 reads 1", "QEMU lets ecall from M-mode be delegated"],
  ],
  plic: [["95 sources", "96 sources", "QEMU 7.2 counts source 0, which does not exist"]],
  demo: [
    ["of 27 nodes", "of 30 nodes", "QEMU has PCI, counters and a platform bus"],
    ["95 sources", "96 sources", "see plic"],
    ["features 0x130000005", "features 0x130000004", "QEMU's console does not say how large it is"],
    ["console   it says how large it is\n", "", "the same"],
    [/features 0x130/g, "features 0x10130", "QEMU 7.2 offers RING_RESET on MMIO, where it has no QueueReset"],
  ],
  late_callback: [
    [/(EVENT_IDX\n {2}asked in time: {2})0/, "$11", "QEMU notifies of the first buffer after a reset in any case"],
  ],
};

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

/** Collects a stream; `begun` is called with its first bytes, or at its end. */
async function collect(stream: ReadableStream<Uint8Array>, begun: () => void): Promise<string> {
  let text = "";
  for await (const bytes of stream) {
    text += new TextDecoder("latin1").decode(bytes);
    begun();
  }
  begun();
  return text;
}

/** How QEMU's virtio devices are to be. */
interface QemuDevices {
  readonly version: 1 | 2;
  /** Packed rings, several ports, and all requests that QEMU knows. */
  readonly all?: boolean;
}

/**
 * Boots a program on the board that Ringside builds without options. Standard input and output are the console that
 * the program uses. It is typed at once the guest has printed something there: QEMU drops what comes before a UART's
 * FIFO is on.
 */
async function boot(program: GuestProgram, xlen: 32 | 64, devices: QemuDevices): Promise<QemuRun> {
  const { version, all = false } = devices;
  const packed = `packed=${all ? "on" : "off"}`;
  const ports = `max_ports=${all ? 4 : 1}`;
  const disk = all ? "num-queues=2" : "num-queues=1,discard=off,write-zeroes=off";
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${dir}/disk`, new Uint8Array(1 << 20));
    const hvc = program.devices.includes("console");
    const child = new Deno.Command(`qemu-system-riscv${xlen}`, {
      args: [
        ...["-M", "virt", "-m", "128M", "-bios", "none", "-display", "none", "-monitor", "none"],
        ...["-kernel", `${images}${imageName(program, xlen)}.elf`],
        ...["-chardev", "stdio,id=user,signal=off", "-chardev", `file,id=other,path=${dir}/other`],
        ...["-serial", `chardev:${hvc ? "other" : "user"}`],
        ...["-global", `virtio-mmio.force-legacy=${version === 1}`],
        ...["-device", `virtio-serial-device,${packed},${ports},bus=virtio-mmio-bus.0`],
        ...["-device", `virtconsole,chardev=${hvc ? "user" : "other"}`],
        ...["-drive", `file=${dir}/disk,format=raw,if=none,id=disk`],
        ...["-device", `virtio-blk-device,${packed},${disk},drive=disk,serial=ringside,bus=virtio-mmio-bus.1`],
        ...["-device", `virtio-rng-device,${packed},bus=virtio-mmio-bus.2`],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const begun = Promise.withResolvers<void>();
    const output = collect(child.stdout, begun.resolve);
    await begun.promise;
    const writer = child.stdin.getWriter();
    try {
      await writer.write(new TextEncoder().encode(program.input ?? ""));
      await writer.close();
    } catch (error) {
      // It ended without reading all of it.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
    const user = await output;
    const other = await Deno.readTextFile(`${dir}/other`);
    const { success: ok } = await child.status;
    return hvc ? { uart: other, console: user, ok } : { uart: user, console: other, ok };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What QEMU should print; every difference must be one, so that none outlives its reason. */
function onQemu(program: GuestProgram, text: string): string {
  for (const [ours, qemu, why] of DIFFERENCES[program.name] ?? []) {
    const changed = text.replace(ours, qemu);
    assert(changed !== text, `${program.name} does not print ${ours} (${why})`);
    text = changed;
  }
  return text;
}

for (const program of guestPrograms.filter((p) => p.kind === "firmware" && p.qemuDiffers === undefined)) {
  for (const xlen of [64, 32] as const) {
    const name = imageName(program, xlen);
    const qemu = { command: `qemu-system-riscv${xlen}`, version: versions[xlen] };
    const recorded = { ...qemu, accepts: /version 7\.2\./ };
    // QEMU has no device for it.
    const alone = program.devices.includes("dummy");
    // Images for single features say what was negotiated, and QEMU 7.2 does not have all of it.
    if (!program.symbolsOnly) {
      Deno.test(withTool(`${name} prints the same on QEMU${alone ? ", up to its device" : ""}`, recorded, async () => {
        const run = await boot(program, xlen, { version: program.virtioVersion ?? 2 });
        const expected = alone
          ? `dummy: RV${xlen}\ndummy: not present\nPASS\n`
          : onQemu(program, await expectedConsole(name));
        assertEquals(run.uart + run.console, expected);
        assertEquals(run.ok, true);
      }));
    }
    if (program.devices.length === 0 || alone || program.virtioVersion !== undefined) continue;
    const kinds: readonly (readonly [string, QemuDevices])[] = [
      ["version 1", { version: 1 }],
      ...(program.symbolsOnly ? [["version 2", { version: 2 }] as const] : []),
      ["packed", { version: 2, all: true }],
    ];
    for (const [what, devices] of kinds) {
      Deno.test(withTool(`${name} passes on QEMU with ${what} devices`, qemu, async () => {
        const run = await boot(program, xlen, devices);
        assertMatch(run.uart + run.console, /^PASS$/m);
        assertEquals(run.ok, true);
      }));
    }
  }
}
