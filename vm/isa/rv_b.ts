/**
 * Bit manipulation (unpriv "B"): Zba, Zbb and Zbs, which the letter `b` stands for, Zbc, and of the cryptography
 * extensions those without cryptography, Zbkb, Zbkc and Zbkx. What two of them have in common is the same row in both.
 */
import { registerRow, shiftRow, shiftWordRow, unaryRow, word } from "./alu_rows.ts";
import type { Extension, Row, Sem } from "./row.ts";

const ZBA = "unpriv Zba";
const ZBB = "unpriv Zbb";
const ZBC = "unpriv Zbc";
const ZBS = "unpriv Zbs";
const ZBKB = "unpriv Zbkb";
const ZBKX = "unpriv Zbkx";

/** Address generation: a sum with a shifted index, which the `.uw` forms take from the low 32 bits. */
const shiftAdds: readonly Row[] = ([[1, "010"], [2, "100"], [3, "110"]] as const).flatMap(([by, funct3]): Row[] => [
  registerRow(
    `sh${by}add`,
    "0010000",
    funct3,
    ZBA,
    (s) => s.rd(s.add(s.sll(s.rs1(), s.constant(by)), s.rs2())),
  ),
  word(registerRow(
    `sh${by}add.uw`,
    "0010000",
    funct3,
    ZBA,
    (s) => s.rd(s.add(s.sll(s.zext(s.rs1(), 32), s.constant(by)), s.rs2())),
  )),
]);

/** Zba. */
export const rvZba: Extension = {
  name: "zba",
  rows: [
    ...shiftAdds,
    word(registerRow("add.uw", "0000100", "000", ZBA, (s) => s.rd(s.add(s.zext(s.rs1(), 32), s.rs2())))),
    word(shiftRow("slli.uw", "000010", "001", ZBA, (s) => s.rd(s.sll(s.zext(s.rs1(), 32), s.imm())))),
  ],
};

/** The low word of rs1 twice: to rotate it by n is to rotate the doubleword by n. */
function twice<V, B>(s: Sem<V, B>): V {
  return s.or(s.zext(s.rs1(), 32), s.sll(s.rs1(), s.constant(32)));
}

const MINUS_1 = -1;

/** In Zbb and in Zbkb. */
const logicAndRotation: readonly Row[] = [
  registerRow("andn", "0100000", "111", ZBB, (s) => s.rd(s.and(s.rs1(), s.xor(s.rs2(), s.constant(MINUS_1))))),
  registerRow("orn", "0100000", "110", ZBB, (s) => s.rd(s.or(s.rs1(), s.xor(s.rs2(), s.constant(MINUS_1))))),
  registerRow("xnor", "0100000", "100", ZBB, (s) => s.rd(s.xor(s.xor(s.rs1(), s.rs2()), s.constant(MINUS_1)))),
  registerRow("rol", "0110000", "001", ZBB, (s) => s.rd(s.bits.rol(s.rs1(), s.rs2()))),
  registerRow("ror", "0110000", "101", ZBB, (s) => s.rd(s.bits.ror(s.rs1(), s.rs2()))),
  shiftRow("rori", "011000", "101", ZBB, (s) => s.rd(s.bits.ror(s.rs1(), s.imm()))),
  word(registerRow("rolw", "0110000", "001", ZBB, (s) => s.rd(s.sext(s.bits.rol(twice(s), s.rs2()), 32)))),
  word(registerRow("rorw", "0110000", "101", ZBB, (s) => s.rd(s.sext(s.bits.ror(twice(s), s.rs2()), 32)))),
  shiftWordRow("roriw", "0110000", "101", ZBB, (s) => s.rd(s.sext(s.bits.ror(twice(s), s.imm()), 32))),
  { ...unaryRow("rev8", "011010011000", "101", ZBB, (s) => s.rd(s.bits.rev8(s.rs1()))), xlen: 32 },
  { ...unaryRow("rev8", "011010111000", "101", ZBB, (s) => s.rd(s.bits.rev8(s.rs1()))), xlen: 64 },
];

/** `zext.h` is Zbkb's pack (packw on RV64) with x0. */
const zextH: Row = {
  ...unaryRow("zext.h", "", "", ZBB, (s) => s.rd(s.zext(s.rs1(), 16))),
  bits: "0000100 00000 ..... 100 ..... 0110011",
};

/** Zbb. */
export const rvZbb: Extension = {
  name: "zbb",
  rows: [
    ...logicAndRotation,
    unaryRow("clz", "011000000000", "001", ZBB, (s) => s.rd(s.bits.clz(s.rs1()))),
    unaryRow("ctz", "011000000001", "001", ZBB, (s) => s.rd(s.bits.ctz(s.rs1()))),
    unaryRow("cpop", "011000000010", "001", ZBB, (s) => s.rd(s.bits.cpop(s.rs1()))),
    unaryRow("sext.b", "011000000100", "001", ZBB, (s) => s.rd(s.sext(s.rs1(), 8))),
    unaryRow("sext.h", "011000000101", "001", ZBB, (s) => s.rd(s.sext(s.rs1(), 16))),
    unaryRow("orc.b", "001010000111", "101", ZBB, (s) => s.rd(s.bits.orcb(s.rs1()))),
    ...[
      unaryRow(
        "clzw",
        "011000000000",
        "001",
        ZBB,
        (s) => s.rd(s.sub(s.bits.clz(s.zext(s.rs1(), 32)), s.constant(32))),
      ),
      // A one above the word is the end of the count.
      unaryRow("ctzw", "011000000001", "001", ZBB, (s) => s.rd(s.bits.ctz(s.or(s.rs1(), s.constant(2 ** 32))))),
      unaryRow("cpopw", "011000000010", "001", ZBB, (s) => s.rd(s.bits.cpop(s.zext(s.rs1(), 32)))),
    ].map(word),
    registerRow("min", "0000101", "100", ZBB, (s) => s.rd(s.select(s.rs1(), s.rs2(), s.lt(s.rs1(), s.rs2())))),
    registerRow("minu", "0000101", "101", ZBB, (s) => s.rd(s.select(s.rs1(), s.rs2(), s.ltu(s.rs1(), s.rs2())))),
    registerRow("max", "0000101", "110", ZBB, (s) => s.rd(s.select(s.rs1(), s.rs2(), s.ge(s.rs1(), s.rs2())))),
    registerRow("maxu", "0000101", "111", ZBB, (s) => s.rd(s.select(s.rs1(), s.rs2(), s.geu(s.rs1(), s.rs2())))),
    { ...zextH, xlen: 32 },
    word(zextH),
  ],
};

