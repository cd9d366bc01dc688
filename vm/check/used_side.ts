/**
 * What a driver does where the device tells it of used buffers, and where it tells the device when to interrupt it: the
 * used ring, flags and used_event, and the structures that packed rings have for that (virtio 1.2 §2.7.7 to §2.7.10).
 */
import { hex } from "../bits.ts";
import type { Where } from "../events.ts";
import { FenceOrder, type WatchedAccess } from "../watches.ts";
import { waitsOutside } from "./stall/queues.ts";
import { type Fences, type MemorySight, type Queue, unfenced } from "./watched_queue.ts";

/** VIRTQ_AVAIL_F_NO_INTERRUPT (virtio 1.2 §2.7.7). */
const NO_INTERRUPT = 1;

/** Tells that a rule was broken in a queue. */
type Tell = (queue: Queue, rule: string, what: string, where: Where) => void;

/** Watches that side of all queues. */
export class UsedSide {
  readonly #sight: MemorySight;
  readonly #fences: Fences;
  readonly #tell: Tell;
  /** Devices whose driver has said where it wants interrupts, and those told that theirs has not (EVENT_IDX). */
  readonly #events = new Map<string, "said" | "told">();

  constructor(sight: MemorySight, fences: Fences, tell: Tell) {
    this.#sight = sight;
    this.#fences = fences;
    this.#tell = tell;
  }

  /** A queue was handed over; `first` after the device's reset. Its parts are what the driver has left there. */
  handedOver(queue: Queue, first: boolean, where: Where): void {
    const { device, index, layout: { format, driver, device_area, desc } } = queue;
    const { peek } = this.#sight;
    if (first) this.#events.delete(device);
    if (format === "packed") {
      // §2.8.1: with both marks set a descriptor is a used one, for a driver that begins with the wrap counter 1.
      const flags = peek(desc + 14) ?? 0;
      if ((flags & 0x8080) === 0x8080) {
        this.#tell(queue, "queue-not-zeroed", `descriptor 0 of queue ${index} has flags ${hex(flags, 4)}`, where);
      }
      return;
    }
    const [flags = 0, idx = 0] = [peek(device_area), peek(device_area + 2)];
    if (flags !== 0) this.#tell(queue, "used-flags-not-zeroed", `queue ${index}: flags are ${hex(flags)}`, where);
    if (idx !== 0) this.#tell(queue, "queue-not-zeroed", `the used idx of queue ${index} is ${idx}`, where);
    this.#checkFlags(queue, peek(driver) ?? 0, where);
  }

