/**
 * What a driver does in memory that its device reads or writes: rings, descriptors and buffers in flight, by watching
 * exactly these, and the fences between.
 */
import { hex } from "../bits.ts";
import type { VirtqueueEvent, Where } from "../events.ts";
import { FenceOrder, type WatchedAccess, type Watches, WatchKind, type WatchRange } from "../watches.ts";

/** Tells that a rule of a device was broken. */
export type MemoryReport = (device: string, rule: string, what: string, where: Where) => void;

/** Most bytes of one chain that are watched: more would be whole programs. */
const CHAIN_BYTES_MAX = 1 << 20;
const PAGE = 4096;
const INDIRECT = 4;
const WRITE = 2;
/** Half of the numbers that an index has: a step farther than that went back. */
const HALF = 0x8000;

/** A stretch of memory, and what an access there means. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly touched: (access: WatchedAccess, where: Where) => void;
}

/** A store, and how many fences there had been. */
interface Mark {
  readonly hart: number;
  readonly fences: readonly number[];
}

/** One queue while it is handed over. */
interface Queue {
  readonly device: string;
  readonly index: number;
  readonly layout: Extract<VirtqueueEvent, { step: "configured" }>;
  readonly areas: Watched;
  /** Chains in flight, by head. */
  readonly chains: Map<number, Watched>;
  /** The available idx as the driver stored it last. */
  idx: number | undefined;
  /** Where the device takes next: split, a 16-bit index; packed, a place in the ring. */
  taken: number;
  /** How many used elements the device has written. */
  used: number;
  /** The driver's last store to a descriptor or an entry, to idx, and its last load of the used idx. */
  filled: Mark | undefined;
  exposed: Mark | undefined;
  looked: Mark | undefined;
}

/** What is watched together. */
interface Watched {
  readonly ranges: readonly WatchRange[];
  readonly stretches: readonly Stretch[];
}

/** Watches the memory of all queues. */
export class MemoryWatch {
  readonly #watches: Watches;
  readonly #report: MemoryReport;
  readonly #queues = new Map<string, Queue>();
  /** By page. */
  readonly #stretches = new Map<number, Set<Stretch>>();
  /** Devices in whose memory something was done. */
  readonly seen: Set<string> = new Set();

  constructor(watches: Watches, report: MemoryReport) {
    this.#watches = watches;
    this.#report = report;
  }

