import type { BlockBackend } from "../block_backend.ts";

/** Bytes of the disk that are in one place or the other together. */
export const OVERLAY_BLOCK = 4096;

/** Where an overlay keeps what was written over its base. */
export interface OverlayStore {
  /** Fills `target` from `offset` of the disk: blocks that were written. */
  read(offset: number, target: Uint8Array): void;
  /** Keeps `source`, at `offset` of the disk. */
  write(offset: number, source: Uint8Array): void;
  /** Keeps zeroes, taking up no room for them where that can be. */
  zero(offset: number, length: number): void;
  /** Makes what was kept survive, and then `map`, of which the bytes `changed` are others than at the last time. */
  flush(map: Uint8Array, changed: ReadonlySet<number>): void;
  /** The disk has another size; base bytes show below `baseBytes` only. */
  resized?(sizeBytes: number, baseBytes: number): void;
  close(): void;
}

/** What an overlay begins with. */
export interface OverlayState {
  /** Bytes of the disk. */
  readonly sizeBytes: number;
  /** Bytes of the base that show where nothing was written; beyond are zeroes. */
  readonly baseBytes: number;
  /** A bit for each block: whether it is in the store. */
  readonly map: Uint8Array<ArrayBuffer>;
}

/** Bytes of a map for a disk of `sizeBytes`. */
export function mapBytes(sizeBytes: number): number {
  return Math.ceil(Math.ceil(sizeBytes / OVERLAY_BLOCK) / 8);
}

/** A disk over another one, which it leaves as it is: what is written is kept elsewhere. */
export class OverlayDisk implements BlockBackend {
  readonly readOnly = false;
  readonly #base: BlockBackend;
  readonly #store: OverlayStore;
  #sizeBytes: number;
  #baseBytes: number;
  #map: Uint8Array<ArrayBuffer>;
  /** Bytes of the map that the store has not got yet. */
  readonly #changed = new Set<number>();
  readonly #block: Uint8Array<ArrayBuffer> = new Uint8Array(OVERLAY_BLOCK);

  constructor(base: BlockBackend, store: OverlayStore, state: OverlayState) {
    this.#base = base;
    this.#store = store;
    this.#sizeBytes = state.sizeBytes;
    this.#baseBytes = state.baseBytes;
    this.#map = state.map;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  read(offset: number, target: Uint8Array): void {
    for (let done = 0; done < target.length;) {
      const kept = this.#kept(offset + done);
      const length = this.#run(offset + done, target.length - done, kept);
      const part = length === target.length ? target : target.subarray(done, done + length);
      if (kept) this.#store.read(offset + done, part);
      else this.#readBase(offset + done, part);
      done += length;
    }
  }

  write(offset: number, source: Uint8Array): void {
    this.#complete(offset, source.length);
    this.#store.write(offset, source);
    this.#mark(offset, source.length);
  }

  zero(offset: number, length: number): void {
    this.#complete(offset, length);
    this.#store.zero(offset, length);
    this.#mark(offset, length);
  }

  flush(): void {
    this.#store.flush(this.#map, this.#changed);
    this.#changed.clear();
  }

  resize(sizeBytes: number): void {
    const before = this.#sizeBytes;
    const baseBytes = Math.min(this.#baseBytes, sizeBytes);
    if (sizeBytes < before) {
      this.flush();
      // What is cut off is gone, and reads as zeroes if the disk grows again.
      const whole = Math.ceil(sizeBytes / OVERLAY_BLOCK) * OVERLAY_BLOCK;
      if (sizeBytes % OVERLAY_BLOCK !== 0 && this.#kept(sizeBytes)) {
        this.#store.zero(sizeBytes, Math.min(whole, before) - sizeBytes);
      }
      for (let at = whole; at < before; at += OVERLAY_BLOCK) this.#unmark(at);
    }
    const map = new Uint8Array(mapBytes(sizeBytes));
    map.set(this.#map.subarray(0, map.length));
    this.flush();
    this.#store.resized?.(sizeBytes, baseBytes);
    this.#map = map;
    this.#sizeBytes = sizeBytes;
    this.#baseBytes = baseBytes;
  }

  /** Keeps everything for good, and closes the store. */
  close(): void {
    try {
      this.flush();
    } finally {
      this.#store.close();
    }
  }

  /** The stretches of the disk that are kept in the store, in order; each at most `max` bytes long. */
  *stretches(max: number): Generator<{ readonly offset: number; readonly length: number }> {
    for (let offset = 0; offset < this.#sizeBytes;) {
      const kept = this.#kept(offset);
      const length = this.#run(offset, Math.min(max, this.#sizeBytes - offset), kept);
      if (kept) yield { offset, length };
      offset += length;
    }
  }

  #kept(offset: number): boolean {
    const block = Math.floor(offset / OVERLAY_BLOCK);
    return (this.#map[Math.floor(block / 8)]! & (1 << (block % 8))) !== 0;
  }

  /** Bytes from `offset` on, at most `max`, that are all kept or all not. */
  #run(offset: number, max: number, kept: boolean): number {
    let end = (Math.floor(offset / OVERLAY_BLOCK) + 1) * OVERLAY_BLOCK;
    while (end < offset + max && this.#kept(end) === kept) end += OVERLAY_BLOCK;
    return Math.min(end - offset, max);
  }

  #readBase(offset: number, target: Uint8Array): void {
    const there = Math.max(0, Math.min(target.length, this.#baseBytes - offset));
    if (there > 0) this.#base.read(offset, there === target.length ? target : target.subarray(0, there));
    if (there < target.length) target.fill(0, there);
  }

  /** Copies the rest of the blocks at both ends of a range from the base, where they are not kept yet. */
  #complete(offset: number, length: number): void {
    const end = offset + length;
    if (offset % OVERLAY_BLOCK !== 0) this.#copyUp(offset);
    if (end % OVERLAY_BLOCK !== 0 && end < this.#sizeBytes) this.#copyUp(end);
  }

  /** Copies the block that `offset` is in, and is kept from then on. */
  #copyUp(offset: number): void {
    if (this.#kept(offset)) return;
    const start = Math.floor(offset / OVERLAY_BLOCK) * OVERLAY_BLOCK;
    const block = this.#block.subarray(0, Math.min(OVERLAY_BLOCK, this.#sizeBytes - start));
    this.#readBase(start, block);
    this.#store.write(start, block);
    this.#mark(start, block.length);
  }

  #mark(offset: number, length: number): void {
    const last = Math.floor((offset + length - 1) / OVERLAY_BLOCK);
    for (let block = Math.floor(offset / OVERLAY_BLOCK); block <= last; block++) {
      const at = Math.floor(block / 8);
      const marked = this.#map[at]! | (1 << (block % 8));
      if (marked === this.#map[at]) continue;
      this.#map[at] = marked;
      this.#changed.add(at);
    }
  }

  #unmark(offset: number): void {
    const block = Math.floor(offset / OVERLAY_BLOCK);
    const at = Math.floor(block / 8);
    this.#map[at] = this.#map[at]! & ~(1 << (block % 8));
    this.#changed.add(at);
  }
}
