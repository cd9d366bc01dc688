/** Fields of the CSRs that people look at, by name: for reports, traces and the monitor. Data and one reader of it. */
import { hex } from "../bits.ts";
import { causeName, interruptNames } from "./causes.ts";
import { FFlag, roundingNames } from "./rounding.ts";
import type { Xlen } from "./row.ts";

/** A field: `width` bits from bit `at` up. */
export interface CsrField {
  readonly name: string;
  readonly at: number;
  /** 1 if absent. */
  readonly width?: number;
  /** Names of its values, where it is an enumeration; it is then shown even if it is 0. */
  readonly values?: Readonly<Record<number, string>>;
  /** Only for this XLEN. */
  readonly xlen?: Xlen;
}

const PRIVILEGES = { 0: "U", 1: "S", 3: "M" };
const UNIT = { 0: "off", 1: "initial", 2: "clean", 3: "dirty" };
const WIDTHS = { 1: "32", 2: "64" };

/** mstatus (priv §3.1.6); sstatus is a view of it (priv §10.1.1). */
const mstatus: readonly CsrField[] = [
  { name: "SIE", at: 1 },
  { name: "MIE", at: 3 },
  { name: "SPIE", at: 5 },
  { name: "UBE", at: 6 },
  { name: "MPIE", at: 7 },
  { name: "SPP", at: 8, values: { 0: "U", 1: "S" } },
  { name: "MPP", at: 11, width: 2, values: PRIVILEGES },
  { name: "FS", at: 13, width: 2, values: UNIT },
  { name: "MPRV", at: 17 },
  { name: "SUM", at: 18 },
  { name: "MXR", at: 19 },
  { name: "TVM", at: 20 },
  { name: "TW", at: 21 },
  { name: "TSR", at: 22 },
  { name: "UXL", at: 32, width: 2, values: WIDTHS, xlen: 64 },
  { name: "SXL", at: 34, width: 2, values: WIDTHS, xlen: 64 },
  { name: "SD", at: 31, xlen: 32 },
  { name: "SD", at: 63, xlen: 64 },
];

const SSTATUS_NAMES = ["SIE", "SPIE", "UBE", "SPP", "FS", "SUM", "MXR", "UXL", "SD"];

/** Interrupt bits of mip and mie (priv §3.1.9): `MTIP`, `MTIE`. */
function interrupts(suffix: "E" | "P"): readonly CsrField[] {
  return Object.entries(interruptNames).map(([at, { bit }]) => ({ name: `${bit}${suffix}`, at: Number(at) }));
}

/** Trap vector mode (priv §3.1.7). */
const tvec: readonly CsrField[] = [{ name: "MODE", at: 0, width: 2, values: { 0: "direct", 1: "vectored" } }];

/** Address translation (priv §10.1.11). */
const satp: readonly CsrField[] = [
  { name: "MODE", at: 31, values: { 0: "bare", 1: "Sv32" }, xlen: 32 },
  { name: "MODE", at: 60, width: 4, values: { 0: "bare", 8: "Sv39", 9: "Sv48", 10: "Sv57" }, xlen: 64 },
];

/** Accrued exceptions and rounding mode (unpriv §20.2). */
const fcsr: readonly CsrField[] = [
  ...Object.entries(FFlag).map(([name, bit]) => ({ name, at: 31 - Math.clz32(bit) })),
  { name: "frm", at: 5, width: 3, values: Object.fromEntries(roundingNames.slice(0, 5).entries()) },
];

/** Fields by the CSR's name. */
export const csrFields: Readonly<Record<string, readonly CsrField[]>> = {
  fcsr,
  mstatus,
  sstatus: mstatus.filter((f) => SSTATUS_NAMES.includes(f.name)),
  mie: interrupts("E"),
  sie: interrupts("E"),
  mideleg: interrupts("P"),
  mip: interrupts("P"),
  sip: interrupts("P"),
  mtvec: tvec,
  stvec: tvec,
  satp,
};

/**
 * What a CSR's value means in words, or an empty text: `MIE|MPP=M`, `machine timer interrupt`.
 *
 * ```ts
 * import { csrText } from "./csr_fields.ts";
 * csrText("mip", 0x88n, 64); // "MSIP|MTIP"
 * ```
 */
export function csrText(name: string, value: bigint, xlen: Xlen): string {
  if (name === "mcause" || name === "scause") {
    const top = 1n << BigInt(xlen - 1);
    return causeName((value & top) !== 0n, Number(value & (top - 1n)));
  }
  const words: string[] = [];
  for (const { name: field, at, width = 1, values, xlen: only } of csrFields[name] ?? []) {
    if (only !== undefined && only !== xlen) continue;
    const bits = Number((value >> BigInt(at)) & ((1n << BigInt(width)) - 1n));
    if (values !== undefined) words.push(`${field}=${values[bits] ?? hex(bits)}`);
    else if (bits !== 0) words.push(width === 1 ? field : `${field}=${bits}`);
  }
  return words.join("|");
}
