/** What is told about a guest that did not end well, or that somebody asks about. */
import { hex } from "../bits.ts";
import { RAM_BASE, TIMEBASE_HZ, virtBoard } from "../board.ts";
import { Privilege } from "../events.ts";
import type { Hart } from "../hart/hart.ts";
import type { Machine, Stop } from "../machine.ts";
import { deathReport, type Ending, sinceReset } from "../trace/death.ts";
import { recentFromRuns, type RecentInstruction } from "../trace/recent.ts";
import { symbolText } from "../trace/symbolizer.ts";
import { type TimerView, waitText } from "../trace/wait_text.ts";
import type { ImageNames } from "./image_names.ts";

/** What the report knows beside the machine. */
export interface ReportContext {
  readonly machine: Machine;
  readonly names: ImageNames;
  /** The last instructions of a hart, where a trace has kept them. */
  readonly recent: ((hart: number) => RecentInstruction[]) | undefined;
}

/**
 * The report on a run that ended with `stop`; `limit` is the option that ran out, as the user wrote it, and `brief` says
 * that the reason is told beside it. Undefined where nothing went wrong.
 */
export async function reportText(
  stop: Stop,
  limit: string | undefined,
  context: ReportContext,
  brief: boolean,
): Promise<string | undefined> {
  const { machine, names } = context;
  const { symbolize } = names;
  const ending = endingOf(stop, limit);
  if (ending === undefined) return undefined;
  const hart = stop.hart ?? machine.harts.find((one) => !one.waiting) ?? machine.harts[0]!;
  return deathReport({
    ending,
    isa: machine.isa,
    harts: machine.harts,
    hart: hart.index,
    steps: machine.clock.steps,
    resets: machine.resets,
    recent: context.recent?.(hart.index) ?? recentOf(machine, hart),
    symbolize,
    calls: await callLines(machine, hart, stop.death?.trap.epc ?? hart.pc, names),
    describe: (addr) => describeAddress(machine, addr),
    timer: (index) => timerOf(machine, index),
    brief,
  });
}

/** How a hart came to `pc`, where it is or where the trap that killed it was: where the image has debug information. */
async function callLines(machine: Machine, hart: Hart, pc: bigint, names: ImageNames): Promise<string[]> {
  const sources = await names.sources();
  if (sources === undefined) return [];
  const { Places, frameText } = await import("../check/places.ts");
  const { stackOf } = await import("./stacks.ts");
  const state = stackOf(machine, hart.index, pc);
  return new Places({ symbolize: names.symbolize, sources }).stack(pc, state).map(frameText);
}

function endingOf(stop: Stop, limit: string | undefined): Ending | undefined {
  switch (stop.reason) {
    case "died":
      return { reason: "died", what: stop.death!.what, trap: stop.death!.trap };
    case "fail":
      return { reason: "fail", code: stop.code, by: stop.by };
    case "stall":
      return { reason: "stall" };
    case "limit":
    case "stopped":
      return limit === undefined ? undefined : { reason: "timeout", limit };
    default:
      return undefined;
  }
}

/** One line per hart: where it is and what it waits for. */
export function statusLines({ machine, names: { symbolize } }: ReportContext): string[] {
  return [
    `${machine.clock.steps} instructions${sinceReset(machine.resets)}`,
    ...machine.harts.map((hart) => {
      const symbol = symbolText(symbolize, hart.pc);
      const mode = Object.entries(Privilege).find(([, value]) => value === hart.privilege)?.[0];
      const where = `${mode} mode at ${hex(hart.pc)}${symbol === undefined ? "" : ` <${symbol}>`}`;
      const wait = waitText(hart, timerOf(machine, hart.index));
      return `hart ${hart.index} ${hart.waiting ? "waits" : "runs"} in ${where}; ${wait}`;
    }),
  ];
}

/** The instructions between the branches that the engine remembers, read back from memory. */
function recentOf(machine: Machine, hart: Hart): RecentInstruction[] {
  const { memory } = machine;
  const runs = machine.engines.recentRuns(hart.index);
  return recentFromRuns(runs, (addr) => {
    const low = memory.read(Number(addr), 2);
    if (low < 0 || (low & 3) !== 3) return low < 0 ? undefined : low;
    const high = memory.read(Number(addr) + 2, 2);
    return high < 0 ? undefined : low | (high << 16);
  }, hart.pc);
}

/** What the board has at a guest-physical address: a device, memory, or nothing between two of them. */
export function describeAddress(machine: Machine, addr: bigint): string {
  const ram = machine.memory.regions.find((region) => region.base === RAM_BASE)!;
  const places = virtBoard.filter((entry) => entry.present)
    .map(({ name, base, size }) => ({ name, base, end: base + (name === "ram" ? ram.size : size) }))
    .sort((a, b) => a.base - b.base);
  const there = places.find(({ base, end }) => addr >= BigInt(base) && addr < BigInt(end));
  if (there !== undefined) return there.name;
  const before = places.findLast(({ end }) => BigInt(end) <= addr);
  const after = places.find(({ base }) => BigInt(base) > addr);
  const names = [before?.name, after?.name].filter((name) => name !== undefined);
  const where = names.length === 2
    ? `between ${names.join(" and ")}`
    : before === undefined
    ? `below ${names[0]}`
    : `above ${names[0]}`;
  return `nothing is there: ${where}`;
}

function timerOf({ clint }: Machine, hart: number): TimerView {
  return { mtime: clint.ticks(), mtimecmp: clint.compare(hart), hz: TIMEBASE_HZ };
}
