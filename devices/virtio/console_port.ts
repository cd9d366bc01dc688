import type { CharPort } from "../char_port.ts";
import type { Chain } from "./chain.ts";
import type { VirtioTransport } from "./device.ts";

/**
 * Most bytes of a buffer handed to the port at one moment of virtual time: a guest may lay a chain of gigabytes over
 * little memory, and the host must stay responsive.
 */
const OUTPUT_MAX = 65536;

/** What a console tells one of its ports. */
export interface PortOptions {
  /** Its number, and those of its queues. */
  readonly id: number;
  readonly receiveq: number;
  readonly transmitq: number;
  /** The host's side. */
  readonly port: CharPort;
  /** What the guest finds it by (virtio 1.2 §5.3.6.2); absent: no name. */
  readonly name?: string;
  /** Whether a guest should put a text console on it. */
  readonly console: boolean;
}

/** What a port asks about the driver of its console. */
export interface PortDriver {
  /** There are control messages. */
  readonly multiport: boolean;
  /** It has said DEVICE_READY, be it that nobody has heeded that yet. */
  readonly saidReady: boolean;
}

/** One port of a console (virtio 1.2 §5.3.6): what goes through its two queues. */
export class ConsolePort {
  readonly id: number;
  readonly receiveq: number;
  readonly transmitq: number;
  readonly port: CharPort;
  readonly name: string | undefined;
  readonly console: boolean;
  /** Control messages: the driver was told of the port, has made it ready, and has opened it. */
  announced = false;
  ready = false;
  guestOpen = false;
  /** What the driver was told of the host's side. */
  hostOpen = false;
  /** The driver has answered CONSOLE_PORT. */
  answered = false;
  readonly #transport: VirtioTransport;
  readonly #driver: PortDriver;
  /** A receive buffer that waits for input. */
  #waiting: Chain | undefined;
  /** A receive buffer's completion is scheduled. */
  #filling = false;
  /** The port may have bytes: it said so, or nobody has asked it yet. */
  #readable = true;
  /** The port has no room: what the guest sends waits in its queue. */
  #full = false;

  /** A port whose buffers come and go by `transport`. */
  constructor(options: PortOptions, transport: VirtioTransport, driver: PortDriver) {
    this.id = options.id;
    this.receiveq = options.receiveq;
    this.transmitq = options.transmitq;
    this.port = options.port;
    this.name = options.name;
    this.console = options.console;
    this.#transport = transport;
    this.#driver = driver;
  }

  /** Whether input may be handed over: without control messages, or to an end that is open. */
  get #open(): boolean {
    return this.guestOpen || !this.#driver.multiport;
  }

  /** The host's side has bytes. */
  readable(): void {
    this.#readable = true;
    this.receive();
  }

  /** The host's side has room again, or none. */
  changed(): void {
    if (this.#full && this.port.full !== true) this.transmit();
  }

  /** Forgets the driver and the buffers it has given. */
  stop(): void {
    this.stopReceiving();
    this.announced =
      this.ready =
      this.answered =
      this.guestOpen =
      this.hostOpen =
      this.#full =
        false;
  }

  /** Its receiveq is gone. */
  stopReceiving(): void {
    this.#waiting = undefined;
    this.#filling = false;
    this.#readable = true;
  }

  /** The port is gone while its driver lives: gives a buffer that waits for input back empty. */
  release(): void {
    const chain = this.#waiting;
    this.stop();
    if (chain !== undefined) this.#transport.queue(this.receiveq).push(chain, 0);
  }

  /** Output leaves at the notification, so that a last word before power-off is heard; the buffer is used later. */
  transmit(): void {
    const queue = this.#transport.queue(this.transmitq);
    for (;;) {
      this.#full = this.port.full === true;
      if (this.#full) return;
      const chain = queue.pop();
      if (chain === undefined) return;
      const { reader } = chain;
      // §5.3.6.2.2: with MULTIPORT the driver says DEVICE_READY before anything else, and is told of ports after that.
      if (!this.announced && this.#driver.multiport && !this.#driver.saidReady) {
        const what = `${chain.name}: ${reader.remaining} bytes to port ${this.id}, before DEVICE_READY`;
        this.#transport.violation("console-not-ready", what);
      }
      if (chain.writableLength > 0) {
        const what = `${chain.name}: ${chain.writableLength} device-writable bytes in a transmitq`;
        this.#transport.violation("console-direction", what);
      }
      this.#transport.request(this.transmitq, chain.head, () => `${reader.remaining} bytes out`);
      this.#send(chain);
    }
  }

  /** Writes bytes to the host's side. */
  out(bytes: Uint8Array): void {
    this.#emit("out", bytes);
    // What is written to a port without anybody at its other end is lost, as on a line.
    if (this.port.connected !== false) this.port.write(bytes);
  }

  /** Takes one buffer when there may be input, and fills it a latency later; bytes not taken wait in the port. */
  receive(): void {
    if (this.#filling || !this.#readable || !this.#open) return;
    const queue = this.#transport.queue(this.receiveq);
    this.#waiting ??= queue.pop();
    const chain = this.#waiting;
    if (chain === undefined) return;
    this.#filling = true;
    this.#transport.complete(this.receiveq, () => {
      this.#filling = false;
      // The guest may have closed the port meanwhile, or it was removed and the buffer given back.
      if (this.#waiting !== chain || !this.#open) return;
      this.#fill(chain);
      this.receive();
    });
  }

  /** Writes a buffer, or the next part of a very long one, and gives it back a latency after its end. */
  #send(chain: Chain): void {
    const { reader } = chain;
    for (let left = OUTPUT_MAX; left > 0 && reader.remaining > 0;) {
      const view = reader.next(left)!;
      left -= view.length;
      this.out(view);
    }
    this.#transport.complete(this.transmitq, () => {
      if (reader.remaining > 0) this.#send(chain);
      else this.#transport.queue(this.transmitq).push(chain, 0);
    });
  }

  #fill(chain: Chain): void {
    if (chain.readableLength > 0 || chain.writableLength === 0) {
      const what = `${chain.name}: ${chain.readableLength} device-readable and ` +
        `${chain.writableLength} device-writable bytes in a receiveq`;
      this.#transport.violation("console-direction", what);
    }
    if (chain.writableLength > 0) {
      const bytes = this.port.read(chain.writableLength);
      if (bytes.length === 0) {
        this.#readable = false;
        return;
      }
      this.#emit("in", bytes);
      chain.writer.write(bytes);
    }
    this.#waiting = undefined;
    this.#transport.queue(this.receiveq).push(chain, chain.writer.position);
  }

  #emit(direction: "in" | "out", bytes: Uint8Array): void {
    const { events, name } = this.#transport;
    // A fact outlives guest memory as it is now.
    if (events.wants("console")) events.emit({ kind: "console", device: name, direction, bytes: bytes.slice() });
  }
}
