/** Rows that compute from registers and an immediate: the encodings that the extensions share (unpriv §2.4, §4.2). */
import { I, R, RR, Shift, ShiftW } from "./format.ts";
import type { Row } from "./row.ts";

type Run = NonNullable<Row["run"]>;

/** `add rd, rs1, rs2`. */
export function registerRow(name: string, funct7: string, funct3: string, spec: string, run: Run): Row {
  return {
    name,
    bits: `${funct7} ..... ..... ${funct3} ..... 0110011`,
    format: R,
    asm: "rd, rs1, rs2",
    class: "alu",
    spec,
    run,
  };
}

/** `addi rd, rs1, imm`. */
export function immediateRow(name: string, funct3: string, spec: string, run: Run): Row {
  return {
    name,
    bits: `............ ..... ${funct3} ..... 0010011`,
    format: I,
    asm: "rd, rs1, imm",
    class: "alu",
    spec,
    run,
  };
}

/** `slli rd, rs1, imm`: a bit number of as many bits as XLEN needs; the sixth must be 0 on RV32. */
export function shiftRow(name: string, funct6: string, funct3: string, spec: string, run: Run): Row {
  return {
    name,
    bits: `${funct6} ...... ..... ${funct3} ..... 0010011`,
    format: Shift,
    asm: "rd, rs1, imm",
    class: "alu",
    spec,
    run,
  };
}

/** `slliw rd, rs1, imm`: a bit number of five bits. */
export function shiftWordRow(name: string, funct7: string, funct3: string, spec: string, run: Run): Row {
  const row = shiftRow(name, "......", funct3, spec, run);
  return word({ ...row, bits: `${funct7} ..... ..... ${funct3} ..... 0010011`, format: ShiftW });
}

/** `clz rd, rs1`: what looks like an immediate tells which operation it is. */
export function unaryRow(name: string, funct12: string, funct3: string, spec: string, run: Run): Row {
  return {
    name,
    bits: `${funct12} ..... ${funct3} ..... 0010011`,
    format: RR,
    asm: "rd, rs1",
    class: "alu",
    spec,
    run,
  };
}

/** The same row among the instructions on words, in the opcodes that only RV64 has. */
export function word(row: Row): Row {
  return { ...row, bits: row.bits.replace(/0110011$/, "0111011").replace(/0010011$/, "0011011"), xlen: 64 };
}
