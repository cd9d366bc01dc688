/**
 * The driver checker: reads the facts of a run, compares what the guest's drivers do with the rules of the VIRTIO
 * specification, and keeps what it finds. It never stops the guest and never looks into a device.
 *
 * @example
 * ```ts
 * import { EventStream } from "../events.ts";
 * import { Checker } from "./checker.ts";
 * const events = new EventStream();
 * const checker = new Checker();
 * checker.attach(events);
 * events.emit({ kind: "violation", device: "virtio0", spec: "virtio 1.2 §2.1.1", id: "status-cleared", what: "bits 0x1" });
 * if (checker.findings.list[0]?.rule.statement !== "basic002") throw new Error("rule changed");
 * ```
 */
import type { CapturedStack } from "../debug/captured_stack.ts";
import { virtioStatus } from "../../devices/virtio/registers.ts";
import { findRegister, type RegisterDef } from "../bus/register.ts";
import type {
  EventDevice,
  EventStream,
  IrqEvent,
  MmioEvent,
  ViolationEvent,
  VirtioDeviceEvent,
  VirtqueueEvent,
  Where,
} from "../events.ts";
import { type About, Drawings } from "./drawings.ts";
import { hasFeature } from "./feature_bits.ts";
import { type Finding, Findings } from "./finding.ts";
import type { GuestView } from "./guest_view.ts";
import { type Access, History } from "./history.ts";
import { MemoryWatch } from "./memory.ts";
import { Negotiation } from "./negotiation.ts";
import { PlicWatch } from "./plic.ts";
import { QueueWatch } from "./queues.ts";
import { RegisterWatch } from "./registers.ts";
import { checkRequest } from "./requests.ts";
import { type Occasion, type Profile, reports, type Rule } from "./rule.ts";
import { findRule, rules } from "./rules.ts";
import { SlotSearch } from "./slot_search.ts";
import { Suspension } from "./suspension.ts";
import type { DeviceState, Unread } from "./watched_queue.ts";
import { Writers } from "./writers.ts";

/** How the rules fared in a run. */
export interface Coverage {
  /** What they are about happened, and none was broken. */
  readonly passed: readonly Rule[];
  readonly broken: readonly Rule[];
  /** What they are about did not happen. */
  readonly notReached: readonly Rule[];
}

/** Queues of a device whose notifications are remembered. */
const QUEUES_MAX = 1024;

/** What a driver has done by the time it notifies the device. */
const REQUESTED: ReadonlySet<Occasion> = new Set<Occasion>(["available", "chain", "indirect", "request"]);

/** A driver's last notification of one queue: where, and who called. */
interface Notification {
  where: Where;
  stack: CapturedStack | undefined;
  /** A finding has that stack. */
  kept: boolean;
}

/** One device as the checker sees it. */
interface Watched {
  readonly name: string;
  readonly registers: RegisterWatch;
  readonly negotiation: Negotiation;
  readonly suspension: Suspension;
  /** The features in force, and whether VIRTIO_F_EVENT_IDX is among them. */
  features: bigint;
  eventIdx: boolean;
  readonly history: History;
  /** Notifications by queue, the last of each, and the last of all. */
  readonly notifications: Map<number, Notification>;
  notified: Notification | undefined;
  /** Registers by offset, as they are met. */
  readonly defs: Map<number, RegisterDef | undefined>;
}

/** The notification that a device's words are about: they name the queue; else the last one. */
function notificationFor(watched: Watched | undefined, what: string): Notification | undefined {
  const queue = /\bqueue (\d+)\b/.exec(what)?.[1];
  return (queue === undefined ? undefined : watched?.notifications.get(Number(queue))) ?? watched?.notified;
}

/** What a finding can draw. Rules of a device type are on what is asked of it. */
function aboutOf({ occasion, device }: Rule): About {
  if (occasion === "request") return "request";
  if (occasion !== "chain" && occasion !== "indirect") return "other";
  return device === undefined ? "chain" : "request";
}

/** A rule was broken in a chain that is told only after it was read. */
interface Early {
  readonly device: string;
  readonly rule: Rule;
  readonly what: string;
  readonly where: Where;
}

