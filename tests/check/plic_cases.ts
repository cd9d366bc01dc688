/** Drivers that break and keep the rules on the PLIC and on the hart behind it: source 1, context 0. */
import { type CheckRig, LIVE } from "../support/check_rig.ts";
import type { Driver, RuleCase } from "./rule_case.ts";

/** Offsets of source 1's priority, and of enable word and threshold of context 0. */
const PRIORITY = 4;
const ENABLE = 0x2000;
const THRESHOLD = 0x20_0000;
/** From one context's enable words to the next one's. */
const CONTEXT = 0x80;

/** A live driver that sets the PLIC up so, waits while its device asks for an interrupt, and handles it at last. */
function waiting(priority: number, enabled: number, threshold: number): Driver {
  return (rig) => {
    rig.play(LIVE).plic(PRIORITY, priority).plic(ENABLE, enabled).plic(THRESHOLD, threshold);
    handle(rig.irq("raised").wait());
  };
}

/** The interrupt as it must be handled. */
function handle(rig: CheckRig): void {
  rig.irq("claimed").play("R060 W064=0").irq("lowered").irq("completed");
}

const kept = waiting(1, 2, 0);

/** The same with the PLIC as it must be, on a hart with these CSRs; `context` is what the source is enabled for. */
function onHart(csrs: Partial<CheckRig["csrs"]>, context = 0): Driver {
  return (rig) => {
    Object.assign(rig.csrs, csrs);
    rig.play(LIVE).plic(PRIORITY, 1).plic(ENABLE + CONTEXT * context, 2);
    handle(rig.irq("raised").wait());
  };
}

/** A driver that goes on while its device asks for an interrupt, to the run's end. */
function untilTheEnd(csrs: Partial<CheckRig["csrs"]>): Driver {
  return (rig) => {
    Object.assign(rig.csrs, csrs);
    rig.play(LIVE).plic(PRIORITY, 1).plic(ENABLE, 2).irq("raised").pass(200_000);
    rig.checker.end();
    // What comes after the end is not the end's matter.
    handle(rig);
  };
}
const live: Driver = (rig) => {
  rig.play(LIVE).plic(PRIORITY, 1).plic(ENABLE, 2).irq("raised");
  handle(rig);
  rig.wait();
};

export const plicCases: Readonly<Record<string, RuleCase>> = {
  "plic-priority": { broken: waiting(0, 2, 0), kept },
  "plic-not-enabled": { broken: waiting(1, 0, 0), kept },
  "plic-threshold": { broken: waiting(3, 2, 3), kept: waiting(3, 2, 2) },
  "plic-not-completed": {
    broken: (rig) => {
      rig.play(LIVE).plic(PRIORITY, 1).plic(ENABLE, 2).irq("raised").irq("claimed").play("R060 W064=0").wait();
    },
    kept: live,
  },
  "plic-complete-unclaimed": {
    broken: (rig) => {
      rig.play(LIVE).irq("raised");
      handle(rig);
      rig.irq("completed");
    },
    kept: live,
  },
  "plic-context": { broken: onHart({}, 1), kept: onHart({ mie: 1n << 9n }, 1) },
  "interrupt-not-enabled": { broken: onHart({ mie: 0x80n }), kept: onHart({ mie: 0x880n }) },
  "interrupt-masked": { broken: untilTheEnd({ mstatus: 0n }), kept: untilTheEnd({}) },
  "completion-ignored": {
    broken: (rig) => {
      rig.play(LIVE);
      handle(rig.irq("raised"));
      const what = "context 1 completed source 1, which is not enabled for it: nothing happens";
      rig.d.board.events.emit({ kind: "violation", device: "plic", spec: "plic §9", id: "completion-ignored", what });
    },
    kept: live,
  },
};
