import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Assembler } from "../../vm/isa/assemble.ts";
import { Decoder, patternOf } from "../../vm/isa/decode.ts";
import { Disassembler } from "../../vm/isa/disassemble.ts";
import { encode } from "../../vm/isa/encode.ts";
import { type Format, immediateShift, immediateWidth, type Operands, readOperands } from "../../vm/isa/format.ts";
import type { Row, Xlen } from "../../vm/isa/row.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { Random } from "../support/random.ts";
import { everything } from "./words.ts";
import { checkDiscipline } from "./stack_checker.ts";

const SEED = 20240229;

/** Scatters the bits of `value` over the operand bits of a row, so that fast-check's edge values become operand edges. */
function deposit(row: Row, value: number): number {
  const { mask, match, length } = patternOf(row);
  let word = match;
  let from = 0;
  for (let bit = 0; bit < length * 8; bit++) {
    if ((mask >>> bit) & 1) continue;
    word |= ((value >>> from++) & 1) << bit;
  }
  return word >>> 0;
}

/**
 * Operands as far as the row's text says them. Left out are the fields that the manual reserves and has ignored: all of
 * `fence.i`'s and a hint `c.nop`'s, and of `fence` the registers and a mode other than `fence.tso`'s.
 */
function spoken(row: Row, operands: Operands): Operands {
  const none: Operands = { rd: 0, rs1: 0, rs2: 0, imm: 0 };
  if (row.asm === "") return none;
  if (row.asm !== "fence") return operands;
  const tso = operands.imm === 0x833 && operands.rd === 0 && operands.rs1 === 0;
  return { ...none, imm: tso ? 0x833 : operands.imm & 0xff };
}

for (const xlen of [32, 64] as const) {
  const isa = parseIsa(everything(xlen));
  const decoder = new Decoder(isa);
  const canonical = new Disassembler(isa);
  const usual = new Disassembler(isa, { aliases: true });
  const assembler = new Assembler(isa);
  const claimants = claimantsOf(isa.rows, xlen);
  const pcs = [0n, 0x8000_0000n, (1n << BigInt(xlen)) - 4n];

  for (const row of isa.rows) {
    Deno.test(`rv${xlen} ${row.name}: word, operands, text and back`, () => {
      let tried = 0;
      fc.assert(
        fc.property(fc.integer(), fc.constantFrom(...pcs), (value, pc) => {
          const word = deposit(row, value);
          const decoded = decoder.decode(word);
          if (decoded?.row !== row) return;
          tried++;
          assertEquals(decoded.length, patternOf(row).length);
          assertEquals(decoded.base.name, row.as ?? row.name);
          assertEquals(encode(row, decoded.operands, xlen), { word, length: decoded.length });

          const text = canonical.text(word, pc);
          const again = assembler.instruction(text, pc);
          const back = decoder.decode(again.word);
          assertEquals(back?.row.name, row.name, text);
          const want = spoken(row, decoded.operands);
          assertEquals(back?.operands, want, text);
          assertEquals(again.word, encode(row, want, xlen).word, text);

          // An alias stands for the same work, though a compressed instruction may come back as its long form.
          const alias = usual.text(word, pc);
          const other = decoder.decode(assembler.instruction(alias, pc).word);
          assertSameWork(alias, other, decoder.decode(encode(row, want, xlen).word));
        }),
        { seed: SEED, numRuns: 60 },
      );
      assert(tried > 0, `no generated word was a ${row.name}`);
    });
  }

  Deno.test(`rv${xlen}: no two rows claim one halfword, and the decoder finds the one that does`, () => {
    for (let word = 0; word < 65536; word++) {
      if ((word & 3) !== 3) assertOneClaim(claimants, decoder, word);
    }
  });

  Deno.test(`rv${xlen}: no two rows claim one 32-bit word, and the decoder finds the one that does`, () => {
    const random = new Random(SEED);
    const long = isa.rows.filter((r) => patternOf(r).length === 4);
    for (let i = 0; i < 20_000; i++) {
      // One bit away from an instruction is where a pattern that is too wide shows.
      const near = deposit(random.pick(long), random.bits()) ^ (1 << random.below(32));
      const word = (i % 4 === 0 ? random.bits() : near) | 3;
      assertOneClaim(claimants, decoder, word);
    }
  });

  Deno.test(`rv${xlen}: every row says what it does in stack order, effects last`, () => {
    for (const row of isa.rows) {
      if (row.run === undefined) assert(isa.rows.some((r) => r.name === row.as && r.run !== undefined), row.name);
      else checkDiscipline(row.run, xlen);
    }
  });

  Deno.test(`rv${xlen}: every row refuses operands that its format cannot hold`, () => {
    for (const row of isa.rows) {
      const operands = readOperands(row.format, deposit(row, 0x1248_8421));
      if (decoder.decode(deposit(row, 0x1248_8421))?.row !== row) continue;
      for (const wrong of misfits(row.format)) {
        assertThrows(() => encode(row, { ...operands, ...wrong }, xlen), RangeError, "", `${row.name} ${text(wrong)}`);
      }
    }
  });
}

