import { PAGE_SIZE } from "../bus/memory.ts";
import { seen } from "../watches.ts";
import { FETCH, HART, TLB } from "./layout.ts";

/** What an access wants to do. */
export const Access = { Load: 0, Store: 1, Fetch: 2 } as const;
export type Access = typeof Access[keyof typeof Access];

/** Addressing contexts: what a virtual address means, and what may be done there, is the same throughout one. */
export const Context = {
  U: 0,
  S: 1,
  /** S-mode with mstatus.SUM: user pages are allowed. */
  SUM: 2,
  M: 3,
  /** M-mode whose loads and stores are another mode's (mstatus.MPRV); fetches are M-mode's. */
  MPRV: 4,
} as const;
export type Context = typeof Context[keyof typeof Context];

/** Contexts by what fetches mean there, from 0: U-mode's, S-mode's, M-mode's. */
const SPACE = [0, 1, 1, 2, 2] as const;

/** In `#filled`: M-mode's entries stay. */
const FOREVER = 0xffff_ffff;

const DATA_WORDS = TLB.entries * TLB.bytes / 4;
const FETCH_WORDS = FETCH.entries * FETCH.bytes / 4;
const CONTEXT_WORDS = TLB.contextBytes / 4;

/** A tag that never matches, for entry 0; page 0, for all others. Their index bits differ from the entry's own. */
const OTHER_PAGE = PAGE_SIZE;

/** Lowest and highest page number that a context knows through a mapping larger than a page. */
interface LargePages {
  first: number;
  last: number;
}

/**
 * The translation cache that emitted code probes inline; it knows only accesses that need nothing but a copy: memory,
 * allowed, in one page. Whatever else an access is (device, fault, page that holds decoded code, is watched, or is cut by
 * a PMP boundary) misses, and the hart does it.
 *
 * A tag that never matches is a page whose index bits differ from the entry's own (`OTHER_PAGE`), so one compare
 * (`(addr ^ tag) > 4096 - size`) tells page, validity and page crossing. Fetches have entries of their own, so that code
 * and data never drive each other out. Virtual addresses come as two u32 halves.
 */
export class Tlb {
  readonly #u32: Uint32Array;
  readonly #base: number;
  /** Whether anything was filled in since the last flush, by context; and whether there are entries at all, as few are used. */
  readonly #used: boolean[] = new Array<boolean>(TLB.contexts).fill(false);
  readonly #made: boolean[] = new Array<boolean>(TLB.contexts).fill(false);
  /** By host page: the last of the times between flushes in which it was filled in, or `FOREVER`. */
  readonly #filled: Uint32Array;
  #time = 1;
  /** What else decides about a context's entries, see `enter`. */
  readonly #keys: number[] = new Array<number>(TLB.contexts).fill(0);
  readonly #large: readonly LargePages[] = Array.from({ length: TLB.contexts }, () => ({ first: 0, last: -1 }));

  /** By `SPACE`: what `HART.space` is in these contexts, and the pages that it stands for. */
  readonly #spaces: number[] = [1, 2, 3];
  readonly #watched: readonly Set<number>[] = [new Set(), new Set(), new Set()];
  #lastSpace = 3;
  /** Host address of the hart's state. */
  state: number;
  #current: Context = Context.M;

  /** `base` is the host address of the hart whose TLBs these are. */
  constructor(buffer: ArrayBuffer, base: number) {
    this.#u32 = new Uint32Array(buffer);
    this.#base = (base + HART.tlbs) >>> 2;
    this.state = base;
    this.#filled = new Uint32Array(buffer.byteLength >>> 12);
    this.#make(Context.M);
  }

  /** Host address of a context's entries. */
  context(index: Context): number {
    return this.#words(index) * 4;
  }

