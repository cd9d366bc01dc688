/** Where input from the terminal goes; a `ConsoleRoute` is one. */
export interface TerminalSink {
  /** Takes bytes; a copy is kept. */
  feed(bytes: Uint8Array): void;
  /** Resolves when there is room for more. */
  room(): Promise<void>;
}

/** What the terminal needs of the host; `Deno` fits, tests bring their own. */
export interface TerminalHost {
  readonly stdin: {
    isTerminal(): boolean;
    setRaw(raw: boolean): void;
    read(target: Uint8Array): Promise<number | null>;
  };
  readonly stdout: { writeSync(bytes: Uint8Array): number };
  addSignalListener(signal: Deno.Signal, listener: () => void): void;
  removeSignalListener(signal: Deno.Signal, listener: () => void): void;
  /** Throws, or gives `false`, where there is no terminal. */
  consoleSize(): { readonly columns: number; readonly rows: number } | false;
}

/** How a terminal is used. */
export interface TerminalOptions {
  readonly sink: TerminalSink;
  /**
   * The key with this code was pressed after the prefix. Returns bytes for the guest, if it means any. Only on a real
   * terminal: bytes piped in are all the guest's.
   */
  readonly onEscape: (code: number) => Uint8Array | undefined;
  /** SIGINT, SIGTERM or SIGHUP came; raw mode is undone already. The caller ends the run. */
  readonly onSignal: (signal: Deno.Signal) => void;
  /** The terminal has another size. */
  readonly onResize?: (cols: number, rows: number) => void;
  /** Standard input is at its end: no byte will come any more. */
  readonly onEnd?: () => void;
  /** Nobody reads standard output any more: what is written from now on is dropped. */
  readonly onClosed?: () => void;
  /** The byte that begins an escape; default Ctrl-A. */
  readonly prefix?: number;
  readonly host?: TerminalHost;
}

const CTRL_A = 0x01;

/** Bytes of output kept before they are written without waiting for the end of the batch. */
const OUTPUT_MAX = 65536;

/** Bytes of input asked for at once. */
const INPUT_MAX = 4096;

const ENDING_SIGNALS: readonly Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Standard input and output for the guest.
 *
 * On a terminal the keyboard is raw: every key is the guest's, Ctrl-C too, except the prefix and the key after it. Raw
 * mode is undone on every way out that a program has: `close`, the ending signals, and `Deno.exit` from anywhere.
 * Piped input is taken only as fast as the sink has room.
 *
 * Output is gathered and written when the running code yields, when there is much of it, and by `flush` and `close`.
 */
