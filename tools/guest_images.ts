/**
 * What is built from `guest/`: one row per program; each becomes an image for RV64 (`name`) and one for RV32
 * (`name_rv32`). The build tool, the manifest and the tests read this table.
 */

/** One program of `guest/firmware/` or `guest/bench/`. */
export interface GuestProgram {
  readonly name: string;
  /**
   * Firmware is a test of the machine; a bench kernel only computes, some hundred million instructions; a load moves as
   * many bytes through a device as its disk or RAM says.
   */
  readonly kind: "firmware" | "bench" | "load";
  /** The file with `main`, relative to `guest/`. */
  readonly main: string;
  /** Drivers of `guest/virtio/` it links, by file name without `.c`; undefined: not even the virtio core. */
  readonly drivers?: readonly string[];
  /** Other files of `guest/firmware/` that belong to it, by name without `.c`. */
  readonly also?: readonly string[];
  /** Kinds of devices it uses; without them it says so. */
  readonly devices: readonly string[];
  /** `--device` values that show what it is for; absent: the default devices do. */
  readonly options?: readonly string[];
  /** It does so much that only long tests keep every fact of it. */
  readonly long?: boolean;
  /** Its ELF file has symbols but no lines: there are many of these, and lines are nine tenths of a file. */
  readonly symbolsOnly?: boolean;
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

/** Files of firmware that drives one queue by itself, and of such that sends a disk requests. */
const ONE_QUEUE: readonly string[] = ["course", "one_queue"];
const REQUESTS: readonly string[] = [...ONE_QUEUE, "requests"];

/** An image for one feature of virtio, of a row of its own with `options` to offer that feature. */
function feature(name: string, what: string, options: readonly string[], also = REQUESTS): GuestProgram {
  return { ...plain(name, what), drivers: [], also, devices: ["blk"], options, symbolsOnly: true };
}

function bench(kernel: string, what: string): GuestProgram {
  const name = `bench_${kernel}`;
  const main = `bench/${kernel}.c`;
  return { name, kind: "bench", main, devices: [], symbolsOnly: true, status: 0, memory: small, what };
}

function load(what: string, driver: string, device: string, does: string): GuestProgram {
  const program = bench(what, does);
  return { ...program, kind: "load", drivers: [driver], devices: [device], memory: 16 << 20 };
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
    also: ["course"],
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
    also: ONE_QUEUE,
    devices: ["rng"],
  },
  {
    ...plain("dummy", "the life of a driver on the test device"),
    drivers: ["virtio_dummy"],
    also: ["course"],
    devices: ["dummy"],
  },
  feature("packed", "packed rings in memory: wrap counters, lists over the end, full, tables", [
    "blk,packed=on,queue-size=13",
  ]),
  feature("indirect", "INDIRECT_DESC: tables of every length, a full queue of them, and none", [
    "blk,queue-size=64",
  ]),
  feature("event_idx", "EVENT_IDX and flags: callbacks off, on, delayed; kicks; buffers detached", []),
  feature("in_order", "IN_ORDER: answers in the order of requests, short ones behind a long one", [
    "blk,in_order=on,size=8M",
  ]),
  feature("notification_data", "NOTIFICATION_DATA: where the driver will go on, in each notification", [
    "blk,notification_data=on,queue-size=32",
  ]),
  feature("ring_reset", "RING_RESET: a queue taken back with requests in it, resized, and used again", [
    "blk,ring_reset=on,queue-size=16",
  ]),
  feature("suspend", "SUSPEND of virtio 1.4: a device at rest with its queues as they are, and resumed", [
    "blk,suspend=on",
  ]),
  {
    ...feature("index_wrap", "more than 65,536 requests: 16-bit indexes come around", [], ONE_QUEUE),
    devices: ["rng"],
    long: true,
  },
  {
    ...feature("freeze", "freeze, suspend and ring reset of console, disk and entropy", [
      "console,suspend=on,ring_reset=on",
      "blk,suspend=on,ring_reset=on",
      "rng,suspend=on,ring_reset=on",
    ], ["course"]),
    drivers: ["virtio_console", "virtio_blk", "virtio_rng"],
    devices: ["console", "blk", "rng"],
  },
  {
    ...feature("block_requests", "FLUSH, CONFIG_WCE, WRITE_ZEROES, DISCARD, SECURE_ERASE, GET_LIFETIME", [
      "blk,discard=on,secure_erase=on,wear=2:3:4",
    ], []),
    drivers: ["virtio_blk"],
  },
  {
    ...feature("block_queues", "a disk with several queues, all busy at once (MQ)", ["blk,num-queues=4"], ["course"]),
    drivers: ["virtio_blk"],
  },
  {
    ...feature("console_ports", "a console with several ports (MULTIPORT)", [
      "console,port=echo@loop,port=null,console-port=second@loop",
    ], []),
    drivers: ["virtio_console"],
    devices: ["console"],
  },
  bench("list_matrix", "lists found, reversed, sorted; matrices multiplied"),
  bench("crc_state", "CRC-32 by bit and by table, a state machine over text"),
  bench("copy_sort", "memory copied, numbers sorted by quicksort"),
  bench("sieve", "sieve of Eratosthenes"),
  bench("recursion", "recursive calls"),
  bench("muldiv_hash", "64-bit multiplication and division"),
  bench("string_search", "words sought in text"),
  bench("interpreter", "a stack machine dispatching by table"),
  load("disk_read", "virtio_blk", "blk", "the first disk read sixteen times, a mebibyte a request"),
  load("disk_random", "virtio_blk", "blk", "blocks of 4 KiB read from all over the first disk"),
  load(
    "console_write",
    "virtio_console",
    "console",
    "half as many bytes as there is RAM, written to the virtio console",
  ),
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
  "virtio/virtio_config.c",
  "virtio/virtio_ring.c",
  "virtio/virtio_ring_create.c",
  "virtio/virtio_ring_split.c",
  "virtio/virtio_ring_packed.c",
  "virtio/virtio_mmio.c",
  "virtio/virtio_debug.c",
];

/** Drivers of several files, which all belong to the one called so. */
const driverParts: Readonly<Record<string, readonly string[]>> = {
  virtio_blk: ["virtio_blk", "virtio_blk_requests"],
  virtio_console: ["virtio_console", "virtio_console_port"],
};

/** Sources of a driver, relative to `guest/`. */
export function driverSources(driver: string): string[] {
  return (driverParts[driver] ?? [driver]).map((part) => `virtio/${part}.c`);
}

/** Name of the image of a program for a register width. */
export function imageName(program: GuestProgram, xlen: 32 | 64): string {
  return xlen === 64 ? program.name : `${program.name}_rv32`;
}

/** Sources of a program in link order, relative to the repository. */
export function programSources(program: GuestProgram): string[] {
  const virtio = program.drivers === undefined ? [] : [
    ...virtioSources,
    ...program.drivers.flatMap(driverSources),
  ];
  const driver = program.kind === "bench" ? ["bench/main.c"] : [];
  const also = (program.also ?? []).map((name) => `firmware/${name}.c`);
  return [...libSources, ...virtio, ...driver, ...also, program.main].map((source) => `guest/${source}`);
}
