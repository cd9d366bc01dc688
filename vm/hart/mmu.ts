/**
 * Address translation: Sv32 (priv §10.3), Sv39 (§10.4), Sv48 (§10.5) and Sv57 (§10.6), with Svnapot, Svpbmt and both
 * schemes for the A and D bits. Works on numbers and allocates nothing: virtual addresses and page-table entries are two
 * u32 halves, physical addresses are numbers of pages (at most 44 bits; those of RAM are small integers) and offsets.
 */
import { join64 } from "../bits.ts";
import { type GuestMemory, PAGE_SIZE } from "../bus/memory.ts";
import { Privilege } from "../events.ts";
import type { Isa } from "../isa/table.ts";
import { Cause } from "./cause.ts";
import type { Pmp } from "./pmp.ts";
import { Access } from "./tlb.ts";

/** What `translate` gives where there is no fault; causes are from 0 up. */
export const TRANSLATED = -1;

/** Fields of a page-table entry's low half (priv §10.3.1, §10.4.1). */
const PTE = { V: 1, R: 2, W: 4, X: 8, U: 16, A: 64, D: 128 } as const;
/** In the high half of an Sv39, Sv48 or Sv57 entry: bits 53..32 of it are PPN, 60..54 reserved, 62..61 PBMT, 63 N. */
const HIGH = { PPN: 0x003f_ffff, RESERVED: 0x1fc0_0000, PBMT: 0x6000_0000, N: 0x8000_0000 } as const;

/** By `Access`. */
const PAGE_FAULT = [Cause.LoadPageFault, Cause.StorePageFault, Cause.InstructionPageFault] as const;
const ACCESS_FAULT = [Cause.LoadAccessFault, Cause.StoreAccessFault, Cause.InstructionAccessFault] as const;

/** Pages of 64 KiB, the one size there is (Svnapot: bits 3..0 of the PPN are 1000). */
const NAPOT_PAGES = 16;

/** Pages from here up are nowhere: addresses would stop being exact not far above. */
const FRAME_LIMIT = 2 ** 40;

/** Levels of page tables by satp.MODE of RV64 (priv §10.1.11); 0 is Bare. */
const LEVELS: Readonly<Record<number, number>> = { 0: 0, 8: 3, 9: 4, 10: 5 };

/** Whether RV64 has this satp.MODE. */
export function modeSupported(mode: number): boolean {
  return LEVELS[mode] !== undefined;
}

/** The page-table walker of one hart. */
export class Mmu {
  /** What the last successful translation found: the number of the physical page. */
  frame = 0;
  /** And the pages of the mapping that it is a part of, 1 or more. */
  pages = 1;
  /** And whether a store there would succeed too, without any change of the page tables. */
  storeToo = false;
  /** menvcfg.ADUE: A and D bits are set by hardware (Svadu); else a clear one is a page fault (Svade). */
  hardwareUpdates = false;
  /** Whether a walk may set A and D bits: not one that only looks, for an access that may not come about (priv §10.3.1). */
  looking = false;
  /** menvcfg.PBMTE: page-based memory types are allowed (Svpbmt). */
  memoryTypes = false;
  readonly #pmp: Pmp;
  readonly #u32: Uint32Array;
  readonly #updated: (host: number) => void;
  readonly #wide: boolean;
  readonly #napot: boolean;
  /** Address bits per level. */
  readonly #bits: 9 | 10;
  #levels = 0;
  /** Page number of the first page table. */
  #root = 0;
  /** Page numbers of RAM, where page tables are, and its host address. */
  readonly #first: number;
  readonly #last: number;
  readonly #host: number;
  #asid = 0;

