import { assertEquals } from "@std/assert";
import { FETCH, HART, TLB } from "../../vm/hart/layout.ts";
import { Access, Context, Tlb } from "../../vm/hart/tlb.ts";
import { Random } from "../support/random.ts";

const BASE = 0x1_0000;
const PAGE = 4096;

/** A TLB, and what emitted code makes of it: the host address of an access that hits, else -1. */
class Probe {
  /** As far as the host pages that tests name. */
  readonly buffer: ArrayBuffer = new ArrayBuffer(0x200_0000);
  readonly tlb: Tlb = new Tlb(this.buffer, BASE);
  readonly #view = new DataView(this.buffer);

  /** A context has entries from when it is entered first. */
  constructor() {
    for (const context of contexts) this.tlb.enter(context, 0);
  }

  host(context: Context, virtual: bigint, access: Access, size = 1): number {
    const fetch = access === Access.Fetch;
    const at = this.#entry(context, virtual, fetch);
    const tag = this.#view.getBigUint64(at + [TLB.read, TLB.write, FETCH.tag][access]!, true);
    if ((virtual ^ tag) > BigInt(PAGE - size)) return -1;
    const addend = this.#view.getUint32(at + (fetch ? FETCH.addend : TLB.addend), true);
    return (Number(virtual & 0xffff_ffffn) + addend) >>> 0;
  }

  page(context: Context, virtual: bigint): number {
    return this.#view.getUint32(this.#entry(context, virtual, true) + FETCH.page, true);
  }

  #entry(context: Context, virtual: bigint, fetch: boolean): number {
    const { entries, bytes } = fetch ? FETCH : TLB;
    const index = Number((virtual >> 12n) & BigInt(entries - 1));
    return this.tlb.context(context) + (fetch ? FETCH.at : 0) + index * bytes;
  }

  fill(context: Context, virtual: bigint, host: number, access: Access, page = 0): void {
    const [low, high] = halves(virtual);
    if (access === Access.Fetch) this.tlb.fillFetch(context, low, high, host, page);
    else this.tlb.fill(context, low, high, host, access);
  }
}

function halves(virtual: bigint): [low: number, high: number] {
  return [Number(virtual & 0xffff_ffffn), Number(virtual >> 32n)];
}

const ACCESSES = Object.values(Access);
const contexts = Object.values(Context);

Deno.test("an empty TLB hits nothing", () => {
  const probe = new Probe();
  const random = new Random(1);
  const edges = [
    0n,
    1n,
    4095n,
    4096n,
    0x8000_0000n,
    2n ** 64n - 1n,
    2n ** 64n - 4096n,
    2n ** 32n - 1n,
    0x3ff000n,
    0x3fe000n,
  ];
  const all = [...edges, ...Array.from({ length: 2000 }, () => random.bits64() >> BigInt(random.below(60)))];
  for (const virtual of all) {
    for (const access of ACCESSES) {
      for (const context of contexts) assertEquals(probe.host(context, virtual, access), -1, virtual.toString(16));
    }
  }
});

Deno.test("what was filled hits: that access, that page, that context, and nothing else", () => {
  for (const virtual of [0x8000_2000n, 0n, 0xffff_f000n, 0xffff_ffff_ffff_f000n, 0x80_0040_0000n]) {
    for (const access of ACCESSES) {
      const probe = new Probe();
      probe.fill(1, virtual + 0x123n, 0x5_6000, access, 0x77);
      for (const other of ACCESSES) {
        for (const context of contexts) {
          const hit = other === access && context === 1;
          assertEquals(probe.host(context, virtual + 8n, other), hit ? 0x5_6008 : -1, `${virtual} ${access} ${other}`);
        }
      }
      if (access === Access.Fetch) assertEquals(probe.page(1, virtual), 0x77);
      const neighbours = [virtual + 4096n, virtual - 4096n, virtual + (1n << 22n), virtual ^ (1n << 40n)];
      for (const near of neighbours.map((a) => BigInt.asUintN(64, a))) {
        assertEquals(probe.host(1, near, access), -1, `${virtual.toString(16)} ${near.toString(16)}`);
      }
    }
  }
});

Deno.test("an access that leaves the page misses, the last one inside it hits", () => {
  const probe = new Probe();
  probe.fill(3, 0x8000_2000n, 0x9_0000, Access.Load);
  for (const size of [1, 2, 4, 8]) {
    assertEquals(probe.host(3, 0x8000_3000n - BigInt(size), Access.Load, size), 0x9_1000 - size);
    if (size > 1) assertEquals(probe.host(3, 0x8000_3001n - BigInt(size), Access.Load, size), -1);
  }
});

