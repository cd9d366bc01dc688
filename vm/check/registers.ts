/**
 * What a driver does with the registers of one virtio-mmio device, as far as the device itself cannot know that it is
 * wrong: steps left out, values never read, selectors never written (virtio 1.2 §3.1.1, §4.2.2, §4.2.3).
 */
import {
  virtioInterrupt,
  virtioMmioConfigOffset,
  virtioMmioOffset,
  virtioStatus,
} from "../../devices/virtio/registers.ts";
import { hex } from "../bits.ts";
import type { MmioEvent, Where } from "../events.ts";
import type { RegisterDef } from "../bus/register.ts";
import { ConfigReads } from "./config_reads.ts";
import type { Occasion } from "./rule.ts";

/** Told of a broken rule by its name, and what was seen; `where` if that was not the access just told. */
export type Report = (rule: string, what: string, where?: Where) => void;

/** The last register that a slot without a device has. */
const VENDOR_ID: number = virtioMmioOffset("VendorID");

const { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK } = virtioStatus;

/** Which queues are told apart: a hostile guest may select four thousand million. */
const QUEUES_MAX = 64;

const BLK = 2;

/** The bits of InterruptStatus. */
const DEFINED_CAUSES = virtioInterrupt.USED_BUFFER | virtioInterrupt.CONFIG_CHANGE;

/** Device types of which the specification knows no shared memory: network, block, console, entropy, input, socket. */
const WITHOUT_SHARED_MEMORY: ReadonlySet<number> = new Set([1, BLK, 3, 4, 18, 19]);

/** Bits of `QueueState.areas`, by register. */
const AREAS: Readonly<Record<string, number>> = { QueueDescLow: 1, QueueDriverLow: 2, QueueDeviceLow: 4 };

/** What has been done for one queue since the device's reset. */
interface QueueState {
  maxRead: boolean;
  readyRead: boolean;
  numWritten: boolean;
  areas: number;
  ready: boolean;
  /** QueueReset was written, and has not read 0 since. */
  resetUnread: boolean;
  /** It is about to be set up again after QueueReset. */
  wasReset: boolean;
}

function freshQueue(): QueueState {
  return {
    maxRead: false,
    readyRead: false,
    numWritten: false,
    areas: 0,
    ready: false,
    resetUnread: false,
    wasReset: false,
  };
}

/** What has been done since the device's reset. */
interface Life {
  status: number;
  deviceSel: boolean;
  driverSel: number | undefined;
  /** Words of features that were written, a bit each. */
  words: number;
  resetUnread: boolean;
  featuresOkUnread: boolean;
  refused: boolean;
  queueSel: number;
  readonly queues: Map<number, QueueState>;
  /** A queue was stopped, and QueueReady not read since. */
  stopUnread: boolean;
  /** What InterruptStatus has read since the last InterruptACK; undefined before. */
  causes: number | undefined;
}

function freshLife(resetUnread: boolean): Life {
  return {
    status: 0,
    deviceSel: false,
    driverSel: undefined,
    words: 0,
    resetUnread,
    featuresOkUnread: false,
    refused: false,
    queueSel: 0,
    queues: new Map(),
    stopUnread: false,
    causes: undefined,
  };
}

/** Watches one device. */
export class RegisterWatch {
  readonly legacy: boolean;
  /** What the driver has done at least once, for coverage. */
  readonly occasions: Set<Occasion> = new Set();
  /** What DeviceID read; undefined before. */
  deviceId: number | undefined;
  /** The access told last takes a queue back. */
  stopping = false;
  readonly #report: Report;
  #magicRead = false;
  #versionRead = false;
  #toldProbe = false;
  #resetSeen = false;
  #statusBefore = 0;
  #life: Life = freshLife(false);
  readonly #configReads: ConfigReads;
  /** The interrupt being handled. */
  #interrupt: { status: number | undefined; acknowledged: number } | undefined;

  /** Reports what is wrong with accesses to a device whose register file is legacy or modern. */
  constructor(legacy: boolean, report: Report) {
    this.legacy = legacy;
    this.#report = report;
    this.#configReads = new ConfigReads(legacy, this.occasions, report);
  }

