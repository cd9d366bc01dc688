/**
 * What is built from `guest/`: one row per program; each becomes an image for RV64 (`name`) and one for RV32
 * (`name_rv32`). The build tool, the manifest and the tests read this table.
 */

/** One program of `guest/firmware/` or `guest/bench/`. */
export interface GuestProgram {
  readonly name: string;
  /** Firmware is a test of the machine; a bench kernel only computes, some hundred million instructions. */
  readonly kind: "firmware" | "bench";
  /** The file with `main`, relative to `guest/`. */
  readonly main: string;
  /** Drivers of `guest/virtio/` it links, by file name without `.c`; undefined: not even the virtio core. */
  readonly drivers?: readonly string[];
  /** Devices it wants beyond the board's own; without them it says so. */
  readonly devices: readonly string[];
  /** virtio-mmio version it insists on, where it does. */
  readonly virtioVersion?: 1 | 2;
  /** What it runs on: I, M, A and C, or what a machine has that is told nothing. Absent: the former. */
  readonly isa?: "default";
  /** The page that compares its text with QEMU's line by line, where the two are not the same but for a few words. */
  readonly qemuDiffers?: string;
  /** What its expected console text was recorded with on standard input; absent: nothing. */
  readonly input?: string;
  /** Exit status of the run. */
  readonly status: number;
  /** Bytes of RAM it is happy with. */
  readonly memory: number;
  readonly what: string;
}

const small = 4 << 20;

function plain(name: string, what: string): GuestProgram {
  return { name, kind: "firmware", main: `firmware/${name}.c`, devices: [], status: 0, memory: small, what };
}

function bench(kernel: string, what: string): GuestProgram {
  const name = `bench_${kernel}`;
  return { name, kind: "bench", main: `bench/${kernel}.c`, devices: [], status: 0, memory: small, what };
}

/** Every program, in the order of the manifest. */
export const guestPrograms: readonly GuestProgram[] = [
  plain("uart_hello", "one line on the UART"),
  { ...plain("uart_echo", "UART input by interrupt, echoed by line"), input: "one\ntwo\n.\n" },
  plain("traps", "every synchronous trap, delegation, vectored mtvec and stvec"),
  {
    ...plain("csr_sweep", "which of all CSR numbers exist, and what they keep of zeros and ones"),
    isa: "default",
    qemuDiffers: "docs/CSR_SWEEP.md",
  },
  plain("timer", "mtime, deadlines, wfi, software interrupt"),
  plain("plic", "pending, enable, priority, threshold, claim, complete"),
  {
    ...plain("demo", "the tour: discovery, console, disk, entropy, removal and second probe"),
    drivers: ["virtio_console", "virtio_blk", "virtio_rng"],
    devices: ["console", "blk", "rng"],
    input: "hello from outside\n",
  },
  {
    ...plain("console_echo", "emergency write, then virtio console input echoed by line"),
    drivers: ["virtio_console"],
    devices: ["console"],
    input: "one\ntwo\n.\n",
  },
  {
    ...plain(
      "block",
      "every block request, in flight, full queue; with and without INDIRECT_DESC and EVENT_IDX",
    ),
    drivers: ["virtio_blk"],
    devices: ["blk"],
  },
  {
    ...plain("block_errors", "requests that break a rule, and the device's answers"),
    drivers: ["virtio_blk"],
    devices: ["blk"],
  },
  {
    ...plain("legacy", "version 1 devices only: queues by page number, no FEATURES_OK"),
    drivers: ["virtio_console", "virtio_blk", "virtio_rng"],
    devices: ["console", "blk", "rng"],
    virtioVersion: 1,
  },
  {
    ...plain("late_callback", "a callback after virtqueue_disable_cb, with avail.flags and with EVENT_IDX"),
    drivers: [],
    devices: ["rng"],
  },
  {
    ...plain("dummy", "the life of a driver on the test device"),
    drivers: ["virtio_dummy"],
    devices: ["dummy"],
  },
  bench("list_matrix", "lists found, reversed, sorted; matrices multiplied"),
  bench("crc_state", "CRC-32 by bit and by table, a state machine over text"),
  bench("copy_sort", "memory copied, numbers sorted by quicksort"),
  bench("sieve", "sieve of Eratosthenes"),
  bench("recursion", "recursive calls"),
  bench("muldiv_hash", "64-bit multiplication and division"),
  bench("string_search", "words sought in text"),
  bench("interpreter", "a stack machine dispatching by table"),
];

/** Files of `guest/lib/` that every image links, in link order. */
export const libSources: readonly string[] = [
  "lib/start.S",
  "lib/main.c",
  "lib/platform.c",
  "lib/fdt.c",
  "lib/trap.c",
  "lib/timer.c",
  "lib/plic.c",
  "lib/uart.c",
  "lib/finisher.c",
  "lib/printf.c",
  "lib/string.c",
  "lib/alloc.c",
];

/** Files of the virtio core that every image with a driver links. */
export const virtioSources: readonly string[] = [
  "virtio/virtio.c",
  "virtio/virtio_ring.c",
  "virtio/virtio_ring_create.c",
  "virtio/virtio_ring_split.c",
  "virtio/virtio_ring_packed.c",
  "virtio/virtio_mmio.c",
];

/** Name of the image of a program for a register width. */
export function imageName(program: GuestProgram, xlen: 32 | 64): string {
  return xlen === 64 ? program.name : `${program.name}_rv32`;
}

/** Sources of a program in link order, relative to the repository. */
export function programSources(program: GuestProgram): string[] {
  const virtio = program.drivers === undefined
    ? []
    : [...virtioSources, ...program.drivers.map((driver) => `virtio/${driver}.c`)];
  const driver = program.kind === "bench" ? ["bench/main.c"] : [];
  return [...libSources, ...virtio, ...driver, program.main].map((source) => `guest/${source}`);
}
