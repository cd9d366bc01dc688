import { hex } from "../../vm/bits.ts";
import type { Clock, Deadline } from "../../vm/bus/clock.ts";
import type { GuestMemory } from "../../vm/bus/memory.ts";
import type { EventStream, VirtioDeviceEvent } from "../../vm/events.ts";
import type { VirtioDevice, VirtioTransport } from "./device.ts";
import { FEATURE_WORDS, featureBit, FeatureSet } from "./feature_set.ts";
import { featureName, findFeature } from "./features.ts";
import { type FeatureSwitches, offeredBy } from "./offered.ts";
import { PackedQueue } from "./packed.ts";
import { type ManagedVirtqueue, type QueueHost, type QueueLayout, splitSizeMax, type Virtqueue } from "./queue.ts";
import { virtioInterrupt, virtioStatus } from "./registers.ts";
import { type VirtioRule, virtioRules } from "./rules.ts";
import { SplitQueue } from "./split.ts";

const { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, DEVICE_NEEDS_RESET, FAILED } = virtioStatus;
const DEFINED_STATUS = ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | DEVICE_NEEDS_RESET | FAILED;

/** How long a request takes unless said otherwise, in nanoseconds of virtual time. */
export const DEFAULT_LATENCY_NS = 10_000;

/** What every transport is built from. */
export interface VirtioOptions {
  /** Name on the board, e.g. `virtio0`. */
  readonly name: string;
  readonly device: VirtioDevice;
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly events: EventStream;
  /** Refuse what drivers must not do but lenient devices tolerate; default: tolerate and report. */
  readonly strict?: boolean;
  /** Virtual time from notification to completion of a request, in nanoseconds. */
  readonly latencyNs?: number;
  /** Features of transport and rings to offer or not, where it is not the default. */
  readonly switches?: FeatureSwitches;
}

/** The part of a virtio device that is the same behind every transport: status, features, queues, completions. */
export class VirtioCore implements VirtioTransport, QueueHost {
  readonly name: string;
  readonly events: EventStream;
  readonly memory: GuestMemory;
  readonly device: VirtioDevice;
  readonly legacy: boolean;
  readonly strict: boolean;
  /** What the device offers: its own features and the reserved ones of this implementation. */
  readonly offered: FeatureSet;
  readonly negotiated: FeatureSet = new FeatureSet();
  /** By index; of the format that was negotiated when they were handed over. */
  readonly queues: ManagedVirtqueue[];
  /** The device status field (virtio 1.2 §2.1). */
  status = 0;
  eventIdx = false;
  indirectDesc = false;
  notifyOnEmpty = false;
  inOrder = false;
  packed = false;
  notificationData = false;
  ringReset = false;
  #epoch = 0;
  /** What the driver wrote, word by word; in force when FEATURES_OK is accepted. */
  readonly #accepted = new FeatureSet();
  /** The driver's last write to a word above all that are defined was not zero. */
  #acceptedBeyond = false;
  /** Queues notified before DRIVER_OK: their turn comes with it. */
  readonly #notifiedEarly = new Set<number>();
  readonly #scheduled: Set<Deadline>[];
  readonly #clock: Clock;
  readonly #latencyNs: number;
  readonly #signal: (cause: number) => void;

  /** `signal` is called with a bit of `virtioInterrupt` for every notification to the driver. */
  constructor(options: VirtioOptions, legacy: boolean, signal: (cause: number) => void) {
    this.name = options.name;
    this.events = options.events;
    this.memory = options.memory;
    this.device = options.device;
    this.legacy = legacy;
    this.strict = options.strict ?? false;
    this.#clock = options.clock;
    this.#latencyNs = options.latencyNs ?? DEFAULT_LATENCY_NS;
    this.#signal = signal;
    this.offered = offeredBy(options.device, legacy, options.switches);
    this.queues = options.device.queues.map((_, index) => new SplitQueue(index, this));
    this.#scheduled = this.queues.map(() => new Set());
    this.device.attach(this);
  }

  /** Whether the device works on its queues (§2.1.2); a legacy driver need not wait for DRIVER_OK (§3.1.2). */
  get live(): boolean {
    return (this.legacy || (this.status & DRIVER_OK) !== 0) && (this.status & (DEVICE_NEEDS_RESET | FAILED)) === 0;
  }

