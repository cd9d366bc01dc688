/** What in a hart keeps an external interrupt away that the PLIC passes on to it (priv §3.1.9, §4.1.3). */
import { csrNumber } from "../isa/csr_names.ts";
import { Privilege } from "../events.ts";
import type { HartView } from "../trace/hart_view.ts";

/** Bits of mip and mie (priv §3.1.9). */
const EXTERNAL = { M: 11n, S: 9n } as const;
/** MIE and SIE of mstatus (priv §3.1.6.1). */
const MSTATUS = { M: 3n, S: 1n } as const;

/** mie lacks the interrupt's bit; the hart is in a mode that never takes it; mstatus has interrupts of that mode off. */
export type Gate = "mie" | "mode" | "mstatus";

/** Whether mie has the external interrupt of M-mode, or of S-mode, enabled: wfi is woken by it then, whatever mstatus says. */
export function enablesExternal(hart: HartView, machine: boolean): boolean {
  return bit(hart, "mie", machine ? EXTERNAL.M : EXTERNAL.S);
}

/** Whether the external interrupt of S-mode is taken in M-mode. */
export function takenInMachineMode(hart: HartView, machine: boolean): boolean {
  return machine || !bit(hart, "mideleg", EXTERNAL.S);
}

/** The first gate that keeps the hart from taking the external interrupt of M-mode, or of S-mode; undefined if it would. */
export function closedGate(hart: HartView, machine: boolean): Gate | undefined {
  if (!enablesExternal(hart, machine)) return "mie";
  const taker = takenInMachineMode(hart, machine) ? Privilege.M : Privilege.S;
  if (hart.privilege > taker) return "mode";
  const on = bit(hart, "mstatus", taker === Privilege.M ? MSTATUS.M : MSTATUS.S);
  return hart.privilege === taker && !on ? "mstatus" : undefined;
}

function bit(hart: HartView, csr: string, index: bigint): boolean {
  return ((hart.csr(csrNumber(csr)!) ?? 0n) >> index & 1n) !== 0n;
}
