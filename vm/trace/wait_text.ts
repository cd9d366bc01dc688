/** What a hart waits for, in words: which interrupts it has enabled, which are pending, what stands between. */
import { Privilege } from "../events.ts";
import { csrText } from "../isa/csr_fields.ts";
import { csrNumber } from "../isa/csr_names.ts";
import type { HartView } from "./hart_view.ts";

/** A hart's timer in ticks. */
export interface TimerView {
  /** Ticks now. */
  readonly mtime: bigint;
  /** Ticks from which the timer interrupt is pending. */
  readonly mtimecmp: bigint;
  /** Ticks per second. */
  readonly hz: number;
}

const MIE_BIT = 1n << 3n;
const SIE_BIT = 1n << 1n;
/** No deadline that a guest means is farther away: it wrote "never". */
const NEVER_TICKS = 1n << 60n;

/**
 * `mie enables MTIE|MEIE, nothing pending; timer in 1.5 ms`. Whatever keeps a pending interrupt from being taken is
 * said: not enabled in mie, or the mode's enable bit in mstatus.
 */
export function waitText(hart: HartView, timer: TimerView | undefined): string {
  const read = (name: string) => hart.csr(csrNumber(name)!) ?? 0n;
  const mie = read("mie");
  const mip = read("mip");
  const enabled = mie === 0n ? "mie enables nothing" : `mie enables ${csrText("mie", mie, hart.xlen)}`;
  const pending = mip === 0n ? "nothing pending" : `pending ${csrText("mip", mip, hart.xlen)}`;
  const parts = [`${enabled}, ${pending}${blocked(hart, mie, mip, read("mideleg"), read("mstatus"))}`];
  if (hart.waiting && mie === 0n) parts.push("nothing can wake it");
  if (timer !== undefined) parts.push(timerText(timer));
  return parts.join("; ");
}

/** Why pending interrupts are not taken (priv §3.1.9). */
function blocked(hart: HartView, mie: bigint, mip: bigint, mideleg: bigint, mstatus: bigint): string {
  if (mip === 0n) return "";
  if ((mip & mie) === 0n) return " but not enabled in mie";
  const machine = mip & mie & ~mideleg;
  const supervisor = mip & mie & mideleg;
  const open = (machine !== 0n && (hart.privilege < Privilege.M || (mstatus & MIE_BIT) !== 0n)) ||
    (supervisor !== 0n &&
      (hart.privilege < Privilege.S || (hart.privilege === Privilege.S && (mstatus & SIE_BIT) !== 0n)));
  if (open) return "";
  if (machine !== 0n) return " but mstatus.MIE is 0";
  if (hart.privilege === Privilege.S) return " but mstatus.SIE is 0";
  return " but delegated to S mode by mideleg, and the hart is in M mode";
}

function timerText({ mtime, mtimecmp, hz }: TimerView): string {
  if (mtimecmp <= mtime) return "timer due";
  const ticks = mtimecmp - mtime;
  if (ticks >= NEVER_TICKS) return "timer off (mtimecmp is out of reach)";
  return `timer in ${duration(Number(ticks) / hz)}`;
}

/** Seconds in the unit that fits. */
function duration(seconds: number): string {
  const units: readonly (readonly [number, string])[] = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]];
  const [size, unit] = units.find(([size]) => seconds >= size) ?? [1e-9, "ns"];
  return `${Number((seconds / size).toPrecision(4))} ${unit}`;
}
