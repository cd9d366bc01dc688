/** Drivers that break and keep the rules on registers, status, features and queues. */
import {
  AGREED,
  BEGUN,
  type CheckRig,
  FEATURES,
  GO,
  LEGACY_BEGUN,
  LEGACY_LIVE,
  LEGACY_QUEUE,
  LIVE,
  OK,
  PROBE,
  QUEUE,
  RESET,
  START,
} from "../support/check_rig.ts";
import { MemoryDisk } from "../../devices/host/memory.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import { VirtioRng } from "../../devices/virtio/rng.ts";
import { HoldingDevice } from "../support/virtio_device.ts";
import type { RuleCase } from "./rule_case.ts";

const legacy = () => ({ version: 1 as const });
const empty = () => ({ empty: true });
const network = () => ({ device: Object.assign(new HoldingDevice({ features: [1, 7] }), { id: 1 }) });

function refusing() {
  const device = new HoldingDevice();
  device.refuse = "not on Sundays";
  return { device };
}

/** A request that the device has used: its interrupt waits. */
function used(rig: CheckRig): CheckRig {
  rig.play(LIVE).post(rig.part(4));
  (rig.device as HoldingDevice).use();
  return rig;
}

/** Handles the interrupt without a mistake. */
function handled(rig: CheckRig): void {
  used(rig).irq("claimed").play("R060 W064=1").irq("completed");
}

/** A queue set up with one step of it left out, or put otherwise. */
const queueWith = (from: string | RegExp, to: string) => `${AGREED} ${QUEUE.replace(from, to)}`;

const platform = () => ({ switches: { access_platform: true } });
const suspends = () => ({ switches: { suspend: true } });
const resets = () => ({ switches: { ring_reset: true } });
const offers = (name: "packed" | "order_platform") => () => ({ switches: { [name]: true } });
const entropy = () => ({ device: new VirtioRng() });
const disk = (readOnly = false) => () => ({
  device: new VirtioBlk({ backend: new MemoryDisk(64 * 512, { readOnly }) }),
});
/** The whole initialisation with VIRTIO_F_RING_RESET. */
const RESETTABLE = LIVE.replace("W020=1", "W020=101");

/** A legacy driver that has read both halves of the field `wide`, which changed in between. */
function grown(rig: CheckRig): CheckRig {
  rig.play(`${LEGACY_LIVE} R100`);
  const { config, transport } = rig.device as HoldingDevice;
  config.set("wide", 1);
  transport.configChanged();
  return rig.play("R060 W064=2 R104");
}

/** The whole initialisation with VIRTIO_F_SUSPEND, and all of it before DRIVER_OK. */
const SUSPENDABLE = LIVE.replace("W020=1", "W020=801");
const SUSPENDED = `${SUSPENDABLE} W070=1f R070`;

