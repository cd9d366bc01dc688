import { alignUp, hex, isPowerOfTwo, join64 } from "../../vm/bits.ts";
import type { AccessSize, Device } from "../../vm/bus/device.ts";
import type { IrqLine } from "../../vm/bus/irq.ts";
import { findRegister, type RegisterDef } from "../../vm/bus/register.ts";
import type { ConfigField } from "./config.ts";
import { VirtioCore, type VirtioOptions } from "./core.ts";
import {
  virtioInterrupt,
  virtioMmioConfigOffset,
  virtioMmioMagic,
  virtioMmioRegisters,
  virtioStatus,
} from "./registers.ts";
import type { VirtioRule } from "./rules.ts";

/** VendorID unless said otherwise: "QEMU" in little-endian ASCII, which some drivers insist on. */
export const DEFAULT_VENDOR_ID = 0x554d4551;

/** Used ring alignment taken for a legacy driver that never wrote QueueAlign. */
const DEFAULT_QUEUE_ALIGN = 4096;

/** What a virtio-mmio slot with a device is built from. */
export interface VirtioMmioOptions extends VirtioOptions {
  readonly irq: IrqLine;
  /** 2 for the modern register file, 1 for the legacy one (virtio 1.2 §4.2.4); default 2. */
  readonly version?: 1 | 2;
  readonly vendorId?: number;
  /** Where the device's shared memory regions are: guest-physical addresses by shmid. */
  readonly sharedMemory?: ReadonlyMap<number, number>;
}

/** What the driver has written for one queue. */
interface QueueRegisters {
  /** QueueNum; 0 while it was not written. */
  num: number;
  /** Low and high half of each address. */
  desc: [number, number];
  driver: [number, number];
  device: [number, number];
  ready: number;
  align: number;
  pfn: number;
}

function freshQueue(): QueueRegisters {
  return { num: 0, desc: [0, 0], driver: [0, 0], device: [0, 0], ready: 0, align: 0, pfn: 0 };
}

/** Configuration fields as registers, for traces and checks; `config.capacity`. */
function configRegisters(fields: readonly ConfigField[]): RegisterDef[] {
  return fields.map(({ name, offset, size, writable }) => ({
    name: `config.${name}`,
    offset: virtioMmioConfigOffset + offset,
    size,
    access: writable === true ? "RW" : "R",
    spec: "virtio 1.2 §4.2.2",
  }));
}

/** The register table by word, of one version only. */
function registerWords(legacy: boolean): readonly (RegisterDef | undefined)[] {
  const words = new Array<RegisterDef | undefined>(virtioMmioConfigOffset / 4).fill(undefined);
  for (const def of virtioMmioRegisters) {
    const other = def.versions === (legacy ? "modern" : "legacy");
    if (!other && def.offset < virtioMmioConfigOffset) words[def.offset / 4] = def;
  }
  return words;
}

/** Made for the first device that needs them. */
let modernWords: ReturnType<typeof registerWords> | undefined;
let legacyWords: ReturnType<typeof registerWords> | undefined;

/** virtio over MMIO (virtio 1.2 §4.2): the register file of one slot, version 1 or 2. */
export class VirtioMmio implements Device {
  readonly name: string;
  /** The register file with the device type's configuration fields, each by its name. */
  readonly registers: readonly RegisterDef[];
  readonly legacy: boolean;
  readonly core: VirtioCore;
  readonly #irq: IrqLine;
  readonly #vendorId: number;
  /** The table by word, of this version only. */
  readonly #words: readonly (RegisterDef | undefined)[];
  readonly #sharedMemory: ReadonlyMap<number, number>;
  #queues: QueueRegisters[];
  #deviceFeaturesSel = 0;
  #driverFeaturesSel = 0;
  #queueSel = 0;
  #shmSel = 0;
  #guestPageSize = 0;
  #interruptStatus = 0;

