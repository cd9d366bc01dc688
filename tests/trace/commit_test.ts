import { assertEquals, assertThrows } from "@std/assert";
import { Privilege } from "../../vm/events.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { CommitWriter } from "../../vm/trace/commit.ts";
import { compileFilter } from "../../vm/trace/filter.ts";
import { MemorySink } from "../../vm/trace/sink.ts";
import { commitLogRecords } from "../support/commit_log.ts";
import { RecordBuilder } from "../support/records.ts";

function recorded(name: string): string {
  return Deno.readTextFileSync(new URL(`recorded/${name}`, import.meta.url));
}

function written(builder: RecordBuilder, xlen: 32 | 64): string {
  const sink = new MemorySink();
  const writer = new CommitWriter(sink, { xlen });
  writer.records(builder.view, builder.count);
  writer.flush();
  return sink.text();
}

for (const xlen of [64, 32] as const) {
  Deno.test(`commit: every line of a log recorded from Spike, RV${xlen}`, () => {
    const log = recorded(`commit_sample_rv${xlen}.log`);
    assertEquals(written(commitLogRecords(log), xlen), log);
  });
}

Deno.test("commit: several CSRs come by number, whatever the order of their records", () => {
  const line = "core   1: 3 0x0000000080000082 (0x10415073) c260_sie 0x0000000000000000 c772_mie 0x0000000000000000\n";
  const csrs = [[772, 0n], [260, 0n]] as const;
  const builder = new RecordBuilder().retired({ pc: 0x80000082n, insn: 0x10415073, hart: 1, csrs });
  assertEquals(written(builder, 64), line);
});

Deno.test("commit: a CSR numbered below the register comes before it", () => {
  // Spike's map is keyed by number * 16 + type: fcsr (3) sorts before x5, after x2.
  const builder = (rd: number) => new RecordBuilder().retired({ insn: 3, rd: [rd, 1n], csrs: [[3, 2n]] });
  assertEquals(written(builder(5), 32), "core   0: 3 0x00000000 (0x00000003) c3_fcsr 0x00000002 x5  0x00000001\n");
  assertEquals(written(builder(2), 32), "core   0: 3 0x00000000 (0x00000003) x2  0x00000001 c3_fcsr 0x00000002\n");
});

Deno.test("commit: floating-point registers, flags and FS as Spike tells of them", () => {
  // Recorded from Spike 1.1.1-dev, rv64gc: fcvt.d.w, fdiv.d with FS Initial, feq.d, csrw fcsr, fcvt.s.d into f14 and f0.
  const log = `
core   0: 3 0x0000000080000012 (0xd2050553) f10 0x4008000000000000 c768_mstatus 0x8000000a00006000
core   0: 3 0x0000000080000022 (0x1ab57653) c1_fflags 0x0000000000000001 f12 0x3fdb6db6db6db6db c768_mstatus 0x8000000a00006000
core   0: 3 0x0000000080000032 (0xa2b52553) x10 0x0000000000000000
core   0: 3 0x000000008000003e (0x00359073) c1_fflags 0x0000000000000007 c2_frm 0x0000000000000000 c768_mstatus 0x8000000a00006000
core   0: 3 0x000000008000005e (0x40167753) c1_fflags 0x0000000000000007 f14 0xffffffff3edb6db6
core   0: 3 0x0000000080000062 (0x40167053) f0  0xffffffff3edb6db6 c1_fflags 0x0000000000000007
`.trimStart();
  assertEquals(written(commitLogRecords(log), 64), log);
});

Deno.test("commit: without D a floating-point register has eight digits, with D sixteen whatever XLEN is", () => {
  const line = (flen: 32 | 64) => {
    const sink = new MemorySink();
    const writer = new CommitWriter(sink, { xlen: 32, flen });
    const { view, count } = new RecordBuilder().retired({ insn: 3, frd: [9, 0xffff_ffff_3f80_0000n] });
    writer.records(view, count);
    writer.flush();
    return sink.text();
  };
  assertEquals(line(32), "core   0: 3 0x00000000 (0x00000003) f9  0x3f800000\n");
  assertEquals(line(64), "core   0: 3 0x00000000 (0x00000003) f9  0xffffffff3f800000\n");
});

Deno.test("commit: a cleared cache block is a store of each byte", () => {
  const builder = (addr: bigint) =>
    new RecordBuilder().retired({ pc: 0x80001076n, insn: 0x0046200f, store: { addr, size: 64, data: 0n } });
  for (const [xlen, addr] of [[64, 0x80009e80n], [32, 0xffffffc0n]] as const) {
    const digits = (n: bigint) => `0x${n.toString(16).padStart(xlen / 4, "0")}`;
    const bytes = Array.from({ length: 64 }, (_, i) => ` mem ${digits(addr + BigInt(i))} 0x00`).join("");
    assertEquals(written(builder(addr), xlen), `core   0: 3 ${digits(0x80001076n)} (0x0046200f)${bytes}\n`);
  }
});

Deno.test("commit: what did not retire has no line", () => {
  const builder = new RecordBuilder()
    .trapped({ pc: 0x80000000n, insn: 0x73, cause: 11, handler: 0x80000100n })
    .retired({ pc: 0x80000100n, insn: 0x0ff0000f, privilege: Privilege.S });
  assertEquals(written(builder, 32), "core   0: 1 0x80000100 (0x0ff0000f)\n");
});

Deno.test("commit: a filter drops instructions with their CSR records", () => {
  const log = recorded("commit_sample_rv64.log");
  const { view, count } = commitLogRecords(log);
  const lines = (wanted: (line: string, insn: number) => boolean) =>
    log.trimEnd().split("\n").filter((line) => wanted(line, Number(/\((0x\w+)\)/.exec(line)![1])));
  const expected = {
    // SYSTEM with a funct3 other than 0: not mret and sret, which write mstatus all the same.
    csr: lines((_, insn) => (insn & 0x7f) === 0x73 && (insn & 0x7000) !== 0),
    // An address with a value and nothing before it: not atomics.
    store: lines((line) => /\) mem \w+ \w+$/.test(line)),
  };
  for (const name of ["csr", "store"] as const) {
    const sink = new MemorySink();
    const filter = compileFilter({ classes: [name] }, parseIsa("rv64imac"));
    const writer = new CommitWriter(sink, { xlen: 64, filter });
    writer.records(view, count);
    writer.flush();
    assertEquals(sink.text().trimEnd().split("\n"), expected[name]);
  }
});

Deno.test("commit: more lines than the buffer holds, over several batches", () => {
  const log = recorded("commit_sample_rv64.log");
  const { view, count } = commitLogRecords(log);
  const sink = new MemorySink();
  const writer = new CommitWriter(sink, { xlen: 64 });
  for (let i = 0; i < 100; i++) writer.records(view, count);
  writer.records(view, 0);
  writer.flush();
  writer.flush();
  assertEquals(sink.text(), log.repeat(100));
});

Deno.test("commit: a batch that begins inside an instruction is refused", () => {
  const { view } = new RecordBuilder().retired({ insn: 0x30529073, csrs: [[0x305, 1n]] });
  const writer = new CommitWriter(new MemorySink(), { xlen: 64 });
  assertThrows(() => writer.records(new DataView(view.buffer, 64), 1), Error, "begins with a CSR record");
});
