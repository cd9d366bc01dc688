/**
 * Rules on the interrupt controller between a device and its driver (RISC-V PLIC 1.0.0), and on the hart that is to take the interrupt (RISC-V
 * privileged architecture).
 */
import type { RuleRow } from "../rule.ts";

const implied = { keyword: "implied", severity: "warning", occasion: "interrupt" } as const;

/** By name. */
export const plicRules: Readonly<Record<string, RuleRow>> = {
  "plic-priority": {
    ...implied,
    statement: "implied:plic-priority",
    section: "plic 4",
    wrong: "A hart waits while a device asks for an interrupt whose priority in the PLIC is 0.",
    why: "Priority 0 means never: the interrupt is not forwarded to any hart.",
    mend: "Write 1 or more to the source's priority register, at 4 times its number, before enabling it.",
  },
  "plic-not-enabled": {
    ...implied,
    statement: "implied:plic-not-enabled",
    section: "plic 6",
    wrong: "A hart waits while a device asks for an interrupt that is enabled for no context of the PLIC.",
    why: "Only enabled sources are forwarded.",
    mend:
      "Set the source's bit in the enable words of the context of the hart and mode that handles it: 2 * hart for " +
      "M-mode, one more for S-mode.",
  },
  "plic-context": {
    ...implied,
    statement: "implied:plic-context",
    section: "plic 6",
    wrong: "A hart waits while a device asks for an interrupt that is enabled for another context than the hart takes.",
    why:
      "The PLIC passes it on to a mode, or a hart, that has external interrupts disabled; the mode that has them enabled " +
      "is told nothing.",
    mend:
      "Context 2 * hart is its M-mode and one more its S-mode: enable words, threshold and claim_complete must be those " +
      "of the mode that the handler runs in.",
  },
  "plic-threshold": {
    ...implied,
    statement: "implied:plic-threshold",
    section: "plic 7",
    wrong: "A hart waits while a device asks for an interrupt that is not above the threshold of its context.",
    why: "The PLIC forwards only priorities greater than the threshold.",
    mend: "Write 0 to the context's threshold, or give the source a higher priority.",
  },
  "plic-not-completed": {
    ...implied,
    statement: "implied:plic-not-completed",
    section: "plic 9",
    wrong: "A hart waits while a device asks for an interrupt that the same hart has claimed and not completed.",
    why: "The source's gateway forwards nothing more until completion: there is no other interrupt from this device.",
    mend: "Write the claimed number back to claim_complete when it is handled, also on the handler's early exits.",
  },
  "plic-complete-unclaimed": {
    ...implied,
    statement: "implied:plic-complete-unclaimed",
    section: "plic 9",
    wrong: "An interrupt was completed at the PLIC that was not claimed.",
    why: "The one that was claimed stays open, and nothing comes from its device any more.",
    mend: "Keep what the read of claim_complete gave, and write exactly that back, once.",
  },
  "interrupt-not-enabled": {
    ...implied,
    statement: "implied:mie-external",
    section: "priv 3.1.9",
    wrong:
      "A hart waits while the PLIC passes a device's interrupt on to it, and its mie has external interrupts disabled.",
    why: "A wfi ends only for interrupts that mie enables, and no other is taken: the hart does not wake.",
    mend: "Set MEIE (bit 11) of mie in M-mode, or SEIE (bit 9) of sie in S-mode, before waiting.",
  },
  "interrupt-masked": {
    ...implied,
    statement: "implied:mstatus-interrupts",
    section: "priv 3.1.6.1",
    wrong:
      "A device asks for an interrupt that nobody ever took: the hart that the PLIC passes it on to has interrupts off.",
    why:
      "The handler does not run, and the driver that counts on it is never told. wfi ends all the same, so that the hart " +
      "may seem to be at work.",
    mend:
      "Set MEIE of mie and MIE of mstatus in M-mode, or SEIE of sie and SIE of sstatus in S-mode, once the handler is in " +
      "place.",
  },
  "completion-ignored": {
    ...implied,
    statement: "implied:plic-complete-disabled",
    section: "plic 9",
    wrong: "A context completed an interrupt at the PLIC that is not enabled for it.",
    why: "The PLIC ignores it: where the interrupt was claimed, its source stays closed for ever.",
    mend: "Complete before the source is disabled, and by the context that claimed it.",
  },
};
