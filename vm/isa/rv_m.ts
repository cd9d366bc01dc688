/** Integer multiplication and division (unpriv §12). */
import { R } from "./format.ts";
import type { Extension, Row } from "./row.ts";

function row(name: string, funct: string, spec: string, run: Row["run"]): Row {
  return {
    name,
    bits: `0000001 ..... ..... ${funct} ..... 0110011`,
    format: R,
    asm: "rd, rs1, rs2",
    class: "muldiv",
    spec,
    run: run!,
  };
}
function word(name: string, funct: string, spec: string, run: Row["run"]): Row {
  const wide = row(name, funct, spec, run);
  return { ...wide, bits: wide.bits.replace("0110011", "0111011"), xlen: 64 };
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
    word("mulw", "000", MUL, (s) => s.rd(s.sext(s.mul(s.rs1(), s.rs2()), 32))),
    word("divw", "100", DIV, (s) => s.rd(s.sext(s.div(s.sext(s.rs1(), 32), s.sext(s.rs2(), 32)), 32))),
    word("divuw", "101", DIV, (s) => s.rd(s.sext(s.divu(s.zext(s.rs1(), 32), s.zext(s.rs2(), 32)), 32))),
    word("remw", "110", DIV, (s) => s.rd(s.sext(s.rem(s.sext(s.rs1(), 32), s.sext(s.rs2(), 32)), 32))),
    word("remuw", "111", DIV, (s) => s.rd(s.sext(s.remu(s.zext(s.rs1(), 32), s.zext(s.rs2(), 32)), 32))),
  ],
};