  /** The machine was reset. */
  powerOn(): void {
    for (const key of [...this.#queues.keys()]) this.#stop(key);
  }

  /** One step of a queue. */
  step(fact: VirtqueueEvent): void {
    const key = `${fact.device}.${fact.queue}`;
    if (fact.step === "configured") {
      this.#stop(key);
      return this.#start(key, fact);
    }
    const queue = this.#queues.get(key);
    if (queue === undefined) return;
    if (fact.step === "stopped") this.#stop(key);
    else if (fact.step === "chain") this.#take(queue, fact);
    else if (fact.step === "used") {
      queue.used += fact.buffers ?? 1;
      this.#giveBack(queue, fact.head, fact.buffers ?? 1);
    }
  }

  /** An access in a watched page. */
  access(access: WatchedAccess, where: Where): void {
    for (const stretch of this.#stretches.get(Math.floor(access.addr / PAGE)) ?? []) {
      if (access.addr < stretch.end && access.addr + access.size > stretch.start) stretch.touched(access, where);
    }
  }

  /** The driver is about to notify a queue. */
  notify(device: string, index: number, where: Where): void {
    const queue = this.#queues.get(`${device}.${index}`);
    const exposed = queue?.exposed;
    if (queue === undefined || exposed?.hart !== where.hart) return;
    queue.exposed = undefined;
    const { StoreStore, StoreLoad, StoreDevice } = FenceOrder;
    if (this.#fenced(exposed, StoreStore) || this.#fenced(exposed, StoreLoad) || this.#fenced(exposed, StoreDevice)) {
      return;
    }
    this.#report(
      device,
      "barrier-notify",
      `queue ${index} is notified with no fence since its last buffer was exposed`,
      where,
    );
  }

  #start(key: string, layout: Extract<VirtqueueEvent, { step: "configured" }>): void {
    const { device, queue: index, format, size } = layout;
    const split = format === "split";
    const stores = (addr: number, length: number): WatchRange => ({ addr, length, kind: WatchKind.Store });
    const ranges: WatchRange[] = [stores(layout.desc, 16 * size)];
    const stretches: Stretch[] = [];
    const queue: Queue = {
      device,
      index,
      layout,
      areas: { ranges, stretches },
      chains: new Map(),
      idx: undefined,
      taken: 0,
      used: 0,
      filled: undefined,
      exposed: undefined,
      looked: undefined,
    };
    const stretch = (start: number, length: number, touched: Stretch["touched"]) =>
      stretches.push({ start, end: start + length, touched });
    stretch(layout.desc, 16 * size, (access, where) => this.#descriptor(queue, access, where));
    if (split) {
      const used = layout.device_area;
      ranges.push(stores(layout.driver, 4 + 2 * size), { addr: used, length: 4 + 8 * size, kind: WatchKind.Both });
      stretch(layout.driver + 2, 2, (access, where) => this.#availIdx(queue, access, where));
      stretch(layout.driver + 4, 2 * size, (access, where) => this.#entry(queue, access, where));
      stretch(used, 4 + 8 * size, (access, where) => this.#usedRing(queue, access, where));
    }
    // Where parts lie on each other, a store is to both: that they do is told, and the rest would follow from it.
    const apart = stretches.every((a) => stretches.every((b) => a === b || a.end <= b.start || b.end <= a.start));
    if (!apart) return;
    this.#queues.set(key, queue);
    this.#begin(queue.areas);
  }

  #stop(key: string): void {
    const queue = this.#queues.get(key);
    if (queue === undefined) return;
    this.#queues.delete(key);
    for (const watched of [queue.areas, ...queue.chains.values()]) this.#end(watched);
  }

  /** The device has taken a chain: until it is used, its descriptors and buffers are the device's. */
  #take(queue: Queue, { head, position, descriptors }: Extract<VirtqueueEvent, { step: "chain" }>): void {
    const split = queue.layout.format === "split";
    const slots = descriptors.filter(({ table }) => table === "ring").length;
    queue.taken = split ? (position + 1) & 0xffff : (position + slots) % queue.layout.size;
    const ranges: WatchRange[] = [];
    const stretches: Stretch[] = [];
    let bytes = 0;
    for (const { index, table, addr, length, flags } of descriptors) {
      if (table === "ring") {
        const start = queue.layout.desc + 16 * index;
        const what = `descriptor ${index} of queue ${queue.index}`;
        stretches.push({ start, end: start + 16, touched: this.#ownedBy(queue, "descriptor", what) });
      }
      bytes += length;
      if (length === 0 || bytes > CHAIN_BYTES_MAX) continue;
      const kind = (flags & INDIRECT) !== 0 ? "descriptor" : (flags & WRITE) !== 0 ? "written" : "read";
      const what = kind === "descriptor"
        ? "an indirect table"
        : `a buffer that the device ${kind === "read" ? "reads" : "writes"}`;
      ranges.push({ addr, length, kind: kind === "written" ? WatchKind.Both : WatchKind.Store });
      const text = `${what}, ${length} bytes at ${hex(addr)}, queue ${queue.index}`;
      stretches.push({ start: addr, end: addr + length, touched: this.#ownedBy(queue, kind, text) });
    }
    const old = queue.chains.get(head);
    if (old !== undefined) this.#end(old);
    const watched = { ranges, stretches };
    queue.chains.set(head, watched);
    this.#begin(watched);
  }

  /** What it means to touch what the device has. */
  #ownedBy(queue: Queue, kind: "descriptor" | "read" | "written", what: string): Stretch["touched"] {
    return ({ write, addr, size }, where) => {
      if (!write && kind !== "written") return;
      const verb = write ? "stored to" : "loaded from";
      const rule = kind === "descriptor"
        ? "descriptor-written-in-flight"
        : write
        ? "buffer-written-in-flight"
        : "buffer-read-in-flight";
      this.#tell(queue, rule, `${size} bytes at ${hex(addr)} were ${verb}, in ${what}`, where);
    };
  }

  #giveBack(queue: Queue, head: number, buffers: number): void {
    const last = queue.chains.get(head);
    // A batch names its last buffer: the ones before it went in their order (VIRTIO_F_IN_ORDER).
    const heads = buffers === 1 ? [head] : [...queue.chains.keys()].slice(0, buffers);
    for (const one of last === undefined ? [] : heads) {
      this.#end(queue.chains.get(one)!);
      queue.chains.delete(one);
    }
  }

  #descriptor(queue: Queue, { write, addr, size, value }: WatchedAccess, where: Where): void {
    if (!write) return;
    this.seen.add(queue.device);
    const { layout } = queue;
    if (layout.format === "split") {
      queue.filled = this.#mark(where);
      return;
    }
    // Flags are the last two bytes; who stores all of the second half at once makes it available with the rest.
    const last = (addr - layout.desc + size) % 16 === 0;
    const slot = Math.floor((addr - layout.desc) / 16);
    if (!last) {
      queue.filled = this.#mark(where);
      return;
    }
    const flags = Number(BigInt.asUintN(16, value >> BigInt(8 * (size - 2))));
    // Only of the next one to take it is certain that it makes a buffer available.
    const exposes = size === 2 && slot === queue.taken && ((flags >>> 7) & 1) !== ((flags >>> 15) & 1);
    if (exposes) {
      this.#ordered(queue, "barrier-available", `the flags of descriptor ${slot}`, where);
      queue.exposed = this.#mark(where);
    }
  }

  #availIdx(queue: Queue, { write, size, value, addr }: WatchedAccess, where: Where): void {
    if (!write) return;
    const at = queue.layout.driver + 2 - addr;
    if (at < 0 || at + 2 > size) return;
    const idx = Number(BigInt.asUintN(16, value >> BigInt(8 * at)));
    const before = queue.idx;
    queue.idx = idx;
    if (before === idx || (before === undefined && idx === 0)) return;
    if (before !== undefined && ((idx - before) & 0xffff) > HALF) {
      this.#tell(queue, "avail-idx-back", `available idx of queue ${queue.index} went from ${before} to ${idx}`, where);
      return;
    }
    this.#ordered(queue, "barrier-available", "the available idx", where);
    queue.exposed = this.#mark(where);
  }

  /** A buffer is exposed: what was stored for it must be seen first. */
  #ordered(queue: Queue, rule: string, what: string, where: Where): void {
    this.seen.add(queue.device);
    const { filled } = queue;
    if (filled === undefined || filled.hart !== where.hart || this.#fenced(filled, FenceOrder.StoreStore)) return;
    queue.filled = undefined;
    this.#tell(
      queue,
      rule,
      `${what} of queue ${queue.index} was stored with no fence after what it makes available`,
      where,
    );
  }

  #entry(queue: Queue, { write, addr }: WatchedAccess, where: Where): void {
    if (!write) return;
    const { idx, taken, layout: { size, driver } } = queue;
    const slot = (addr - driver - 4) >>> 1;
    queue.filled = this.#mark(where);
    if (idx === undefined) return;
    const ahead = (idx - taken) & 0xffff;
    const place = (slot - taken) & (size - 1);
    if (ahead > size || place >= ahead) return;
    const what = `ring[${slot}] of queue ${queue.index} was stored when the available idx was already ${idx}`;
    this.#tell(queue, "avail-entry-late", what, where);
  }