/** By the rule's name. */
export const registerCases: Readonly<Record<string, RuleCase>> = {
  "probe-order": { broken: "R000 R008 R004" },
  "device-id-unread": { broken: `R000 R004 ${RESET} ${START}` },
  "slot-empty": { slot: empty, broken: `${PROBE} R010`, kept: `${PROBE} R00c` },
  "slot-not-searched": { broken: (rig) => rig.play(PROBE).checker.end(), kept: (rig) => rig.play(LIVE).checker.end() },
  "register-access": { broken: `${PROBE} R070:1 R071:2 W080:8=0`, found: Array(3).fill("register-access") },
  "register-undefined": { broken: `${PROBE} R0c4` },
  "register-direction": { broken: `${LIVE} R014 W000=1`, found: ["register-direction", "register-direction"] },
  "register-interface": { broken: `${LIVE} R040` },
  "config-access": {
    broken: `${AGREED} R100:1 R108:2 R100:8`,
    found: Array(3).fill("config-access"),
    kept: `${AGREED} R108`,
  },
  "config-undefined": { broken: `${AGREED} R10f:1`, kept: `${AGREED} R10e:1` },
  "config-feature": { broken: `${AGREED} R110`, kept: `${AGREED} R108` },
  "config-read-only": { broken: `${AGREED} W10c:2=1`, kept: `${AGREED} W108=1` },
  "config-early-write": { broken: `${BEGUN} W108=1`, kept: `${BEGUN} W10e:1=1` },
  "config-generation": {
    broken: `${AGREED} R100 R104 R0fc R0fc R104 R100 R070`,
    found: ["config-generation", "config-generation"],
    kept: `${AGREED} R0fc R100 R104 R0fc R070`,
  },
  "config-torn": {
    slot: legacy,
    broken: (rig) => grown(rig).play("W050=0"),
    kept: (rig) => grown(rig).play("R100 R104 W050=0"),
  },
  "blk-writeback-early": {
    slot: disk(),
    broken: `${BEGUN} R120:1`,
    kept: `${AGREED.replace("W020=0", "W020=800")} R120:1`,
  },
  "shared-memory-access": { slot: entropy, broken: `${LIVE} W0ac=0` },
  "interrupt-ack-undefined": { broken: `${LIVE} W064=5`, kept: handled },
  "interrupt-ack-unread": {
    broken: (rig) => void used(rig).irq("claimed").play("R060 W064=3").irq("completed"),
    kept: handled,
  },
  "interrupt-status-unread": {
    broken: (rig) => void used(rig).irq("claimed").play("W064=1").irq("completed"),
    kept: handled,
  },
  "interrupt-unacknowledged": {
    broken: (rig) => void used(rig).irq("claimed").play("R060 W064=0").irq("completed"),
    kept: handled,
  },

  "status-not-reset": { broken: `${PROBE} ${START}` },
  "reset-unread": { broken: `${PROBE} W070=0 ${START}` },
  "status-order": { broken: `${PROBE} ${RESET} W070=2` },
  "status-combined": { broken: `${PROBE} ${RESET} W070=3` },
  "suspend-not-negotiated": { broken: `${LIVE} W070=1f` },
  "suspend-early": {
    slot: suspends,
    broken: `${AGREED.replace("W020=1", "W020=801")} W070=1b`,
    kept: SUSPENDED,
  },
  "suspend-notify": {
    slot: suspends,
    broken: `${SUSPENDED} W050=0`,
    kept: `${SUSPENDED} W070=1f R070 W050=0`,
  },
  "suspend-config": {
    slot: suspends,
    broken: `${SUSPENDED} W108=1`,
    kept: `${SUSPENDED} W070=1f R070 W108=1`,
  },
  "suspend-unread": {
    slot: suspends,
    broken: `${SUSPENDABLE} W070=1f W070=1f R070`,
    kept: `${SUSPENDED} W070=1f R070`,
  },
  "resume-unread": {
    slot: suspends,
    broken: `${SUSPENDED} W070=1f W050=0`,
    kept: `${SUSPENDED} W070=1f R070 W050=0`,
  },
  "feature-ring-packed": { slot: offers("packed"), broken: AGREED, kept: AGREED.replace("W020=1", "W020=5") },
  "feature-order-platform": {
    slot: offers("order_platform"),
    broken: AGREED,
    kept: AGREED.replace("W020=1", "W020=11"),
  },
  "feature-unused": {
    slot: disk(),
    broken: `${LIVE.replace("W020=0", "W020=40")} W070=0 R070`,
    // The second time the driver knows what the field says.
    kept: `${LIVE.replace("W020=0", "W020=40")} R114 W070=0 R070 ${LIVE.replace("W020=0", "W020=40")} W070=0 R070`,
  },
  "feature-access-platform": { slot: platform, broken: LIVE, kept: LIVE.replace("W020=1", "W020=3") },
  "status-undefined": { broken: `${PROBE} ${RESET} W070=1 W070=21` },
  "status-cleared": { broken: `${BEGUN} W070=2` },
  "status-after-failed": { broken: `${BEGUN} W070=83 W070=83`, kept: `${BEGUN} W070=83 ${RESET} ${START}` },
  "status-features-ok-legacy": {
    slot: legacy,
    broken: `${LEGACY_BEGUN} W070=b`,
    kept: LEGACY_LIVE,
  },
  "features-early": { broken: `${PROBE} ${RESET} W070=1 W024=0 W020=0` },
  "device-features-sel": { broken: `${BEGUN} R010 R010`, found: Array(2).fill("device-features-sel") },
  "driver-features-sel": { broken: `${BEGUN} W020=0` },
  "features-word-1": {
    broken: `${BEGUN} W024=0 W020=0 ${OK}`,
    found: ["features-word-1", "feature-version-1"],
  },
  "feature-not-offered": { broken: `${BEGUN} W024=0 W020=80 W024=1 W020=1 W070=b R070` },
  "feature-dependency": {
    slot: network,
    broken: `${BEGUN} W024=0 W020=80 W024=1 W020=1 W070=b R070`,
    kept: `${BEGUN} W024=0 W020=82 W024=1 W020=1 W070=b R070`,
  },
  "feature-refused": { slot: refusing, broken: AGREED, kept: BEGUN, unreachable: "this device refuses everything" },
  "feature-version-1": { broken: `${BEGUN} W024=0 W020=0 W024=1 W020=0 ${OK}` },
  "features-after-ok": { broken: `${AGREED} W020=1` },
  "features-ok-unread": { broken: `${BEGUN} ${FEATURES} W070=b ${QUEUE} ${GO}` },
  "features-refused-ignored": {
    slot: refusing,
    broken: `${AGREED} W030=0`,
    found: ["feature-refused", "features-refused-ignored"],
    kept: `${AGREED} W070=83`,
    keptFound: ["feature-refused"],
  },

  "queue-unknown": { broken: `${AGREED} W030=5 R034 W038=8` },
  "queue-num": { broken: `${AGREED} W030=0 R034 W038=20` },
  // The device then takes 16, and the rings that were laid out for 8 overlap.
  "queue-num-unset": { broken: queueWith("W038=SIZE", ""), found: ["queue-num-unset", "queue-areas-overlap"] },
  "queue-num-max-unread": { broken: queueWith("R034", "") },
  "queue-ready-unread": { broken: queueWith("R044", "") },
  "queue-address-unset": {
    broken: queueWith("W0a0=USED W0a4=0", ""),
    found: ["queue-address-unset", "queue-address"],
  },
  "queue-size": { broken: queueWith("SIZE", "6") },
  "queue-in-use": { broken: `${LIVE} W038=4` },
  "queue-early": { broken: `${BEGUN} ${FEATURES} ${QUEUE}` },
  "queue-ready-value": { broken: queueWith("W044=1", "W044=3") },
  "queue-misaligned": { broken: queueWith("W0a0=USED", "W0a0=80008002") },
  "queue-address": { broken: queueWith("W094=0", "W094=ffffffc0") },
  "queue-areas-overlap": { broken: queueWith("W090=AVAIL", "W090=DESC") },
  "queue-stop-unread": { broken: `${LIVE} W044=0 W038=4`, kept: `${LIVE} W044=0 R044 W038=4` },
  "queue-stopped-in-flight": {
    broken: (rig) => void rig.play(LIVE).post(rig.part(4)).play("W044=0 R044"),
    kept: (rig) => void used(rig).play("W044=0 R044"),
  },
  "queue-reset-not-negotiated": { slot: resets, broken: `${LIVE} W0c0=1`, kept: `${RESETTABLE} W0c0=1 R0c0` },
  "queue-reset-unread": {
    slot: resets,
    broken: `${RESETTABLE} W0c0=1 ${QUEUE}`,
    kept: `${RESETTABLE} W0c0=1 R0c0 ${QUEUE}`,
  },
  "queue-reset-setup": {
    slot: resets,
    broken: `${RESETTABLE} W0c0=1 R0c0 W044=1`,
    found: ["queue-reset-setup", "queue-num-unset", "queue-address"],
    kept: `${RESETTABLE} W0c0=1 R0c0 ${QUEUE}`,
  },
  "legacy-num-max-in-use": { slot: legacy, broken: `${LEGACY_LIVE} R034`, kept: LEGACY_LIVE },
  "legacy-queue-size": { slot: legacy, broken: LEGACY_LIVE.replace("R034", ""), kept: LEGACY_LIVE },
  "legacy-page-size": {
    slot: legacy,
    broken: LEGACY_LIVE.replace("W028=1000", ""),
    kept: LEGACY_LIVE,
  },
  "legacy-align": { slot: legacy, broken: LEGACY_LIVE.replace("W03c=1000", ""), kept: LEGACY_LIVE },
  "notify-unknown-queue": { broken: `${LIVE} W050=5`, kept: `${LIVE} W050=0` },
  "notify-stopped-queue": { broken: `${LIVE} W050=1`, kept: `${LIVE} W050=0` },
  "notify-before-driver-ok": {
    broken: `${AGREED} ${QUEUE} W050=0 ${GO}`,
    kept: `${AGREED} ${QUEUE} ${GO} W050=0`,
  },
  "notify-dead-device": { broken: `${LIVE} W070=8f W050=0`, kept: `${LIVE} W050=0` },
};

/** Both interfaces' queues by their own registers: what the other cases build on. */
export const CLEAN: readonly [name: string, version: 1 | 2, driver: string][] = [
  ["modern", 2, `${LIVE} W050=0 ${RESET}`],
  ["modern, twice", 2, `${LIVE} ${RESET} ${START} ${FEATURES} ${OK} ${QUEUE} ${GO}`],
  ["legacy", 1, `${LEGACY_LIVE} W050=0 ${RESET}`],
  ["legacy, queue before the features", 1, `${PROBE} W028=1000 ${RESET} ${START} ${LEGACY_QUEUE} W070=7`],
];
