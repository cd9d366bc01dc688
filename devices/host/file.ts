import { type BlockBackend, HostError, SECTOR_SIZE } from "../block_backend.ts";

/** A file that cannot be a disk; the message says why, without the file's name. */
export class DiskFileError extends Error {
  override name = "DiskFileError";
}

/** Bytes looked at together: what host file systems allocate by, or less. */
const BLOCK = 4096;

/** A disk in a host file, or on a host block device: the raw bytes, from the first on. */
export class FileDisk implements BlockBackend {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly #file: Deno.FsFile;
  readonly #name: string;

  private constructor(name: string, file: Deno.FsFile, sizeBytes: number, readOnly: boolean) {
    this.#name = name;
    this.#file = file;
    this.sizeBytes = sizeBytes;
    this.readOnly = readOnly;
  }

  /**
   * Opens `name` for reading, and for writing unless `readOnly`. Nothing is written, created or truncated. A file that
   * may not be written is an error, not silently read-only: the guest's work would be lost.
   *
   * @throws {DiskFileError} if it is empty, not a multiple of 512 bytes, or neither file nor block device
   * @throws {Deno.errors.NotFound | Deno.errors.PermissionDenied | Deno.errors.NotCapable} and the like, from opening
   */
  static open(name: string, options: { readonly readOnly?: boolean } = {}): FileDisk {
    const readOnly = options.readOnly ?? false;
    const { isFile, isBlockDevice, isDirectory } = Deno.statSync(name);
    if (!isFile && isBlockDevice !== true) {
      throw new DiskFileError(isDirectory ? "it is a directory" : "it is neither a file nor a block device");
    }
    const file = Deno.openSync(name, { read: true, write: !readOnly });
    try {
      // A block device tells its size only this way.
      const size = file.seekSync(0, Deno.SeekMode.End);
      if (size === 0) throw new DiskFileError(`it is empty; a disk has at least ${SECTOR_SIZE} bytes`);
      if (size % SECTOR_SIZE !== 0) {
        throw new DiskFileError(`its size of ${size} bytes is not a multiple of ${SECTOR_SIZE}`);
      }
      return new FileDisk(name, file, size, readOnly);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  read(offset: number, target: Uint8Array): void {
    this.#host("read", offset, () => {
      for (let done = 0; done < target.length;) {
        const count = this.#file.readSync(target.subarray(done));
        if (count === null) throw new Error(`the file ends at ${offset + done}`);
        done += count;
      }
    });
  }

  write(offset: number, source: Uint8Array): void {
    if (this.readOnly) throw new Error(`disk ${this.#name}: write to a read-only disk`);
    this.#host("write", offset, () => {
      for (let done = 0; done < source.length;) done += this.#file.writeSync(source.subarray(done));
    });
  }

  /** Only what is not zero already is written, so that holes of a sparse file stay holes. */
  zero(offset: number, length: number): void {
    const found = new Uint8Array(Math.min(length, BLOCK));
    for (let done = 0; done < length;) {
      // Blocks of the file, so that one that is a hole is not touched by what is beside it.
      const count = Math.min(BLOCK - (offset + done) % BLOCK, length - done);
      const block = found.subarray(0, count);
      this.read(offset + done, block);
      if (block.some((byte) => byte !== 0)) this.write(offset + done, block.fill(0));
      done += count;
    }
  }

  flush(): void {
    if (!this.readOnly) this.#host("sync", undefined, () => this.#file.syncDataSync());
  }

  /** Writes what is pending to stable storage and closes the file. */
  close(): void {
    try {
      this.flush();
    } finally {
      this.#file.close();
    }
  }

  /** Does something to the file at `offset`; whatever the host says against it is a HostError. */
  #host(what: string, offset: number | undefined, run: () => void): void {
    try {
      if (offset !== undefined) this.#file.seekSync(offset, Deno.SeekMode.Start);
      run();
    } catch (error) {
      const where = offset === undefined ? "" : ` at ${offset}`;
      const why = error instanceof Error ? error.message : String(error);
      throw new HostError(`disk ${this.#name}: ${what}${where} failed: ${why}`, { cause: error });
    }
  }
}