  /** A driver's write to the device status field; zero resets. */
  writeStatus(value: number): void {
    if (value === 0) return this.reset(false);
    const from = this.status;
    const wrong = this.#statusViolations(from, value);
    for (const [rule, what] of wrong) this.violation(rule, `Status := ${hex(value, 2)}: ${what}`);
    if (this.strict && wrong.length > 0) return;
    let to = (value & DEFINED_STATUS & ~DEVICE_NEEDS_RESET) | (from & DEVICE_NEEDS_RESET);
    const added = to & ~from;
    // §2.2.2: a set the device cannot do shows as FEATURES_OK staying clear.
    if (!this.legacy && (added & FEATURES_OK) !== 0 && !this.#acceptFeatures()) to &= ~FEATURES_OK;
    this.status = to;
    if (this.events.wants("virtio")) this.#emit({ step: "status", from, to });
    if ((added & FAILED) !== 0) this.#halt();
    if ((added & DRIVER_OK) !== 0 && this.live) this.#start(to);
  }

  /** Word `index` of the offered features. */
  offeredWord(index: number): number {
    return this.offered.word(index);
  }

  /** The driver accepts `value` as word `index` of its features; only before FEATURES_OK (§3.1.1). */
  acceptWord(index: number, value: number): void {
    if (!this.legacy && (this.status & FEATURES_OK) !== 0) {
      return this.violation("features-after-ok", `word ${index} := ${hex(value, 8)} after FEATURES_OK`);
    }
    if ((this.status & DRIVER) === 0) {
      this.violation("features-early", `word ${index} := ${hex(value, 8)} before DRIVER`);
      if (this.strict) return;
    }
    if (index >= FEATURE_WORDS) this.#acceptedBeyond = value !== 0;
    else this.#accepted.words[index] = value;
    // §3.1.2: legacy negotiation has no end; what is accepted is in force.
    if (this.legacy) {
      this.#reportUnoffered();
      this.#putInForce();
    }
  }

  /** The driver hands queue `index` over; false if the rings cannot be used. */
  startQueue(index: number, layout: QueueLayout): boolean {
    const queue = this.queues[index];
    if (queue === undefined) return false;
    if (queue instanceof PackedQueue === this.packed) return queue.configure(layout);
    const other = this.packed ? new PackedQueue(index, this) : new SplitQueue(index, this);
    this.queues[index] = other;
    return other.configure(layout);
  }

  /** Most entries queue `index` can have, in the format that is negotiated; 0 if there is no such queue. */
  queueSizeMax(index: number): number {
    const sizeMax = this.device.queues[index]?.sizeMax ?? 0;
    return this.packed || sizeMax === 0 ? sizeMax : splitSizeMax(sizeMax);
  }

  newEpoch(): number {
    return ++this.#epoch;
  }

  /** The driver takes queue `index` back. */
  stopQueue(index: number): void {
    const queue = this.queues[index];
    if (queue === undefined || !queue.ready) return;
    this.#cancel(index);
    queue.stop();
    this.#notifiedEarly.delete(index);
    this.device.queueStopped?.(index);
  }

  /** An available buffer notification (virtio 1.2 §2.9): `value` is what the driver wrote. */
  notify(value: number): void {
    // §4.2.3.3: with NOTIFICATION_DATA the index has 16 bits, and the rest is where the driver will go on.
    const index = this.notificationData ? value & 0xffff : value;
    const queue = this.queues[index];
    if (queue === undefined) {
      return this.violation("notify-unknown-queue", `QueueNotify := ${hex(value)}, queues: ${this.queues.length}`);
    }
    if (this.events.wants("virtqueue")) {
      this.events.emit({ kind: "virtqueue", device: this.name, queue: index, step: "notified", value });
    }
    if ((this.status & (DEVICE_NEEDS_RESET | FAILED)) !== 0) {
      return this.violation("notify-dead-device", `queue ${index}, Status is ${hex(this.status, 2)}`);
    }
    if (!queue.ready) return this.violation("notify-stopped-queue", `queue ${index} is not ready`);
    if (this.notificationData && this.events.wants("violation")) {
      const problem = queue.notificationProblem((value >>> 16) & 0x7fff, value >>> 31);
      if (problem !== undefined) this.violation("notify-data", `QueueNotify := ${hex(value)}: ${problem}`);
    }
    if (!this.live) {
      // §2.1.2: no buffer is taken before DRIVER_OK. Drivers that notify too early work elsewhere: it is kept for then.
      this.violation("notify-before-driver-ok", `queue ${index}, Status is ${hex(this.status, 2)}`);
      if (!this.strict) this.#notifiedEarly.add(index);
      return;
    }
    this.device.process(index);
  }

  /** Device reset (virtio 1.2 §2.4), or the machine's. */
  reset(system: boolean): void {
    const from = this.status;
    this.status = 0;
    this.#halt();
    this.#accepted.clear();
    this.#acceptedBeyond = false;
    this.#putInForce();
    if (system) this.device.config.generation = 0;
    this.device.reset(system);
    if (!this.events.wants("virtio")) return;
    if (from !== 0) this.#emit({ step: "status", from, to: 0 });
    this.#emit({ step: "reset" });
  }

  queue(index: number): Virtqueue {
    const queue = this.queues[index];
    if (queue === undefined) throw new RangeError(`virtio ${this.device.name}: no queue ${index}`);
    return queue;
  }

  complete(queue: number, run: () => void): void {
    this.after(queue, this.#latencyNs, run);
  }

  after(queue: number, nanoseconds: number, run: () => void): void {
    if (this.queues[queue]?.ready !== true) return;
    const scheduled = this.#scheduled[queue]!;
    const deadline = this.#clock.after(nanoseconds, () => {
      scheduled.delete(deadline);
      run();
    });
    scheduled.add(deadline);
  }