  /** `updated` is told the host address of an entry whose A or D bit was set. */
  constructor(isa: Isa, memory: GuestMemory, pmp: Pmp, updated: (host: number) => void) {
    const ram = memory.regions.find((r) => r.writable);
    if (ram === undefined) throw new Error("mmu: no region of memory is writable");
    this.#first = ram.base / PAGE_SIZE;
    this.#last = (ram.base + ram.size) / PAGE_SIZE - 1;
    this.#host = ram.host;
    this.#pmp = pmp;
    this.#updated = updated;
    this.#u32 = new Uint32Array(memory.buffer);
    this.#wide = isa.xlen === 64;
    this.#bits = isa.xlen === 64 ? 9 : 10;
    this.#napot = isa.extensions.includes("svnapot");
  }

  /** Follows satp (priv §10.1.11), whose mode must be one there is. */
  setSatp(low: number, high: number): void {
    this.#levels = this.#wide ? LEVELS[high >>> 28]! : (low >>> 31) * 2;
    this.#root = this.#wide ? join64(low, high & 0xfff) : low & 0x3f_ffff;
    this.#asid = this.#asidOf(low, high);
  }

  /** Address-space identifiers are as wide as they can be: 16 bits, on RV32 9 (priv §10.1.11). */
  #asidOf(low: number, high: number): number {
    return this.#wide ? (high >>> 12) & 0xffff : (low >>> 22) & 0x1ff;
  }

  /** Whether satp names this address space; higher bits of `asid` do not count (priv §10.6.1). */
  inAddressSpace(asid: number): boolean {
    return (asid & (this.#wide ? 0xffff : 0x1ff)) === this.#asid;
  }

  /**
   * Translates a virtual address for an access by `privilege` (for loads and stores the effective one): `TRANSLATED`, with
   * the result in the fields above, or the cause of the exception. `sum` and `mxr` are the bits of mstatus.
   */
  translate(low: number, high: number, access: Access, privilege: Privilege, sum: boolean, mxr: boolean): number {
    if (privilege !== Privilege.M && this.#levels !== 0) return this.#walk(low, high, access, privilege, sum, mxr);
    this.frame = (low >>> 12) + (high >>> 0) * 0x10_0000;
    this.pages = 1;
    this.storeToo = true;
    return this.frame >= FRAME_LIMIT ? ACCESS_FAULT[access]! : TRANSLATED;
  }

  /** The algorithm of priv §10.3.2. */
  #walk(low: number, high: number, access: Access, privilege: Privilege, sum: boolean, mxr: boolean): number {
    if (this.#wide && !this.#canonical(high)) return PAGE_FAULT[access]!;
    const shift = this.#wide ? 3 : 2;
    let table = this.#root;
    for (let level = this.#levels - 1; level >= 0; level--) {
      // Page tables must be in RAM: other places do not support the accesses that walks make (priv §3.6).
      if (table < this.#first || table > this.#last) return ACCESS_FAULT[access]!;
      const offset = this.#index(level, low, high) << shift;
      if (!this.#pmp.allowsIn(table, offset, 1 << shift, Access.Load, Privilege.S)) return ACCESS_FAULT[access]!;
      const host = (this.#host + (table - this.#first) * PAGE_SIZE + offset) >>> 0;
      const pte = this.#u32[host >>> 2]!;
      const top = this.#wide ? this.#u32[(host >>> 2) + 1]! : 0;
      if ((pte & PTE.V) === 0 || (pte & (PTE.R | PTE.W)) === PTE.W) return PAGE_FAULT[access]!;
      if ((pte & (PTE.R | PTE.X)) !== 0) {
        if (!permitted(pte, access, privilege, sum, mxr)) return PAGE_FAULT[access]!;
        if (!this.#leaf(level, pte, top, low, high)) return PAGE_FAULT[access]!;
        const cause = this.#markUsed(table, offset, host, pte, access);
        if (cause !== TRANSLATED) return cause;
        this.storeToo = (pte & (PTE.D | PTE.W)) === (PTE.D | PTE.W);
        return this.frame >= FRAME_LIMIT ? ACCESS_FAULT[access]! : TRANSLATED;
      }
      // What a pointer to the next level must not have: D, A, U (priv §10.3.1), N, PBMT and the reserved bits.
      if ((pte & (PTE.D | PTE.A | PTE.U)) !== 0 || (top & ~HIGH.PPN) !== 0) return PAGE_FAULT[access]!;
      table = frameOf(pte, top);
    }
    return PAGE_FAULT[access]!;
  }

  /** Whether the bits above the highest translated one equal it (priv §10.4.1). */
  #canonical(high: number): boolean {
    const rest = (high | 0) >> (9 * this.#levels + 11 - 32);
    return rest === 0 || rest === -1;
  }

  /** Index into the page table of a level. */
  #index(level: number, low: number, high: number): number {
    if (!this.#wide) return level === 0 ? (low >>> 12) & 1023 : low >>> 22;
    switch (level) {
      case 0:
        return (low >>> 12) & 511;
      case 1:
        return (low >>> 21) & 511;
      case 2:
        return ((low >>> 30) | (high << 2)) & 511;
      case 3:
        return (high >>> 7) & 511;
      default:
        return (high >>> 16) & 511;
    }
  }

  /** Reads where a leaf maps the address to; false if the leaf is not a legal one. */
  #leaf(level: number, pte: number, top: number, low: number, high: number): boolean {
    if ((top & HIGH.RESERVED) !== 0) return false;
    const type = top & HIGH.PBMT;
    // Type 3 is reserved, and all but 0 are where Svpbmt is off (unpriv Svpbmt, priv §3.1.18).
    if (type !== 0 && (!this.memoryTypes || type === HIGH.PBMT)) return false;
    const frame = frameOf(pte, top);
    const page = low >>> 12;
    if ((top & HIGH.N) !== 0) {
      if (!this.#napot || level !== 0 || (frame & 15) !== NAPOT_PAGES / 2) return false;
      this.pages = NAPOT_PAGES;
      this.frame = frame - NAPOT_PAGES / 2 + (page & (NAPOT_PAGES - 1));
      return true;
    }
    if (level === 0) {
      this.pages = 1;
      this.frame = frame;
      return true;
    }
    // A larger page must be aligned to its size (priv §10.3.2 step 6).
    this.pages = 2 ** (this.#bits * level);
    if (frame % this.pages !== 0) return false;
    // The low half has 20 bits of the page number: enough for two levels, four need some of the high half.
    this.frame = frame + (level <= 2 ? page & (this.pages - 1) : (page + (high >>> 0) * 0x10_0000) % this.pages);
    return true;
  }

  /** Sets the A bit, and the D bit for a store, or says that software must (priv §10.3.2 step 7). */
  #markUsed(table: number, offset: number, host: number, pte: number, access: Access): number {
    const needed = access === Access.Store ? PTE.A | PTE.D : PTE.A;
    if ((pte & needed) === needed) return TRANSLATED;
    if (!this.hardwareUpdates || this.looking) return PAGE_FAULT[access]!;
    const entrySize = this.#wide ? 8 : 4;
    if (!this.#pmp.allowsIn(table, offset, entrySize, Access.Store, Privilege.S)) return ACCESS_FAULT[access]!;
    this.#u32[host >>> 2] = pte | needed;
    this.#updated(host);
    return TRANSLATED;
  }
}

/** Whether a leaf's R, W, X and U allow the access (priv §10.3.1, mstatus.MXR and SUM: §3.1.6.3). */
function permitted(pte: number, access: Access, privilege: Privilege, sum: boolean, mxr: boolean): boolean {
  const user = (pte & PTE.U) !== 0;
  if (privilege === Privilege.U ? !user : user && (access === Access.Fetch || !sum)) return false;
  if (access === Access.Fetch) return (pte & PTE.X) !== 0;
  if (access === Access.Store) return (pte & PTE.W) !== 0;
  return (pte & PTE.R) !== 0 || (mxr && (pte & PTE.X) !== 0);
}

/** An entry's PPN. */
function frameOf(pte: number, top: number): number {
  return (pte >>> 10) + (top & HIGH.PPN) * 0x40_0000;
}
