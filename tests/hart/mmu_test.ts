/**
 * Address translation by the privileged manual (§10.3 to §10.6, Svnapot, Svpbmt, Svadu), on every engine: each rule with
 * an access that it refuses and one that it does not, twice, as the second one may find what the first one left in a TLB.
 */
import { assertEquals } from "@std/assert";
import { Privilege } from "../../vm/events.ts";
import { BARE, type EngineName, engineNames } from "../support/engine.ts";
import { type AccessName, FRAMES, type Mode, type Outcome, PAGE, PagedHart } from "../support/page_tables.ts";
import { type PagingMode, pagingModes, PTE, RWX } from "../support/page_tables.ts";

const { U, S, M } = Privilege;
const AD = PTE.A | PTE.D;
/** A page that tests map, in every mode's reach and away from the instructions. */
const PLACE = 0x40_0000n;

const PAGE_FAULT: Readonly<Record<AccessName, number>> = { load: 13, lr: 13, store: 15, sc: 15, amo: 15, fetch: 12 };
const ACCESS_FAULT: Readonly<Record<AccessName, number>> = { load: 5, lr: 5, store: 7, sc: 7, amo: 7, fetch: 1 };

/** Defines a test for each engine and each of the modes. */
function eachMode(
  name: string,
  modes: readonly PagingMode[],
  body: (engine: EngineName, mode: PagingMode) => void,
): void {
  for (const mode of modes) {
    for (const engine of engineNames) Deno.test(`${name} (${mode.name}, ${engine})`, () => body(engine, mode));
  }
}
const wideModes = pagingModes.filter((m) => m.xlen === 64);

/** Does an access twice and expects the same both times: no trap, or a fault at its address. */
function expect(
  hart: PagedHart,
  mode: Mode,
  access: AccessName,
  virtual: bigint,
  cause?: number,
  tval = virtual,
): void {
  const want: Outcome = cause === undefined ? {} : { cause, tval };
  for (const time of ["first", "second"]) {
    const what = `${time} ${access} at 0x${virtual.toString(16)} in mode ${mode.privilege}`;
    assertEquals(hart.access(mode, access, virtual), want, what);
  }
}

/** Whether priv §10.3.2 lets an access through: written from its text, apart from the code. */
function allowed(flags: bigint, mode: Mode, access: "load" | "store" | "fetch"): boolean {
  const has = (bit: bigint) => (flags & bit) !== 0n;
  const readable = has(PTE.R) || (mode.mxr === true && has(PTE.X));
  const right = access === "fetch" ? has(PTE.X) : access === "load" ? readable : has(PTE.W);
  const reserved = has(PTE.W) && !has(PTE.R);
  const pointer = !has(PTE.R) && !has(PTE.X);
  const page = mode.privilege === U ? has(PTE.U) : !has(PTE.U) || (mode.sum === true && access !== "fetch");
  return has(PTE.V) && !reserved && !pointer && right && page && has(PTE.A) && (access !== "store" || has(PTE.D));
}

eachMode("every combination of an entry's flags, mode, SUM and MXR", pagingModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode);
  // jalr zero, 0(ra): a fetch goes on in the page it came from.
  hart.machine.memory.write(Number(FRAMES.data), 4, 0x0000_8067);
  const entry = hart.entry(PLACE);
  const modes: Mode[] = [{ privilege: U }, { privilege: U, mxr: true }];
  for (const sum of [false, true]) for (const mxr of [false, true]) modes.push({ privilege: S, sum, mxr });
  for (let flags = 0n; flags < 256n; flags++) {
    hart.write(entry, (FRAMES.data / PAGE << 10n) | flags);
    hart.fence();
    for (const by of modes) {
      for (const access of ["load", "store", "fetch"] as const) {
        const want = allowed(flags, by, access) ? undefined : PAGE_FAULT[access];
        const got = hart.access(by, access, PLACE);
        assertEquals([flags, by, access, got.cause], [flags, by, access, want]);
      }
      hart.machine.memory.write(Number(FRAMES.data), 4, 0x0000_8067);
    }
  }
});

