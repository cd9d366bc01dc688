/**
 * Decoded code: a bounded pool of pages of predecoded entries, filled as code is reached. A page stands for the
 * physical page it was decoded from, and follows every write there at once.
 */
import { alignUp } from "../bits.ts";
import { PAGE_SIZE } from "../bus/memory.ts";
import type { CodeWatch } from "../hart/hart_options.ts";
import { CODE_LINE, CROSSING, ENTRY, HART, PAGE_BYTES, PAGE_ENTRIES, PAGES } from "../hart/layout.ts";
import { Decoder } from "../isa/decode.ts";
import type { Decoded } from "../isa/decode.ts";
import { isFloat } from "../isa/format.ts";
import type { RegisterField } from "../isa/format.ts";

/** Handlers that are no instruction. */
export const Handler = {
  /** Not decoded yet: decode from here. Zero, so that cleared entries mean it. */
  Undecoded: 0,
  /** Leave it to the reference executor. */
  Slow: 1,
  /** The page ends here. */
  End: 2,
  /** Half of it lies in the next page: do it by the entry at `CROSSING`, if that page still has the half that was decoded. */
  Crossing: 3,
  First: 4,
} as const;

/** Writes after which a page is taken for data, the first time. */
const DATA_WRITES = 32;

/** How far beyond its first byte a store reaches at most. */
const STORE_REACH = 7;

/** Most instructions decoded at a time. */
const RUN = 64;

/** Where the registers lie that a field of a format names. */
function fileOf(field: RegisterField | undefined): number {
  return isFloat(field) ? HART.f : HART.x;
}

/** Told when emitted code must not rely on something any more. Pages are host addresses. */
export interface PageListener {
  /** The page holds decoded code from now on: stores to it must leave emitted code. */
  held(page: number): void;
  /** The page's entries are gone: fetches must look it up again. */
  dropped(page: number): void;
  /** The stretch of RAM without code is a smaller one now. */
  shrunk?(): void;
  /** Bytes in pages that hold decoded code were written. */
  written?(host: number, length: number): void;
}

/** Which lines of RAM hold code that is relied on: a byte each at host address `at`. Emitted code asks before it stores. */
export interface CodeLines {
  readonly at: number;
  readonly ramHost: number;
  readonly ramSize: number;
}

/** The pool. */
export class DecodedPages implements CodeWatch {
  readonly #base: number;
  readonly #decoder: Decoder;
  readonly #handlerOf: (decoded: Decoded) => number;
  readonly #lines: CodeLines;
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #slots = new Map<number, number>();
  /** Page of each slot, or -1. */
  readonly #pages: number[] = new Array<number>(PAGES).fill(-1);
  readonly #listeners: PageListener[] = [];
  #victim = 0;
  /** A stretch of RAM that never held code, by offset. */
  #windowLow = 0;
  #windowHigh: number;
  /** How often pages in the pool were written since they were decoded last, and how often makes them data. */
  readonly #writes = new Map<number, { readonly writes: number; readonly limit: number }>();

  /** `base` is where the pool lies; `handlerOf` numbers the handlers. */
  constructor(
    buffer: ArrayBuffer,
    base: number,
    lines: CodeLines,
    decoder: Decoder,
    handlerOf: (decoded: Decoded) => number,
  ) {
    this.#base = base;
    this.#lines = lines;
    this.#windowHigh = lines.ramSize;
    this.#u8 = new Uint8Array(buffer);
    this.#decoder = decoder;
    this.#handlerOf = handlerOf;
    this.#u16 = new Uint16Array(buffer);
    this.#u32 = new Uint32Array(buffer);
  }

  listen(listener: PageListener): void {
    this.#listeners.push(listener);
  }

  holds(page: number): boolean {
    return this.#slots.has(page);
  }

  /** Address of the entries for a host page; they are made if they are not there. */
  enter(page: number): number {
    let slot = this.#slots.get(page);
    if (slot === undefined) {
      slot = this.#victim;
      this.#victim = (slot + 1) % PAGES;
      const old = this.#pages[slot]!;
      if (old >= 0) this.#drop(old, slot);
      this.#slots.set(page, slot);
      this.#pages[slot] = page;
      this.#clear(this.#base + slot * PAGE_BYTES);
      for (const l of this.#listeners) l.held(page);
    }
    return this.#base + slot * PAGE_BYTES;
  }

  #clear(at: number): void {
    this.#u32.fill(0, at >>> 2, (at + PAGE_BYTES) >>> 2);
    this.#u16[(at + PAGE_ENTRIES * ENTRY.bytes) >>> 1] = Handler.End;
    this.#u16[(at + (PAGE_ENTRIES + 1) * ENTRY.bytes) >>> 1] = Handler.End;
  }

