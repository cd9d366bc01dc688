/** Access to control and status registers (unpriv §7). */
import { Csr } from "./format.ts";
import type { Extension, Row } from "./row.ts";

function row(name: string, funct: string, operation: "write" | "set" | "clear", source: "rs1" | "uimm"): Row {
  return {
    name,
    bits: `............ ..... ${funct} ..... 1110011`,
    format: Csr,
    asm: `rd, csr, ${source}`,
    class: "csr",
    spec: "unpriv §7.1",
    run: (s) => s.csr(operation, source),
  };
}

/** Zicsr. */
export const rvZicsr: Extension = {
  name: "zicsr",
  rows: [
    row("csrrw", "001", "write", "rs1"),
    row("csrrs", "010", "set", "rs1"),
    row("csrrc", "011", "clear", "rs1"),
    row("csrrwi", "101", "write", "uimm"),
    row("csrrsi", "110", "set", "uimm"),
    row("csrrci", "111", "clear", "uimm"),
  ],
};
