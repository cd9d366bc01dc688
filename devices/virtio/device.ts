import type { EventStream } from "../../vm/events.ts";
import type { ConfigSpace } from "./config.ts";
import type { FeatureSet } from "./feature_set.ts";
import type { Virtqueue } from "./queue.ts";
import type { VirtioRule } from "./rules.ts";

/** A queue of a device type. */
export interface QueueDef {
  /** The specification's name for it, e.g. `requestq`. */
  readonly name: string;
  /** Most entries it takes, 1 to 32768 (virtio 1.2 §2.7, §2.8); a split one has at most the power of two below. */
  readonly sizeMax: number;
  /** Feature bit without which there is no such queue; absent for queues that always are. */
  readonly feature?: number;
}

/** A stretch of memory that a device type shares with its driver (virtio 1.2 §2.10); the machine says where it is. */
export interface SharedMemory {
  /** Its number, whose meaning is the device type's. */
  readonly shmid: number;
  /** What is in it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * A device type (virtio 1.2 §5): what is behind a transport. It knows buffers and configuration fields, never an
 * address, an interrupt line or the host it runs on.
 *
 * Life: `attach` once, then per driver `featuresAccepted` (modern only), `start`, `process` for every notification, and
 * `reset`. A legacy driver may use queues before `start` (virtio 1.2 §3.1.2), so `process` must not depend on it.
 */
export interface VirtioDevice {
  /** DeviceID. */
  readonly id: number;
  /** Short name, as in the table of device types. */
  readonly name: string;
  /** The device type's own feature bits it offers; the transport adds the reserved ones. */
  readonly features: FeatureSet;
  /** By queue index. */
  readonly queues: readonly QueueDef[];
  /** Its configuration space; without fields where the type has none. */
  readonly config: ConfigSpace;
  /** Its shared memory regions; absent: none. */
  readonly sharedMemory?: readonly SharedMemory[];
  /** The transport, before anything else. */
  attach(transport: VirtioTransport): void;
  /** The driver set FEATURES_OK with a valid subset: why the device cannot do that combination, if it cannot. */
  featuresAccepted?(accepted: FeatureSet): string | undefined;
  /** DRIVER_OK is set: the device is live. */
  start(): void;
  /** Queue `queue` may have new buffers. */
  process(queue: number): void;
  /** Queue `queue` was stopped: its chains are gone. */
  queueStopped?(queue: number): void;
  /** The driver reset the device, or the machine was reset (`system`). Everything scheduled is already cancelled. */
  reset(system: boolean): void;
}

/** What a device type may ask of its transport. */
export interface VirtioTransport {
  /** The device's name in events, e.g. `virtio0`. */
  readonly name: string;
  /** For facts that only the device type knows, such as console bytes. */
  readonly events: EventStream;
  /** Whether the driver uses the legacy interface. */
  readonly legacy: boolean;
  /** The features in force: offered and accepted. */
  readonly negotiated: FeatureSet;
  /** Queue `index`, one of those in `VirtioDevice.queues`; throws a `RangeError` for another. */
  queue(index: number): Virtqueue;
  /**
   * Calls `run` when a request of queue `queue` is complete: after the device's latency of virtual time, and not at
   * all if queue or device are stopped before. Requests of one device complete in the order they were scheduled.
   */
  complete(queue: number, run: () => void): void;
  /** Calls `run` `nanoseconds` of virtual time from now, unless queue `queue` or the device are stopped before. */
  after(queue: number, nanoseconds: number, run: () => void): void;
  /** Sends a configuration change notification (virtio 1.2 §3.2.1); the device has changed its fields before. */
  configChanged(): void;
  /** Tells what a request asks for. */
  request(queue: number, head: number, text: () => string): void;
  /** The guest broke `rule`; it goes on. */
  violation(rule: VirtioRule, what: string): void;
  /** The guest broke `rule` so that the device cannot go on: DEVICE_NEEDS_RESET (virtio 1.2 §2.1.2). */
  fail(rule: VirtioRule, what: string): void;
}
