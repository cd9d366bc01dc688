import { join64 } from "../../vm/bits.ts";
import type { Chain } from "./chain.ts";
import type { QueueHost } from "./queue.ts";
import { CHAIN_MAX, DESCRIPTOR_BYTES, QUEUE_SIZE_MAX, Ring, type RingFormat, VirtqDesc } from "./ring.ts";

/** Flags that mark descriptors as available and used, by the value of a wrap counter (virtio 1.2 §2.8.1). */
export const PackedDesc = { F_AVAIL: 0x80, F_USED: 0x8000 } as const;

/** Values of desc_event_flags in an event suppression structure (virtio 1.2 §2.8.10). */
export const RingEventFlags = { ENABLE: 0, DISABLE: 1, DESC: 2 } as const;

/** Bits of desc_event_flags; the rest of the word is reserved (virtio 1.2 §2.8.14). */
const EVENT_FLAGS_MASK = 3;

/** The parts of a packed virtqueue (virtio 1.2 §2.8.10.1): ring, driver's and device's event suppression. */
export const packedFormat: RingFormat = {
  name: "packed",
  alignment: { desc: 16, driver: 4, device: 4 },
  bytes: (size) => ({ desc: DESCRIPTOR_BYTES * size, driver: 4, device: 4 }),
  written: ["desc", "device"],
  // §2.8.10.1: any number of entries, not only powers of two.
  refuses: (size) => size >= 1 && size <= QUEUE_SIZE_MAX ? undefined : `not from 1 to ${QUEUE_SIZE_MAX}`,
  // A Buffer ID is the driver's free choice of 16 bits (§2.8.13).
  names: () => 0x1_0000,
};

/** A place in the ring: an offset below the size, and the wrap counter that goes with it (virtio 1.2 §2.8.1). */
class RingPlace {
  offset = 0;
  wrap: 0 | 1 = 1;

  begin(): void {
    this.offset = 0;
    this.wrap = 1;
  }

  /** Goes `count` entries on in a ring of `size`. */
  advance(count: number, size: number): void {
    this.offset += count;
    if (this.offset < size) return;
    this.offset -= size;
    this.wrap = this.wrap === 1 ? 0 : 1;
  }

  /** As an event suppression structure has it (virtio 1.2 §2.8.14): desc_event_off, desc_event_wrap. */
  get word(): number {
    return this.offset | (this.wrap << 15);
  }
}

/** A packed virtqueue (virtio 1.2 §2.8), device side. */
export class PackedQueue extends Ring {
  /** Next descriptor to take, and the device's place for the next used one with the Device Ring Wrap Counter. */
  readonly #avail = new RingPlace();
  readonly #used = new RingPlace();
  /** Entries of the ring whose buffers are in flight. */
  #slots = 0;

  constructor(index: number, host: QueueHost) {
    super(index, host, packedFormat);
  }

  protected override begin(): void {
    // §2.8.1: both wrap counters are initialised to 1.
    this.#avail.begin();
    this.#used.begin();
    this.#slots = 0;
  }

