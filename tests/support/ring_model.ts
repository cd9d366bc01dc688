/**
 * A driver's side of one virtqueue, split or packed, that knows what must come of everything it does: which bytes the
 * device sees, which buffers come back, with what length, and whether it is interrupted. It counts in positions that
 * never wrap and derives ring indexes, wrap counters and events from those, so that it shares no arithmetic with the
 * device's side.
 */
import { assert, assertEquals } from "@std/assert";
import type { Chain } from "../../devices/virtio/chain.ts";
import { virtioInterrupt } from "../../devices/virtio/registers.ts";
import { AVAIL, EVENTS, IN_ORDER, INDIRECT, NEXT, RING_PACKED, USED, WRITE } from "./packed_driver.ts";
import { HoldingDevice } from "./virtio_device.ts";
import { EVENT_IDX, INDIRECT_DESC, TestBoard, TestDriver } from "./virtio_driver.ts";

/** What was negotiated. */
export interface RingForm {
  readonly packed: boolean;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  readonly inOrder: boolean;
  readonly size: number;
}

/** A piece of a buffer. */
export interface Piece {
  readonly length: number;
  readonly write: boolean;
}

/** A buffer in flight. */
interface Buffer {
  /** What the driver calls it: head or Buffer ID. */
  readonly name: number;
  /** Descriptors of the ring that it takes; indexes in the table, of a split one. */
  readonly descriptors: readonly number[];
  readonly slot: number;
  readonly pieces: readonly Piece[];
  /** All of its pieces are the same bytes. */
  readonly overlap: boolean;
  /** Set when the device has given it back. */
  written: number;
}

/** Most bytes of a buffer, and the room for its indirect table behind them. */
const DATA_BYTES = 64;
const SLOT_BYTES = 192;

/** Most buffers in flight, for the memory they take. */
const SLOTS_MAX = 4096;

/** One queue, its driver and its device. */
export class RingModel {
  readonly form: RingForm;
  readonly d: TestDriver;
  readonly device: HoldingDevice;
  /** Buffers made available, and collected, so far. */
  posted = 0;
  collected = 0;
  /** Interrupts that came, and that were suppressed. */
  interrupts = 0;
  suppressed = 0;
  readonly #desc: number;
  readonly #driver: number;
  readonly #deviceArea: number;
  readonly #ram: { readonly words: Uint32Array; readonly base: number };
  readonly #data: number;
  readonly #freeSlots: number[];
  /** Split: descriptors of the table that are free. */
  readonly #free: number[];
  /** Entries made available, used and collected: buffers in a split queue, descriptors in a packed one. */
  #avail = 0;
  #used = 0;
  #seen = 0;
  /** What the last notification told of. */
  #notified = 0;
  /** Entries of the packed ring that are taken. */
  #taken = 0;
  readonly #inFlight = new Map<number, Buffer>();
  /** Names in the order in which they were made available. */
  #order: number[] = [];
  /** Names in the order in which the device gave them back, with the entries each takes. */
  #done: number[] = [];
  /** Done, but with IN_ORDER not used yet. */
  readonly #waiting = new Set<number>();
  #fill = 1;

