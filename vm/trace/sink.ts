/** Where trace writers put their bytes. */
export interface ByteSink {
  /** Takes all of `bytes`, which are valid during the call only: the writer uses the buffer again. */
  write(bytes: Uint8Array): void;
}

/** What every writer of high-rate records offers: a listener for `EventStream.onRecords`, and an end. */
export interface RecordWriter {
  /** Formats `count` records from the start of `view`. */
  records(view: DataView<ArrayBuffer>, count: number): void;
  /** Hands everything that is still buffered to the sink. */
  flush(): void;
}

/** A sink that keeps everything in memory, for tests and short excerpts. */
export class MemorySink implements ByteSink {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  write(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Everything written so far, read as UTF-8. */
  text(): string {
    return new TextDecoder().decode(this.#bytes.subarray(0, this.#length));
  }
}