  constructor(options: VirtioMmioOptions) {
    this.name = options.name;
    this.registers = [...configRegisters(options.device.config.fields), ...virtioMmioRegisters];
    this.legacy = options.version === 1;
    this.#irq = options.irq;
    this.#vendorId = options.vendorId ?? DEFAULT_VENDOR_ID;
    this.#sharedMemory = options.sharedMemory ?? new Map();
    this.#words = this.legacy ? legacyWords ??= registerWords(true) : modernWords ??= registerWords(false);
    this.core = new VirtioCore(options, this.legacy, (cause) => this.#interrupt(cause));
    this.#queues = this.#freshQueues();
  }

  read(offset: number, size: AccessSize): number {
    if (offset >= virtioMmioConfigOffset) return this.#readConfig(offset - virtioMmioConfigOffset, size);
    const def = this.#register(offset, size, false);
    switch (def?.name) {
      case "MagicValue":
        return virtioMmioMagic;
      case "Version":
        return this.legacy ? 1 : 2;
      case "DeviceID":
        return this.core.device.id;
      case "VendorID":
        return this.#vendorId;
      case "DeviceFeatures":
        return this.core.offeredWord(this.#deviceFeaturesSel);
      case "QueueNumMax":
        return this.core.queueSizeMax(this.#queueSel);
      case "QueuePFN":
        return this.#queues[this.#queueSel]?.pfn ?? 0;
      case "QueueReady":
        return this.#queues[this.#queueSel]?.ready ?? 0;
      case "InterruptStatus":
        return this.#interruptStatus;
      case "Status":
        return this.core.status;
      case "ConfigGeneration":
        return this.core.device.config.shownGeneration;
      case "SHMLenLow":
      case "SHMLenHigh":
      case "SHMBaseLow":
      case "SHMBaseHigh":
        return this.#sharedMemoryRegister(def.name);
      default:
        // A queue's reset is done at once, so QueueReset reads 0.
        return def?.reset ?? 0;
    }
  }

  write(offset: number, size: AccessSize, value: number): number {
    if (offset >= virtioMmioConfigOffset) this.#writeConfig(offset - virtioMmioConfigOffset, size, value);
    else this.#writeRegister(this.#register(offset, size, true)?.name, value);
    return 0;
  }

  /** System reset. */
  reset(): void {
    this.#guestPageSize = 0;
    this.#reset(true);
  }

  #writeRegister(name: string | undefined, value: number): void {
    switch (name) {
      case "DeviceFeaturesSel":
        this.#deviceFeaturesSel = value;
        break;
      case "DriverFeaturesSel":
        this.#driverFeaturesSel = value;
        break;
      case "DriverFeatures":
        this.core.acceptWord(this.#driverFeaturesSel, value);
        break;
      case "GuestPageSize":
        if (!isPowerOfTwo(value)) this.#violation("legacy-page-size", `GuestPageSize := ${value}`);
        this.#guestPageSize = value;
        break;
      case "QueueSel":
        this.#queueSel = value;
        break;
      case "QueueNotify":
        this.core.notify(value);
        break;
      case "InterruptACK":
        this.#acknowledge(value);
        break;
      case "Status":
        if (value === 0) this.#reset(false);
        else this.core.writeStatus(value);
        break;
      case "QueueReset":
        this.#resetQueue(value);
        break;
      case "SHMSel":
        this.#shmSel = value;
        break;
      case undefined:
        break;
      default:
        this.#writeQueue(name, value);
    }
  }

  /** §4.2.2: length or base of the selected region; all ones where there is none. */
  #sharedMemoryRegister(name: string): number {
    const region = this.core.device.sharedMemory?.find((one) => one.shmid === this.#shmSel);
    const base = this.#sharedMemory.get(this.#shmSel);
    if (region === undefined || base === undefined) return 0xffff_ffff;
    const value = name.startsWith("SHMLen") ? region.bytes.length : base;
    return name.endsWith("Low") ? value >>> 0 : Math.floor(value / 2 ** 32);
  }

  /** A register that belongs to the selected queue. */
  #writeQueue(name: string, value: number): void {
    const queue = this.#queues[this.#queueSel];
    if (queue === undefined || this.core.queueSizeMax(this.#queueSel) === 0) {
      // Drivers take queues back after a reset, which took the feature that some came with: no queue is what they want.
      if (queue !== undefined && value === 0 && (name === "QueueReady" || name === "QueuePFN")) return;
      return this.#violation("queue-unknown", `${name} := ${hex(value)} for queue ${this.#queueSel}`);
    }
    if (name === "QueueReady") return this.#writeReady(queue, value);
    if (name === "QueuePFN") return this.#writePfn(queue, value);
    // §4.2.2.2: while the queue is in use the rest must not be touched. It would have no effect on the rings.
    if (queue.ready !== 0 || queue.pfn !== 0) {
      return this.#violation("queue-in-use", `${name} := ${hex(value)} while queue ${this.#queueSel} is in use`);
    }
    switch (name) {
      case "QueueNum": {
        const max = this.core.queueSizeMax(this.#queueSel);
        if (value > max) return this.#violation("queue-num", `QueueNum := ${value}, QueueNumMax is ${max}`);
        queue.num = value;
        break;
      }
      case "QueueAlign":
        if (value !== 0 && !isPowerOfTwo(value)) return this.#violation("legacy-align", `QueueAlign := ${value}`);
        queue.align = value;
        break;
      case "QueueDescLow":
        queue.desc[0] = value;
        break;
      case "QueueDescHigh":
        queue.desc[1] = value;
        break;
      case "QueueDriverLow":
        queue.driver[0] = value;
        break;
      case "QueueDriverHigh":
        queue.driver[1] = value;
        break;
      case "QueueDeviceLow":
        queue.device[0] = value;
        break;
      case "QueueDeviceHigh":
        queue.device[1] = value;
        break;
    }
  }

  #writeReady(queue: QueueRegisters, value: number): void {
    const index = this.#queueSel;
    if (value > 1) this.#violation("queue-ready-value", `QueueReady := ${hex(value)}`);
    if (value === 0) {
      queue.ready = 0;
      this.core.stopQueue(index);
      return;
    }
    if (queue.ready !== 0) return;
    if ((this.core.status & virtioStatus.FEATURES_OK) === 0) {
      this.#violation("queue-early", `QueueReady := 1 for queue ${index} before FEATURES_OK`);
      if (this.core.strict) return;
    }
    queue.ready = 1;
    this.core.startQueue(index, {
      size: this.#size(queue),
      desc: join64(...queue.desc),
      driver: join64(...queue.driver),
      device: join64(...queue.device),
    });
  }

  /**
   * §2.6.1.1: stops one queue and takes its registers back to their defaults. It is done at once, so QueueReset and
   * QueueReady read 0 from here on (§4.2.2.1).
   */
  #resetQueue(value: number): void {
    const index = this.#queueSel;
    if (!this.core.ringReset) return this.#violation("queue-reset-not-negotiated", `QueueReset := ${value}`);
    if (index >= this.#queues.length) {
      return this.#violation("queue-unknown", `QueueReset := ${value} for queue ${index}`);
    }
    if (value !== 1) return this.#violation("queue-reset-value", `QueueReset := ${hex(value)}`);
    this.core.stopQueue(index);
    this.#queues[index] = freshQueue();
  }

  /** Legacy set-up (§4.2.4): one page number places all three parts (§2.7.2). */
  #writePfn(queue: QueueRegisters, value: number): void {
    const index = this.#queueSel;
    if (queue.pfn !== 0) {
      if (value !== 0) this.#violation("queue-in-use", `QueuePFN := ${hex(value)} while queue ${index} is in use`);
      this.core.stopQueue(index);
    }
    queue.pfn = value;
    if (value === 0) return;
    if (this.#guestPageSize === 0) {
      return this.core.fail("legacy-page-size", `QueuePFN := ${hex(value)} before GuestPageSize was written`);
    }
    if (queue.align === 0) {
      const what = `QueuePFN := ${hex(value)} before QueueAlign was written; taken as ${DEFAULT_QUEUE_ALIGN}`;
      this.#violation("legacy-align", what);
    }
    const size = this.#size(queue);
    const desc = value * this.#guestPageSize;
    const driver = desc + 16 * size;
    const device = alignUp(driver + 6 + 2 * size, queue.align || DEFAULT_QUEUE_ALIGN);
    this.core.startQueue(index, { size, desc, driver, device });
  }

  /** Size to use for the selected queue: drivers that never write QueueNum mean the largest. */
  #size(queue: QueueRegisters): number {
    if (queue.num !== 0) return queue.num;
    const max = this.core.queueSizeMax(this.#queueSel);
    this.#violation("queue-num-unset", `queue ${this.#queueSel} is handed over without QueueNum; taken as ${max}`);
    return max;
  }

  #acknowledge(value: number): void {
    const defined = virtioInterrupt.USED_BUFFER | virtioInterrupt.CONFIG_CHANGE;
    if ((value & ~defined) !== 0) this.#violation("interrupt-ack-undefined", `InterruptACK := ${hex(value)}`);
    this.#interruptStatus &= ~value;
    this.#irq.set(this.#interruptStatus !== 0);
  }