  constructor(form: RingForm, options: { watched?: boolean } = {}) {
    this.form = form;
    const { size, packed } = form;
    this.device = new HoldingDevice({ sizeMax: size });
    const board = new TestBoard(options.watched ?? true);
    const switches = { packed: true, in_order: true };
    this.d = new TestDriver(this.device, { board, switches, strict: true });
    this.d.negotiate([
      ...(packed ? [RING_PACKED] : []),
      ...(form.eventIdx ? [EVENT_IDX] : []),
      ...(form.indirect ? [INDIRECT_DESC] : []),
      ...(form.inOrder ? [IN_ORDER] : []),
    ]);
    this.#desc = board.alloc(16 * size, 16);
    this.#driver = board.alloc(packed ? 4 : 6 + 2 * size, 4);
    this.#deviceArea = board.alloc(packed ? 4 : 6 + 8 * size, 4);
    const { memory } = board;
    const ram = memory.regions.find(({ writable }) => writable)!;
    this.#ram = { words: new Uint32Array(memory.buffer, ram.host, ram.size / 4), base: ram.base };
    const slots = Math.min(size, SLOTS_MAX);
    this.#data = board.alloc(slots * SLOT_BYTES, 16);
    this.#freeSlots = Array.from({ length: slots }, (_, i) => i);
    this.#free = packed ? [] : Array.from({ length: size }, (_, i) => i);
    this.d.write("QueueSel", 0);
    this.d.write("QueueNum", size);
    this.d.writeAreas({ desc: this.#desc, avail: this.#driver, used: this.#deviceArea });
    this.d.write("QueueReady", 1);
    this.d.driverOk();
    if (form.eventIdx) this.wantEvent(0);
  }

  /** Buffers in flight. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Free descriptors. */
  get room(): number {
    return this.form.packed ? this.form.size - this.#taken : this.#free.length;
  }

  /** Makes a buffer of `count` device-readable descriptors available, all of them for the same byte. */
  postLong(count: number): boolean {
    return this.post(new Array(count).fill({ length: 1, write: false }), false, true);
  }

  /** Makes a buffer available, without a notification; false if there is no room for it. */
  post(pieces: readonly Piece[], indirect = false, overlap = false): boolean {
    const direct = !(indirect && this.form.indirect);
    const slot = this.#freeSlots.at(-1);
    // §2.7.5.3.1, §2.8.17: also with an indirect table no chain is longer than the queue.
    const fits = pieces.length <= this.form.size && this.room >= (direct ? pieces.length : 1);
    if (slot === undefined || !fits) return false;
    this.#freeSlots.pop();
    const base = this.#data + slot * SLOT_BYTES;
    let at = base;
    const lay = (piece: Piece): Piece & { addr: number } => {
      const addr = at;
      at += piece.length;
      for (let i = 0; i < piece.length; i++) this.#poke(addr + i, 1, piece.write ? 0 : this.#fill++ & 0xff);
      return { ...piece, addr };
    };
    // Pieces that overlap are one and the same.
    const laid = overlap ? new Array(pieces.length).fill(lay(pieces[0]!)) : pieces.map(lay);
    assert(at - base <= DATA_BYTES, "a piece too long for a slot");
    if (!direct) {
      const table = base + DATA_BYTES;
      laid.forEach((piece, i) => this.#describe(table, i, piece, i < laid.length - 1, i + 1));
    }
    const name = this.form.packed ? slot : this.#free[0]!;
    const descriptors = this.form.packed
      ? this.#postPacked(name, laid, direct, base + DATA_BYTES)
      : this.#postSplit(laid, direct, base + DATA_BYTES);
    this.#inFlight.set(name, { name, descriptors, slot, pieces, overlap, written: -1 });
    this.#order.push(name);
    this.posted++;
    return true;
  }

  /** Notifies the device if it asked for that; whether it did. */
  notify(): boolean {
    const from = this.#notified;
    this.#notified = this.#avail;
    if (!this.#wanted(from)) return false;
    this.d.write("QueueNotify", 0);
    return true;
  }

  /** Notifies all the same. */
  notifyAnyway(): void {
    this.#notified = this.#avail;
    this.d.write("QueueNotify", 0);
  }

  /** The device gives back one of the buffers it holds, with `written` bytes (at most what there is room for). */
  use(index: number, written: number): void {
    const { held } = this.device;
    const chain = held.splice(index % held.length, 1)[0]!;
    const buffer = this.#inFlight.get(chain.head);
    assert(buffer !== undefined, `the device holds ${chain.head}, which is not in flight`);
    this.#checkRead(chain, buffer);
    const count = Math.min(written, chain.writableLength);
    buffer.written = count;
    for (let i = 0; i < count; i++) assertEquals(chain.writer.write(Uint8Array.of(this.#byte(buffer, i))), 1);
    const before = this.#used;
    this.#finish(buffer);
    const expected = this.#interruptDue(before);
    this.device.transport.queue(0).push(chain, count);
    const status = this.d.read("InterruptStatus");
    this.d.write("InterruptACK", status);
    assertEquals(status, expected ? virtioInterrupt.USED_BUFFER : 0, `interrupt for ${before} to ${this.#used}`);
    if (expected) this.interrupts++;
    else if (this.#used > before) this.suppressed++;
  }

  /** Collects what was used, and looks at every byte of it. */
  collect(): number {
    let count = 0;
    while (this.#done.length > 0) {
      const { id, length, buffers } = this.#nextUsed();
      for (let i = 0; i < buffers; i++) {
        const name = this.#done.shift()!;
        const buffer = this.#inFlight.get(name)!;
        const last = i === buffers - 1;
        if (last) {
          assertEquals(id, name);
          if (length !== undefined) assertEquals(length, buffer.written);
          // §2.8.4: without WRITE there is no length, as nothing was written.
          else assertEquals(buffer.written, 0);
        } else assertEquals(buffer.written, room(buffer), "only what was used completely is skipped");
        this.#checkWritten(buffer);
        this.#retire(buffer);
        count++;
      }
    }
    assert(!this.#moreUsed(), "the device used more than it gave back");
    return count;
  }

  /** No interrupts (`false`), or one for every buffer. Without EVENT_IDX, or of a packed queue. */
  wantInterrupts(wanted: boolean): void {
    if (this.form.packed) this.#poke(this.#driver + 2, 2, wanted ? EVENTS.ENABLE : EVENTS.DISABLE);
    else this.#poke(this.#driver, 2, wanted ? 0 : 1);
    this.#event = wanted;
  }

  /** With EVENT_IDX: an interrupt when the entry `ahead` after the last collected one is used. */
  wantEvent(ahead: number): void {
    const { packed, size } = this.form;
    const position = this.#seen + ahead;
    if (packed) {
      this.#poke(this.#driver, 2, position % size | (this.#wrapOf(position) << 15));
      this.#poke(this.#driver + 2, 2, EVENTS.DESC);
    } else this.#poke(this.#driver + 4 + 2 * size, 2, position & 0xffff);
    this.#event = position;
  }

  /** What the driver asked for: yes, no, or a position. */
  #event: boolean | number = true;

  #postSplit(laid: readonly (Piece & { addr: number })[], direct: boolean, table: number): number[] {
    const indexes = this.#free.splice(0, direct ? laid.length : 1);
    const head = indexes[0]!;
    if (direct) {
      laid.forEach((piece, i) =>
        this.#describe(this.#desc, indexes[i]!, piece, i < laid.length - 1, indexes[i + 1] ?? 0)
      );
    } else this.#poke16(this.#desc + 16 * head, table, 16 * laid.length, INDIRECT, 0);
    this.#poke(this.#driver + 4 + 2 * (this.#avail % this.form.size), 2, head);
    this.#avail++;
    this.#poke(this.#driver + 2, 2, this.#avail & 0xffff);
    return indexes;
  }

  #postPacked(id: number, laid: readonly (Piece & { addr: number })[], direct: boolean, table: number): number[] {
    const { size } = this.form;
    const entries = direct ? laid : [{ addr: table, length: 16 * laid.length, write: false }];
    // §2.8.6: the first becomes available last.
    for (let i = entries.length - 1; i >= 0; i--) {
      const position = this.#avail + i;
      const { addr, length, write } = entries[i]!;
      const marks = this.#wrapOf(position) === 1 ? AVAIL : USED;
      const flags = direct ? (write ? WRITE : 0) | (i < entries.length - 1 ? NEXT : 0) : INDIRECT;
      // §2.8.6: the Buffer ID counts in the last one.
      const name = i === entries.length - 1 ? id : 0xffff - id;
      this.#poke16(this.#desc + 16 * (position % size), addr, length, name, flags | marks);
    }
    this.#avail += entries.length;
    this.#taken += entries.length;
    return entries.length === 1 ? [0] : [...entries.keys()];
  }

  /** A descriptor of a split ring's table, or of an indirect table of either format. */
  #describe(table: number, index: number, piece: Piece & { addr: number }, more: boolean, next: number): void {
    const at = table + 16 * index;
    const write = piece.write ? WRITE : 0;
    if (this.form.packed) this.#poke16(at, piece.addr, piece.length, 0, write);
    else this.#poke16(at, piece.addr, piece.length, write | (more ? NEXT : 0), more ? next : 0);
  }

  /** Sixteen bytes at once: there are half a billion of these in all sizes of queues. */
  #poke16(at: number, addr: number, length: number, third: number, fourth: number): void {
    const { words, base } = this.#ram;
    const word = (at - base) / 4;
    words[word] = addr;
    words[word + 1] = 0;
    words[word + 2] = length;
    words[word + 3] = third | fourth << 16;
  }

  /** Whether the device asked to be told of entries from `from` on (§2.7.10, §2.8.10). */
  #wanted(from: number): boolean {
    const { packed, eventIdx, size } = this.form;
    const to = this.#avail;
    if (packed) {
      const word = this.#peek(this.#deviceArea, 2);
      const flags = this.#peek(this.#deviceArea + 2, 2);
      if (flags !== EVENTS.DESC) return flags === EVENTS.ENABLE;
      return this.#covers(from, to, 2 * size, (word >>> 15 === 1 ? 0 : size) + (word & 0x7fff));
    }
    if (!eventIdx) return (this.#peek(this.#deviceArea, 2) & 1) === 0;
    return this.#covers(from, to, 0x1_0000, this.#peek(this.#deviceArea + 4 + 8 * size, 2));
  }

  /** Whether one of the positions `from` to `to - 1` reads `rest` modulo `modulus`. */
  #covers(from: number, to: number, modulus: number, rest: number): boolean {
    for (let at = from; at < to; at++) if (at % modulus === rest % modulus) return true;
    return false;
  }

  /** The Driver or Device Ring Wrap Counter at a position (§2.8.1): 1 in the first round. */
  #wrapOf(position: number): 0 | 1 {
    return Math.floor(position / this.form.size) % 2 === 0 ? 1 : 0;
  }

  /** A buffer is done: it is used now, or with IN_ORDER with those that waited for it. */
  #finish(buffer: Buffer): void {
    if (!this.form.inOrder) return this.#used_(buffer);
    this.#waiting.add(buffer.name);
    while (this.#order.length > 0 && this.#waiting.has(this.#order[0]!)) {
      const name = this.#order[0]!;
      this.#waiting.delete(name);
      this.#used_(this.#inFlight.get(name)!);
    }
  }

  #used_(buffer: Buffer): void {
    this.#order = this.#order.filter((name) => name !== buffer.name);
    this.#done.push(buffer.name);
    this.#used += this.form.packed ? buffer.descriptors.length : 1;
  }

  #interruptDue(from: number): boolean {
    const event = this.#event;
    if (from === this.#used) return false;
    if (typeof event === "boolean") return event;
    const { packed, size } = this.form;
    const modulus = packed ? 2 * size : 0x1_0000;
    return this.#covers(from, this.#used, modulus, event % modulus);
  }

  #moreUsed(): boolean {
    if (!this.form.packed) return this.#peek(this.#deviceArea + 2, 2) !== (this.#seen & 0xffff);
    const flags = this.#peek(this.#desc + 16 * (this.#seen % this.form.size) + 14, 2);
    const wrap = this.#wrapOf(this.#seen) === 1;
    return ((flags & AVAIL) !== 0) === wrap && ((flags & USED) !== 0) === wrap;
  }

