/**
 * The host could not do what a device asked of it: disk full, file gone, device unplugged. Device types turn it into
 * their own error towards the guest; anything else a backend throws is a mistake of ours and is not caught.
 */
export class HostError extends Error {
  /** Tells it from other errors. */
  override name = "HostError";
}

/** Where the blocks of a block device are. Everything is synchronous; offsets and lengths are bytes. */
export interface BlockBackend {
  /** A multiple of 512. */
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
}
