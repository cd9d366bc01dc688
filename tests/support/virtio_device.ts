/** A device type for tests of transport and queues: it keeps what it takes until the test gives it back. */
import type { Chain } from "../../devices/virtio/chain.ts";
import { type ConfigField, ConfigSpace } from "../../devices/virtio/config.ts";
import type { QueueDef, VirtioDevice, VirtioTransport } from "../../devices/virtio/device.ts";
import { FeatureSet } from "../../devices/virtio/feature_set.ts";
import { TestDriver, type TestDriverOptions } from "./virtio_driver.ts";

const FIELDS: readonly ConfigField[] = [
  { name: "wide", offset: 0, size: 8 },
  { name: "word", offset: 8, size: 4, writable: true },
  { name: "half", offset: 12, size: 2 },
  { name: "byte", offset: 14, size: 1, writable: true, anytime: true },
  { name: "never", offset: 16, size: 4, feature: 7 },
];

/** Takes everything at once and holds it. DeviceID 63, two queues of at most 16, features 0 and 1. */
export class HoldingDevice implements VirtioDevice {
  readonly id = 63;
  readonly name = "test";
  readonly features: FeatureSet;
  readonly queues: readonly QueueDef[];
  readonly config: ConfigSpace = new ConfigSpace(FIELDS);
  transport!: VirtioTransport;
  readonly held: Chain[] = [];
  /** Calls of the transport, in order. */
  readonly calls: string[] = [];
  /** Whether `process` takes buffers. */
  taking = true;
  refuse: string | undefined;

  constructor(options: { features?: readonly number[]; sizeMax?: number } = {}) {
    this.features = new FeatureSet(options.features ?? [0, 1]);
    const sizeMax = options.sizeMax ?? 16;
    this.queues = [{ name: "first", sizeMax }, { name: "second", sizeMax }];
  }

  attach(transport: VirtioTransport): void {
    this.transport = transport;
  }

  featuresAccepted(): string | undefined {
    return this.refuse;
  }

  start(): void {
    this.calls.push("start");
  }

  process(index: number): void {
    this.calls.push(`process ${index}`);
    const queue = this.transport.queue(index);
    if (!this.taking) return;
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) this.held.push(chain);
  }

  queueStopped(index: number): void {
    this.calls.push(`stopped ${index}`);
  }

  reset(system: boolean): void {
    this.calls.push(system ? "system reset" : "reset");
    this.held.length = 0;
  }

  /** Gives the oldest chain of queue `index` back. */
  use(written = 0, index = 0): void {
    this.transport.queue(index).push(this.held.shift()!, written);
  }
}

/** A holding device and its driver. */
export function holdingDriver(options: TestDriverOptions = {}): { d: TestDriver; device: HoldingDevice } {
  const device = new HoldingDevice();
  return { d: new TestDriver(device, options), device };
}
