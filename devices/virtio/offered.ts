import type { VirtioDevice } from "./device.ts";
import { featureBit, FeatureSet } from "./feature_set.ts";
import { featureName, findFeature } from "./features.ts";

/** A feature that this implementation has and that can be switched per device. */
export interface FeatureSwitch<Name extends string = FeatureSwitchName> {
  /** As options say it. */
  readonly name: Name;
  /** The specification's name. */
  readonly feature: string;
  /** Whether it is offered if nothing is said. */
  readonly default: boolean;
  /** What it is, for help. */
  readonly what: string;
}

/** Names of the reserved features that can be switched per device. */
export type FeatureSwitchName =
  | "packed"
  | "event_idx"
  | "indirect"
  | "in_order"
  | "notification_data"
  | "ring_reset"
  | "order_platform"
  | "access_platform"
  | "suspend";

/** Which features are on or off, where it is not the default. */
export type SwitchesOf<Name extends string> = Readonly<Partial<Record<Name, boolean>>>;

/** Which features a device offers beside its own, where it is not the default. */
export type FeatureSwitches = SwitchesOf<FeatureSwitchName>;

/** Every switch of a reserved feature. Off by default is what drivers may meet without having expected it. */
export const featureSwitches: readonly FeatureSwitch[] = [
  { name: "packed", feature: "VIRTIO_F_RING_PACKED", default: false, what: "packed virtqueues" },
  { name: "event_idx", feature: "VIRTIO_F_EVENT_IDX", default: true, what: "notifications at a position" },
  { name: "indirect", feature: "VIRTIO_F_INDIRECT_DESC", default: true, what: "indirect descriptors" },
  { name: "in_order", feature: "VIRTIO_F_IN_ORDER", default: false, what: "buffers used in order" },
  {
    name: "notification_data",
    feature: "VIRTIO_F_NOTIFICATION_DATA",
    default: false,
    what: "notifications that carry the driver's position",
  },
  { name: "ring_reset", feature: "VIRTIO_F_RING_RESET", default: false, what: "reset of single queues" },
  {
    name: "order_platform",
    feature: "VIRTIO_F_ORDER_PLATFORM",
    default: false,
    what: "barriers as for hardware",
  },
  {
    name: "access_platform",
    feature: "VIRTIO_F_ACCESS_PLATFORM",
    default: false,
    what: "access to memory as the platform grants it; here to all of it, at physical addresses",
  },
  { name: "suspend", feature: "VIRTIO_F_SUSPEND", default: false, what: "suspend and resume, of virtio 1.4" },
];

/** Whether the legacy interface, which has one word of features (virtio 1.2 §4.2.4), can offer what `name` switches. */
export function legacyHas(name: FeatureSwitchName): boolean {
  return featureBit(0, featureSwitches.find((row) => row.name === name)!.feature) < LEGACY_BITS;
}

const LEGACY_BITS = 32;

/** Reserved features without a switch. §6.2: VERSION_1 must be offered; §6.3: ANY_LAYOUT by legacy devices. */
const MODERN_FEATURES = ["VIRTIO_F_VERSION_1"];
const LEGACY_FEATURES = ["VIRTIO_F_NOTIFY_ON_EMPTY", "VIRTIO_F_ANY_LAYOUT"];

/**
 * What `device` offers behind one interface: its own features, and the reserved ones that `switches` do not turn off.
 *
 * @throws if the legacy interface is to offer what it cannot, or if the device offers a feature without one it requires
 * (§2.2.2), which would be our mistake
 */
export function offeredBy(device: VirtioDevice, legacy: boolean, switches: FeatureSwitches = {}): FeatureSet {
  const offered = new FeatureSet();
  for (const name of legacy ? LEGACY_FEATURES : MODERN_FEATURES) offered.add(featureBit(device.id, name));
  for (const row of featureSwitches) {
    const on = switches[row.name] ?? row.default;
    if (!on) continue;
    if (legacy && !legacyHas(row.name)) {
      throw new RangeError(`virtio ${device.name}: the legacy interface cannot offer ${row.feature}`);
    }
    offered.add(featureBit(device.id, row.feature));
  }
  for (const bit of device.features.bits()) {
    // The legacy interface has one word (§4.2.4), and the modern one none of the legacy bits.
    if (legacy ? bit < LEGACY_BITS : findFeature(device.id, bit)?.legacyOnly !== true) offered.add(bit);
  }
  for (const bit of offered.bits()) {
    for (const choice of findFeature(device.id, bit)?.requires ?? []) {
      if (!choice.some((name) => offered.has(featureBit(device.id, name)))) {
        throw new Error(`virtio ${device.name}: offers ${featureName(device.id, bit)} without ${choice.join(" or ")}`);
      }
    }
  }
  return offered;
}
