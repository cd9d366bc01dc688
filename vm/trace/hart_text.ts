/** A hart's registers as lines, for reports and the monitor. */
import { hex } from "../bits.ts";
import { csrText } from "../isa/csr_fields.ts";
import { csrNumber } from "../isa/csr_names.ts";
import { floatRegisterNames, registerNames } from "../isa/names.ts";
import type { Xlen } from "../isa/row.ts";
import type { HartView } from "./hart_view.ts";
import { type Symbolizer, symbolText } from "./symbolizer.ts";

/** CSRs that hold addresses of code. */
const CODE_CSRS = ["mepc", "mtvec", "sepc", "stvec"];

/** Whether floating point is on (priv §3.1.6.6): its registers then mean something. */
export function floatOn(hart: HartView): boolean {
  return ((hart.csr(csrNumber("mstatus")!) ?? 0n) & (3n << 13n)) !== 0n;
}

/** All registers in four columns, read downwards; floating-point ones where they are on. */
export function registerLines(hart: HartView): string[] {
  return [
    ...columns(registerNames.map((name, n) => `${name.padEnd(4)} ${wide(hart.x(n), hart.xlen)}`)),
    ...(floatOn(hart) ? columns(floatRegisterNames.map((name, n) => `${name.padEnd(4)} ${wide(hart.f(n), 64)}`)) : []),
  ];
}

function columns(texts: readonly string[]): string[] {
  const rows = texts.length / 4;
  return Array.from(
    { length: rows },
    (_, row) => Array.from({ length: 4 }, (_, i) => texts[i * rows + row]).join("  "),
  );
}

/** Registers that point at something with a name. */
export function namedRegisters(hart: HartView, symbolize: Symbolizer | undefined): string[] {
  return registerNames.flatMap((name, n) => {
    const symbol = symbolText(symbolize, hart.x(n));
    return symbol === undefined ? [] : [`${name} = ${symbol}`];
  }).reduce<string[]>((lines, text) => {
    const last = lines.at(-1);
    if (last !== undefined && last.length + text.length < 100) lines[lines.length - 1] = `${last}, ${text}`;
    else lines.push(text);
    return lines;
  }, []);
}

/** A CSR: its name, value, and what that means. Undefined where the hart has no such CSR. */
export function csrLine(hart: HartView, name: string, symbolize: Symbolizer | undefined): string | undefined {
  const read = (csr: string) => hart.csr(csrNumber(csr)!);
  const value = read(name);
  if (value === undefined) return undefined;
  const symbol = CODE_CSRS.includes(name) ? symbolText(symbolize, value & ~3n) : undefined;
  const trapped = name.endsWith("cause") && value === 0n && read(name.replace("cause", "epc")) === 0n;
  const words = [
    ...(symbol === undefined ? [] : [`<${symbol}>`]),
    trapped ? "no trap yet" : csrText(name, value, hart.xlen),
  ].filter((word) => word !== "");
  return `${name.padEnd(8)} ${wide(value, hart.xlen)}  ${words.join(" ")}`.trimEnd();
}

/** An XLEN-wide number with all its digits. */
function wide(value: bigint, xlen: Xlen): string {
  return hex(value, xlen / 4);
}
