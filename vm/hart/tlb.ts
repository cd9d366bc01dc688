import { PAGE_SIZE } from "../bus/memory.ts";
import { HART, TLB } from "./layout.ts";

/** What an access wants to do. */
export const Access = { Load: 0, Store: 1, Fetch: 2 } as const;
export type Access = typeof Access[keyof typeof Access];

const INDEX_MASK = (TLB.entries - 1) * TLB.bytes;

/**
 * The translation cache that emitted code probes inline; it knows only accesses that need nothing but a copy: memory, allowed,
 * in one page. Whatever else an access is (device, fault, page that holds decoded code or is watched) misses, and the hart
 * does it.
 *
 * A tag that never matches is a page whose index bits differ from the entry's own, so one compare
 * (`(addr ^ tag) > 4096 - size`) tells page, validity and page crossing.
 */
export class Tlb {
  readonly #u64: BigUint64Array;
  readonly #u32: Uint32Array;
  readonly #base: number;

  /** `base` is the host address of the hart whose TLBs these are. */
  constructor(buffer: ArrayBuffer, base: number) {
    this.#u64 = new BigUint64Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#base = base + HART.tlbs;
    this.flush();
  }

  /** Host address of a context's entries. */
  context(index: number): number {
    return this.#base + index * TLB.entries * TLB.bytes;
  }

  /** Forgets everything, in every context. */
  flush(): void {
    for (let c = 0; c < TLB.contexts; c++) {
      for (let i = 0; i < TLB.entries; i++) {
        const at = (this.context(c) + i * TLB.bytes) >>> 3;
        const never = neverTag(i);
        this.#u64[at] = never;
        this.#u64[at + 1] = never;
        this.#u64[at + 2] = never;
        this.#u64[at + 3] = 0n;
      }
    }
  }

  /** Allows `access` to the page of `virtual` through `context`; `host` is where that page's bytes are. */
  fill(context: number, virtual: bigint, host: number, access: Access, page = 0): void {
    const low = Number(virtual & 0xffff_ffffn);
    const entry = this.context(context) + ((low >>> 7) & INDEX_MASK);
    const tag = virtual & ~BigInt(PAGE_SIZE - 1);
    const addend = (host - (low & -PAGE_SIZE)) >>> 0;
    const at = entry >>> 3;
    if (this.#u32[(entry + TLB.addend) >>> 2] !== addend || !this.#has(at, tag)) {
      const never = neverTag((low >>> 12) & (TLB.entries - 1));
      this.#u64[at] = never;
      this.#u64[at + 1] = never;
      this.#u64[at + 2] = never;
      this.#u32[(entry + TLB.addend) >>> 2] = addend;
    }
    this.#u64[at + access] = tag;
    if (access === Access.Fetch) this.#u32[(entry + TLB.page) >>> 2] = page;
  }

  #has(at: number, tag: bigint): boolean {
    return this.#u64[at] === tag || this.#u64[at + 1] === tag || this.#u64[at + 2] === tag;
  }

  /** Takes back `access` to the host page at `host`, whatever virtual page it is known by. */
  revoke(host: number, access: Access): void {
    for (let c = 0; c < TLB.contexts; c++) {
      for (let i = 0; i < TLB.entries; i++) {
        const at = (this.context(c) + i * TLB.bytes) >>> 3;
        const tag = this.#u64[at + access]!;
        const low = Number(tag & 0xffff_f000n);
        if (((low + this.#u32[(at << 1) + (TLB.addend >>> 2)]!) >>> 0) === host) this.#u64[at + access] = neverTag(i);
      }
    }
  }
}

/** A page number whose index differs from `index`. */
function neverTag(index: number): bigint {
  return BigInt(index ^ 1) << 12n;
}
