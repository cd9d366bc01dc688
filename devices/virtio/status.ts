/** What a driver may do to the device status field (virtio 1.2 §2.1, §3.1.1). */
import { hex } from "../../vm/bits.ts";
import { virtioStatus } from "./registers.ts";
import type { VirtioRule } from "./rules.ts";

const { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, SUSPEND, DEVICE_NEEDS_RESET, FAILED } = virtioStatus;

/** All bits that mean something. */
export const DEFINED_STATUS: number = Object.values(virtioStatus).reduce((all, bit) => all | bit, 0);

/** What of the negotiation a write of the status depends on. */
export interface StatusContext {
  readonly legacy: boolean;
  /** VIRTIO_F_SUSPEND is negotiated. */
  readonly suspend: boolean;
}

/** What is wrong with writing `to` to a status of `from`, as `[rule, what]`. */
export function statusViolations(from: number, to: number, { legacy, suspend }: StatusContext): [VirtioRule, string][] {
  const wrong: [VirtioRule, string][] = [];
  const suspended = (from & SUSPEND) !== 0;
  const undefinedBits = to & ~DEFINED_STATUS | (to & DEVICE_NEEDS_RESET & ~from);
  if (undefinedBits !== 0) wrong.push(["status-undefined", `bits ${hex(undefinedBits)} are not the driver's`]);
  // Virtio 1.4 §3.4: who resumes sets DRIVER_OK; SUSPEND is for the device to clear, whether it is written or not.
  const cleared = from & ~to & ~DEVICE_NEEDS_RESET & ~(suspended && (to & DRIVER_OK) !== 0 ? SUSPEND : 0);
  if (cleared !== 0) wrong.push(["status-cleared", `bits ${hex(cleared)} were set`]);
  if ((from & FAILED) !== 0) wrong.push(["status-after-failed", "FAILED is set, only a reset is left"]);
  const added = to & ~from & DEFINED_STATUS & ~(FAILED | DEVICE_NEEDS_RESET);
  const needs: [number, number, string][] = [
    [DRIVER, ACKNOWLEDGE, "DRIVER before ACKNOWLEDGE"],
    [FEATURES_OK, DRIVER, "FEATURES_OK before DRIVER"],
    [DRIVER_OK, legacy ? DRIVER : FEATURES_OK, `DRIVER_OK before ${legacy ? "DRIVER" : "FEATURES_OK"}`],
  ];
  for (const [bit, before, what] of needs) {
    if ((added & bit) !== 0 && (from & before) === 0) wrong.push(["status-order", what]);
  }
  if (legacy && (added & FEATURES_OK) !== 0) {
    wrong.push(["status-features-ok-legacy", "FEATURES_OK does not exist in the legacy interface"]);
  }
  if ((added & SUSPEND) !== 0) {
    if (!suspend) wrong.push(["suspend-not-negotiated", "SUSPEND without VIRTIO_F_SUSPEND"]);
    else if ((from & DRIVER_OK) === 0) wrong.push(["suspend-early", "SUSPEND before DRIVER_OK"]);
  }
  return wrong;
}
