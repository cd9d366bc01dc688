/** What devices offer under chaos: which features, and how large queues may be. */
import { type ChaosSettings, Dice } from "./chaos_kinds.ts";
import type { VirtioDevice } from "./device.ts";
import { featureBit, FeatureSet } from "./feature_set.ts";
import { findFeature, reservedFeatures } from "./features.ts";
import { type FeatureSwitches, featureSwitches, legacyHas } from "./offered.ts";

/** Fewest entries: a request of header, data and status fits without an indirect table. */
const SIZE_MIN = 4;

/** Exponents of the sizes of split virtqueues: 4 to 512. */
const SPLIT_EXPONENTS = [2, 3, 4, 5, 6, 7, 8, 9] as const;

/** Most entries of packed ones. */
const PACKED_MAX = 300;

/** Features that say how the device is: without them it would have to be another one (virtio 1.2 §5.2.5.2). */
const FIXED: ReadonlySet<string> = new Set(["VIRTIO_BLK_F_RO"]);

/** What a device must offer together with a feature although a driver need not accept both (virtio 1.2 §5.2.5.2). */
const TOGETHER: Readonly<Record<string, string>> = { VIRTIO_BLK_F_CONFIG_WCE: "VIRTIO_BLK_F_FLUSH" };

/** What the options say of a device; it is left as it is. */
export interface AskedOffer {
  readonly version: 1 | 2;
  readonly switches?: FeatureSwitches;
  readonly queueSize?: number;
}

/** The switches and the size of the queues of the device in `slot`. */
export function chaosOffer(settings: ChaosSettings, slot: number, asked: AskedOffer): Omit<AskedOffer, "version"> {
  const switches = { ...asked.switches };
  if (settings.kinds.has("features")) {
    const dice = new Dice(settings.seed, slot, "features");
    for (const { name } of featureSwitches) {
      const on = dice.oneIn(2);
      if (asked.version === 2 || legacyHas(name)) switches[name] ??= on;
    }
  }
  let { queueSize } = asked;
  if (settings.kinds.has("queue_size")) {
    const dice = new Dice(settings.seed, slot, "queue_size");
    const any = SIZE_MIN + dice.below(PACKED_MAX - SIZE_MIN + 1);
    const power = 2 ** SPLIT_EXPONENTS[dice.below(SPLIT_EXPONENTS.length)]!;
    queueSize ??= switches.packed === true ? any : power;
  }
  return { switches, ...(queueSize !== undefined && { queueSize }) };
}

/** A choice of the device type's own features that a device may offer in place of all of them. */
export function chaosFeatures(device: VirtioDevice, settings: ChaosSettings, slot: number): FeatureSet {
  const { id, features } = device;
  if (!settings.kinds.has("features")) return features;
  const dice = new Dice(settings.seed, slot, "features of the type");
  const kept = new FeatureSet(
    features.bits().filter((bit) => !dice.oneIn(4) || FIXED.has(findFeature(id, bit)?.name ?? "")),
  );
  // What needs a feature that is gone goes too, until nothing is left that does.
  for (let before = -1; before !== kept.bits().length;) {
    before = kept.bits().length;
    for (const bit of kept.bits()) if (!supported(device, kept, bit)) kept.delete(bit);
  }
  return kept;
}

/** Whether `kept` has what `bit` needs; reserved features are the transport's to look after. */
function supported({ id }: VirtioDevice, kept: FeatureSet, bit: number): boolean {
  const def = findFeature(id, bit);
  if (def === undefined) return true;
  const beside = TOGETHER[def.name];
  const choices = [...def.requires ?? [], ...(beside === undefined ? [] : [[beside]])];
  return choices.every((names) =>
    names.some((name) => reservedFeatures.some((one) => one.name === name) || kept.has(featureBit(id, name)))
  );
}
