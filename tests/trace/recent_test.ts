import { assertEquals } from "@std/assert";
import { parseIsa } from "../../vm/isa/table.ts";
import { recentFromRuns, recentLines, RecentRecords } from "../../vm/trace/recent.ts";
import { RecordBuilder } from "../support/records.ts";

/** Memory with `addi`s of four bytes, `c.addi`s of two where an address ends in 8, and nothing from 0x2000 up. */
const fetch = (addr: bigint) => addr >= 0x2000n ? undefined : addr % 16n === 8n ? 0x0505 : 0x00150513;
const pcs = (list: readonly { pc: bigint }[]) => list.map(({ pc }) => Number(pc));

Deno.test("recent: straight runs are read back from memory, compressed instructions too", () => {
  const list = recentFromRuns(
    [
      { from: 0x1004n, to: 0x100an, done: true },
      { from: 0x1000n, to: 0x1000n, done: true },
    ],
    fetch,
    0x1004n,
  );
  assertEquals(pcs(list), [0x1004, 0x1008, 0x100a, 0x1000]);
  assertEquals(list.map((i) => i.insn), [0x00150513, 0x0505, 0x00150513, 0x00150513]);
  assertEquals(list.map((i) => i.note), [undefined, undefined, undefined, undefined]);
});

Deno.test("recent: what did not retire is told; what others did for emitted code, or will do next, is not", () => {
  const mret = () => 0x3020_0073;
  const noted = (runs: Parameters<typeof recentFromRuns>[0], pc: bigint, read: typeof mret | typeof fetch = fetch) =>
    recentFromRuns(runs, read, pc).map(({ pc, note }) => [Number(pc), note]);
  // Control went on behind it: a device did it. It went on there: the next run tells. Elsewhere: it did not retire.
  const runs = [
    { from: 0x1000n, to: 0x1004n, done: false },
    { from: 0x1008n, to: 0x1008n, done: false },
    { from: 0x100an, to: 0x100an, done: false },
    { from: 0x100an, to: 0x100en, done: false },
    { from: 0x1020n, to: 0x1024n, done: false },
  ];
  const before = [
    [0x1000, undefined],
    [0x1004, undefined],
    [0x1008, undefined],
    [0x100a, undefined],
    [0x100e, "trapped or interrupted"],
    [0x1020, undefined],
  ];
  // The last run goes by the hart's pc, of which translation leaves the offset in a page.
  assertEquals(noted(runs, 0xffff_ffc0_0000_0024n), before);
  assertEquals(noted(runs, 0x1028n), [...before, [0x1024, undefined]]);
  assertEquals(noted(runs, 0x1080n), [...before, [0x1024, "trapped or interrupted"]]);
  // mret goes elsewhere without a trap.
  assertEquals(noted([{ from: 0x1000n, to: 0x1000n, done: false }], 0x1080n, mret), [[0x1000, undefined]]);
});

Deno.test("recent: only the last ones, whole memory or not, wild runs bounded", () => {
  const loop = Array.from({ length: 100 }, () => ({ from: 0x1000n, to: 0x1004n, done: true }));
  assertEquals(recentFromRuns(loop, fetch, 0x1000n).length, 32);
  assertEquals(pcs(recentFromRuns(loop, fetch, 0x1000n, 3)), [0x1004, 0x1000, 0x1004]);
  const nothing = recentFromRuns([{ from: 0x3000n, to: 0x3004n, done: true }], fetch, 0n);
  assertEquals(nothing, [{ pc: 0x3000n, insn: undefined }, { pc: 0x3004n, insn: undefined }]);
  const wild = recentFromRuns([{ from: 0n, to: 0xffff_ffff_ffff_fff0n, done: true }], fetch, 0n);
  assertEquals(wild.length, 32);
  assertEquals(wild.at(-1)!.pc, 0xffff_ffff_ffff_fff0n);
  // Overwritten code does not line up with the run's end.
  assertEquals(pcs(recentFromRuns([{ from: 0x1000n, to: 0x1006n, done: true }], fetch, 0n)), [0x1000, 0x1006]);
  assertEquals(recentFromRuns([], fetch, 0n), []);
});

Deno.test("recent: the last records of each hart, over batches of any size", () => {
  const recent = new RecentRecords(3, 4);
  const builder = new RecordBuilder();
  for (let n = 0; n < 100; n++) {
    const hart = n < 3 ? 1 : 0;
    builder.retired({ pc: BigInt(n), insn: 0x13, hart, csrs: n % 2 === 0 ? [[0x340, 1n]] : [] });
  }
  recent.records(builder.view, builder.count);
  assertEquals(pcs(recent.list(0)), [96, 97, 98, 99]);
  assertEquals(pcs(recent.list(1)), [0, 1, 2]);
  assertEquals(recent.list(2), []);
  const more = new RecordBuilder()
    .retired({ pc: 200n, insn: 0x13 })
    .trapped({ pc: 201n, insn: 0x73, cause: 8, handler: 0n })
    .trapped({ pc: 202n, insn: 0x73, cause: 7, interrupt: true, handler: 0n });
  recent.records(more.view, more.count);
  recent.records(more.view, 0);
  assertEquals(recent.list(0), [
    { pc: 99n, insn: 0x13 },
    { pc: 200n, insn: 0x13 },
    { pc: 201n, insn: 0x73, note: "environment call from U-mode" },
    { pc: 202n, insn: undefined, note: "machine timer interrupt" },
  ]);
});

Deno.test("recent: lines are aligned, the last one marked", () => {
  const lines = recentLines(
    [
      { pc: 0x80000000n, insn: 0x00000297 },
      { pc: 0x80000004n, insn: 0xffff0505 | 0 },
      { pc: 0x80000006n, insn: undefined, note: "machine timer interrupt" },
      { pc: 0x80000008n, insn: undefined },
      { pc: 0x9000000cn, insn: 0x0002a503, note: "load access fault" },
    ],
    parseIsa("rv64imac"),
    (addr) => addr < 0x90000000n ? { name: "_start", offset: addr - 0x80000000n } : undefined,
  );
  assertEquals(lines, [
    "  80000000  _start      00000297  auipc   t0, 0x0",
    "  80000004  _start+0x4  0505      addi    a0, a0, 1",
    "  80000006  _start+0x6                                              machine timer interrupt",
    "  80000008  _start+0x8            (cannot be fetched)",
    "> 9000000c              0002a503  lw      a0, 0(t0)                 load access fault",
  ]);
  assertEquals(recentLines([{ pc: 1n << 63n, insn: 0x13 }], parseIsa("rv64i")), [
    "> 8000000000000000  00000013  nop",
  ]);
});
