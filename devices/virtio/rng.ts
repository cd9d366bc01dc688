import type { Chain } from "./chain.ts";
import { ConfigSpace } from "./config.ts";
import type { QueueDef, VirtioDevice, VirtioTransport } from "./device.ts";
import { FeatureSet } from "./feature_set.ts";
import { Prng } from "./prng.ts";

/** Most bytes given per buffer; a device may give less than there is room for (virtio 1.2 §5.4.6.2). */
const BYTES_MAX = 65536;

/** How an entropy device is built. */
export interface RngOptions {
  /** Where a reproducible sequence starts; default 0. */
  readonly seed?: number;
  /** Fills a buffer with random bytes of the host instead; a run is then not reproducible. */
  readonly source?: (target: Uint8Array) => void;
  /** QueueNumMax of its queue; default 64. */
  readonly queueSize?: number;
}

/** Entropy device (virtio 1.2 §5.4). */
export class VirtioRng implements VirtioDevice {
  readonly id = 4;
  readonly name = "rng";
  readonly features: FeatureSet = new FeatureSet();
  /** One queue, `requestq`. */
  readonly queues: readonly QueueDef[];
  /** It has no fields. */
  readonly config: ConfigSpace = new ConfigSpace([]);
  readonly #seed: number;
  readonly #prng: Prng;
  readonly #fill: (target: Uint8Array) => void;
  #transport!: VirtioTransport;

  /** An entropy device; without options its bytes are the same in every run. */
  constructor(options: RngOptions = {}) {
    this.queues = [{ name: "requestq", sizeMax: options.queueSize ?? 64 }];
    this.#seed = options.seed ?? 0;
    this.#prng = new Prng(this.#seed);
    this.#fill = options.source ?? ((target) => this.#prng.fill(target));
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  start(): void {}

  process(index: number): void {
    const queue = this.#transport.queue(index);
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const taken = chain;
      if (taken.readableLength > 0) {
        const what = `${taken.name}: ${taken.readableLength} device-readable bytes in the requestq`;
        this.#transport.violation("rng-direction", what);
      }
      this.#transport.request(index, taken.head, () => `${taken.writableLength} bytes`);
      this.#transport.complete(index, () => this.#give(index, taken));
    }
  }

  reset(system: boolean): void {
    if (system) this.#prng.seed(this.#seed);
  }

  #give(index: number, chain: Chain): void {
    const { writer } = chain;
    for (let view = writer.next(BYTES_MAX); view !== undefined;) {
      this.#fill(view);
      view = writer.next(BYTES_MAX - writer.position);
    }
    this.#transport.queue(index).push(chain, writer.position);
  }
}
