/** A block backend for tests: says what the device asked of the host, and fails on demand. */
import { type BlockBackend, HostError } from "../../devices/block_backend.ts";
import { MemoryDisk } from "../../devices/host/memory.ts";

export class RecordingDisk implements BlockBackend {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** What was asked, in order: `read 0+512`, `write 512+512`, `flush`. */
  readonly log: string[] = [];
  /** The call (as it would be logged) that the host cannot do. */
  failing: string | undefined;
  readonly #disk: MemoryDisk;

  constructor(content: Uint8Array | number, readOnly = false) {
    this.#disk = new MemoryDisk(content);
    this.sizeBytes = this.#disk.sizeBytes;
    this.readOnly = readOnly;
  }

  read(offset: number, target: Uint8Array): void {
    this.#call(`read ${offset}+${target.length}`);
    this.#disk.read(offset, target);
  }

  write(offset: number, source: Uint8Array): void {
    if (this.readOnly) throw new Error("write to a read-only backend");
    this.#call(`write ${offset}+${source.length}`);
    this.#disk.write(offset, source);
  }

  flush(): void {
    this.#call("flush");
  }

  /** What is on the disk. */
  content(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#disk.read(offset, bytes);
    return bytes;
  }

  #call(what: string): void {
    this.log.push(what);
    if (this.failing === what) throw new HostError(`${what}: no`);
  }
}