eachMode("atomics need what their kind of access needs", pagingModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode);
  hart.map(PLACE, FRAMES.data, PTE.R | PTE.A);
  expect(hart, { privilege: S }, "lr", PLACE);
  for (const access of ["sc", "amo"] as const) expect(hart, { privilege: S }, access, PLACE, PAGE_FAULT[access]);
  hart.map(PLACE, FRAMES.data, RWX | AD);
  hart.fence();
  for (const access of ["lr", "sc", "amo"] as const) expect(hart, { privilege: S }, access, PLACE);
  expect(hart, { privilege: S }, "lr", 0x100_0000n, PAGE_FAULT.lr);
});

eachMode("leaves at every level map pages of that level's size, if they are aligned", pagingModes, (engine, mode) => {
  for (let level = 1; level < mode.levels; level++) {
    const hart = new PagedHart(engine, mode);
    const size = PAGE << BigInt(mode.bits * level);
    // The one superpage that has RAM in it, at a virtual address of its own.
    const physical = BigInt(BARE.ram) / size * size;
    const virtual = size * (level === mode.levels - 1 ? 3n : 5n);
    hart.map(virtual, physical, RWX | AD, level);
    const place = virtual + (FRAMES.data - physical) + 8n;
    expect(hart, { privilege: S }, "store", place);
    assertEquals(hart.read(FRAMES.data + 8n) & 0xffff_ffffn, 0x1234_5678n);
    expect(hart, { privilege: S }, "load", place + 4n);
    // An entry that points into the middle of one (priv §10.3.2 step 6).
    for (let bit = 0; bit < mode.bits * level; bit++) {
      hart.map(virtual, physical | (PAGE << BigInt(bit)), RWX | AD, level);
      hart.fence();
      expect(hart, { privilege: S }, "load", place, PAGE_FAULT.load);
    }
  }
});

eachMode("pointers have no other bits, and the last level has no pointers", pagingModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode);
  hart.map(PLACE, FRAMES.data, RWX | AD);
  const pointer = hart.entry(PLACE, 1);
  const value = hart.read(pointer);
  for (const bits of [PTE.A, PTE.D, PTE.U]) {
    hart.write(pointer, value | bits);
    hart.fence();
    expect(hart, { privilege: S, sum: true }, "load", PLACE, PAGE_FAULT.load);
  }
  for (const bits of [0n, PTE.G, 0x300n]) {
    hart.write(pointer, value | bits);
    hart.fence();
    expect(hart, { privilege: S }, "load", PLACE);
  }
  hart.map(PLACE, FRAMES.data, 0n);
  hart.fence();
  for (const access of ["load", "store", "fetch"] as const) {
    expect(hart, { privilege: S }, access, PLACE, PAGE_FAULT[access]);
  }
});

eachMode("reserved bits of an entry are page faults, at every level", wideModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode, ["svnapot", "svpbmt"]);
  // Below a root entry of its own, away from the instructions.
  const place = 3n << BigInt(12 + mode.bits * (mode.levels - 1));
  for (let level = 0; level < mode.levels; level++) {
    hart.map(place, FRAMES.data, RWX | AD);
    const entry = hart.entry(place, level);
    const value = hart.read(entry);
    for (let bit = 54n; bit <= 63n; bit++) {
      hart.write(entry, value | (1n << bit));
      hart.fence();
      expect(hart, { privilege: S }, "load", place, PAGE_FAULT.load);
    }
    hart.write(entry, value);
    hart.fence();
    expect(hart, { privilege: S }, "load", place);
  }
});