  /** The machine was reset: the next driver starts from nothing. */
  powerOn(): void {
    this.deviceId = undefined;
    this.#magicRead =
      this.#versionRead =
      this.#toldProbe =
      this.#resetSeen =
        false;
    this.#reset(false);
  }

  /** One access to the register `def`, or to no register. */
  access(fact: MmioEvent, def: RegisterDef | undefined, where: Where): void {
    this.occasions.add("access");
    this.stopping = false;
    // What is done to an empty slot, the slot itself reports.
    if (this.deviceId === 0 && fact.offset > VENDOR_ID) return;
    const name = def?.name ?? "";
    const config = fact.offset >= virtioMmioConfigOffset;
    this.#double(fact, config);
    this.#configReads.access(fact, def, where);
    if (config) this.#config(fact.write, name);
    else if (fact.size !== 4) return;
    else if (fact.write) this.#write(name, fact.value);
    else this.#read(name, fact.value);
  }

  /** The device has changed its configuration. */
  configChanged(): void {
    this.#configReads.changed();
  }

  /** The device has answered FEATURES_OK. */
  features(ok: boolean): void {
    this.#life.refused = !ok;
    if (!ok) this.occasions.add("features-refused");
  }

  /** Whether the driver has set DRIVER_OK. */
  get live(): boolean {
    return (this.#life.status & DRIVER_OK) !== 0;
  }

  /** Whether the last write to Status has every step in it that its steps need: several at once, none left out. */
  get combinedSteps(): boolean {
    const { status } = this.#life;
    const has = (bit: number) => (status & bit) !== 0;
    if (status === this.#statusBefore) return false;
    if (has(DRIVER) && !has(ACKNOWLEDGE)) return false;
    if (has(FEATURES_OK) && !has(DRIVER)) return false;
    return !has(DRIVER_OK) || has(this.legacy ? DRIVER : FEATURES_OK);
  }

  /** The guest has claimed the device's interrupt at the PLIC. */
  claimed(): void {
    this.#interrupt = { status: undefined, acknowledged: 0 };
  }

  /** The guest has completed it. */
  completed(): void {
    const interrupt = this.#interrupt;
    this.#interrupt = undefined;
    if (interrupt === undefined) return;
    this.occasions.add("interrupt");
    const { status, acknowledged } = interrupt;
    if (status === undefined) {
      this.#report("interrupt-status-unread", "completed at the PLIC without a read of InterruptStatus");
    } else if ((status & ~acknowledged) !== 0) {
      const what = `InterruptStatus read ${hex(status)}, InterruptACK was written ${hex(acknowledged)}`;
      this.#report("interrupt-unacknowledged", what);
    }
  }

  #config(write: boolean, name: string): void {
    this.occasions.add(write ? "config-write" : "config-read");
    // §5.2.5.1: which mode the cache is in is settled with the features.
    if (write || this.legacy || this.deviceId !== BLK || name !== "config.writeback") return;
    if ((this.#life.status & FEATURES_OK) === 0) {
      this.#report("blk-writeback-early", "writeback was read before FEATURES_OK");
    }
  }

  #read(name: string, value: number): void {
    const life = this.#life;
    this.#sharedMemory(name, "read");
    switch (name) {
      case "MagicValue":
        this.#magicRead = true;
        break;
      case "Version":
        this.#versionRead = true;
        break;
      case "DeviceID":
        if (!(this.#magicRead && this.#versionRead)) {
          const unread = this.#magicRead ? "Version" : "MagicValue";
          this.#report("probe-order", `DeviceID was read before ${unread}`);
        }
        this.deviceId = value;
        if (value === 0) this.occasions.add("empty-slot");
        break;
      case "DeviceFeatures":
        this.occasions.add("features");
        if (!life.deviceSel) {
          this.#report("device-features-sel", "DeviceFeatures was read, DeviceFeaturesSel not written");
        }
        break;
      case "Status":
        life.resetUnread = life.featuresOkUnread = false;
        break;
      case "QueueReady":
        life.stopUnread = false;
        this.#queue().readyRead = true;
        break;
      case "QueuePFN":
        this.#queue().readyRead = true;
        break;
      case "QueueReset":
        if (value === 0) this.#queue().resetUnread = false;
        break;
      case "QueueNumMax":
        this.#queue().maxRead = true;
        if (this.legacy && this.#queue().ready) {
          this.#report("legacy-num-max-in-use", `QueueNumMax of queue ${life.queueSel} was read, which is in use`);
        }
        break;
      case "InterruptStatus":
        life.causes = (life.causes ?? 0) | value;
        if (this.#interrupt !== undefined) this.#interrupt.status = (this.#interrupt.status ?? 0) | value;
        break;
    }
  }

  #write(name: string, value: number): void {
    if (this.deviceId === undefined && !this.#toldProbe) {
      this.#toldProbe = true;
      this.#report("device-id-unread", `${name} := ${hex(value)} before DeviceID was read`);
    }
    this.#sharedMemory(name, "written");
    const life = this.#life;
    switch (name) {
      case "Status":
        return this.#writeStatus(value);
      case "DeviceFeaturesSel":
        life.deviceSel = true;
        break;
      case "DriverFeaturesSel":
        life.driverSel = value;
        break;
      case "DriverFeatures":
        this.occasions.add("features");
        if (life.driverSel === undefined) {
          this.#report("driver-features-sel", `DriverFeatures := ${hex(value)}, DriverFeaturesSel not written`);
        }
        life.words |= (life.driverSel ?? 0) < 32 ? 1 << (life.driverSel ?? 0) : 0;
        break;
      case "QueueNotify":
        this.occasions.add("notify");
        break;
      case "QueueReset":
        this.occasions.add("queue-reset");
        if (value === 1) this.#resetQueue();
        break;
      case "InterruptACK":
        this.occasions.add("interrupt-ack");
        this.#acknowledge(value);
        if (this.#interrupt !== undefined) this.#interrupt.acknowledged |= value;
        break;
      default:
        if (name.startsWith("Queue")) this.#writeQueue(name, value);
    }
  }

  #writeStatus(value: number): void {
    const life = this.#life;
    this.#statusBefore = life.status;
    if (value === 0) {
      this.occasions.add("reset");
      this.#resetSeen = true;
      return this.#reset(true);
    }
    this.occasions.add("status");
    const added = value & ~life.status;
    life.status = value;
    if (life.resetUnread) {
      life.resetUnread = false;
      this.#report("reset-unread", `Status := ${hex(value, 2)} after a reset, without a read of Status between`);
    }
    if ((added & DRIVER) !== 0 && !this.#resetSeen) {
      this.#report("status-not-reset", `Status := ${hex(value, 2)}, and never 0 before`);
    }
    if (this.legacy) return;
    if ((added & FEATURES_OK) !== 0) {
      this.occasions.add("features-ok");
      if ((life.words & 2) === 0) {
        this.#report("features-word-1", "FEATURES_OK is set; DriverFeatures was not written with DriverFeaturesSel 1");
      }
      life.featuresOkUnread = true;
    }
    if ((added & DRIVER_OK) !== 0) this.#goesOn("DRIVER_OK");
  }

  /** A register of the selected queue, or QueueSel. */
  #writeQueue(name: string, value: number): void {
    const life = this.#life;
    this.#goesOn(name);
    if (life.stopUnread && name !== "QueueReady") {
      life.stopUnread = false;
      this.#report("queue-stop-unread", `${name} := ${hex(value)} after QueueReady := 0`);
    }
    if (name === "QueueSel") {
      this.occasions.add("queue-select");
      life.queueSel = value;
      return;
    }
    const queue = this.#queue();
    if (queue.resetUnread && value !== 0) {
      queue.resetUnread = false;
      this.#report("queue-reset-unread", `${name} := ${hex(value)} before QueueReset of queue ${life.queueSel} read 0`);
    }
    queue.areas |= AREAS[name] ?? 0;
    switch (name) {
      case "QueueNum":
        queue.numWritten = true;
        // Some drivers clear it when they are done.
        if (value !== 0 && !queue.maxRead && !this.legacy) {
          this.#report("queue-num-max-unread", `QueueNum := ${value} for queue ${life.queueSel}, QueueNumMax not read`);
        }
        break;
      case "QueueReady":
      case "QueuePFN":
        if (value !== 0) this.#handOver(queue, name);
        else this.#takeBack(queue, name);
    }
  }

  #handOver(queue: QueueState, name: string): void {
    this.occasions.add("queue-setup");
    if (queue.ready) return;
    queue.ready = true;
    const { queueSel } = this.#life;
    if (!queue.readyRead) this.#report("queue-ready-unread", `queue ${queueSel} is handed over, ${name} was not read`);
    if (this.legacy) {
      if (!queue.maxRead) {
        this.#report("legacy-queue-size", `queue ${queueSel} is handed over, QueueNumMax was not read`);
      }
      return;
    }
    const missing = Object.keys(AREAS).filter((area) => (queue.areas & AREAS[area]!) === 0);
    if (queue.wasReset && !queue.numWritten) missing.unshift("QueueNum");
    if (missing.length === 0) return;
    const rule = queue.wasReset ? "queue-reset-setup" : "queue-address-unset";
    this.#report(rule, `queue ${queueSel} is handed over without ${missing.join(", ")}`);
  }

