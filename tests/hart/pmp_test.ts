/** Physical memory protection by the privileged manual (§3.7), as a table of its own and on every engine. */
import { assert, assertEquals } from "@std/assert";
import { Privilege } from "../../vm/events.ts";
import { Pmp } from "../../vm/hart/pmp.ts";
import { Access } from "../../vm/hart/tlb.ts";
import { engineNames } from "../support/engine.ts";
import { FRAMES, type Mode, PAGE, PagedHart, pagingModes, PTE, RWX } from "../support/page_tables.ts";
import { Random } from "../support/random.ts";

const { U, S, M } = Privilege;
const R = 1, W = 2, X = 4, TOR = 0x08, NA4 = 0x10, NAPOT = 0x18, L = 0x80;

/** pmpaddr of a naturally aligned power of two bytes, 8 or more (priv §3.7.1.1, table 18). */
function napot(base: bigint, size: bigint): bigint {
  return base >> 2n | (size / 8n - 1n);
}

/** What the manual says of one byte: the number of the first entry that matches, or -1. Written apart from the code. */
function matching(pmp: Pmp, addr: bigint): number {
  for (let i = 0; i < pmp.entries; i++) {
    const value = pmp.address(i);
    const word = addr >> 2n;
    const mode = pmp.config(i) & 0x18;
    if (mode === TOR && word >= (i === 0 ? 0n : pmp.address(i - 1)) && word < value) return i;
    if (mode === NA4 && word === value) return i;
    if (mode !== NAPOT) continue;
    let ones = 0n;
    while ((value >> ones & 1n) === 1n) ones++;
    if (word >> (ones + 1n) === value >> (ones + 1n)) return i;
  }
  return -1;
}

function allowed(pmp: Pmp, addr: bigint, size: number, access: Access, mode: Privilege): boolean {
  const entries = Array.from({ length: size }, (_, i) => matching(pmp, addr + BigInt(i)));
  const found = entries.filter((e) => e >= 0);
  if (found.length === 0) return mode === M;
  const first = Math.min(...found);
  if (entries.some((e) => e !== first)) return false;
  const cfg = pmp.config(first);
  return (mode === M && (cfg & L) === 0) || (cfg & [R, W, X][access]!) !== 0;
}

for (const xlen of [32, 64] as const) {
  Deno.test(`random entries decide as the manual says, byte by byte (RV${xlen})`, () => {
    const random = new Random(7);
    let refused = 0;
    for (let round = 0; round < 300; round++) {
      const pmp = new Pmp(xlen, 16);
      pmp.reset();
      for (let i = 0; i < random.between(1, 16); i++) {
        const at = random.pick([0x8000_0000n, 0x8000_1000n, 0n, 0x8000_0ff0n]) + 4n * BigInt(random.below(32));
        const size = 8n << BigInt(random.below(10));
        pmp.setAddress(i, random.chance(50) ? at >> 2n : napot(at / size * size, size));
      }
      for (let i = 0; i < 16; i++) pmp.setConfig(i, random.below(256) & (random.chance(70) ? 0x1f : 0x9f));
      for (let i = 0; i < 200; i++) {
        const addr = random.pick([0x8000_0000n, 0x8000_1000n, 0n]) + BigInt(random.between(0, 160));
        const size = random.pick([1, 2, 4, 8]);
        const [access, mode] = [random.pick([0, 1, 2] as const), random.pick([U, S, M])];
        const want = allowed(pmp, addr, size, access, mode);
        if (!want) refused++;
        assertEquals(
          pmp.allows(Number(addr), size, access, mode),
          want,
          `round ${round}, ${size} at 0x${addr.toString(16)}`,
        );
      }
    }
    assert(refused > 5000 && refused < 55_000, `${refused} of 60000 refused`);
  });
}

Deno.test("an entry for everything, and one for the last bytes there are", () => {
  const pmp = new Pmp(64, 16);
  pmp.reset();
  assertEquals([U, S, M].map((mode) => pmp.allows(0x8000_0000, 8, Access.Load, mode)), [false, false, true]);
  pmp.setAddress(0, (1n << 64n) - 1n);
  assertEquals(pmp.address(0), (1n << 54n) - 1n);
  pmp.setConfig(0, NAPOT | R);
  assertEquals([0, 0x8000_0000, 2 ** 40].map((at) => pmp.allows(at, 8, Access.Load, U)), [true, true, true]);
  pmp.setConfig(0, TOR | R);
  assertEquals([0, 0x8000_0000, 2 ** 40].map((at) => pmp.allows(at, 8, Access.Load, U)), [true, true, true]);
});

