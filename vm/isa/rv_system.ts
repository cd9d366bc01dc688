/** What the SYSTEM opcode stands for: CSRs, privileged instructions, waiting, may-be-operations. */
import { Csr, None, R, RR, Sfence } from "./format.ts";
import { type Extension, extension, QUADRANTS, type Row, type SystemOperation } from "./row.ts";

function csrRow(name: string, funct: string, operation: "write" | "set" | "clear", source: "rs1" | "uimm"): Row {
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

/** Zicsr: access to control and status registers (unpriv §7). */
export const rvZicsr: Extension = {
  name: "zicsr",
  rows: [
    csrRow("csrrw", "001", "write", "rs1"),
    csrRow("csrrs", "010", "set", "rs1"),
    csrRow("csrrc", "011", "clear", "rs1"),
    csrRow("csrrwi", "101", "write", "uimm"),
    csrRow("csrrsi", "110", "set", "uimm"),
    csrRow("csrrci", "111", "clear", "uimm"),
  ],
};

function systemRow(name: SystemOperation, bits: string, spec: string): Row {
  return { name, bits, format: None, asm: "", class: "system", spec, run: (s) => s.system(name) };
}

/** Trap returns, waiting, and the fence for address translation (priv §3.3, §10.6). */
export const rvPriv: Extension = {
  name: "priv",
  rows: [
    systemRow("sret", "0001000 00010 00000 000 00000 1110011", "priv §3.3.2"),
    systemRow("mret", "0011000 00010 00000 000 00000 1110011", "priv §3.3.2"),
    systemRow("wfi", "0001000 00101 00000 000 00000 1110011", "priv §3.3.3"),
    {
      ...systemRow("sfence.vma", "0001001 ..... ..... 000 00000 1110011", "priv §10.6.1"),
      format: Sfence,
      asm: "rs1, rs2",
    },
  ],
};

/** Svinval: fences for address translation in parts. */
export const svinval: Extension = {
  name: "svinval",
  rows: [
    { ...systemRow("sinval.vma", "0001011 ..... ..... 000 00000 1110011", "Svinval"), format: Sfence, asm: "rs1, rs2" },
    systemRow("sfence.w.inval", "0001100 00000 00000 000 00000 1110011", "Svinval"),
    systemRow("sfence.inval.ir", "0001100 00001 00000 000 00000 1110011", "Svinval"),
  ],
};

/** Zawrs: waiting for another hart's store to the reserved line (unpriv "Zawrs"). */
export const rvZawrs: Extension = {
  name: "zawrs",
  rows: [
    systemRow("wrs.nto", "000000001101 00000 000 00000 1110011", "unpriv Zawrs"),
    systemRow("wrs.sto", "000000011101 00000 000 00000 1110011", "unpriv Zawrs"),
  ],
};

/** Bits `high` to `low` of `n`. */
function bits(n: number, high: number, low: number): string {
  return ((n >> low) & ((1 << (high - low + 1)) - 1)).toString(2).padStart(high - low + 1, "0");
}

/** Zimop: may-be-operations, room for later extensions; until they come, they write zero (unpriv "Zimop"). */
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

/** Zcmop: compressed ones that write nothing, in the places of `c.lui` without an immediate (unpriv "Zcmop"). */
export const rvZcmop: Extension = extension("zcmop", QUADRANTS, () => (Array.from({ length: 8 }, (_, n): Row => ({
  name: `c.mop.${2 * n + 1}`,
  bits: `011 0 0${bits(n, 2, 0)}1 00000 01`,
  format: None,
  asm: "",
  class: "alu",
  spec: "unpriv Zcmop",
  run: (s) => s.hint(),
}))));