eachMode("addresses that are not canonical are page faults", wideModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode);
  const bits = BigInt(12 + mode.bits * mode.levels);
  // The highest address is canonical, and maps where the tables say.
  const top = (1n << 64n) - PAGE;
  hart.map(BigInt.asUintN(Number(bits), top), FRAMES.data, RWX | AD);
  expect(hart, { privilege: S }, "store", top);
  hart.map(0n, FRAMES.data, RWX | AD);
  expect(hart, { privilege: S }, "load", 0n);
  for (const wild of [1n << bits, 1n << 63n, top ^ (1n << 63n), top ^ (1n << bits), 1n << (bits - 1n) | 1n << 63n]) {
    for (const access of ["load", "store", "fetch"] as const) {
      expect(hart, { privilege: S }, access, wild, PAGE_FAULT[access]);
    }
  }
});

eachMode("page tables outside RAM are access faults of the access", pagingModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode);
  hart.map(PLACE, FRAMES.data, RWX | AD);
  const pointer = hart.entry(PLACE, 1);
  const largest = mode.xlen === 32 ? (1n << 22n) - 1n : (1n << 44n) - 1n;
  for (const table of [BigInt(BARE.device), BigInt(BARE.rom), 0n, BigInt(BARE.ram + BARE.ramSize), largest * PAGE]) {
    hart.write(pointer, (table / PAGE << 10n) | PTE.V);
    hart.fence();
    for (const access of ["load", "store", "fetch"] as const) {
      expect(hart, { privilege: S }, access, PLACE, ACCESS_FAULT[access]);
    }
  }
  assertEquals(hart.machine.device.log, []);
  hart.csr("satp", mode.satp | largest);
  expect(hart, { privilege: U }, "fetch", PLACE, ACCESS_FAULT.fetch);
});

eachMode("pages that are not memory: devices, ROM, nowhere", pagingModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode);
  hart.map(PLACE, BigInt(BARE.device), RWX | AD);
  expect(hart, { privilege: S }, "store", PLACE + 0x10n);
  expect(hart, { privilege: S }, "load", PLACE + 0x10n);
  assertEquals(hart.machine.device.log.length, 4);
  expect(hart, { privilege: S }, "fetch", PLACE, ACCESS_FAULT.fetch);
  expect(hart, { privilege: S }, "amo", PLACE, ACCESS_FAULT.amo);
  hart.map(PLACE, BigInt(BARE.rom), RWX | AD);
  hart.fence();
  expect(hart, { privilege: S }, "load", PLACE);
  expect(hart, { privilege: S }, "store", PLACE, ACCESS_FAULT.store);
  const largest = mode.xlen === 32 ? (1n << 22n) - 1n : (1n << 44n) - 1n;
  for (const frame of [0x5_0000n, largest]) {
    hart.map(PLACE, frame * PAGE, RWX | AD);
    hart.fence();
    for (const access of ["load", "store", "fetch"] as const) {
      expect(hart, { privilege: S }, access, PLACE, ACCESS_FAULT[access]);
    }
  }
});

eachMode("Svade: a clear A bit, or D bit for a store, is a page fault and stays", pagingModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode, ["svadu"]);
  hart.map(PLACE, FRAMES.data, RWX);
  for (const access of ["load", "store", "fetch", "amo"] as const) {
    expect(hart, { privilege: S }, access, PLACE, PAGE_FAULT[access]);
  }
  hart.map(PLACE, FRAMES.data, RWX | PTE.A);
  hart.fence();
  expect(hart, { privilege: S }, "load", PLACE);
  for (const access of ["store", "sc", "amo"] as const) {
    expect(hart, { privilege: S }, access, PLACE, PAGE_FAULT[access]);
  }
  assertEquals(hart.read(hart.entry(PLACE)) & 255n, RWX | PTE.A | PTE.V);
});

