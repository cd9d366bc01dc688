/**
 * Where everything lies in the machine's one `WebAssembly.Memory`. Engines bake these offsets into the code they emit;
 * TypeScript reaches the same bytes through views. Nothing here ever moves, so views never detach.
 */
import { alignUp } from "../bits.ts";
import { PAGE_SIZE } from "../bus/memory.ts";
import { RECORD } from "../events.ts";

/** One hart's state; offsets from the hart's base. Registers are 8 bytes each, on RV32 the low 4 count. */
export const HART = {
  /** x0..x31; x0 is never written. */
  x: 0x000,
  /** Where emitted code puts what an instruction writes to x0. */
  sink: 0x100,
  pc: 0x108,
  /** u32: address of the TLB in use. */
  tlb: 0x110,
  /** u32: instructions of the budget that emitted code left. */
  left: 0x114,
  /** u32: host address of the reserved 64-byte line, or `NO_RESERVATION`. */
  reservation: 0x118,
  /** u32: where the next high-rate record goes. */
  record: 0x11c,
  /** u32: privilege mode. */
  privilege: 0x120,
  /** u32: next byte of `edges`, from 0. */
  edge: 0x124,
  /** u64: steps done before the running call of emitted code; records are numbered from it. */
  step: 0x128,
  /** u64: virtual address of the load or store that the TLB did not know, when emitted code left for it. */
  miss: 0x130,
  /** u32: what emitted code may do in the mode that the hart is in, see `LEVEL`. */
  level: 0x140,
  /** u32: where a region left at an instruction: the bytes from its block's start to there, times 2, plus 1; else 0. */
  blockBytes: 0x144,
  /** u32: the interrupts that are pending and enabled in mie; right whenever emitted code runs. */
  ready: 0x148,
  /** u32: changes whenever another page may be fetched from, or the same page at another address; never 0. See `Tlb.space`. */
  space: 0x14c,
  /** u32: hart id. */
  index: 0x150,
  /** u32: how often the interpreter came to a translated region. */
  entered: 0x154,
  /** u32 each, by `FenceOrder`: fences done while somebody watches memory. */
  fences: 0x160,
  /** u32 each, by `RegionEnd`: how often translated regions were left. */
  regionEnds: 0x1d0,
  /** u64: steps that translated regions did. */
  regionSteps: 0x1e8,
  /** u32: accrued floating-point exceptions, `fflags`. */
  fflags: 0x1f0,
  /** u32: dynamic rounding mode, `frm`. */
  frm: 0x1f4,
  /** u8 each, by an instruction's `rm` field: the mode to round by, or `NO_ROUNDING` where emitted code must leave. */
  rounding: 0x1f8,
  /** f0..f31: 8 bytes each, narrower values NaN-boxed. */
  f: 0x200,
  /** CSRs that are plain storage, 8 bytes each. */
  csr: 0x300,
  /** The last `EDGES` taken branches and jumps: from and to, u32 each, as addresses of decoded entries. */
  edges: 0x800,
  /** All of the above: what moves with a hart's state. */
  bytes: 0xa00,
  /** TLBs, one per addressing context. */
  tlbs: 0x1_0000,
  size: 0xe_0000,
} as const;

/**
 * Values of `HART.level`, each of which allows all that lower ones do: the privilege modes by their numbers, and above
 * them M-mode where RAM may be accessed without the TLB, as addresses are physical and nothing forbids any.
 */
export const LEVEL = { flat: 4 } as const;

/** How many taken branches are remembered for the report on a guest's death. */
export const EDGES = 64;

/** Value of `HART.reservation` when there is none; no line begins there. */
export const NO_RESERVATION = 0xffff_ffff;

/**
 * A byte of `HART.rounding` for which an instruction is not for emitted code: the mode is reserved, or mstatus.FS is not
 * Dirty, so that floating point may be off or a write must change FS. Above every rounding mode.
 */
export const NO_ROUNDING = 0xff;

/** TLB entry for loads and stores. A tag is the virtual page for which the access is allowed; see `tlb.ts`. */
export const TLB = {
  entries: 4096,
  bytes: 32,
  /** u64 each: load, store. */
  read: 0,
  write: 8,
  /** u32: host address minus virtual address, modulo 2^32. */
  addend: 16,
  /** Addressing contexts per hart: see `Context` in `tlb.ts`. */
  contexts: 5,
  /** Bytes of a context: these entries, then those for fetches. */
  contextBytes: 0x28000,
} as const;

