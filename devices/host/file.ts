import { type BlockBackend, HostError, SECTOR_SIZE } from "../block_backend.ts";
import { HostFile } from "./host_file.ts";

/** A file that cannot be a disk; the message says why, without the file's name. */
export class DiskFileError extends Error {
  override name = "DiskFileError";
}

/** A disk in a host file, or on a host block device: the raw bytes, from the first on. */
export class FileDisk implements BlockBackend {
  readonly readOnly: boolean;
  readonly #file: HostFile;
  readonly #name: string;
  readonly #isFile: boolean;
  #sizeBytes: number;

  private constructor(name: string, file: HostFile, sizeBytes: number, isFile: boolean, readOnly: boolean) {
    this.#name = name;
    this.#file = file;
    this.#isFile = isFile;
    this.#sizeBytes = sizeBytes;
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
      return new FileDisk(name, new HostFile(file, `disk ${name}`), size, isFile, readOnly);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The file gets another size; a block device has only one. */
  resize(sizeBytes: number): void {
    if (!this.#isFile) throw new HostError(`disk ${this.#name}: a block device has the size it has`);
    if (this.readOnly) throw new HostError(`disk ${this.#name}: a read-only file keeps its size`);
    this.#file.truncate(sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  read(offset: number, target: Uint8Array): void {
    this.#file.read(offset, target);
  }

  write(offset: number, source: Uint8Array): void {
    if (this.readOnly) throw new Error(`disk ${this.#name}: write to a read-only disk`);
    this.#file.write(offset, source);
  }

  /** Only what is not zero already is written, so that holes of a sparse file stay holes. */
  zero(offset: number, length: number): void {
    this.#file.zero(offset, length);
  }

  flush(): void {
    if (!this.readOnly) this.#file.sync();
  }

  /** Writes what is pending to stable storage and closes the file. */
  close(): void {
    try {
      this.flush();
    } finally {
      this.#file.close();
    }
  }
}
