/**
 * One queue of a driver that is made by chance: how buffers are put into a ring of either format, told of, and taken out
 * again; rightly, or with the slip that its driver is asked for.
 */
import { AVAIL, INDIRECT, NEXT, USED, WRITE } from "./packed_driver.ts";
import type { CheckRig } from "./check_rig.ts";
import type { Random } from "./random.ts";
import type { Shape } from "./random_driver.ts";

/** A descriptor before it is one. */
export interface Piece {
  addr: number;
  length: number;
  flags: number;
  next: number;
}

/** A buffer in flight. */
interface Flight {
  readonly pieces: readonly Piece[];
  /** What of the list of free ones it takes. */
  readonly slots: readonly number[];
}

/** What a queue asks of its driver. */
export interface QueueDriver {
  readonly rig: CheckRig;
  readonly shape: Shape;
  readonly random: Random;
  /** Whether the request that is being made is the one to do wrong, for the slip called so. */
  slips(name: string): boolean;
  /** Whether that one has been made, or is. */
  slipped(name: string): boolean;
  /** The slip cannot be made in this request: the next one shall be wrong. */
  later(): void;
  /** Whether it makes no mistake at all. */
  readonly right: boolean;
  piece(length: number, write: boolean): Piece;
  /** Does register accesses. */
  play(trace: string): void;
}

/** One queue. */
export class RandomQueue {
  readonly index: number;
  readonly #driver: QueueDriver;
  readonly #random: Random;
  readonly #shape: Shape;
  #desc = 0;
  #avail = 0;
  #used = 0;
  #free: number[] = [];
  /** By head or Buffer ID, in the order in which they were made available. */
  readonly #flights = new Map<number, Flight>();
  /** Split: free-running; packed: places with wrap counters. */
  #availIdx = 0;
  #lastUsed = 0;
  #wrap = 1;
  #usedWrap = 1;

  constructor(driver: QueueDriver, index: number) {
    this.#driver = driver;
    this.#random = driver.random;
    this.#shape = driver.shape;
    this.index = index;
  }

  /** How many buffers the device has. */
  get inFlight(): number {
    return this.#flights.size;
  }

