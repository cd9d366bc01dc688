/** One host terminal for all the consoles of a machine. */
import type { CharPort } from "../../devices/char_port.ts";

/** Bytes of input that may wait for the guest before the source should pause. */
const INPUT_HIGH = 1 << 16;

const NOTHING = new Uint8Array(0);

/** Where the route's output goes, and who is told of input. */
export interface ConsoleRouteOptions {
  /** Takes what the guest writes on any console, in order. The bytes are valid during the call only. */
  readonly output: (bytes: Uint8Array) => void;
  /** The port that input goes to; absent: the one the guest wrote to last. */
  readonly input?: string | undefined;
  /** Called after input came in, so that an idle machine looks at it. */
  readonly wake?: () => void;
}

/**
 * Routes one input and one output to several ports. All output goes to the one output in the order in which it was
 * written. Input goes to the port chosen, or to the one where the guest wrote last; before the guest has written
 * anywhere, to whichever port it reads first. Bytes wait until they are taken.
 *
 * ```ts
 * import { ConsoleRoute } from "./console_route.ts";
 * const route = new ConsoleRoute({ output: (bytes) => Deno.stdout.writeSync(bytes) });
 * const uart = route.port("uart");
 * uart.write(new TextEncoder().encode("$ "));
 * route.feed(new TextEncoder().encode("ls\n"));
 * uart.read(16).length; // 3
 * ```
 */
export class ConsoleRoute {
  readonly #options: ConsoleRouteOptions;
  readonly #ports = new Map<string, RoutedPort>();
  #chunks: Uint8Array[] = [];
  #target: string | undefined;
  #waiting = 0;
  #drained: (() => void) | undefined;

  constructor(options: ConsoleRouteOptions) {
    this.#options = options;
    this.#target = options.input;
  }

  /** The port called `name`, made when first asked for. */
  port(name: string): CharPort {
    const there = this.#ports.get(name);
    if (there !== undefined) return there;
    const port = new RoutedPort({
      write: (bytes) => this.#write(name, bytes),
      read: (max) => this.#read(name, max),
      readable: () => this.#takes(name) ? this.#waiting : 0,
    });
    this.#ports.set(name, port);
    return port;
  }

  /** Bytes of input that nobody has taken yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes input from the host; a copy is kept. */
  feed(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes.slice());
    this.#waiting += bytes.length;
    this.#tell();
    this.#options.wake?.();
  }

  /** Resolves when there is room for more input: a file piped in must not be kept in memory as a whole. */
  room(): Promise<void> {
    if (this.#waiting < INPUT_HIGH) return Promise.resolve();
    return new Promise((resolve) => this.#drained = resolve);
  }

  #tell(): void {
    for (const [name, port] of this.#ports) {
      if (this.#waiting > 0 && this.#takes(name)) port.tell();
    }
  }

  #takes(name: string): boolean {
    return this.#target === undefined || this.#target === name;
  }

  #write(name: string, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#options.output(bytes);
    if (this.#options.input !== undefined || this.#target === name) return;
    this.#target = name;
    // Not for the first port: it has heard of the input when it came.
    if (this.#waiting > 0) this.#ports.get(name)?.tell();
  }

  #read(name: string, max: number): Uint8Array {
    const chunk = this.#chunks[0];
    if (chunk === undefined || max <= 0 || !this.#takes(name)) return NOTHING;
    const taken = chunk.subarray(0, max);
    if (taken.length === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(max);
    this.#waiting -= taken.length;
    if (this.#waiting < INPUT_HIGH && this.#drained !== undefined) {
      const drained = this.#drained;
      this.#drained = undefined;
      drained();
    }
    return taken;
  }
}

/** One device's end of the route. */
class RoutedPort implements CharPort {
  readonly write: (bytes: Uint8Array) => void;
  readonly read: (max: number) => Uint8Array;
  readonly #readable: () => number;
  #listener: (() => void) | undefined;

  constructor({ write, read, readable }: Pick<CharPort, "write" | "read"> & { readonly readable: () => number }) {
    this.write = write;
    this.read = read;
    this.#readable = readable;
  }

  get readable(): number {
    return this.#readable();
  }

  onReadable(listener: () => void): void {
    this.#listener = listener;
  }

  tell(): void {
    this.#listener?.();
  }
}
