import type { GuestMemory } from "../../vm/bus/memory.ts";

/** Below this many bytes copying one by one is cheaper than making two views. */
const SMALL_COPY = 64;

/** Contiguous stretches of guest memory in order; grows by doubling, is never shrunk, keeps no object per stretch. */
class Segments {
  count = 0;
  /** Bytes in all stretches. */
  total = 0;
  addr: Float64Array = new Float64Array(8);
  host: Float64Array = new Float64Array(8);
  length: Float64Array = new Float64Array(8);

  clear(): void {
    this.count = this.total = 0;
  }

  /** Appends a stretch, joined to the last one where both are neighbours in guest and host memory. */
  add(addr: number, host: number, length: number): void {
    const last = this.count - 1;
    this.total += length;
    if (last >= 0) {
      const lastLength = this.length[last]!;
      if (this.addr[last]! + lastLength === addr && this.host[last]! + lastLength === host) {
        this.length[last] = lastLength + length;
        return;
      }
    }
    if (this.count === this.addr.length) this.#grow();
    this.addr[this.count] = addr;
    this.host[this.count] = host;
    this.length[this.count] = length;
    this.count++;
  }

  #grow(): void {
    const grown = (old: Float64Array): Float64Array => {
      const array = new Float64Array(old.length * 2);
      array.set(old);
      return array;
    };
    this.addr = grown(this.addr);
    this.host = grown(this.host);
    this.length = grown(this.length);
  }
}

/** A place in one part of a chain, which goes forward as bytes are taken. */
export class ChainCursor {
  /** @internal */
  protected readonly segments: Segments;
  /** @internal */
  protected readonly memory: GuestMemory;
  /** @internal */
  protected readonly bytes: Uint8Array<ArrayBuffer>;
  #segment = 0;
  /** Within the segment. */
  #offset = 0;
  #position = 0;

  /** @internal */
  constructor(segments: Segments, memory: GuestMemory, bytes: Uint8Array<ArrayBuffer>) {
    this.segments = segments;
    this.memory = memory;
    this.bytes = bytes;
  }

  /** Bytes passed so far. */
  get position(): number {
    return this.#position;
  }

  /** Bytes left. */
  get remaining(): number {
    return this.segments.total - this.#position;
  }

  /** Goes to byte `position`; to the end if there are not that many. */
  seek(position: number): void {
    this.#segment = this.#offset = this.#position = 0;
    let left = Math.min(position, this.segments.total);
    while (left > 0) left -= this.advance(Math.min(left, this.contiguous));
  }

  /** Bytes up to the end of this segment. */
  protected get contiguous(): number {
    return this.#segment < this.segments.count ? this.segments.length[this.#segment]! - this.#offset : 0;
  }

