/** Privileged instructions (priv §3.3, §10.6). */
import { None, Sfence } from "./format.ts";
import type { Extension, Row, SystemOperation } from "./row.ts";

function row(name: SystemOperation, bits: string, spec: string): Row {
  return { name, bits, format: None, asm: "", class: "system", spec, run: (s) => s.system(name) };
}

/** Trap returns, waiting, and the fence for address translation. */
export const rvPriv: Extension = {
  name: "priv",
  rows: [
    row("sret", "0001000 00010 00000 000 00000 1110011", "priv §3.3.2"),
    row("mret", "0011000 00010 00000 000 00000 1110011", "priv §3.3.2"),
    row("wfi", "0001000 00101 00000 000 00000 1110011", "priv §3.3.3"),
    {
      ...row("sfence.vma", "0001001 ..... ..... 000 00000 1110011", "priv §10.6.1"),
      format: Sfence,
      asm: "rs1, rs2",
    },
  ],
};

/** Svinval: fences for address translation in parts. */
export const svinval: Extension = {
  name: "svinval",
  rows: [
    { ...row("sinval.vma", "0001011 ..... ..... 000 00000 1110011", "Svinval"), format: Sfence, asm: "rs1, rs2" },
    row("sfence.w.inval", "0001100 00000 00000 000 00000 1110011", "Svinval"),
    row("sfence.inval.ir", "0001100 00001 00000 000 00000 1110011", "Svinval"),
  ],
};
