/** The simple ends of a console's ports: nowhere, back, and a file. */
import type { CharPort } from "../char_port.ts";

const NOTHING = new Uint8Array(0);

/** A port that belongs to a run, and is closed after it. */
export interface HostPort extends CharPort {
  /** Resolves when everything the guest wrote is outside, or nobody takes it any more; absent: it always is. */
  flush?(): Promise<void>;
  close(): void;
}

/** What a port with something outside behind it needs of the run. */
export interface PortHost {
  /** Input came in: an idle machine should look at it. */
  wake(): void;
  /** Input may come from outside until the returned function is called. */
  hold(): () => void;
  /** Something went wrong that the guest cannot be told; one line. */
  report(text: string): void;
}

/** Takes everything and gives nothing. */
export class NullPort implements HostPort {
  write(): void {}

  read(): Uint8Array {
    return NOTHING;
  }

  onReadable(): void {}

  close(): void {}
}

/** Bytes a loopback keeps before the guest's have to wait. */
const LOOP_HIGH = 1 << 16;

/** Gives back what it is given, in order. */
export class LoopbackPort implements HostPort {
  readonly #chunks: Uint8Array[] = [];
  #waiting = 0;
  #readable: () => void = () => {};
  #changed: () => void = () => {};

  write(bytes: Uint8Array): void {
    this.#chunks.push(bytes.slice());
    this.#waiting += bytes.length;
    this.#readable();
  }

  read(max: number): Uint8Array {
    const chunk = this.#chunks[0];
    if (chunk === undefined || max <= 0) return NOTHING;
    const taken = chunk.subarray(0, max);
    if (taken.length === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(max);
    const full = this.full;
    this.#waiting -= taken.length;
    if (full && !this.full) this.#changed();
    return taken;
  }

  get readable(): number {
    return this.#waiting;
  }

  get full(): boolean {
    return this.#waiting >= LOOP_HIGH;
  }

  onReadable(listener: () => void): void {
    this.#readable = listener;
  }

  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  close(): void {}
}

/** Writes what the guest sends to a file, which is emptied first. A file that takes no more is as if unplugged. */
export class FilePort implements HostPort {
  readonly #name: string;
  readonly #file: Deno.FsFile;
  readonly #host: PortHost;
  #open = true;
  #changed: () => void = () => {};

  /** Throws what `Deno.openSync` does. */
  constructor(name: string, host: PortHost) {
    this.#name = name;
    this.#host = host;
    this.#file = Deno.openSync(name, { write: true, create: true, truncate: true });
  }

  write(bytes: Uint8Array): void {
    if (!this.#open) return;
    try {
      for (let done = 0; done < bytes.length;) done += this.#file.writeSync(bytes.subarray(done));
    } catch (error) {
      this.#open = false;
      this.#host.report(`${this.#name}: cannot be written: ${error instanceof Error ? error.message : error}`);
      this.#changed();
    }
  }

  read(): Uint8Array {
    return NOTHING;
  }

  onReadable(): void {}

  get connected(): boolean {
    return this.#open;
  }

  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  close(): void {
    this.#open = false;
    this.#file.close();
  }
}