  /** @internal */
  protected get host(): number {
    return this.segments.host[this.#segment]! + this.#offset;
  }

  /** @internal */
  protected get addr(): number {
    return this.segments.addr[this.#segment]! + this.#offset;
  }

  /** Passes `length` bytes of this segment (never more than `contiguous`); returns `length`. */
  protected advance(length: number): number {
    this.#position += length;
    this.#offset += length;
    if (this.#offset === this.segments.length[this.#segment]) {
      this.#segment++;
      this.#offset = 0;
    }
    return length;
  }
}

/** The device-readable part of a chain as a stream of bytes that knows nothing of descriptors (virtio 1.2 §2.7.4.1). */
export class ChainReader extends ChainCursor {
  /** Copies the next bytes to `target`, as many as fit and are left; returns how many. */
  read(target: Uint8Array): number {
    let done = 0;
    while (done < target.length && this.remaining > 0) {
      const length = Math.min(this.contiguous, target.length - done);
      const host = this.host;
      if (length <= SMALL_COPY) {
        for (let i = 0; i < length; i++) target[done + i] = this.bytes[host + i]!;
      } else target.set(this.bytes.subarray(host, host + length), done);
      done += this.advance(length);
    }
    return done;
  }

  /**
   * A view of the next bytes: at most `max`, and only as far as they lie together in memory. Undefined at the end.
   * It is guest memory itself: read it now, keep nothing of it.
   */
  next(max: number): Uint8Array<ArrayBuffer> | undefined {
    const length = Math.min(this.contiguous, max);
    if (length <= 0) return undefined;
    const host = this.host;
    this.advance(length);
    return this.bytes.subarray(host, host + length);
  }
}

/** The device-writable part of a chain as a stream of bytes. */
export class ChainWriter extends ChainCursor {
  /** What `next` handed out last and nobody has been told of. */
  #pendingAddr = 0;
  #pendingLength = 0;

  /** Copies `source` to the next bytes, as far as there is room; returns how many it wrote. */
  write(source: Uint8Array): number {
    this.settle();
    let done = 0;
    while (done < source.length && this.remaining > 0) {
      const length = Math.min(this.contiguous, source.length - done);
      const { host, addr } = this;
      if (length <= SMALL_COPY) {
        for (let i = 0; i < length; i++) this.bytes[host + i] = source[done + i]!;
      } else this.bytes.set(source.subarray(done, done + length), host);
      this.memory.wrote(addr, length);
      done += this.advance(length);
    }
    return done;
  }

  /**
   * A view of the next bytes to be filled in place: at most `max`, and only as far as they lie together in memory.
   * Undefined at the end. It is guest memory itself: fill all of it before the next call on this chain or its queue.
   */
  next(max: number): Uint8Array<ArrayBuffer> | undefined {
    this.settle();
    const length = Math.min(this.contiguous, max);
    if (length <= 0) return undefined;
    const { host, addr } = this;
    this.#pendingAddr = addr;
    this.#pendingLength = length;
    this.advance(length);
    return this.bytes.subarray(host, host + length);
  }

  /** Goes to byte `position`; to the end if there are not that many. */
  override seek(position: number): void {
    this.settle();
    super.seek(position);
  }

  /** Writes the last byte there is, which must be one; the place stays where it is. */
  writeLast(byte: number): void {
    const { count, host, addr, length } = this.segments;
    const offset = length[count - 1]! - 1;
    this.bytes[host[count - 1]! + offset] = byte;
    this.memory.wrote(addr[count - 1]! + offset, 1);
  }

  /** Tells memory's listeners of bytes filled through a view; the queue does it before it gives the chain back. */
  settle(): void {
    if (this.#pendingLength === 0) return;
    const length = this.#pendingLength;
    this.#pendingLength = 0;
    this.memory.wrote(this.#pendingAddr, length);
  }
}

/**
 * A buffer the driver made available: what was a chain of descriptors, as two streams of bytes. Every byte of it has
 * been checked to be memory, device-writable bytes to be writable memory. Queues keep and reuse these objects.
 */
export class Chain {
  /** Index of its queue. */
  readonly queue: number;
  /** The driver's name for the buffer: index of the first descriptor, or Buffer ID in a packed queue. */
  head = 0;
  /** Which life of its queue it belongs to. */
  epoch: number = -1;
  /** Entries of a packed queue's ring that it takes. */
  slots = 1;
  /** Bytes written to it, once its device is done with it and it waits for its turn to be used; -1 before. */
  written: number = -1;
  /** The device-readable part. */
  readonly reader: ChainReader;
  /** The device-writable part. */
  readonly writer: ChainWriter;
  readonly #readable = new Segments();
  readonly #writable = new Segments();

  /** A chain of queue `queue`; `bytes` is all of `memory`'s host memory. */
  constructor(queue: number, memory: GuestMemory, bytes: Uint8Array<ArrayBuffer>) {
    this.queue = queue;
    this.reader = new ChainReader(this.#readable, memory, bytes);
    this.writer = new ChainWriter(this.#writable, memory, bytes);
  }

  /** What to call it in messages: `queue 0, head 3`. */
  get name(): string {
    return `queue ${this.queue}, head ${this.head}`;
  }

  /** Bytes in the device-readable part. */
  get readableLength(): number {
    return this.#readable.total;
  }

  /** Bytes in the device-writable part. */
  get writableLength(): number {
    return this.#writable.total;
  }

  /** Makes it the empty chain that starts at descriptor `head`. */
  begin(head: number, epoch: number): void {
    this.head = head;
    this.epoch = epoch;
    this.written = -1;
    this.#readable.clear();
    this.#writable.clear();
    this.reader.seek(0);
    this.writer.seek(0);
  }

  /** Appends memory that its queue has checked: `host` is the host offset of guest address `addr`. */
  add(addr: number, host: number, length: number, writable: boolean): void {
    (writable ? this.#writable : this.#readable).add(addr, host, length);
  }
}
