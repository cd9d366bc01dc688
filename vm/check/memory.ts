/**
 * What a driver does in memory that its device reads or writes: rings, descriptors and buffers in flight, by watching
 * exactly these, and the fences between.
 */
import { hex } from "../bits.ts";
import { BlkStatuses } from "./blk_statuses.ts";
import { Kick } from "./kick.ts";
import { waitsOutside } from "./stall/queues.ts";
import type { VirtqueueEvent, Where } from "../events.ts";
import { FenceOrder, type WatchedAccess, type Watches, WatchKind, type WatchRange } from "../watches.ts";
import { UsedSide } from "./used_side.ts";
import {
  Fences,
  type Layout,
  listLength,
  type MemoryReport,
  type MemorySight,
  overlapOf,
  type Queue,
  type Stretch,
  unfenced,
  type Unread,
  type Watched,
} from "./watched_queue.ts";

/** Most bytes of one chain that are watched: more would be whole programs. */
const CHAIN_BYTES_MAX = 1 << 20;
const PAGE = 4096;
const INDIRECT = 4;
const WRITE = 2;
/** Half of the numbers that an index has: a step farther than that went back. */
const HALF = 0x8000;

/** Watches the memory of all queues. */
export class MemoryWatch {
  readonly #watches: Watches;
  readonly #sight: MemorySight;
  readonly #fences: Fences;
  readonly #usedSide: UsedSide;
  readonly #statuses: BlkStatuses;
  readonly #report: MemoryReport;
  readonly #queues = new Map<string, Queue>();
  /** By page. */
  readonly #stretches = new Map<number, Set<Stretch>>();
  /** Devices in whose memory something was done. */
  readonly seen: Set<string> = new Set();

  constructor(watches: Watches, sight: MemorySight, report: MemoryReport) {
    this.#watches = watches;
    this.#sight = sight;
    this.#report = report;
    this.#fences = new Fences(watches);
    const watching = {
      begin: (watched: Watched) => this.#begin(watched),
      end: (watched: Watched) => this.#end(watched),
    };
    this.#statuses = new BlkStatuses(watching, (...told) => this.#tell(...told));
    this.#usedSide = new UsedSide(sight, this.#fences, (...told) => this.#tell(...told));
  }

