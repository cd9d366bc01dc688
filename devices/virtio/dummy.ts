import { ConfigSpace } from "./config.ts";
import type { QueueDef, SharedMemory, VirtioDevice, VirtioTransport } from "./device.ts";
import { featureBit, FeatureSet } from "./feature_set.ts";

/** A DeviceID that no version of the specification has given out. */
const ID = 63;
const INPUT = 0;
const F_LIMIT = featureBit(ID, "DUMMY_F_LIMIT");
const U32_MAX = 0xffff_ffff;

/** How a test device is built. */
export interface DummyOptions {
  /** Microseconds of virtual time between two buffers; default 50, at least 1. */
  readonly intervalUs?: number;
  /** Buffers filled after DRIVER_OK before it goes quiet; default 4. `Infinity`: never, and DUMMY_F_LIMIT is not offered. */
  readonly limit?: number;
  /** QueueNumMax of its queue; default 64. */
  readonly queueSize?: number;
  /** Bytes of shared memory; default none. */
  readonly sharedMemory?: number;
}

/**
 * Ringside's own test device: a source of input that is easy to check.
 *
 * | queue | name | |
 * |---|---|---|
 * | 0 | `input` | the driver posts device-writable buffers; every interval the device fills the next one |
 *
 * A buffer holds its sequence number, which starts at 0 with every reset, as u32 in little endian, and then at every
 * offset `i` up to its length the byte `(number + i) & 0xff`; the used length is the buffer's.
 *
 * | offset | field | |
 * |---|---|---|
 * | 0 | `interval` u32, R | microseconds between two buffers |
 * | 4 | `limit` u32, R | buffers it fills after DRIVER_OK before it goes quiet (DUMMY_F_LIMIT) |
 * | 8 | `kick` u32, RW | writing n makes it fill n more; reads how many it still has to (DUMMY_F_LIMIT) |
 *
 * Shared memory region 0, if it has one, begins with the number of buffers it has filled since the reset, as u32 in
 * little endian; the rest is the driver's.
 *
 * A driver that does not accept DUMMY_F_LIMIT (feature bit 0) gets buffers without end.
 */
export class VirtioDummy implements VirtioDevice {
  readonly id: number = ID;
  readonly name = "dummy";
  readonly features: FeatureSet;
  /** One queue, `input`. */
  readonly queues: readonly QueueDef[];
  /** `interval`, `limit` and `kick`. */
  readonly config: ConfigSpace;
  readonly sharedMemory: readonly SharedMemory[];
  readonly #intervalNs: number;
  readonly #limit: number;
  #transport!: VirtioTransport;
  #sequence = 0;
  /** Buffers still to fill. */
  #left = 0;
  #ticking = false;

  /**
   * A device that begins when its driver is ready.
   *
   * @throws if interval or limit are out of range
   */
  constructor(options: DummyOptions = {}) {
    const { intervalUs = 50, limit = 4, queueSize = 64 } = options;
    if (!(Number.isInteger(intervalUs) && intervalUs >= 1 && intervalUs <= U32_MAX)) {
      throw new RangeError(`virtio dummy: interval of ${intervalUs} microseconds, expected 1..${U32_MAX}`);
    }
    if (limit !== Infinity && !(Number.isInteger(limit) && limit >= 0 && limit <= U32_MAX)) {
      throw new RangeError(`virtio dummy: limit of ${limit} buffers, expected 0..${U32_MAX}`);
    }
    this.#intervalNs = intervalUs * 1000;
    this.#limit = limit;
    this.features = new FeatureSet(limit === Infinity ? [] : [F_LIMIT]);
    this.queues = [{ name: "input", sizeMax: queueSize }];
    this.config = new ConfigSpace([
      { name: "interval", offset: 0, size: 4 },
      { name: "limit", offset: 4, size: 4, feature: F_LIMIT },
      { name: "kick", offset: 8, size: 4, feature: F_LIMIT, writable: true },
    ], (field) => this.#kicked(field.name));
    this.config.set("interval", intervalUs);
    if (limit !== Infinity) this.config.set("limit", limit);
    this.config.generation = 0;
    const { sharedMemory: bytes = 0 } = options;
    this.sharedMemory = bytes === 0 ? [] : [{ shmid: 0, bytes: new Uint8Array(bytes) }];
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  start(): void {
    this.#setLeft(this.#transport.negotiated.has(F_LIMIT) ? this.#limit : Infinity);
    this.#tick();
  }

  process(): void {
    this.#tick();
  }

  queueStopped(): void {
    this.#ticking = false;
  }

  reset(): void {
    this.#ticking = false;
    this.#setSequence(0);
    this.#setLeft(0);
  }

  /** The number of buffers to fill grows by what was written; `kick` shows it. Not a change the driver is told of. */
  #kicked(field: string): void {
    if (field !== "kick") return;
    this.#setLeft(this.#left + this.config.get("kick"));
    this.#tick();
  }

  #setLeft(left: number): void {
    this.#left = left === Infinity ? left : Math.min(left, U32_MAX);
    const { generation } = this.config;
    this.config.set("kick", left === Infinity ? 0 : this.#left);
    this.config.generation = generation;
  }

  #setSequence(number: number): void {
    this.#sequence = number;
    const shared = this.sharedMemory[0]?.bytes;
    for (let i = 0; i < 4 && shared !== undefined; i++) shared[i] = number >>> (8 * i);
  }

  /** Schedules the next fill, unless one is scheduled or none is due. */
  #tick(): void {
    if (this.#ticking || this.#left === 0 || !this.#transport.queue(INPUT).ready) return;
    this.#ticking = true;
    this.#transport.after(INPUT, this.#intervalNs, () => {
      this.#ticking = false;
      // Without a buffer the clock stands still until the driver brings one.
      if (this.#fill()) this.#tick();
    });
  }

  /** Fills the next buffer; false if there is none. */
  #fill(): boolean {
    const queue = this.#transport.queue(INPUT);
    const chain = queue.pop();
    if (chain === undefined) return false;
    const { writer, head, readableLength, writableLength } = chain;
    if (readableLength > 0) {
      this.#transport.violation("dummy-direction", `${chain.name}: ${readableLength} device-readable bytes in input`);
    }
    const number = this.#sequence;
    this.#transport.request(INPUT, head, () => `buffer ${number}, ${writableLength} bytes`);
    this.#setSequence((number + 1) >>> 0);
    // A guest may lay gigabytes over the same memory: more than this is not filled, and not said to be.
    for (let view = writer.next(BYTES_MAX); view !== undefined; view = writer.next(BYTES_MAX - writer.position)) {
      const start = writer.position - view.length;
      for (let i = 0; i < view.length; i++) view[i] = byteOf(number, start + i);
    }
    this.#setLeft(this.#left - 1);
    queue.push(chain, writer.position);
    return true;
  }
}

/** Most bytes written to one buffer. */
const BYTES_MAX = 65536;

/** Byte `offset` of buffer `number`. */
function byteOf(number: number, offset: number): number {
  return (offset < 4 ? number >>> (8 * offset) : number + offset) & 0xff;
}
