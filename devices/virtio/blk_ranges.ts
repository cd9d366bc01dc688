import { hex, join64 } from "../../vm/bits.ts";
import { type BlockBackend, HostError, SECTOR_SIZE } from "../block_backend.ts";
import type { Chain } from "./chain.ts";
import type { VirtioRule } from "./rules.ts";

/** Bytes of a segment, struct virtio_blk_discard_write_zeroes (virtio 1.2 §5.2.6). */
export const RANGE_BYTES = 16;

/** Most segments of a request: max_discard_seg and its like (virtio 1.2 §5.2.4). */
export const RANGES_MAX = 16;

/** Most sectors of a segment: max_discard_sectors and its like (virtio 1.2 §5.2.4). */
export const RANGE_SECTORS_MAX: number = 1 << 21;

/** The flag of a segment (virtio 1.2 §5.2.6). */
const UNMAP = 1;

/** Bytes of zeroes written at once. */
const ZEROES: Uint8Array = new Uint8Array(65536);

/** A stretch of the disk in bytes. */
interface ByteRange {
  offset: number;
  length: number;
}

/** Why a request with segments cannot be done. */
export interface RangeRefusal {
  /** Whether its flags are the reason: UNSUPP, not IOERR (virtio 1.2 §5.2.6.2). */
  readonly unsupported: boolean;
  readonly rule: VirtioRule;
  readonly what: string;
}

/** What is done to the ranges: a request's type. */
export type RangeKind = "discard" | "write_zeroes" | "secure_erase";

/** What a DISCARD, WRITE_ZEROES or SECURE_ERASE request (virtio 1.2 §5.2.6) still has to do. */
export class BlkRanges {
  readonly #kind: RangeKind;
  readonly #left: ByteRange[] = [];

  private constructor(kind: RangeKind) {
    this.#kind = kind;
  }

  /**
   * Reads the segments that are next in `chain`, `bytes` of them, for a disk of `capacity` sectors. All are looked at
   * before anything is done.
   */
  static read(chain: Chain, bytes: number, kind: RangeKind, capacity: number): BlkRanges | RangeRefusal {
    const refuse = (rule: VirtioRule, what: string, unsupported = false): RangeRefusal => ({ unsupported, rule, what });
    // §5.2.6.1: whole segments, and not more than the device said it takes.
    if (bytes === 0 || bytes % RANGE_BYTES !== 0) {
      return refuse("blk-data-length", `${bytes} bytes of segments, not a multiple of ${RANGE_BYTES}`);
    }
    if (bytes > RANGES_MAX * RANGE_BYTES) {
      return refuse("blk-segments", `${bytes / RANGE_BYTES} segments, at most ${RANGES_MAX} are taken`);
    }
    const data = new Uint8Array(bytes);
    chain.reader.read(data);
    const view = new DataView(data.buffer);
    const ranges = new BlkRanges(kind);
    for (let at = 0; at < bytes; at += RANGE_BYTES) {
      const sector = join64(view.getUint32(at, true), view.getUint32(at + 4, true));
      const sectors = view.getUint32(at + 8, true);
      const flags = view.getUint32(at + 12, true);
      // §5.2.6.2: UNSUPP for unknown flags, and for `unmap` in a discard; in an erasure it means nothing either (§5.2.6).
      if ((flags & ~UNMAP) !== 0 || (kind !== "write_zeroes" && flags !== 0)) {
        return refuse("blk-segment-flags", `segment ${at / RANGE_BYTES} has flags ${hex(flags)}`, true);
      }
      if (sectors > RANGE_SECTORS_MAX) {
        return refuse("blk-segments", `a segment of ${sectors} sectors, at most ${RANGE_SECTORS_MAX} are taken`);
      }
      if (sector + sectors > capacity) {
        return refuse("blk-range", `a segment of ${sectors} sectors at ${sector} of ${capacity}`);
      }
      if (sectors > 0) ranges.#left.push({ offset: sector * SECTOR_SIZE, length: sectors * SECTOR_SIZE });
    }
    return ranges;
  }

  /**
   * Does the next part, at most `max` bytes of the disk; whether all is done.
   *
   * @throws {HostError} if the host cannot
   */
  step(backend: BlockBackend, max: number): boolean {
    for (let left = max; left > 0 && this.#left.length > 0;) {
      const range = this.#left[0]!;
      const length = Math.min(range.length, left);
      if (range.offset + length > backend.sizeBytes) throw new HostError("the disk has become smaller");
      // §5.2.6.2: a discard may leave everything as it is.
      if (this.#kind === "discard") backend.discard?.(range.offset, length);
      else zero(backend, range.offset, length);
      left -= length;
      range.offset += length;
      range.length -= length;
      if (range.length === 0) this.#left.shift();
    }
    return this.#left.length === 0;
  }
}

/** Makes a range read as zeroes, as the backend does it best. */
function zero(backend: BlockBackend, offset: number, length: number): void {
  if (backend.zero !== undefined) return backend.zero(offset, length);
  for (let done = 0; done < length; done += ZEROES.length) {
    backend.write(offset + done, ZEROES.subarray(0, Math.min(ZEROES.length, length - done)));
  }
}