  /** The next used entry, and for how many buffers it stands. */
  #nextUsed(): { id: number; length: number | undefined; buffers: number } {
    assert(this.#moreUsed(), `entry ${this.#seen} was not used`);
    const { packed, size, inOrder } = this.form;
    const at = packed ? this.#desc + 16 * (this.#seen % size) : this.#deviceArea + 4 + 8 * (this.#seen % size);
    const id = packed ? this.#peek(at + 12, 2) : this.#peek(at, 4);
    const told = !packed || (this.#peek(at + 14, 2) & WRITE) !== 0;
    const length = told ? this.#peek(at + (packed ? 8 : 4), 4) : undefined;
    const buffers = inOrder ? this.#done.indexOf(id) + 1 : 1;
    assert(buffers > 0, `${id} is used and was not given back`);
    return { id, length, buffers };
  }

  #retire(buffer: Buffer): void {
    this.#seen += this.form.packed ? buffer.descriptors.length : 1;
    if (this.form.packed) this.#taken -= buffer.descriptors.length;
    // §2.7.5.2: with IN_ORDER descriptors are taken in ring order, so they come back to the end of the list; otherwise
    // to its beginning, so that chains get out of order.
    else if (this.form.inOrder) this.#free.push(...buffer.descriptors);
    else this.#free.unshift(...buffer.descriptors);
    this.#freeSlots.push(buffer.slot);
    this.#inFlight.delete(buffer.name);
    this.collected++;
  }

