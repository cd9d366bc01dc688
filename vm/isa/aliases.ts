/**
 * Usual other names of instructions with some operands fixed (unpriv §"Assembly Programmer's Handbook"). The
 * disassembler reads the table from right to left, the assembler from left to right. What becomes several instructions
 * (`li`, `la`, `call`, `tail`) is in `assemble.ts`.
 */
import type { Operands } from "./format.ts";

/** One alias. */
export interface Alias {
  readonly name: string;
  /** The row it stands for. */
  readonly of: string;
  /** Operands in its text, in the words of `operand_text.ts`. */
  readonly asm: string;
  /** Operands it fixes. */
  readonly with: Partial<Operands>;
  /** rs2 is the same register as rs1. */
  readonly twice?: true;
  /** Only one direction: the other has a better choice. */
  readonly only?: "assemble" | "disassemble";
  /** Shown even where aliases are not wanted: the specification gives it as an instruction of its own. */
  readonly always?: true;
}

const X0 = 0;
const RA = 1;

/** In order of preference: the first one that fits is shown. */
export const aliases: readonly Alias[] = [
  { name: "nop", of: "addi", asm: "", with: { rd: X0, rs1: X0, imm: 0 } },
  // Whatever its immediate hints at.
  { name: "nop", of: "c.nop", asm: "", with: {}, only: "disassemble" },
  { name: "li", of: "addi", asm: "rd, imm", with: { rs1: X0 }, only: "disassemble" },
  { name: "mv", of: "addi", asm: "rd, rs1", with: { imm: 0 } },
  { name: "mv", of: "c.mv", asm: "rd, rs2", with: {}, only: "disassemble" },
  { name: "not", of: "xori", asm: "rd, rs1", with: { imm: -1 } },
  { name: "zext.b", of: "andi", asm: "rd, rs1", with: { imm: 255 } },
  { name: "neg", of: "sub", asm: "rd, rs2", with: { rs1: X0 } },
  { name: "negw", of: "subw", asm: "rd, rs2", with: { rs1: X0 } },
  { name: "sext.w", of: "addiw", asm: "rd, rs1", with: { imm: 0 } },
  { name: "seqz", of: "sltiu", asm: "rd, rs1", with: { imm: 1 } },
  { name: "snez", of: "sltu", asm: "rd, rs2", with: { rs1: X0 } },
  { name: "sltz", of: "slt", asm: "rd, rs1", with: { rs2: X0 } },
  { name: "sgtz", of: "slt", asm: "rd, rs2", with: { rs1: X0 } },
  { name: "zext.w", of: "add.uw", asm: "rd, rs1", with: { rs2: X0 } },
  { name: "beqz", of: "beq", asm: "rs1, offset", with: { rs2: X0 } },
  { name: "bnez", of: "bne", asm: "rs1, offset", with: { rs2: X0 } },
  { name: "bltz", of: "blt", asm: "rs1, offset", with: { rs2: X0 } },
  { name: "bgez", of: "bge", asm: "rs1, offset", with: { rs2: X0 } },
  { name: "bgtz", of: "blt", asm: "rs2, offset", with: { rs1: X0 } },
  { name: "blez", of: "bge", asm: "rs2, offset", with: { rs1: X0 } },
  { name: "bgt", of: "blt", asm: "rs2, rs1, offset", with: {}, only: "assemble" },
  { name: "ble", of: "bge", asm: "rs2, rs1, offset", with: {}, only: "assemble" },
  { name: "bgtu", of: "bltu", asm: "rs2, rs1, offset", with: {}, only: "assemble" },
  { name: "bleu", of: "bgeu", asm: "rs2, rs1, offset", with: {}, only: "assemble" },
  { name: "j", of: "jal", asm: "offset", with: { rd: X0 } },
  { name: "jal", of: "jal", asm: "offset", with: { rd: RA } },
  { name: "ret", of: "jalr", asm: "", with: { rd: X0, rs1: RA, imm: 0 } },
  { name: "jr", of: "jalr", asm: "rs1", with: { rd: X0, imm: 0 } },
  { name: "jr", of: "jalr", asm: "imm(rs1)", with: { rd: X0 } },
  { name: "jalr", of: "jalr", asm: "rs1", with: { rd: RA, imm: 0 } },
  { name: "jalr", of: "jalr", asm: "imm(rs1)", with: { rd: RA } },
  { name: "jalr", of: "jalr", asm: "rd, rs1, imm", with: {}, only: "assemble" },
  // Writing `cycle` can never work: the usual way to ask for an illegal instruction.
  { name: "unimp", of: "csrrw", asm: "", with: { rd: X0, rs1: X0, imm: 0xc00 } },
  { name: "rdcycle", of: "csrrs", asm: "rd", with: { rs1: X0, imm: 0xc00 } },
  { name: "rdtime", of: "csrrs", asm: "rd", with: { rs1: X0, imm: 0xc01 } },
  { name: "rdinstret", of: "csrrs", asm: "rd", with: { rs1: X0, imm: 0xc02 } },
  { name: "rdcycleh", of: "csrrs", asm: "rd", with: { rs1: X0, imm: 0xc80 } },
  { name: "rdtimeh", of: "csrrs", asm: "rd", with: { rs1: X0, imm: 0xc81 } },
  { name: "rdinstreth", of: "csrrs", asm: "rd", with: { rs1: X0, imm: 0xc82 } },
  { name: "frcsr", of: "csrrs", asm: "rd", with: { rs1: X0, imm: 0x003 } },
  { name: "frrm", of: "csrrs", asm: "rd", with: { rs1: X0, imm: 0x002 } },
  { name: "frflags", of: "csrrs", asm: "rd", with: { rs1: X0, imm: 0x001 } },
  { name: "fscsr", of: "csrrw", asm: "rs1", with: { rd: X0, imm: 0x003 } },
  { name: "fsrm", of: "csrrw", asm: "rs1", with: { rd: X0, imm: 0x002 } },
  { name: "fsflags", of: "csrrw", asm: "rs1", with: { rd: X0, imm: 0x001 } },
  { name: "fscsr", of: "csrrw", asm: "rd, rs1", with: { imm: 0x003 } },
  { name: "fsrm", of: "csrrw", asm: "rd, rs1", with: { imm: 0x002 } },
  { name: "fsflags", of: "csrrw", asm: "rd, rs1", with: { imm: 0x001 } },
  { name: "csrr", of: "csrrs", asm: "rd, csr", with: { rs1: X0 } },
  { name: "csrw", of: "csrrw", asm: "csr, rs1", with: { rd: X0 } },
  { name: "csrs", of: "csrrs", asm: "csr, rs1", with: { rd: X0 } },
  { name: "csrc", of: "csrrc", asm: "csr, rs1", with: { rd: X0 } },
  { name: "csrwi", of: "csrrwi", asm: "csr, uimm", with: { rd: X0 } },
  { name: "csrsi", of: "csrrsi", asm: "csr, uimm", with: { rd: X0 } },
  { name: "csrci", of: "csrrci", asm: "csr, uimm", with: { rd: X0 } },
  ...(["h", "s", "d"] as const).flatMap((f): Alias[] => [
    { name: `fmv.${f}`, of: `fsgnj.${f}`, asm: "frd, frs1", with: {}, twice: true },
    { name: `fneg.${f}`, of: `fsgnjn.${f}`, asm: "frd, frs1", with: {}, twice: true },
    { name: `fabs.${f}`, of: `fsgnjx.${f}`, asm: "frd, frs1", with: {}, twice: true },
  ]),
  // unpriv §2.7: fm = 1000 with both sets rw; Zihintpause is a fence with an empty successor set.
  { name: "fence.tso", of: "fence", asm: "", with: { rd: X0, rs1: X0, imm: 0x833 }, always: true },
  // Zihintntl: the next access has no temporal locality in this cache or the one around it.
  ...(["p1", "pall", "s1", "all"] as const).flatMap((level, i): Alias[] => [
    { name: `ntl.${level}`, of: "add", asm: "", with: { rd: X0, rs1: X0, rs2: 2 + i }, always: true },
    { name: `c.ntl.${level}`, of: "c.add", asm: "", with: { rd: X0, rs1: X0, rs2: 2 + i }, always: true },
  ]),
  { name: "pause", of: "fence", asm: "", with: { rd: X0, rs1: X0, imm: 0x010 }, always: true },
  { name: "fence", of: "fence", asm: "", with: { rd: X0, rs1: X0, imm: 0x0ff } },
  { name: "sfence.vma", of: "sfence.vma", asm: "", with: { rs1: X0, rs2: X0 } },
  { name: "sfence.vma", of: "sfence.vma", asm: "rs1", with: { rs2: X0 } },
];

/** Whether `operands` are those the alias fixes. */
export function aliasFits(alias: Alias, operands: Operands): boolean {
  const { rd, rs1, rs2, imm } = alias.with;
  return (rd === undefined || rd === operands.rd) && (rs1 === undefined || rs1 === operands.rs1) &&
    (rs2 === undefined || rs2 === operands.rs2) && (imm === undefined || imm === operands.imm) &&
    (alias.twice === undefined || operands.rs1 === operands.rs2);
}
