/**
 * Chaos: the same devices, legal but hostile. A device type is wrapped (`ChaosDevice`), and so is what it asks of its
 * transport (`ChaosTransport`) and the register file before both (`ChaosMmio`); none of them knows. What is done, and
 * when, comes from a seed and is told as `chaos` events. Loaded only where it is asked for.
 */
import type { Clock } from "../../vm/bus/clock.ts";
import type { AccessSize } from "../../vm/bus/device.ts";
import type { IrqLine } from "../../vm/bus/irq.ts";
import type { EventStream } from "../../vm/events.ts";
import type { Chain } from "./chain.ts";
import { type ChaosKind, type ChaosSettings, Dice } from "./chaos_kinds.ts";
import { chaosFeatures } from "./chaos_offer.ts";
import type { ConfigSpace } from "./config.ts";
import { DEFAULT_LATENCY_NS, type VirtioCore } from "./core.ts";
import type { QueueDef, SharedMemory, VirtioDevice, VirtioTransport } from "./device.ts";
import type { FeatureSet } from "./feature_set.ts";
import { deviceType, featureName } from "./features.ts";
import { VirtioMmio, type VirtioMmioOptions } from "./mmio.ts";
import { offeredBy } from "./offered.ts";
import type { Virtqueue } from "./queue.ts";
import { virtioMmioConfigOffset, virtioMmioOffset, virtioStatus } from "./registers.ts";
import type { VirtioRule } from "./rules.ts";

/** Device types that may give less than there is room for: the entropy device (virtio 1.2 §5.4.6.2). */
const GIVES_LESS: ReadonlySet<number> = new Set([4]);

/** How often a driver's life meets a changing configuration: one that reads again until it is stable comes to an end. */
const CONFIG_CHANGES_MAX = 6;

/** How often a device gives up between two resets of the machine, at most. */
const GIVES_UP_MAX = 2;

/** What one device has of it: the dice, and how much is still to come. */
class DeviceChaos {
  readonly #settings: ChaosSettings;
  readonly #slot: number;
  readonly #dice = new Map<ChaosKind, Dice>();
  /** The transport, once it is there. */
  core!: VirtioCore;
  /** The device type behind it all. */
  device!: VirtioDevice;
  #clock!: Clock;
  #irq!: IrqLine;
  #causes: () => number = () => 0;
  /** The transport's latency in nanoseconds; never 0, so that there is something to vary. */
  readonly latencyNs: number;
  /** Changes of the configuration left in this life of the driver. */
  configChanges: number = CONFIG_CHANGES_MAX;
  /** Completions until the device gives up, by turns; empty when it does not any more. */
  #givesUp: number[] = [];

  constructor(settings: ChaosSettings, slot: number, latencyNs: number) {
    this.#settings = settings;
    this.#slot = slot;
    this.latencyNs = Math.max(latencyNs, 1000);
    this.reset();
  }

  /** The machine is reset: everything begins again. */
  reset(): void {
    this.#dice.forEach((dice) => dice.reset());
    this.configChanges = CONFIG_CHANGES_MAX;
    const dice = this.dice("needs_reset");
    this.#givesUp = Array.from({ length: dice.below(GIVES_UP_MAX + 1) }, (_, i) => 1 + dice.below(16 << (2 * i)));
  }

