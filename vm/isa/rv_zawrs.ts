/** Zawrs: waiting for another hart's store to the reserved line (unpriv "Zawrs"). */
import { None } from "./format.ts";
import type { Extension, Row } from "./row.ts";

function row(name: "wrs.nto" | "wrs.sto", funct12: string): Row {
  return {
    name,
    bits: `${funct12} 00000 000 00000 1110011`,
    format: None,
    asm: "",
    class: "system",
    spec: "unpriv Zawrs",
    run: (s) => s.system(name),
  };
}

/** Zawrs. */
export const rvZawrs: Extension = {
  name: "zawrs",
  rows: [row("wrs.nto", "000000001101"), row("wrs.sto", "000000011101")],
};