Deno.test("other accesses to the same page keep theirs; another page takes the entry over", () => {
  const probe = new Probe();
  const page = 0x8000_2000n;
  for (const access of ACCESSES) probe.fill(0, page, 0x5000, access);
  assertEquals(ACCESSES.map((a) => probe.host(0, page, a)), [0x5000, 0x5000, 0x5000]);
  // The same virtual page, now elsewhere: what was known of the old place is wrong.
  probe.fill(0, page, 0x7000, Access.Load);
  // Fetches have entries of their own: they follow the page tables when these are fenced.
  assertEquals(ACCESSES.map((a) => probe.host(0, page, a)), [0x7000, -1, 0x5000]);
  const alias = page + BigInt(TLB.entries * PAGE);
  probe.fill(0, page, 0x7000, Access.Store);
  // The addend is the same for both: the tag has to tell them apart.
  probe.fill(0, alias, 0x7000 + TLB.entries * PAGE, Access.Load);
  assertEquals(ACCESSES.map((a) => probe.host(0, page, a)), [-1, -1, 0x5000]);
  assertEquals(ACCESSES.map((a) => probe.host(0, alias, a)), [0x7000 + TLB.entries * PAGE, -1, -1]);
});

Deno.test("a revoked host page loses the access in every context and by every address", () => {
  const probe = new Probe();
  const host = 0x12_3000;
  for (const context of contexts) {
    for (const access of ACCESSES) {
      probe.fill(context, 0x8000_5000n, host, access);
      probe.fill(context, 0xffff_ffff_8000_7000n, host, access);
      probe.fill(context, 0x8000_6000n, host + PAGE, access);
    }
  }
  probe.tlb.revoke(host, Access.Store);
  for (const context of contexts) {
    const at = (virtual: bigint) => ACCESSES.map((a) => probe.host(context, virtual, a));
    assertEquals(at(0x8000_5000n), [host, -1, host]);
    assertEquals(at(0xffff_ffff_8000_7000n), [host, -1, host]);
    assertEquals(at(0x8000_6000n), [host + PAGE, host + PAGE, host + PAGE]);
  }
});

Deno.test("a flush forgets everything", () => {
  const probe = new Probe();
  for (const context of contexts) for (const access of ACCESSES) probe.fill(context, 0x8000_5000n, 0x5000, access);
  probe.tlb.flush();
  for (const context of contexts) {
    assertEquals(ACCESSES.map((a) => probe.host(context, 0x8000_5000n, a)), [-1, -1, -1]);
  }
});

Deno.test("the offsets of a context's parts fit each other", () => {
  assertEquals(contexts.length, TLB.contexts);
  assertEquals<number>(FETCH.at, TLB.entries * TLB.bytes);
  assertEquals<number>(TLB.contextBytes, FETCH.at + FETCH.entries * FETCH.bytes);
  assertEquals(HART.tlbs + TLB.contexts * TLB.contextBytes <= HART.size, true);
});

Deno.test("a change of page tables leaves M-mode's entries alone", () => {
  const probe = new Probe();
  for (const context of contexts) for (const access of ACCESSES) probe.fill(context, 0x8000_5000n, 0x5000, access);
  probe.tlb.flushTranslated();
  for (const context of contexts) {
    const want = context === Context.M ? 0x5000 : -1;
    assertEquals(ACCESSES.map((a) => probe.host(context, 0x8000_5000n, a)), [want, want, want]);
  }
});

Deno.test("a fence for an address forgets its page, and the whole of a larger mapping", () => {
  const probe = new Probe();
  const pages = [0x8000_5000n, 0x8000_6000n, 0xffff_ffff_8000_7000n];
  const fill = () => {
    for (const page of pages) for (const access of ACCESSES) probe.fill(Context.S, page, 0x5000, access);
  };
  const known = () => pages.map((page) => ACCESSES.every((a) => probe.host(Context.S, page, a) === 0x5000));
  fill();
  probe.tlb.flushAddress(...halves(0x8000_6123n));
  assertEquals(known(), [true, false, true]);
  fill();
  probe.tlb.noteLarge(Context.S, ...halves(pages[0]!), 512);
  // Not in the larger mapping.
  probe.tlb.flushAddress(...halves(0xffff_ffff_8000_7000n));
  assertEquals(known(), [true, true, false]);
  // In it, but in another page of it.
  probe.tlb.flushAddress(...halves(0x801f_f000n));
  assertEquals(known(), [false, false, false]);
  fill();
  probe.tlb.flushAddress(...halves(0x801f_f000n));
  assertEquals(known(), [true, true, true]);
});

Deno.test("a context whose key changes is empty, the others are not", () => {
  const probe = new Probe();
  for (const context of contexts) probe.fill(context, 0x8000_5000n, 0x5000, Access.Load);
  probe.tlb.enter(Context.MPRV, 5);
  assertEquals(contexts.map((c) => probe.host(c, 0x8000_5000n, Access.Load)), [0x5000, 0x5000, 0x5000, 0x5000, -1]);
  probe.fill(Context.MPRV, 0x8000_5000n, 0x5000, Access.Load);
  probe.tlb.enter(Context.MPRV, 5);
  assertEquals(probe.host(Context.MPRV, 0x8000_5000n, Access.Load), 0x5000);
});

Deno.test("a host page that M-mode knows is revoked there, whatever else knew it in between", () => {
  const probe = new Probe();
  probe.fill(Context.M, 0x8000_5000n, 0x12_3000, Access.Store);
  probe.tlb.flushTranslated();
  probe.fill(Context.S, 0x4000n, 0x12_3000, Access.Store);
  probe.tlb.flushTranslated();
  probe.tlb.revoke(0x12_3000, Access.Store);
  assertEquals(probe.host(Context.M, 0x8000_5000n, Access.Store), -1);
});
