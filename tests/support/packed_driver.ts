/**
 * The driver's side of a packed virtqueue for tests (virtio 1.2 §2.8). As in `virtio_driver.ts` it can also do wrong:
 * everything it keeps may be written by hand.
 */
import type { Part, TestDriver } from "./virtio_driver.ts";

export const RING_PACKED = 34;
export const IN_ORDER = 35;
export const NOTIFICATION_DATA = 38;
export const RING_RESET = 40;

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;
export const AVAIL = 0x80;
export const USED = 0x8000;
export const EVENTS = { ENABLE: 0, DISABLE: 1, DESC: 2 } as const;

/** A used descriptor as the driver found it. */
export interface PackedUsed {
  readonly id: number;
  /** Element Length; undefined without WRITE, where it is reserved (§2.8.4). */
  readonly length: number | undefined;
}

/** The driver's side of one packed queue, set up in fresh memory. */
export class PackedDriverQueue {
  readonly index: number;
  readonly size: number;
  readonly ring: number;
  readonly driverArea: number;
  readonly deviceArea: number;
  /** Next descriptor to make available, and the Driver Ring Wrap Counter (§2.8.1). */
  nextAvail = 0;
  availWrap = 1;
  /** Next used descriptor to look at. */
  nextUsed = 0;
  usedWrap = 1;
  /** Buffer IDs in flight, in the order in which they were made available, with the entries each takes. */
  readonly inFlight: Map<number, number> = new Map();
  readonly #d: TestDriver;
  #freeIds: number[];

  /** The driver must have negotiated; the queue is handed over. */
  constructor(d: TestDriver, index: number, size: number) {
    this.#d = d;
    this.index = index;
    this.size = size;
    this.ring = d.board.alloc(16 * size, 16);
    this.driverArea = d.board.alloc(4, 4);
    this.deviceArea = d.board.alloc(4, 4);
    this.#freeIds = Array.from({ length: size }, (_, i) => i);
    d.write("QueueSel", index);
    d.write("QueueNum", size);
    d.writeAreas({ desc: this.ring, avail: this.driverArea, used: this.deviceArea });
    d.write("QueueReady", 1);
  }

  /** Entries of the ring that are free. */
  get free(): number {
    return this.size - [...this.inFlight.values()].reduce((sum, slots) => sum + slots, 0);
  }

  /** Writes a descriptor of the ring or of a table, flags last. */
  setDescriptor(at: { addr: number; length: number; id: number; flags: number }, index: number, table?: number): void {
    const base = (table ?? this.ring) + 16 * index;
    const { memory } = this.#d.board;
    memory.write(base, 4, at.addr >>> 0);
    memory.write(base + 4, 4, Math.floor(at.addr / 2 ** 32) >>> 0);
    memory.write(base + 8, 4, at.length >>> 0);
    memory.write(base + 12, 2, at.id);
    memory.write(base + 14, 2, at.flags);
  }

  /** The marks of an available descriptor under wrap counter `wrap`. */
  marks(wrap: number = this.availWrap): number {
    return wrap === 1 ? AVAIL : USED;
  }

  /** Makes a buffer available without telling the device; returns its Buffer ID. */
  publish(parts: readonly Part[], options: { indirect?: boolean; id?: number } = {}): number {
    const { indirect = false } = options;
    const slots = indirect ? 1 : parts.length;
    if (this.free < slots) throw new Error("packed driver: the ring is full");
    const id = options.id ?? this.#freeIds.shift()!;
    if (indirect) {
      const table = this.#d.board.alloc(16 * parts.length);
      parts.forEach(({ addr, length, write }, i) =>
        this.setDescriptor({ addr, length, id: 0, flags: write === true ? WRITE : 0 }, i, table)
      );
      this.setDescriptor(
        { addr: table, length: 16 * parts.length, id, flags: INDIRECT | this.marks() },
        this.nextAvail,
      );
      this.#advanceAvail();
    } else {
      let later: (() => void) | undefined;
      parts.forEach(({ addr, length, write }, i) => {
        const flags = (i < parts.length - 1 ? NEXT : 0) | (write === true ? WRITE : 0) | this.marks();
        // §2.8.6: the Buffer ID counts in the last descriptor only.
        const at = { addr, length, id: i === parts.length - 1 ? id : 0xdead, flags };
        const index = this.nextAvail;
        // §2.8.6: the first becomes available after the rest.
        if (i === 0) later = () => this.setDescriptor(at, index);
        else this.setDescriptor(at, index);
        this.#advanceAvail();
      });
      later!();
    }
    this.inFlight.set(id, slots);
    return id;
  }