  /** The machine was reset. */
  powerOn(): void {
    for (const key of [...this.#queues.keys()]) this.#stop(key);
  }

  /** What the driver has not read of what its device has used; undefined where that is not watched. */
  unread(device: string, index: number): Unread | undefined {
    const queue = this.#queues.get(`${device}.${index}`);
    return queue && { unread: unreadOf(queue), looked: queue.lookedSince };
  }

  /** Whether the driver of a device has read all that the device has used, of which there was something. */
  collected(device: string): boolean {
    const queues = this.#of(device).filter(({ used }) => used > 0);
    return queues.length > 0 && queues.every((queue) => unreadOf(queue) === 0);
  }

  /** One step of a queue. */
  step(fact: VirtqueueEvent, where: Where): void {
    const key = `${fact.device}.${fact.queue}`;
    if (fact.step === "configured") {
      this.#stop(key);
      return this.#start(key, fact, where);
    }
    const queue = this.#queues.get(key);
    if (queue === undefined) return;
    if (fact.step === "stopped") this.#stop(key);
    else if (fact.step === "chain") this.#take(queue, fact, where);
    else if (fact.step === "used") {
      queue.used += fact.buffers ?? 1;
      this.#giveBack(queue, fact.head, fact.buffers ?? 1);
      this.#usedSide.wrote(queue, fact.position, where);
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
    if (queue === undefined) return;
    queue.kick.notified(where, queue.slots + this.#ahead(queue) > queue.layout.size / 2);
    const { exposed } = queue;
    if (exposed?.hart !== where.hart) return;
    queue.exposed = undefined;
    const { StoreStore, StoreLoad, StoreDevice } = FenceOrder;
    if (
      this.#fences.since(exposed, StoreStore) || this.#fences.since(exposed, StoreLoad) ||
      this.#fences.since(exposed, StoreDevice)
    ) {
      return;
    }
    this.#report(
      device,
      "barrier-notify",
      `queue ${index} is notified with no fence since its last buffer was exposed`,
      where,
    );
  }

  /** A hart begins to wait. */
  waits(where: Where): void {
    for (const queue of this.#queues.values()) {
      const { type, live, suspended } = this.#sight.state(queue.device);
      if (!live || suspended) continue;
      if (type !== undefined && !waitsOutside(type, queue.index)) queue.kick.waits(where);
      this.#usedSide.waits(queue, where);
    }
  }

  /** The driver has claimed the device's interrupt. */
  claimed(device: string): void {
    for (const queue of this.#of(device)) queue.handling = false;
  }

  /** The driver has acknowledged the device's interrupt. */
  acknowledged(device: string, where: Where): void {
    for (const queue of this.#of(device)) if (queue.handling) queue.acknowledged = where;
  }

  #of(device: string): Queue[] {
    return [...this.#queues.values()].filter((queue) => queue.device === device);
  }

  /** Buffers that are available and not taken. */
  #ahead({ idx, taken, layout }: Queue): number {
    return idx === undefined || layout.format === "packed" ? 0 : (idx - taken) & 0xffff;
  }

  #start(key: string, layout: Layout, where: Where): void {
    const { device, queue: index, format, size } = layout;
    const split = format === "split";
    const report = (rule: string, what: string, at: Where) => this.#report(device, rule, what, at);
    const stores = (addr: number, length: number): WatchRange => ({ addr, length, kind: WatchKind.Store });
    // The device writes what it has used into a packed ring itself: who reads it there is to be seen too.
    const ranges: WatchRange[] = [{
      addr: layout.desc,
      length: 16 * size,
      kind: split ? WatchKind.Store : WatchKind.Both,
    }];
    const stretches: Stretch[] = [];
    const queue: Queue = {
      device,
      index,
      layout,
      areas: { ranges, stretches },
      chains: new Map(),
      idx: undefined,
      taken: 0,
      next: 0,
      used: 0,
      filled: undefined,
      exposed: undefined,
      looked: undefined,
      kick: new Kick(layout, this.#sight.peek, report),
      slots: 0,
      unread: new Uint8Array(size),
      lookedSince: false,
      flags: split ? this.#sight.peek(layout.driver) ?? 0 : 0,
      reenabled: undefined,
      handling: false,
      acknowledged: undefined,
    };
    this.#usedSide.handedOver(queue, this.#of(device).length === 0, where);
    const stretch = (start: number, length: number, touched: Stretch["touched"]) =>
      stretches.push({ start, end: start + length, touched });
    stretch(layout.desc, 16 * size, (access, where) => this.#descriptor(queue, access, where));
    const device_area = layout.device_area;
    if (split) {
      ranges.push(stores(layout.driver, 6 + 2 * size), {
        addr: device_area,
        length: 6 + 8 * size,
        kind: WatchKind.Both,
      });
      stretch(layout.driver, 2, (access, where) => this.#usedSide.availFlags(queue, access, where));
      stretch(layout.driver + 2, 2, (access, where) => this.#availIdx(queue, access, where));
      stretch(layout.driver + 4, 2 * size, (access, where) => this.#entry(queue, access, where));
      stretch(device_area, 4 + 8 * size, (access, where) => {
        this.seen.add(device);
        this.#usedSide.usedRing(queue, access, where);
      });
    } else {
      ranges.push({ addr: device_area, length: 4, kind: WatchKind.Both });
      stretch(device_area, 4, (access, where) => this.#usedSide.suppression(queue, access, where));
    }
    // Where parts lie on each other, a store is to both: that they do is told, and the rest would follow from it.
    const apart = (list: readonly Stretch[]) =>
      list.every((a) => list.every((b) => a === b || a.end <= b.start || b.end <= a.start));
    if (!apart(stretches)) return;
    if (split) {
      // Only with EVENT_IDX: without it the two bytes may be anybody's.
      const events: Stretch[] = [];
      const event = (start: number, touched: Stretch["touched"]) => events.push({ start, end: start + 2, touched });
      event(layout.driver + 4 + 2 * size, (access, where) => this.#usedSide.usedEvent(queue, access, where));
      event(device_area + 4 + 8 * size, (access, where) => this.#usedSide.availEvent(queue, access, where));
      if (apart([...stretches, ...events])) stretches.push(...events);
    }
    this.#queues.set(key, queue);
    this.#begin(queue.areas);
  }

  #stop(key: string): void {
    const queue = this.#queues.get(key);
    if (queue === undefined) return;
    this.#queues.delete(key);
    this.#statuses.stopped(queue);
    for (const watched of [queue.areas, ...queue.chains.values()]) this.#end(watched);
  }

  /** The device has taken a chain: until it is used, its descriptors and buffers are the device's. */
  #take(queue: Queue, fact: Extract<VirtqueueEvent, { step: "chain" }>, where: Where): void {
    const { head, position, descriptors } = fact;
    const split = queue.layout.format === "split";
    const slots = descriptors.filter(({ table }) => table === "ring").length;
    queue.taken = split ? (position + 1) & 0xffff : (position + slots) % queue.layout.size;
    // What was not seen to be made available was so all the same.
    if (!split && (queue.next - position + queue.layout.size) % queue.layout.size < slots) queue.next = queue.taken;
    queue.slots += slots;
    if (this.#ahead(queue) === 0) queue.kick.taken();
    const ranges: WatchRange[] = [];
    const stretches: Stretch[] = [];
    let bytes = 0;
    for (const { index, table, addr, length, flags } of descriptors) {
      // Which entries of a packed ring are the device's does not hang on the chain: see #descriptor.
      if (table === "ring" && split) {
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
      const touched = this.#ownedBy(queue, kind, text);
      stretches.push({ start: addr, end: addr + length, touched, buffer: { kind, what: text } });
    }
    const old = queue.chains.get(head);
    if (old !== undefined) this.#end(old);
    queue.slots -= old?.slots ?? 0;
    const status = BlkStatuses.of(this.#sight.state(queue.device).type, descriptors);
    if (status !== undefined) this.#statuses.taken(status, where);
    const watched = { ranges, stretches, slots, status };
    queue.chains.set(head, watched);
    this.#begin(watched, (what) => this.#tell(queue, "buffer-overlap", what, where));
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
      this.#tell(
        queue,
        rule,
        `${size === 1 ? "a byte" : `${size} bytes`} at ${hex(addr)} ${size === 1 ? "was" : "were"} ${verb}, in ${what}`,
        where,
      );
    };
  }

  #giveBack(queue: Queue, head: number, buffers: number): void {
    const last = queue.chains.get(head);
    // A batch names its last buffer: the ones before it went in their order (VIRTIO_F_IN_ORDER).
    const heads = buffers === 1 ? [head] : [...queue.chains.keys()].slice(0, buffers);
    for (const one of last === undefined ? [] : heads) {
      const chain = queue.chains.get(one)!;
      this.#end(chain);
      queue.slots -= chain.slots;
      if (chain.status !== undefined) this.#statuses.used(queue, chain.status);
      queue.chains.delete(one);
    }
  }

  #descriptor(queue: Queue, access: WatchedAccess, where: Where): void {
    const { write, addr, size, value } = access;
    if (!write) {
      if (queue.layout.format === "packed") this.#usedSide.packedEntry(queue, access, where);
      return;
    }
    this.seen.add(queue.device);
    const { layout } = queue;
    if (layout.format === "split") {
      queue.filled = this.#fences.mark(where);
      return;
    }
    this.#packedEntry(queue, Math.floor((addr - layout.desc) / 16), access, where);
    // Flags are the last two bytes; who stores all of the second half at once makes it available with the rest.
    const last = (addr - layout.desc + size) % 16 === 0;
    const slot = Math.floor((addr - layout.desc) / 16);
    if (!last) {
      queue.filled = this.#fences.mark(where);
      return;
    }
    const flags = Number(BigInt.asUintN(16, value >> BigInt(8 * (size - 2))));
    // Only of the driver's next one it is certain that it makes a buffer available.
    const exposes = size === 2 && slot === queue.next && ((flags >>> 7) & 1) !== ((flags >>> 15) & 1);
    if (exposes) {
      queue.next = (slot + listLength(queue.layout, slot, flags, this.#sight.peek)) % layout.size;
      this.#ordered(queue, "barrier-available", `the flags of descriptor ${slot}`, where);
      this.#expose(queue, slot | ((flags >>> 7) & 1) << 15, where);
    }
  }

  /**
   * §2.8.1: as many entries are the driver's as the device has given back, from where the device takes next; those of a
   * buffer that it still has may be among them, if it used another one first.
   */
  #packedEntry(queue: Queue, slot: number, { size: bytes, addr }: WatchedAccess, where: Where): void {
    const { taken, slots, layout: { size }, index } = queue;
    if ((slot - taken + size) % size < size - slots) return;
    const what = `${bytes} bytes at ${hex(addr)} were stored to, in descriptor ${slot} of queue ${index}`;
    this.#tell(queue, "descriptor-written-in-flight", what, where);
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
    this.#expose(queue, idx, where);
  }

  /** Something has been made available: `idx` is the new one, of a packed ring the place and its wrap counter. */
  #expose(queue: Queue, idx: number, where: Where): void {
    queue.exposed = this.#fences.mark(where);
    const { eventIdx, suspended } = this.#sight.state(queue.device);
    queue.kick.exposed(where, idx, eventIdx);
    if (suspended) this.#tell(queue, "suspend-available", `a buffer of queue ${queue.index} after SUSPEND`, where);
  }

  /** A buffer is exposed: what was stored for it must be seen first. */
  #ordered(queue: Queue, rule: string, what: string, where: Where): void {
    this.seen.add(queue.device);
    if (!unfenced(queue.filled, where, FenceOrder.StoreStore, this.#fences)) return;
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
    queue.filled = this.#fences.mark(where);
    if (idx === undefined) return;
    const ahead = (idx - taken) & 0xffff;
    const place = (slot - taken) & (size - 1);
    if (ahead > size || place >= ahead) return;
    const what = `ring[${slot}] of queue ${queue.index} was stored when the available idx was already ${idx}`;
    this.#tell(queue, "avail-entry-late", what, where);
  }

  #tell({ device }: Queue, rule: string, what: string, where: Where): void {
    this.#report(device, rule, what, where);
  }

  /** Watches; `overlaps` is told if what the device writes lies on a ring or on something else that it writes. */
  #begin({ ranges, stretches }: Watched, overlaps?: (what: string) => void): void {
    let overlap: string | undefined;
    for (const stretch of stretches) {
      this.#pages(stretch, (page) => {
        const set = this.#stretches.get(page);
        if (set === undefined) this.#stretches.set(page, new Set([stretch]));
        else {
          if (stretch.buffer?.kind === "written") overlap ??= overlapOf(stretch, set);
          set.add(stretch);
        }
      });
    }
    this.#watches.watch(ranges);
    if (overlap !== undefined) overlaps?.(overlap);
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

function unreadOf({ unread }: Queue): number {
  return unread.reduce((sum, one) => sum + one, 0);
}