eachMode("Svadu: hardware sets A, and D for a store that is done", pagingModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode, ["svadu"]);
  hart.csr(mode.xlen === 64 ? "menvcfg" : "menvcfgh", mode.xlen === 64 ? 1n << 61n : 1n << 29n);
  const set = () => hart.read(hart.entry(PLACE)) & AD;
  const clear = (flags = RWX) => {
    hart.map(PLACE, FRAMES.data, flags);
    hart.fence();
  };
  for (
    const [access, want] of [["load", PTE.A], ["fetch", PTE.A], ["lr", PTE.A], ["store", AD], ["amo", AD]] as const
  ) {
    clear();
    expect(hart, { privilege: S }, access, PLACE);
    assertEquals([access, set()], [access, want]);
  }
  // A load first, then a store: the second one must see that D is still clear.
  clear();
  expect(hart, { privilege: S }, "load", PLACE);
  expect(hart, { privilege: S }, "store", PLACE);
  assertEquals(set(), AD);
  // What is refused changes nothing: by its rights, by its alignment.
  clear(PTE.R);
  expect(hart, { privilege: S }, "store", PLACE, PAGE_FAULT.store);
  clear();
  expect(hart, { privilege: S }, "amo", PLACE + 2n, 6);
  expect(hart, { privilege: S }, "lr", PLACE + 2n, 4);
  expect(hart, { privilege: U }, "load", PLACE, PAGE_FAULT.load);
  assertEquals(set(), 0n);
});

eachMode("Svnapot: 64 KiB and nothing else, where it is there", wideModes, (engine, mode) => {
  const napot = 1n << 63n;
  const block = FRAMES.code & ~0xffffn;
  const hart = new PagedHart(engine, mode, ["svnapot"]);
  // Any of the sixteen entries may be the one that is read; its low PPN bits are 1000.
  for (const page of [0n, 1n, 2n, 15n]) hart.map(PLACE + page * PAGE, block | 0x8000n, RWX | AD, 0, napot);
  expect(hart, { privilege: S }, "store", PLACE + PAGE + 0x20n);
  assertEquals(hart.read(FRAMES.data + 0x20n) & 0xffff_ffffn, 0x1234_5678n);
  expect(hart, { privilege: S }, "load", PLACE);
  for (let low = 0n; low < 16n; low++) {
    if (low === 8n) continue;
    hart.map(PLACE, block | (low * PAGE), RWX | AD, 0, napot);
    hart.fence();
    expect(hart, { privilege: S }, "load", PLACE, PAGE_FAULT.load);
  }
  const without = new PagedHart(engine, mode);
  without.map(PLACE, block | 0x8000n, RWX | AD, 0, napot);
  expect(without, { privilege: S }, "load", PLACE, PAGE_FAULT.load);
});

eachMode("Svpbmt: types 1 and 2 where menvcfg.PBMTE allows them", wideModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode, ["svpbmt"]);
  for (const enabled of [false, true]) {
    hart.csr("menvcfg", enabled ? 1n << 62n : 0n);
    for (const type of [0n, 1n, 2n, 3n]) {
      hart.map(PLACE, FRAMES.data, RWX | AD, 0, type << 61n);
      hart.fence();
      const fine = type === 0n || (enabled && type !== 3n);
      expect(hart, { privilege: S }, "load", PLACE, fine ? undefined : PAGE_FAULT.load);
    }
  }
  const without = new PagedHart(engine, mode);
  assertEquals(without.csr("menvcfg", 1n << 62n), 0n);
});