  notify(): void {
    const data = this.#d.negotiated(NOTIFICATION_DATA) ? (this.nextAvail << 16) | (this.availWrap << 31) : 0;
    this.#d.write("QueueNotify", this.index | data);
  }

  /** Makes a buffer available and notifies; returns its Buffer ID. */
  post(parts: readonly Part[], indirect = false): number {
    const id = this.publish(parts, { indirect });
    this.notify();
    return id;
  }

  /** Sets the Driver Event Suppression structure (§2.8.14). */
  setEvent(flags: number, offset = 0, wrap = 0): void {
    this.#d.board.memory.write(this.driverArea, 2, offset | (wrap << 15));
    this.#d.board.memory.write(this.driverArea + 2, 2, flags);
  }

  /** The Device Event Suppression structure. */
  get deviceEvent(): { flags: number; offset: number; wrap: number } {
    const word = this.#d.board.memory.read(this.deviceArea, 2);
    return { flags: this.#d.board.memory.read(this.deviceArea + 2, 2), offset: word & 0x7fff, wrap: word >>> 15 };
  }

  /** Whether the descriptor at `nextUsed` is a used one that has not been looked at (§2.8.22). */
  get hasUsed(): boolean {
    const flags = this.#d.board.memory.read(this.ring + 16 * this.nextUsed + 14, 2);
    const wrap = this.usedWrap === 1;
    return ((flags & AVAIL) !== 0) === wrap && ((flags & USED) !== 0) === wrap;
  }

  /** Collects used descriptors. With VIRTIO_F_IN_ORDER one may stand for several buffers (§2.8.8). */
  collect(): PackedUsed[] {
    const found: PackedUsed[] = [];
    while (this.inFlight.size > 0 && this.hasUsed) {
      const { memory } = this.#d.board;
      const base = this.ring + 16 * this.nextUsed;
      const id = memory.read(base + 12, 2);
      const written = (memory.read(base + 14, 2) & WRITE) !== 0;
      found.push({ id, length: written ? memory.read(base + 8, 4) : undefined });
      if (!this.inFlight.has(id)) throw new Error(`packed driver: Buffer ID ${id} is not in flight`);
      const batch = this.#d.negotiated(IN_ORDER) ? [...this.inFlight.keys()] : [id];
      for (const one of batch.slice(0, batch.indexOf(id) + 1)) this.#retire(one);
    }
    return found;
  }

  #retire(id: number): void {
    this.nextUsed += this.inFlight.get(id)!;
    if (this.nextUsed >= this.size) {
      this.nextUsed -= this.size;
      this.usedWrap ^= 1;
    }
    this.inFlight.delete(id);
    this.#freeIds.push(id);
  }

  #advanceAvail(): void {
    if (++this.nextAvail < this.size) return;
    this.nextAvail = 0;
    this.availWrap ^= 1;
  }
}

/** The whole initialisation with one packed queue. */
export function bringUpPacked(d: TestDriver, bits: readonly number[] = [], size = 8): PackedDriverQueue {
  d.negotiate([RING_PACKED, ...bits]);
  const queue = new PackedDriverQueue(d, 0, size);
  d.driverOk();
  return queue;
}
