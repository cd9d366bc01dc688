import { hex } from "../../vm/bits.ts";
import type { AccessSize, Device } from "../../vm/bus/device.ts";
import { findRegister, type RegisterDef } from "../../vm/bus/register.ts";
import type { EventStream } from "../../vm/events.ts";
import { virtioIdInvalid } from "./features.ts";
import { DEFAULT_VENDOR_ID } from "./mmio.ts";
import { virtioMmioMagic, virtioMmioRegisters } from "./registers.ts";
import { virtioRules } from "./rules.ts";

/** What an empty virtio-mmio slot is built from. */
export interface EmptySlotOptions {
  readonly name: string;
  readonly events: EventStream;
  /** As of the slots that have a device; default 2. */
  readonly version?: 1 | 2;
  readonly vendorId?: number;
}

/** A virtio-mmio slot without a device: DeviceID 0, at which a driver stops without a word (virtio 1.2 §4.2.2.2). */
export class EmptyVirtioSlot implements Device {
  readonly name: string;
  readonly registers: readonly RegisterDef[] = virtioMmioRegisters;
  readonly legacy: boolean;
  readonly #events: EventStream;
  readonly #vendorId: number;

  constructor(options: EmptySlotOptions) {
    this.name = options.name;
    this.legacy = options.version === 1;
    this.#events = options.events;
    this.#vendorId = options.vendorId ?? DEFAULT_VENDOR_ID;
  }

  read(offset: number, size: AccessSize): number {
    const name = size === 4 && offset % 4 === 0 ? findRegister(this.registers, offset, this.legacy)?.def.name : "";
    switch (name) {
      case "MagicValue":
        return virtioMmioMagic;
      case "Version":
        return this.legacy ? 1 : 2;
      case "DeviceID":
        return virtioIdInvalid;
      case "VendorID":
        return this.#vendorId;
      default:
        this.#violation(`${size}-byte read at ${hex(offset, 3)}`);
        return 0;
    }
  }

  write(offset: number, size: AccessSize, value: number): number {
    this.#violation(`${size}-byte write of ${hex(value)} at ${hex(offset, 3)}`);
    return 0;
  }

  reset(): void {}

  #violation(access: string): void {
    if (!this.#events.wants("violation")) return;
    const what = `${access} of a slot whose DeviceID is 0`;
    this.#events.emit({
      kind: "violation",
      device: this.name,
      spec: virtioRules["slot-empty"],
      id: "slot-empty",
      what,
    });
  }
}