  protected override get places(): { taken: number; used: number; wrap: 0 | 1 } {
    return { taken: this.#avail.offset, used: this.#used.offset, wrap: this.#avail.wrap };
  }

  protected override get usedPlace(): number {
    return this.#used.offset;
  }

  override pop(): Chain | undefined {
    // §4.2.2.1: no access while QueueReady is zero; §2.1.2: none before DRIVER_OK; virtio 1.4 §3.4.2: none to suspend.
    if (!this.ready || !this.host.taking) return undefined;
    const { offset, wrap } = this.#avail;
    if (!isAvailable(this.#flags(offset), wrap)) {
      // The event must stand at the next descriptor before we look for the last time (§2.8.10).
      if (this.suppressed) return undefined;
      this.#writeEvent();
      if (!isAvailable(this.#flags(offset), wrap)) return undefined;
    }
    const chain = this.take(0);
    const slots = this.#walk(chain);
    if (this.facts !== undefined) {
      this.emit({ step: "chain", head: chain.head, position: offset, descriptors: this.facts });
    }
    if (slots === 0) return this.failBroken(`position ${offset}`);
    if (this.named(chain.head)) {
      this.violation("packed-id-in-flight", `Buffer ID ${chain.head} is used again while the device has it`);
    }
    this.#avail.advance(slots, this.size);
    this.#slots += slots;
    return this.taken(chain, slots);
  }

  protected override use(head: number, written: number, buffers: number, slots: number): void {
    const { offset, wrap } = this.#used;
    const at = this.desc + DESCRIPTOR_BYTES * offset;
    // §2.8.1: both flags equal the Device Ring Wrap Counter; §2.8.3: WRITE if any data was written. Flags come last:
    // §2.8.15, a descriptor must not change once it is used.
    this.view.setUint32(at + 8, written, true);
    this.view.setUint16(at + 12, head, true);
    const mark = wrap === 1 ? PackedDesc.F_AVAIL | PackedDesc.F_USED : 0;
    this.view.setUint16(at + 14, mark | (written > 0 ? VirtqDesc.F_WRITE : 0), true);
    this.host.memory.wrote(this.layout.desc + DESCRIPTOR_BYTES * offset + 8, 8);
    // §2.8.6, §2.8.8: one used descriptor for a chain, or a batch; the rest of its entries is skipped.
    this.#used.advance(slots, this.size);
    this.#slots -= slots;
    if (this.watched) {
      this.emit({ step: "used", head, written, position: offset, ...(buffers > 1 && { buffers }) });
    }
    this.#notify(offset, wrap, slots);
  }

  override suppressNotifications(suppressed: boolean): void {
    this.suppressed = suppressed;
    if (this.ready && this.host.live) this.#writeEvent();
  }

  /** §2.8.16: the driver names the next descriptor it has not made available. */
  override notificationProblem(offset: number, wrap: number): string | undefined {
    if (offset >= this.size) return `next_off ${offset} in a queue of ${this.size}`;
    if (!isAvailable(this.#flags(offset), wrap)) return undefined;
    return `next_off ${offset}, next_wrap ${wrap}: that descriptor is available already`;
  }

  /** Reads `flags` of a descriptor of the ring. */
  #flags(offset: number): number {
    return this.view.getUint16(this.desc + DESCRIPTOR_BYTES * offset + 14, true);
  }

  /** Writes the Device Event Suppression structure: what the driver shall notify of (§2.8.10). */
  #writeEvent(): void {
    const { eventIdx, memory } = this.host;
    const flags = this.suppressed ? RingEventFlags.DISABLE : eventIdx ? RingEventFlags.DESC : RingEventFlags.ENABLE;
    const word = flags === RingEventFlags.DESC ? this.#avail.word : 0;
    const now = this.view.getUint32(this.device, true);
    if (now === (word | (flags << 16)) >>> 0) return;
    this.view.setUint16(this.device, word, true);
    this.view.setUint16(this.device + 2, flags, true);
    memory.wrote(this.layout.device, 4);
  }

  /**
   * Reads the descriptors of a list, each once; how many entries of the ring they take, or 0 (with the reason kept) if
   * they are none.
   */
  #walk(chain: Chain): number {
    const place = { offset: this.#avail.offset, wrap: this.#avail.wrap };
    for (let count = 1;; count++) {
      // §2.8.17: there must be room for the whole list, in a ring whose entries are all in flight or ours.
      if (this.#slots + count > this.size) return this.#overcommitted(count);
      const index = place.offset;
      const at = this.desc + DESCRIPTOR_BYTES * index;
      const flags = this.#flags(index);
      // §2.8.15: no descriptor is used unless it became available. The driver makes the first available last (§2.8.6).
      if (!isAvailable(flags, place.wrap)) {
        this.broken("packed-list-unavailable", `descriptor ${index} of the list is not available`);
        return 0;
      }
      const addr = join64(this.view.getUint32(at, true), this.view.getUint32(at + 4, true));
      const length = this.view.getUint32(at + 8, true);
      // §2.8.6: the Buffer ID is in the last descriptor of the list.
      chain.head = this.view.getUint16(at + 12, true);
      const more = (flags & VirtqDesc.F_NEXT) !== 0;
      if (++place.offset === this.size) {
        place.offset = 0;
        place.wrap = place.wrap === 1 ? 0 : 1;
      }
      this.facts?.push({ index, table: "ring", addr, length, flags: flags & FLAGS_TOLD, next: place.offset });
      if ((flags & VirtqDesc.F_INDIRECT) !== 0) {
        // §2.8.19: no indirect descriptor in a list linked by NEXT. Its WRITE flag is ignored (§2.8.7).
        if (more || count > 1) {
          this.broken("indirect-next", `descriptor ${index} has INDIRECT and is in a list of several`);
          return 0;
        }
        return this.#walkTable(chain, index, addr, length) ? 1 : 0;
      }
      if (!this.element(chain, index, addr, length, (flags & VirtqDesc.F_WRITE) !== 0)) return 0;
      if (!more) return count;
    }
  }

  /** Why no entry is free for descriptor number `count` of a list. */
  #overcommitted(count: number): 0 {
    if (count > this.size) this.broken("descriptor-loop", `the list is still going after ${count - 1} descriptors`);
    else {
      const what = `${this.#slots + count} descriptors in a ring of ${this.size}, ${this.#slots} of them not used yet`;
      this.broken("packed-overcommitted", what);
    }
    return 0;
  }

  /** Reads an indirect table (§2.8.7): all its descriptors in order, of whose flags only WRITE counts. */
  #walkTable(chain: Chain, descriptor: number, tableAddr: number, bytes: number): boolean {
    const table = this.indirectTable(descriptor, tableAddr, bytes);
    if (table < 0) return false;
    const entries = bytes / DESCRIPTOR_BYTES;
    const what = `indirect table of ${entries} descriptors`;
    // §2.8.18: a device may limit lists.
    if (entries > CHAIN_MAX) return this.broken("indirect-chain-length", `${what}, at most ${CHAIN_MAX} are taken`);
    if (entries > this.size) this.violation("indirect-chain-length", `${what}, the queue size is ${this.size}`);
    for (let index = 0; index < entries; index++) {
      const at = table + DESCRIPTOR_BYTES * index;
      const addr = join64(this.view.getUint32(at, true), this.view.getUint32(at + 4, true));
      const length = this.view.getUint32(at + 8, true);
      const flags = this.view.getUint16(at + 14, true);
      this.facts?.push({ index, table: "indirect", addr, length, flags: flags & FLAGS_TOLD, next: index + 1 });
      if ((flags & ~VirtqDesc.F_WRITE) !== 0) {
        this.violation("packed-indirect-flags", `flags of entry ${index} of the indirect table are ${flags}`);
      }
      if (!this.element(chain, index, addr, length, (flags & VirtqDesc.F_WRITE) !== 0)) return false;
    }
    return true;
  }

  /** Decides on the notification for `slots` entries used from `offset` on, after they became visible (§2.8.10). */
  #notify(offset: number, wrap: 0 | 1, slots: number): void {
    const event = this.view.getUint16(this.driver, true);
    const flags = this.view.getUint16(this.driver + 2, true) & EVENT_FLAGS_MASK;
    const wanted = flags === RingEventFlags.DISABLE ? false : flags === RingEventFlags.ENABLE ? true : this.#eventIn(
      flags,
      event,
      offset,
      wrap,
      slots,
    );
    this.notifyUsed(wanted, () => {
      if (flags !== RingEventFlags.DESC) return `desc_event_flags is ${flags}`;
      return `desc_event is ${event & 0x7fff} in wrap ${event >>> 15}, used ${slots} from ${offset} in wrap ${wrap}`;
    });
  }

  /** Whether the descriptor that the driver waits for is among `slots` entries from `offset` on. */
  #eventIn(flags: number, event: number, offset: number, wrap: 0 | 1, slots: number): boolean {
    // §2.8.10: DESC is for EVENT_IDX only and 3 is reserved. A notification too many does no harm.
    if (flags !== RingEventFlags.DESC || !this.host.eventIdx) {
      const why = flags === RingEventFlags.DESC ? "DESC without VIRTIO_F_EVENT_IDX" : "reserved";
      this.violation("packed-event", `desc_event_flags of the driver are ${flags}: ${why}`);
      return true;
    }
    const eventOffset = event & 0x7fff;
    if (eventOffset >= this.size) {
      this.violation("packed-event", `desc_event_off of the driver is ${eventOffset} in a queue of ${this.size}`);
      return true;
    }
    // Entries with the other wrap counter come after the end of the ring.
    const place = event >>> 15 === wrap ? eventOffset : eventOffset + this.size;
    return place >= offset && place < offset + slots;
  }
}

/** Flags that a fact about a descriptor tells: where it is in its list says the rest. */
const FLAGS_TOLD = VirtqDesc.F_NEXT | VirtqDesc.F_WRITE | VirtqDesc.F_INDIRECT;

/** Whether `flags` mark a descriptor as available to a side whose wrap counter is `wrap` (§2.8.1). */
function isAvailable(flags: number, wrap: number): boolean {
  const avail = (flags & PackedDesc.F_AVAIL) !== 0 ? 1 : 0;
  const used = (flags & PackedDesc.F_USED) !== 0 ? 1 : 0;
  return avail === wrap && used !== wrap;
}
