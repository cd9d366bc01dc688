/**
 * Physical memory protection (priv §3.7): up to 64 entries that say who may touch which physical addresses. Entries have
 * byte granularity of 4 (G = 0). What is asked for every address is kept in flat arrays of the entries that are on.
 */
import { PAGE_SIZE } from "../bus/memory.ts";
import { Privilege } from "../events.ts";
import type { Access } from "./tlb.ts";

/** How many entries a hart may have (priv §3.7.1). */
export type PmpEntries = 0 | 16 | 64;

/** Fields of a configuration byte (priv §3.7.1.1). */
const CFG = { R: 1, W: 2, X: 4, A: 0x18, L: 0x80 } as const;
/** Values of field A. */
const A = { OFF: 0, TOR: 0x08, NA4: 0x10, NAPOT: 0x18 } as const;
/** Bits 5 and 6 are reserved and read zero. */
const CFG_MASK = 0x9f;

/** The permission that each kind of access needs, by `Access`. */
const NEEDED = [CFG.R, CFG.W, CFG.X] as const;

/** Whether a boundary at this address divides a page of memory; there is none in the last page of RV32's 34 bits. */
function cutsPage(address: number): boolean {
  return address % PAGE_SIZE !== 0 && address < 2 ** 34 - PAGE_SIZE;
}

/** The entries of one hart. */
export class Pmp {
  readonly entries: PmpEntries;
  readonly #cfg = new Uint8Array(64);
  /** pmpaddr registers: address bits 55..2 on RV64, 33..2 on RV32. */
  readonly #addr: bigint[] = new Array<bigint>(64).fill(0n);
  readonly #addrMask: bigint;
  /** The entries that match anything, in order of priority: first byte, byte after the last one, configuration. */
  readonly #low = new Float64Array(64);
  readonly #high = new Float64Array(64);
  readonly #on = new Uint8Array(64);
  #count = 0;
  /**
   * M-mode may do everything: no entry that is on is locked (priv §3.7.1.2), and none ends inside a page, where an access
   * that it matches in part would fail all the same (§3.7.1.3).
   */
  #machineFree = true;

  constructor(xlen: 32 | 64, entries: PmpEntries) {
    this.entries = entries;
    this.#addrMask = xlen === 64 ? (1n << 54n) - 1n : (1n << 32n) - 1n;
  }

  /** Whether M-mode may do everything. */
  get machineFree(): boolean {
    return this.#machineFree;
  }

  /** Power-on: every entry off and unlocked (priv §3.7.1.2). */
  reset(): void {
    this.#cfg.fill(0);
    this.#addr.fill(0n);
    this.#update();
  }

  /** Configuration byte of entry `i`; 0 for an entry that is not implemented. */
  config(i: number): number {
    return this.#cfg[i]!;
  }

  /** Writes a configuration byte; a locked one stays until reset (priv §3.7.1.2). */
  setConfig(i: number, value: number): void {
    if (i >= this.entries || (this.#cfg[i]! & CFG.L) !== 0) return;
    // R = 0 with W = 1 is reserved (priv §3.7.1.1): W is dropped then.
    const legal = (value & CFG.R) !== 0 ? value : value & ~CFG.W;
    this.#cfg[i] = legal & CFG_MASK;
    this.#update();
  }

  /** pmpaddr register of entry `i`. */
  address(i: number): bigint {
    return this.#addr[i]!;
  }

  /** Writes a pmpaddr register; one that a locked entry uses stays, also as the base of a range (priv §3.7.1.2). */
  setAddress(i: number, value: bigint): void {
    if (i >= this.entries || (this.#cfg[i]! & CFG.L) !== 0) return;
    const next = this.#cfg[i + 1] ?? 0;
    if ((next & CFG.L) !== 0 && (next & CFG.A) === A.TOR) return;
    this.#addr[i] = value & this.#addrMask;
    this.#update();
  }

  /** Lists anew what the entries match. */
  #update(): void {
    this.#count = 0;
    this.#machineFree = true;
    for (let i = 0; i < this.entries; i++) {
      const cfg = this.#cfg[i]!;
      const mode = cfg & CFG.A;
      if (mode === A.OFF) continue;
      const [low, high] = this.#range(i, mode);
      if (low >= high) continue;
      this.#low[this.#count] = low;
      this.#high[this.#count] = high;
      this.#on[this.#count] = cfg;
      this.#count++;
      if ((cfg & CFG.L) !== 0 || cutsPage(low) || cutsPage(high)) this.#machineFree = false;
    }
  }

  /** Bytes that entry `i` matches (priv §3.7.1.1). Rounding, from 2^55 up, is beyond every memory. */
  #range(i: number, mode: number): readonly [low: number, high: number] {
    const addr = this.#addr[i]!;
    if (mode === A.TOR) return [i === 0 ? 0 : Number(this.#addr[i - 1]! << 2n), Number(addr << 2n)];
    if (mode === A.NA4) return [Number(addr << 2n), Number(addr << 2n) + 4];
    // NAPOT: n ones at the low end stand for 2^(n+3) bytes.
    const ones = addr ^ (addr + 1n);
    return [Number((addr & ~ones) << 2n), Number(((addr | ones) + 1n) << 2n)];
  }

  /**
   * Whether `privilege` may access all of `size` bytes at physical address `addr`. The first entry that matches any of
   * them decides, and must match all (priv §3.7.1.3).
   */
  allows(addr: number, size: number, access: Access, privilege: Privilege): boolean {
    return this.allowsIn(0, addr, size, access, privilege);
  }

  /** The same at an offset from a page's start: page numbers are small, whereas V8 allocates an address above 2^31. */
  allowsIn(frame: number, offset: number, size: number, access: Access, privilege: Privilege): boolean {
    const machine = privilege === Privilege.M;
    if (machine && this.#machineFree) return true;
    const addr = frame * PAGE_SIZE + offset;
    const end = addr + size;
    for (let i = 0; i < this.#count; i++) {
      const low = this.#low[i]!;
      const high = this.#high[i]!;
      if (addr >= high || end <= low) continue;
      if (addr < low || end > high) return false;
      const cfg = this.#on[i]!;
      return (machine && (cfg & CFG.L) === 0) || (cfg & NEEDED[access]!) !== 0;
    }
    // No match: M-mode may, others may only where no entry is implemented at all.
    return machine || this.entries === 0;
  }
}