/** TLB entry for fetches. */
export const FETCH = {
  entries: 2048,
  bytes: 16,
  /** Offset of the entries in a context: after those for loads and stores. */
  at: 0x20000,
  /** u64 */
  tag: 0,
  /** u32: decoded page behind the tag. */
  page: 8,
  /** u32: host address minus virtual address, modulo 2^32. */
  addend: 12,
} as const;

/** One decoded instruction. */
export const ENTRY = {
  bytes: 16,
  /** u16 each: handler; byte offsets of rd, rs1 and rs2 in the hart's state. */
  op: 0,
  rd: 2,
  rs1: 4,
  rs2: 6,
  /** i32 */
  imm: 8,
  /** u32: the instruction's bits. */
  word: 12,
} as const;

/**
 * What is kept of an instruction that lies half in the next page, in the entry behind the two that end its page; offsets
 * from the instruction's own entry, which is the page's last.
 */
export const CROSSING = {
  /** u16 each: the handler that does the instruction; its second half. */
  handler: 48,
  high: 50,
} as const;

/** A decoded page: an entry per halfword, two that end it, and one for `CROSSING`. */
export const PAGE_ENTRIES: number = PAGE_SIZE / 2;
export const PAGE_BYTES: number = alignUp((PAGE_ENTRIES + 3) * ENTRY.bytes, 64);

/** How many decoded pages are kept at a time: the code that a kernel is busy with fits. Untouched ones cost nothing. */
export const PAGES = 2048;

/** One translated region; the table is indexed as the function table is. */
export const REGION = {
  bytes: 96,
  max: 8192,
  /** u32: steps that the region may do before it looks at the budget. */
  cost: 0,
  /** u32: it may run only while `HART.level` is no lower. */
  level: 4,
  /** u64: virtual address that it begins at. */
  pc: 8,
  /** u32: 1 if it goes on in other pages, so that the following count. */
  paged: 16,
  /** u32: which of its region's entries it is. */
  entry: 20,
  /**
   * For each hart, u32 each: the `HART.space` in which the other pages were found where they were when it was made, and the
   * one in which they were not.
   */
  spaces: 32,
  space: 0,
  refused: 4,
  spaceBytes: 8,
} as const;

/** Bytes of RAM that are told apart as code and data: code and what it writes seldom share them. */
export const CODE_LINE = 64;

/** Records per ring. */
export const RECORDS = 16384;

/** Host addresses of the parts. */
export interface Layout {
  readonly hart: (index: number) => number;
  /** Where emitted code expects the state of the hart that runs. */
  readonly running: number;
  readonly records: number;
  readonly pages: number;
  readonly regions: number;
  /** A byte for each `CODE_LINE` bytes of RAM: not 0 where code was decoded from. */
  readonly codeLines: number;
  readonly rom: number;
  readonly ram: number;
  /** Size of the whole Memory in 64 KiB pages. */
  readonly wasmPages: number;
}

/** Lays out a machine with `harts` harts, `romSize` bytes of ROM and `ramSize` bytes of RAM. */
export function layoutOf(harts: number, romSize: number, ramSize: number): Layout {
  const first = 0x1_0000;
  const ends = first + harts * HART.size;
  // A hart without others is always the one that runs.
  const records = harts === 1 ? ends : ends + PAGE_SIZE;
  const pages = alignUp(records + RECORDS * RECORD.bytes, PAGE_SIZE);
  const regions = alignUp(pages + PAGES * PAGE_BYTES, PAGE_SIZE);
  const codeLines = alignUp(regions + REGION.max * REGION.bytes, PAGE_SIZE);
  const rom = alignUp(codeLines + Math.ceil(ramSize / CODE_LINE), PAGE_SIZE);
  const ram = alignUp(rom + romSize, 0x1_0000);
  const end = alignUp(ram + ramSize, 0x1_0000);
  if (end > 0x1_0000_0000) {
    throw new RangeError(`memory: ${ramSize} bytes of RAM do not fit beside the machine's state`);
  }
  return {
    hart: (index) => first + index * HART.size,
    running: harts === 1 ? first : ends,
    records,
    pages,
    regions,
    codeLines,
    rom,
    ram,
    wasmPages: end / 0x1_0000,
  };
}
