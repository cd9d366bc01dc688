/** The base integer instructions, RV32I and RV64I (unpriv §2, §4), and Zifencei (unpriv §6). */
import { immediateRow, registerRow, shiftRow, shiftWordRow, word } from "./alu_rows.ts";
import { B, Fence, I, J, None, S, U } from "./format.ts";
import type { Extension, MemorySize, Row, Sem } from "./row.ts";

const IMMEDIATE = "unpriv §2.4.1";
const REGISTER = "unpriv §2.4.2";
const IMMEDIATE_WORD = "unpriv §4.2.1";
const REGISTER_WORD = "unpriv §4.2.2";

function load(name: string, funct: string, size: MemorySize, extend: "signed" | "unsigned", xlen?: 64): Row {
  return {
    name,
    bits: `............ ..... ${funct} ..... 0000011`,
    format: I,
    asm: "rd, imm(rs1)",
    class: "load",
    spec: "unpriv §2.6",
    ...(xlen && { xlen }),
    run: (s) => s.rd(s.load(s.add(s.rs1(), s.imm()), size, extend)),
  };
}
function store(name: string, funct: string, size: MemorySize, xlen?: 64): Row {
  return {
    name,
    bits: `....... ..... ..... ${funct} ..... 0100011`,
    format: S,
    asm: "rs2, imm(rs1)",
    class: "store",
    spec: "unpriv §2.6",
    ...(xlen && { xlen }),
    run: (s) => s.store(s.add(s.rs1(), s.imm()), s.rs2(), size),
  };
}
function branch(name: string, funct: string, test: <V, C>(s: Sem<V, C>, a: V, b: V) => C): Row {
  return {
    name,
    bits: `. ...... ..... ..... ${funct} .... . 1100011`,
    format: B,
    asm: "rs1, rs2, offset",
    class: "branch",
    spec: "unpriv §2.5.2",
    run: (s) => s.branch(test(s, s.rs1(), s.rs2())),
  };
}

