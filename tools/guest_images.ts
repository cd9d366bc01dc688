/**
 * What is built from `guest/`: one row per program; each becomes an image for RV64 (`name`) and one for RV32
 * (`name_rv32`). The build tool, the manifest and the tests read this table.
 */

/** One program of `guest/firmware/` or `guest/bench/`. */
export interface GuestProgram {
  readonly name: string;
  /** The file with `main`, relative to `guest/`. */
  readonly main: string;
  /** Drivers of `guest/virtio/` it links, by file name without `.c`; the virtio core comes with the first one. */
  readonly drivers: readonly string[];
  /** Devices it wants beyond the board's own; without them it says so. */
  readonly devices: readonly string[];
  /** virtio-mmio version it insists on, where it does. */
  readonly virtioVersion?: 1 | 2;
  /** Exit status of the run. */
  readonly status: number;
  /** Bytes of RAM it is happy with. */
  readonly memory: number;
  readonly what: string;
}

const small = 4 << 20;

function plain(name: string, what: string): GuestProgram {
  return { name, main: `firmware/${name}.c`, drivers: [], devices: [], status: 0, memory: small, what };
}

/** Every program, in the order of the manifest. */
export const guestPrograms: readonly GuestProgram[] = [
  plain("uart_hello", "one line on the UART"),
  plain("uart_echo", "UART input by interrupt, echoed by line"),
  plain("traps", "every synchronous trap, delegation, vectored mtvec and stvec"),
  plain("timer", "mtime, deadlines, wfi, software interrupt"),
  plain("plic", "pending, enable, priority, threshold, claim, complete"),
  {
    ...plain("demo", "the tour: discovery, console, disk, entropy, removal and second probe"),
    drivers: ["virtio_console", "virtio_blk", "virtio_rng"],
    devices: ["console", "blk", "rng"],
  },
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
  "virtio/virtio_ring_split.c",
  "virtio/virtio_mmio.c",
];

/** Name of the image of a program for a register width. */
export function imageName(program: GuestProgram, xlen: 32 | 64): string {
  return xlen === 64 ? program.name : `${program.name}_rv32`;
}

/** Sources of a program in link order, relative to the repository. */
export function programSources(program: GuestProgram): string[] {
  const virtio = program.drivers.length === 0
    ? []
    : [...virtioSources, ...program.drivers.map((driver) => `virtio/${driver}.c`)];
  return [...libSources, ...virtio, program.main].map((source) => `guest/${source}`);
}
