/**
 * Random guests for the fuzzing of virtio devices: each brings a device up and posts requests as a driver would, and
 * then goes wrong somewhere, in a register, a ring, a descriptor or its timing. The same seed gives the same guest.
 */
import { featureBit } from "../../devices/virtio/feature_set.ts";
import { deviceType } from "../../devices/virtio/features.ts";
import { featureSwitches } from "../../devices/virtio/offered.ts";
import { virtioMmioConfigOffset, virtioMmioOffset, virtioMmioRegisters } from "../../devices/virtio/registers.ts";
import { FUZZ_RAM, FUZZ_RAM_SIZE, type FuzzCase, type FuzzOp, Op, subjects } from "./fuzz_rig.ts";
import { Random } from "./random.ts";

/** What a guest knows of each device: type, own features, number of queues. */
const KNOWN = Object.entries(subjects).map(([name, make]) => {
  const { id, features, queues } = make().device;
  const own = deviceType(id)?.features.filter(({ bit }) => bit < 64 && features.has(bit)) ?? [];
  return { name, own: own.map(({ bit }) => bit), queues: queues.length };
});
const OFFSETS = virtioMmioRegisters.filter(({ repeat }) => repeat === undefined).map(({ offset }) => offset);

/** Values that are the edge of something. */
const EDGES: readonly number[] = [
  ...[0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 255, 256, 511, 512, 513, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff],
  ...[0x8000_0000, 0xffff_fff0, 0xffff_fffe, 0xffff_ffff, FUZZ_RAM + FUZZ_RAM_SIZE, FUZZ_RAM + FUZZ_RAM_SIZE - 1],
  ...[FUZZ_RAM - 1, 0x1000, 0x1fff, 0xfff],
];

/** Where a guest lays its queues: one area each, in RAM. */
const QUEUE_BYTES = 0x2000;
const DATA = 0x1_0000;

const ROM_END = 0x2000;

/** Most queues of a device type here that are used: those of two ports of a console, and of its messages. */
const QUEUES_MAX = 6;

/** The queue of a console's messages from the driver. */
const CONTROL = 3;

interface QueueState {
  readonly index: number;
  size: number;
  /** Descriptors made available since it waited for the device. */
  posted: number;
  availIdx: number;
  wrap: number;
  packed: boolean;
  eventIdx: boolean;
}

class Guest {
  readonly ops: FuzzOp[] = [];
  readonly #random: Random;
  readonly #one: Omit<FuzzCase, "ops">;
  readonly #known: (typeof KNOWN)[number];
  readonly #queues: QueueState[];
  /** One thing in so many goes wrong. */
  readonly #wildness: number;
  #packed = false;
  #eventIdx = false;
  #indirect = false;

  constructor(random: Random, one: Omit<FuzzCase, "ops">) {
    this.#random = random;
    this.#one = one;
    this.#wildness = random.pick([10, 40, 100, 200, 1000]);
    this.#known = KNOWN.find(({ name }) => name === one.device)!;
    const queues = Math.min(this.#known.queues, QUEUES_MAX);
    this.#queues = Array.from(
      { length: queues },
      (_, index) => ({ index, size: 0, posted: 0, availIdx: 0, wrap: 1, packed: false, eventIdx: false }),
    );
  }

  live(): void {
    const random = this.#random;
    this.#bringUp();
    for (let n = random.between(1, 14); n > 0; n--) {
      const what = random.below(100);
      if (what < 62) this.#request();
      else if (what < 74) this.ops.push([Op.Wait, random.pick([1, 100, 1000, 10_000, 30_000, 100_000])]);
      else if (what < 80) this.#anyRegister();
      else if (what < 86) this.#anyPoke();
      else if (what < 89) this.ops.push([Op.Type, random.pick([0, 1, 16, 5000])]);
      else if (what < 91) this.ops.push([Op.Resize, random.below(70000), random.below(300)]);
      else if (what < 93) this.ops.push([Op.Break, random.below(2)]);
      else if (what < 94) this.#resetOrSuspend();
      else if (what < 99) this.#bringUp();
      else this.ops.push([Op.SystemReset]);
    }
  }

  /** Resets a queue; or suspends the device, or resumes it if that is what it did last. */
  #resetOrSuspend(): void {
    if (this.#random.chance(50)) this.#resetQueue();
    else this.#write("Status", 0x1f);
  }

