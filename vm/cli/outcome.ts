/** How a run ended, as an exit status. */
import type { StopReason } from "../machine.ts";
import { Status } from "./errors.ts";

/** Who stopped it from outside, where `reason` is `stopped`. */
export type StopCause = "timeout" | "interrupted" | "met";

/** What is known at the end. */
export interface Ending {
  readonly reason: StopReason;
  /** The finisher's code of a failure. */
  readonly code: number;
  readonly cause?: StopCause | undefined;
}

/** The exit status. */
export function statusOf({ reason, code, cause }: Ending): number {
  switch (reason) {
    case "pass":
    case "reset":
      return Status.Ok;
    case "fail":
      return Math.min(Math.max(code, 1), 255);
    case "limit":
      return Status.Timeout;
    case "stall":
      return Status.Stall;
    case "died":
      return Status.Died;
    case "stopped":
      if (cause === "met") return Status.Ok;
      return cause === "timeout" ? Status.Timeout : Status.Interrupted;
  }
}