  /** The device has written an element of the used ring, or a used descriptor into a packed ring. */
  wrote(queue: Queue, position: number, where: Where): void {
    const { device, index, unread, used, layout: { format } } = queue;
    const { eventIdx, notified = where } = this.#sight.state(device);
    const slot = position % unread.length;
    queue.lookedSince = false;
    if (unread[slot] === 1) {
      const what = `${
        format === "split" ? "element" : "used descriptor"
      } ${slot} of queue ${index} is written again and was never read; ${used} elements so far`;
      this.#tell(queue, "used-unread", what, notified);
    }
    unread[slot] = 1;
    // What the driver of a packed ring leaves as it is asks for every interrupt (§2.8.14).
    if (format === "packed" || !eventIdx || used <= unread.length || this.#events.has(device)) return;
    this.#events.set(device, "told");
    const what = `${used} buffers of queue ${index} were used, and used_event was never written`;
    this.#tell(queue, "event-idx-unused", what, notified);
  }

  /** An access to flags of the available ring. */
  availFlags(queue: Queue, { write, addr, size, value }: WatchedAccess, where: Where): void {
    const at = queue.layout.driver - addr;
    if (!write || at < 0 || at + 2 > size) return;
    const flags = Number(BigInt.asUintN(16, value >> BigInt(8 * at)));
    const enabled = (queue.flags & ~flags & NO_INTERRUPT) !== 0;
    queue.flags = flags;
    if (enabled) this.#reenabled(queue, where);
    this.#checkFlags(queue, flags, where);
  }

  /** An access to used_event. */
  usedEvent(queue: Queue, { write }: WatchedAccess, where: Where): void {
    if (!write || !this.#sight.state(queue.device).eventIdx) return;
    this.#events.set(queue.device, "said");
    this.#reenabled(queue, where);
  }

  /** An access to avail_event. */
  availEvent(queue: Queue, { write, addr, size }: WatchedAccess, where: Where): void {
    if (!this.#sight.state(queue.device).eventIdx) return;
    if (write) this.#written(queue, `${size} bytes at ${hex(addr)}, avail_event of queue ${queue.index}`, where);
    else this.#asks(queue, "avail_event", where);
  }

  /** An access to the device event suppression structure of a packed ring. */
  suppression(queue: Queue, { write, addr, size }: WatchedAccess, where: Where): void {
    const what = `the device event suppression structure of queue ${queue.index}`;
    if (write) this.#written(queue, `${size} bytes at ${hex(addr)}, ${what}`, where);
    else this.#asks(queue, what, where);
  }

  /** An access to the used ring. */
  usedRing(queue: Queue, { write, addr, size }: WatchedAccess, where: Where): void {
    const offset = addr - queue.layout.device_area;
    if (write) {
      return this.#written(queue, `${size} bytes at offset ${offset} of queue ${queue.index}'s used ring`, where);
    }
    if (offset < 4) {
      if (offset + size > 2) this.#looked(queue, where);
      else if (!this.#sight.state(queue.device).eventIdx) this.#asks(queue, "flags of the used ring", where);
      return;
    }
    const element = Math.floor((offset - 4) / 8);
    for (let at = element; 4 + 8 * at < offset + size; at++) queue.unread[at] = 0;
    if (element >= queue.used) {
      const what = `element ${element} of queue ${queue.index} was read when the used idx was ${queue.used & 0xffff}`;
      this.#tell(queue, "used-read-early", what, where);
    }
    const { looked } = queue;
    if (looked?.hart !== where.hart) return;
    queue.looked = undefined;
    if (!unfenced(looked, where, FenceOrder.LoadLoad, this.#fences)) return;
    const what = `element ${element} of queue ${queue.index} was read with no fence after the used idx`;
    this.#tell(queue, "barrier-used", what, where);
  }

  /** A load from a descriptor of a packed ring: flags tell whether it is a used one, the rest what came back (§2.8.5). */
  packedEntry(queue: Queue, { addr, size }: WatchedAccess, where: Where): void {
    const { index, layout: { desc, size: entries }, unread } = queue;
    const from = addr - desc;
    const slot = Math.floor((from + size - 1) / 16);
    if (slot < 0 || slot >= entries) return;
    const end = from + size - 16 * slot;
    const flags = end > 14;
    // Of a used descriptor, length and id are the device's; its address is what it was.
    if (unread[slot] === 1 && end > 8 && from - 16 * slot < 14) {
      unread[slot] = 0;
      const { looked } = queue;
      queue.looked = undefined;
      if (!flags && looked?.hart === where.hart && unfenced(looked, where, FenceOrder.LoadLoad, this.#fences)) {
        const what = `id or length of descriptor ${slot} of queue ${index} was read with no fence after its flags`;
        this.#tell(queue, "barrier-used", what, where);
      }
    }
    if (flags) this.#looked(queue, where);
  }

  /** A hart begins to wait for what the device says of this queue. */
  waits(queue: Queue, where: Where): void {
    const { reenabled, acknowledged, chains, device, index } = queue;
    if (chains.size === 0) return;
    const { type } = this.#sight.state(device);
    const waiting = `hart ${where.hart} waits in wfi, the device has ${chains.size} buffers of queue ${index}`;
    // A queue that is fed from outside is never empty, and its driver may look at it another time.
    if (reenabled?.hart === where.hart && type !== undefined && !waitsOutside(type, index)) {
      queue.reenabled = undefined;
      this.#tell(queue, "used-recheck", `used idx was not read after this, and ${waiting}`, reenabled);
    }
    if (acknowledged?.hart === where.hart) {
      queue.acknowledged = undefined;
      this.#tell(
        queue,
        "interrupt-ack-late",
        `used idx was read before this and not after it; ${waiting}`,
        acknowledged,
      );
    }
  }

  /** §2.7.7.1: what flags of the available ring may be. */
  #checkFlags(queue: Queue, flags: number, where: Where): void {
    const { eventIdx } = this.#sight.state(queue.device);
    if ((flags & (eventIdx ? ~0 : ~NO_INTERRUPT)) === 0) return;
    const feature = eventIdx ? "with" : "without";
    this.#tell(
      queue,
      "avail-flags",
      `queue ${queue.index}: flags are ${hex(flags)}, ${feature} VIRTIO_F_EVENT_IDX`,
      where,
    );
  }

  /** The driver asks to be notified again, of buffers that the device has. */
  #reenabled(queue: Queue, where: Where): void {
    if (queue.chains.size > 0) queue.reenabled = where;
  }

  /** The driver has read the used idx. */
  #looked(queue: Queue, where: Where): void {
    queue.looked = this.#fences.mark(where);
    queue.lookedSince = true;
    queue.reenabled = queue.acknowledged = undefined;
    queue.handling = true;
    queue.kick.looked(where);
  }

  /** The driver reads whether the device wants to be notified: what it has made available must be seen before. */
  #asks(queue: Queue, what: string, where: Where): void {
    if (!unfenced(queue.exposed, where, FenceOrder.StoreLoad, this.#fences)) return;
    const text = `${what} of queue ${queue.index} was read with no fence since a buffer was made available`;
    this.#tell(queue, "barrier-suppression", text, where);
  }

  /** The driver has written what is the device's. */
  #written(queue: Queue, what: string, where: Where): void {
    if (queue.used > 0 || queue.chains.size > 0) this.#tell(queue, "used-ring-written", what, where);
  }
}