  /** Whether it goes wrong this time. */
  #wild(): boolean {
    return this.#random.below(this.#wildness) === 0;
  }

  /** `value`, or another. */
  #or(value: number): number {
    if (!this.#wild()) return value;
    const random = this.#random;
    switch (random.below(4)) {
      case 0:
        return random.pick(EDGES);
      case 1:
        return random.bits() >>> 0;
      case 2:
        return (value ^ (1 << random.below(32))) >>> 0;
      default:
        return (value + random.between(-2, 2)) >>> 0;
    }
  }

  #write(name: string, value: number): void {
    if (this.#wild() && this.#random.chance(30)) return;
    this.ops.push([Op.Write, virtioMmioOffset(name), 4, this.#or(value)]);
  }

  #poke(at: number, size: number, value: number): void {
    if (this.#wild() && this.#random.chance(20)) return;
    this.ops.push([Op.Poke, at, size, this.#or(value) % 2 ** (8 * size)]);
  }

  #bringUp(): void {
    const { version, on } = this.#one;
    const random = this.#random;
    const has = (name: string): boolean => on.includes(name) && random.chance(85);
    this.#write("Status", 0);
    this.#write("Status", 1);
    this.#write("Status", 3);
    const words = [0, 0];
    const accept = (bit: number): void => void (words[bit >> 5]! |= 1 << (bit & 31));
    for (const bit of this.#known.own) if (random.chance(80)) accept(bit);
    const accepted = featureSwitches.filter(({ name }) => has(name));
    for (const { feature } of accepted) accept(featureBit(0, feature));
    this.#packed = accepted.some(({ name }) => name === "packed");
    this.#eventIdx = accepted.some(({ name }) => name === "event_idx");
    this.#indirect = accepted.some(({ name }) => name === "indirect");
    if (version === 2) accept(32);
    else this.#write("GuestPageSize", 4096);
    for (const sel of version === 2 ? [1, 0] : [0]) {
      this.#write("DriverFeaturesSel", sel);
      this.#write("DriverFeatures", words[sel]! >>> 0);
    }
    if (version === 2) this.#write("Status", 11);
    for (const queue of this.#queues) if (!this.#wild()) this.#setUp(queue);
    this.#write("Status", version === 2 ? 15 : 7);
  }

  #setUp(queue: QueueState): void {
    const random = this.#random;
    const base = QUEUE_BYTES * (queue.index + 1);
    queue.packed = this.#packed;
    queue.eventIdx = this.#eventIdx;
    queue.size = queue.packed ? random.between(1, 16) : random.pick([1, 2, 4, 8, 8, 16, 16, 16]);
    queue.availIdx = queue.posted = 0;
    queue.wrap = 1;
    // What an earlier life left in the rings is in the way of this one.
    if (!this.#wild()) this.ops.push([Op.Clear, base, QUEUE_BYTES]);
    this.#write("QueueSel", queue.index);
    this.#write("QueueNum", queue.size);
    if (this.#one.version === 1) {
      this.#write("QueueAlign", 4096);
      this.#write("QueuePFN", (FUZZ_RAM + base) / 4096);
      return;
    }
    for (const [name, offset] of [["Desc", 0], ["Driver", 0x200], ["Device", 0x280]] as const) {
      // Over the end of RAM, by more or less.
      const edge = FUZZ_RAM + FUZZ_RAM_SIZE - 2 * random.below(150);
      this.#write(`Queue${name}Low`, this.#wild() ? edge : FUZZ_RAM + base + offset);
      this.#write(`Queue${name}High`, 0);
    }
    this.#write("QueueReady", 1);
  }

  /** Offsets in RAM of the three areas. */
  #areas({ index, size }: QueueState): { desc: number; driver: number; device: number } {
    const desc = QUEUE_BYTES * (index + 1);
    if (this.#one.version === 2) return { desc, driver: desc + 0x200, device: desc + 0x280 };
    return { desc, driver: desc + 16 * size, device: desc + 4096 };
  }

  /** The pieces of a request of this device: offset in RAM, bytes, whether the device writes it. */
  #pieces(queue: QueueState): [number, number, boolean][] {
    const random = this.#random;
    const at = DATA + 0x1000 * random.below(32);
    const length = (): number => random.pick([0, 1, 16, 20, 64, 512, 512, 512, 1024, 4096]);
    if (!this.#one.device.startsWith("blk")) {
      if (queue.index === CONTROL) {
        // A message: port, event and value.
        this.#poke(at, 4, random.below(4));
        this.#poke(at + 4, 2, random.pick([0, 0, 3, 3, 6, 6, 1]));
        this.#poke(at + 6, 2, random.below(2));
        return [[at, 8, this.#wild()]];
      }
      const writable = !this.#one.device.startsWith("console") || queue.index % 2 === 0;
      return Array.from(
        { length: random.between(1, 3) },
        (_, i) => [at + 0x400 * i, length(), writable !== this.#wild()],
      );
    }
    const type = random.pick([0, 0, 1, 1, 4, 5, 8, 10, 11, 13, 14, 99]);
    this.#poke(at, 4, type);
    this.#poke(at + 4, 4, 0);
    this.#poke(at + 8, 4, random.pick([0, 1, 2, 60, 63, 64]));
    this.#poke(at + 12, 4, 0);
    const ranges = type === 11 || type === 13 || type === 14;
    if (ranges) {
      for (const [i, value] of [random.below(64), 0, random.below(8), random.below(2)].entries()) {
        this.#poke(at + 16 + 4 * i, 4, value);
      }
    }
    const out = type === 1 || ranges;
    const data = ranges ? 16 : type === 8 ? 20 : type === 4 ? 0 : length();
    const pieces: [number, number, boolean][] = [[at, 16, false]];
    if (data > 0) pieces.push([at + 16, data, !out]);
    pieces.push([at + 0x800, 1, true]);
    if (random.chance(10)) pieces.unshift([at, 8, false], [at + 8, 8, false]);
    return pieces;
  }

  #request(): void {
    const random = this.#random;
    if (this.#queues.length === 0) return;
    const queue = random.pick(this.#queues);
    if (queue.size === 0) return;
    for (let n = random.pick([1, 1, 1, 2, 5]); n > 0; n--) {
      const pieces = this.#pieces(queue);
      if (queue.posted + pieces.length > queue.size && !this.#wild()) {
        this.#write("QueueNotify", queue.index);
        this.ops.push([Op.Wait, 30_000]);
        queue.posted = 0;
      }
      queue.posted += pieces.length;
      if (queue.packed) this.#packedRequest(queue, pieces);
      else this.#splitRequest(queue, pieces);
    }
    if (random.chance(85)) this.#write("QueueNotify", queue.index);
    if (random.chance(40)) this.ops.push([Op.Wait, random.pick([1, 9_999, 10_000, 25_000])]);
    if (random.chance(30)) {
      this.ops.push([Op.Read, virtioMmioOffset("InterruptStatus"), 4]);
      this.#write("InterruptACK", 3);
    }
  }

  /** A descriptor; its last words are flags and next in a split ring, Buffer ID and flags in a packed one. */
  #descriptor(at: number, addr: number, length: number, third: number, fourth: number): void {
    const end = FUZZ_RAM + FUZZ_RAM_SIZE;
    const edge = this.#wild()
      ? this.#random.pick([end - length, end - length + 1, end - 1, end, ROM_END - 1, 0])
      : addr;
    this.#poke(at, 4, edge >>> 0);
    if (this.#wild()) this.#poke(at + 4, 4, 0);
    this.#poke(at + 8, 4, length);
    this.#poke(at + 12, 2, third);
    this.#poke(at + 14, 2, fourth);
  }

  #splitRequest(queue: QueueState, pieces: readonly [number, number, boolean][]): void {
    const { desc, driver } = this.#areas(queue);
    const random = this.#random;
    const head = random.below(queue.size);
    const indirect = this.#indirect && random.chance(40) || this.#wild();
    const table = indirect ? 0xa000 + 0x200 * random.below(16) : desc;
    pieces.forEach(([offset, length, writable], i) => {
      const index = indirect ? i : (head + i) % queue.size;
      const last = i === pieces.length - 1;
      const next = indirect ? i + 1 : (index + 1) % queue.size;
      const flags = (writable ? 2 : 0) | (last ? 0 : 1);
      this.#descriptor(table + 16 * index, FUZZ_RAM + offset, length, flags, last ? 0 : next);
    });
    if (indirect) this.#descriptor(desc + 16 * head, FUZZ_RAM + table, 16 * pieces.length, 4, 0);
    this.#poke(driver + 4 + 2 * (queue.availIdx % queue.size), 2, head);
    queue.availIdx = (queue.availIdx + 1) & 0xffff;
    this.#poke(driver + 2, 2, queue.availIdx);
    if (random.chance(20)) this.#poke(driver, 2, random.below(2));
    if (queue.eventIdx && random.chance(50)) {
      this.#poke(driver + 4 + 2 * queue.size, 2, random.below(queue.availIdx + 2));
    }
  }

  #packedRequest(queue: QueueState, pieces: readonly [number, number, boolean][]): void {
    const { desc, driver } = this.#areas(queue);
    const random = this.#random;
    const marks = (): number => queue.wrap === 1 ? 0x80 : 0x8000;
    const advance = (): void => {
      if (++queue.availIdx < queue.size) return;
      queue.availIdx = 0;
      queue.wrap ^= 1;
    };
    const id = random.chance(90) ? random.below(queue.size) : random.below(0x1_0000);
    if (this.#indirect && random.chance(40) || this.#wild()) {
      const table = 0xa000 + 0x200 * random.below(16);
      pieces.forEach(([offset, length, writable], i) => {
        this.#descriptor(table + 16 * i, FUZZ_RAM + offset, length, 0, writable ? 2 : 0);
      });
      this.#descriptor(desc + 16 * queue.availIdx, FUZZ_RAM + table, 16 * pieces.length, id, 4 | marks());
      advance();
    } else {
      pieces.forEach(([offset, length, writable], i) => {
        const flags = (writable ? 2 : 0) | (i === pieces.length - 1 ? 0 : 1) | marks();
        this.#descriptor(desc + 16 * queue.availIdx, FUZZ_RAM + offset, length, id, flags);
        advance();
      });
    }
    if (random.chance(20)) this.#poke(driver, 4, random.pick([0, 0x1_0000, 0x2_0000 | random.below(16), 0x3_0000]));
  }

  #resetQueue(): void {
    const queue = this.#random.pick(this.#queues);
    this.#write("QueueSel", queue.index);
    if (this.#one.version === 1) this.#write("QueuePFN", 0);
    else this.#write(this.#random.chance(50) ? "QueueReset" : "QueueReady", this.#random.below(2));
    if (this.#random.chance(70)) this.#setUp(queue);
  }

  #anyRegister(): void {
    const random = this.#random;
    const config = random.chance(30);
    const known = random.chance(90) ? random.pick(OFFSETS) : 4 * random.below(64);
    const offset = config ? virtioMmioConfigOffset + random.below(72) : known;
    const size = random.chance(80) ? 4 : random.pick([1, 2, 4]);
    const at = random.chance(90) ? offset - offset % size : Math.min(offset + random.below(4), 0x1000 - size);
    if (random.chance(50)) this.ops.push([Op.Read, at, size]);
    else {this.ops.push([
        Op.Write,
        at,
        size,
        this.#random.pick([random.pick(EDGES), random.bits() >>> 0]) % 2 ** (8 * size),
      ]);}
  }

  #anyPoke(): void {
    const random = this.#random;
    const areas = this.#areas(random.pick(this.#queues));
    const area = random.pick([areas.desc, areas.driver, areas.device, DATA]);
    const value = random.pick([random.pick(EDGES), random.bits() >>> 0]);
    const size = random.pick([1, 2, 2, 4]);
    this.ops.push([Op.Poke, area + random.below(0x120), size, value % 2 ** (8 * size)]);
  }
}

/** Case number `number` of the sequence that `seed` gives. */
export function fuzzCase(seed: number, number: number): FuzzCase {
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const version = random.chance(75) ? 2 : 1;
  const one: Omit<FuzzCase, "ops"> = {
    device: random.pick(KNOWN).name,
    version,
    on: featureSwitches.filter(() => random.chance(50)).map(({ name }) => name),
    strict: random.chance(20),
    chaos: random.chance(20) ? random.below(1000) : -1,
  };
  const guest = new Guest(random, one);
  guest.live();
  return { ...one, ops: guest.ops };
}
