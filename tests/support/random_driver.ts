/**
 * Drivers made by chance that keep every rule, each time otherwise: both versions of virtio-mmio, both formats of rings,
 * chains and indirect tables, every device type, one queue or several, several buffers in flight, used in any order or
 * in the driver's, notifications with and without data. With a slip the driver does one thing wrong, once.
 */
import { MemoryDisk } from "../../devices/host/memory.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import { VirtioConsole } from "../../devices/virtio/console.ts";
import type { VirtioDevice } from "../../devices/virtio/device.ts";
import { VirtioRng } from "../../devices/virtio/rng.ts";
import { CheckRig, OK, PROBE, RESET, START } from "./check_rig.ts";
import { TestPort } from "./char_port.ts";
import { WRITE } from "./packed_driver.ts";
import type { Random } from "./random.ts";
import { type Piece, type QueueDriver, RandomQueue, storeIn } from "./random_driver_queue.ts";
import { HoldingDevice } from "./virtio_device.ts";

/** What is driven, and how. */
export interface Shape {
  readonly version: 1 | 2;
  readonly packed: boolean;
  readonly indirect: boolean;
  readonly eventIdx: boolean;
  /** VIRTIO_F_IN_ORDER and VIRTIO_F_NOTIFICATION_DATA. */
  readonly inOrder: boolean;
  readonly data: boolean;
  readonly size: number;
  readonly device: "held" | "blk" | "rng" | "console";
  /** How many queues it has. */
  readonly queues: number;
}

/** A shape by chance. */
export function randomShape(random: Random): Shape {
  const version = random.chance(30) ? 1 : 2;
  const device = random.pick(["held", "blk", "rng", "console"] as const);
  return {
    version,
    packed: version === 2 && random.chance(50),
    indirect: random.chance(40),
    eventIdx: random.chance(50),
    size: 2 ** random.between(3, 4),
    inOrder: version === 2 && random.chance(30),
    data: version === 2 && random.chance(30),
    device,
    queues:
      { held: random.between(1, 2), blk: random.chance(50) ? 1 : random.between(2, 4), rng: 1, console: 2 }[device],
  };
}

const SECTORS = 64;
/** VIRTIO_BLK_F_FLUSH and MQ, INDIRECT_DESC, EVENT_IDX of word 0. */
const WORD_0 = { flush: 1 << 9, mq: 1 << 12, indirect: 1 << 28, eventIdx: 1 << 29 } as const;
/** VERSION_1, RING_PACKED, IN_ORDER and NOTIFICATION_DATA of word 1. */
const WORD_1 = { version1: 1, packed: 4, inOrder: 8, data: 0x40 } as const;
/** Of a console: where it receives. */
const RECEIVE = 0;
/** Longer than a device takes for a request, in ns. */
const LATENCY = 20_000;

/** One driver at one device. */
export class RandomDriver implements QueueDriver {
  readonly rig: CheckRig;
  readonly shape: Shape;
  readonly random: Random;
  readonly #port = new TestPort();
  readonly #queues: readonly RandomQueue[];
  readonly #slip: string | undefined;
  /** The request that goes wrong. */
  #wrongAt: number;
  #count = 0;
  #erred = false;
  readonly #tamper: (trace: string) => string;