  #words(context: number): number {
    return this.#base + context * CONTEXT_WORDS;
  }

  /** Goes to a context. Its entries were made under `key` (the bits of mstatus that matter there), or are dropped. */
  enter(context: Context, key: number): number {
    if (!this.#made[context]) this.#make(context);
    if (this.#keys[context] !== key) {
      this.#keys[context] = key;
      this.#flushContext(context);
    }
    this.#current = context;
    this.#u32[(this.state + HART.space) >>> 2] = this.#spaces[SPACE[context]]!;
    return this.context(context);
  }

  /** Another page may be fetched from in this context: what was found out about fetches, see `watch`, is to be found out again. */
  #renew(context: Context): void {
    const space = SPACE[context];
    this.#spaces[space] = ++this.#lastSpace;
    this.#watched[space]!.clear();
    if (SPACE[this.#current] === space) this.#u32[(this.state + HART.space) >>> 2] = this.#lastSpace;
  }

  /**
   * Has `HART.space` change when the page of a virtual address, a part of a mapping of `pages` pages, may not be what
   * fetches from it go to any more.
   */
  watch(context: Context, low: number, high: number, pages: number): void {
    this.#watched[SPACE[context]]!.add(pageNumber(low, high));
    if (pages > 1) this.noteLarge(context, low, high, pages);
    this.#used[context] = true;
  }

  #make(context: Context): void {
    this.#made[context] = true;
    this.#clear(context);
  }

  /** Forgets everything, in every context. */
  flush(): void {
    for (let c = 0; c < TLB.contexts; c++) this.#flushContext(c);
    this.#renew(Context.U);
    this.#renew(Context.S);
    this.#renew(Context.M);
  }

  /** Forgets what came from page tables: everything but M-mode's own. */
  flushTranslated(): void {
    for (let c = 0; c < TLB.contexts; c++) if (c !== Context.M) this.#flushContext(c);
    this.#time++;
    this.#renew(Context.U);
    this.#renew(Context.S);
  }

  /** Forgets what page tables said of one virtual address (priv §10.6.1), also as a part of a larger mapping. */
  flushAddress(low: number, high: number): void {
    const page = pageNumber(low, high);
    for (let c = 0; c < TLB.contexts; c++) {
      if (c === Context.M || !this.#used[c]) continue;
      const { first, last } = this.#large[c]!;
      if (page >= first && page <= last) {
        this.#flushContext(c);
        this.#renew(c as Context);
        continue;
      }
      if (this.#watched[SPACE[c]!]!.has(page)) this.#renew(c as Context);
      this.#forget(c, this.#data(c, low), TLB.bytes / 4);
      this.#forget(c, this.#fetch(c, low), FETCH.bytes / 4);
    }
  }

  /** Empties one entry. */
  #forget(context: number, entry: number, words: number): void {
    this.#u32.fill(0, entry, entry + words);
    this.#u32[entry] = this.#unknown(context, entry);
    if (words === TLB.bytes / 4) this.#u32[entry + 2] = this.#u32[entry]!;
  }

  /** The tag of an entry that knows nothing. */
  #unknown(context: number, entry: number): number {
    const base = this.#words(context);
    return entry === base || entry === base + DATA_WORDS ? OTHER_PAGE : 0;
  }

  /** Empties all entries of a context. */
  #clear(context: number): void {
    const base = this.#words(context);
    this.#u32.fill(0, base, base + CONTEXT_WORDS);
    this.#forget(context, base, TLB.bytes / 4);
    this.#forget(context, base + DATA_WORDS, FETCH.bytes / 4);
  }

  #flushContext(context: number): void {
    if (!this.#used[context]) return;
    this.#clear(context);
    this.#used[context] = false;
    const large = this.#large[context]!;
    large.first = 0;
    large.last = -1;
  }

  /** Word index of the entry for loads and stores, and of the one for fetches. */
  #data(context: number, low: number): number {
    return this.#words(context) + ((low >>> 12) & (TLB.entries - 1)) * (TLB.bytes / 4);
  }
  #fetch(context: number, low: number): number {
    return this.#words(context) + DATA_WORDS + ((low >>> 12) & (FETCH.entries - 1)) * (FETCH.bytes / 4);
  }

  /** Whether `access` to the page of a virtual address is known. */
  has(context: Context, low: number, high: number, access: Access): boolean {
    const at = access === Access.Fetch ? this.#fetch(context, low) : this.#data(context, low) + access * 2;
    return this.#u32[at] === (low & -PAGE_SIZE) >>> 0 && this.#u32[at + 1] === high >>> 0;
  }

  /** Allows loads or stores in the page of a virtual address; `host` is where that page's bytes are. */
  fill(context: Context, low: number, high: number, host: number, access: 0 | 1): void {
    const u32 = this.#u32;
    const at = this.#data(context, low);
    const tag = (low & -PAGE_SIZE) >>> 0;
    const addend = (host - tag) >>> 0;
    const other = at + 2 - 2 * access;
    // The other kind of access stays known if it is to the same page.
    if (u32[at + TLB.addend / 4] !== addend || u32[other] !== tag || u32[other + 1] !== high >>> 0) {
      u32[other] = this.#unknown(context, at);
      u32[other + 1] = 0;
    }
    u32[at + TLB.addend / 4] = addend;
    u32[at + 2 * access] = tag;
    u32[at + 2 * access + 1] = high;
    this.#used[context] = true;
    this.#noteFilled(context, host);
  }

  #noteFilled(context: Context, host: number): void {
    const page = host >>> 12;
    if (context === Context.M) this.#filled[page] = FOREVER;
    else if (this.#filled[page] !== FOREVER) this.#filled[page] = this.#time;
  }

  /** Allows fetches from the page of a virtual address: its bytes are at `host`, its decoded entries at `page`. */
  fillFetch(context: Context, low: number, high: number, host: number, page: number): void {
    const u32 = this.#u32;
    const at = this.#fetch(context, low);
    const tag = (low & -PAGE_SIZE) >>> 0;
    u32[at] = tag;
    u32[at + 1] = high;
    u32[at + FETCH.page / 4] = page;
    u32[at + FETCH.addend / 4] = (host - tag) >>> 0;
    this.#used[context] = true;
    this.#noteFilled(context, host);
  }

  /** Address of the decoded entries behind the page of a virtual address; -1 if fetches from it are not known. */
  decodedPage(context: Context, low: number, high: number): number {
    if (!this.has(context, low, high, Access.Fetch)) return -1;
    return this.#u32[this.#fetch(context, low) + FETCH.page / 4]!;
  }

  /** Host address of the code at a virtual address; -1 if fetches from it are not known. */
  fetchedFrom(context: Context, low: number, high: number): number {
    if (!this.has(context, low, high, Access.Fetch)) return -1;
    return (low + this.#u32[this.#fetch(context, low) + FETCH.addend / 4]!) >>> 0;
  }

  /** A virtual page whose fetches go to these decoded entries; undefined if none is known. */
  fetchedAs(context: Context, page: number): bigint | undefined {
    const start = this.#words(context) + DATA_WORDS;
    for (let at = start; at < start + FETCH_WORDS; at += FETCH.bytes / 4) {
      const low = this.#u32[at]!;
      // An entry that knows nothing keeps what it knew, under a tag that belongs elsewhere.
      if (this.#u32[at + FETCH.page / 4] !== page || this.#fetch(context, low) !== at) continue;
      return BigInt(low) | (BigInt(this.#u32[at + 1]!) << 32n);
    }
    return undefined;
  }

  /** Says that a page just filled in is a part of a mapping of `pages` pages: a fence for any of them means all. */
  noteLarge(context: Context, low: number, high: number, pages: number): void {
    const first = Math.floor(pageNumber(low, high) / pages) * pages;
    const large = this.#large[context]!;
    const none = large.last < large.first;
    large.first = none ? first : Math.min(large.first, first);
    large.last = none ? first + pages - 1 : Math.max(large.last, first + pages - 1);
  }

  /** Takes back loads and stores that must be seen by the flags of `Watches`, by page from the host address `first` on. */
  revokeFlagged(flags: Uint8Array, first: number): void {
    const u32 = this.#u32;
    for (let c = 0; c < TLB.contexts; c++) {
      if (!this.#used[c]) continue;
      const base = this.#words(c);
      for (let at = base; at < base + DATA_WORDS; at += TLB.bytes / 4) {
        const addend = u32[at + TLB.addend / 4]!;
        for (let access = 0; access < 2; access++) {
          const tag = at + 2 * access;
          const page = ((u32[tag]! + addend - first) >>> 0) >>> 12;
          if (page >= flags.length || !seen(flags[page]!, access)) continue;
          u32[tag] = this.#unknown(c, at);
          u32[tag + 1] = 0;
        }
      }
    }
  }

  /** Takes back `access` to the host page at `host`, whatever virtual page it is known by. */
  revoke(host: number, access: Access): void {
    const u32 = this.#u32;
    const filled = this.#filled[host >>> 12]!;
    if (filled !== this.#time && filled !== FOREVER) return;
    const fetch = access === Access.Fetch;
    const step = (fetch ? FETCH.bytes : TLB.bytes) / 4;
    const addend = (fetch ? FETCH.addend : TLB.addend) / 4;
    for (let c = 0; c < TLB.contexts; c++) {
      if (!this.#used[c]) continue;
      const base = this.#words(c);
      const start = base + (fetch ? DATA_WORDS : 0);
      const end = start + (fetch ? FETCH_WORDS : DATA_WORDS);
      for (let at = start; at < end; at += step) {
        const tag = fetch ? at : at + 2 * access;
        if (((u32[tag]! + u32[at + addend]!) >>> 0) !== host) continue;
        u32[tag] = this.#unknown(c, at);
        u32[tag + 1] = 0;
      }
    }
  }
}

/** Number of a virtual page; exact, as it has at most 52 bits. */
function pageNumber(low: number, high: number): number {
  return (high >>> 0) * 0x10_0000 + (low >>> 12);
}
