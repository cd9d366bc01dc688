import { assertEquals } from "@std/assert";
import { HART, TLB } from "../../vm/hart/layout.ts";
import { Access, Tlb } from "../../vm/hart/tlb.ts";
import { Random } from "../support/random.ts";

const BASE = 0x1_0000;
const PAGE = 4096;

/** A TLB, and what emitted code makes of it: the host address of an access that hits, else -1. */
class Probe {
  readonly buffer: ArrayBuffer = new ArrayBuffer(BASE + HART.size);
  readonly tlb: Tlb = new Tlb(this.buffer, BASE);
  readonly #view = new DataView(this.buffer);

  host(context: number, virtual: bigint, access: Access, size = 1): number {
    const index = Number((virtual >> 12n) & BigInt(TLB.entries - 1));
    const at = this.tlb.context(context) + index * TLB.bytes;
    const tag = this.#view.getBigUint64(at + [TLB.read, TLB.write, TLB.fetch][access]!, true);
    if ((virtual ^ tag) > BigInt(PAGE - size)) return -1;
    return (Number(virtual & 0xffff_ffffn) + this.#view.getUint32(at + TLB.addend, true)) >>> 0;
  }

  page(context: number, virtual: bigint): number {
    const index = Number((virtual >> 12n) & BigInt(TLB.entries - 1));
    return this.#view.getUint32(this.tlb.context(context) + index * TLB.bytes + TLB.page, true);
  }
}

const ACCESSES = Object.values(Access);
const contexts = Array.from({ length: TLB.contexts }, (_, i) => i);

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
      probe.tlb.fill(1, virtual + 0x123n, 0x5_6000, access, 0x77);
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
  probe.tlb.fill(3, 0x8000_2000n, 0x9_0000, Access.Load);
  for (const size of [1, 2, 4, 8]) {
    assertEquals(probe.host(3, 0x8000_3000n - BigInt(size), Access.Load, size), 0x9_1000 - size);
    if (size > 1) assertEquals(probe.host(3, 0x8000_3001n - BigInt(size), Access.Load, size), -1);
  }
});

Deno.test("other accesses to the same page keep theirs; another page takes the entry over", () => {
  const probe = new Probe();
  const page = 0x8000_2000n;
  for (const access of ACCESSES) probe.tlb.fill(0, page, 0x5000, access);
  assertEquals(ACCESSES.map((a) => probe.host(0, page, a)), [0x5000, 0x5000, 0x5000]);
  // The same virtual page, now elsewhere: what was known of the old place is wrong.
  probe.tlb.fill(0, page, 0x7000, Access.Load);
  assertEquals(ACCESSES.map((a) => probe.host(0, page, a)), [0x7000, -1, -1]);
  const alias = page + BigInt(TLB.entries * PAGE);
  probe.tlb.fill(0, page, 0x7000, Access.Store);
  // The addend is the same for both: the tag has to tell them apart.
  probe.tlb.fill(0, alias, 0x7000 + TLB.entries * PAGE, Access.Load);
  assertEquals(ACCESSES.map((a) => probe.host(0, page, a)), [-1, -1, -1]);
  assertEquals(ACCESSES.map((a) => probe.host(0, alias, a)), [0x7000 + TLB.entries * PAGE, -1, -1]);
});

Deno.test("a revoked host page loses the access in every context and by every address", () => {
  const probe = new Probe();
  const host = 0x12_3000;
  for (const context of contexts) {
    for (const access of ACCESSES) {
      probe.tlb.fill(context, 0x8000_5000n, host, access);
      probe.tlb.fill(context, 0xffff_ffff_8000_7000n, host, access);
      probe.tlb.fill(context, 0x8000_6000n, host + PAGE, access);
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
  for (const context of contexts) for (const access of ACCESSES) probe.tlb.fill(context, 0x8000_5000n, 0x5000, access);
  probe.tlb.flush();
  for (const context of contexts) {
    assertEquals(ACCESSES.map((a) => probe.host(context, 0x8000_5000n, a)), [-1, -1, -1]);
  }
});
