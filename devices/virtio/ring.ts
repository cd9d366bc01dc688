import type { GuestMemory } from "../../vm/bus/memory.ts";
import { hex } from "../../vm/bits.ts";
import type { DescriptorFact, VirtqueueEvent } from "../../vm/events.ts";
import { Chain } from "./chain.ts";
import type { ManagedVirtqueue, QueueHost, QueueLayout, QueueState } from "./queue.ts";
import type { VirtioRule } from "./rules.ts";

/** Flags of a descriptor, the same in both formats (virtio 1.2 §2.7.5, §2.8.3, §2.8.6, §2.8.7). */
export const VirtqDesc = { F_NEXT: 1, F_WRITE: 2, F_INDIRECT: 4 } as const;

/** Bytes of a descriptor in both formats (virtio 1.2 §2.7.5, §2.8.13). */
export const DESCRIPTOR_BYTES = 16;

/** Most entries of a virtqueue in both formats (virtio 1.2 §2.7, §2.8). */
export const QUEUE_SIZE_MAX = 32768;

/**
 * Most descriptors in a chain. The queue size is the specification's limit (§2.7.5.3.1, §2.8.17); Linux goes beyond it
 * with indirect tables, so those get what QEMU allows. A device may have such a limit (§2.7.4.1, §2.8.18).
 */
export const CHAIN_MAX = 1024;

/** Longest chain in bytes (virtio 1.2 §2.7.5.2). */
const CHAIN_BYTES_MAX = 2 ** 32;

/** A number for each of the three parts of a virtqueue (virtio 1.2 §2.6). */
export interface Parts {
  readonly desc: number;
  readonly driver: number;
  readonly device: number;
}

/** What distinguishes the formats before a buffer is read. */
export interface RingFormat {
  readonly name: "split" | "packed";
  /** Alignment of the parts in bytes. */
  readonly alignment: Parts;
  /** Bytes of the parts of a queue of `size` entries. */
  bytes(size: number): Parts;
  /** Parts the device writes. */
  readonly written: readonly (keyof Parts)[];
  /** Why no queue can have `size` entries, if so. */
  refuses(size: number): string | undefined;
  /** How many names the driver has for buffers, which are numbers from 0. */
  names(size: number): number;
}

/** What a virtqueue event says beside whose it is. */
export type VirtqueueStep = VirtqueueEvent extends infer E
  ? E extends unknown ? Omit<E, "kind" | "device" | "queue"> : never
  : never;

/**
 * What both formats of virtqueues have in common, device side: the parts in memory, the buffers in flight, and the
 * order in which they go back.
 *
 * Nothing the driver wrote is believed: every index, address and length is bounded before use, and each word of ring
 * memory is read once, so that a guest with several harts cannot change it between check and use. What has no defined
 * meaning fails the device (DEVICE_NEEDS_RESET) with the reason in an event.
 */
export abstract class Ring implements ManagedVirtqueue {
  readonly index: number;
  ready = false;
  inFlight = 0;
  protected readonly host: QueueHost;
  protected readonly view: DataView<ArrayBuffer>;
  protected size = 0;
  /** Host offsets of the three parts. */
  protected desc = 0;
  protected driver = 0;
  protected device = 0;
  /** Guest addresses of the parts, to say what was written. */
  protected layout: QueueLayout = { size: 0, desc: 0, driver: 0, device: 0 };
  protected suppressed = false;
  /** Descriptors of the chain being read, kept only while somebody listens. */
  protected facts: DescriptorFact[] | undefined;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #format: RingFormat;
  #epoch = 0;
  /** Which of the driver's names for buffers are in flight, a bit each. */
  #names: Uint8Array = new Uint8Array(0);
  #pool: Chain[] = [];
  /** VIRTIO_F_IN_ORDER: the chains in flight, a circle of `size`, the oldest at `#oldest`. */
  #order: (Chain | undefined)[] | undefined;
  #oldest = 0;
  /** Used buffer notifications sent, and where the used side stood at the last one. */
  #interrupts = 0;
  #told = 0;
  /** The driver has notified, and no buffer was taken since. */
  #vain = false;
  #broken: { rule: VirtioRule; what: string } = { rule: "descriptor-loop", what: "" };

  constructor(index: number, host: QueueHost, format: RingFormat) {
    this.index = index;
    this.host = host;
    this.view = new DataView(host.memory.buffer);
    this.#bytes = new Uint8Array(host.memory.buffer);
    this.#format = format;
  }

