/**
 * Watching memory: which pages' loads and stores a listener wants to be told of, and how many fences harts have done.
 * Nobody listens: engines are made without any of it. While somebody does, only accesses to watched pages leave
 * emitted code; fences are counted where they stand.
 */
import type { Where } from "./events.ts";

/** What to be told of; the bits of a page's flags. */
export const WatchKind = { Load: 1, Store: 2, Both: 3 } as const;
/** What to be told of. */
export type WatchKind = typeof WatchKind[keyof typeof WatchKind];

/** A stretch of RAM to watch, in whole pages around it. */
export interface WatchRange {
  /** Guest-physical address. */
  readonly addr: number;
  /** Bytes. */
  readonly length: number;
  /** What to be told of. */
  readonly kind: WatchKind;
}

/** One load or store of a hart in a watched page, told after it was done. An atomic operation is a load and a store. */
export interface WatchedAccess {
  /** Whether it stored. */
  readonly write: boolean;
  /** Guest-physical address; the bytes lie in one page. */
  readonly addr: number;
  /** Bytes: 1, 2, 4 or 8. */
  readonly size: number;
  /** Unsigned. */
  readonly value: bigint;
}

/** Told of every access to a watched page, whoever watches it. */
export type AccessListener = (access: WatchedAccess, where: Where) => void;

/** Which accesses a fence keeps in order: those before it and those after it (unpriv §2.7). */
export const FenceOrder = { StoreStore: 0, StoreLoad: 1, LoadLoad: 2, LoadStore: 3, StoreDevice: 4 } as const;
/** Which accesses a fence keeps in order. */
export type FenceOrder = typeof FenceOrder[keyof typeof FenceOrder];

/** All of them. */
export const fenceOrders: readonly FenceOrder[] = Object.values(FenceOrder);

/** A fence's bits in its predecessor and successor sets, by `FenceOrder`: device output, reads, writes are 4, 2, 1. */
export const FENCE_BITS: readonly (readonly [before: number, after: number])[] = [[1, 1], [1, 2], [2, 2], [2, 1], [
  1,
  4,
]];

/** How often RAM's pages are watched, who is told, and who must know. */
export class Watches {
  /** By page of RAM: the `WatchKind` bits wanted; engines read it. Empty while nobody listens. */
  flags: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** First watched page's address; set by the machine. */
  base = 0;
  /** Bytes that can be watched; set by the machine. */
  size = 0;
  /** Called when the set of listeners becomes empty or non-empty; set by the machine. */
  onSpecialise: (active: boolean) => void = () => {};
  /** How many fences of a kind the running hart has done while somebody listened; set by the machine. */
  fences: (order: FenceOrder) => number = () => 0;
  /** Tells where the run stands; set by the event stream. */
  where: () => Where = () => {
    throw new Error("watches: no machine");
  };
  readonly #listeners: AccessListener[] = [];
  readonly #revokers: (() => void)[] = [];
  /** How often each page is watched for loads and for stores: two numbers per page. */
  #counts: Uint16Array<ArrayBuffer> = new Uint16Array(0);

  /** Whether anybody listens. */
  get active(): boolean {
    return this.#listeners.length > 0;
  }

  /** Listens to accesses to watched pages; the returned function ends it. */
  on(listener: AccessListener): () => void {
    this.#listeners.push(listener);
    if (this.#listeners.length === 1) {
      const pages = Math.ceil(this.size / PAGE);
      this.flags = new Uint8Array(pages);
      this.#counts = new Uint16Array(2 * pages);
      this.onSpecialise(true);
    }
    return () => {
      const i = this.#listeners.indexOf(listener);
      if (i < 0) return;
      this.#listeners.splice(i, 1);
      if (this.#listeners.length > 0) return;
      this.flags = new Uint8Array(0);
      this.#counts = new Uint16Array(0);
      this.onSpecialise(false);
    };
  }

  /** Adds a function that takes the right to direct accesses away from an engine where `flags` now say so. */
  onRevoke(revoke: () => void): void {
    this.#revokers.push(revoke);
  }

  /** Watches the pages of `ranges`, those in RAM; `unwatch` the same ones later. Needs a listener. */
  watch(ranges: readonly WatchRange[]): void {
    let changed = false;
    for (const range of ranges) {
      this.#each(range, (at, kind) => {
        if (kind & WatchKind.Load) this.#counts[2 * at]!++;
        if (kind & WatchKind.Store) this.#counts[2 * at + 1]!++;
        changed ||= (kind & ~this.flags[at]!) !== 0;
        this.flags[at]! |= kind;
      });
    }
    if (changed) this.#revokers.forEach((revoke) => revoke());
  }

  /** Ends what `watch` began with the same ranges. */
  unwatch(ranges: readonly WatchRange[]): void {
    for (const range of ranges) {
      this.#each(range, (at, kind) => {
        if (kind & WatchKind.Load && --this.#counts[2 * at]! === 0) this.flags[at]! &= ~WatchKind.Load;
        if (kind & WatchKind.Store && --this.#counts[2 * at + 1]! === 0) this.flags[at]! &= ~WatchKind.Store;
      });
    }
  }

  /**
   * Whether accesses of a kind (0 load, 1 store) to the page at a guest-physical address must be seen. Who may store may
   * do atomic operations, which load too: stores must be seen where loads are watched.
   */
  covers(addr: number, access: 0 | 1): boolean {
    const offset = addr - this.base;
    return offset >= 0 && offset < this.size && seen(this.flags[Math.floor(offset / PAGE)]!, access);
  }

  /** Tells the listeners. */
  emit(access: WatchedAccess): void {
    const where = this.where();
    for (const listener of [...this.#listeners]) listener(access, where);
  }

  #each({ addr, length, kind }: WatchRange, change: (page: number, kind: WatchKind) => void): void {
    const from = Math.max(addr, this.base) - this.base;
    const to = Math.min(addr + length, this.base + this.size) - this.base;
    for (let page = Math.floor(from / PAGE); page * PAGE < to; page++) {
      if (page < this.flags.length) change(page, kind);
    }
  }
}

/** Whether a page with these flags must not be loaded from (0) or stored to (1) unseen. */
export function seen(flags: number, access: number): boolean {
  return access === 0 ? (flags & WatchKind.Load) !== 0 : flags !== 0;
}

/** Unit of watching. */
const PAGE = 4096;