Deno.test("without entries every mode may do everything, and the registers read zero", () => {
  const pmp = new Pmp(64, 0);
  pmp.reset();
  pmp.setAddress(0, 5n);
  pmp.setConfig(0, 0xff);
  assertEquals([pmp.address(0), pmp.config(0)], [0n, 0]);
  assert(pmp.allows(0, 8, Access.Store, U));
});

Deno.test("W without R is reserved, bits 5 and 6 read zero, entries from 16 up are not there", () => {
  const pmp = new Pmp(64, 16);
  pmp.reset();
  for (let value = 0; value < 128; value++) {
    pmp.setConfig(3, value);
    const legal = (value & (R | W)) === W ? value & ~W : value;
    assertEquals(pmp.config(3), legal & 0x1f);
  }
  pmp.setConfig(16, 0x1f);
  pmp.setAddress(16, 5n);
  assertEquals([pmp.config(16), pmp.address(16)], [0, 0n]);
});

Deno.test("a locked entry stays until reset, and so does the base of a locked range", () => {
  const pmp = new Pmp(64, 16);
  pmp.reset();
  for (const i of [0, 1, 2, 3]) pmp.setAddress(i, 0x2000_0000n + BigInt(i));
  pmp.setConfig(1, L | TOR | R);
  pmp.setConfig(3, L); // off, and locked all the same
  for (const i of [0, 1, 2, 3]) pmp.setAddress(i, 7n);
  for (const i of [1, 3]) pmp.setConfig(i, 0);
  assertEquals([0, 1, 2, 3].map((i) => pmp.address(i)), [0x2000_0000n, 0x2000_0001n, 7n, 0x2000_0003n]);
  assertEquals([pmp.config(1), pmp.config(3)], [L | TOR | R, L]);
  pmp.reset();
  assertEquals([pmp.config(1), pmp.address(1)], [0, 0n]);
});

