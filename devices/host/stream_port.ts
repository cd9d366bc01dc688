/** A console's port with a stream at its other end: a pipe, or a socket that connects or listens. */
import type { HostPort, PortHost } from "./ports.ts";

/** Bytes from outside that may wait for the guest before reading pauses, and bytes asked for at once. */
const INPUT_HIGH = 1 << 16;
const CHUNK = 1 << 14;

/** Bytes from the guest that may wait for the outside before the guest's have to wait too. */
const OUTPUT_HIGH = 1 << 18;

const NOTHING = new Uint8Array(0);

/** What is at the other end; `Deno.Conn` fits. */
export interface Stream {
  read(target: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Joins a port to streams, one after the other: a listener's connections, or the one there is. */
export class StreamPort implements HostPort {
  readonly #host: PortHost;
  #stream: Stream | undefined;
  #input: Uint8Array[] = [];
  #inputBytes = 0;
  #output: Uint8Array[] = [];
  #outputBytes = 0;
  #writing = false;
  /** Resolves when what is being written is. */
  #written: Promise<void> = Promise.resolve();
  #closed = false;
  /** Resolves a pause of the reading. */
  #room: (() => void) | undefined;
  #readable: () => void = () => {};
  #changed: () => void = () => {};

  /** Nothing is at the other end yet. */
  constructor(host: PortHost) {
    this.#host = host;
  }

  /** Serves `stream` until it ends; whatever goes wrong with it is its end. */
  async serve(stream: Stream): Promise<void> {
    if (this.#closed) return stream.close();
    this.#stream = stream;
    this.#tellChange();
    await this.#readAll(stream);
    this.#drop(stream);
  }

  /**
   * Serves the connections of `listener`, one at a time, until the port is closed. `accept` rejects when it is.
   */
  async listen(listener: { accept(): Promise<Stream> }): Promise<void> {
    while (!this.#closed) {
      let stream: Stream;
      try {
        stream = await listener.accept();
      } catch {
        return;
      }
      await this.serve(stream);
    }
  }

  write(bytes: Uint8Array): void {
    if (this.#stream === undefined) return;
    this.#output.push(bytes.slice());
    this.#outputBytes += bytes.length;
    if (!this.#writing) this.#written = this.#writeAll(this.#stream);
  }

  read(max: number): Uint8Array {
    const chunk = this.#input[0];
    if (chunk === undefined || max <= 0) return NOTHING;
    const taken = chunk.subarray(0, max);
    if (taken.length === chunk.length) this.#input.shift();
    else this.#input[0] = chunk.subarray(max);
    this.#inputBytes -= taken.length;
    if (this.#inputBytes < INPUT_HIGH) this.#resume();
    return taken;
  }

  get readable(): number {
    return this.#inputBytes;
  }

  onReadable(listener: () => void): void {
    this.#readable = listener;
  }

  get connected(): boolean {
    return this.#stream !== undefined;
  }

  get full(): boolean {
    return this.#outputBytes >= OUTPUT_HIGH;
  }

  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  /** Ends the stream; what the guest wrote last is lost unless `flush` has resolved. */
  close(): void {
    this.#closed = true;
    if (this.#stream !== undefined) this.#drop(this.#stream);
  }

  async flush(): Promise<void> {
    await this.#written;
  }

  async #readAll(stream: Stream): Promise<void> {
    const buffer = new Uint8Array(CHUNK);
    const release = this.#host.hold();
    try {
      for (;;) {
        const count = await stream.read(buffer);
        if (count === null || this.#stream !== stream) return;
        this.#input.push(buffer.slice(0, count));
        this.#inputBytes += count;
        this.#readable();
        this.#host.wake();
        if (this.#inputBytes >= INPUT_HIGH) await new Promise<void>((resolve) => this.#room = resolve);
      }
    } catch {
      // Reset, or closed by us: the end of the stream.
    } finally {
      release();
    }
  }

  async #writeAll(stream: Stream): Promise<void> {
    this.#writing = true;
    try {
      for (let chunk = this.#output[0]; chunk !== undefined && this.#stream === stream; chunk = this.#output[0]) {
        let done = 0;
        while (done < chunk.length) done += await stream.write(chunk.subarray(done));
        if (this.#stream !== stream) break;
        const full = this.full;
        this.#output.shift();
        this.#outputBytes -= chunk.length;
        if (full && !this.full) this.#tellChange();
      }
    } catch {
      this.#drop(stream);
    } finally {
      this.#writing = false;
    }
  }

  /** The stream is at its end: what waited for it is lost. */
  #drop(stream: Stream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#output = [];
    this.#outputBytes = 0;
    this.#resume();
    try {
      stream.close();
    } catch {
      // It is closed already.
    }
    this.#tellChange();
  }

  #resume(): void {
    const room = this.#room;
    this.#room = undefined;
    room?.();
  }

  #tellChange(): void {
    this.#changed();
    this.#host.wake();
  }
}
