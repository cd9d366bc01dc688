import { isPowerOfTwo, join64 } from "../../vm/bits.ts";
import type { Chain } from "./chain.ts";
import type { QueueHost } from "./queue.ts";
import { CHAIN_MAX, DESCRIPTOR_BYTES, QUEUE_SIZE_MAX, Ring, type RingFormat, VirtqDesc } from "./ring.ts";

/** Flag of the available ring: the driver wants no notifications (virtio 1.2 §2.7.7). */
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;
/** Flag of the used ring: the device wants no notifications (virtio 1.2 §2.7.10). */
export const VIRTQ_USED_F_NO_NOTIFY = 1;

/** The parts of a split virtqueue (virtio 1.2 §2.7, alignment §2.7.1): table, available ring, used ring. */
export const splitFormat: RingFormat = {
  name: "split",
  alignment: { desc: 16, driver: 2, device: 4 },
  bytes: (size) => ({ desc: DESCRIPTOR_BYTES * size, driver: 6 + 2 * size, device: 6 + 8 * size }),
  written: ["device"],
  // §2.7: with another size positions would not survive their wrap.
  refuses: (size) =>
    isPowerOfTwo(size) && size <= QUEUE_SIZE_MAX ? undefined : `not a power of two up to ${QUEUE_SIZE_MAX}`,
  // The driver's name for a buffer is the index of its first descriptor.
  names: (size) => size,
};

/** A split virtqueue (virtio 1.2 §2.7), device side. */
export class SplitQueue extends Ring {
  /** Free-running 16-bit positions: next to take, the driver's as last read, next to use. */
  #lastAvail = 0;
  #availIdx = 0;
  #usedIdx = 0;

  constructor(index: number, host: QueueHost) {
    super(index, host, splitFormat);
  }

  protected override begin(): void {
    this.#lastAvail = this.#availIdx = this.#usedIdx = 0;
  }

