/** The ends of runs. */
import type { Death } from "../hart/death.ts";
import type { Hart } from "../hart/hart.ts";

/** Why a run ended. */
export type StopReason = "pass" | "fail" | "reset" | "limit" | "stall" | "died" | "stopped";

/** What a guest ends a run through: the test finisher, the built-in SBI, or HTIF's `tohost`. */
export type StopBy = "finisher" | "sbi" | "htif";

/** How a run ended. */
export interface Stop {
  /** Why it ended. */
  readonly reason: StopReason;
  /** The guest's code, where it gave one. */
  readonly code: number;
  /** `pass`, `fail` and `reset` only: what the guest ended it through. */
  readonly by?: StopBy;
  /** `died` only: which hart, and of what. */
  readonly hart?: Hart;
  /** `died` only: the trap it died of. */
  readonly death?: Death;
}
