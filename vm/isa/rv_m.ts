/** Integer multiplication and division (unpriv §12). */
import { registerRow, word } from "./alu_rows.ts";
import type { Extension, Row } from "./row.ts";

function row(name: string, funct3: string, spec: string, run: NonNullable<Row["run"]>): Row {
  return { ...registerRow(name, "0000001", funct3, spec, run), class: "muldiv" };
}

const MUL = "unpriv §12.1";
const DIV = "unpriv §12.2";

/** The M extension. */
export const rvM: Extension = {
  name: "m",
  rows: [
    row("mul", "000", MUL, (s) => s.rd(s.mul(s.rs1(), s.rs2()))),
    row("mulh", "001", MUL, (s) => s.rd(s.mulh(s.rs1(), s.rs2()))),
    row("mulhsu", "010", MUL, (s) => s.rd(s.mulhsu(s.rs1(), s.rs2()))),
    row("mulhu", "011", MUL, (s) => s.rd(s.mulhu(s.rs1(), s.rs2()))),
    row("div", "100", DIV, (s) => s.rd(s.div(s.rs1(), s.rs2()))),
    row("divu", "101", DIV, (s) => s.rd(s.divu(s.rs1(), s.rs2()))),
    row("rem", "110", DIV, (s) => s.rd(s.rem(s.rs1(), s.rs2()))),
    row("remu", "111", DIV, (s) => s.rd(s.remu(s.rs1(), s.rs2()))),
    word(row("mulw", "000", MUL, (s) => s.rd(s.sext(s.mul(s.rs1(), s.rs2()), 32)))),
    word(row("divw", "100", DIV, (s) => s.rd(s.sext(s.div(s.sext(s.rs1(), 32), s.sext(s.rs2(), 32)), 32)))),
    word(row("divuw", "101", DIV, (s) => s.rd(s.sext(s.divu(s.zext(s.rs1(), 32), s.zext(s.rs2(), 32)), 32)))),
    word(row("remw", "110", DIV, (s) => s.rd(s.sext(s.rem(s.sext(s.rs1(), 32), s.sext(s.rs2(), 32)), 32)))),
    word(row("remuw", "111", DIV, (s) => s.rd(s.sext(s.remu(s.zext(s.rs1(), 32), s.zext(s.rs2(), 32)), 32)))),
  ],
};
