/** The links between a device's interrupt line and the handler: PLIC, mip and mie, mstatus (plic §4 to §9, priv §3.1.9). */
import { hex } from "../../bits.ts";
import { csrNumber } from "../../isa/csr_names.ts";
import type { HartView } from "../../trace/hart_view.ts";
import { symbolText } from "../../trace/symbolizer.ts";
import { closedGate, takenInMachineMode } from "../gates.ts";
import type { Stall, StallSource, StallView } from "./view.ts";

/** The mode and hart of a PLIC context on this board. */
function contextText(context: number): string {
  return `${context % 2 === 0 ? "M" : "S"}-mode of hart ${context >>> 1} (context ${context})`;
}

/** The first broken link between a source whose line is up and a handler; undefined where the way is open. */
export function brokenInterrupt(view: StallView, source: StallSource): Stall | undefined {
  const { id, name, priority, claimed, enabled } = source;
  const what = `source ${id}, ${name}`;
  const seen = [
    `${what}: line up, ${source.pending ? "pending" : "not pending"}, ${claimed ? "claimed" : "not claimed"}, ` +
    `priority ${priority}, enabled for ${enabled.length === 0 ? "no context" : enabled.map(contextText).join(" and ")}`,
  ];
  if (priority === 0 && enabled.length === 0) return notSetUp(view, source, seen);
  if (priority === 0) {
    return {
      link: "plic-priority",
      why: `${name} asks for an interrupt, but its priority in the PLIC is 0, which means never.`,
      seen,
      next: `write 1 to priority[${id}], at ${hex(PLIC_BASE + 4 * id)}`,
    };
  }
  if (enabled.length === 0) {
    return {
      link: "plic-enable",
      why: `${name} asks for an interrupt, but source ${id} is not enabled in the PLIC for any context.`,
      seen,
      next: `set bit ${id % 32} of the enable word of your context: M-mode of hart 0 is context 0, S-mode is context 1`,
    };
  }
  if (claimed && view.harts.every((hart) => hart.waiting)) {
    return {
      link: "plic-complete",
      why: `the interrupt of ${name} was claimed and never completed: the PLIC forwards no other from it until then.`,
      seen,
      next: "write the claimed number back to claim_complete when the handler is done, also on its early exits",
    };
  }
  if (claimed) return undefined;
  const open = enabled.filter((context) => priority > view.threshold(context));
  if (open.length === 0) {
    const thresholds = enabled.map((c) => `${contextText(c)}: threshold ${view.threshold(c)}`);
    return {
      link: "plic-threshold",
      why: `${name} asks for an interrupt of priority ${priority}, which is not above the context's threshold.`,
      seen: [...seen, ...thresholds],
      next: "write 0 to the threshold of the context, or give the source a higher priority",
    };
  }
  return closedHart(view, source, open, seen);
}

/** Nobody has touched the source: perhaps another one was taken for it. */
function notSetUp(view: StallView, { id, name }: StallSource, seen: readonly string[]): Stall {
  const others = view.sources.filter((one) => one.id !== id && one.priority > 0 && one.enabled.length > 0);
  const list = others.map((one) => `source ${one.id} (${one.name})`).join(", ");
  return {
    link: "plic-enable",
    why:
      `${name} asks for an interrupt, but its source in the PLIC, ${id}, was never set up: priority 0, enabled for no ` +
      `context${others.length === 0 ? "" : `; what is set up is ${list}`}.`,
    seen,
    next: others.length === 0
      ? `write 1 to priority[${id}], at ${hex(PLIC_BASE + 4 * id)}, and set bit ${
        id % 32
      } of your context's enable word`
      : `take the interrupt's number from the device's node in the device tree: interrupts = <${id}>`,
  };
}

/** Base of the PLIC on the board, for addresses in advice. */
const PLIC_BASE = 0x0c00_0000;

function closedHart(
  view: StallView,
  { name }: StallSource,
  contexts: readonly number[],
  seen: readonly string[],
): Stall | undefined {
  let first: Stall | undefined;
  for (const context of contexts) {
    const hart = view.harts[context >>> 1];
    if (hart === undefined) continue;
    const closed = closedBy(hart, context % 2 === 0, name, [...seen, hartText(view, hart)]);
    // One context that takes it is enough.
    if (closed === undefined) return undefined;
    first ??= closed;
  }
  return first;
}

/** Why a hart does not take an external interrupt that its PLIC context signals. */
function closedBy(hart: HartView, machine: boolean, name: string, seen: readonly string[]): Stall | undefined {
  const gate = closedGate(hart, machine);
  if (gate === "mie") {
    const enable = machine ? "mie.MEIE" : "sie.SEIE";
    return {
      link: "mie",
      why: `${name} asks for an interrupt and the PLIC passes it on, but hart ${hart.index} has ${enable} clear.`,
      seen,
      next: machine ? "set bit 11 (MEIE) of mie" : "set bit 9 (SEIE) of sie",
    };
  }
  if (gate === "mode") {
    return {
      link: "mode",
      why: `${name} asks for an interrupt of S-mode, and hart ${hart.index} is in M-mode, where those are never taken.`,
      seen,
      next: "enable the source for the M-mode context, or go to S-mode before waiting",
    };
  }
  if (gate === undefined) return undefined;
  const inMachineMode = takenInMachineMode(hart, machine);
  return {
    link: "mstatus",
    why: `${name} asks for an interrupt and it is enabled, but hart ${hart.index} has interrupts off: ${
      inMachineMode ? "mstatus.MIE" : "sstatus.SIE"
    } is 0.`,
    seen,
    next: `set ${inMachineMode ? "mstatus.MIE (bit 3)" : "sstatus.SIE (bit 1)"} once the handler is in place`,
  };
}

/** Mode, place and interrupt state of a hart. */
export function hartText({ symbolize }: StallView, hart: HartView): string {
  const read = (csr: string) => hex(hart.csr(csrNumber(csr)!) ?? 0n);
  const symbol = symbolText(symbolize, hart.pc);
  const mode = ["U", "S", "", "M"][hart.privilege];
  return `hart ${hart.index} ${hart.waiting ? "waits" : "runs"} in ${mode}-mode at ${hex(hart.pc)}` +
    `${symbol === undefined ? "" : ` <${symbol}>`}: mip ${read("mip")}, mie ${read("mie")}, mstatus ${read("mstatus")}`;
}