eachMode("MPRV: M-mode's loads and stores are the other mode's, its fetches are not", pagingModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode);
  hart.map(PLACE, FRAMES.data, RWX | AD);
  hart.map(PLACE + PAGE, FRAMES.other, RWX | AD | PTE.U);
  hart.map(PLACE + 2n * PAGE, FRAMES.data, PTE.X | AD);
  const asS: Mode = { privilege: M, as: S };
  const asU: Mode = { privilege: M, as: U };
  expect(hart, asS, "store", PLACE + 4n);
  assertEquals(hart.read(FRAMES.data + (mode.xlen === 64 ? 0n : 4n)) >> (mode.xlen === 64 ? 32n : 0n), 0x1234_5678n);
  expect(hart, asS, "load", PLACE + PAGE, PAGE_FAULT.load);
  expect(hart, { ...asS, sum: true }, "load", PLACE + PAGE);
  expect(hart, asU, "load", PLACE + PAGE);
  expect(hart, asU, "load", PLACE, PAGE_FAULT.load);
  // Right after the other mode, and with MXR on and off again: nothing of it stays.
  expect(hart, asS, "load", PLACE);
  expect(hart, asS, "load", PLACE + 2n * PAGE, PAGE_FAULT.load);
  expect(hart, { ...asS, mxr: true }, "load", PLACE + 2n * PAGE);
  expect(hart, asS, "load", PLACE + 2n * PAGE, PAGE_FAULT.load);
  // Without MPRV the address is physical; and there is nothing at this one.
  expect(hart, { privilege: M }, "load", PLACE, ACCESS_FAULT.load);
  expect(hart, { privilege: M }, "load", FRAMES.data);
  expect(hart, asS, "fetch", FRAMES.data);
});

eachMode("a change of rights shows in the mode that SUM and MXR make", pagingModes, (engine, mode) => {
  const hart = new PagedHart(engine, mode);
  hart.map(PLACE, FRAMES.data, PTE.X | AD);
  hart.map(PLACE + PAGE, FRAMES.data, RWX | AD | PTE.U);
  for (let i = 0; i < 3; i++) {
    expect(hart, { privilege: S }, "load", PLACE, PAGE_FAULT.load);
    expect(hart, { privilege: S, mxr: true }, "load", PLACE);
    expect(hart, { privilege: S }, "store", PLACE + PAGE, PAGE_FAULT.store);
    expect(hart, { privilege: S, sum: true }, "store", PLACE + PAGE);
    expect(hart, { privilege: U }, "store", PLACE + PAGE);
    expect(hart, { privilege: S, sum: true }, "fetch", PLACE + PAGE, PAGE_FAULT.fetch);
  }
});

eachMode(
  "satp: a mode that does not exist changes nothing; ASID and PPN are as wide as can be",
  pagingModes,
  (engine, mode) => {
    const hart = new PagedHart(engine, mode);
    const before = hart.csr("satp");
    if (mode.xlen === 64) {
      for (const bad of [1n, 2n, 7n, 11n, 14n, 15n]) assertEquals(hart.csr("satp", (bad << 60n) | 5n), before);
      assertEquals(hart.csr("satp", mode.satp | ((1n << 60n) - 1n)), mode.satp | ((1n << 60n) - 1n));
    } else assertEquals(hart.csr("satp", hart.machine.hart.mask), hart.machine.hart.mask);
    // Bare: virtual addresses are physical.
    hart.csr("satp", 0n);
    expect(hart, { privilege: S }, "fetch", FRAMES.data);
    // Another address space by the same tables.
    hart.csr("satp", before | (3n << (mode.xlen === 64 ? 44n : 22n)));
    hart.map(PLACE, FRAMES.data, RWX | AD);
    expect(hart, { privilege: S }, "load", PLACE);
  },
);

/** sfence.vma and sinval.vma with a1 as the address and a3 as the address space. */
const FENCES: readonly (readonly [name: string, word: number])[] = [
  ["sfence.vma", 0x1200_0073],
  ["sfence.vma a1", 0x1205_8073],
  ["sfence.vma zero, a3", 0x12d0_0073],
  ["sfence.vma a1, a3", 0x12d5_8073],
  ["sinval.vma a1, a3", 0x16d5_8073],
];

