/**
 * Drivers made by chance that keep every rule, each time otherwise: both versions of virtio-mmio, both formats of rings,
 * chains and indirect tables, every device type, several buffers in flight, used in any order. With a slip the driver
 * does one thing wrong, once.
 */
import { MemoryDisk } from "../../devices/host/memory.ts";
import type { Chain } from "../../devices/virtio/chain.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import { VirtioConsole } from "../../devices/virtio/console.ts";
import type { VirtioDevice } from "../../devices/virtio/device.ts";
import { VirtioRng } from "../../devices/virtio/rng.ts";
import { CheckRig, OK, PROBE, RESET, START } from "./check_rig.ts";
import { AVAIL, INDIRECT, NEXT, USED, WRITE } from "./packed_driver.ts";
import type { Random } from "./random.ts";
import { HoldingDevice } from "./virtio_device.ts";

/** What is driven, and how. */
export interface Shape {
  readonly version: 1 | 2;
  readonly packed: boolean;
  readonly indirect: boolean;
  readonly eventIdx: boolean;
  readonly size: number;
  readonly device: "held" | "blk" | "rng" | "console";
}

/** A shape by chance. */
export function randomShape(random: Random): Shape {
  const version = random.chance(30) ? 1 : 2;
  return {
    version,
    packed: version === 2 && random.chance(50),
    indirect: random.chance(40),
    eventIdx: random.chance(50),
    size: 2 ** random.between(3, 4),
    device: random.pick(["held", "blk", "rng", "console"]),
  };
}

const DEVICES: Readonly<Record<Shape["device"], () => VirtioDevice>> = {
  held: () => new HoldingDevice(),
  blk: () => new VirtioBlk({ backend: new MemoryDisk(SECTORS * 512) }),
  rng: () => new VirtioRng(),
  console: () => {
    return new VirtioConsole({ port: { write: () => {}, read: () => new Uint8Array(0), onReadable: () => {} } });
  },
};

const SECTORS = 64;
/** VIRTIO_BLK_F_FLUSH, INDIRECT_DESC, EVENT_IDX of word 0; VERSION_1 and RING_PACKED of word 1. */
const FLUSH = 1 << 9;
const WORD_0 = { indirect: 1 << 28, eventIdx: 1 << 29 } as const;
const WORD_1 = { version1: 1, packed: 4 } as const;
/** Where the console sends; other devices have their requests in queue 0. */
const TRANSMIT = 1;
/** Longer than a device takes for a request, in ns. */
const LATENCY = 20_000;

/** A descriptor before it is one. */
export interface Piece {
  addr: number;
  length: number;
  flags: number;
  next: number;
}

/** Buffers in flight, by head or Buffer ID. */
interface Flight {
  readonly pieces: readonly Piece[];
  readonly slots: readonly number[];
  /** Of a device that holds what it takes. */
  readonly chain: Chain | undefined;
}

/** One driver at one device. */
export class RandomDriver {
  readonly rig: CheckRig;
  readonly shape: Shape;
  readonly #random: Random;
  readonly #slip: string | undefined;
  /** The request that goes wrong. */
  #wrongAt: number;
  #count = 0;
  /** Parts of the queue. */
  #desc = 0;
  #avail = 0;
  #used = 0;
  #queue = 0;
  #free: number[] = [];
  #flights = new Map<number, Flight>();
  /** Split: free-running; packed: places with wrap counters. */
  #availIdx = 0;
  #lastUsed = 0;
  #wrap = 1;
  #usedWrap = 1;

  readonly #tamper: (trace: string) => string;

  /** With a `slip` it does that wrong; `tamper` changes what it does with registers before DRIVER_OK. */
  constructor(shape: Shape, random: Random, slip?: string, tamper: (trace: string) => string = (trace) => trace) {
    this.#tamper = tamper;
    this.shape = shape;
    this.#random = random;
    this.#slip = slip;
    this.#wrongAt = random.between(0, 3);
    const switches = { packed: shape.packed };
    this.rig = new CheckRig({ version: shape.version, device: DEVICES[shape.device](), switches });
  }

