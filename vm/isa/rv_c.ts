/** Compressed instructions (unpriv §26, "Zcb"): each does what a base instruction does with the same operands. */
import * as f from "./format.ts";
import { type Extension, extension, QUADRANTS, type Row } from "./row.ts";
import { rvZba, rvZbb } from "./rv_b.ts";
import { rvD, rvF } from "./rv_float.ts";
import { rvI } from "./rv_i.ts";
import { rvM } from "./rv_m.ts";

let bases: ReadonlyMap<string, Row> | undefined;

/** What a compressed row may say beside that. */
type CompressedMore = Partial<Pick<Row, "xlen" | "needs" | "except" | "spec">>;

/** The short form of the instruction called `as`; `spec` is where it is defined unless `more` says so. */
function compressedRow(
  name: string,
  bits: string,
  format: f.Format,
  asm: string,
  as: string,
  spec: string,
  more: CompressedMore = {},
): Row {
  bases ??= new Map([rvI, rvM, rvF, rvD, rvZba, rvZbb].flatMap((e) => e.rows).map((row) => [row.name, row]));
  const base = bases.get(as);
  if (base === undefined) throw new Error(`row ${name}: there is no ${as} to be short for`);
  return { name, bits, format, asm, as, class: base.class, spec, ...more };
}

function row(name: string, bits: string, format: f.Format, asm: string, as: string, more: CompressedMore = {}): Row {
  return compressedRow(name, bits, format, asm, as, "unpriv §26.5", more);
}

const LOAD = "unpriv §26.3";
const JUMP = "unpriv §26.4";
const noRd = { except: (o: f.Operands) => o.rd === 0 } as const;

const single = { xlen: 32, needs: "f", spec: LOAD } as const;
const double = { needs: "d", spec: LOAD } as const;

/** The C extension. */
export const rvC: Extension = extension("c", QUADRANTS, () => [
  // Quadrant 0
  row("c.addi4spn", "000 ........ ... 00", f.CIW, "rd, sp, imm", "addi", { except: (o) => o.imm === 0 }),
  row("c.lw", "010 ... ... .. ... 00", f.CLw, "rd, imm(rs1)", "lw", { spec: LOAD }),
  row("c.ld", "011 ... ... .. ... 00", f.CLd, "rd, imm(rs1)", "ld", { xlen: 64, spec: LOAD }),
  row("c.sw", "110 ... ... .. ... 00", f.CSw, "rs2, imm(rs1)", "sw", { spec: LOAD }),
  row("c.sd", "111 ... ... .. ... 00", f.CSd, "rs2, imm(rs1)", "sd", { xlen: 64, spec: LOAD }),
  row("c.fld", "001 ... ... .. ... 00", f.CLfd, "frd, imm(rs1)", "fld", double),
  row("c.flw", "011 ... ... .. ... 00", f.CLfw, "frd, imm(rs1)", "flw", single),
  row("c.fsd", "101 ... ... .. ... 00", f.CSfd, "frs2, imm(rs1)", "fsd", double),
  row("c.fsw", "111 ... ... .. ... 00", f.CSfw, "frs2, imm(rs1)", "fsw", single),
  // Quadrant 1
  row("c.nop", "000 . 00000 ..... 01", f.CI, "", "addi"),
  row("c.addi", "000 . ..... ..... 01", f.CI, "rd, imm", "addi", noRd),
  row("c.jal", "001 ........... 01", f.CJlink, "offset", "jal", { xlen: 32, spec: JUMP }),
  row("c.addiw", "001 . ..... ..... 01", f.CI, "rd, imm", "addiw", { xlen: 64, ...noRd }),
  row("c.li", "010 . ..... ..... 01", f.CIli, "rd, imm", "addi"),
  row("c.addi16sp", "011 . 00010 ..... 01", f.CIsp16, "sp, imm", "addi", { except: (o) => o.imm === 0 }),
  row("c.lui", "011 . ..... ..... 01", f.CIlui, "rd, imm20", "lui", {
    except: (o) => o.imm === 0 || o.rd === 2,
  }),
  row("c.srli", "100 . 00 ... ..... 01", f.CBshift, "rd, imm", "srli"),
  row("c.srai", "100 . 01 ... ..... 01", f.CBshift, "rd, imm", "srai"),
  row("c.andi", "100 . 10 ... ..... 01", f.CBimm, "rd, imm", "andi"),
  row("c.sub", "100 0 11 ... 00 ... 01", f.CA, "rd, rs2", "sub"),
  row("c.xor", "100 0 11 ... 01 ... 01", f.CA, "rd, rs2", "xor"),
  row("c.or", "100 0 11 ... 10 ... 01", f.CA, "rd, rs2", "or"),
  row("c.and", "100 0 11 ... 11 ... 01", f.CA, "rd, rs2", "and"),
  row("c.subw", "100 1 11 ... 00 ... 01", f.CA, "rd, rs2", "subw", { xlen: 64 }),
  row("c.addw", "100 1 11 ... 01 ... 01", f.CA, "rd, rs2", "addw", { xlen: 64 }),
  row("c.j", "101 ........... 01", f.CJ, "offset", "jal", { spec: JUMP }),
  row("c.beqz", "110 ... ... ..... 01", f.CB, "rs1, offset", "beq", { spec: JUMP }),
  row("c.bnez", "111 ... ... ..... 01", f.CB, "rs1, offset", "bne", { spec: JUMP }),
  // Quadrant 2
  row("c.slli", "000 . ..... ..... 10", f.CIshift, "rd, imm", "slli"),
  row("c.lwsp", "010 . ..... ..... 10", f.CIlwsp, "rd, imm(rs1)", "lw", { spec: LOAD, ...noRd }),
  row("c.ldsp", "011 . ..... ..... 10", f.CIldsp, "rd, imm(rs1)", "ld", { xlen: 64, spec: LOAD, ...noRd }),
  row("c.jr", "1000 ..... 00000 10", f.CRjump, "rs1", "jalr", { spec: JUMP, except: (o) => o.rs1 === 0 }),
  row("c.mv", "1000 ..... ..... 10", f.CRmove, "rd, rs2", "add", { except: (o) => o.rs2 === 0 }),
  row("c.ebreak", "1001 00000 00000 10", f.None, "", "ebreak"),
  row("c.jalr", "1001 ..... 00000 10", f.CRlink, "rs1", "jalr", { spec: JUMP, except: (o) => o.rs1 === 0 }),
  row("c.add", "1001 ..... ..... 10", f.CR, "rd, rs2", "add", { except: (o) => o.rs2 === 0 }),
  row("c.swsp", "110 ...... ..... 10", f.CSSw, "rs2, imm(rs1)", "sw", { spec: LOAD }),
  row("c.sdsp", "111 ...... ..... 10", f.CSSd, "rs2, imm(rs1)", "sd", { xlen: 64, spec: LOAD }),
  row("c.fldsp", "001 . ..... ..... 10", f.CIfldsp, "frd, imm(rs1)", "fld", double),
  row("c.flwsp", "011 . ..... ..... 10", f.CIflwsp, "frd, imm(rs1)", "flw", single),
  row("c.fsdsp", "101 ...... ..... 10", f.CSSfd, "frs2, imm(rs1)", "fsd", double),
  row("c.fswsp", "111 ...... ..... 10", f.CSSfw, "frs2, imm(rs1)", "fsw", single),
]);

