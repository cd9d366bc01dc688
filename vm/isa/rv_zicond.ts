/** Zicond: conditional zero (unpriv "Zicond"). */
import { registerRow } from "./alu_rows.ts";
import type { Extension } from "./row.ts";

const SPEC = "unpriv Zicond";

/** Zicond. */
export const rvZicond: Extension = {
  name: "zicond",
  rows: [
    registerRow(
      "czero.eqz",
      "0000111",
      "101",
      SPEC,
      (s) => s.rd(s.select(s.constant(0), s.rs1(), s.eq(s.rs2(), s.constant(0)))),
    ),
    registerRow(
      "czero.nez",
      "0000111",
      "111",
      SPEC,
      (s) => s.rd(s.select(s.constant(0), s.rs1(), s.ne(s.rs2(), s.constant(0)))),
    ),
  ],
};
