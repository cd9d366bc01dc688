import { type BlockBackend, SECTOR_SIZE } from "../block_backend.ts";

/** Bytes allocated at once. */
const CHUNK = 65536;

/** A disk in host memory that occupies only what was written to it. */
export class MemoryDisk implements BlockBackend {
  #sizeBytes: number;
  /** Whether the guest may only read it. */
  readonly readOnly: boolean;
  readonly #chunks = new Map<number, Uint8Array>();

  /**
   * A disk of `content`, or of that many zero bytes.
   *
   * @throws if the size is not a multiple of 512
   */
  constructor(content: number | Uint8Array, options: { readonly readOnly?: boolean } = {}) {
    this.#sizeBytes = checked(typeof content === "number" ? content : content.length);
    this.readOnly = options.readOnly ?? false;
    if (typeof content !== "number") this.#store(0, content);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** What is cut off is gone, also if the disk grows again. */
  resize(sizeBytes: number): void {
    const before = this.#sizeBytes;
    checked(sizeBytes);
    if (sizeBytes < before) this.#clear(sizeBytes, before - sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  read(offset: number, target: Uint8Array): void {
    this.#check(offset, target.length);
    for (let done = 0; done < target.length;) {
      const start = (offset + done) % CHUNK;
      const length = Math.min(CHUNK - start, target.length - done);
      const chunk = this.#chunks.get(Math.floor((offset + done) / CHUNK));
      if (chunk === undefined) target.fill(0, done, done + length);
      else target.set(chunk.subarray(start, start + length), done);
      done += length;
    }
  }

  write(offset: number, source: Uint8Array): void {
    if (this.readOnly) throw new Error("memory disk: write to a read-only disk");
    this.#store(offset, source);
  }

  flush(): void {}

  /** Room of which nothing is left but zeroes is given back. */
  zero(offset: number, length: number): void {
    if (this.readOnly) throw new Error("memory disk: write to a read-only disk");
    this.#clear(offset, length);
  }

  #clear(offset: number, length: number): void {
    this.#check(offset, length);
    for (let done = 0; done < length;) {
      const index = Math.floor((offset + done) / CHUNK);
      const start = (offset + done) % CHUNK;
      const count = Math.min(CHUNK - start, length - done);
      if (count === CHUNK) this.#chunks.delete(index);
      else this.#chunks.get(index)?.fill(0, start, start + count);
      done += count;
    }
  }

  /** What is discarded reads as zeroes. */
  discard(offset: number, length: number): void {
    this.zero(offset, length);
  }

  /** Bytes of host memory it takes up. */
  get allocatedBytes(): number {
    return this.#chunks.size * CHUNK;
  }

  #store(offset: number, source: Uint8Array): void {
    this.#check(offset, source.length);
    for (let done = 0; done < source.length;) {
      const index = Math.floor((offset + done) / CHUNK);
      const start = (offset + done) % CHUNK;
      const length = Math.min(CHUNK - start, source.length - done);
      let chunk = this.#chunks.get(index);
      if (chunk === undefined) this.#chunks.set(index, chunk = new Uint8Array(CHUNK));
      chunk.set(source.subarray(done, done + length), start);
      done += length;
    }
  }

  #check(offset: number, length: number): void {
    if (offset < 0 || offset + length > this.sizeBytes) {
      throw new RangeError(`memory disk: ${length} bytes at ${offset} of ${this.sizeBytes}`);
    }
  }
}

/** A size that a disk can have. */
function checked(sizeBytes: number): number {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 && sizeBytes % SECTOR_SIZE === 0) return sizeBytes;
  throw new RangeError(`memory disk: size ${sizeBytes} is not a multiple of ${SECTOR_SIZE} bytes`);
}
