import { hex, isPowerOfTwo, join64 } from "../../vm/bits.ts";
import type { DescriptorFact, VirtqueueEvent } from "../../vm/events.ts";
import { Chain } from "./chain.ts";
import type { ManagedVirtqueue, QueueHost, QueueLayout } from "./queue.ts";
import type { VirtioRule } from "./rules.ts";

/** Flags of a descriptor (virtio 1.2 §2.7.5). */
export const VirtqDesc = { F_NEXT: 1, F_WRITE: 2, F_INDIRECT: 4 } as const;
/** Flag of the available ring: the driver wants no notifications (virtio 1.2 §2.7.7). */
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;
/** Flag of the used ring: the device wants no notifications (virtio 1.2 §2.7.10). */
export const VIRTQ_USED_F_NO_NOTIFY = 1;

/** Bytes of the parts of a split virtqueue of `size` entries (virtio 1.2 §2.7). */
export function splitAreaSizes(size: number): { desc: number; driver: number; device: number } {
  return { desc: 16 * size, driver: 6 + 2 * size, device: 6 + 8 * size };
}

/** Alignment of the parts in bytes (virtio 1.2 §2.7.1). */
const ALIGNMENT = { desc: 16, driver: 2, device: 4 } as const;

/** Most entries of a split virtqueue (virtio 1.2 §2.7). */
export const SPLIT_SIZE_MAX = 32768;

/**
 * Most descriptors in a chain. The queue size is the specification's limit (§2.7.5.3.1); Linux goes beyond it with
 * indirect tables, so those get what QEMU allows. A device may have such a limit (§2.7.4.1).
 */
const CHAIN_MAX = 1024;

/** Longest chain in bytes (virtio 1.2 §2.7.5.2). */
const CHAIN_BYTES_MAX = 2 ** 32;

/**
 * A split virtqueue (virtio 1.2 §2.7), device side.
 *
 * Nothing the driver wrote is believed: every index, address and length is bounded before use, and each word of ring
 * memory is read once, so that a guest with several harts cannot change it between check and use. What has no defined
 * meaning fails the device (DEVICE_NEEDS_RESET) with the reason in an event.
 */
export class SplitQueue implements ManagedVirtqueue {
  readonly index: number;
  ready = false;
  inFlight = 0;
  readonly #host: QueueHost;
  readonly #view: DataView<ArrayBuffer>;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #size = 0;
  /** Host offsets of the three parts. */
  #desc = 0;
  #avail = 0;
  #used = 0;
  /** Guest address of the used ring, to say what was written. */
  #usedAddr = 0;
  /** Free-running 16-bit positions: next to take, the driver's as last read, next to use. */
  #lastAvail = 0;
  #availIdx = 0;
  #usedIdx = 0;
  #suppressed = false;
  #epoch = 0;
  #heads: Uint8Array = new Uint8Array(0);
  #pool: Chain[] = [];
  /** Descriptors of the chain being read, kept only while somebody listens. */
  #facts: DescriptorFact[] | undefined;

  constructor(index: number, host: QueueHost) {
    this.index = index;
    this.#host = host;
    this.#view = new DataView(host.memory.buffer);
    this.#bytes = new Uint8Array(host.memory.buffer);
  }

  configure(layout: QueueLayout): boolean {
    const { memory } = this.#host;
    const { size } = layout;
    // §2.7: queue size is a power of two, at most 32768; with another size positions would not survive their wrap.
    if (!isPowerOfTwo(size) || size > SPLIT_SIZE_MAX) {
      this.#host.fail("queue-size", `queue ${this.index}: size ${size} is not a power of two up to ${SPLIT_SIZE_MAX}`);
      return false;
    }
    const sizes = splitAreaSizes(size);
    const host = { desc: 0, driver: 0, device: 0 };
    for (const part of ["desc", "driver", "device"] as const) {
      const addr = layout[part];
      // §2.7.1 binds the driver; the rings work at any address, so it is only told.
      if (addr % ALIGNMENT[part] !== 0) {
        this.#violation("queue-misaligned", `${part} area at ${hex(addr)} is not a multiple of ${ALIGNMENT[part]}`);
      }
      host[part] = memory.host(addr, sizes[part], part === "device");
      if (host[part] < 0) {
        const what = `queue ${this.index}: ${part} area at ${hex(addr)}, ${sizes[part]} bytes, is not in memory`;
        this.#host.fail("queue-address", what);
        return false;
      }
    }
    this.#size = size;
    this.#desc = host.desc;
    this.#avail = host.driver;
    this.#used = host.device;
    this.#usedAddr = layout.device;
    this.#lastAvail =
      this.#availIdx =
      this.#usedIdx =
      this.inFlight =
        0;
    this.#suppressed = false;
    this.#heads = new Uint8Array(size);
    this.#epoch++;
    this.ready = true;
    const { desc, driver, device } = layout;
    this.#emit({ step: "configured", size, desc, driver, device_area: device });
    return true;
  }

  stop(): void {
    if (!this.ready) return;
    this.ready = false;
    this.inFlight = 0;
    this.#epoch++;
    // Chains in flight may still be held by the device: they are not to be handed out again.
    this.#pool = [];
    this.#emit({ step: "stopped" });
  }

