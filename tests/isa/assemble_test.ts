import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { Assembler, AssemblyError } from "../../vm/isa/assemble.ts";
import { csrNumber } from "../../vm/isa/csr_names.ts";
import { Decoder } from "../../vm/isa/decode.ts";
import { Disassembler } from "../../vm/isa/disassemble.ts";
import { encode } from "../../vm/isa/encode.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { assembleForeign, binutils } from "../support/binutils.ts";
import { withTool } from "../support/tools.ts";
import { Random } from "../support/random.ts";
import { foreignIsa, randomWord } from "./words.ts";

const rv64 = new Assembler(parseIsa("rv64imac"));
const rv32 = new Assembler(parseIsa("rv32imac"));

/** The program's 32-bit words. */
function words(assembler: Assembler, text: string, origin = 0n): number[] {
  const { bytes } = assembler.program(text, origin);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

/** What `lui`, `addi`, `addiw` and `slli` leave in a register: enough to check `li`, written down independently. */
function evaluateConstant(code: readonly number[], xlen: 32 | 64): bigint {
  let value = 0n;
  for (const word of code) {
    const imm = BigInt(word >> 20);
    const opcode = word & 0x7f;
    if (opcode === 0x37) value = BigInt((word & 0xfffff000) | 0);
    else if (opcode === 0x1b) value = BigInt.asIntN(32, value + imm);
    else if (opcode === 0x13 && ((word >> 12) & 7) === 0) value = ((word >> 15) & 31) === 0 ? imm : value + imm;
    else if (opcode === 0x13 && ((word >> 12) & 7) === 1) value <<= imm & 63n;
    else throw new Error(`unexpected ${word.toString(16)}`);
    value = BigInt.asIntN(xlen, value);
  }
  return value;
}

Deno.test("one instruction assembles to the manual's word", () => {
  const known: [string, number][] = [
    ["add a2, a0, a1", 0x00b50633],
    ["ADD x12,x10,x11", 0x00b50633],
    ["lw ra, 8(sp)", 0x00812083],
    ["lw ra, (sp)", 0x00012083],
    ["sd ra, -8(fp)", 0xfe143c23],
    ["lui a0, 0xfffff", 0xfffff537],
    ["lui a0, -1", 0xfffff537],
    ["lr.w.aqrl a0, (a1)", 0x1605a52f],
    ["amoadd.d.aq a0, a1, (a2)", 0x04b6352f],
    ["fence rw, w", 0x0310000f],
    ["fence", 0x0ff0000f],
    ["fence.tso", 0x8330000f],
    ["csrr a0, mstatus", 0x30002573],
    ["csrw 0x7c0, a0", 0x7c051073],
    ["csrsi mstatus, 8", 0x30046073],
    ["rdtime a0", 0xc0102573],
    ["ret", 0x00008067],
    ["jr 4(a0)", 0x00450067],
    ["jalr a0, a1, 4", 0x00458567],
    ["mret", 0x30200073],
    ["sfence.vma a0", 0x12050073],
    ["c.addi16sp sp, -16", 0x717d],
    ["c.mv a0, a1", 0x852e],
    ["c.lw a0, 4(a1)", 0x41c8],
    [".word 0xdeadbeef", 0xdeadbeef],
    ["li a0, 'A'", 0x04100513],
    ["bgt a0, a1, 8", 0x00a5c463],
  ];
  for (const [text, word] of known) assertEquals(rv64.instruction(text).word, word, text);
});

Deno.test("labels, numeric labels, data and alignment", () => {
  const program = rv64.program(
    `
start:  la a0, data          # eight bytes
1:      lbu a1, 0(a0); beqz a1, 1f
        addi a0, a0, 1
        j 1b                 // back to the lbu
1:      bnez a1, start
        c.nop
        .align 3
data:   .byte 1, -1, 'a'
        .half 0x1234
        .align 2
end:    .word end - data, .
        .dword data + 1, -1
`,
    0x8000_0000n,
  );
  assertEquals(Object.fromEntries(program.labels), {
    start: 0x8000_0000n,
    data: 0x8000_0020n,
    end: 0x8000_0028n,
  });
  const view = new DataView(program.bytes.buffer);
  const d = new Disassembler(parseIsa("rv64imac"));
  const text = (at: number) => d.text(view.getUint32(at, true), 0x8000_0000n + BigInt(at));
  assertEquals([0, 4, 8, 12, 16, 20, 24].map(text), [
    "auipc a0, 0x0",
    "addi a0, a0, 32",
    "lbu a1, 0(a0)",
    "beq a1, zero, 0x80000018",
    "addi a0, a0, 1",
    "jal zero, 0x80000008",
    "bne a1, zero, 0x80000000",
  ]);
  assertEquals(text(28), "c.nop");
  assertEquals([...program.bytes.slice(30, 40)], [1, 0, 1, 255, 97, 0x34, 0x12, 1, 0, 0].with(7, 0x00).with(8, 0x01));
  assertEquals(view.getUint32(0x28, true), 8);
  assertEquals(view.getUint32(0x2c, true), 0x8000_0028);
  assertEquals(view.getBigUint64(0x30, true), 0x8000_0021n);
  assertEquals(view.getBigInt64(0x38, true), -1n);
});

Deno.test("call, tail and la reach both ways from the instruction's own address", () => {
  assertEquals(words(rv64, "call 0x80000800", 0x8000_0000n), [0x00001097, 0x800080e7]);
  assertEquals(words(rv64, "tail 0", 0x1000n), [0xfffff317, 0x00030067]);
  assertEquals(words(rv32, "la a0, 0", 0x8000_0000n), [0x80000517, 0x00050513]);
  assertThrows(() => rv64.program("la a0, 0", 0x8000_0000_0000n), AssemblyError, "too far away");
});

Deno.test("li makes every constant, and the short ones shortly", () => {
  const random = new Random(7);
  const edges = [0n, 1n, -1n, 2047n, 2048n, -2048n, -2049n, 0x7ffff800n, 0x7fffffffn, 0x80000000n, 0xffffffffn];
  const wide = [0x7fff_ffff_ffff_ffffn, -0x8000_0000_0000_0000n, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn];
  for (let i = 0; i < 64; i++) {
    wide.push(1n << BigInt(i), (1n << BigInt(i)) - 1n, BigInt.asIntN(64, ~(1n << BigInt(i))));
  }
  for (let i = 0; i < 500; i++) wide.push(random.bits64() >> BigInt(random.below(64)));
  for (const value of [...edges, ...wide]) {
    const code = words(rv64, `li a0, ${value}`);
    assertEquals(evaluateConstant(code, 64), BigInt.asIntN(64, value), `li a0, ${value}`);
    if (code.length > 8) throw new Error(`li a0, ${value} takes ${code.length} instructions`);
  }
  for (const value of [...edges, ...wide].map((v) => BigInt.asIntN(32, v))) {
    const code = words(rv32, `li a0, ${value}`);
    assertEquals(evaluateConstant(code, 32), value, `rv32 li a0, ${value}`);
    if (code.length > 2) throw new Error(`rv32 li a0, ${value} takes ${code.length} instructions`);
  }
  assertEquals(words(rv64, "li a0, 2047").length, 1);
  assertEquals(words(rv64, "li a0, 0x7fffffff").length, 2);
  assertEquals(words(rv64, "li a0, 0x10000000000").length, 2);
  assertEquals(words(rv32, "li a0, 0xffffffff"), [0xfff00513]);
});

Deno.test("errors name the line and what was expected", () => {
  const wrong: [string, number, string][] = [
    ["nop\nnop\nadd a0, a1", 3, "add takes 3 operands, got 2"],
    ["addd a0, a1, a2", 1, "unknown instruction addd"],
    ["\nadd a0, a1, a32", 2, "expected a register, got a32"],
    ["addi a0, a1, 2048", 1, "immediate 2048 does not fit format I"],
    ["lw a0, 8", 1, "expected an address such as 8(sp), got 8"],
    ["j nowhere", 1, "nowhere is neither a number nor a label"],
    ["j 1f\n1:\nj 1f", 3, "1f is neither a number nor a label"],
    ["beqz a0, 3", 1, "does not fit format B"],
    ["a: nop\na: nop", 2, "label a is there already"],
    ["csrwi mstatus, 32", 1, "expected 0 to 31, got 32"],
    ["fence wr, w", 1, "expected a set such as rw or iorw, got wr"],
    [".quux 1", 1, "unknown directive .quux"],
    [".byte 256", 1, "256 does not fit 1 bytes"],
    [".zero 99999999999", 1, "expected 0 to"],
    [".zero 16777216\nnop", 2, "program is longer than"],
    ["c.addi sp, 0x40", 1, "does not fit format CI"],
    ["c.lw a0, 4(sp)", 1, "rs1 must be x8 to x15, got x2"],
    ["c.addi16sp a0, 16", 1, "expected sp, got a0"],
    ["c.mv a0, zero", 1, "c.mv with these operands is reserved"],
    ["mul.aq a0, a1, a2", 1, "unknown instruction mul.aq"],
    ["li a0, somewhere", 1, "somewhere is neither a number nor a label"],
    ["li a0, 0x1ffffffffffffffff", 1, "does not fit 64 bits"],
    ["addi a0, a0, 1 2", 1, "cannot read 1 2"],
    ["jr a99", 1, "expected a register, got a99; or expected an address such as 8(sp), got a99"],
  ];
  for (const [text, line, message] of wrong) {
    const error = assertThrows(() => rv64.program(text), AssemblyError, message, text);
    assertInstanceOf(error, AssemblyError);
    assertEquals(error.line, line, text);
  }
  assertThrows(() => rv32.program("ld a0, 0(a1)"), AssemblyError, "unknown instruction ld");
  assertThrows(() => rv32.program("slli a0, a0, 32"), AssemblyError, "a shift on RV32 goes to 31");
  assertThrows(() => rv64.instruction("nop; nop"), AssemblyError, "expected one instruction");
});

Deno.test("encode refuses what a row cannot hold", () => {
  const rows = new Map(parseIsa("rv64imac").rows.map((r) => [r.name, r]));
  const none = { rd: 0, rs1: 0, rs2: 0, imm: 0 };
  assertThrows(() => encode(rows.get("ld")!, none, 32), RangeError, "RV64 only");
  assertThrows(() => encode(rows.get("lr.w")!, { ...none, rs2: 1 }, 64), RangeError, "does not take");
  assertThrows(() => encode(rows.get("c.nop")!, { ...none, rd: 1, rs1: 1 }, 64), RangeError, "does not take");
});

for (const xlen of [32, 64] as const) {
  Deno.test(withTool(
    `GNU as makes the same words of our text, with aliases and without, rv${xlen}`,
    binutils,
    async () => {
      const isa = parseIsa(foreignIsa(xlen));
      const ours = new Assembler(isa);
      const decoder = new Decoder(isa);
      const random = new Random(xlen);
      for (const aliases of [false, true]) {
        const d = new Disassembler(isa, { aliases });
        const texts: string[] = [];
        for (const row of isa.rows) {
          for (let i = 0; i < 20; i++) {
            const word = randomWord(row, decoder, random);
            if (word === undefined) continue;
            const text = d.text(word, 0n);
            if (!refusedByGnu(text)) texts.push(text);
          }
        }
        assert(texts.length > 1000, `only ${texts.length} instructions`);
        const source = texts.map((t) => `.option ${t.startsWith("c.") ? "rvc" : "norvc"}\n${forGnu(t, xlen)}\n`).join(
          "",
        );
        const theirs = await assembleForeign(foreignIsa(xlen), source);
        const differences = texts.flatMap((text, i) => {
          const { word } = ours.instruction(text);
          return word === theirs[i] ? [] : [`${text}: ours ${word.toString(16)}, GNU as's ${theirs[i]?.toString(16)}`];
        });
        assertEquals(differences.slice(0, 10), []);
      }
    },
  ));
}

/**
 * What GNU as does not take: hints (a shift by 0, a result in x0, c.ntl) under these names, fences with an empty set, and a
 * rounding mode where nothing is rounded.
 */
function refusedByGnu(text: string): boolean {
  if (text.startsWith("c.ntl.")) return true;
  if (/^fcvt\.(d\.(w|wu|s|h)|s\.h) .*,.*,/.test(text)) return true;
  return /^c\.(slli|srli|srai) .*, 0$/.test(text) || /^c\.\w+ zero,/.test(text) || /^fence .*\b0\b/.test(text);
}

/** Our text as GNU as takes it: jump targets relative to here, CSRs by number (it does not know the newest names). */
function forGnu(text: string, xlen: 32 | 64): string {
  if (/^(c\.)?(jal|j|b\w+) /.test(text)) {
    return text.replace(/(0x[0-9a-f]+)$/, (target) => `. + ${BigInt.asIntN(xlen, BigInt(target))}`);
  }
  return text.replace(/\b[a-z]\w+\b/g, (name) => String(csrNumber(name) ?? name));
}