function zcbRow(name: string, bits: string, format: f.Format, asm: string, as: string, more: CompressedMore = {}): Row {
  return compressedRow(name, bits, format, asm, as, "unpriv Zcb", more);
}

/** Zcb: more compressed instructions, some of which need the extension that has the long form (unpriv "Zcb"). */
export const rvZcb: Extension = extension("zcb", QUADRANTS, () => [
  zcbRow("c.lbu", "100 000 ... .. ... 00", f.CLb, "rd, imm(rs1)", "lbu"),
  zcbRow("c.lhu", "100 001 ... 0 . ... 00", f.CLh, "rd, imm(rs1)", "lhu"),
  zcbRow("c.lh", "100 001 ... 1 . ... 00", f.CLh, "rd, imm(rs1)", "lh"),
  zcbRow("c.sb", "100 010 ... .. ... 00", f.CSb, "rs2, imm(rs1)", "sb"),
  zcbRow("c.sh", "100 011 ... 0 . ... 00", f.CSh, "rs2, imm(rs1)", "sh"),
  zcbRow("c.zext.b", "100 1 11 ... 11 000 01", f.CUbyte, "rd", "andi"),
  zcbRow("c.sext.b", "100 1 11 ... 11 001 01", f.CU, "rd", "sext.b", { needs: "zbb" }),
  zcbRow("c.zext.h", "100 1 11 ... 11 010 01", f.CU, "rd", "zext.h", { needs: "zbb" }),
  zcbRow("c.sext.h", "100 1 11 ... 11 011 01", f.CU, "rd", "sext.h", { needs: "zbb" }),
  zcbRow("c.zext.w", "100 1 11 ... 11 100 01", f.CUzero, "rd", "add.uw", { xlen: 64, needs: "zba" }),
  zcbRow("c.not", "100 1 11 ... 11 101 01", f.CUnot, "rd", "xori"),
  zcbRow("c.mul", "100 1 11 ... 10 ... 01", f.CA, "rd, rs2", "mul", { needs: "m" }),
]);