  configChanged(): void {
    const { generation } = this.device.config;
    if (this.events.wants("virtio")) this.#emit({ step: "config-changed", generation });
    // §2.4.1: no notification after a reset until the driver has initialised the device again.
    if ((this.status & DRIVER_OK) !== 0) this.#signal(virtioInterrupt.CONFIG_CHANGE);
  }

  usedBuffer(): void {
    this.#signal(virtioInterrupt.USED_BUFFER);
  }

  request(queue: number, head: number, text: () => string): void {
    if (this.events.wants("virtio")) this.#emit({ step: "request", queue, head, text: text() });
  }

  violation(rule: VirtioRule, what: string): void {
    if (!this.events.wants("violation")) return;
    this.events.emit({ kind: "violation", device: this.name, spec: virtioRules[rule], id: rule, what });
  }

  fail(rule: VirtioRule, what: string): void {
    this.violation(rule, what);
    this.needsReset(`${rule}: ${what}`);
  }

  /** The device cannot go on: DEVICE_NEEDS_RESET (virtio 1.2 §2.1.2). */
  needsReset(reason: string): void {
    if ((this.status & DEVICE_NEEDS_RESET) !== 0) return;
    this.status |= DEVICE_NEEDS_RESET;
    this.#halt();
    if (this.events.wants("virtio")) this.#emit({ step: "needs-reset", reason });
    // §2.1.2: the driver is told by a configuration change notification, if DRIVER_OK is set.
    if ((this.status & DRIVER_OK) !== 0) this.#signal(virtioInterrupt.CONFIG_CHANGE);
  }