/** Where the number of a bit comes from. */
type BitNumber = <V, B>(s: Sem<V, B>) => V;
const byRegister: BitNumber = (s) => s.rs2();
const byImmediate: BitNumber = (s) => s.imm();

type BitOperation = (number: BitNumber) => NonNullable<Row["run"]>;

const clear: BitOperation = (n) => (s) => s.rd(s.and(s.rs1(), s.xor(s.sll(s.constant(1), n(s)), s.constant(MINUS_1))));
const extract: BitOperation = (n) => (s) => s.rd(s.and(s.srl(s.rs1(), n(s)), s.constant(1)));
const invert: BitOperation = (n) => (s) => s.rd(s.xor(s.rs1(), s.sll(s.constant(1), n(s))));
const set: BitOperation = (n) => (s) => s.rd(s.or(s.rs1(), s.sll(s.constant(1), n(s))));

/** Zbs: single bits, numbered modulo XLEN. */
export const rvZbs: Extension = {
  name: "zbs",
  rows: [
    registerRow("bclr", "0100100", "001", ZBS, clear(byRegister)),
    shiftRow("bclri", "010010", "001", ZBS, clear(byImmediate)),
    registerRow("bext", "0100100", "101", ZBS, extract(byRegister)),
    shiftRow("bexti", "010010", "101", ZBS, extract(byImmediate)),
    registerRow("binv", "0110100", "001", ZBS, invert(byRegister)),
    shiftRow("binvi", "011010", "001", ZBS, invert(byImmediate)),
    registerRow("bset", "0010100", "001", ZBS, set(byRegister)),
    shiftRow("bseti", "001010", "001", ZBS, set(byImmediate)),
  ],
};

/** Products without carries. */
const clmul: readonly Row[] = [
  registerRow("clmul", "0000101", "001", ZBC, (s) => s.rd(s.bits.clmul(s.rs1(), s.rs2()))),
  // The whole product has 2 XLEN - 1 bits.
  registerRow(
    "clmulh",
    "0000101",
    "011",
    ZBC,
    (s) => s.rd(s.srl(s.bits.clmulr(s.rs1(), s.rs2()), s.constant(1))),
  ),
];

/** Zbc. */
export const rvZbc: Extension = {
  name: "zbc",
  rows: [
    ...clmul,
    registerRow("clmulr", "0000101", "010", ZBC, (s) => s.rd(s.bits.clmulr(s.rs1(), s.rs2()))),
  ],
};

/** Zbkc: Zbc without `clmulr`. */
export const rvZbkc: Extension = { name: "zbkc", rows: clmul };

/** Zbkb. */
export const rvZbkb: Extension = {
  name: "zbkb",
  rows: [
    ...logicAndRotation,
    registerRow("pack", "0000100", "100", ZBKB, (s) => {
      const half = s.xlen === 64 ? 32 : 16;
      s.rd(s.or(s.zext(s.rs1(), half), s.sll(s.rs2(), s.constant(half))));
    }),
    registerRow(
      "packh",
      "0000100",
      "111",
      ZBKB,
      (s) => s.rd(s.or(s.zext(s.rs1(), 8), s.sll(s.zext(s.rs2(), 8), s.constant(8)))),
    ),
    word(registerRow(
      "packw",
      "0000100",
      "100",
      ZBKB,
      (s) => s.rd(s.sext(s.or(s.zext(s.rs1(), 16), s.sll(s.rs2(), s.constant(16))), 32)),
    )),
    unaryRow("brev8", "011010000111", "101", ZBKB, (s) => s.rd(s.bits.brev8(s.rs1()))),
    { ...unaryRow("zip", "000010001111", "001", ZBKB, (s) => s.rd(s.bits.zip(s.rs1()))), xlen: 32 },
    { ...unaryRow("unzip", "000010001111", "101", ZBKB, (s) => s.rd(s.bits.unzip(s.rs1()))), xlen: 32 },
  ],
};

/** Zbkx: tables of fields, looked up by fields. */
export const rvZbkx: Extension = {
  name: "zbkx",
  rows: [
    registerRow("xperm4", "0010100", "010", ZBKX, (s) => s.rd(s.bits.xperm(s.rs1(), s.rs2(), 4))),
    registerRow("xperm8", "0010100", "100", ZBKX, (s) => s.rd(s.bits.xperm(s.rs1(), s.rs2(), 8))),
  ],
};