  /** §4.2.3.4: only what was read is to be acknowledged; who reads nothing at all is told elsewhere. */
  #acknowledge(value: number): void {
    const life = this.#life;
    const unread = life.causes === undefined ? 0 : value & DEFINED_CAUSES & ~life.causes;
    life.causes = undefined;
    // Bits that mean nothing, the device tells of.
    if (unread === 0 || (value & ~DEFINED_CAUSES) !== 0) return;
    this.#report("interrupt-ack-unread", `InterruptACK := ${hex(value)}, of which ${hex(unread)} was not read before`);
  }

  /** §2.6.1: the selected queue is as it was after the device's reset. */
  #resetQueue(): void {
    Object.assign(this.#queue(), freshQueue(), { maxRead: true, readyRead: true, resetUnread: true, wasReset: true });
  }

  /** §4.2.3.1.1: registers of something that this type of device does not have. */
  #sharedMemory(name: string, verb: string): void {
    if (!name.startsWith("SHM") || this.deviceId === undefined || !WITHOUT_SHARED_MEMORY.has(this.deviceId)) return;
    this.#report("shared-memory-access", `${name} was ${verb}`);
  }

  #takeBack(queue: QueueState, name: string): void {
    this.stopping = true;
    if (!queue.ready) return;
    this.occasions.add("queue-stop");
    queue.ready = false;
    this.#life.stopUnread = name === "QueueReady";
  }

  /** The driver does what comes after FEATURES_OK. */
  #goesOn(step: string): void {
    const life = this.#life;
    if (life.refused) {
      life.refused = false;
      this.#report("features-refused-ignored", `${step} after FEATURES_OK was refused`);
    }
    if (life.featuresOkUnread) {
      life.featuresOkUnread = false;
      this.#report("features-ok-unread", `${step} without a read of Status since FEATURES_OK was set`);
    }
  }

  /** An 8-byte access is told as two of 4 bytes: the device sees nothing wrong. */
  #double(fact: MmioEvent, config: boolean): void {
    if (fact.accessSize !== 8 || fact.offset % 8 !== 0) return;
    const verb = fact.write ? "write" : "read";
    if (!config) this.#report("register-access", `8-byte ${verb} at ${hex(fact.offset, 3)}`);
    else if (!this.legacy) {
      this.#report("config-access", `8-byte ${verb} at configuration offset ${fact.offset - virtioMmioConfigOffset}`);
    }
  }

  #queue(): QueueState {
    const { queues, queueSel } = this.#life;
    let queue = queues.get(queueSel);
    if (queue === undefined) {
      queue = freshQueue();
      if (queues.size < QUEUES_MAX) queues.set(queueSel, queue);
    }
    return queue;
  }

  #reset(resetUnread: boolean): void {
    this.#life = freshLife(resetUnread);
    this.#configReads.reset();
    this.#interrupt = undefined;
  }
}