  /** What is wrong with writing `to` to a status of `from`, as `[rule, what]`. */
  #statusViolations(from: number, to: number): [VirtioRule, string][] {
    const wrong: [VirtioRule, string][] = [];
    const undefinedBits = to & ~DEFINED_STATUS | (to & DEVICE_NEEDS_RESET & ~from);
    if (undefinedBits !== 0) wrong.push(["status-undefined", `bits ${hex(undefinedBits)} are not the driver's`]);
    const cleared = from & ~to & ~DEVICE_NEEDS_RESET;
    if (cleared !== 0) wrong.push(["status-cleared", `bits ${hex(cleared)} were set`]);
    if ((from & FAILED) !== 0) wrong.push(["status-after-failed", "FAILED is set, only a reset is left"]);
    const added = to & ~from & DEFINED_STATUS & ~(FAILED | DEVICE_NEEDS_RESET);
    const needs: [number, number, string][] = [
      [DRIVER, ACKNOWLEDGE, "DRIVER before ACKNOWLEDGE"],
      [FEATURES_OK, DRIVER, "FEATURES_OK before DRIVER"],
      [DRIVER_OK, this.legacy ? DRIVER : FEATURES_OK, `DRIVER_OK before ${this.legacy ? "DRIVER" : "FEATURES_OK"}`],
    ];
    for (const [bit, before, what] of needs) {
      if ((added & bit) !== 0 && (from & before) === 0) wrong.push(["status-order", what]);
    }
    if (this.legacy && (added & FEATURES_OK) !== 0) {
      wrong.push(["status-features-ok-legacy", "FEATURES_OK does not exist in the legacy interface"]);
    }
    return wrong;
  }

  /** Decides on FEATURES_OK (§2.2.2, §6.1). */
  #acceptFeatures(): boolean {
    const { device } = this;
    let ok = this.#reportUnoffered();
    for (const bit of this.#accepted.bits()) {
      for (const choice of findFeature(device.id, bit)?.requires ?? []) {
        if (choice.some((name) => this.#accepted.has(featureBit(device.id, name)))) continue;
        ok = false;
        this.violation("feature-dependency", `${featureName(device.id, bit)} requires ${choice.join(" or ")}`);
      }
    }
    if (!this.#accepted.has(VERSION_1)) {
      this.violation("feature-version-1", "VIRTIO_F_VERSION_1 is offered and was not accepted");
      if (this.strict) ok = false;
    }
    const refusal = ok ? device.featuresAccepted?.(this.#accepted) : undefined;
    if (refusal !== undefined) {
      ok = false;
      this.violation("feature-refused", refusal);
    }
    if (ok) this.#putInForce();
    this.#emitFeatures(ok);
    return ok;
  }

  /** Reports accepted bits that were not offered (§2.2.1); whether there were none. */
  #reportUnoffered(): boolean {
    const extra = this.#accepted.without(this.offered).map((bit) => featureName(this.device.id, bit));
    if (this.#acceptedBeyond) extra.push(`bits above ${FEATURE_WORDS * 32 - 1}`);
    if (extra.length > 0) this.violation("feature-not-offered", `accepted without being offered: ${extra.join(", ")}`);
    return extra.length === 0;
  }

  /** Makes what is both offered and accepted what device and queues go by. */
  #putInForce(): void {
    this.negotiated.setToCommon(this.offered, this.#accepted);
    this.eventIdx = this.negotiated.has(EVENT_IDX);
    this.indirectDesc = this.negotiated.has(INDIRECT_DESC);
    this.notifyOnEmpty = this.negotiated.has(NOTIFY_ON_EMPTY);
    this.inOrder = this.negotiated.has(IN_ORDER);
    this.packed = this.negotiated.has(RING_PACKED);
    this.notificationData = this.negotiated.has(NOTIFICATION_DATA);
    this.ringReset = this.negotiated.has(RING_RESET);
  }

  #emitFeatures(ok: boolean): void {
    if (!this.events.wants("virtio")) return;
    const accepted = this.#accepted.toBigInt();
    this.#emit({ step: "features", offered: this.offered.toBigInt(), accepted, ok });
  }

  #start(status: number): void {
    if (this.legacy) this.#emitFeatures(true);
    // A driver that skipped or lost FEATURES_OK is told so above; what it may use is still only what was offered.
    else if ((status & FEATURES_OK) === 0) this.#putInForce();
    this.device.start();
    for (const index of [...this.#notifiedEarly]) this.device.process(index);
    this.#notifiedEarly.clear();
  }

  /** Stops everything that goes on by itself; only a reset leads out. */
  #halt(): void {
    for (const queue of this.queues) this.stopQueue(queue.index);
    this.#notifiedEarly.clear();
  }

  #cancel(queue: number): void {
    for (const deadline of this.#scheduled[queue]!) this.#clock.cancel(deadline);
    this.#scheduled[queue]!.clear();
  }

  #emit(step: VirtioStep): void {
    this.events.emit({ kind: "virtio", device: this.name, ...step });
  }
}

const VERSION_1 = featureBit(0, "VIRTIO_F_VERSION_1");
const EVENT_IDX = featureBit(0, "VIRTIO_F_EVENT_IDX");
const INDIRECT_DESC = featureBit(0, "VIRTIO_F_INDIRECT_DESC");
const NOTIFY_ON_EMPTY = featureBit(0, "VIRTIO_F_NOTIFY_ON_EMPTY");
const IN_ORDER = featureBit(0, "VIRTIO_F_IN_ORDER");
const RING_PACKED = featureBit(0, "VIRTIO_F_RING_PACKED");
const NOTIFICATION_DATA = featureBit(0, "VIRTIO_F_NOTIFICATION_DATA");
const RING_RESET = featureBit(0, "VIRTIO_F_RING_RESET");

/** What a life cycle event says beside whose it is. */
type VirtioStep = VirtioDeviceEvent extends infer E ? E extends unknown ? Omit<E, "kind" | "device"> : never : never;
