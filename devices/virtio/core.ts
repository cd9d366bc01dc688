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
import { statusText, virtioInterrupt, virtioStatus } from "./registers.ts";
import { type VirtioRule, virtioRules } from "./rules.ts";
import { SplitQueue } from "./split.ts";
import { DEFINED_STATUS, statusViolations } from "./status.ts";

const { DRIVER, DRIVER_OK, FEATURES_OK, SUSPEND, DEVICE_NEEDS_RESET, FAILED } = virtioStatus;

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
  /** The driver has set SUSPEND, and the device finishes what it has begun (virtio 1.4 §3.4.2). */
  #suspending = false;
  /** Completions that were asked for while the device is suspended, and whether its configuration has changed since. */
  #deferred: { readonly queue: number; readonly run: () => void }[] = [];
  #changed = false;
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

  /** Whether the device takes new buffers: not while it is getting ready to be suspended. */
  get taking(): boolean {
    return this.live && !this.#suspending;
  }

  /** Whether the driver has suspended the device (virtio 1.4 §3.4). */
  get suspended(): boolean {
    return (this.status & SUSPEND) !== 0;
  }

  /** A driver's write to the device status field; zero resets. */
  writeStatus(value: number): void {
    if (value === 0) return this.reset(false);
    const from = this.status;
    const suspend = this.negotiated.has(F_SUSPEND);
    const wrong = statusViolations(from, value, { legacy: this.legacy, suspend });
    for (const [rule, what] of wrong) this.violation(rule, `Status := ${hex(value, 2)}: ${what}`);
    if (this.strict && wrong.length > 0) return;
    if (this.suspended && (value & DRIVER_OK) !== 0) return this.#resume();
    // Virtio 1.4 §3.4.2: SUSPEND is ignored until the device is initialised. It shows when the device is suspended.
    const suspends = (value & SUSPEND) !== 0 && suspend && (from & DRIVER_OK) !== 0;
    const kept = DEVICE_NEEDS_RESET | SUSPEND | (suspends ? DRIVER_OK : 0);
    let to = (value & DEFINED_STATUS & ~kept) | (from & kept);
    const added = to & ~from;
    // §2.2.2: a set the device cannot do shows as FEATURES_OK staying clear.
    if (!this.legacy && (added & FEATURES_OK) !== 0 && !this.#acceptFeatures()) to &= ~FEATURES_OK;
    this.#setStatus(to);
    if (suspends && this.live && !this.#suspending) this.#suspend();
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
    const { sizeMax = 0, feature } = this.device.queues[index] ?? {};
    if (feature !== undefined && !this.negotiated.has(feature)) return 0;
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
    // What a device that is to be suspended has begun may be gone with the queue.
    if (this.#suspending) this.#suspendWhenIdle();
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
      return this.violation("notify-dead-device", `queue ${index}, Status is ${statusText(this.status)}`);
    }
    if (this.#suspending || this.suspended) {
      return this.violation("suspend-notify", `queue ${index}, Status is ${statusText(this.status)}`);
    }
    if (!queue.ready) return this.violation("notify-stopped-queue", `queue ${index} is not ready`);
    if (this.notificationData && this.events.wants("violation")) {
      const problem = queue.notificationProblem((value >>> 16) & 0x7fff, value >>> 31);
      if (problem !== undefined) this.violation("notify-data", `QueueNotify := ${hex(value)}: ${problem}`);
    }
    if (!this.live) {
      // §2.1.2: no buffer is taken before DRIVER_OK. Drivers that notify too early work elsewhere: it is kept for then.
      this.violation("notify-before-driver-ok", `queue ${index}, Status is ${statusText(this.status)}`);
      if (!this.strict) this.#notifiedEarly.add(index);
      return;
    }
    queue.notified();
    this.device.process(index);
  }

  /** Device reset (virtio 1.2 §2.4), or the machine's. */
  reset(system: boolean): void {
    const from = this.status;
    this.status = 0;
    this.#halt();
    this.device.config.thaw();
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
    if (this.suspended) {
      this.#deferred.push({ queue, run: () => this.after(queue, nanoseconds, run) });
      return;
    }
    const scheduled = this.#scheduled[queue]!;
    const deadline = this.#clock.after(nanoseconds, () => {
      scheduled.delete(deadline);
      run();
      if (this.#suspending) this.#suspendWhenIdle();
    });
    scheduled.add(deadline);
  }

  configChanged(): void {
    if (this.suspended) {
      this.#changed = true;
      return;
    }
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
    // §6.2: a device may refuse to go on; QEMU's and Linux's do where an IOMMU stands between.
    if (this.offered.has(ACCESS_PLATFORM) && !this.#accepted.has(ACCESS_PLATFORM)) {
      this.violation("feature-access-platform", "VIRTIO_F_ACCESS_PLATFORM is offered and was not accepted");
      if (this.strict) ok = false;
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

  /**
   * Virtio 1.4 §3.4.2: no buffer is taken any more; those that are being worked on are used first, and the driver is
   * notified of them. Then SUSPEND shows.
   */
  #suspend(): void {
    this.#suspending = true;
    this.#suspendWhenIdle();
  }

  #suspendWhenIdle(): void {
    if (this.#scheduled.some((deadlines) => deadlines.size > 0)) return;
    this.#suspending = false;
    this.device.config.freeze();
    this.#setStatus(this.status & ~DRIVER_OK | SUSPEND);
  }

  /** Virtio 1.4 §3.4: goes on where it was suspended, with what the driver has made available before. */
  #resume(): void {
    this.device.config.thaw();
    this.#setStatus(this.status & ~SUSPEND | DRIVER_OK);
    if (!this.live) {
      // §2.1.2: a device that broke meanwhile could not tell.
      if ((this.status & DEVICE_NEEDS_RESET) !== 0) this.#signal(virtioInterrupt.CONFIG_CHANGE);
      return;
    }
    if (this.#changed) this.configChanged();
    this.#changed = false;
    for (const later of this.#deferred.splice(0)) later.run();
    for (const queue of this.queues) if (queue.ready) this.device.process(queue.index);
  }

  #setStatus(to: number): void {
    const from = this.status;
    this.status = to;
    if (this.events.wants("virtio")) this.#emit({ step: "status", from, to });
  }

  /** Stops everything that goes on by itself; only a reset leads out. */
  #halt(): void {
    this.#suspending = this.#changed = false;
    this.#deferred = [];
    for (const queue of this.queues) this.stopQueue(queue.index);
    this.#notifiedEarly.clear();
  }

  #cancel(queue: number): void {
    for (const deadline of this.#scheduled[queue]!) this.#clock.cancel(deadline);
    this.#scheduled[queue]!.clear();
    this.#deferred = this.#deferred.filter((one) => one.queue !== queue);
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
const ACCESS_PLATFORM = featureBit(0, "VIRTIO_F_ACCESS_PLATFORM");
const F_SUSPEND = featureBit(0, "VIRTIO_F_SUSPEND");
const RING_RESET = featureBit(0, "VIRTIO_F_RING_RESET");

/** What a life cycle event says beside whose it is. */
type VirtioStep = VirtioDeviceEvent extends infer E ? E extends unknown ? Omit<E, "kind" | "device"> : never : never;