export class Terminal {
  /** Whether standard input is a terminal. */
  readonly interactive: boolean;
  readonly #options: TerminalOptions;
  readonly #host: TerminalHost;
  readonly #prefix: number;
  readonly #output: Uint8Array<ArrayBuffer> = new Uint8Array(OUTPUT_MAX);
  #pending = 0;
  #flushing = false;
  #raw = false;
  /** Nobody reads the output. */
  #deaf = false;
  #open = false;
  /** The last key was the prefix. */
  #escaping = false;
  readonly #listeners: [Deno.Signal, () => void][] = [];
  readonly #onUnload = (): void => this.close();

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#host = options.host ?? Deno;
    this.#prefix = options.prefix ?? CTRL_A;
    this.interactive = this.#host.stdin.isTerminal();
  }

  /** Columns and rows, where there is a terminal. */
  get size(): { readonly cols: number; readonly rows: number } | undefined {
    try {
      const size = this.#host.consoleSize();
      return size ? { cols: size.columns, rows: size.rows } : undefined;
    } catch {
      return undefined;
    }
  }

  /** Takes the terminal, and reads input until its end or `close`. */
  start(): void {
    this.#open = true;
    for (const signal of ENDING_SIGNALS) {
      this.#listen(signal, () => {
        this.#restore();
        this.#options.onSignal(signal);
      });
    }
    globalThis.addEventListener("unload", this.#onUnload);
    if (this.interactive) {
      this.#setRaw();
      // Stopped and continued from outside, a shell has put the terminal back to its own mode.
      this.#listen("SIGCONT", () => this.#setRaw());
      this.#listen("SIGWINCH", () => this.#resized());
    }
    this.#read();
  }

  /** Takes output of the guest. */
  write(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      if (this.#pending === OUTPUT_MAX) this.flush();
      const piece = bytes.subarray(from, from + OUTPUT_MAX - this.#pending);
      this.#output.set(piece, this.#pending);
      this.#pending += piece.length;
      from += piece.length;
    }
    if (this.#flushing || this.#pending === 0) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.flush();
    });
  }

  /** Writes all output now. */
  flush(): void {
    const bytes = this.#output.subarray(0, this.#pending);
    this.#pending = 0;
    for (let done = 0; done < bytes.length && !this.#deaf;) done += this.#put(bytes.subarray(done));
  }

  /** Gives the terminal back, after the last of the output. */
  close(): void {
    if (!this.#open) return this.flush();
    this.#open = false;
    this.flush();
    this.#restore();
    for (const [signal, listener] of this.#listeners.splice(0)) this.#host.removeSignalListener(signal, listener);
    globalThis.removeEventListener("unload", this.#onUnload);
  }

  /** Writes some of `bytes`; how many. A reader that went away is not an error of the run. */
  #put(bytes: Uint8Array): number {
    try {
      return this.#host.stdout.writeSync(bytes);
    } catch (error) {
      if (error instanceof Deno.errors.WouldBlock) {
        // Somebody made the terminal non-blocking: wait for it a little.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        return 0;
      }
      // EIO: the terminal itself is gone.
      if (!(error instanceof Deno.errors.BrokenPipe) && !/\(os error 5\)/.test(String(error))) throw error;
      this.#deaf = true;
      this.#options.onClosed?.();
      return 0;
    }
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(INPUT_MAX);
    for (;;) {
      // A keyboard is never kept waiting: the escape key must work when the guest takes nothing.
      if (!this.interactive) await this.#options.sink.room();
      const count = this.#open ? await this.#take(buffer) : null;
      if (!this.#open) return;
      if (count === null) return this.#options.onEnd?.();
      const bytes = buffer.subarray(0, count);
      if (this.interactive) this.#keys(bytes);
      else this.#options.sink.feed(bytes);
    }
  }

  /** Reads input; null at its end, and when the terminal is gone. */
  async #take(buffer: Uint8Array): Promise<number | null> {
    try {
      return await this.#host.stdin.read(buffer);
    } catch (error) {
      if (/\(os error \d+\)/.test(String(error)) || error instanceof Deno.errors.BadResource) return null;
      throw error;
    }
  }

  /** Hands on what was typed, except the prefix and the key after it. */
  #keys(bytes: Uint8Array): void {
    const typed: number[] = [];
    const hand = (): void => {
      if (typed.length > 0) this.#options.sink.feed(Uint8Array.from(typed.splice(0)));
    };
    for (const code of bytes) {
      if (this.#escaping) {
        this.#escaping = false;
        hand();
        typed.push(...this.#options.onEscape(code) ?? []);
      } else if (code === this.#prefix) this.#escaping = true;
      else typed.push(code);
    }
    hand();
  }

  #setRaw(): void {
    if (!this.#open) return;
    this.#host.stdin.setRaw(true);
    this.#raw = true;
  }

  #restore(): void {
    if (!this.#raw) return;
    this.#raw = false;
    try {
      this.#host.stdin.setRaw(false);
    } catch {
      // The terminal is gone: there is nothing to restore.
    }
  }

  #resized(): void {
    const size = this.size;
    if (size !== undefined) this.#options.onResize?.(size.cols, size.rows);
  }

  /** Listens to a signal, where the system has it. */
  #listen(signal: Deno.Signal, listener: () => void): void {
    try {
      this.#host.addSignalListener(signal, listener);
      this.#listeners.push([signal, listener]);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
}
