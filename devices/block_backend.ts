/**
 * The host could not do what a device asked of it: disk full, file gone, device unplugged. Device types turn it into
 * their own error towards the guest; anything else a backend throws is a mistake of ours and is not caught.
 */
export class HostError extends Error {
  /** Tells it from other errors. */
  override name = "HostError";
}

/** Bytes in a sector: what every disk is a multiple of, and the unit of the virtio protocol (virtio 1.2 §5.2.4). */
export const SECTOR_SIZE = 512;

/** Where the blocks of a block device are. Everything is synchronous; offsets and lengths are bytes. */
export interface BlockBackend {
  /** A multiple of `SECTOR_SIZE`; changes by `resize` only. */
  readonly sizeBytes: number;
  /** Whether `write` is never to be called. */
  readonly readOnly: boolean;
  /**
   * Fills `target` from `offset`; the range is inside `sizeBytes`.
   *
   * @throws {HostError} if the host cannot deliver all of it
   */
  read(offset: number, target: Uint8Array): void;
  /**
   * Stores `source` at `offset`; the range is inside `sizeBytes`, and the backend not read-only.
   *
   * @throws {HostError} if the host cannot take all of it
   */
  write(offset: number, source: Uint8Array): void;
  /**
   * Returns when everything written is on stable storage.
   *
   * @throws {HostError} if the host cannot promise that
   */
  flush(): void;
  /**
   * Makes the range read as zeroes, without taking up room for them where that can be; inside `sizeBytes`, and the
   * backend not read-only. Absent: zeroes are written.
   *
   * @throws {HostError} if the host cannot
   */
  zero?(offset: number, length: number): void;
  /**
   * Nobody needs what is in the range any more: its room is given back as far as that can be. Same range as for `zero`.
   * Absent: there is nothing to give back.
   *
   * @throws {HostError} if the host cannot
   */
  discard?(offset: number, length: number): void;
  /**
   * Gives the disk another size, a multiple of `SECTOR_SIZE`; what is new reads as zeroes. Absent: it has only one.
   *
   * @throws {HostError} if the host cannot
   */
  resize?(sizeBytes: number): void;
}
