import type { Chain } from "./chain.ts";
import type { VirtioTransport } from "./device.ts";

/** The kinds of control messages (virtio 1.2 §5.3.6.2). */
export const VirtioConsoleEvent = {
  DEVICE_READY: 0,
  DEVICE_ADD: 1,
  DEVICE_REMOVE: 2,
  PORT_READY: 3,
  CONSOLE_PORT: 4,
  RESIZE: 5,
  PORT_OPEN: 6,
  PORT_NAME: 7,
} as const;

/** Bytes of struct virtio_console_control (virtio 1.2 §5.3.6.2). */
export const CONTROL_BYTES = 8;

/** A control message: a port's number, what about it, and bytes that may follow. */
export interface ControlMessage {
  readonly id: number;
  readonly event: number;
  readonly value: number;
  readonly data?: Uint8Array;
}

/** The queues of the control messages. */
export const CONTROL_RECEIVEQ = 2;
export const CONTROL_TRANSMITQ = 3;

/** The two control queues of a console with several ports (virtio 1.2 §5.3.6.2). */
export class ConsoleControl {
  readonly #transport: VirtioTransport;
  readonly #handle: (message: ControlMessage) => void;
  /** What the driver is still to be told, in order. */
  #pending: ControlMessage[] = [];
  /** A message's completion is scheduled. */
  #sending = false;
  /** What the driver has said and nobody has heeded yet, in its order. */
  #said: ControlMessage[] = [];

  /** `handle` gets what the driver says. */
  constructor(transport: VirtioTransport, handle: (message: ControlMessage) => void) {
    this.#transport = transport;
    this.#handle = handle;
  }

  /** Forgets everything that was not told. */
  stop(): void {
    this.#pending = [];
    this.#sending = false;
    this.#said = [];
  }

  /** Its transmitq is gone, and what was in it. */
  stopReceiving(): void {
    this.#said = [];
  }

  /** Its receiveq is gone; what was not told waits for the next one. */
  stopSending(): void {
    this.#sending = false;
  }

  /** Whether the driver is still to be told `event` of port `id`. */
  awaits(id: number, event: number): boolean {
    return this.#pending.some((message) => message.id === id && message.event === event);
  }

  /** Whether the driver has said `event` with this value, and it was not heeded yet. */
  hasHeard(event: number, value: number): boolean {
    return this.#said.some((message) => message.event === event && message.value === value);
  }

  /** Forgets what was not told of port `id`, except that another of that number was removed. */
  forget(id: number): void {
    const { DEVICE_REMOVE } = VirtioConsoleEvent;
    this.#pending = this.#pending.filter((message) => message.id !== id || message.event === DEVICE_REMOVE);
  }

  /**
   * Tells the driver something, as soon as it has a buffer for it. News takes the place of what it makes untrue, so
   * that a driver that reads nothing costs no memory.
   */
  send(message: ControlMessage): void {
    this.#pending = this.#pending.filter(({ id, event }) => id !== message.id || event !== message.event);
    this.#pending.push(message);
    this.process();
  }

  /** The driver may have brought buffers for messages. */
  process(): void {
    if (this.#sending || this.#pending.length === 0) return;
    const queue = this.#transport.queue(CONTROL_RECEIVEQ);
    const chain = queue.pop();
    if (chain === undefined) return;
    this.#sending = true;
    this.#transport.complete(CONTROL_RECEIVEQ, () => {
      this.#sending = false;
      this.#give(chain);
      this.process();
    });
  }

  /** The driver has sent messages. */
  receive(): void {
    const queue = this.#transport.queue(CONTROL_TRANSMITQ);
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const taken = chain;
      const message = this.#read(taken);
      this.#transport.request(
        CONTROL_TRANSMITQ,
        taken.head,
        () => message === undefined ? "no control message" : describe(message),
      );
      if (message !== undefined) this.#said.push(message);
      this.#transport.complete(CONTROL_TRANSMITQ, () => {
        // Buffers may be used in any order (§2.6), but what comes first was said first.
        while (message !== undefined && this.#said.includes(message)) this.#handle(this.#said.shift()!);
        this.#transport.queue(CONTROL_TRANSMITQ).push(taken, 0);
      });
    }
  }

  #read(chain: Chain): ControlMessage | undefined {
    const { readableLength, writableLength } = chain;
    if (writableLength > 0) {
      const what = `${chain.name}: ${writableLength} device-writable bytes in the control transmitq`;
      this.#transport.violation("console-direction", what);
    }
    const bytes = new Uint8Array(CONTROL_BYTES);
    const read = chain.reader.read(bytes);
    if (readableLength !== CONTROL_BYTES) {
      const what = `${chain.name}: a message of ${readableLength} bytes, it has ${CONTROL_BYTES}`;
      this.#transport.violation("console-control", what);
      if (read < CONTROL_BYTES) return undefined;
    }
    const view = new DataView(bytes.buffer);
    return { id: view.getUint32(0, true), event: view.getUint16(4, true), value: view.getUint16(6, true) };
  }

  /** Writes the next message to a buffer; one that does not fit waits for a longer buffer. */
  #give(chain: Chain): void {
    const { readableLength, writableLength } = chain;
    const queue = this.#transport.queue(CONTROL_RECEIVEQ);
    const message = this.#pending[0];
    if (readableLength > 0) {
      const what = `${chain.name}: ${readableLength} device-readable bytes in the control receiveq`;
      this.#transport.violation("console-direction", what);
    }
    // Its port was removed before it was told.
    if (message === undefined) return queue.push(chain, 0);
    const bytes = encode(message);
    if (bytes.length > writableLength) {
      const what = `${chain.name}: ${writableLength} bytes of room, the next message has ${bytes.length}`;
      this.#transport.violation("console-control", what);
      return queue.push(chain, 0);
    }
    this.#pending.shift();
    this.#transport.request(CONTROL_RECEIVEQ, chain.head, () => describe(message));
    chain.writer.write(bytes);
    queue.push(chain, bytes.length);
  }
}

function encode({ id, event, value, data = new Uint8Array(0) }: ControlMessage): Uint8Array {
  const bytes = new Uint8Array(CONTROL_BYTES + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, id, true);
  view.setUint16(4, event, true);
  view.setUint16(6, value, true);
  bytes.set(data, CONTROL_BYTES);
  return bytes;
}

/** A message as people read it: `PORT_OPEN 1 of port 2`. */
function describe({ id, event, value }: ControlMessage): string {
  const name = Object.entries(VirtioConsoleEvent).find(([, number]) => number === event)?.[0] ?? `event ${event}`;
  return event === VirtioConsoleEvent.DEVICE_READY ? `${name} ${value}` : `${name} ${value} of port ${id}`;
}