  /** With a `slip` it does that wrong; `tamper` changes what it does with registers before DRIVER_OK. */
  constructor(shape: Shape, random: Random, slip?: string, tamper: (trace: string) => string = (trace) => trace) {
    this.#tamper = tamper;
    this.shape = shape;
    this.random = random;
    this.#slip = slip;
    this.#wrongAt = random.between(0, 3);
    const { packed, inOrder, data } = shape;
    const switches = { packed, in_order: inOrder, notification_data: data };
    this.rig = new CheckRig({ version: shape.version, device: this.#device(), switches });
    this.#queues = Array.from({ length: shape.queues }, (_, index) => new RandomQueue(this, index));
  }

  #device(): VirtioDevice {
    const { device, queues } = this.shape;
    if (device === "held") return new HoldingDevice();
    if (device === "rng") return new VirtioRng();
    if (device === "console") return new VirtioConsole({ port: this.#port });
    return new VirtioBlk({ backend: new MemoryDisk(SECTORS * 512), queues });
  }

  /** Lives of the device: set up, requests in any number, reset, and again. What it was told. */
  run(): string[] {
    for (let life = this.random.between(1, 2); life > 0; life--) {
      this.#setUp();
      if (this.rig.found.length > 0) return this.rig.found;
      for (let n = this.random.between(6, 12) + 2 * this.shape.queues; n > 0; n--) {
        this.#step();
        // A driver that has done wrong may not come to an end.
        if (this.#slip !== undefined && this.rig.found.length > 0) return this.rig.found;
      }
      while (this.#inFlight > 0) this.#finish();
      this.rig.play(RESET);
    }
    return this.rig.found;
  }

  get right(): boolean {
    return this.#slip === undefined;
  }

  slips(name: string): boolean {
    return this.#slip === name && this.#count === this.#wrongAt;
  }

  slipped(name: string): boolean {
    return this.#slip === name && this.#count > this.#wrongAt;
  }

  /** Whether there was an occasion for its mistake: there may be none in a short life. */
  get erred(): boolean {
    return this.#erred;
  }

  later(): void {
    this.#wrongAt++;
  }

  play(trace: string): void {
    this.rig.play(this.#tamper(trace));
  }

  piece(length: number, write: boolean): Piece {
    const addr = this.rig.d.board.alloc(length);
    if (!write) storeIn(this.rig, addr, 1, length & 0xff);
    return { addr, length, flags: write ? WRITE : 0, next: 0 };
  }

  get #inFlight(): number {
    return this.#queues.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  #setUp(): void {
    const { version, packed, indirect, eventIdx, inOrder, data, device, queues } = this.shape;
    const disk = device === "blk" ? WORD_0.flush | (queues > 1 ? WORD_0.mq : 0) : 0;
    const word0 = disk | (indirect ? WORD_0.indirect : 0) | (eventIdx ? WORD_0.eventIdx : 0);
    const word1 = WORD_1.version1 | (packed ? WORD_1.packed : 0) | (inOrder ? WORD_1.inOrder : 0) |
      (data ? WORD_1.data : 0);
    const low = `W024=0 W020=${(word0 >>> 0).toString(16)}`;
    const high = `W024=1 W020=${word1.toString(16)}`;
    this.#count = 0;
    if (version === 1) this.play(`${PROBE} W028=1000 ${RESET} ${START} W014=0 R010 ${low}`);
    else {
      const words = this.random.chance(50) ? `${low} ${high}` : `${high} ${low}`;
      this.play(`${PROBE} ${RESET} ${START} W014=0 R010 W014=1 R010 ${words} ${OK}`);
    }
    // num_queues, which VIRTIO_BLK_F_MQ is about (virtio 1.2 §5.2.4).
    if (device === "blk" && queues > 1) this.play("R122:2");
    for (const queue of this.#queues) queue.setUp();
    this.play(version === 1 ? "W070=7" : "W070=f");
  }

  #step(): void {
    const queue = this.random.pick(this.#queues);
    const pieces = this.#request(queue.index);
    if (queue.room(pieces)) {
      queue.submit(pieces);
      this.#count++;
      this.#erred ||= this.#count > this.#wrongAt;
    }
    if (this.#slip !== undefined && this.rig.found.length > 0) return;
    while (this.#inFlight > 0 && (this.#inFlight > 3 * this.shape.queues || this.random.chance(50))) this.#finish();
  }

  /** What the device type is asked for. */
  #request(queue: number): Piece[] {
    const { device } = this.shape;
    const some = (least: number, most: number, write: boolean, max = 128): Piece[] =>
      Array.from(
        { length: this.random.between(least, most) },
        () => this.piece(this.random.between(1, max), write),
      );
    if (device === "rng") return this.slips("rng-direction") ? some(1, 1, false) : some(1, 3, true);
    if (device === "console") return some(1, 2, (queue === RECEIVE) !== this.slips("console-direction"));
    if (device === "blk") return this.#diskRequest();
    const readable = some(0, 2, false);
    return [...readable, ...some(readable.length === 0 ? 1 : 0, 2, true)];
  }

  #diskRequest(): Piece[] {
    // Without a status, and with a short header, other bytes of a request are taken for it where there are any.
    const whole = ["blk-range", "blk-data-length", "blk-header", "blk-status"].some((slip) => this.slips(slip));
    const flush = this.random.chance(20) && !whole;
    const write = this.slips("blk-status") || (this.random.chance(50) && !this.slips("blk-header"));
    const sectors = this.random.between(1, 4);
    const header = this.piece(this.slips("blk-header") ? 8 : 16, false);
    const type = this.slips("blk-type") ? 0x5eed : flush ? 4 : write ? 1 : 0;
    const sector = flush ? 0 : this.slips("blk-range") ? SECTORS : this.random.below(SECTORS - sectors);
    storeIn(this.rig, header.addr, 4, type);
    storeIn(this.rig, header.addr + 4, 4, 0);
    if (header.length === 16) {
      storeIn(this.rig, header.addr + 8, 4, sector);
      storeIn(this.rig, header.addr + 12, 4, 0);
    }
    const odd = this.slips("blk-data-length") ? 100 : 0;
    const data = flush ? [] : [this.piece(512 * sectors - odd, !write)];
    const status = this.slips("blk-status") ? [] : [this.piece(1, true)];
    return [header, ...data, ...status];
  }

  /** Has the device use something, and takes back what it has used. */
  #finish(): void {
    const { device } = this.shape;
    if (device === "held") {
      const { held, transport } = this.rig.device as HoldingDevice;
      const chosen = this.random.pick(held);
      held.splice(held.indexOf(chosen), 1);
      transport.queue(chosen.queue).push(chosen, chosen.writableLength);
    } else {
      if (device === "console" && this.#queues[RECEIVE]!.inFlight > 0) this.#port.type("key");
      this.rig.d.wait(LATENCY);
    }
    const interrupted = this.rig.d.board.irqLevel;
    if (interrupted) this.rig.irq("claimed").play("R060 W064=1");
    for (const queue of this.#queues) queue.collect();
    if (interrupted) this.rig.irq("completed");
  }
}