  /** Hands fresh memory over to the device. */
  setUp(): void {
    const { board } = this.#driver.rig.d;
    const { version, size, inOrder } = this.#shape;
    this.#desc = board.alloc(3 * 4096, 4096);
    this.#avail = this.#desc + 16 * size;
    this.#used = this.#desc + 4096;
    const n = size.toString(16);
    if (version === 1) {
      const pfn = (this.#desc / 4096).toString(16);
      this.#driver.play(`W030=${this.index} R040 R034 W038=${n} W03c=1000 W040=${pfn}`);
    } else {
      const [desc, avail, used] = [this.#desc, this.#avail, this.#used].map((addr) => addr.toString(16));
      const steps = [`W080=${desc} W084=0`, `W090=${avail} W094=0`, `W0a0=${used} W0a4=0`];
      this.#driver.play(`W030=${this.index} R044 R034 W038=${n} ${this.#random.shuffle(steps).join(" ")} W044=1`);
    }
    const all = Array.from({ length: size }, (_, i) => i);
    // With IN_ORDER the free ones are a circle (virtio 1.2 §2.7.5.2).
    this.#free = inOrder ? all : this.#random.shuffle(all);
    this.#flights.clear();
    this.#availIdx = this.#lastUsed = 0;
    this.#wrap = this.#usedWrap = 1;
  }

  /** Whether there is room for a request. */
  room(pieces: readonly Piece[]): boolean {
    return this.#free.length >= (this.#shape.indirect ? 1 : pieces.length);
  }

  /** Makes a request available and tells the device. */
  submit(pieces: Piece[]): void {
    const driver = this.#driver;
    this.#spoil(pieces);
    const old = this.#availIdx;
    const [id, slots] = this.#shape.packed ? this.#putPacked(pieces) : this.#putSplit(pieces);
    this.#tell(old, slots.length);
    this.#flights.set(id, { pieces, slots });
    if (driver.slips("buffer-read-in-flight") || driver.slips("buffer-written-in-flight")) this.#touch(pieces);
    if (driver.slips("descriptor-written-in-flight")) {
      this.#store(this.#desc + 16 * (this.#shape.packed ? old : slots[0]!) + 8, 4, 1);
    }
    if (driver.slips("used-ring-written")) this.#store(this.#used + (this.#shape.packed ? 2 : 0), 2, 0);
    if (driver.slips("avail-idx-back")) this.#store(this.#avail + 2, 2, (this.#availIdx - 1) & 0xffff);
    if (driver.slips("used-read-early")) this.#load(this.#used + 4 + 8 * (this.#lastUsed % this.#shape.size), 4);
    // What the device reads may be read while it has it.
    const readable = pieces.find(({ flags, length }) => (flags & WRITE) === 0 && length > 0);
    if (readable !== undefined && driver.right) this.#load(readable.addr, 1);
  }

  /** What is wrong with descriptors, before they are one chain. */
  #spoil(pieces: Piece[]): void {
    const last = pieces.at(-1)!;
    if (this.#slips("descriptor-address")) last.addr = 0x4000;
    if (this.#slips("descriptor-empty")) last.length = 0;
    if (this.#slips("descriptor-order") && !this.room([...pieces, ...pieces.slice(0, 1), last])) this.#driver.later();
    else if (this.#slips("descriptor-order")) {
      pieces.unshift(this.#driver.piece(4, true));
      pieces.push(this.#driver.piece(4, false));
    }
  }

  /** Touches a buffer that the device has. */
  #touch(pieces: readonly Piece[]): void {
    const read = this.#slips("buffer-read-in-flight");
    const piece = pieces.find(({ flags }) => !read || (flags & WRITE) !== 0);
    if (piece === undefined) this.#driver.later();
    else if (read) this.#load(piece.addr, 1);
    else this.#store(piece.addr + piece.length - 1, 1, 0);
  }

  #putSplit(pieces: readonly Piece[]): [head: number, slots: number[]] {
    const list = this.#asTable(pieces);
    const slots = this.#free.splice(0, list.length);
    if (this.#slips("in-order-next")) {
      if (slots.length > 1) slots.reverse();
      else this.#driver.later();
    }
    list.forEach((piece, i) => {
      const more = i < list.length - 1;
      const wild = this.#slips("descriptor-next-range") && !more;
      const loop = this.#slips("descriptor-loop") && !more;
      const flags = piece.flags | (more || wild || loop ? NEXT : 0) | (this.#slips("descriptor-flags") ? 0x10 : 0);
      this.#descriptor(this.#desc, slots[i]!, piece, {
        12: flags,
        14: wild ? this.#shape.size : loop ? slots[i]! : more ? slots[i + 1]! : 0,
      });
    });
    const entry = this.#avail + 4 + 2 * (this.#availIdx % this.#shape.size);
    const head = this.#slips("avail-head-range") ? this.#shape.size : slots[0]!;
    const late = this.#slips("avail-entry-late");
    if (!late) this.#store(entry, 2, head);
    if (!this.#slips("barrier-available")) this.#driver.rig.fence();
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
    if (this.#slips("packed-id-in-flight") && !taken) this.#driver.later();
    const first = { index: this.#availIdx, flags: 0 };
    const unmarked = this.#slips("packed-list-unavailable") ? list.length - 1 : 0;
    list.forEach((piece, i) => {
      const more = i < list.length - 1;
      const mark = this.#wrap === 1 ? AVAIL : USED;
      const flags = piece.flags | (more ? NEXT : 0) | (unmarked > 0 && i === unmarked ? mark ^ (AVAIL | USED) : mark);
      this.#descriptor(this.#desc, this.#availIdx, piece, i === 0 ? { 12: id } : { 12: id, 14: flags });
      if (i === 0) first.flags = flags;
      if (++this.#availIdx === this.#shape.size) [this.#availIdx, this.#wrap] = [0, 1 - this.#wrap];
    });
    if (!this.#slips("barrier-available")) this.#driver.rig.fence();
    this.#store(this.#desc + 16 * first.index + 14, 2, first.flags);
    return [id, ids];
  }

  /** A request's descriptors in the ring: themselves, or the one of an indirect table. */
  #asTable(pieces: readonly Piece[]): readonly Piece[] {
    if (!this.#shape.indirect) return pieces;
    const addr = this.#driver.rig.d.board.alloc(16 * pieces.length);
    pieces.forEach((piece, i) => {
      const more = i < pieces.length - 1 && !this.#shape.packed;
      const nested = this.#slips("indirect-nested") ? INDIRECT : 0;
      const tail = this.#shape.packed
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
    if (this.#slips("barrier-notify")) return this.#notify(old);
    if (!this.#slips("barrier-suppression")) this.#driver.rig.fence();
    if (this.#wanted(old, slots)) this.#notify(old);
    else if (this.#slips("notify-data")) this.#driver.later();
  }

  /** Tells the device of the queue, with VIRTIO_F_NOTIFICATION_DATA of the place too (virtio 1.2 §2.9). */
  #notify(old: number): void {
    const { packed, data } = this.#shape;
    const wrong = this.#slips("notify-data");
    const place = packed ? this.#place(wrong ? old : this.#availIdx) : (this.#availIdx + (wrong ? 1 : 0)) & 0xffff;
    const value = data ? this.index + place * 0x1_0000 : this.index;
    this.#driver.rig.play(`W050=${value.toString(16)}`);
  }

  /** A place in a packed ring that the driver has come to, with its wrap counter. */
  #place(offset: number): number {
    return offset | ((offset > this.#availIdx ? 1 - this.#wrap : this.#wrap) << 15);
  }

  #wanted(old: number, slots: number): boolean {
    const { packed, eventIdx, size } = this.#shape;
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

  /** Takes back what the device has used. */
  collect(): void {
    if (this.#shape.packed) this.#collectPacked();
    else this.#collectSplit();
  }

  #collectSplit(): void {
    const { size, eventIdx } = this.#shape;
    const { rig } = this.#driver;
    for (;;) {
      const idx = this.#load(this.#used + 2, 2);
      this.#barrier();
      while (this.#lastUsed !== idx) {
        const element = this.#used + 4 + 8 * (this.#lastUsed % size);
        const head = this.#load(element, 4);
        this.#load(element + 4, 4);
        this.#lastUsed = (this.#lastUsed + this.#takeBack(head).length) & 0xffff;
      }
      if (!eventIdx) return;
      this.#store(this.#avail + 4 + 2 * size, 2, this.#lastUsed);
      rig.fence();
      if (rig.d.board.memory.read(this.#used + 2, 2) === idx) return void this.#load(this.#used + 2, 2);
    }
  }

  #collectPacked(): void {
    const { size } = this.#shape;
    for (;;) {
      const entry = this.#desc + 16 * this.#lastUsed;
      const flags = this.#load(entry + 14, 2);
      const marks = this.#usedWrap === 1 ? AVAIL | USED : 0;
      if (this.#flights.size === 0 || (flags & (AVAIL | USED)) !== marks) return;
      this.#barrier();
      this.#load(entry + 8, 4);
      for (const { slots } of this.#takeBack(this.#load(entry + 12, 2))) this.#lastUsed += slots.length;
      if (this.#lastUsed >= size) {
        this.#lastUsed -= size;
        this.#usedWrap = 1 - this.#usedWrap;
      }
    }
  }

  /** Between what says that there is something and that itself. */
  #barrier(): void {
    // What was asked for before is what comes back now.
    if (!this.#driver.slipped("barrier-used")) this.#driver.rig.fence();
  }

  /** Buffers come back: the one of this name; with IN_ORDER those before it too (virtio 1.2 §2.7.9, §2.8.8). */
  #takeBack(id: number): Flight[] {
    if (!this.#flights.has(id)) throw new Error(`random driver: the device used ${id}, which it does not have`);
    const names = [...this.#flights.keys()];
    const back = this.#shape.inOrder ? names.slice(0, names.indexOf(id) + 1) : [id];
    return back.map((name) => {
      const flight = this.#flights.get(name)!;
      this.#flights.delete(name);
      this.#free.push(...flight.slots);
      for (const { addr, length, flags } of flight.pieces) {
        if (length === 0) continue;
        if ((flags & WRITE) !== 0) this.#load(addr, 1);
        else this.#store(addr, 1, 0);
      }
      return flight;
    });
  }

  #slips(name: string): boolean {
    return this.#driver.slips(name);
  }

  #store(addr: number, size: 1 | 2 | 4, value: number): void {
    storeIn(this.#driver.rig, addr, size, value);
  }

  #load(addr: number, size: 1 | 2 | 4): number {
    const { rig } = this.#driver;
    const value = rig.d.board.memory.read(addr, size);
    rig.access(false, addr, size, value);
    return value;
  }
}

/** A store of the driver, as its checker sees it. */
export function storeIn(rig: CheckRig, addr: number, size: 1 | 2 | 4, value: number): void {
  rig.d.board.memory.write(addr, size, value >>> 0);
  rig.access(true, addr, size, value >>> 0);
}