  /** Lives of the device: set up, requests in any number, reset, and again. */
  run(): string[] {
    for (let life = this.#random.between(1, 2); life > 0; life--) {
      this.#setUp();
      if (this.rig.found.length > 0) return this.rig.found;
      for (let n = this.#random.between(6, 12); n > 0; n--) {
        this.#step();
        // A driver that has done wrong may not come to an end.
        if (this.#slip !== undefined && this.rig.found.length > 0) return this.rig.found;
      }
      while (this.#flights.size > 0) this.#finish();
      this.rig.play(RESET);
    }
    return this.rig.found;
  }

  /** Whether the next request is the one to do wrong, for the slip called so. */
  #slips(name: string): boolean {
    return this.#slip === name && this.#count === this.#wrongAt;
  }

  #setUp(): void {
    const { version, packed, size, indirect, eventIdx, device } = this.shape;
    const word0 = (device === "blk" ? FLUSH : 0) | (indirect ? WORD_0.indirect : 0) | (eventIdx ? WORD_0.eventIdx : 0);
    const word1 = WORD_1.version1 | (packed ? WORD_1.packed : 0);
    const low = `W024=0 W020=${(word0 >>> 0).toString(16)}`;
    const high = `W024=1 W020=${word1.toString(16)}`;
    this.#count = 0;
    if (version === 1) this.#play(`${PROBE} W028=1000 ${RESET} ${START} W014=0 R010 ${low}`);
    else {
      const words = this.#random.chance(50) ? `${low} ${high}` : `${high} ${low}`;
      this.#play(`${PROBE} ${RESET} ${START} W014=0 R010 W014=1 R010 ${words} ${OK}`);
    }
    const queues = device === "console" ? [0, TRANSMIT] : [0];
    for (const queue of queues) this.#setUpQueue(queue, size);
    this.#play(version === 1 ? "W070=7" : "W070=f");
  }