for (const engine of engineNames) {
  for (const paging of [pagingModes[0]!, pagingModes[1]!]) {
    const name = `(${paging.name}, ${engine})`;
    const make = () => {
      const hart = new PagedHart(engine, paging, [], 16);
      hart.csr("satp", 0n);
      hart.csr("pmpaddr15", hart.machine.hart.mask);
      return hart;
    };
    /** pmpcfg registers hold 4 entries on RV32, 8 on RV64. */
    const configure = (hart: PagedHart, entry: number, cfg: number) => {
      const per = paging.xlen / 8;
      const register = `pmpcfg${Math.floor(entry / per) * (per / 4)}`;
      const at = BigInt(8 * (entry % per));
      hart.csr(register, hart.csr(register) & ~(255n << at) | (BigInt(cfg) << at));
      assertEquals(hart.csr(register) >> at & 255n, BigInt(cfg));
    };
    const cause = (hart: PagedHart, mode: Mode, access: "load" | "store" | "fetch" | "amo", at: bigint) => {
      const [first, second] = [hart.access(mode, access, at), hart.access(mode, access, at)];
      assertEquals(first, second);
      if (first.cause !== undefined) assertEquals(first.tval, at);
      return first.cause;
    };
    const all = (hart: PagedHart, mode: Mode, at: bigint) =>
      (["load", "store", "fetch"] as const).map((access) => cause(hart, mode, access, at));

    Deno.test(`nothing is allowed to S and U until an entry says so ${name}`, () => {
      const hart = make();
      const DATA = FRAMES.data;
      for (const privilege of [U, S]) assertEquals(cause(hart, { privilege }, "fetch", DATA), 1);
      assertEquals(all(hart, { privilege: M, as: S }, DATA), [5, 7, undefined]);
      assertEquals(all(hart, { privilege: M }, DATA), [undefined, undefined, undefined]);
      configure(hart, 15, NAPOT | R | W | X);
      assertEquals(all(hart, { privilege: M, as: U }, DATA), [undefined, undefined, undefined]);
      configure(hart, 15, 0);
      assertEquals(all(hart, { privilege: M, as: U }, DATA), [5, 7, undefined]);
    });

    Deno.test(`each right by itself, at once after each change ${name}`, () => {
      const hart = make();
      configure(hart, 15, NAPOT | R | W | X);
      const DATA = FRAMES.data;
      hart.csr("pmpaddr0", napot(DATA, PAGE));
      for (const cfg of [0, R, R | W, X, R | X, R | W | X]) {
        configure(hart, 0, NAPOT | cfg);
        const want = [cfg & R ? undefined : 5, cfg & W ? undefined : 7, undefined];
        assertEquals(all(hart, { privilege: M, as: S }, DATA + 8n), want);
        assertEquals(cause(hart, { privilege: M, as: S }, "amo", DATA + 8n), cfg & W ? undefined : 7);
        hart.csr("satp", 0n);
        assertEquals(hart.access({ privilege: S }, "fetch", DATA).cause, cfg & X ? undefined : 1);
      }
      // Another page is as before.
      assertEquals(all(hart, { privilege: M, as: S }, DATA + PAGE), [undefined, undefined, undefined]);
    });

    Deno.test(`a boundary inside a page: bytes on both sides, and across it ${name}`, () => {
      const hart = make();
      configure(hart, 15, NAPOT | R | W | X);
      const middle = FRAMES.data + 0x804n;
      hart.csr("pmpaddr3", middle >> 2n);
      hart.csr("pmpaddr4", (FRAMES.data + PAGE) >> 2n);
      configure(hart, 4, TOR | R);
      const by: Mode = { privilege: M, as: S };
      for (let i = 0; i < 3; i++) {
        assertEquals(cause(hart, by, "store", middle - 4n), undefined);
        assertEquals(cause(hart, by, "store", middle), 7);
        assertEquals(cause(hart, by, "load", middle), undefined);
        // Matches the entry in part only (priv §3.7.1.3).
        assertEquals(cause(hart, by, "load", middle - 2n), 5);
        assertEquals(cause(hart, by, "store", middle - 2n), 7);
      }
      // The lower half may be fetched from by S-mode, the upper half may not.
      assertEquals(hart.access({ privilege: S }, "fetch", middle - 4n), {});
      assertEquals(hart.access({ privilege: S }, "fetch", middle), { cause: 1, tval: middle });
    });

    Deno.test(`a locked entry holds M-mode too, at once ${name}`, () => {
      const hart = make();
      const DATA = FRAMES.data;
      hart.csr("pmpaddr0", napot(DATA, PAGE));
      const by: Mode = { privilege: M };
      configure(hart, 0, NAPOT | R);
      assertEquals(all(hart, by, DATA), [undefined, undefined, undefined]);
      configure(hart, 0, NAPOT | R | L);
      assertEquals(all(hart, by, DATA), [undefined, 7, 1]);
      assertEquals(all(hart, by, DATA + PAGE), [undefined, undefined, undefined]);
      hart.csr("pmpaddr0", 0n);
      assertEquals(hart.csr("pmpaddr0"), napot(DATA, PAGE));
    });

    Deno.test(`page tables are read as S-mode reads, whatever the access ${name}`, () => {
      const hart = make();
      configure(hart, 15, NAPOT | R | W | X);
      hart.csr("satp", paging.satp | (hart.root / PAGE));
      const place = 0x40_0000n;
      hart.map(place, FRAMES.data, RWX | PTE.A | PTE.D);
      const by: Mode = { privilege: M, as: S };
      assertEquals(all(hart, by, place).slice(0, 2), [undefined, undefined]);
      // The last table is out of reach: every access to what it maps is an access fault of its kind.
      hart.csr("pmpaddr0", napot(hart.entry(place) / PAGE * PAGE, PAGE));
      configure(hart, 0, NAPOT | X);
      assertEquals(all(hart, by, place).slice(0, 2), [5, 7]);
      assertEquals(hart.access({ privilege: S }, "fetch", place).cause, 1);
      configure(hart, 0, NAPOT | R);
      assertEquals(all(hart, by, place).slice(0, 2), [undefined, undefined]);
    });
  }
}
