/** Zcb: more compressed instructions, some of which need the extension that has the long form (unpriv "Zcb"). */
import { CA, CLb, CLh, CSb, CSh, CU, CUzero } from "./format.ts";
import type { Format } from "./format.ts";
import type { Extension, Row } from "./row.ts";

type More = Partial<Pick<Row, "class" | "xlen" | "needs">>;

function row(name: string, bits: string, format: Format, asm: string, more: More): Omit<Row, "run"> {
  return { name, bits, format, asm, class: "alu", spec: "unpriv Zcb", ...more };
}
/** Does what the instruction called `as` does. */
function short(as: string, bits: string, format: Format, asm: string, more: More = {}): Row {
  return { ...row(`c.${as}`, bits, format, asm, more), as };
}
/** A register and an implicit constant. */
function unary(name: string, funct: string, run: NonNullable<Row["run"]>): Row {
  return { ...row(name, `100 1 11 ... 11 ${funct} 01`, CU, "rd", {}), run };
}

const LOAD = "rd, imm(rs1)";
const STORE = "rs2, imm(rs1)";

/** Zcb. */
export const rvZcb: Extension = {
  name: "zcb",
  rows: [
    short("lbu", "100 000 ... .. ... 00", CLb, LOAD, { class: "load" }),
    short("lhu", "100 001 ... 0 . ... 00", CLh, LOAD, { class: "load" }),
    short("lh", "100 001 ... 1 . ... 00", CLh, LOAD, { class: "load" }),
    short("sb", "100 010 ... .. ... 00", CSb, STORE, { class: "store" }),
    short("sh", "100 011 ... 0 . ... 00", CSh, STORE, { class: "store" }),
    unary("c.zext.b", "000", (s) => s.rd(s.zext(s.rs1(), 8))),
    short("sext.b", "100 1 11 ... 11 001 01", CU, "rd", { needs: "zbb" }),
    short("zext.h", "100 1 11 ... 11 010 01", CU, "rd", { needs: "zbb" }),
    short("sext.h", "100 1 11 ... 11 011 01", CU, "rd", { needs: "zbb" }),
    {
      ...row("c.zext.w", "100 1 11 ... 11 100 01", CUzero, "rd", { xlen: 64, needs: "zba" }),
      as: "add.uw",
    },
    unary("c.not", "101", (s) => s.rd(s.xor(s.rs1(), s.constant(-1)))),
    short("mul", "100 1 11 ... 10 ... 01", CA, "rd, rs2", { class: "muldiv", needs: "m" }),
  ],
};
