/** Who stored what stands in a queue's parts: where the program last stored to each field of them while it is watched. */
import type { VirtqueueEvent, Where } from "../events.ts";
import type { WatchedAccess } from "../watches.ts";

/** Fields are aligned to this many bytes, and no smaller. */
const UNIT = 2;
/** Bytes of a descriptor, and where its flags are in a packed ring (virtio 1.2 §2.8.13). */
const DESCRIPTOR = 16;
const PACKED_FLAGS = 14;

/** A part of a queue. */
interface Part {
  readonly start: number;
  readonly end: number;
  /** By unit. */
  readonly stores: (Where | undefined)[];
}

/** The parts of one queue while it is handed over. */
interface Queue {
  readonly packed: boolean;
  readonly desc: Part;
  readonly parts: readonly Part[];
  /** Packed: the entries of the ring that chains in flight take, by Buffer ID. */
  readonly inFlight: Map<number, readonly number[]>;
}

function part(start: number, length: number): Part {
  return { start, end: start + length, stores: new Array<Where | undefined>(length / UNIT) };
}

/** Remembers the stores to the queues of all devices. */
export class Writers {
  readonly #queues = new Map<string, Queue>();

  /** The machine was reset. */
  powerOn(): void {
    this.#queues.clear();
  }

  /** One step of a queue. */
  step(fact: VirtqueueEvent): void {
    const key = `${fact.device}.${fact.queue}`;
    if (fact.step === "configured") {
      const packed = fact.format === "packed";
      const desc = part(fact.desc, DESCRIPTOR * fact.size);
      const parts = packed ? [desc] : [desc, part(fact.driver, 4 + UNIT * fact.size)];
      this.#queues.set(key, { packed, desc, parts, inFlight: new Map() });
      return;
    }
    if (fact.step === "stopped") {
      this.#queues.delete(key);
      return;
    }
    const queue = this.#queues.get(key);
    if (queue?.packed !== true) return;
    if (fact.step === "chain") {
      const entries = fact.descriptors.flatMap(({ index, table }) => table === "ring" ? index : []);
      queue.inFlight.set(fact.head, entries);
    } else if (fact.step === "used") this.#used(queue, fact.head, fact.buffers ?? 1);
  }

  /** A load or store in a watched page. */
  access({ write, addr, size }: WatchedAccess, where: Where): void {
    if (!write) return;
    for (const { parts } of this.#queues.values()) {
      for (const { start, end, stores } of parts) {
        if (addr >= end || addr + size <= start) continue;
        const from = Math.max(0, addr - start);
        const to = Math.min(addr + size, end) - start;
        for (let unit = Math.floor(from / UNIT); unit * UNIT < to; unit++) stores[unit] = where;
      }
    }
  }

  /** Where the field at a guest-physical address was last stored to; undefined if that was not seen. */
  of(addr: number): Where | undefined {
    for (const { parts } of this.#queues.values()) {
      const found = parts.find(({ start, end }) => addr >= start && addr < end);
      if (found !== undefined) return found.stores[Math.floor((addr - found.start) / UNIT)];
    }
    return undefined;
  }

  /** What marks the entries of a packed chain as available is over: a mark that is found there later is another one. */
  #used({ desc, inFlight }: Queue, head: number, buffers: number): void {
    // A batch names its last buffer (VIRTIO_F_IN_ORDER).
    const heads = buffers === 1 ? [head] : [...inFlight.keys()].slice(0, buffers);
    for (const one of heads) {
      for (const index of inFlight.get(one) ?? []) desc.stores[(DESCRIPTOR * index + PACKED_FLAGS) / UNIT] = undefined;
      inFlight.delete(one);
    }
  }
}
