/** What a virtio driver's register accesses mean beyond their bits: device types, features, queues. */
import { deviceType, featureName } from "../../devices/virtio/features.ts";
import { virtioStatus } from "../../devices/virtio/registers.ts";
import { hex } from "../bits.ts";
import type { MmioEvent } from "../events.ts";

/** VIRTIO_F_NOTIFICATION_DATA (virtio 1.2 §6): the notified value then has fields. */
const NOTIFICATION_DATA = 38;

/** What has been seen of one device; a trace knows it from the driver's accesses alone. */
interface Seen {
  id: number;
  deviceSelect: number;
  driverSelect: number;
  notificationData: boolean;
  pageSize: number;
}

/** Remembers what drivers select, and explains values by it. */
export class VirtioWatcher {
  readonly #seen = new Map<string, Seen>();

  /**
   * What an access to the register called `name` (its modern name) says beyond the number; undefined for nothing.
   * An empty text means: show the number alone.
   */
  explain(access: MmioEvent, name: string): string | undefined {
    const { device, value, write } = access;
    if (device === undefined || value < 0) return undefined;
    const seen = this.#of(device.name);
    switch (name) {
      case "MagicValue":
      case "VendorID":
        return asciiText(value);
      case "DeviceID":
        seen.id = value;
        return value === 0 ? "no device" : deviceType(value)?.name ?? "unknown device type";
      case "DeviceFeaturesSel":
        seen.deviceSelect = value;
        return bitRange(value);
      case "DriverFeaturesSel":
        seen.driverSelect = value;
        return bitRange(value);
      case "DeviceFeatures":
        return featureNames(seen.id, BigInt(value) << BigInt(32 * (seen.deviceSelect & 3)));
      case "DriverFeatures":
        if (seen.driverSelect === NOTIFICATION_DATA >> 5) {
          seen.notificationData = (value >>> (NOTIFICATION_DATA & 31) & 1) === 1;
        }
        return featureNames(seen.id, BigInt(value) << BigInt(32 * (seen.driverSelect & 3)));
      case "GuestPageSize":
        if (write) seen.pageSize = value;
        return `(${value})`;
      case "QueuePFN":
        return value === 0 ? "no queue" : `queue at ${hex(value * seen.pageSize, 8)}`;
      case "QueueNotify":
        return seen.notificationData ? undefined : `queue ${value}`;
      case "Status":
        if (write && value === 0) {
          seen.notificationData = false;
          return "reset";
        }
        return undefined;
      default:
        return undefined;
    }
  }

  /** Names of the feature bits in `features` for the device called `name`. */
  features(name: string, features: bigint): string {
    return featureNames(this.#of(name).id, features);
  }

  #of(name: string): Seen {
    let seen = this.#seen.get(name);
    if (seen === undefined) {
      seen = { id: -1, deviceSelect: 0, driverSelect: 0, notificationData: false, pageSize: 0 };
      this.#seen.set(name, seen);
    }
    return seen;
  }
}

/** Feature bits by name, separated by `|`; `none` if there are none. */
function featureNames(id: number, features: bigint): string {
  const names: string[] = [];
  for (let bit = 0; features >> BigInt(bit) !== 0n; bit++) {
    if ((features >> BigInt(bit)) & 1n) names.push(featureName(id, bit).replace(/^VIRTIO_/, "").replace(" ", ""));
  }
  return names.join("|") || "none";
}

/** Which feature bits a selector selects. */
function bitRange(select: number): string {
  return select < 4 ? `bits ${select * 32}..${select * 32 + 31}` : "beyond the last feature bit";
}

/** Four characters, lowest byte first: `"virt"`. */
function asciiText(value: number): string {
  const bytes = [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
  return bytes.every((b) => b >= 0x20 && b < 0x7f) ? `"${String.fromCharCode(...bytes)}"` : "";
}

/** A status change as the bits that it sets and clears: `+DRIVER_OK`, `-DRIVER -ACKNOWLEDGE`. */
export function statusChange(from: number, to: number): string {
  const words: string[] = [];
  for (const [name, bit] of Object.entries(virtioStatus)) {
    if ((to & ~from & bit) !== 0) words.push(`+${name}`);
    if ((from & ~to & bit) !== 0) words.push(`-${name}`);
  }
  const named = Object.values(virtioStatus).reduce((set, bit) => set | bit, 0);
  const rest = (from ^ to) & ~named;
  return [...words, ...(rest === 0 ? [] : [`undefined bits ${hex(rest)}`])].join(" ");
}