  protected override get places(): { taken: number; used: number; wrap: 0 } {
    return { taken: this.#lastAvail, used: this.#usedIdx, wrap: 0 };
  }

  protected override get usedPlace(): number {
    return this.#usedIdx;
  }

  override pop(): Chain | undefined {
    // §4.2.2.1: no access while QueueReady is zero; §2.1.2: none before DRIVER_OK; virtio 1.4 §3.4.2: none to suspend.
    if (!this.ready || !this.host.taking) return undefined;
    if (this.#lastAvail === this.#availIdx && !this.#readAvailIdx()) return undefined;
    const position = this.#lastAvail;
    const head = this.view.getUint16(this.driver + 4 + 2 * (position & (this.size - 1)), true);
    if (head >= this.size) {
      return this.fail(
        "avail-head-range",
        `entry ${position} of the available ring is ${head}, the size is ${this.size}`,
      );
    }
    if (this.named(head)) {
      this.violation("avail-head-in-flight", `head ${head} is made available again while the device has it`);
    }
    if (this.inFlight >= this.size) {
      return this.fail("avail-overcommitted", `${this.inFlight + 1} buffers in flight in a queue of ${this.size}`);
    }
    this.#lastAvail = (position + 1) & 0xffff;
    const chain = this.take(head);
    const whole = this.#walk(chain, head);
    if (this.facts !== undefined) this.emit({ step: "chain", head, position, descriptors: this.facts });
    return whole ? this.taken(chain, 1) : this.failBroken(`head ${head}`);
  }

  protected override use(head: number, written: number, buffers: number): void {
    const { memory } = this.host;
    const position = this.#usedIdx;
    const element = 4 + 8 * (position & (this.size - 1));
    // §2.7.8.2: the element, then idx. §2.7.9: a batch has one element, where that of its first buffer would be.
    this.view.setUint32(this.device + element, head, true);
    this.view.setUint32(this.device + element + 4, written, true);
    memory.wrote(this.layout.device + element, 8);
    this.#usedIdx = (position + buffers) & 0xffff;
    this.view.setUint16(this.device + 2, this.#usedIdx, true);
    memory.wrote(this.layout.device + 2, 2);
    if (this.watched) {
      this.emit({ step: "used", head, written, position, ...(buffers > 1 && { buffers }) });
    }
    this.#notify(position, buffers);
  }

  override suppressNotifications(suppressed: boolean): void {
    this.suppressed = suppressed;
    if (!this.ready || !this.host.live) return;
    // §2.7.10.2: with EVENT_IDX flags stay 0, and avail_event is left behind instead.
    if (this.host.eventIdx) {
      if (!suppressed) this.#writeAvailEvent();
      return;
    }
    this.view.setUint16(this.device, suppressed ? VIRTQ_USED_F_NO_NOTIFY : 0, true);
    this.host.memory.wrote(this.layout.device, 2);
  }

  /** §2.9: offset and wrap counter are the available index, in 15 bits and one. */
  override notificationProblem(offset: number, wrap: number): string | undefined {
    const told = offset | (wrap << 15);
    const idx = this.view.getUint16(this.driver + 2, true);
    // Another hart may have gone on since: only what the driver has not reached, or left long ago, is wrong.
    if (((idx - told) & 0xffff) <= this.size) return undefined;
    return `available index ${told}, in memory it is ${idx}`;
  }

  /** Reads the driver's position; whether it is ahead of ours by a number of buffers that can be. */
  #readAvailIdx(): boolean {
    // With EVENT_IDX the driver notifies when it passes avail_event: it must stand at the next entry before we look.
    if (this.host.eventIdx && !this.suppressed) this.#writeAvailEvent();
    const idx = this.view.getUint16(this.driver + 2, true);
    const ahead = (idx - this.#lastAvail) & 0xffff;
    if (ahead === 0) return false;
    if (ahead > this.size) {
      const what = `available idx is ${idx}, ${ahead} ahead of ${this.#lastAvail} in a queue of ${this.size}`;
      this.fail("avail-idx-jump", what);
      return false;
    }
    if (this.watched) this.emit({ step: "available", from: this.#lastAvail, to: idx });
    this.#availIdx = idx;
    return true;
  }

  #writeAvailEvent(): void {
    const offset = 4 + 8 * this.size;
    if (this.view.getUint16(this.device + offset, true) === this.#lastAvail) return;
    this.view.setUint16(this.device + offset, this.#lastAvail, true);
    this.host.memory.wrote(this.layout.device + offset, 2);
  }

  /** Reads the descriptors of a chain, each once; false (with the reason kept) if it is not one. */
  #walk(chain: Chain, head: number): boolean {
    const { inOrder } = this.host;
    let table = this.desc;
    let entries = this.size;
    let inTable = false;
    let index = head;
    // A chain visits each descriptor once (§2.7.5.2 forbids loops), so more than there are means a loop.
    let limit = entries;
    for (let count = 1;; count++) {
      if (count > limit) {
        return this.broken("descriptor-loop", `the chain is still going after ${count - 1} descriptors`);
      }
      const at = table + DESCRIPTOR_BYTES * index;
      const addr = join64(this.view.getUint32(at, true), this.view.getUint32(at + 4, true));
      const length = this.view.getUint32(at + 8, true);
      const flags = this.view.getUint16(at + 12, true);
      const next = this.view.getUint16(at + 14, true);
      this.facts?.push({ index, table: inTable ? "indirect" : "ring", addr, length, flags, next });
      if ((flags & VirtqDesc.F_INDIRECT) !== 0) {
        // §2.7.5.3.1: one table per chain, at its end, and only if negotiated. §2.7.5.3.2: its WRITE flag is ignored.
        if (inTable) return this.broken("indirect-nested", `entry ${index} of the indirect table refers to another`);
        if ((flags & VirtqDesc.F_NEXT) !== 0) {
          return this.broken("indirect-next", `descriptor ${index} has both INDIRECT and NEXT`);
        }
        table = this.indirectTable(index, addr, length);
        if (table < 0) return false;
        entries = length / DESCRIPTOR_BYTES;
        limit = count + Math.min(entries, CHAIN_MAX);
        inTable = true;
        index = 0;
        continue;
      }
      if (!this.element(chain, index, addr, length, (flags & VirtqDesc.F_WRITE) !== 0)) return false;
      if ((flags & VirtqDesc.F_NEXT) === 0) {
        if (inTable && count > this.size + 1) {
          this.violation("indirect-chain-length", `${count - 1} descriptors, the queue size is ${this.size}`);
        }
        return true;
      }
      if (next >= entries) {
        return this.broken("descriptor-next-range", `next of descriptor ${index} is ${next} of ${entries}`);
      }
      // §2.7.5.2, §2.7.5.3.1: with IN_ORDER in sequence; it is followed wherever it leads.
      const sequential = inTable ? index + 1 : (index + 1) % entries;
      if (inOrder && next !== sequential) {
        this.violation("in-order-next", `next of descriptor ${index} is ${next} instead of ${sequential}`);
      }
      index = next;
    }
  }

  /** Decides on the notification for `buffers` entries from `position` on, after idx became visible (§2.7.7.2). */
  #notify(position: number, buffers: number): void {
    const { eventIdx, notifyOnEmpty } = this.host;
    const word = this.view.getUint16(this.driver + (eventIdx ? 4 + 2 * this.size : 0), true);
    const wanted = eventIdx ? ((word - position) & 0xffff) < buffers : (word & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0;
    // §6.3: the legacy feature beats both kinds of suppression.
    const dry = !wanted && notifyOnEmpty && this.#runDry();
    this.notifyUsed(
      wanted || dry,
      () =>
        dry ? "VIRTIO_F_NOTIFY_ON_EMPTY" : eventIdx ? `used_event is ${word}, idx was ${position}` : `flags is ${word}`,
    );
  }

  /** Whether no buffer is available or in flight. */
  #runDry(): boolean {
    return this.inFlight === 0 && this.view.getUint16(this.driver + 2, true) === this.#lastAvail;
  }
}
