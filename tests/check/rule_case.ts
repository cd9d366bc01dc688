/** What every rule of the checker names: a driver that breaks it, and one that does the same thing right. */
import { CheckRig, type CheckRigOptions } from "../support/check_rig.ts";

/** What a driver does, as register accesses or as a program. */
export type Driver = string | ((rig: CheckRig) => void);

/** The two drivers of one rule. */
export interface RuleCase {
  /** How the slot of both is built; the device anew for each. */
  readonly slot?: () => CheckRigOptions;
  /** Breaks the rule. */
  readonly broken: Driver;
  /** All that the broken driver is told, in order; default: that rule. */
  readonly found?: readonly string[];
  /** Comes to the same point and keeps the rule; default: a driver without a mistake. */
  readonly kept?: Driver;
  /** What that one is told; default: nothing. */
  readonly keptFound?: readonly string[];
  /** Why no driver can keep the rule on our devices: what it is about is then not exercised. */
  readonly unreachable?: string;
}

/** Runs a driver. */
export function drive(driver: Driver, slot: CheckRigOptions = {}): CheckRig {
  const rig = new CheckRig(slot);
  if (typeof driver === "string") rig.play(driver);
  else driver(rig);
  return rig;
}
