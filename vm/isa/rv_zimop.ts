/** May-be-operations (unpriv "Zimop", "Zcmop"): room for later extensions. Until they come, they write zero or nothing. */
import { None, R, RR } from "./format.ts";
import { type Extension, extension, QUADRANTS, type Row } from "./row.ts";

/** Bits `high` to `low` of `n`. */
function bits(n: number, high: number, low: number): string {
  return ((n >> low) & ((1 << (high - low + 1)) - 1)).toString(2).padStart(high - low + 1, "0");
}

/** Zimop. */
export const rvZimop: Extension = extension("zimop", ["1110011"], () => [
  ...Array.from({ length: 32 }, (_, n): Row => ({
    name: `mop.r.${n}`,
    bits: `1${bits(n, 4, 4)}00${bits(n, 3, 2)}0111${bits(n, 1, 0)} ..... 100 ..... 1110011`,
    format: RR,
    asm: "rd, rs1",
    class: "alu",
    spec: "unpriv Zimop",
    run: (s) => s.rd(s.constant(0)),
  })),
  ...Array.from({ length: 8 }, (_, n): Row => ({
    name: `mop.rr.${n}`,
    bits: `1${bits(n, 2, 2)}00${bits(n, 1, 0)}1 ..... ..... 100 ..... 1110011`,
    format: R,
    asm: "rd, rs1, rs2",
    class: "alu",
    spec: "unpriv Zimop",
    run: (s) => s.rd(s.constant(0)),
  })),
]);

/** Zcmop: places of `c.lui` without an immediate. */
export const rvZcmop: Extension = extension("zcmop", QUADRANTS, () => (Array.from({ length: 8 }, (_, n): Row => ({
  name: `c.mop.${2 * n + 1}`,
  bits: `011 0 0${bits(n, 2, 0)}1 00000 01`,
  format: None,
  asm: "",
  class: "alu",
  spec: "unpriv Zcmop",
  run: (s) => s.hint(),
}))));