const rows: readonly Row[] = [
  {
    name: "lui",
    bits: ".................... ..... 0110111",
    format: U,
    asm: "rd, imm20",
    class: "alu",
    spec: "unpriv §2.4.1",
    run: (s) => s.rd(s.imm()),
  },
  {
    name: "auipc",
    bits: ".................... ..... 0010111",
    format: U,
    asm: "rd, imm20",
    class: "alu",
    spec: "unpriv §2.4.1",
    run: (s) => s.rd(s.add(s.pc(), s.imm())),
  },
  {
    name: "jal",
    bits: ". .......... . ........ ..... 1101111",
    format: J,
    asm: "rd, offset",
    class: "jump",
    spec: "unpriv §2.5.1",
    run: (s) => s.jumpRelative(),
  },
  {
    name: "jalr",
    bits: "............ ..... 000 ..... 1100111",
    format: I,
    asm: "rd, imm(rs1)",
    class: "jump",
    spec: "unpriv §2.5.1",
    run: (s) => s.jump(s.and(s.add(s.rs1(), s.imm()), s.constant(-2))),
  },
  branch("beq", "000", (s, a, b) => s.eq(a, b)),
  branch("bne", "001", (s, a, b) => s.ne(a, b)),
  branch("blt", "100", (s, a, b) => s.lt(a, b)),
  branch("bge", "101", (s, a, b) => s.ge(a, b)),
  branch("bltu", "110", (s, a, b) => s.ltu(a, b)),
  branch("bgeu", "111", (s, a, b) => s.geu(a, b)),
  load("lb", "000", 1, "signed"),
  load("lh", "001", 2, "signed"),
  load("lw", "010", 4, "signed"),
  load("ld", "011", 8, "signed", 64),
  load("lbu", "100", 1, "unsigned"),
  load("lhu", "101", 2, "unsigned"),
  load("lwu", "110", 4, "unsigned", 64),
  store("sb", "000", 1),
  store("sh", "001", 2),
  store("sw", "010", 4),
  store("sd", "011", 8, 64),
  immediateRow("addi", "000", IMMEDIATE, (s) => s.rd(s.add(s.rs1(), s.imm()))),
  immediateRow("slti", "010", IMMEDIATE, (s) => s.rd(s.flag(s.lt(s.rs1(), s.imm())))),
  immediateRow("sltiu", "011", IMMEDIATE, (s) => s.rd(s.flag(s.ltu(s.rs1(), s.imm())))),
  immediateRow("xori", "100", IMMEDIATE, (s) => s.rd(s.xor(s.rs1(), s.imm()))),
  immediateRow("ori", "110", IMMEDIATE, (s) => s.rd(s.or(s.rs1(), s.imm()))),
  immediateRow("andi", "111", IMMEDIATE, (s) => s.rd(s.and(s.rs1(), s.imm()))),
  shiftRow("slli", "000000", "001", IMMEDIATE, (s) => s.rd(s.sll(s.rs1(), s.imm()))),
  shiftRow("srli", "000000", "101", IMMEDIATE, (s) => s.rd(s.srl(s.rs1(), s.imm()))),
  shiftRow("srai", "010000", "101", IMMEDIATE, (s) => s.rd(s.sra(s.rs1(), s.imm()))),
  registerRow("add", "0000000", "000", REGISTER, (s) => s.rd(s.add(s.rs1(), s.rs2()))),
  registerRow("sub", "0100000", "000", REGISTER, (s) => s.rd(s.sub(s.rs1(), s.rs2()))),
  registerRow("sll", "0000000", "001", REGISTER, (s) => s.rd(s.sll(s.rs1(), s.rs2()))),
  registerRow("slt", "0000000", "010", REGISTER, (s) => s.rd(s.flag(s.lt(s.rs1(), s.rs2())))),
  registerRow("sltu", "0000000", "011", REGISTER, (s) => s.rd(s.flag(s.ltu(s.rs1(), s.rs2())))),
  registerRow("xor", "0000000", "100", REGISTER, (s) => s.rd(s.xor(s.rs1(), s.rs2()))),
  registerRow("srl", "0000000", "101", REGISTER, (s) => s.rd(s.srl(s.rs1(), s.rs2()))),
  registerRow("sra", "0100000", "101", REGISTER, (s) => s.rd(s.sra(s.rs1(), s.rs2()))),
  registerRow("or", "0000000", "110", REGISTER, (s) => s.rd(s.or(s.rs1(), s.rs2()))),
  registerRow("and", "0000000", "111", REGISTER, (s) => s.rd(s.and(s.rs1(), s.rs2()))),
  {
    name: "fence",
    bits: "............ ..... 000 ..... 0001111",
    format: Fence,
    asm: "fence",
    class: "fence",
    spec: "unpriv §2.7",
    run: (s) => s.fence(),
  },
  {
    name: "ecall",
    bits: "000000000000 00000 000 00000 1110011",
    format: None,
    asm: "",
    class: "system",
    spec: "unpriv §2.8",
    run: (s) => s.system("ecall"),
  },
  {
    name: "ebreak",
    bits: "000000000001 00000 000 00000 1110011",
    format: None,
    asm: "",
    class: "system",
    spec: "unpriv §2.8",
    run: (s) => s.system("ebreak"),
  },
  // RV64I: the *W forms work on the low 32 bits and sign-extend (unpriv §4.2).
  word(immediateRow("addiw", "000", IMMEDIATE_WORD, (s) => s.rd(s.sext(s.add(s.rs1(), s.imm()), 32)))),
  shiftWordRow("slliw", "0000000", "001", IMMEDIATE_WORD, (s) => s.rd(s.sext(s.sll(s.rs1(), s.imm()), 32))),
  shiftWordRow("srliw", "0000000", "101", IMMEDIATE_WORD, (s) => s.rd(s.sext(s.srl(s.zext(s.rs1(), 32), s.imm()), 32))),
  shiftWordRow("sraiw", "0100000", "101", IMMEDIATE_WORD, (s) => s.rd(s.sra(s.sext(s.rs1(), 32), s.imm()))),
  ...[
    registerRow("addw", "0000000", "000", REGISTER_WORD, (s) => s.rd(s.sext(s.add(s.rs1(), s.rs2()), 32))),
    registerRow("subw", "0100000", "000", REGISTER_WORD, (s) => s.rd(s.sext(s.sub(s.rs1(), s.rs2()), 32))),
    registerRow("sllw", "0000000", "001", REGISTER_WORD, (s) => s.rd(s.sext(s.sll(s.rs1(), amount32(s)), 32))),
    registerRow(
      "srlw",
      "0000000",
      "101",
      REGISTER_WORD,
      (s) => s.rd(s.sext(s.srl(s.zext(s.rs1(), 32), amount32(s)), 32)),
    ),
    registerRow("sraw", "0100000", "101", REGISTER_WORD, (s) => s.rd(s.sra(s.sext(s.rs1(), 32), amount32(s)))),
  ].map(word),
];

/** Shift amount of a word shift: the low five bits of rs2. */
function amount32<V, C>(s: Sem<V, C>): V {
  return s.and(s.rs2(), s.constant(31));
}

/** RV32I and RV64I. */
export const rvI: Extension = { name: "i", rows };

/** Zifencei (unpriv §6). */
export const rvZifencei: Extension = {
  name: "zifencei",
  rows: [{
    name: "fence.i",
    bits: "............ ..... 001 ..... 0001111",
    format: I,
    asm: "",
    class: "fence",
    spec: "unpriv §6",
    run: (s) => s.system("fence.i"),
  }],
};