eachMode("after a fence the page tables are read anew, for small and large pages", pagingModes, (engine, mode) => {
  const shift = mode.xlen === 64 ? 44n : 22n;
  for (const [name, word] of FENCES) {
    for (const level of [0, 1]) {
      const hart = new PagedHart(engine, mode, ["svinval"]);
      const asid = 0x35n;
      hart.csr("satp", hart.csr("satp") | (asid << shift));
      const size = PAGE << BigInt(mode.bits * level);
      const physical = level === 0 ? FRAMES.data : FRAMES.data / size * size;
      const virtual = 5n * (PAGE << BigInt(mode.bits));
      const place = virtual + (FRAMES.data - physical);
      hart.map(virtual, physical, RWX | AD, level);
      for (const access of ["load", "store", "fetch"] as const) expect(hart, { privilege: S }, access, place);
      hart.map(virtual, physical, PTE.R | AD, level);
      hart.machine.hart.setX(13, asid | (mode.xlen === 32 ? 0x200n : 0x1_0000n));
      // Any address in the mapping will do.
      const fenced = level === 0 ? place + 0x7fcn : virtual + size - PAGE;
      assertEquals(hart.access({ privilege: S }, "load", fenced, word), {}, name);
      expect(hart, { privilege: S }, "store", place, PAGE_FAULT.store);
      expect(hart, { privilege: S }, "fetch", place, PAGE_FAULT.fetch);
      expect(hart, { privilege: S }, "load", place);
    }
  }
});

eachMode(
  "accesses over a page's end: both pages decide, and the address of the one that fails is told",
  pagingModes,
  (engine, mode) => {
    const hart = new PagedHart(engine, mode);
    const end = PLACE + PAGE;
    hart.map(PLACE, FRAMES.other, RWX | AD);
    hart.map(end, FRAMES.data, RWX | AD);
    expect(hart, { privilege: S }, "store", end - 2n);
    // Half of the word in each page, which do not follow each other in memory.
    assertEquals(hart.machine.memory.read(Number(FRAMES.other + PAGE) - 2, 2), 0x5678);
    assertEquals(hart.machine.memory.read(Number(FRAMES.data), 2), 0x1234);
    expect(hart, { privilege: S }, "load", end - 1n);
    hart.map(end, FRAMES.data, PTE.R | PTE.A);
    hart.fence();
    hart.machine.memory.write(Number(FRAMES.other + PAGE) - 2, 2, 0);
    expect(hart, { privilege: S }, "store", end - 2n, PAGE_FAULT.store, end);
    assertEquals(hart.machine.memory.read(Number(FRAMES.other + PAGE) - 2, 2), 0);
    expect(hart, { privilege: S }, "load", end - 2n);
    hart.map(PLACE, FRAMES.other, PTE.X | PTE.A);
    hart.fence();
    expect(hart, { privilege: S }, "load", end - 2n, PAGE_FAULT.load);
    // An instruction with one half in each page: addi a0, zero, 0x123 is 12300513.
    hart.map(end, FRAMES.data, PTE.X | PTE.A);
    hart.fence();
    hart.machine.memory.write(Number(FRAMES.other + PAGE) - 2, 2, 0x0513);
    for (const [half, value] of [[0x1230, 0x123n], [0x0450, 0x45n]] as const) {
      hart.machine.memory.write(Number(FRAMES.data), 2, half);
      for (let i = 0; i < 3; i++) {
        hart.machine.hart.setX(10, 0n);
        expect(hart, { privilege: S }, "fetch", end - 2n);
        assertEquals(hart.machine.hart.x(10), value);
      }
    }
    // Another page behind the same address.
    hart.machine.memory.write(Number(FRAMES.code), 2, 0x0770);
    hart.map(end, FRAMES.code, PTE.X | PTE.A);
    hart.fence();
    expect(hart, { privilege: S }, "fetch", end - 2n);
    assertEquals(hart.machine.hart.x(10), 0x77n);
    hart.map(end, FRAMES.data, PTE.R | PTE.A);
    hart.fence();
    expect(hart, { privilege: S }, "fetch", end - 2n, PAGE_FAULT.fetch, end);
  },
);
