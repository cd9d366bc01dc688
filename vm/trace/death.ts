/**
 * The report when a guest ends badly: why and where, the last instructions, registers, CSRs, and what each hart waits
 * for. Built from plain data, for people; several lines, no colour.
 */
import { hex } from "../bits.ts";
import type { TrapEvent } from "../events.ts";
import { causeName } from "../isa/causes.ts";
import { csrNumber } from "../isa/csr_names.ts";
import type { Isa } from "../isa/table.ts";
import { csrLine, floatOn, namedRegisters, registerLines } from "./hart_text.ts";
import type { HartView } from "./hart_view.ts";
import { illegalText } from "./illegal.ts";
import { RECENT, recentLines, TRANSLATED } from "./recent.ts";
import type { RecentInstruction } from "./recent.ts";
import { privilegeName } from "./record.ts";
import { symbolText } from "./symbolizer.ts";
import type { Symbolizer } from "./symbolizer.ts";
import { waitText } from "./wait_text.ts";
import type { TimerView } from "./wait_text.ts";

export type { HartView };

/** What a guest can end a run through, in words. */
const THROUGH = {
  finisher: "the test finisher",
  sbi: "a system reset of the built-in SBI",
  htif: "HTIF's tohost",
} as const;

/** How the run ended. */
export type Ending =
  /** The hart can only trap for ever; `trap` is the one that began it. */
  | { readonly reason: "died"; readonly what: "no-handler" | "trap-loop"; readonly trap: Omit<TrapEvent, "kind"> }
  | { readonly reason: "fail"; readonly code: number; readonly by?: keyof typeof THROUGH | undefined }
  /** `limit` as the user wrote it: `--timeout-insns 1000000`. */
  | { readonly reason: "timeout"; readonly limit: string }
  | { readonly reason: "stall" };

/** What a report is made of. */
export interface ReportInput {
  /** How the run ended. */
  readonly ending: Ending;
  /** What the instructions are read by. */
  readonly isa: Isa;
  /** All harts, by index. */
  readonly harts: readonly HartView[];
  /** Index of the hart whose registers and instructions are shown: the one that died, or that ran last. */
  readonly hart: number;
  /** Instructions retired or trapped since the last reset. */
  readonly steps: number;
  /** How often the machine was reset; default 0. */
  readonly resets?: number;
  /** The last instructions of that hart, oldest first; empty if nobody knows them. */
  readonly recent: readonly RecentInstruction[];
  /** Names of addresses. */
  readonly symbolize?: Symbolizer | undefined;
  /** How that hart came to where it is, the last call first: functions with file and line. Empty if nobody knows. */
  readonly calls?: readonly string[] | undefined;
  /** What is at a guest-physical address, in words: `between uart and virtio0`, `ram`. */
  readonly describe?: ((addr: bigint) => string | undefined) | undefined;
  /** A hart's timer. */
  readonly timer?: ((hart: number) => TimerView | undefined) | undefined;
  /** The reason is told elsewhere: only how it ended, where, and how it came there. */
  readonly brief?: boolean;
}

/** CSRs shown; those of S mode only where the guest has used it. */
const MACHINE_CSRS = ["mstatus", "mcause", "mepc", "mtval", "mtvec", "mie", "mip", "mscratch"];
const SUPERVISOR_CSRS = ["medeleg", "mideleg", "scause", "sepc", "stval", "stvec", "sie", "sip", "satp"];
/** The first PMP entry: without any, lower modes may access nothing (priv §3.7.1). */
const PROTECTION_CSRS = ["pmpcfg0", "pmpaddr0"];

/** The report, ending with a line break. */
export function deathReport(input: ReportInput): string {
  const hart = input.harts[input.hart];
  if (hart === undefined) throw new RangeError(`report: there is no hart ${input.hart} of ${input.harts.length}`);
  const calls = input.calls === undefined || input.calls.length === 0
    ? []
    : ["how it came there, the last call first", ...indent(input.calls)];
  const end = [...whyLines(input), whereLine(input, hart)];
  if (input.brief === true) return sectionsText([end, calls]);
  return sectionsText([
    end,
    input.recent.length === 0
      ? []
      : [recentTitle(input.recent), ...indent(recentLines(noted(input), input.isa, input.symbolize))],
    calls,
    [
      `registers of hart ${hart.index}`,
      ...indent(registerLines(hart)),
      ...indent(namedRegisters(hart, input.symbolize)),
    ],
    [`CSRs of hart ${hart.index}`, ...indent(csrLines(input, hart))],
    ["harts", ...indent(input.harts.map((h) => hartLine(input, h)))],
  ]);
}