  #setUpQueue(index: number, size: number): void {
    const { board } = this.rig.d;
    const { version } = this.shape;
    this.#queue = index;
    this.#desc = board.alloc(3 * 4096, 4096);
    this.#avail = this.#desc + 16 * size;
    this.#used = this.#desc + 4096;
    const n = size.toString(16);
    if (version === 1) {
      const pfn = (this.#desc / 4096).toString(16);
      this.#play(`W030=${index} R040 R034 W038=${n} W03c=1000 W040=${pfn}`);
    } else {
      const [desc, avail, used] = [this.#desc, this.#avail, this.#used].map((addr) => addr.toString(16));
      const steps = [`W080=${desc} W084=0`, `W090=${avail} W094=0`, `W0a0=${used} W0a4=0`];
      this.#play(`W030=${index} R044 R034 W038=${n} ${this.#random.shuffle(steps).join(" ")} W044=1`);
    }
    this.#free = this.#random.shuffle(Array.from({ length: size }, (_, i) => i));
    this.#flights = new Map();
    this.#availIdx = this.#lastUsed = 0;
    this.#wrap = this.#usedWrap = 1;
  }

  #play(trace: string): void {
    this.rig.play(this.#tamper(trace));
  }

  #step(): void {
    const pieces = this.#request();
    if (this.#room(pieces)) this.#submit(pieces);
    if (this.#slip !== undefined && this.rig.found.length > 0) return;
    while (this.#flights.size > 0 && (this.#flights.size > 3 || this.#random.chance(50))) this.#finish();
  }

  #room(pieces: readonly Piece[]): boolean {
    return this.#free.length >= (this.shape.indirect ? 1 : pieces.length);
  }

  /** What the device type is asked for. */
  #request(): Piece[] {
    const { device } = this.shape;
    const some = (least: number, most: number, write: boolean, max = 128): Piece[] =>
      Array.from(
        { length: this.#random.between(least, most) },
        () => this.#piece(this.#random.between(1, max), write),
      );
    if (device === "rng") return this.#slips("rng-direction") ? some(1, 1, false) : some(1, 3, true);
    if (device === "console") return some(1, 2, this.#slips("console-direction"));
    if (device === "blk") return this.#diskRequest();
    const readable = some(0, 2, false);
    return [...readable, ...some(readable.length === 0 ? 1 : 0, 2, true)];
  }

  #diskRequest(): Piece[] {
    // Without a status, and with a short header, other bytes of a request are taken for it where there are any.
    const whole = ["blk-range", "blk-data-length", "blk-header", "blk-status"].some((slip) => this.#slips(slip));
    const flush = this.#random.chance(20) && !whole;
    const write = this.#slips("blk-status") || (this.#random.chance(50) && !this.#slips("blk-header"));
    const sectors = this.#random.between(1, 4);
    const header = this.#piece(this.#slips("blk-header") ? 8 : 16, false);
    const type = this.#slips("blk-type") ? 0x5eed : flush ? 4 : write ? 1 : 0;
    const sector = flush ? 0 : this.#slips("blk-range") ? SECTORS : this.#random.below(SECTORS - sectors);
    this.#store(header.addr, 4, type);
    this.#store(header.addr + 4, 4, 0);
    if (header.length === 16) {
      this.#store(header.addr + 8, 4, sector);
      this.#store(header.addr + 12, 4, 0);
    }
    const odd = this.#slips("blk-data-length") ? 100 : 0;
    const data = flush ? [] : [this.#piece(512 * sectors - odd, !write)];
    const status = this.#slips("blk-status") ? [] : [this.#piece(1, true)];
    return [header, ...data, ...status];
  }

  #piece(length: number, write: boolean): Piece {
    const addr = this.rig.d.board.alloc(length);
    if (!write) this.#store(addr, 1, length & 0xff);
    return { addr, length, flags: write ? WRITE : 0, next: 0 };
  }

  #submit(pieces: Piece[]): void {
    this.#spoil(pieces);
    const old = this.#availIdx;
    const held = (this.rig.device as HoldingDevice).held;
    const [id, slots] = this.shape.packed ? this.#putPacked(pieces) : this.#putSplit(pieces);
    this.#tell(old, slots.length);
    const chain = this.shape.device === "held" ? held.at(-1) : undefined;
    this.#flights.set(id, { pieces, slots, chain });
    if (this.#slips("buffer-read-in-flight") || this.#slips("buffer-written-in-flight")) this.#touch(pieces);
    if (this.#slips("descriptor-written-in-flight")) {
      this.#store(this.#desc + 16 * (this.shape.packed ? old : slots[0]!) + 8, 4, 1);
    }
    if (this.#slips("used-ring-written")) this.#store(this.#used + (this.shape.packed ? 2 : 0), 2, 0);
    if (this.#slips("avail-idx-back")) this.#store(this.#avail + 2, 2, (this.#availIdx - 1) & 0xffff);
    if (this.#slips("used-read-early")) this.#load(this.#used + 4 + 8 * (this.#lastUsed % this.shape.size), 4);
    // What the device reads may be read while it has it.
    const readable = pieces.find(({ flags, length }) => (flags & WRITE) === 0 && length > 0);
    if (readable !== undefined && this.#slip === undefined) this.#load(readable.addr, 1);
    this.#count++;
  }

  /** What is wrong with descriptors, before they are one chain. */
  #spoil(pieces: Piece[]): void {
    const last = pieces.at(-1)!;
    if (this.#slips("descriptor-address")) last.addr = 0x4000;
    if (this.#slips("descriptor-empty")) last.length = 0;
    if (this.#slips("descriptor-order")) {
      pieces.unshift(this.#piece(4, true));
      pieces.push(this.#piece(4, false));
    }
  }

  /** Touches a buffer that the device has. */
  #touch(pieces: readonly Piece[]): void {
    const read = this.#slips("buffer-read-in-flight");
    const piece = pieces.find(({ flags }) => !read || (flags & WRITE) !== 0);
    if (piece === undefined) this.#wrongAt++;
    else if (read) this.#load(piece.addr, 1);
    else this.#store(piece.addr + piece.length - 1, 1, 0);
  }

  #putSplit(pieces: readonly Piece[]): [head: number, slots: number[]] {
    const list = this.#asTable(pieces);
    const slots = this.#free.splice(0, list.length);
    list.forEach((piece, i) => {
      const more = i < list.length - 1;
      const wild = this.#slips("descriptor-next-range") && !more;
      const loop = this.#slips("descriptor-loop") && !more;
      const flags = piece.flags | (more || wild || loop ? NEXT : 0) | (this.#slips("descriptor-flags") ? 0x10 : 0);
      this.#descriptor(this.#desc, slots[i]!, piece, {
        12: flags,
        14: wild ? this.shape.size : loop ? slots[i]! : more ? slots[i + 1]! : 0,
      });
    });
    const entry = this.#avail + 4 + 2 * (this.#availIdx % this.shape.size);
    const head = this.#slips("avail-head-range") ? this.shape.size : slots[0]!;
    const late = this.#slips("avail-entry-late");
    if (!late) this.#store(entry, 2, head);
    if (!this.#slips("barrier-available")) this.rig.fence();
    this.#availIdx = (this.#availIdx + (this.#slips("avail-idx-jump") ? 100 : 1)) & 0xffff;
    this.#store(this.#avail + 2, 2, this.#availIdx);
    if (late) this.#store(entry, 2, head);
    return [slots[0]!, slots];
  }

  #putPacked(pieces: readonly Piece[]): [id: number, slots: number[]] {
    const list = this.#asTable(pieces);
    // IDs and entries of the ring are as many; which entry comes is not for the driver to choose.
    const ids = this.#free.splice(0, list.length);
    const taken = this.#slips("packed-id-in-flight") && this.#flights.size > 0;
    const id = taken ? [...this.#flights.keys()][0]! : ids[0]!;
    if (this.#slips("packed-id-in-flight") && !taken) this.#wrongAt++;
    const first = { index: this.#availIdx, flags: 0 };
    const unmarked = this.#slips("packed-list-unavailable") ? list.length - 1 : 0;
    list.forEach((piece, i) => {
      const more = i < list.length - 1;
      const mark = this.#wrap === 1 ? AVAIL : USED;
      const flags = piece.flags | (more ? NEXT : 0) | (unmarked > 0 && i === unmarked ? mark ^ (AVAIL | USED) : mark);
      this.#descriptor(this.#desc, this.#availIdx, piece, i === 0 ? { 12: id } : { 12: id, 14: flags });
      if (i === 0) first.flags = flags;
      if (++this.#availIdx === this.shape.size) [this.#availIdx, this.#wrap] = [0, 1 - this.#wrap];
    });
    if (!this.#slips("barrier-available")) this.rig.fence();
    this.#store(this.#desc + 16 * first.index + 14, 2, first.flags);
    return [id, ids];
  }

  /** A request's descriptors in the ring: themselves, or the one of an indirect table. */
  #asTable(pieces: readonly Piece[]): readonly Piece[] {
    if (!this.shape.indirect) return pieces;
    const addr = this.rig.d.board.alloc(16 * pieces.length);
    pieces.forEach((piece, i) => {
      const more = i < pieces.length - 1 && !this.shape.packed;
      const nested = this.#slips("indirect-nested") ? INDIRECT : 0;
      const tail = this.shape.packed
        ? { 12: 0, 14: piece.flags | (this.#slips("packed-indirect-flags") ? NEXT : 0) }
        : { 12: piece.flags | nested | (more ? NEXT : 0), 14: more ? i + 1 : 0 };
      this.#descriptor(addr, i, piece, tail);
    });
    const length = 16 * pieces.length - (this.#slips("indirect-length") ? 8 : 0);
    return [{ addr, length, flags: INDIRECT, next: 0 }];
  }

  #descriptor(table: number, index: number, piece: Piece, tail: Readonly<Record<number, number>>): void {
    const base = table + 16 * index;
    this.#store(base, 4, piece.addr);
    this.#store(base + 4, 4, 0);
    this.#store(base + 8, 4, piece.length);
    for (const [offset, value] of Object.entries(tail)) this.#store(base + Number(offset), 2, value);
  }

  /** Notifies the device, if it asks for that. */
  #tell(old: number, slots: number): void {
    if (this.#slips("barrier-notify")) return void this.rig.play(`W050=${this.#queue}`);
    if (!this.#slips("barrier-suppression")) this.rig.fence();
    if (this.#wanted(old, slots)) this.rig.play(`W050=${this.#queue}`);
  }

  #wanted(old: number, slots: number): boolean {
    const { packed, eventIdx, size } = this.shape;
    if (packed) {
      const word = this.#load(this.#used, 4);
      const flags = word >>> 16;
      if (flags !== 2) return flags === 0;
      const event = word & 0x7fff;
      // The descriptor it waits for is among those just made available, around the end of the ring too.
      return ((event - old + size) % size) < slots;
    }
    if (!eventIdx) return (this.#load(this.#used, 2) & 1) === 0;
    const event = this.#load(this.#used + 4 + 8 * size, 2);
    return ((this.#availIdx - event - 1) & 0xffff) < ((this.#availIdx - old) & 0xffff);
  }

  /** Has the device use something, and takes it back. */
  #finish(): void {
    const { device, packed } = this.shape;
    if (device === "held") {
      const { held, transport } = this.rig.device as HoldingDevice;
      const chosen = this.#random.pick(held);
      held.splice(held.indexOf(chosen), 1);
      transport.queue(this.#queue).push(chosen, chosen.writableLength);
    } else this.rig.d.wait(LATENCY);
    const interrupted = this.rig.d.board.irqLevel;
    if (interrupted) this.rig.irq("claimed").play("R060 W064=1");
    if (packed) this.#collectPacked();
    else this.#collectSplit();
    if (interrupted) this.rig.irq("completed");
  }

  #collectSplit(): void {
    const { size, eventIdx } = this.shape;
    for (;;) {
      const idx = this.#load(this.#used + 2, 2);
      // What was asked for before is what comes back now.
      if (this.#slip !== "barrier-used" || this.#count <= this.#wrongAt) this.rig.fence();
      for (; this.#lastUsed !== idx; this.#lastUsed = (this.#lastUsed + 1) & 0xffff) {
        const element = this.#used + 4 + 8 * (this.#lastUsed % size);
        const head = this.#load(element, 4);
        this.#load(element + 4, 4);
        this.#takeBack(head);
      }
      if (!eventIdx) return;
      this.#store(this.#avail + 4 + 2 * size, 2, this.#lastUsed);
      this.rig.fence();
      if (this.rig.d.board.memory.read(this.#used + 2, 2) === idx) return void this.#load(this.#used + 2, 2);
    }
  }

  #collectPacked(): void {
    for (;;) {
      const entry = this.#desc + 16 * this.#lastUsed;
      const flags = this.#load(entry + 14, 2);
      const marks = this.#usedWrap === 1 ? AVAIL | USED : 0;
      if (this.#flights.size === 0 || (flags & (AVAIL | USED)) !== marks) return;
      this.rig.fence();
      this.#load(entry + 8, 4);
      const { slots } = this.#takeBack(this.#load(entry + 12, 2));
      this.#lastUsed += slots.length;
      if (this.#lastUsed >= this.shape.size) {
        this.#lastUsed -= this.shape.size;
        this.#usedWrap = 1 - this.#usedWrap;
      }
    }
  }

  #takeBack(id: number): Flight {
    const flight = this.#flights.get(id);
    if (flight === undefined) throw new Error(`random driver: the device used ${id}, which it does not have`);
    this.#flights.delete(id);
    this.#free.push(...flight.slots);
    for (const { addr, length, flags } of flight.pieces) {
      if (length === 0) continue;
      if ((flags & WRITE) !== 0) this.#load(addr, 1);
      else this.#store(addr, 1, 0);
    }
    return flight;
  }

  #store(addr: number, size: 1 | 2 | 4, value: number): void {
    this.rig.d.board.memory.write(addr, size, value >>> 0);
    this.rig.access(true, addr, size, value >>> 0);
  }

  #load(addr: number, size: 1 | 2 | 4): number {
    const value = this.rig.d.board.memory.read(addr, size);
    this.rig.access(false, addr, size, value);
    return value;
  }
}