  pop(): Chain | undefined {
    // §4.2.2.1: no access while QueueReady is zero; §2.1.2: none before DRIVER_OK.
    if (!this.ready || !this.#host.live) return undefined;
    if (this.#lastAvail === this.#availIdx && !this.#readAvailIdx()) return undefined;
    const position = this.#lastAvail;
    const head = this.#view.getUint16(this.#avail + 4 + 2 * (position & (this.#size - 1)), true);
    if (head >= this.#size) {
      this.#fail("avail-head-range", `entry ${position} of the available ring is ${head}, the size is ${this.#size}`);
      return undefined;
    }
    if (this.#heads[head] !== 0) {
      this.#violation("avail-head-in-flight", `head ${head} is made available again while the device has it`);
    }
    if (this.inFlight >= this.#size) {
      this.#fail("avail-overcommitted", `${this.inFlight + 1} buffers in flight in a queue of ${this.#size}`);
      return undefined;
    }
    this.#lastAvail = (position + 1) & 0xffff;
    const chain = this.#pool.pop() ?? new Chain(this.#host.memory, this.#bytes);
    chain.begin(head, this.#epoch);
    this.#facts = this.#watched ? [] : undefined;
    const whole = this.#walk(chain, head);
    if (this.#facts !== undefined) this.#emit({ step: "chain", head, position, descriptors: this.#facts });
    if (!whole) {
      this.#host.fail(this.#broken.rule, `queue ${this.index}, head ${head}: ${this.#broken.what}`);
      return undefined;
    }
    this.#heads[head] = 1;
    this.inFlight++;
    return chain;
  }

  push(chain: Chain, written: number): void {
    if (written > chain.writableLength) {
      throw new RangeError(`virtqueue: ${written} bytes written to a chain with room for ${chain.writableLength}`);
    }
    if (!this.ready || !this.#host.live || chain.epoch !== this.#epoch) return;
    chain.writer.settle();
    const { memory } = this.#host;
    const position = this.#usedIdx;
    const element = 4 + 8 * (position & (this.#size - 1));
    // §2.7.8.2: the element, then idx.
    this.#view.setUint32(this.#used + element, chain.head, true);
    this.#view.setUint32(this.#used + element + 4, written, true);
    memory.wrote(this.#usedAddr + element, 8);
    this.#usedIdx = (position + 1) & 0xffff;
    this.#view.setUint16(this.#used + 2, this.#usedIdx, true);
    memory.wrote(this.#usedAddr + 2, 2);
    this.inFlight--;
    this.#heads[chain.head] = 0;
    chain.epoch = -1;
    this.#pool.push(chain);
    if (this.#watched) this.#emit({ step: "used", head: chain.head, written, position });
    this.#notify(position);
  }

  suppressNotifications(suppressed: boolean): void {
    this.#suppressed = suppressed;
    if (!this.ready || !this.#host.live) return;
    // §2.7.10.2: with EVENT_IDX flags stay 0, and avail_event is left behind instead.
    if (this.#host.eventIdx) {
      if (!suppressed) this.#writeAvailEvent();
      return;
    }
    this.#view.setUint16(this.#used, suppressed ? VIRTQ_USED_F_NO_NOTIFY : 0, true);
    this.#host.memory.wrote(this.#usedAddr, 2);
  }

  /** Reads the driver's position; whether it is ahead of ours by a number of buffers that can be. */
  #readAvailIdx(): boolean {
    // With EVENT_IDX the driver notifies when it passes avail_event: it must stand at the next entry before we look.
    if (this.#host.eventIdx && !this.#suppressed) this.#writeAvailEvent();
    const idx = this.#view.getUint16(this.#avail + 2, true);
    const ahead = (idx - this.#lastAvail) & 0xffff;
    if (ahead === 0) return false;
    if (ahead > this.#size) {
      const what = `available idx is ${idx}, ${ahead} ahead of ${this.#lastAvail} in a queue of ${this.#size}`;
      this.#fail("avail-idx-jump", what);
      return false;
    }
    if (this.#watched) this.#emit({ step: "available", from: this.#lastAvail, to: idx });
    this.#availIdx = idx;
    return true;
  }

  #writeAvailEvent(): void {
    const offset = 4 + 8 * this.#size;
    if (this.#view.getUint16(this.#used + offset, true) === this.#lastAvail) return;
    this.#view.setUint16(this.#used + offset, this.#lastAvail, true);
    this.#host.memory.wrote(this.#usedAddr + offset, 2);
  }

  /** Why the last walk ended early. */
  #broken: { rule: VirtioRule; what: string } = { rule: "descriptor-loop", what: "" };

  #break(rule: VirtioRule, what: string): false {
    this.#broken = { rule, what };
    return false;
  }

  /** Reads the descriptors of a chain, each once; false (with the reason in `#broken`) if it is not one. */
  #walk(chain: Chain, head: number): boolean {
    const { memory, strict, indirectDesc } = this.#host;
    let table = this.#desc;
    let entries = this.#size;
    let inTable = false;
    let index = head;
    let bytes = 0;
    // A chain visits each descriptor once (§2.7.5.2 forbids loops), so more than there are means a loop.
    let limit = entries;
    for (let count = 1;; count++) {
      if (count > limit) {
        return this.#break("descriptor-loop", `the chain is still going after ${count - 1} descriptors`);
      }
      const at = table + 16 * index;
      const addr = join64(this.#view.getUint32(at, true), this.#view.getUint32(at + 4, true));
      const length = this.#view.getUint32(at + 8, true);
      const flags = this.#view.getUint16(at + 12, true);
      const next = this.#view.getUint16(at + 14, true);
      this.#facts?.push({ index, table: inTable ? "indirect" : "ring", addr, length, flags, next });
      if ((flags & VirtqDesc.F_INDIRECT) !== 0) {
        // §2.7.5.3.1: one table per chain, at its end, and only if negotiated. §2.7.5.3.2: its WRITE flag is ignored.
        if (inTable) return this.#break("indirect-nested", `entry ${index} of the indirect table refers to another`);
        if ((flags & VirtqDesc.F_NEXT) !== 0) {
          return this.#break("indirect-next", `descriptor ${index} has both INDIRECT and NEXT`);
        }
        if (!indirectDesc) {
          const what = `descriptor ${index} has INDIRECT without VIRTIO_F_INDIRECT_DESC`;
          if (strict) return this.#break("indirect-not-negotiated", what);
          this.#violation("indirect-not-negotiated", what);
        }
        if (length === 0 || length % 16 !== 0) {
          return this.#break("indirect-length", `indirect table of ${length} bytes, not a multiple of 16`);
        }
        table = memory.host(addr, length);
        if (table < 0) return this.#break("descriptor-address", `indirect table at ${span(addr, length)}`);
        entries = length / 16;
        limit = count + Math.min(entries, CHAIN_MAX);
        inTable = true;
        index = 0;
        continue;
      }
      const writable = (flags & VirtqDesc.F_WRITE) !== 0;
      if (length === 0) {
        this.#violation("descriptor-empty", `descriptor ${index} of head ${head} has no bytes`);
      } else {
        if (!writable && chain.writableLength > 0) {
          return this.#break("descriptor-order", `device-readable descriptor ${index} after a device-writable one`);
        }
        const host = memory.host(addr, length, writable);
        if (host < 0) return this.#break("descriptor-address", `descriptor ${index} at ${span(addr, length)}`);
        bytes += length;
        if (bytes > CHAIN_BYTES_MAX) return this.#break("chain-length", `more than ${CHAIN_BYTES_MAX} bytes`);
        chain.add(addr, host, length, writable);
      }
      if ((flags & VirtqDesc.F_NEXT) === 0) {
        if (inTable && count > this.#size + 1) {
          this.#violation("indirect-chain-length", `${count - 1} descriptors, the queue size is ${this.#size}`);
        }
        return true;
      }
      if (next >= entries) {
        return this.#break("descriptor-next-range", `next of descriptor ${index} is ${next} of ${entries}`);
      }
      index = next;
    }
  }

  /** Decides on the used buffer notification for the entry at `position`, after idx became visible (§2.7.7.2). */
  #notify(position: number): void {
    const { eventIdx, notifyOnEmpty } = this.#host;
    const word = this.#view.getUint16(this.#avail + (eventIdx ? 4 + 2 * this.#size : 0), true);
    const wanted = eventIdx ? word === position : (word & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0;
    // §6.3: the legacy feature beats both kinds of suppression.
    const dry = !wanted && notifyOnEmpty && this.#runDry();
    if (this.#watched) {
      const reason = dry
        ? "VIRTIO_F_NOTIFY_ON_EMPTY"
        : eventIdx
        ? `used_event is ${word}, idx was ${position}`
        : `flags is ${word}`;
      this.#emit({ step: "interrupt", sent: wanted || dry, reason });
    }
    if (wanted || dry) this.#host.usedBuffer();
  }

  /** Whether no buffer is available or in flight. */
  #runDry(): boolean {
    return this.inFlight === 0 && this.#view.getUint16(this.#avail + 2, true) === this.#lastAvail;
  }

  #fail(rule: VirtioRule, what: string): void {
    this.#host.fail(rule, `queue ${this.index}: ${what}`);
  }

  #violation(rule: VirtioRule, what: string): void {
    this.#host.violation(rule, `queue ${this.index}: ${what}`);
  }

  /** Whether anybody listens: asked before a fact is built. */
  get #watched(): boolean {
    return this.#host.events.wants("virtqueue");
  }

  #emit(step: VirtqueueStep): void {
    this.#host.events.emit({ kind: "virtqueue", device: this.#host.name, queue: this.index, ...step });
  }
}

/** What a virtqueue event says beside whose it is. */
type VirtqueueStep = VirtqueueEvent extends infer E ? E extends unknown ? Omit<E, "kind" | "device" | "queue"> : never
  : never;

function span(addr: number, length: number): string {
  return `${hex(addr)}, ${length} bytes, is not in memory that may be accessed so`;
}
