import { assertEquals, assertThrows } from "@std/assert";
import { Privilege } from "../../vm/events.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { compileFilter, type FilterSpec, parseFilter } from "../../vm/trace/filter.ts";
import { RECORD_WORDS, recordWords } from "../../vm/trace/record.ts";
import { RecordBuilder } from "../support/records.ts";

const isa = parseIsa("rv64imac");
const main = (name: string) => name === "main" ? { start: 0x80000100n, end: 0x80000180n } : undefined;

/** Indexes of the records that are kept. */
function kept(spec: FilterSpec, builder: RecordBuilder): number[] {
  const words = recordWords(builder.view, builder.count);
  const filter = compileFilter(spec, isa);
  return [...Array(builder.count).keys()].filter((i) => filter?.keeps(words, i * RECORD_WORDS) ?? true);
}

Deno.test("filter: no condition is no filter", () => {
  assertEquals(compileFilter({}, isa), undefined);
});

Deno.test("filter: pc ranges hold both ends, and tell all 64 bits apart", () => {
  const pcs = [0x7fffffffn, 0x80000000n, 0x80000010n, 0x80000011n, 0xffffffff_80000000n, 0x1_80000000n, 0x1_00000000n];
  const builder = new RecordBuilder();
  for (const pc of pcs) builder.retired({ pc, insn: 0x13 });
  assertEquals(kept({ pc: [{ first: 0x80000000n, last: 0x80000010n }] }, builder), [1, 2]);
  assertEquals(kept({ pc: [{ first: 0xffffffff_00000000n, last: 0xffffffff_ffffffffn }] }, builder), [4]);
  assertEquals(kept({ pc: [{ first: 0x80000011n, last: 0x1_80000000n }] }, builder), [3, 5, 6]);
  assertEquals(kept({ pc: [{ first: 0n, last: 0x7fffffffn }, { first: 0x80000011n, last: 0x80000011n }] }, builder), [
    0,
    3,
  ]);
});

Deno.test("filter: privilege, hart and steps", () => {
  const builder = new RecordBuilder()
    .retired({ insn: 0x13, privilege: Privilege.U, hart: 0, step: 9 })
    .retired({ insn: 0x13, privilege: Privilege.S, hart: 1, step: 10 })
    .retired({ insn: 0x13, privilege: Privilege.M, hart: 2, step: 0x1_0000_0000 });
  assertEquals(kept({ privileges: [Privilege.U, Privilege.M] }, builder), [0, 2]);
  assertEquals(kept({ harts: [1] }, builder), [1]);
  assertEquals(kept({ steps: [{ first: 10, last: Infinity }] }, builder), [1, 2]);
  assertEquals(kept({ steps: [{ first: 0, last: 10 }], harts: [1, 2] }, builder), [1]);
});

Deno.test("filter: classes, compressed instructions and traps", () => {
  const builder = new RecordBuilder()
    .retired({ insn: 0x0182b283 }) // ld
    .retired({ insn: 0x6498 }) // c.ld
    .retired({ insn: 0xffff6498 | 0 }) // c.ld, the upper half not clean
    .retired({ insn: 0x00b4b7af }) // amoadd.d
    .trapped({ insn: 0x0182b283, cause: 5, handler: 0n }) // ld that faults
    .trapped({ insn: 0x0182b283, cause: 7, interrupt: true, handler: 0n }) // interrupt before an ld
    .trapped({ insn: 0, cause: 1, handler: 0n }) // nothing fetched
    .trapped({ insn: 0xffffffff | 0, cause: 2, handler: 0n }); // no instruction
  assertEquals(kept({ classes: ["load"] }, builder), [0, 1, 2, 4]);
  assertEquals(kept({ classes: ["atomic"] }, builder), [3]);
});

Deno.test("parseFilter: the same key twice is either, different keys are both", () => {
  assertEquals(parseFilter("pc=main,pc=0x80000000-0x8000000f, privilege=m,hart=1,class=load,class=csr", main), {
    pc: [{ first: 0x80000100n, last: 0x8000017fn }, { first: 0x80000000n, last: 0x8000000fn }],
    privileges: [Privilege.M],
    harts: [1],
    classes: ["load", "csr"],
  });
  assertEquals(parseFilter("steps=5-,steps=-3,steps=7-9,pc=4096", main), {
    pc: [{ first: 4096n, last: 4096n }],
    steps: [{ first: 5, last: Infinity }, { first: 0, last: 3 }, { first: 7, last: 9 }],
  });
});

Deno.test("parseFilter: errors say what was expected", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", "expected KEY=VALUE with one of pc, privilege, hart, steps, class, got nothing"],
    ["pc", "expected KEY=VALUE"],
    ["toString=1", "expected KEY=VALUE"],
    ["pc=nowhere", "the image has no symbol nowhere"],
    ["pc=0x20-0x10", "ends before it begins"],
    ["privilege=H", "privilege: expected M, S or U, got H"],
    ["hart=x", "hart: expected a hart's number, got x"],
    ["steps=12", "steps: expected FIRST-LAST"],
    ["steps=-", "steps: expected FIRST-LAST"],
    ["steps=9-8", "ends before it begins"],
    ["class=loads", "class: expected alu, muldiv, load, store"],
  ];
  for (const [text, message] of cases) assertThrows(() => parseFilter(text, main), RangeError, message);
});