/** A reader of the event stream that keeps findings. */
export class Checker {
  readonly findings: Findings = new Findings();
  /** How often devices have told of something that no rule here is about, by its id. */
  readonly unruled: Map<string, number> = new Map();
  readonly #profile: Profile;
  readonly #guest: GuestView | undefined;
  readonly #drawings: Drawings;
  readonly #writers = new Writers();
  /** By the device told in accesses; null for what is not virtio-mmio. */
  readonly #devices = new Map<EventDevice, Watched | null>();
  readonly #byName = new Map<string, Watched>();
  readonly #queues = new QueueWatch();
  #memory: MemoryWatch | undefined;
  #events: EventStream | undefined;
  readonly #plic: PlicWatch;
  readonly #search = new SlotSearch();
  #where: Where | undefined;
  /** Findings of an access that is told only after it: a read. */
  #open: Finding[] = [];
  /** What waits for its chain. */
  #early: Early[] = [];

  /** Reports what `profile` asks for, with what `guest` shows at that moment. */
  constructor(profile: Profile = "spec", guest?: GuestView) {
    this.#profile = profile;
    this.#guest = guest;
    this.#drawings = new Drawings(guest);
    this.#plic = new PlicWatch((device, rule, what, where) => this.#tell(device, rule, what, where), {
      hart: (index) => guest?.hart(index),
      collected: (device) => this.#memory?.collected(device) ?? false,
    });
  }

  /** What is reported. */
  get profile(): Profile {
    return this.#profile;
  }

  /** Listens to everything it needs; the returned function ends that. */
  attach(events: EventStream): () => void {
    this.#events = events;
    const sight = { peek: (addr: number) => this.#peek(addr), state: (name: string) => this.#state(name) };
    const memory = new MemoryWatch(
      events.watches,
      sight,
      (device, rule, what, where) => this.#tell(device, rule, what, where),
    );
    this.#memory = memory;
    const ends = [
      events.watches.on((access, where) => {
        this.#writers.access(access, where);
        memory.access(access, where);
      }),
      events.on("mmio", (fact, where) => this.#mmio(fact, where)),
      events.on("violation", (fact, where) => this.#violation(fact, where)),
      events.on("virtqueue", (fact, where) => this.#virtqueue(fact, where)),
      events.on("irq", (fact, where) => this.#irq(fact, where)),
      events.on("wfi", ({ step }, where) => {
        if (step !== "wait") return this.#plic.wakes(where);
        this.#plic.waits(where);
        memory.waits(where);
      }),
      events.on("virtio", (fact, where) => this.#virtio(fact, where)),
      events.on("machine", (fact) => {
        if (fact.step === "reset") this.#powerOn();
      }),
    ];
    return () => ends.forEach((end) => end());
  }

  /** The run is over: tells what drivers never did. */
  end(): void {
    if (this.#events !== undefined) this.#plic.end(this.#events.where());
    this.#search.end(this.#guest?.slots() ?? [], (...told) => this.#tell(...told));
    for (const { negotiation, registers } of this.#byName.values()) negotiation.end(registers.deviceId);
  }

  /** What the driver of a queue has not read of what its device has used; undefined where that is not watched. */
  unread(device: string, queue: number): Unread | undefined {
    return this.#memory?.unread(device, queue);
  }

  /** Which of the profile's rules were kept, broken, or not reached. */
  coverage(): Coverage {
    const passed: Rule[] = [];
    const broken: Rule[] = [];
    const notReached: Rule[] = [];
    for (const rule of rules) {
      if (!reports(this.#profile, rule)) continue;
      const list = this.findings.has(rule) ? broken : this.#exercised(rule) ? passed : notReached;
      list.push(rule);
    }
    return { passed, broken, notReached };
  }

  #exercised(rule: Rule): boolean {
    return [...this.#byName.values()].some(({ name, registers }) =>
      (rule.occasion === "memory" ? this.#memory?.seen.has(name) === true : registers.occasions.has(rule.occasion)) &&
      (rule.only === undefined || registers.legacy === (rule.only === "legacy")) &&
      (rule.device === undefined || registers.deviceId === rule.device)
    );
  }

  #mmio(fact: MmioEvent, where: Where): void {
    const watched = fact.device && this.#watch(fact.device);
    if (fact.device?.name === "plic") this.#plic.access(fact);
    if (!watched || fact.value < 0) return;
    this.#where = where;
    if (fact.write) this.#plic.driven(watched.name, where);
    const { defs, history, registers } = watched;
    let def = defs.get(fact.offset);
    if (def === undefined && !defs.has(fact.offset)) {
      def = findRegister(fact.device!.registers, fact.offset, registers.legacy)?.def;
      defs.set(fact.offset, def);
    }
    if (fact.write && def?.name === "QueueNotify") {
      this.#notified(watched, fact.value & 0xffff, where);
      this.#memory?.notify(watched.name, fact.value & 0xffff, where);
    }
    if (fact.write && def?.name === "InterruptACK") this.#memory?.acknowledged(watched.name, where);
    if (def?.name === "DeviceID") this.#search.looked(watched.name, fact.value, where);
    else if (def?.name === "Status" && fact.write && (fact.value & virtioStatus.DRIVER) !== 0) this.#search.drives();
    const access = { fact, where };
    if (fact.write && fact.value === 0 && def?.name === "Status") {
      watched.negotiation.end(registers.deviceId);
      history.clear();
    }
    history.push(access);
    if (this.#open.length > 0) this.#close(access, watched);
    const name = def?.name ?? "";
    watched.negotiation.access(fact, def, where);
    watched.suspension.access(fact, name, where);
    registers.access(fact, def, where);
  }

  #virtio(fact: VirtioDeviceEvent, where: Where): void {
    this.#where = where;
    const watched = this.#byName.get(fact.device);
    if (watched === undefined) return;
    const { registers, negotiation, suspension } = watched;
    if (fact.step === "request") registers.occasions.add("request");
    else if (fact.step === "status") {
      suspension.status(fact.to);
      if (fact.to === 0) watched.eventIdx = false;
    }
    if (fact.step === "config-changed") registers.configChanged();
    else if (fact.step === "features") {
      registers.features(fact.ok);
      if (!fact.ok) return;
      watched.features = fact.offered & fact.accepted;
      watched.eventIdx = hasFeature(watched.features, "VIRTIO_F_EVENT_IDX");
      suspension.features(watched.features);
      negotiation.features(registers.deviceId, fact.offered, fact.accepted);
    }
  }

  /** The driver has notified the device: what it finds wrong with the requests, it may tell much later. */
  #notified(watched: Watched, queue: number, where: Where): void {
    let notification = watched.notifications.get(queue);
    if (notification === undefined) {
      notification = { where, stack: this.#guest?.stack(where), kept: false };
      // What no queue has may be written any number of times: one place serves for all of that.
      if (watched.notifications.size < QUEUES_MAX) watched.notifications.set(queue, notification);
    } else {
      // Another hart's stack is another object; else one serves until a finding keeps it.
      const same = notification.where.hart === where.hart && !notification.kept ? notification.stack : undefined;
      notification.where = where;
      notification.kept = false;
      if (same === undefined) notification.stack = this.#guest?.stack(where);
      else same.take(where.pc);
    }
    watched.notified = notification;
  }

  /** A read is told after the device has found fault with it: the access belongs to those findings. */
  #close(access: Access, watched: Watched): void {
    for (const finding of this.#open) {
      const { steps } = finding.notified ?? finding.where;
      if (finding.device !== watched.name || steps !== access.where.steps) continue;
      finding.history = watched.history.view();
    }
    this.#open = [];
  }

  #violation(fact: ViolationEvent, where: Where): void {
    this.#where = where;
    const watched = this.#byName.get(fact.device);
    const combined = fact.id === "status-order" && watched?.registers.combinedSteps === true;
    this.#report(fact.device, combined ? "status-combined" : fact.id, fact.what, where);
  }

  #virtqueue(fact: VirtqueueEvent, where: Where): void {
    this.#where = where;
    this.#drawings.step(fact);
    this.#writers.step(fact);
    if (this.#early.length > 0) this.#late();
    const registers = this.#byName.get(fact.device)?.registers;
    const report = (rule: string, what: string) => this.#report(fact.device, rule, what, where);
    this.#memory?.step(fact, where);
    if (fact.step === "chain") this.#chain(fact, report);
    this.#queues.step(fact, registers?.stopping ?? false, registers?.occasions ?? new Set(), report);
  }

  #chain(fact: Extract<VirtqueueEvent, { step: "chain" }>, report: (rule: string, what: string) => void): void {
    const watched = this.#byName.get(fact.device);
    if (watched === undefined) return;
    const { registers: { deviceId: type, legacy, occasions }, features, negotiation } = watched;
    checkRequest(fact, { type, legacy, features, config: negotiation.config, occasions }, report);
  }

  /** The stack of a notification, which the finding keeps: the next one gets its own. */
  #keptStack(notification: Notification): CapturedStack | undefined {
    notification.kept = true;
    return notification.stack;
  }

  /** The chain that was waited for has come, or none does. */
  #late(): void {
    const early = this.#early;
    this.#early = [];
    for (const { device, rule, what, where } of early) this.#find(device, rule, what, where);
  }

  #irq(fact: IrqEvent, where: Where): void {
    if (fact.device === undefined) return;
    const registers = this.#byName.get(fact.device)?.registers;
    if (registers === undefined) return;
    this.#where = where;
    this.#plic.irq(fact, where);
    if (fact.step === "claimed") {
      registers.claimed();
      this.#memory?.claimed(fact.device);
    }
    if (fact.step === "completed") registers.completed();
  }

  #powerOn(): void {
    for (const watched of this.#byName.values()) {
      watched.registers.powerOn();
      watched.suspension.reset();
      watched.history.clear();
      watched.notifications.clear();
      watched.notified = undefined;
    }
    this.#queues.powerOn();
    this.#writers.powerOn();
    this.#memory?.powerOn();
    this.#plic.powerOn();
    this.#search.powerOn();
  }

  /** Two bytes of the guest's memory. */
  #peek(addr: number): number | undefined {
    const bytes = this.#guest?.memory(addr, 2);
    return bytes === undefined ? undefined : bytes[0]! | bytes[1]! << 8;
  }

  /** What watches of memory ask of a device. */
  #state(name: string): DeviceState {
    const watched = this.#byName.get(name);
    return {
      type: watched?.registers.deviceId,
      eventIdx: watched?.eventIdx ?? false,
      live: watched?.registers.live ?? false,
      suspended: watched?.suspension.asked ?? false,
      notified: watched?.notified?.where,
    };
  }

  /** What is known of a device; null for what is not virtio-mmio. */
  #watch(device: EventDevice): Watched | null {
    const known = this.#devices.get(device);
    if (known !== undefined) return known;
    let watched: Watched | null = null;
    if (device.registers.some((def) => def.name === "MagicValue")) {
      const { name, legacy = false } = device;
      const report = (rule: string, what: string, where = this.#where!) => this.#report(name, rule, what, where);
      const registers = new RegisterWatch(legacy, report);
      watched = {
        name,
        registers,
        negotiation: new Negotiation(report),
        suspension: new Suspension(registers.occasions, report),
        features: 0n,
        eventIdx: false,
        history: new History(),
        notifications: new Map(),
        notified: undefined,
        defs: new Map(),
      };
      this.#byName.set(name, watched);
    }
    this.#devices.set(device, watched);
    return watched;
  }

  #tell(device: string, rule: string, what: string, where: Where): void {
    this.#where = where;
    this.#report(device, rule, what, where);
  }

  #report(device: string, name: string, what: string, where: Where): void {
    const rule = findRule(name);
    if (rule === undefined) {
      this.unruled.set(name, (this.unruled.get(name) ?? 0) + 1);
      return;
    }
    if (!reports(this.#profile, rule)) return;
    if (this.#drawings.comesLater(name)) this.#early.push({ device, rule, what, where });
    else this.#find(device, rule, what, where);
  }

  #find(device: string, rule: Rule, what: string, where: Where): void {
    const watched = this.#byName.get(device);
    const now = this.#where?.steps;
    // The device comes to a request some time after the notification: the driver's mistake was there, or before.
    const notification = REQUESTED.has(rule.occasion) ? notificationFor(watched, what) : undefined;
    const notified = notification?.where;
    const { field, draw } = this.#drawings.of(rule.name, device, what, aboutOf(rule));
    const stored = notified && field !== undefined ? this.#writers.of(field) : undefined;
    if (notified !== undefined) where = notified;
    const finding = this.findings.add(rule, device, what, stored ?? where, () => ({
      history: watched?.history.view() ?? { first: [], left: 0, last: [] },
      // Who waits is still there.
      stack: notification
        ? this.#keptStack(notification)
        : where.steps === now || this.#plic.waitsAt(where)
        ? this.#guest?.stack(where)
        : undefined,
      drawing: draw(),
      type: watched?.registers.deviceId,
      notified,
    }));
    if (finding === undefined) return;
    if (watched?.history.latest?.where.steps !== where.steps) this.#open.push(finding);
  }
}