Deno.test("the discipline test notices rows that break it", () => {
  const wrong: [NonNullable<Row["run"]>, string][] = [
    [(s) => {
      const a = s.rs1();
      s.rd(s.add(a, a));
    }, "add uses rs1 where nothing is on the stack"],
    [(s) => {
      const b = s.rs2();
      s.rd(s.sub(s.rs1(), b));
    }, "sub uses rs1 where rs2 is on the stack"],
    [(s) => {
      s.rs1();
      s.rd(s.imm());
    }, "rd happens while rs1 still waits"],
    [(s) => {
      s.rd(s.imm());
      s.store(s.rs1(), s.rs2(), 4);
    }, "rs1 comes after an effect"],
    [(s) => {
      s.rs1();
    }, "rs1 is made and not used"],
    [() => {}, "the row has no effect"],
    [(s) => s.branch(s.rs1() as never), "branch needs a truth, got the value rs1"],
  ];
  for (const [run, message] of wrong) assertThrows(() => checkDiscipline(run, 64), Error, message);
  checkDiscipline((s) => s.rd(s.select(s.rs1(), s.flag(s.eq(s.rs2(), s.imm())), s.ltu(s.imm(), s.pc()))), 64);
  checkDiscipline((s) => {
    const a = s.let(s.rs1());
    s.rd(s.mul(a(), a()));
  }, 64);
});

function assertSameWork(
  text: string,
  a: ReturnType<Decoder["decode"]>,
  b: ReturnType<Decoder["decode"]>,
): void {
  assert(a !== undefined && b !== undefined, text);
  // `mv` may be addi for c.mv's add: both copy a register.
  if (text.startsWith("mv ")) {
    assertEquals([a.operands.rd, a.operands.rs1 + a.operands.rs2], [b.operands.rd, b.operands.rs1 + b.operands.rs2]);
    return;
  }
  assertEquals(a.base.name, b.base.name, text);
  assertEquals(a.operands, b.operands, text);
}

/** Names of the rows whose pattern and exceptions fit a word, told without the decoder's tree. */
function claimantsOf(rows: readonly Row[], xlen: Xlen): (word: number) => string[] {
  const patterns = rows.map((row) => ({ row, ...patternOf(row) }));
  return (word) => {
    const length = (word & 3) === 3 ? 4 : 2;
    const claims = patterns.filter(({ row, length: own, mask, match }) => {
      if (own !== length || ((word ^ match) & mask) !== 0) return false;
      if (xlen === 32 && ((row.format.rv32Zero ?? 0) & word) !== 0) return false;
      return !(row.except?.(readOperands(row.format, length === 2 ? word & 0xffff : word), xlen) ?? false);
    });
    // Hints and `zext.h` are some words of another row's, which it leaves to them by coming later.
    const within = (a: number, b: number) => (a & b) === a && a !== b;
    return claims.filter((p) => !claims.some((q) => within(p.mask, q.mask))).map((p) => p.row.name);
  };
}

function assertOneClaim(claimants: (word: number) => string[], decoder: Decoder, word: number): void {
  const claims = claimants(word);
  const found = decoder.decode(word)?.row.name;
  if (claims.length > 1 || claims[0] !== found) {
    throw new Error(`0x${(word >>> 0).toString(16)}: decoded as ${found}, claimed by ${claims.join(", ") || "nobody"}`);
  }
}

/** Operands just outside what a format can hold. */
function misfits(format: Format): Partial<Operands>[] {
  const list: Partial<Operands>[] = [];
  for (const name of ["rd", "rs1", "rs2"] as const) {
    const field = format[name];
    if (field === undefined) continue;
    if ("fixed" in field) list.push({ [name]: field.fixed + 1 });
    else if (field.bits === 5) list.push({ [name]: 32 }, { [name]: -1 });
    else list.push({ [name]: 7 }, { [name]: 16 });
  }
  const imm = format.imm;
  if (imm === undefined) return list;
  if (imm.fixed !== undefined) return [...list, { imm: imm.fixed + 1 }];
  const width = immediateWidth(imm);
  const shift = immediateShift(imm);
  if (width < 32) {
    const end = imm.signed ? 2 ** (width - 1) : 2 ** width;
    list.push({ imm: end }, { imm: (imm.signed ? -end : 0) - 2 ** shift });
  }
  if (shift > 0) list.push({ imm: 1 });
  return list;
}

function text(operands: Partial<Operands>): string {
  return JSON.stringify(operands);
}
