/**
 * How a driver reads configuration fields that take several accesses: whether it guards against the device changing
 * them in between (virtio 1.2 §2.5.1, legacy §2.5.4).
 */
import { virtioMmioConfigOffset } from "../../devices/virtio/registers.ts";
import type { RegisterDef } from "../bus/register.ts";
import type { MmioEvent, Where } from "../events.ts";
import type { Report } from "./registers.ts";
import type { Occasion } from "./rule.ts";

/** What a driver may do between two reads of a field that belong together: its interrupt handler comes in between. */
const HANDLER: ReadonlySet<string> = new Set(["InterruptStatus", "InterruptACK"]);

/** A field of which some bytes have been read. */
interface Partial {
  readonly field: RegisterDef;
  /** Which bytes, a bit each. */
  bytes: number;
  /** Modern devices: ConfigGeneration was read before. */
  readonly guarded: boolean;
  /** The device has changed its configuration since the first of them. */
  changed: boolean;
}

/** Watches reads of one device's configuration. */
export class ConfigReads {
  readonly #legacy: boolean;
  readonly #occasions: Set<Occasion>;
  readonly #report: Report;
  /** The last accesses were ConfigGeneration, and fields after it. */
  #guarded = false;
  #partial: Partial | undefined;
  /** A 64-bit field that was read whole and waits for the closing ConfigGeneration. */
  #unclosed: { readonly field: RegisterDef; readonly where: Where } | undefined;
  /** Legacy devices: a field that was read in parts while the device changed it. */
  #torn: { readonly field: RegisterDef; readonly where: Where } | undefined;

  /** Reports reads of a device whose register file is legacy or modern. */
  constructor(legacy: boolean, occasions: Set<Occasion>, report: Report) {
    this.#legacy = legacy;
    this.#occasions = occasions;
    this.#report = report;
  }

  /** The device was reset. */
  reset(): void {
    this.#guarded = false;
    this.#partial = this.#unclosed = this.#torn = undefined;
  }

  /** The device has changed its configuration. */
  changed(): void {
    if (this.#partial !== undefined) this.#partial.changed = true;
  }

  /** One access; `def` is the register or field, if there is one. */
  access(fact: MmioEvent, def: RegisterDef | undefined, where: Where): void {
    // An 8-byte access is told as two: that it was one is the mistake.
    if (fact.accessSize === 8) return;
    const read = !fact.write && fact.offset >= virtioMmioConfigOffset;
    if (this.#legacy) return read ? this.#legacyRead(fact, def, where) : this.#legacyOther(def?.name);
    if (def?.name === "ConfigGeneration") {
      this.#guarded = true;
      this.#partial = this.#unclosed = undefined;
    } else if (read) this.#read(fact, def, where);
    else {
      if (this.#unclosed !== undefined) this.#unguarded(this.#unclosed.field, "after", this.#unclosed.where);
      this.#guarded = false;
      this.#partial = this.#unclosed = undefined;
    }
  }

  /** §2.5.1: both halves of a 64-bit field between two reads of ConfigGeneration. */
  #read(fact: MmioEvent, field: RegisterDef | undefined, where: Where): void {
    if (field?.size !== 8 || fact.size !== 4) return;
    const partial = this.#add(fact, field);
    if (partial === undefined) return;
    if (partial.guarded) this.#unclosed = { field, where };
    else this.#unguarded(field, "before", where);
  }

  /** §2.5.4: the legacy interface has no generation; a field is read until two reads agree. */
  #legacyRead(fact: MmioEvent, field: RegisterDef | undefined, where: Where): void {
    if (field === undefined || fact.size >= field.size) return;
    const partial = this.#add(fact, field);
    if (partial === undefined) return;
    if (partial.changed) this.#torn = { field, where };
    else if (this.#torn?.field === field) this.#torn = undefined;
  }

  #legacyOther(name: string | undefined): void {
    if (name === undefined || HANDLER.has(name)) return;
    this.#partial = undefined;
    const torn = this.#torn;
    // The driver has begun to work with what it read.
    if (torn === undefined || name !== "QueueNotify") return;
    this.#torn = undefined;
    this.#report(
      "config-torn",
      `${torn.field.name} changed while it was read in parts, and was not read again`,
      torn.where,
    );
  }

  /** Adds the bytes of an access; what is known of the field once all of them were read. */
  #add({ offset, size }: MmioEvent, field: RegisterDef): Partial | undefined {
    if (this.#partial?.field !== field) {
      this.#partial = { field, bytes: 0, guarded: this.#guarded, changed: false };
    }
    const partial = this.#partial;
    partial.bytes |= ((1 << size) - 1) << (offset - field.offset);
    if (partial.bytes !== 2 ** field.size - 1) return undefined;
    this.#partial = undefined;
    this.#occasions.add("config-read-wide");
    return partial;
  }

  #unguarded(field: RegisterDef, when: string, where: Where): void {
    this.#report(
      "config-generation",
      `both halves of ${field.name}, ConfigGeneration was not read ${when} them`,
      where,
    );
  }
}
