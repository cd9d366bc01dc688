import { assert, assertEquals, assertThrows } from "@std/assert";
import { Decoder } from "../../vm/isa/decode.ts";
import { opcodeOf } from "../../vm/isa/row.ts";
import { extensions, parseIsa } from "../../vm/isa/table.ts";
import { everything } from "./words.ts";

Deno.test("the letter b stands for Zba, Zbb and Zbs", () => {
  const isa = parseIsa("rv64imacb");
  assertEquals(isa.name, "rv64imacb_zba_zbb_zbs_zicntr_zicsr_zifencei");
  const parts = parseIsa("rv64imac_zbs_zbb_zba");
  assertEquals(parts.name, "rv64imac_zba_zbb_zbs_zicntr_zicsr_zifencei");
  assertEquals(isa.rows, parts.rows);
});

Deno.test("an extension brings along what it needs, and rows that need another come with that one", () => {
  const names = (text: string) => parseIsa(text).rows.map((r) => r.name);
  assert(names("rv32i_zcb").includes("c.addi"));
  assertEquals(parseIsa("rv32i_zcb").ialign, 2);
  for (
    const [row, text] of [["c.mul", "rv64im_zcb"], ["c.zext.w", "rv64i_zba_zcb"], [
      "c.sext.h",
      "rv32i_zbb_zcb",
    ]] as const
  ) {
    assert(names(text).includes(row), `${row} in ${text}`);
    assert(!names(`${text.slice(0, 5)}_zcb`).includes(row), `${row} in ${text.slice(0, 5)}_zcb`);
  }
});

Deno.test("an extension that names its opcodes has no row with another", () => {
  for (const { name, rows, opcodes } of extensions) {
    for (const row of rows) assert(opcodes?.includes(opcodeOf(row)) ?? true, `${row.name} of ${name}`);
  }
});

Deno.test("rows are the same when they are asked for by opcode", () => {
  for (const text of ["rv32imac", everything(32), everything(64)]) {
    const { rows } = parseIsa(text);
    const byOpcode = Map.groupBy(rows, opcodeOf);
    assertEquals([...byOpcode].flatMap(([opcode]) => parseIsa(text).rowsWith(opcode)), [...byOpcode.values()].flat());
  }
  assertEquals(parseIsa("rv64im").rowsWith("0101111"), []);
});

Deno.test("a row that two extensions have is there once", () => {
  const names = parseIsa("rv32i_zbb_zbkb_zbc_zbkc").rows.map((r) => r.name);
  assertEquals(names.length, new Set(names).size);
  for (const name of ["andn", "ror", "rev8", "clmul"]) {
    assert(parseIsa("rv32i_zbkb_zbkc").rows.some((r) => r.name === name), name);
  }
});

Deno.test("instructions whose words differ between RV32 and RV64 have the manual's on each", () => {
  const known: readonly (readonly [text: string, word: number, name: string | undefined])[] = [
    ["rv32i_zbb", 0x6985d513, "rev8"],
    ["rv64i_zbb", 0x6b85d513, "rev8"],
    ["rv64i_zbb", 0x6985d513, undefined],
    ["rv32i_zbb", 0x0805c533, "zext.h"],
    ["rv64i_zbb", 0x0805c53b, "zext.h"],
    ["rv64i_zbb", 0x0805c533, undefined],
    ["rv64i_zbkb", 0x0805c53b, "packw"],
    ["rv32i_zbkb", 0x0805c533, "pack"],
    ["rv32i_zbb_zbkb", 0x0805c533, "zext.h"],
    ["rv32i_zbb", 0x6205d513, undefined], // rori by 32
    ["rv64i_zbb", 0x6205d513, "rori"],
    ["rv64i_zicbop", 0x0015e013, "prefetch.r"],
    ["rv64i", 0x0015e013, "ori"],
  ];
  for (const [text, word, name] of known) {
    assertEquals(new Decoder(parseIsa(text)).decode(word)?.row.name, name, `${text} ${word.toString(16)}`);
  }
});

Deno.test("an ISA with everything is one, and what is unknown is named", () => {
  for (const xlen of [32, 64] as const) assertEquals(parseIsa(parseIsa(everything(xlen)).name).xlen, xlen);
  assertThrows(() => parseIsa("rv64i_zquux"), RangeError, "unknown extension zquux; known are");
  assertThrows(() => parseIsa("rv64m"), RangeError, "the base");
});