  #usedRing(queue: Queue, { write, addr, size }: WatchedAccess, where: Where): void {
    const offset = addr - queue.layout.device_area;
    if (write) {
      if (queue.used === 0 && queue.chains.size === 0) return;
      this.#tell(
        queue,
        "used-ring-written",
        `${size} bytes at offset ${offset} of queue ${queue.index}'s used ring`,
        where,
      );
      return;
    }
    if (offset < 4) {
      if (offset + size > 2) queue.looked = this.#mark(where);
      return;
    }
    this.seen.add(queue.device);
    const element = Math.floor((offset - 4) / 8);
    if (element >= queue.used) {
      const what = `element ${element} of queue ${queue.index} was read when the used idx was ${queue.used & 0xffff}`;
      this.#tell(queue, "used-read-early", what, where);
    }
    const { looked } = queue;
    if (looked === undefined || looked.hart !== where.hart) return;
    queue.looked = undefined;
    if (this.#fenced(looked, FenceOrder.LoadLoad)) return;
    const what = `element ${element} of queue ${queue.index} was read with no fence after the used idx`;
    this.#tell(queue, "barrier-used", what, where);
  }

  #tell({ device }: Queue, rule: string, what: string, where: Where): void {
    this.#report(device, rule, what, where);
  }

  #mark({ hart }: Where): Mark {
    return { hart, fences: Object.values(FenceOrder).map((order) => this.#watches.fences(order)) };
  }

  #fenced({ fences }: Mark, order: FenceOrder): boolean {
    return fences[order] !== this.#watches.fences(order);
  }

  #begin({ ranges, stretches }: Watched): void {
    for (const stretch of stretches) {
      this.#pages(stretch, (page) => {
        const set = this.#stretches.get(page);
        if (set === undefined) this.#stretches.set(page, new Set([stretch]));
        else set.add(stretch);
      });
    }
    this.#watches.watch(ranges);
  }

  #end({ ranges, stretches }: Watched): void {
    for (const stretch of stretches) {
      this.#pages(stretch, (page) => {
        const set = this.#stretches.get(page);
        set?.delete(stretch);
        if (set?.size === 0) this.#stretches.delete(page);
      });
    }
    this.#watches.unwatch(ranges);
  }

  #pages({ start, end }: Stretch, visit: (page: number) => void): void {
    for (let page = Math.floor(start / PAGE); page * PAGE < end; page++) visit(page);
  }
}
