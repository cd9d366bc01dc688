/**
 * The board as data: QEMU's `virt` machine, so that images made for it run unmodified. The bus map, the PLIC's wiring,
 * the device tree, `--help` and the guest's C header all derive from this table.
 */

/** Kind of a device: what is built for it. */
export type BoardKind =
  | "rom"
  | "finisher"
  | "rtc"
  | "clint"
  | "plic"
  | "uart"
  | "virtio-mmio"
  | "fw-cfg"
  | "flash"
  | "pcie"
  | "ram";

/** One entry of the board. Addresses and sizes in bytes. */
export interface BoardEntry {
  /** Name of the device, by which everything else refers to it. */
  readonly name: string;
  /** What is built for it. */
  readonly kind: BoardKind;
  /** Guest-physical address of its first byte. */
  readonly base: number;
  /** Bytes of its region. */
  readonly size: number;
  /** PLIC source, where it has one. */
  readonly irq?: number;
  /** Whether it is built today; the others only keep their place. */
  readonly present: boolean;
  /** What it is, in words for help. */
  readonly what: string;
}

/** Number of virtio-mmio slots. */
export const VIRTIO_SLOTS = 8;

/** Interrupt sources of the PLIC (`riscv,ndev`): 1..95. */
export const PLIC_SOURCES = 95;

/** Frequency of `mtime` in Hz. */
export const TIMEBASE_HZ = 10_000_000;

/** Input clock of the UART in Hz (`clock-frequency`): 16 cycles make a bit at divisor 1. */
export const UART_CLOCK_HZ = 3_686_400;

/** The clock's time at power-on where nobody says another: 2026-01-01T00:00:00Z in milliseconds since 1970. */
export const RTC_EPOCH = 1_767_225_600_000;

/** Banks of the flash, each half of it. */
export const FLASH_BANKS = 2;

/** Start of RAM. */
export const RAM_BASE = 0x8000_0000;

/** Where RAM must end: 4 GiB of `WebAssembly.Memory` less the machine's own state. */
export const RAM_MAX = 0xc000_0000;

/** Most harts a machine can have. */
export const HARTS_MAX = 8;

/**
 * Where devices share memory with drivers (virtio 1.2 §2.10): a stretch for each slot, in a range that QEMU has for
 * devices added on its platform bus. Nothing is there unless a device shares some; it finds its way to the driver by
 * the registers of the slot.
 */
export const SHARED_MEMORY_BASE = 0x400_0000;
/** Bytes of a slot's stretch. */
export const SHARED_MEMORY_SIZE = 0x40_0000;

/** The `virt` board. RAM's size is the default; `--memory` changes it. */
export const virtBoard: readonly BoardEntry[] = [
  { name: "rom", kind: "rom", base: 0x1000, size: 0xf000, present: true, what: "reset vector" },
  { name: "finisher", kind: "finisher", base: 0x10_0000, size: 0x1000, present: true, what: "test finisher" },
  { name: "rtc", kind: "rtc", base: 0x10_1000, size: 0x1000, irq: 11, present: true, what: "Goldfish RTC" },
  {
    name: "clint",
    kind: "clint",
    base: 0x200_0000,
    size: 0x1_0000,
    present: true,
    what: "timer and software interrupts",
  },
  { name: "plic", kind: "plic", base: 0xc00_0000, size: 0x60_0000, present: true, what: "interrupt controller" },
  { name: "uart", kind: "uart", base: 0x1000_0000, size: 0x100, irq: 10, present: true, what: "UART 16550" },
  ...Array.from({ length: VIRTIO_SLOTS }, (_, n): BoardEntry => ({
    name: `virtio${n}`,
    kind: "virtio-mmio",
    base: 0x1000_1000 + n * 0x1000,
    size: 0x1000,
    irq: 1 + n,
    present: true,
    what: `virtio-mmio slot ${n}`,
  })),
  { name: "fw-cfg", kind: "fw-cfg", base: 0x1010_0000, size: 0x18, present: true, what: "firmware configuration" },
  { name: "flash", kind: "flash", base: 0x2000_0000, size: 0x400_0000, present: true, what: "CFI flash, two banks" },
  { name: "pcie", kind: "pcie", base: 0x3000_0000, size: 0x1000_0000, present: false, what: "PCIe ECAM" },
  { name: "ram", kind: "ram", base: RAM_BASE, size: 128 << 20, present: true, what: "memory" },
];

/** The entry called `name`; throws for a name that is not on the board (a mistake of ours). */
export function boardEntry(name: string, board: readonly BoardEntry[] = virtBoard): BoardEntry {
  const entry = board.find((e) => e.name === name);
  if (entry === undefined) throw new Error(`board: no entry called ${name}`);
  return entry;
}
