/** Feature bits as events tell them, by the names of the specification. */
import { deviceType, reservedFeatures } from "../../devices/virtio/features.ts";

/**
 * Whether `features` have the one called `name`, which all device types have or those of type `type`.
 *
 * @throws if the tables have no such name
 */
export function hasFeature(features: bigint, name: string, type = 0): boolean {
  const def = [...deviceType(type)?.features ?? [], ...reservedFeatures].find((feature) => feature.name === name);
  if (def === undefined) throw new Error(`driver check: device type ${type} has no feature called ${name}`);
  return (features >> BigInt(def.bit) & 1n) === 1n;
}
