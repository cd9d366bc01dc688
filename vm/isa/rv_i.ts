/** The base integer instructions, RV32I and RV64I (unpriv §2, §4), and Zifencei (unpriv §6). */
import { B, Fence, I, J, None, R, S, Shift, ShiftW, U } from "./format.ts";
import type { Extension, MemorySize, Row, Sem } from "./row.ts";

const REG = "rd, rs1, rs2";
const IMM = "rd, rs1, imm";

/** Both operand orders of the manual: register-register and register-immediate rows of one operation. */
function alu(name: string, funct: string, f7: string, run: Row["run"], spec = "unpriv §2.4.2"): Row {
  return { name, bits: `${f7} ..... ..... ${funct} ..... 0110011`, format: R, asm: REG, class: "alu", spec, run: run! };
}
function aluImm(name: string, funct: string, run: Row["run"]): Row {
  return {
    name,
    bits: `............ ..... ${funct} ..... 0010011`,
    format: I,
    asm: IMM,
    class: "alu",
    spec: "unpriv §2.4.1",
    run: run!,
  };
}
function shiftImm(name: string, funct: string, f6: string, run: Row["run"]): Row {
  return {
    name,
    bits: `${f6} ...... ..... ${funct} ..... 0010011`,
    format: Shift,
    asm: IMM,
    class: "alu",
    spec: "unpriv §2.4.1",
    run: run!,
  };
}
function word(row: Row): Row {
  return { ...row, bits: row.bits.replace("0110011", "0111011").replace("0010011", "0011011"), xlen: 64 };
}
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
  aluImm("addi", "000", (s) => s.rd(s.add(s.rs1(), s.imm()))),
  aluImm("slti", "010", (s) => s.rd(s.flag(s.lt(s.rs1(), s.imm())))),
  aluImm("sltiu", "011", (s) => s.rd(s.flag(s.ltu(s.rs1(), s.imm())))),
  aluImm("xori", "100", (s) => s.rd(s.xor(s.rs1(), s.imm()))),
  aluImm("ori", "110", (s) => s.rd(s.or(s.rs1(), s.imm()))),
  aluImm("andi", "111", (s) => s.rd(s.and(s.rs1(), s.imm()))),
  shiftImm("slli", "001", "000000", (s) => s.rd(s.sll(s.rs1(), s.imm()))),
  shiftImm("srli", "101", "000000", (s) => s.rd(s.srl(s.rs1(), s.imm()))),
  shiftImm("srai", "101", "010000", (s) => s.rd(s.sra(s.rs1(), s.imm()))),
  alu("add", "000", "0000000", (s) => s.rd(s.add(s.rs1(), s.rs2()))),
  alu("sub", "000", "0100000", (s) => s.rd(s.sub(s.rs1(), s.rs2()))),
  alu("sll", "001", "0000000", (s) => s.rd(s.sll(s.rs1(), s.rs2()))),
  alu("slt", "010", "0000000", (s) => s.rd(s.flag(s.lt(s.rs1(), s.rs2())))),
  alu("sltu", "011", "0000000", (s) => s.rd(s.flag(s.ltu(s.rs1(), s.rs2())))),
  alu("xor", "100", "0000000", (s) => s.rd(s.xor(s.rs1(), s.rs2()))),
  alu("srl", "101", "0000000", (s) => s.rd(s.srl(s.rs1(), s.rs2()))),
  alu("sra", "101", "0100000", (s) => s.rd(s.sra(s.rs1(), s.rs2()))),
  alu("or", "110", "0000000", (s) => s.rd(s.or(s.rs1(), s.rs2()))),
  alu("and", "111", "0000000", (s) => s.rd(s.and(s.rs1(), s.rs2()))),
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
  word(aluImm("addiw", "000", (s) => s.rd(s.sext(s.add(s.rs1(), s.imm()), 32)))),
  wordShift("slliw", "001", "0000000", (s) => s.rd(s.sext(s.sll(s.rs1(), s.imm()), 32))),
  wordShift("srliw", "101", "0000000", (s) => s.rd(s.sext(s.srl(s.zext(s.rs1(), 32), s.imm()), 32))),
  wordShift("sraiw", "101", "0100000", (s) => s.rd(s.sra(s.sext(s.rs1(), 32), s.imm()))),
  word(alu("addw", "000", "0000000", (s) => s.rd(s.sext(s.add(s.rs1(), s.rs2()), 32)), "unpriv §4.2.2")),
  word(alu("subw", "000", "0100000", (s) => s.rd(s.sext(s.sub(s.rs1(), s.rs2()), 32)), "unpriv §4.2.2")),
  word(
    alu("sllw", "001", "0000000", (s) => s.rd(s.sext(s.sll(s.rs1(), amount32(s)), 32)), "unpriv §4.2.2"),
  ),
  word(
    alu("srlw", "101", "0000000", (s) => s.rd(s.sext(s.srl(s.zext(s.rs1(), 32), amount32(s)), 32)), "unpriv §4.2.2"),
  ),
  word(
    alu("sraw", "101", "0100000", (s) => s.rd(s.sra(s.sext(s.rs1(), 32), amount32(s))), "unpriv §4.2.2"),
  ),
];

function wordShift(name: string, funct: string, f7: string, run: Row["run"]): Row {
  return {
    name,
    bits: `${f7} ..... ..... ${funct} ..... 0011011`,
    format: ShiftW,
    asm: IMM,
    class: "alu",
    spec: "unpriv §4.2.1",
    xlen: 64,
    run: run!,
  };
}

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