  /** Host address of the code an entry stands for; -1 for an address that is no entry. */
  codeAt(entry: number): number {
    const slot = Math.floor((entry - this.#base) / PAGE_BYTES);
    const page = this.#pages[slot] ?? -1;
    return page < 0 ? -1 : page + ((entry - this.#base - slot * PAGE_BYTES) / ENTRY.bytes) * 2;
  }

  /** Address of the entry for code at a host address; -1 if its page is not in the pool. */
  entryOf(host: number): number {
    const page = host - (host % PAGE_SIZE);
    const slot = this.#slots.get(page);
    return slot === undefined ? -1 : this.#base + slot * PAGE_BYTES + ((host - page) / 2) * ENTRY.bytes;
  }

  /** Whether code at a host address is decoded: control came there, or to straight code before it. */
  decoded(host: number): boolean {
    const at = this.entryOf(host);
    return at >= 0 && this.#u16[at >>> 1] !== Handler.Undecoded;
  }

  /**
   * Says that `length` bytes at `host` are relied on as code: stores there must leave emitted code. It looks at the line
   * that a store begins in, so that lines count from which one can reach the code.
   */
  codeRead(host: number, length: number): void {
    const { at, ramHost, ramSize } = this.#lines;
    const from = host - ramHost;
    if (from < 0 || from >= ramSize) return;
    const first = Math.max(0, from - STORE_REACH);
    this.#shrinkWindow(first, from + length);
    this.#u8.fill(1, at + Math.floor(first / CODE_LINE), at + Math.ceil((from + length) / CODE_LINE));
  }

  /** A stretch of RAM without code, by offset: whole pages, so that it does not shrink at every instruction. */
  get window(): { readonly low: number; readonly high: number } {
    return { low: this.#windowLow, high: this.#windowHigh };
  }

  /** Takes code out of the stretch without code: the larger side of it stays. */
  #shrinkWindow(first: number, last: number): void {
    if (first >= this.#windowHigh || last <= this.#windowLow) return;
    const from = first - first % PAGE_SIZE;
    const to = Math.min(alignUp(last, PAGE_SIZE), this.#windowHigh);
    if (from - this.#windowLow > this.#windowHigh - to) this.#windowHigh = from;
    else this.#windowLow = to;
    for (const l of this.#listeners) l.shrunk?.();
  }

  /** Nothing in a page is relied on as code any more. */
  #forgetCode(page: number): void {
    const { at, ramHost, ramSize } = this.#lines;
    const from = page - ramHost;
    if (from < 0 || from >= ramSize) return;
    const end = at + (from + PAGE_SIZE) / CODE_LINE;
    this.#u8.fill(0, at + from / CODE_LINE, end);
    // A store in the last line may reach code at the start of the next page.
    if (from + PAGE_SIZE < ramSize) this.#u8[end - 1] = this.#u8[end]!;
  }

  /**
   * Decodes from `entry` on, as far as the code runs straight. `following` gives the host address of the page that follows
   * this one for the hart, or -1.
   */
  decode(entry: number, following: () => number = () => -1): void {
    let at = entry;
    let host = this.codeAt(entry);
    const end = host - (host % PAGE_SIZE) + PAGE_SIZE;
    for (let i = 0; i < RUN && host < end && this.#u16[at >>> 1] === Handler.Undecoded; i++) {
      const low = this.#u16[host >>> 1]!;
      const length = Decoder.length(low);
      if (host + length > end) {
        this.#decodeCrossing(at, low, following());
        this.codeRead(host, 2);
        return;
      }
      const word = length === 2 ? low : (low | (this.#u16[(host >>> 1) + 1]! << 16)) >>> 0;
      const decoded = this.#decoder.decode(word);
      this.#write(at, word, decoded);
      this.codeRead(host, length);
      if (decoded === undefined || decoded.base.class === "jump" || decoded.base.class === "system") return;
      at += length * (ENTRY.bytes / 2);
      host += length;
    }
  }

  /** An instruction whose second half begins another page, which may be anywhere, and elsewhere the next time. */
  #decodeCrossing(at: number, low: number, next: number): void {
    if (next < 0) {
      this.#u16[at >>> 1] = Handler.Slow;
      return;
    }
    const high = this.#u16[next >>> 1]!;
    const word = (low | (high << 16)) >>> 0;
    this.#write(at, word, this.#decoder.decode(word));
    this.#u16[(at + CROSSING.handler) >>> 1] = this.#u16[(at + ENTRY.op) >>> 1]!;
    this.#u16[(at + CROSSING.high) >>> 1] = high;
    this.#u16[(at + ENTRY.op) >>> 1] = Handler.Crossing;
  }

  /** Decodes the last entry of a page again, if it was not decoded with what the page at `next` begins with. */
  refreshCrossing(page: number, next: number): void {
    const at = page + (PAGE_ENTRIES - 1) * ENTRY.bytes;
    const op = this.#u16[(at + ENTRY.op) >>> 1]!;
    const stale = op === Handler.Crossing && this.#u16[(at + CROSSING.high) >>> 1] !== this.#u16[next >>> 1];
    if (op === Handler.Slow || stale) this.#u16[(at + ENTRY.op) >>> 1] = Handler.Undecoded;
  }

  #write(at: number, word: number, decoded: Decoded | undefined): void {
    this.#u32[(at + ENTRY.word) >>> 2] = word;
    if (decoded !== undefined) {
      const { rd, rs1, rs2, imm } = decoded.operands;
      const { format } = decoded.row;
      const files = { rd: fileOf(format.rd), rs1: fileOf(format.rs1), rs2: fileOf(format.rs2) };
      this.#u16[(at + ENTRY.rd) >>> 1] = rd === 0 && files.rd === HART.x ? HART.sink : files.rd + rd * 8;
      this.#u16[(at + ENTRY.rs1) >>> 1] = files.rs1 + rs1 * 8;
      this.#u16[(at + ENTRY.rs2) >>> 1] = files.rs2 + rs2 * 8;
      this.#u32[(at + ENTRY.imm) >>> 2] = imm;
    }
    this.#u16[(at + ENTRY.op) >>> 1] = decoded === undefined ? Handler.Slow : this.#handlerOf(decoded);
  }

  /** Forgets what was decoded from `length` bytes at `host`. */
  written(host: number, length: number): void {
    for (const l of this.#listeners) l.written?.(host, length);
    const last = host + length - 1;
    for (let page = host - (host % PAGE_SIZE); page <= last; page += PAGE_SIZE) {
      const slot = this.#slots.get(page);
      if (slot === undefined) continue;
      if (this.#isData(page)) {
        this.#drop(page, slot);
        continue;
      }
      // An instruction that begins one halfword earlier may reach into the bytes.
      const from = Math.max(0, (host - page - 2) >> 1);
      const to = Math.min(PAGE_ENTRIES - 1, (last - page) >> 1);
      const base = this.#base + slot * PAGE_BYTES;
      for (let i = from; i <= to; i++) this.#u16[(base + i * ENTRY.bytes) >>> 1] = Handler.Undecoded;
    }
  }

  /**
   * Whether a page that is written yet again is data by now: memory is used anew. Stores to a page in the pool are
   * slow, so that it is worth decoding the page again if it is not; each time it takes twice as many writes.
   */
  #isData(page: number): boolean {
    const { writes, limit } = this.#writes.get(page) ?? { writes: 0, limit: DATA_WRITES };
    const data = writes + 1 >= limit;
    this.#writes.set(page, data ? { writes: 0, limit: limit * 2 } : { writes: writes + 1, limit });
    return data;
  }

  #drop(page: number, slot: number): void {
    this.#slots.delete(page);
    this.#pages[slot] = -1;
    this.#forgetCode(page);
    for (const l of this.#listeners) l.dropped(page);
  }

  /** Forgets everything. */
  reset(): void {
    for (const [page, slot] of [...this.#slots]) this.#drop(page, slot);
    this.#windowLow = 0;
    this.#windowHigh = this.#lines.ramSize;
    this.#writes.clear();
  }
}