  #checkRead(chain: Chain, buffer: Buffer): void {
    const bytes = new Uint8Array(chain.readableLength);
    assertEquals(chain.reader.read(bytes), bytes.length);
    const pieces = buffer.pieces.filter(({ write }) => !write);
    assertEquals(bytes.length, pieces.reduce((sum, { length }) => sum + length, 0));
    const at = this.#data + buffer.slot * SLOT_BYTES;
    let expected = this.#peek(at, 1);
    for (let i = 0; i < bytes.length; i++) {
      if (!buffer.overlap) expected = this.#peek(at + i, 1);
      if (bytes[i] !== expected) assertEquals(bytes[i], expected, `byte ${i} of buffer ${buffer.name}`);
    }
  }

  #checkWritten(buffer: Buffer): void {
    const readable = buffer.pieces.reduce((sum, { write, length }) => write ? sum : sum + length, 0);
    const at = this.#data + buffer.slot * SLOT_BYTES + readable;
    for (let i = 0; i < room(buffer); i++) {
      const expected = i < buffer.written ? this.#byte(buffer, i) : 0;
      const byte = this.#peek(at + i, 1);
      if (byte !== expected) assertEquals(byte, expected, `byte ${i} of buffer ${buffer.name}`);
    }
  }

  /** What the device writes: never 0. */
  #byte(buffer: Buffer, i: number): number {
    return ((buffer.name * 7 + i) & 0x7f) + 1;
  }

  #peek(addr: number, size: 1 | 2 | 4): number {
    return this.d.board.memory.read(addr, size);
  }

  #poke(addr: number, size: 1 | 2 | 4, value: number): void {
    this.d.board.memory.write(addr, size, value);
  }
}

/** Bytes that the device may write to a buffer. */
function room({ pieces }: Buffer): number {
  return pieces.reduce((sum, { write, length }) => write ? sum + length : sum, 0);
}