  configure(layout: QueueLayout): boolean {
    const { memory } = this.host;
    const { size } = layout;
    const refusal = this.#format.refuses(size);
    if (refusal !== undefined) {
      this.host.fail("queue-size", `queue ${this.index}: size ${size} is ${refusal}`);
      return false;
    }
    const bytes = this.#format.bytes(size);
    const host = { desc: 0, driver: 0, device: 0 };
    for (const part of ["desc", "driver", "device"] as const) {
      const addr = layout[part];
      const alignment = this.#format.alignment[part];
      // §2.7.1 and §2.8.11 bind the driver; the rings work at any address, so it is only told.
      if (addr % alignment !== 0) {
        this.violation("queue-misaligned", `${part} area at ${hex(addr)} is not a multiple of ${alignment}`);
      }
      host[part] = memory.host(addr, bytes[part], this.#format.written.includes(part));
      if (host[part] < 0) {
        const what = `queue ${this.index}: ${part} area at ${hex(addr)}, ${bytes[part]} bytes, is not in memory`;
        this.host.fail("queue-address", what);
        return false;
      }
    }
    ({ desc: this.desc, driver: this.driver, device: this.device } = host);
    this.layout = layout;
    this.size = size;
    this.inFlight = 0;
    this.suppressed = false;
    const names = Math.ceil(this.#format.names(size) / 8);
    if (this.#names.length === names) this.#names.fill(0);
    else this.#names = new Uint8Array(names);
    this.#order = this.host.inOrder ? new Array<Chain | undefined>(size).fill(undefined) : undefined;
    this.#oldest = 0;
    this.#epoch = this.host.newEpoch();
    this.begin();
    this.#interrupts = 0;
    this.#told = this.usedPlace;
    this.#vain = false;
    this.ready = true;
    const { desc, driver, device } = layout;
    this.emit({ step: "configured", format: this.#format.name, size, desc, driver, device_area: device });
    return true;
  }

  notified(): void {
    this.#vain = true;
  }

  stop(): void {
    if (!this.ready) return;
    this.ready = false;
    this.inFlight = 0;
    // Chains in flight may still be held by the device: they are not to be handed out again.
    this.#pool = [];
    this.#order = undefined;
    this.emit({ step: "stopped" });
  }

  push(chain: Chain, written: number): void {
    if (written > chain.writableLength) {
      throw new RangeError(`virtqueue: ${written} bytes written to a chain with room for ${chain.writableLength}`);
    }
    if (!this.ready || !this.host.live || chain.epoch !== this.#epoch) return;
    chain.writer.settle();
    chain.epoch = -1;
    if (this.#order === undefined) {
      this.#recycle(chain);
      this.use(chain.head, written, 1, chain.slots);
    } else {
      chain.written = written;
      this.#useInOrder(this.#order);
    }
  }

  abstract pop(): Chain | undefined;

  get state(): QueueState | undefined {
    if (!this.ready) return undefined;
    return {
      format: this.#format.name,
      ...this.layout,
      ...this.places,
      told: this.#told,
      interrupts: this.#interrupts,
      vain: this.#vain,
    };
  }

  abstract suppressNotifications(suppressed: boolean): void;

  abstract notificationProblem(offset: number, wrap: number): string | undefined;

  /** The parts are in place: begins at their start. */
  protected abstract begin(): void;
  /** Where the device goes on. */
  protected abstract get places(): Pick<QueueState, "taken" | "used" | "wrap">;
  /** `places.used`, without making an object. */
  protected abstract get usedPlace(): number;

  /**
   * Tells the driver of `buffers` used buffers that took `slots` entries of the descriptor ring, by the name of the
   * last and the bytes written to it, and notifies the driver if it wants that.
   */
  protected abstract use(head: number, written: number, buffers: number, slots: number): void;

  /** An empty chain to read a buffer into. */
  protected take(head: number): Chain {
    const chain = this.#pool.pop() ?? new Chain(this.index, this.host.memory, this.#bytes);
    chain.begin(head, this.#epoch);
    this.facts = this.watched ? [] : undefined;
    return chain;
  }

  /** The buffer is whole: it is in flight from now on, under the name `chain.head`, in `slots` entries of the ring. */
  protected taken(chain: Chain, slots: number): Chain {
    chain.slots = slots;
    this.#names[chain.head >> 3] = this.#names[chain.head >> 3]! | (1 << (chain.head & 7));
    if (this.#order !== undefined) this.#order[(this.#oldest + this.inFlight) % this.size] = chain;
    this.inFlight++;
    this.#vain = false;
    return chain;
  }

  /** Whether the driver's name `head` belongs to a buffer in flight. */
  protected named(head: number): boolean {
    return (this.#names[head >> 3]! & (1 << (head & 7))) !== 0;
  }

  /**
   * Adds what one descriptor refers to. False (with the reason kept) if it may not be.
   *
   * @param index of the descriptor in its table, for messages
   */
  protected element(chain: Chain, index: number, addr: number, length: number, writable: boolean): boolean {
    if (length === 0) {
      this.violation("descriptor-empty", `descriptor ${index} has no bytes`);
      return true;
    }
    if (!writable && chain.writableLength > 0) {
      return this.broken("descriptor-order", `device-readable descriptor ${index} after a device-writable one`);
    }
    const host = this.host.memory.host(addr, length, writable);
    if (host < 0) {
      return this.broken("descriptor-address", `descriptor ${index}: ${placeText(this.host.memory, addr, length)}`);
    }
    if (chain.readableLength + chain.writableLength + length > CHAIN_BYTES_MAX) {
      return this.broken("chain-length", `more than ${CHAIN_BYTES_MAX} bytes`);
    }
    chain.add(addr, host, length, writable);
    return true;
  }

  /** Host offset of the indirect table that descriptor `index` refers to; -1 (with the reason kept) if it is none. */
  protected indirectTable(index: number, addr: number, length: number): number {
    if (!this.host.indirectDesc) {
      const what = `descriptor ${index} has INDIRECT without VIRTIO_F_INDIRECT_DESC`;
      if (this.host.strict) {
        this.broken("indirect-not-negotiated", what);
        return -1;
      }
      this.violation("indirect-not-negotiated", what);
    }
    if (length === 0 || length % DESCRIPTOR_BYTES !== 0) {
      this.broken("indirect-length", `indirect table of ${length} bytes, not a multiple of ${DESCRIPTOR_BYTES}`);
      return -1;
    }
    const table = this.host.memory.host(addr, length);
    if (table < 0) this.broken("descriptor-address", `indirect table: ${placeText(this.host.memory, addr, length)}`);
    return table;
  }

  /** Keeps why a chain is none; false. */
  protected broken(rule: VirtioRule, what: string): false {
    this.#broken = { rule, what };
    return false;
  }

  /** Fails the device for the reason that `broken` kept. */
  protected failBroken(where: string): undefined {
    this.host.fail(this.#broken.rule, `queue ${this.index}, ${where}: ${this.#broken.what}`);
  }

  protected fail(rule: VirtioRule, what: string): undefined {
    this.host.fail(rule, `queue ${this.index}: ${what}`);
  }

  protected violation(rule: VirtioRule, what: string): void {
    this.host.violation(rule, `queue ${this.index}: ${what}`);
  }

  /** Whether anybody listens: asked before a fact is built. */
  protected get watched(): boolean {
    return this.host.events.wants("virtqueue");
  }

  protected emit(step: VirtqueueStep): void {
    this.host.events.emit({ kind: "virtqueue", device: this.host.name, queue: this.index, ...step });
  }

  /** Says that a buffer was used, and whether the driver is notified of it; notifies. */
  protected notifyUsed(wanted: boolean, reason: () => string): void {
    if (this.watched) this.emit({ step: "interrupt", sent: wanted, reason: reason() });
    if (!wanted) return;
    this.#interrupts++;
    this.#told = this.usedPlace;
    this.host.usedBuffer();
  }

  /**
   * §6.2: with VIRTIO_F_IN_ORDER buffers are used in the order in which they were made available, so one that is done
   * waits for those before it. Several that become due together may be told of by the last alone, if what is skipped
   * was used completely (§2.7.9, §2.8.8).
   */
  #useInOrder(order: (Chain | undefined)[]): void {
    let buffers = 0;
    let slots = 0;
    for (let chain = order[this.#oldest]; chain !== undefined && chain.written >= 0;) {
      const { head, written, writableLength } = chain;
      order[this.#oldest] = undefined;
      this.#oldest = (this.#oldest + 1) % this.size;
      buffers++;
      slots += chain.slots;
      this.#recycle(chain);
      const next = order[this.#oldest];
      chain = next;
      if (next !== undefined && next.written >= 0 && written === writableLength) continue;
      this.use(head, written, buffers, slots);
      buffers = slots = 0;
    }
  }

  #recycle(chain: Chain): void {
    this.inFlight--;
    this.#names[chain.head >> 3] = this.#names[chain.head >> 3]! & ~(1 << (chain.head & 7));
    this.#pool.push(chain);
  }
}

/** Why a buffer cannot be where a descriptor says, with a guess at what its address was meant to be. */
function placeText(memory: GuestMemory, addr: number, length: number): string {
  const text = `${length === 1 ? "1 byte" : `${length} bytes`} at ${hex(addr)}, `;
  const ram = memory.regions.reduce((largest, region) => region.size > largest.size ? region : largest);
  const low = addr % 2 ** 32;
  const guess = length >= 2 ** 31
    ? "; as a signed number the length is negative"
    : addr >= 2 ** 32 && memory.host(low, length) >= 0
    ? `; ${hex(low)} is RAM: is this a virtual address?`
    : addr < ram.base && memory.host(ram.base + addr, length) >= 0
    ? `; RAM begins at ${hex(ram.base)}: is this an offset in it?`
    : "";
  return `${text}${
    memory.host(addr, length) < 0 ? "where there is no memory" : "in memory that cannot be written"
  }${guess}`;
}
