/** Which features a driver accepts of those that are offered, and what becomes of them (virtio 1.2 §2.2, §6.1). */
import { virtioStatus } from "../../devices/virtio/registers.ts";
import type { RegisterDef } from "../bus/register.ts";
import type { MmioEvent, Where } from "../events.ts";
import { hasFeature } from "./feature_bits.ts";
import type { Report } from "./registers.ts";

const BLK = 2;

/** Features that a driver should accept where they are offered: the rule, and of which device type they are (0: all). */
const WANTED: readonly { readonly feature: string; readonly type: number; readonly rule: string }[] = [
  { feature: "VIRTIO_F_RING_PACKED", type: 0, rule: "feature-ring-packed" },
  { feature: "VIRTIO_F_ORDER_PLATFORM", type: 0, rule: "feature-order-platform" },
  { feature: "VIRTIO_BLK_F_RO", type: BLK, rule: "blk-read-only-declined" },
];

/**
 * Features that are nothing but configuration fields (virtio 1.2 §5.2.4): accepted by a driver that reads none of them,
 * they are accepted for nothing. GEOMETRY and CONFIG_WCE are not among them: kernels read and write those when a program
 * asks for it.
 */
const FIELDS: readonly { readonly feature: string; readonly fields: string }[] = [
  { feature: "VIRTIO_BLK_F_SIZE_MAX", fields: "size_max" },
  { feature: "VIRTIO_BLK_F_SEG_MAX", fields: "seg_max" },
  { feature: "VIRTIO_BLK_F_BLK_SIZE", fields: "blk_size" },
  { feature: "VIRTIO_BLK_F_TOPOLOGY", fields: "topology." },
  { feature: "VIRTIO_BLK_F_MQ", fields: "num_queues" },
  { feature: "VIRTIO_BLK_F_DISCARD", fields: "max_discard_" },
  { feature: "VIRTIO_BLK_F_WRITE_ZEROES", fields: "max_write_zeroes_" },
  { feature: "VIRTIO_BLK_F_SECURE_ERASE", fields: "max_secure_erase_" },
];

/** Watches one device. */
export class Negotiation {
  readonly #report: Report;
  readonly #config = new Map<string, number>();
  /** Fields that were ever read or written: a driver that starts again after suspending knows what they say. */
  readonly #known = new Set<string>();
  #accepted = 0n;
  /** Where the driver wrote DriverFeatures last. */
  #where: Where | undefined;
  #live = false;

  /** Reports what one device's driver makes of features. */
  constructor(report: Report) {
    this.#report = report;
  }

  /** What the driver has read or written of the configuration last, by field; of a field of 64 bits the low half. */
  get config(): ReadonlyMap<string, number> {
    return this.#config;
  }

  /** One access; `def` is the register or field, if there is one. */
  access({ write, value, offset, size }: MmioEvent, def: RegisterDef | undefined, where: Where): void {
    const name = def?.name ?? "";
    if (name.startsWith("config.")) this.#configured(name.slice("config.".length), def!, offset, size, value);
    else if (!write) return;
    else if (name === "DriverFeatures") this.#where = where;
    else if (name === "Status" && (value & virtioStatus.DRIVER_OK) !== 0) this.#live = true;
  }

  /** Legacy drivers read most fields byte by byte. */
  #configured(name: string, field: RegisterDef, offset: number, size: number, value: number): void {
    this.#known.add(name);
    const at = offset - field.offset;
    const before = this.#config.get(name) ?? 0;
    const place = 2 ** (8 * at);
    const span = 2 ** (8 * size);
    const old = Math.floor(before / place) % span;
    this.#config.set(name, at + size > 4 ? before : before + (value - old) * place);
  }

  /** The device has answered FEATURES_OK, or a legacy device was started. */
  features(type: number | undefined, offered: bigint, accepted: bigint): void {
    this.#accepted = offered & accepted;
    for (const one of WANTED) {
      if (one.type !== 0 && one.type !== type) continue;
      if (hasFeature(offered & ~accepted, one.feature, one.type)) {
        this.#report(one.rule, `${one.feature} is offered and was not accepted`, this.#where);
      }
    }
  }

  /** The driver's time on the device is over: it was reset, or the run ends. */
  end(type: number | undefined): void {
    if (this.#live && type === BLK) {
      for (const { feature, fields } of FIELDS) {
        if (
          !hasFeature(this.#accepted, feature, BLK) || [...this.#known].some((name) => name.startsWith(fields))
        ) {
          continue;
        }
        const what = `${feature} was accepted, and ${fields}${
          fields.endsWith("_") || fields.endsWith(".") ? "…" : ""
        } not read`;
        this.#report("feature-unused", what, this.#where);
      }
    }
    this.#config.clear();
    this.#accepted = 0n;
    this.#where = undefined;
    this.#live = false;
  }
}
