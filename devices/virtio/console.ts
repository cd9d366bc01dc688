import type { CharPort } from "../char_port.ts";
import type { Chain } from "./chain.ts";
import { ConfigSpace } from "./config.ts";
import type { QueueDef, VirtioDevice, VirtioTransport } from "./device.ts";
import { featureBit, type FeatureSet, featureSet } from "./feature_set.ts";

const ID = 3;
const RECEIVEQ = 0;
const TRANSMITQ = 1;

const CONSOLE_F = {
  SIZE: featureBit(ID, "VIRTIO_CONSOLE_F_SIZE"),
  MULTIPORT: featureBit(ID, "VIRTIO_CONSOLE_F_MULTIPORT"),
  EMERG_WRITE: featureBit(ID, "VIRTIO_CONSOLE_F_EMERG_WRITE"),
} as const;

/** How a console is built. */
export interface ConsoleOptions {
  /** Where its bytes come from and go to. */
  readonly port: CharPort;
  /** Size in characters; default 80 by 25. */
  readonly cols?: number;
  /** Height in characters. */
  readonly rows?: number;
  /** QueueNumMax of its queues; default 128. */
  readonly queueSize?: number;
}

/** Console with one port (virtio 1.2 §5.3) over a {@linkcode CharPort}. */
export class VirtioConsole implements VirtioDevice {
  readonly id: number = ID;
  readonly name = "console";
  readonly features: FeatureSet = featureSet(ID, "VIRTIO_CONSOLE_F_SIZE", "VIRTIO_CONSOLE_F_EMERG_WRITE");
  /** Two queues, `receiveq` and `transmitq`. */
  readonly queues: readonly QueueDef[];
  /** Size and emergency write (virtio 1.2 §5.3.4). */
  readonly config: ConfigSpace;
  readonly #port: CharPort;
  #transport!: VirtioTransport;
  /** A receive buffer that waits for input. */
  #waiting: Chain | undefined;
  /** A receive buffer's completion is scheduled. */
  #filling = false;
  /** The port may have bytes: it said so, or nobody has asked it yet. */
  #readable = true;

  /** A console with one port. */
  constructor(options: ConsoleOptions) {
    const sizeMax = options.queueSize ?? 128;
    this.queues = [{ name: "receiveq", sizeMax }, { name: "transmitq", sizeMax }];
    this.#port = options.port;
    this.config = new ConfigSpace([
      { name: "cols", offset: 0, size: 2, feature: CONSOLE_F.SIZE },
      { name: "rows", offset: 2, size: 2, feature: CONSOLE_F.SIZE },
      { name: "max_nr_ports", offset: 4, size: 4, feature: CONSOLE_F.MULTIPORT },
      // §5.3.5.1: can be written even on an unconfigured device.
      { name: "emerg_wr", offset: 8, size: 4, feature: CONSOLE_F.EMERG_WRITE, writable: true, anytime: true },
    ], (_, byte) => this.#emergencyWrite(byte));
    this.config.set("cols", options.cols ?? 80);
    this.config.set("rows", options.rows ?? 25);
    this.config.generation = 0;
    this.#port.onReadable(() => {
      this.#readable = true;
      this.#receive();
    });
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  /** The console has another size now: the driver is notified (virtio 1.2 §5.3.6). */
  resize(cols: number, rows: number): void {
    const { generation } = this.config;
    this.config.set("cols", cols);
    this.config.set("rows", rows);
    if (this.config.generation !== generation) this.#transport.configChanged();
  }

  start(): void {}

  process(index: number): void {
    if (index === RECEIVEQ) this.#receive();
    else this.#transmit();
  }

  queueStopped(index: number): void {
    if (index === RECEIVEQ) this.#dropWaiting();
  }

  reset(): void {
    this.#dropWaiting();
  }

  #dropWaiting(): void {
    this.#waiting = undefined;
    this.#filling = false;
    this.#readable = true;
  }

  /** Output leaves at the notification, so that a last word before power-off is heard; the buffer is used later. */
  #transmit(): void {
    const queue = this.#transport.queue(TRANSMITQ);
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const taken = chain;
      const { reader } = taken;
      if (taken.writableLength > 0) {
        const what = `head ${taken.head}: ${taken.writableLength} device-writable bytes in the transmitq`;
        this.#transport.violation("console-direction", what);
      }
      this.#transport.request(TRANSMITQ, taken.head, () => `${reader.remaining} bytes out`);
      this.#send(taken);
    }
  }

  /** Writes a buffer, or the next part of a very long one, and gives it back a latency after its end. */
  #send(chain: Chain): void {
    const { reader } = chain;
    for (let left = OUTPUT_MAX; left > 0 && reader.remaining > 0;) {
      const view = reader.next(left)!;
      left -= view.length;
      // Guest memory may change once the buffer is used: the port gets its own copy.
      this.#out(view.slice());
    }
    this.#transport.complete(TRANSMITQ, () => {
      if (reader.remaining > 0) this.#send(chain);
      else this.#transport.queue(TRANSMITQ).push(chain, 0);
    });
  }

  /** Takes one buffer when there may be input, and fills it a latency later; bytes not taken wait in the port. */
  #receive(): void {
    if (this.#filling || !this.#readable) return;
    const queue = this.#transport.queue(RECEIVEQ);
    this.#waiting ??= queue.pop();
    const chain = this.#waiting;
    if (chain === undefined) return;
    this.#filling = true;
    this.#transport.complete(RECEIVEQ, () => {
      this.#filling = false;
      this.#fill(chain);
      this.#receive();
    });
  }

  #fill(chain: Chain): void {
    if (chain.readableLength > 0 || chain.writableLength === 0) {
      const what = `head ${chain.head}: ${chain.readableLength} device-readable and ` +
        `${chain.writableLength} device-writable bytes in the receiveq`;
      this.#transport.violation("console-direction", what);
    }
    if (chain.writableLength > 0) {
      const bytes = this.#port.read(chain.writableLength);
      if (bytes.length === 0) {
        this.#readable = false;
        return;
      }
      this.#emit("in", bytes);
      chain.writer.write(bytes);
    }
    this.#waiting = undefined;
    this.#transport.queue(RECEIVEQ).push(chain, chain.writer.position);
  }

  /** §5.3.5.1: the low byte goes to the output. A driver that writes single bytes means the first one. */
  #emergencyWrite(byte: number): void {
    if (byte === 0) this.#out(Uint8Array.of(this.config.get("emerg_wr") & 0xff));
  }

  #out(bytes: Uint8Array): void {
    this.#emit("out", bytes);
    this.#port.write(bytes);
  }

  #emit(direction: "in" | "out", bytes: Uint8Array): void {
    const { events, name } = this.#transport;
    if (events.wants("console")) events.emit({ kind: "console", device: name, direction, bytes });
  }
}

/**
 * Most bytes of a buffer handed to the port at one moment of virtual time: a guest may lay a chain of gigabytes over
 * little memory, and the host must stay responsive.
 */
const OUTPUT_MAX = 65536;
