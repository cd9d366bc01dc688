import { assertEquals } from "@std/assert";
import { EventStream, Privilege } from "../../vm/events.ts";
import type { MachineFact } from "../../vm/events.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { compileFilter } from "../../vm/trace/filter.ts";
import { type JsonOptions, JsonWriter } from "../../vm/trace/jsonl.ts";
import { MemorySink } from "../../vm/trace/sink.ts";
import { RecordBuilder } from "../support/records.ts";

const isa = parseIsa("rv64imac");

/** What `write` makes, each line parsed. */
function lines(write: (writer: JsonWriter) => void, options: Partial<JsonOptions> = {}): unknown[] {
  const sink = new MemorySink();
  const writer = new JsonWriter(sink, { isa, ...options });
  write(writer);
  writer.flush();
  return sink.text().trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("jsonl: instructions", () => {
  const builder = new RecordBuilder()
    .retired({
      pc: 0x80000052n,
      insn: 0x00b4b7af,
      hart: 1,
      rd: [15, 0x78n],
      load: { addr: 0x80000140n, size: 8 },
      store: { addr: 0x80000140n, size: 8, data: 0xffn },
    })
    .retired({ pc: 0x8000003an, insn: 0x6498, rd: [14, 5n], load: { addr: 0x148n, size: 2, data: 5n } })
    .retired({ pc: 0x80000072n, insn: 0x34051673, rd: [12, 1n], csrs: [[0x340, 2n], [0x7c0, 3n]], step: 2 ** 40 })
    .retired({ pc: 0n, insn: 0xffff, privilege: Privilege.U });
  const symbolize = (addr: bigint) => addr === 0n ? undefined : { name: 'say "hi"', offset: 0x52 };
  assertEquals(lines((writer) => writer.records(builder.view, builder.count), { symbolize }), [
    {
      type: "insn",
      steps: 0,
      hart: 1,
      mode: "M",
      pc: "0x80000052",
      symbol: 'say "hi"+0x52',
      insn: "0x00b4b7af",
      asm: "amoadd.d a5, a1, (s1)",
      class: "atomic",
      reg: { a5: "0x78" },
      load: { addr: "0x80000140", size: 8 },
      store: { addr: "0x80000140", size: 8, data: "0x00000000000000ff" },
    },
    {
      type: "insn",
      steps: 1,
      hart: 0,
      mode: "M",
      pc: "0x8000003a",
      symbol: 'say "hi"+0x52',
      insn: "0x6498",
      asm: "ld a4, 8(s1)",
      class: "load",
      reg: { a4: "0x5" },
      load: { addr: "0x148", size: 2, data: "0x0005" },
    },
    {
      type: "insn",
      steps: 2 ** 40,
      hart: 0,
      mode: "M",
      pc: "0x80000072",
      symbol: 'say "hi"+0x52',
      insn: "0x34051673",
      asm: "csrrw a2, mscratch, a0",
      class: "csr",
      reg: { a2: "0x1" },
      csr: { mscratch: "0x2", "0x7c0": "0x3" },
    },
    {
      type: "insn",
      steps: 2 ** 40 + 1,
      hart: 0,
      mode: "U",
      pc: "0x0",
      insn: "0x0000ffff",
      asm: ".word 0x0000ffff",
    },
  ]);
});

Deno.test("jsonl: traps and interrupts", () => {
  const builder = new RecordBuilder()
    .trapped({ pc: 0x80000000n, insn: 0x73, cause: 8, privilege: Privilege.U, to: Privilege.S, handler: 0x80000100n })
    .trapped({ pc: 0x80000000n, insn: 0x73, cause: 7, interrupt: true, handler: 0x80000104n });
  const common = { type: "trap", hart: 0, pc: "0x80000000", tval: "0x0" };
  assertEquals(lines((writer) => writer.records(builder.view, builder.count)), [
    {
      ...common,
      steps: 0,
      mode: "U",
      insn: "0x00000073",
      asm: "ecall",
      class: "system",
      interrupt: false,
      cause: 8,
      name: "environment call from U-mode",
      to: "S",
      handler: "0x80000100",
    },
    {
      ...common,
      steps: 1,
      mode: "M",
      interrupt: true,
      cause: 7,
      name: "machine timer interrupt",
      to: "M",
      handler: "0x80000104",
    },
  ]);
});

Deno.test("jsonl: a filter drops CSR records with their instruction; RV32 values have 32 bits", () => {
  const builder = new RecordBuilder()
    .retired({ insn: 0x34051673, csrs: [[0x340, 2n]] })
    .retired({ insn: 0x13, rd: [1, 0xffff_ffff_ffffn] });
  const rv32 = parseIsa("rv32i");
  const filter = compileFilter({ classes: ["alu"] }, rv32);
  const [only, ...none] = lines((writer) => writer.records(builder.view, builder.count), { isa: rv32, filter });
  assertEquals((only as { reg: unknown }).reg, { ra: "0xffffffff" });
  assertEquals(none, []);
});

Deno.test("jsonl: facts of devices, with the register's name", () => {
  const facts: MachineFact[] = [
    {
      kind: "mmio",
      device: {
        name: "clint",
        registers: [{ name: "mtime", offset: 0xbff8, size: 8, access: "RW", spec: "" }],
      },
      addr: 0x200bffc,
      offset: 0xbffc,
      size: 4,
      accessSize: 8,
      write: false,
      value: 7,
    },
    { kind: "trap-return", instruction: "mret", target: 0x80000000n, to: Privilege.S },
    {
      kind: "trap",
      interrupt: true,
      cause: 7,
      tval: 0n,
      epc: 0x80000004n,
      from: Privilege.U,
      to: Privilege.M,
      handler: 0x80000010n,
    },
    { kind: "wfi", step: "wait" },
    { kind: "console", device: "uart", direction: "out", bytes: new Uint8Array([0x0a, 0xff]) },
  ];
  const events = new EventStream();
  events.where = () => ({ hart: 0, pc: 0x80000010n, privilege: Privilege.M, steps: 5, now: 6 });
  const common = { steps: 5, now: 6, hart: 0, mode: "M", pc: "0x80000010" };
  const written = lines((writer) => {
    for (const kind of ["mmio", "trap-return", "trap", "wfi", "console"] as const) {
      events.on(kind, (fact, where) => writer.fact(fact, where));
    }
    for (const fact of facts) events.emit(fact);
  });
  assertEquals(written, [
    {
      type: "mmio",
      ...common,
      register: "mtime[63:32]",
      device: "clint",
      addr: "0x200bffc",
      offset: 0xbffc,
      size: 4,
      accessSize: 8,
      write: false,
      value: 7,
    },
    { type: "trap-return", ...common, instruction: "mret", target: "0x80000000", to: "S" },
    {
      type: "trap",
      ...common,
      mode: "U",
      pc: "0x80000004",
      interrupt: true,
      cause: 7,
      name: "machine timer interrupt",
      tval: "0x0",
      to: "M",
      handler: "0x80000010",
    },
    { type: "wfi", ...common, step: "wait" },
    { type: "console", ...common, device: "uart", direction: "out", bytes: "0aff" },
  ]);
});
