import { assertEquals, assertMatch } from "@std/assert";
import { Privilege } from "../../vm/events.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { compileFilter } from "../../vm/trace/filter.ts";
import { MemorySink } from "../../vm/trace/sink.ts";
import { type TextOptions, TextWriter } from "../../vm/trace/text.ts";
import { commitLogRecords } from "../support/commit_log.ts";
import { RecordBuilder } from "../support/records.ts";

const isa = parseIsa("rv64imac");
const symbolize = (addr: bigint) =>
  addr < 0x80000000n ? undefined : { name: addr < 0x80000100n ? "_start" : "trap", offset: addr & 0xffn };

function written(builder: RecordBuilder, options: Partial<TextOptions> = {}): string {
  const sink = new MemorySink();
  const writer = new TextWriter(sink, { isa, ...options });
  writer.records(builder.view, builder.count);
  writer.flush();
  return sink.text();
}

Deno.test("text: the columns", () => {
  const builder = new RecordBuilder()
    .retired({ pc: 0x80000000n, insn: 0x00000297, rd: [5, 0x80000000n] })
    .retired({ pc: 0x80000036n, insn: 0xc0cc, store: { addr: 0x80000144n, size: 4, data: 0x12345678n } })
    .retired({ pc: 0x8000003an, insn: 0x00848703, rd: [14, (1n << 64n) - 2n], load: { addr: 0x80000148n, size: 1 } })
    .retired({
      pc: 0x80000052n,
      insn: 0x00b4b7af,
      rd: [15, 0n],
      load: { addr: 0x80000140n, size: 8 },
      store: { addr: 0x80000140n, size: 8, data: 0xffn },
    })
    .retired({ pc: 0x8000004en, insn: 0x0044a003, load: { addr: 0x80000144n, size: 4 } })
    .retired({ pc: 0x80000072n, insn: 0x34051673, rd: [12, 1n], csrs: [[0x340, 2n], [0x7c0, 3n]] })
    .retired({ pc: 0x8000001an, insn: 0x00b50033, rd: [0, 7n], privilege: Privilege.U })
    .retired({ pc: 0x80000108n, insn: 0x0002cb63, privilege: Privilege.S })
    .trapped({ pc: 0x800000aen, insn: 0, cause: 1, tval: 0x800000aen, handler: 0x80000100n })
    .trapped({ pc: 0x800000aen, insn: 0, cause: 2, handler: 0x80000100n })
    .trapped({ pc: 0x800000aen, insn: 0x73, cause: 7, interrupt: true, to: Privilege.S, handler: 0x1_00000000n });
  assertEquals(
    written(builder, { symbolize }),
    `\
#       step mode pc        symbol                   bytes     instruction                      changes
           0 M    80000000  _start                   00000297  auipc   t0, 0x0                  t0=0x80000000
           1 M    80000036  _start+0x36              c0cc      sw      a1, 4(s1)                [0x80000144]=0x12345678
           2 M    8000003a  _start+0x3a              00848703  lb      a4, 8(s1)                a4=0xfffffffffffffffe <-[0x80000148]
           3 M    80000052  _start+0x52              00b4b7af  amoadd.d a5, a1, (s1)            a5=0x0 [0x80000140]=0x00000000000000ff
           4 M    8000004e  _start+0x4e              0044a003  lw      zero, 4(s1)              <-[0x80000144]
           5 M    80000072  _start+0x72              34051673  csrrw   a2, mscratch, a0         a2=0x1 mscratch=0x2 0x7c0=0x3
           6 U    8000001a  _start+0x1a              00b50033  add     zero, a0, a1
           7 S    80000108  trap+0x8                 0002cb63  bltz    t0, 0x8000011e <trap+0x1e>
           8 M    800000ae  _start+0xae                                                         trap: instruction access fault (1) tval=0x800000ae -> M 0x80000100 <trap>
           9 M    800000ae  _start+0xae              0000      .short  0x0000                   trap: illegal instruction (2) tval=0x0 -> M 0x80000100 <trap>
          10 M    800000ae  _start+0xae                                                         interrupt: machine timer interrupt (7) -> S 0x100000000 <trap>
`,
  );
});

Deno.test("text: without symbols there is no symbol column; with several harts there is one for them", () => {
  const builder = new RecordBuilder().retired({ pc: 0xffffffff_80000000n, insn: 0x13, hart: 3, step: 123456789012345 });
  assertEquals(
    written(builder, { harts: 4 }),
    `\
# hart       step mode pc        bytes     instruction                      changes
    3 123456789012345 M    ffffffff80000000  00000013  nop
`,
  );
});

Deno.test("text: values of RV32 have 32 bits, and every number of digits is right", () => {
  const builder = new RecordBuilder();
  for (let n = 0n; n < 64n; n++) builder.retired({ insn: 0x13, rd: [10, 1n << n] });
  const values = (xlen: 32 | 64) =>
    written(builder, { isa: parseIsa(`rv${xlen}i`) }).trimEnd().split("\n").slice(1).map((line) =>
      line.split("a0=")[1]
    );
  assertEquals(values(64), Array.from({ length: 64 }, (_, n) => `0x${(1n << BigInt(n)).toString(16)}`));
  assertEquals(
    values(32),
    Array.from({ length: 64 }, (_, n) => n < 32 ? `0x${(1n << BigInt(n)).toString(16)}` : "0x0"),
  );
});

Deno.test("text: step counts of any size", () => {
  const steps = [0, 9, 10, 99, 2 ** 30 - 1, 2 ** 30, 2 ** 32, 999999999999, 1e12, 2 ** 52];
  const builder = new RecordBuilder();
  for (const step of steps) builder.retired({ insn: 0x13, step });
  const lines = written(builder).trimEnd().split("\n").slice(1);
  assertEquals(lines.map((line) => Number(line.trim().split(" ")[0])), steps);
});

Deno.test("text: a filter drops lines with what belongs to them", () => {
  const builder = commitLogRecords(
    Deno.readTextFileSync(new URL("recorded/commit_sample_rv64.log", import.meta.url)),
  );
  const filter = compileFilter({ classes: ["csr"], pc: [{ first: 0x8000006en, last: 0x8000007en }] }, isa);
  const lines = written(builder, { filter }).trimEnd().split("\n").slice(1);
  assertEquals(lines.map((line) => line.slice(47).trim().split(/ {2,}/).at(-1)), [
    "mscratch=0x12345678",
    "a2=0x12345678 mscratch=0xfffffffffffffffe",
    "a3=0xfffffffffffffffe",
    "a3=0xfffffffffffffffe mscratch=0xfffffffffffffffc",
    "mstatus=0xa00000002",
  ]);
});

Deno.test("text: names from a symbol table cannot paint the terminal, nor make a line endless", () => {
  const evil = `\u001b[31m${"é".repeat(5000)}`;
  const builder = new RecordBuilder();
  for (let i = 0; i < 2000; i++) builder.retired({ pc: BigInt(i * 4), insn: 0x0000006f });
  const text = written(builder, { symbolize: () => ({ name: evil, offset: 0 }) });
  assertEquals(text.includes("\u001b"), false);
  assertMatch(text, /\n {11}0 M {4}00000000 {2}\?\[31mé+\.\.\. /);
  assertEquals(text.split("\n").length, 2002);
});
