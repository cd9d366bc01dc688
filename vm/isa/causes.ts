/** Names of trap causes (priv §3.1.15, table "Machine cause register values after trap"): the one list of them. */

/** Exceptions by code. */
export const exceptionNames: Readonly<Record<number, string>> = {
  0: "instruction address misaligned",
  1: "instruction access fault",
  2: "illegal instruction",
  3: "breakpoint",
  4: "load address misaligned",
  5: "load access fault",
  6: "store/AMO address misaligned",
  7: "store/AMO access fault",
  8: "environment call from U-mode",
  9: "environment call from S-mode",
  11: "environment call from M-mode",
  12: "instruction page fault",
  13: "load page fault",
  15: "store/AMO page fault",
  18: "software check",
  19: "hardware error",
};

/** Interrupts by code, which is also the bit in mip and mie (priv §3.1.9). */
export const interruptNames: Readonly<Record<number, { readonly bit: string; readonly name: string }>> = {
  1: { bit: "SSI", name: "supervisor software interrupt" },
  3: { bit: "MSI", name: "machine software interrupt" },
  5: { bit: "STI", name: "supervisor timer interrupt" },
  7: { bit: "MTI", name: "machine timer interrupt" },
  9: { bit: "SEI", name: "supervisor external interrupt" },
  11: { bit: "MEI", name: "machine external interrupt" },
  13: { bit: "LCOFI", name: "counter-overflow interrupt" },
};

/**
 * What a cause is called in the specification.
 *
 * ```ts
 * import { causeName } from "./causes.ts";
 * causeName(true, 7); // "machine timer interrupt"
 * ```
 */
export function causeName(interrupt: boolean, cause: number): string {
  const name = interrupt ? interruptNames[cause]?.name : exceptionNames[cause];
  return name ?? `${interrupt ? "interrupt" : "exception"} ${cause}`;
}