function sectionsText(sections: readonly (readonly string[])[]): string {
  return `${sections.filter((lines) => lines.length > 0).map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** Why, first in one line, then what helps to understand it. */
function whyLines(input: ReportInput): string[] {
  const { ending } = input;
  switch (ending.reason) {
    case "fail":
      return [`The guest reported failure: code ${ending.code}, through ${THROUGH[ending.by ?? "finisher"]}.`];
    case "timeout":
      return [`The guest did not end in time: ${ending.limit} ran out.`];
    case "stall":
      return ["The guest stalled: every hart waits for an interrupt, and nothing is left that could raise one."];
    case "died":
      return diedLines(input, ending.trap, ending.what);
  }
}

function diedLines(input: ReportInput, trap: Omit<TrapEvent, "kind">, what: "no-handler" | "trap-loop"): string[] {
  const name = causeName(trap.interrupt, trap.cause);
  const at = `${name} in ${privilegeName(trap.from)} mode at ${place(input, trap.epc)}`;
  const vector = `${trap.to === 1 ? "stvec" : "mtvec"} leads to ${place(input, trap.handler)}`;
  const why = what === "no-handler"
    ? `The guest died: a trap without a handler. ${vector}, where nothing can be fetched.`
    : `The guest died: its trap handler traps before it has done anything. ${vector}.`;
  return [why, `It began with: ${at}${detail(input, trap)}.`];
}

/** What the trap's value says. */
function detail(input: ReportInput, trap: Omit<TrapEvent, "kind">): string {
  if (trap.interrupt) return "";
  const addressed = trap.cause <= 1 || (trap.cause >= 4 && trap.cause <= 7) || (trap.cause >= 12 && trap.cause <= 15);
  if (addressed) {
    const there = input.describe?.(trap.tval);
    return `, address ${place(input, trap.tval)}${there === undefined ? "" : ` (${there})`}`;
  }
  const hart = input.harts[input.hart]!;
  const word = trap.cause === 2 ? illegalWord(input, trap) : undefined;
  if (word !== undefined) {
    return `: ${illegalText({ isa: input.isa, hart, word, pc: trap.epc, mode: trap.from })}`;
  }
  return trap.tval === 0n ? "" : `, tval ${hex(trap.tval)}`;
}

/** The illegal instruction: the trap's value has it, or the list of the last ones. */
function illegalWord({ recent }: ReportInput, { tval, epc }: Omit<TrapEvent, "kind">): number | undefined {
  return tval === 0n ? recent.findLast(({ pc }) => pc === epc)?.insn : Number(tval & 0xffff_ffffn);
}

/** What the list of instructions is, and how to have one without gaps: the same run, not translated, goes the same way. */
function recentTitle(recent: readonly RecentInstruction[]): string {
  const gaps = recent.some(({ note }) => note === TRANSLATED);
  return gaps
    ? `last instructions, as far as they are remembered (--engine interpreter remembers all ${RECENT})`
    : `last ${recent.length} instructions`;
}

/** The last instructions, with the trap that began the end beside the one that caused it. */
function noted({ recent, ending }: ReportInput): readonly RecentInstruction[] {
  if (ending.reason !== "died") return recent;
  const { epc, interrupt, cause } = ending.trap;
  const at = recent.findLastIndex(({ pc }) => pc === epc);
  return recent.map((one, i) => i === at ? { ...one, note: causeName(interrupt, cause) } : one);
}

function whereLine(input: ReportInput, hart: HartView): string {
  const mode = `${privilegeName(hart.privilege)} mode`;
  return `Hart ${hart.index} is in ${mode} at ${place(input, hart.pc)} after ${input.steps} instructions${
    sinceReset(input.resets)
  }.`;
}

/** Which reset a count of instructions begins at, where there was one. */
export function sinceReset(resets: number = 0): string {
  return resets === 0 ? "" : resets === 1 ? " since the guest's reset" : ` since the last of ${resets} resets`;
}

/** An address with its symbol. */
function place({ symbolize }: ReportInput, addr: bigint): string {
  const symbol = symbolText(symbolize, addr);
  return `${hex(addr)}${symbol === undefined ? "" : ` <${symbol}>`}`;
}

function csrLines(input: ReportInput, hart: HartView): string[] {
  const value = (name: string) => hart.csr(csrNumber(name)!);
  const supervisor = hart.privilege < 3 || SUPERVISOR_CSRS.some((name) => (value(name) ?? 0n) !== 0n);
  const { ending } = input;
  const refused = ending.reason === "died" && [1, 5, 7].includes(ending.trap.cause) && ending.trap.from < 3;
  const names = [
    ...MACHINE_CSRS,
    ...(supervisor ? SUPERVISOR_CSRS : []),
    ...(refused ? PROTECTION_CSRS : []),
    ...(floatOn(hart) ? ["fcsr"] : []),
  ];
  return names.flatMap((name) => csrLine(hart, name, input.symbolize) ?? []);
}

function hartLine(input: ReportInput, hart: HartView): string {
  const where = `${privilegeName(hart.privilege)} mode at ${place(input, hart.pc)}`;
  return `hart ${hart.index}  ${hart.waiting ? "waits" : "runs "} in ${where}; ${
    waitText(hart, input.timer?.(hart.index))
  }`;
}
