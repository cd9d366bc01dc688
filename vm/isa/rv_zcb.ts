/** Zcb: more compressed instructions, some of which need the extension that has the long form (unpriv "Zcb"). */
import { type CompressedMore, compressedRow } from "./compressed_rows.ts";
import { CA, CLb, CLh, CSb, CSh, CU, CUbyte, CUnot, CUzero } from "./format.ts";
import type { Format } from "./format.ts";
import { type Extension, extension, QUADRANTS, type Row } from "./row.ts";

function row(name: string, bits: string, format: Format, asm: string, as: string, more: CompressedMore = {}): Row {
  return compressedRow(name, bits, format, asm, as, "unpriv Zcb", more);
}

const LOAD = "rd, imm(rs1)";
const STORE = "rs2, imm(rs1)";

/** Zcb. */
export const rvZcb: Extension = extension("zcb", QUADRANTS, () => [
  row("c.lbu", "100 000 ... .. ... 00", CLb, LOAD, "lbu"),
  row("c.lhu", "100 001 ... 0 . ... 00", CLh, LOAD, "lhu"),
  row("c.lh", "100 001 ... 1 . ... 00", CLh, LOAD, "lh"),
  row("c.sb", "100 010 ... .. ... 00", CSb, STORE, "sb"),
  row("c.sh", "100 011 ... 0 . ... 00", CSh, STORE, "sh"),
  row("c.zext.b", "100 1 11 ... 11 000 01", CUbyte, "rd", "andi"),
  row("c.sext.b", "100 1 11 ... 11 001 01", CU, "rd", "sext.b", { needs: "zbb" }),
  row("c.zext.h", "100 1 11 ... 11 010 01", CU, "rd", "zext.h", { needs: "zbb" }),
  row("c.sext.h", "100 1 11 ... 11 011 01", CU, "rd", "sext.h", { needs: "zbb" }),
  row("c.zext.w", "100 1 11 ... 11 100 01", CUzero, "rd", "add.uw", { xlen: 64, needs: "zba" }),
  row("c.not", "100 1 11 ... 11 101 01", CUnot, "rd", "xori"),
  row("c.mul", "100 1 11 ... 10 ... 01", CA, "rd, rs2", "mul", { needs: "m" }),
]);
