import { HostError } from "../block_backend.ts";

/** Bytes looked at together: what host file systems allocate by, or less. */
const BLOCK = 4096;

/** A file read and written at positions; whatever the host says against it is a {@linkcode HostError}. */
export class HostFile {
  readonly #file: Deno.FsFile;
  readonly #what: string;
  /** Where the next read or write goes by itself; -1 if that is not known. */
  #position = -1;
  #locked = false;
  readonly #found: Uint8Array<ArrayBuffer> = new Uint8Array(BLOCK);

  /** `what` says what it is, for messages: `disk x.img`. */
  constructor(file: Deno.FsFile, what: string) {
    this.#file = file;
    this.#what = what;
  }

  /** Fills `target` from `offset`. With `sparse` what is beyond the end reads as zeroes. */
  read(offset: number, target: Uint8Array, sparse = false): void {
    try {
      this.#seek(offset);
      for (let done = 0; done < target.length;) {
        const count = this.#file.readSync(done === 0 ? target : target.subarray(done));
        if (count === null) {
          if (!sparse) throw new Error(`the file ends at ${offset + done}`);
          target.fill(0, done);
          break;
        }
        done += count;
        this.#position += count;
      }
    } catch (error) {
      this.#fail("read", offset, error);
    }
  }

  /** Writes all of `source` at `offset`. */
  write(offset: number, source: Uint8Array): void {
    try {
      this.#seek(offset);
      for (let done = 0; done < source.length;) {
        const count = this.#file.writeSync(done === 0 ? source : source.subarray(done));
        done += count;
        this.#position += count;
      }
    } catch (error) {
      this.#fail("write", offset, error);
    }
  }

  /** Makes a range read as zeroes. Only what is not zero already is written, so that holes stay holes. */
  zero(offset: number, length: number, sparse = false): void {
    for (let done = 0; done < length;) {
      // Blocks of the file, so that one that is a hole is not touched by what is beside it.
      const count = Math.min(BLOCK - (offset + done) % BLOCK, length - done);
      const block = this.#found.subarray(0, count);
      this.read(offset + done, block, sparse);
      if (block.some((byte) => byte !== 0)) this.write(offset + done, block.fill(0));
      done += count;
    }
  }

  /** Gives the file another size. */
  truncate(size: number): void {
    try {
      this.#file.truncateSync(size);
    } catch (error) {
      this.#fail("truncate", size, error);
    }
  }

  /** Returns when what was written is on stable storage. */
  sync(): void {
    try {
      this.#file.syncDataSync();
    } catch (error) {
      this.#fail("sync", undefined, error);
    }
  }

  /** Takes the file for this run alone, until it is closed; false if another one has it. */
  lock(): boolean {
    this.#locked = this.#file.tryLockSync(true);
    return this.#locked;
  }

  close(): void {
    // Closing would do, but for a process that is being started at this moment: it has the file open too until it runs.
    if (this.#locked) this.#file.unlockSync();
    this.#file.close();
  }

  #seek(offset: number): void {
    if (this.#position === offset) return;
    this.#position = -1;
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    this.#position = offset;
  }

  #fail(what: string, offset: number | undefined, error: unknown): never {
    this.#position = -1;
    const where = offset === undefined ? "" : ` at ${offset}`;
    const why = error instanceof Error ? error.message : String(error);
    throw new HostError(`${this.#what}: ${what}${where} failed: ${why}`, { cause: error });
  }
}
