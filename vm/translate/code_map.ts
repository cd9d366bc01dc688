/** Where the code around an entry lies: offsets are virtual, so that where addresses are translated each page may be anywhere. */
import { PAGE_SIZE } from "../bus/memory.ts";
import type { Xlen } from "../isa/row.ts";
import type { FlowBlock } from "./flow.ts";

/** Offsets from an entry as host addresses, and back. */
export interface CodeMap {
  /** Host address of the code at an offset; -1 where a region must not go. */
  host(offset: number): number;
  /** The offset of the code at a host address; undefined where it is too far away. */
  offset(host: number): number | undefined;
}

/** Code that lies in one piece from host address `low` up to `high`. */
export function straightMap(entry: number, low: number, high: number): CodeMap {
  const inside = (host: number) => host >= low && host < high;
  return {
    host: (offset) => inside(entry + offset) ? entry + offset : -1,
    offset: (host) => inside(host) ? host - entry : undefined,
  };
}

/** Code in pages of their own: the number of a page counts from the one of the entry. */
export class PagedMap implements CodeMap {
  readonly #entry: number;
  readonly #reach: number;
  readonly #find: (page: number) => number;
  readonly #pages = new Map<number, number>();

  /** `find` gives the host address of a page, or -1; pages up to `reach` away are looked at. */
  constructor(entry: number, reach: number, find: (page: number) => number) {
    this.#entry = entry;
    this.#reach = reach;
    this.#find = find;
    this.#pages.set(0, entry - (entry % PAGE_SIZE));
  }

  host(offset: number): number {
    const from = this.#entry % PAGE_SIZE + offset;
    const base = this.page(Math.floor(from / PAGE_SIZE));
    return base < 0 ? -1 : base + (from & (PAGE_SIZE - 1));
  }

  /** Host address of a page, or -1. */
  page(number: number): number {
    if (Math.abs(number) > this.#reach) return -1;
    let host = this.#pages.get(number);
    if (host === undefined) this.#pages.set(number, host = this.#find(number));
    return host;
  }

  /** Among the pages looked at so far: a jump to another one is not followed. */
  offset(host: number): number | undefined {
    const page = host - (host % PAGE_SIZE);
    for (const [number, base] of this.#pages) {
      if (base === page) return number * PAGE_SIZE + host - page - this.#entry % PAGE_SIZE;
    }
    return undefined;
  }
}

/** Offsets `from` up to `to` as ranges of host addresses, one for each page. */
export function hostRanges(map: CodeMap, from: number, to: number): [from: number, to: number][] {
  const ranges: [number, number][] = [];
  for (let at = from; at < to;) {
    const host = map.host(at);
    const end = Math.min(to, at + PAGE_SIZE - (host % PAGE_SIZE));
    ranges.push([host, host + end - at]);
    at = end;
  }
  return ranges;
}

/** A page of a region other than the entry's. */
export interface FollowingPage {
  readonly low: number;
  readonly high: number;
  readonly host: number;
}

/** Address of the page `number` pages from the one of `pc`. */
export function pageAt(pc: bigint, number: number, xlen: Xlen): { readonly low: number; readonly high: number } {
  const page = BigInt.asUintN(xlen, (pc & ~BigInt(PAGE_SIZE - 1)) + BigInt(number * PAGE_SIZE));
  return { low: Number(page & 0xffff_ffffn), high: Number(page >> 32n) };
}

/** The pages of blocks other than the entry's, which begins at `pc`. */
export function followingPages(blocks: readonly FlowBlock[], map: PagedMap, pc: bigint, xlen: Xlen): FollowingPage[] {
  const first = Number(pc & BigInt(PAGE_SIZE - 1));
  const numbers = new Set<number>();
  for (const { instructions } of blocks) {
    const last = instructions.at(-1);
    if (last === undefined) continue;
    const to = Math.floor((first + last.offset + last.decoded.length - 1) / PAGE_SIZE);
    for (let n = Math.floor((first + instructions[0]!.offset) / PAGE_SIZE); n <= to; n++) numbers.add(n);
  }
  numbers.delete(0);
  return [...numbers].map((n) => ({ ...pageAt(pc, n, xlen), host: map.page(n) }));
}