  /** What InterruptStatus reads. */
  get interruptStatus(): number {
    return this.#interruptStatus;
  }

  /** §4.2.2.1: an event is presented from the moment it takes place until it is acknowledged. */
  #interrupt(cause: number): void {
    this.#interruptStatus |= cause;
    this.#irq.set(true);
  }

  /** §4.2.2.1: a reset clears InterruptStatus and QueueReady; §4.2.4: QueuePFN. GuestPageSize survives a driver's. */
  #reset(system: boolean): void {
    this.core.reset(system);
    this.#queues = this.#freshQueues();
    this.#deviceFeaturesSel =
      this.#driverFeaturesSel =
      this.#queueSel =
      this.#shmSel =
        0;
    this.#interruptStatus = 0;
    this.#irq.set(false);
  }

  #freshQueues(): QueueRegisters[] {
    return this.core.device.queues.map(freshQueue);
  }

  /** The register an access means, or undefined (and a violation) for an access that has no effect (§4.2.2.2). */
  #register(offset: number, size: AccessSize, write: boolean): RegisterDef | undefined {
    const verb = write ? "write" : "read";
    if (size !== 4 || offset % 4 !== 0) {
      this.#violation("register-access", `${size}-byte ${verb} at ${hex(offset, 3)}`);
      return undefined;
    }
    const def = this.#words[offset / 4];
    if (def === undefined) {
      const other = findRegister(virtioMmioRegisters, offset, !this.legacy)?.def;
      const version = this.legacy ? "version 1" : "version 2";
      if (other === undefined) this.#violation("register-undefined", `${verb} at ${hex(offset, 3)}`);
      else this.#violation("register-interface", `${verb} of ${other.name}, which ${version} does not have`);
      return undefined;
    }
    if (def.access === (write ? "R" : "W")) {
      this.#violation("register-direction", `${verb} of ${def.name}, which is ${write ? "read-only" : "write-only"}`);
      return undefined;
    }
    return def;
  }

  #readConfig(offset: number, size: AccessSize): number {
    this.#checkConfig(offset, size, "read");
    return this.core.device.config.read(offset, size);
  }

  #writeConfig(offset: number, size: AccessSize, value: number): void {
    const field = this.#checkConfig(offset, size, "write");
    if (field !== undefined && field.writable !== true) {
      this.#violation("config-read-only", `write of ${field.name}`);
    }
    // §3.1.1: no writes before FEATURES_OK; a legacy driver may (§3.1.2).
    const early = !this.legacy && (this.core.status & virtioStatus.FEATURES_OK) === 0;
    if (early && field?.anytime !== true) {
      this.#violation("config-early-write", `write at configuration offset ${offset} before FEATURES_OK`);
      if (this.core.strict) return;
    }
    // Virtio 1.4 §3.4.2: ignored while the device is suspended.
    if (this.core.device.config.frozen && field?.anytime !== true) {
      return this.#violation("suspend-config", `write at configuration offset ${offset}`);
    }
    this.core.device.config.write(offset, size, value);
  }

  /** Reports accesses that do not fit the device's fields (§4.2.2.2, §2.5.1); the field at `offset`, if one is there. */
  #checkConfig(offset: number, size: AccessSize, verb: string): ConfigField | undefined {
    const field = this.core.device.config.fieldAt(offset);
    if (field === undefined) {
      this.#violation("config-undefined", `${size}-byte ${verb} at configuration offset ${offset}`);
      return undefined;
    }
    // A 64-bit field is two of 32 bits. Legacy drivers read any width, most of them byte by byte.
    const width = Math.min(field.size, 4);
    if (!this.legacy && (size !== width || (offset - field.offset) % width !== 0)) {
      this.#violation("config-access", `${size}-byte ${verb} at configuration offset ${offset}, inside ${field.name}`);
    }
    if (field.feature !== undefined && !this.core.offered.has(field.feature)) {
      this.#violation("config-feature", `${verb} of ${field.name}, whose feature is not offered`);
    }
    return field;
  }

  #violation(rule: VirtioRule, what: string): void {
    this.core.violation(rule, what);
  }
}
