/** Whether a program that found no device to drive has looked into every slot (virtio 1.2 §4.2.2.2, §4.2.3.1.1). */
import { hex } from "../bits.ts";
import type { Where } from "../events.ts";
import type { MemoryReport } from "./watched_queue.ts";

/** A slot of the machine. */
export interface SlotView {
  readonly name: string;
  /** Guest-physical address of its registers. */
  readonly base: number;
  /** DeviceID; 0 in an empty slot. */
  readonly id: number;
}

/** Follows which slots are looked at. */
export class SlotSearch {
  readonly #seen = new Set<string>();
  #last: { readonly name: string; readonly id: number; readonly where: Where } | undefined;
  #driven = false;

  /** The program has read a DeviceID. */
  looked(name: string, id: number, where: Where): void {
    this.#seen.add(name);
    this.#last = { name, id, where };
  }

  /** It has set DRIVER of a device. */
  drives(): void {
    this.#driven = true;
  }

  /** The machine was reset. */
  powerOn(): void {
    this.#seen.clear();
    this.#last = undefined;
    this.#driven = false;
  }

  /** The run is over. */
  end(slots: readonly SlotView[], report: MemoryReport): void {
    const last = this.#last;
    if (last === undefined || this.#driven) return;
    const missed = slots.filter(({ name, id }) => id !== 0 && !this.#seen.has(name));
    if (missed.length === 0) return;
    const list = missed.map(({ name, base, id }) => `${name} at ${hex(base)} (DeviceID ${id})`).join(", ");
    const what = `the last DeviceID read was ${last.id}, of ${last.name}; never looked at: ${list}`;
    report(last.name, "slot-not-searched", what, last.where);
  }
}