  /** The transport is there; `causes` reads its InterruptStatus. */
  bind(core: VirtioCore, options: VirtioMmioOptions, causes: () => number): void {
    this.core = core;
    ({ device: this.device, clock: this.#clock, irq: this.#irq } = options);
    this.#causes = causes;
  }

  /** Virtual time in nanoseconds. */
  get now(): number {
    return this.#clock.now * 100 / this.#clock.stepsPerTick;
  }

  /** An interrupt that is gone before anybody can ask for its cause. */
  pulse(): void {
    if (this.#causes() !== 0) return;
    this.#irq.set(true);
    this.#irq.set(false);
  }

  on(kind: ChaosKind): boolean {
    return this.#settings.kinds.has(kind);
  }

  dice(kind: ChaosKind): Dice {
    let dice = this.#dice.get(kind);
    if (dice === undefined) this.#dice.set(kind, dice = new Dice(this.#settings.seed, this.#slot, kind));
    return dice;
  }

  features(device: VirtioDevice): FeatureSet {
    return chaosFeatures(device, this.#settings, this.#slot);
  }

  /** Whether the device gives up before this completion. */
  givesUp(): boolean {
    if (!this.on("needs_reset") || this.#givesUp.length === 0 || --this.#givesUp[0]! > 0) return false;
    this.#givesUp.shift();
    return true;
  }

  tell(kind: ChaosKind, text: () => string): void {
    const { events, name } = this.core;
    if (events.wants("virtio")) events.emit({ kind: "virtio", device: name, step: "chaos", chaos: kind, text: text() });
  }
}

/** A device type whose transport is chaotic, and which offers less than it could. */
class ChaosDevice implements VirtioDevice {
  readonly id: number;
  readonly name: string;
  readonly features: FeatureSet;
  readonly queues: readonly QueueDef[];
  readonly config: ConfigSpace;
  readonly sharedMemory: readonly SharedMemory[];
  readonly #device: VirtioDevice;
  readonly #chaos: DeviceChaos;

  constructor(device: VirtioDevice, chaos: DeviceChaos) {
    this.#device = device;
    this.#chaos = chaos;
    ({ id: this.id, name: this.name, queues: this.queues, config: this.config } = device);
    this.sharedMemory = device.sharedMemory ?? [];
    this.features = chaos.features(device);
  }

  attach(transport: VirtioTransport): void {
    this.#device.attach(new ChaosTransport(transport, this.#chaos, GIVES_LESS.has(this.id)));
  }

  featuresAccepted(accepted: FeatureSet): string | undefined {
    return this.#device.featuresAccepted?.(accepted);
  }

  start(): void {
    this.#device.start();
  }

  process(queue: number): void {
    this.#device.process(queue);
  }

  queueStopped(queue: number): void {
    this.#device.queueStopped?.(queue);
  }

  reset(system: boolean): void {
    this.#chaos.configChanges = CONFIG_CHANGES_MAX;
    this.#device.reset(system);
  }
}

/** What a device type asks of its transport, done at another time. */
class ChaosTransport implements VirtioTransport {
  readonly name: string;
  readonly events: EventStream;
  readonly legacy: boolean;
  readonly negotiated: FeatureSet;
  readonly #inner: VirtioTransport;
  readonly #chaos: DeviceChaos;
  readonly #givesLess: boolean;
  /** When the last completion is due, for those that keep their order. */
  #last = 0;

  constructor(inner: VirtioTransport, chaos: DeviceChaos, givesLess: boolean) {
    this.#inner = inner;
    this.#chaos = chaos;
    this.#givesLess = givesLess && chaos.on("short");
    ({ name: this.name, events: this.events, legacy: this.legacy, negotiated: this.negotiated } = inner);
  }

  queue(index: number): Virtqueue {
    const queue = this.#inner.queue(index);
    return this.#givesLess ? new ShortQueue(queue, this.#chaos) : queue;
  }

  complete(queue: number, run: () => void): void {
    const chaos = this.#chaos;
    const delay = this.#delay(queue);
    this.#inner.after(queue, delay, run);
    if (chaos.on("spurious") && chaos.dice("spurious").oneIn(4)) {
      this.#inner.after(queue, chaos.dice("spurious").below(3 * chaos.latencyNs), () => this.#spurious());
    }
    if (!this.legacy && chaos.givesUp()) {
      // Some time before the buffer would be used: what is in flight is lost.
      this.#inner.after(queue, chaos.dice("needs_reset").below(delay + 1), () => {
        chaos.tell("needs_reset", () => "the device gives up");
        chaos.core.needsReset("chaos");
      });
    }
  }

  after(queue: number, nanoseconds: number, run: () => void): void {
    this.#inner.after(queue, nanoseconds, run);
  }

  configChanged(): void {
    this.#inner.configChanged();
  }

  request(queue: number, head: number, text: () => string): void {
    this.#inner.request(queue, head, text);
  }

  violation(rule: VirtioRule, what: string): void {
    this.#inner.violation(rule, what);
  }

  fail(rule: VirtioRule, what: string): void {
    this.#inner.fail(rule, what);
  }

  /** How many nanoseconds a completion takes. */
  #delay(queue: number): number {
    const chaos = this.#chaos;
    const { latencyNs } = chaos;
    const now = chaos.now;
    let delay = latencyNs;
    const tell = (kind: ChaosKind): void => {
      const told = delay;
      chaos.tell(kind, () => `queue ${queue}: a buffer is used in ${told} ns`);
    };
    if (chaos.on("reorder") && chaos.dice("reorder").oneIn(2)) {
      delay = Math.ceil(latencyNs / 8) + chaos.dice("reorder").below(4 * latencyNs);
      tell("reorder");
    }
    if (chaos.on("late") && chaos.dice("late").oneIn(16)) {
      delay += latencyNs * (1 + chaos.dice("late").below(200));
      tell("late");
    }
    if (chaos.on("burst") && !chaos.dice("burst").oneIn(4)) {
      // All that is due within a stretch of time is due at its end.
      const stretch = 8 * latencyNs;
      const due = Math.ceil((now + delay) / stretch) * stretch;
      if (due !== now + delay) {
        delay = due - now;
        tell("burst");
      }
    }
    if (!chaos.on("reorder")) delay = Math.max(delay, this.#last - now);
    this.#last = now + delay;
    return delay;
  }

  /** Either the notification of a used buffer that is none, or an interrupt whose cause is gone when it is looked for. */
  #spurious(): void {
    const chaos = this.#chaos;
    if ((chaos.core.status & virtioStatus.DRIVER_OK) === 0) return;
    const named = chaos.dice("spurious").oneIn(2);
    chaos.tell("spurious", () => named ? "used buffer notification without a buffer" : "interrupt without a cause");
    if (named) chaos.core.usedBuffer();
    else chaos.pulse();
  }
}

/** A queue whose buffers come back with less in them than was written. */
class ShortQueue implements Virtqueue {
  readonly #inner: Virtqueue;
  readonly #chaos: DeviceChaos;

  constructor(inner: Virtqueue, chaos: DeviceChaos) {
    this.#inner = inner;
    this.#chaos = chaos;
  }

  get index(): number {
    return this.#inner.index;
  }

  get ready(): boolean {
    return this.#inner.ready;
  }

  get inFlight(): number {
    return this.#inner.inFlight;
  }

  pop(): Chain | undefined {
    return this.#inner.pop();
  }

  /** §5.4.6.2: at least one byte. §2.7.8.2: the device may have written more than it says. */
  push(chain: Chain, written: number): void {
    const dice = this.#chaos.dice("short");
    const given = written > 1 && dice.oneIn(2) ? 1 + dice.below(written) : written;
    if (given < written) {
      this.#chaos.tell("short", () => `queue ${this.index}: ${given} of ${written} bytes for ${chain.head}`);
    }
    this.#inner.push(chain, given);
  }

  suppressNotifications(suppressed: boolean): void {
    this.#inner.suppressNotifications(suppressed);
  }
}

/** The register file of a chaotic device. */
class ChaosMmio extends VirtioMmio {
  readonly #chaos: DeviceChaos;
  /** What the device offers, and has not been told yet: nobody listens while a machine is built. */
  #untold: boolean = true;

  constructor(options: VirtioMmioOptions, chaos: DeviceChaos) {
    super({ ...options, device: new ChaosDevice(options.device, chaos) });
    this.#chaos = chaos;
    chaos.bind(this.core, options, () => this.#causes());
  }

  override read(offset: number, size: AccessSize): number {
    if (this.#untold) this.#tellOffer();
    const value = super.read(offset, size);
    return offset < virtioMmioConfigOffset ? value : this.#readConfig(offset - virtioMmioConfigOffset, size, value);
  }

  override write(offset: number, size: AccessSize, value: number): number {
    if (this.#untold) this.#tellOffer();
    return super.write(offset, size, value);
  }

  override reset(): void {
    super.reset();
    this.#chaos.reset();
    this.#untold = true;
  }

  #causes(): number {
    return super.read(virtioMmioOffset("InterruptStatus"), 4);
  }

  /**
   * A configuration that changes while it is read. The first half of a field of 64 bits reads what it was, and then it
   * becomes what it is: a driver that does not ask for the generation again has half of each (§2.5.1). For any other
   * field the generation goes on, as if another field of the same structure had changed and changed back.
   */
  #readConfig(offset: number, size: AccessSize, value: number): number {
    const chaos = this.#chaos;
    const { config } = this.core.device;
    const field = config.fieldAt(offset);
    // Legacy devices have no generation, and drivers no way to know.
    if (this.legacy || field === undefined || !chaos.on("config") || chaos.configChanges === 0) return value;
    const half = field.size === 8 && field.offset === offset && size === 4;
    if (!chaos.dice("config").oneIn(half ? 2 : 8)) return value;
    chaos.configChanges--;
    const before = half ? (value ^ (1 << chaos.dice("config").below(32))) >>> 0 : value;
    chaos.tell(
      "config",
      () =>
        half
          ? `${field.name} changes between the reads of its halves, was ${before} in the low one`
          : `the configuration changes after the read of ${field.name}`,
    );
    config.generation = (config.generation + 1) >>> 0;
    this.core.configChanged();
    return before;
  }

  #tellOffer(): void {
    this.#untold = false;
    const chaos = this.#chaos;
    const { device, offered } = this.core;
    const usual = offeredBy(chaos.device, this.legacy);
    const names = (bits: readonly number[]): string => bits.map((bit) => featureName(device.id, bit)).join(", ");
    const more = offered.without(usual);
    const less = usual.without(offered);
    if (chaos.on("features")) {
      if (less.length > 0) chaos.tell("features", () => `not offered: ${names(less)}`);
      if (more.length > 0) chaos.tell("features", () => `offered: ${names(more)}`);
    }
    if (chaos.on("queue_size")) {
      const sizes = device.queues.map(({ name, sizeMax }) => `${name} ${sizeMax}`).join(", ");
      chaos.tell("queue_size", () => `at most so many entries: ${sizes}`);
    }
    if (chaos.on("slots")) chaos.tell("slots", () => `${deviceType(device.id)?.short ?? device.id} is in ${this.name}`);
  }
}

/** Makes the transport of the device in `slot`. */
export function chaosTransport(settings: ChaosSettings, slot: number): (options: VirtioMmioOptions) => VirtioMmio {
  return (options) => new ChaosMmio(options, new DeviceChaos(settings, slot, options.latencyNs ?? DEFAULT_LATENCY_NS));
}
