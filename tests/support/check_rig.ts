/** A device on a bus with a checker listening, and drivers written as lists of register accesses. */
import { EmptyVirtioSlot } from "../../devices/virtio/empty_slot.ts";
import type { FeatureSwitches } from "../../devices/virtio/offered.ts";
import type { VirtioDevice } from "../../devices/virtio/device.ts";
import { alignUp } from "../../vm/bits.ts";
import { Bus } from "../../vm/bus/bus.ts";
import type { AccessSize, Device } from "../../vm/bus/device.ts";
import { Checker } from "../../vm/check/checker.ts";
import type { Profile } from "../../vm/check/rule.ts";
import { CapturedStack } from "../../vm/debug/captured_stack.ts";
import { Privilege } from "../../vm/events.ts";
import { csrNumber } from "../../vm/isa/csr_names.ts";
import type { HartView } from "../../vm/trace/hart_view.ts";
import { DriverQueue, type Part, TestDriver } from "./virtio_driver.ts";
import { HoldingDevice } from "./virtio_device.ts";

const BASE = 0x1000_1000;
/** Where the pretended program begins; each access is 4 bytes further on. */
export const PROGRAM = 0x8000_0000n;

/** How a rig is built. */
export interface CheckRigOptions {
  readonly version?: 1 | 2;
  /** Default: a {@linkcode HoldingDevice}. */
  readonly device?: VirtioDevice;
  /** A slot without a device. */
  readonly empty?: boolean;
  readonly profile?: Profile;
  readonly queueSize?: number;
  readonly switches?: FeatureSwitches;
}

/** A checked device and its driver. */
export class CheckRig {
  readonly checker: Checker;
  readonly d: TestDriver;
  readonly device: VirtioDevice;
  readonly queue: DriverQueue;
  readonly #bus: Bus;
  readonly #names: Readonly<Record<string, number>>;
  /** The driver's hart: in M-mode, with external interrupts enabled. */
  readonly csrs: Record<"mie" | "mideleg" | "mstatus", bigint> = { mie: 1n << 11n, mideleg: 0n, mstatus: 1n << 3n };
  readonly #hart: HartView = {
    index: 0,
    xlen: 64,
    pc: PROGRAM,
    privilege: Privilege.M,
    waiting: false,
    x: () => 0n,
    f: () => 0n,
    csr: (number) => Object.entries(this.csrs).find(([name]) => csrNumber(name) === number)?.[1],
  };
  /** The hart that does what comes next. */
  hart = 0;
  #steps = 0;
  #fences = 0;

  constructor(options: CheckRigOptions = {}) {
    const { version = 2, device = new HoldingDevice(), queueSize = 8, switches = {} } = options;
    this.device = device;
    this.d = new TestDriver(device, { version, switches });
    const { memory } = this.d.board;
    this.checker = new Checker(options.profile, {
      stack: ({ pc }) => new CapturedStack({ xlen: 64, x: () => 0n, peek: () => 0 }, pc),
      memory: (addr, size) => memory.bytes(addr, size)?.slice(),
      hart: (index) => index === 0 ? this.#hart : undefined,
      slots: () => [{ name: "virtio0", base: BASE, id: device.id }, { name: "virtio1", base: BASE + 0x1000, id: 2 }],
    });
    const { events } = this.d.board;
    this.checker.attach(events);
    const where = () => ({
      hart: this.hart,
      pc: PROGRAM + 4n * BigInt(this.#steps),
      privilege: Privilege.M,
      steps: this.#steps,
      now: this.#steps,
    });
    events.where = where;
    events.watches.fences = () => this.#fences;
    const target: Device = options.empty === true
      ? new EmptyVirtioSlot({ name: "virtio0", events, version })
      : behindBus(this.d);
    this.#bus = new Bus(events);
    this.#bus.attach({ name: "virtio0", base: BASE, size: 0x1000 }, target);
    this.d.slot.read = (offset, size) => this.#read(offset, size);
    this.d.slot.write = (offset, size, value) => this.#write(offset, size, value);
    const desc = this.d.board.alloc(32768, 4096);
    const avail = desc + 16 * queueSize;
    const used = alignUp(avail + 6 + 2 * queueSize, 4096);
    this.queue = new DriverQueue(this.d, 0, queueSize, { desc, avail, used });
    this.#names = { DESC: desc, AVAIL: avail, USED: used, PFN: desc / 4096, SIZE: queueSize };
  }

  /**
   * Does register accesses: `R070` reads and `W070=3` writes 4 bytes, `R100:1` another width; values are hexadecimal
   * or `DESC`, `AVAIL`, `USED`, `PFN`, `SIZE` for where the queue is. What follows a `R070=` is not compared here.
   */
  play(trace: string): this {
    for (const step of trace.trim().split(/\s+/)) {
      const [, verb, offset, size, text] = step.match(/^([RWc])([0-9a-f]{3})(?::([1248]))?(?:=(\w+))?$/)!;
      const width = verb === "c" ? 1 : Number(size ?? 4);
      const at = parseInt(offset!, 16);
      if (verb === "W") this.#write(at, width, this.#names[text!] ?? parseInt(text!, 16));
      else this.#read(at, width);
    }
    return this;
  }

  /** Posts a chain and notifies. */
  post(...parts: Part[]): this {
    this.queue.post(parts);
    return this;
  }

  /** Fresh memory as a part of a chain. */
  part(length: number, write = false, bytes?: Uint8Array): Part {
    const addr = this.d.board.alloc(length);
    if (bytes !== undefined) this.d.board.memory.copyIn(addr, bytes);
    return { addr, length, write };
  }

  /** A store or load of the driver in memory that may be watched; `fences` of every kind come before it. */
  access(write: boolean, addr: number, size: number, value = 0, fences = 0): this {
    this.#steps++;
    this.#fences += fences;
    this.d.board.events.watches.emit({ write, addr, size, value: BigInt(value) });
    return this;
  }

  /** A fence of every kind. */
  fence(): this {
    this.#steps++;
    this.#fences++;
    return this;
  }

  /** A step of the device's interrupt at the PLIC. */
  irq(step: "raised" | "lowered" | "claimed" | "completed"): this {
    this.#steps++;
    this.d.board.events.emit({ kind: "irq", step, source: 1, context: 0, device: "virtio0" });
    return this;
  }

  /** A write to a register of the PLIC. */
  plic(offset: number, value: number): this {
    this.#steps++;
    const device = { name: "plic", registers: [] };
    const at = { addr: offset, offset, size: 4, accessSize: 4 } as const;
    this.d.board.events.emit({ kind: "mmio", device, ...at, write: true, value });
    return this;
  }

  /** So many steps in which nothing of interest happens. */
  pass(steps: number): this {
    this.#steps += steps;
    return this;
  }

  /** The hart begins to wait. */
  wait(): this {
    this.#steps++;
    this.d.board.events.emit({ kind: "wfi", step: "wait" });
    return this;
  }

  /** Names of the rules that were broken, in order. */
  get found(): string[] {
    return this.checker.findings.list.map(({ rule }) => rule.name);
  }

  #read(offset: number, size: number): number {
    this.#steps++;
    return size === 8 ? this.#bus.readDouble(BASE + offset) : this.#bus.read(BASE + offset, size as AccessSize);
  }

  #write(offset: number, size: number, value: number): number {
    this.#steps++;
    if (size === 8) return this.#bus.writeDouble(BASE + offset, value, 0);
    return this.#bus.write(BASE + offset, size as AccessSize, value);
  }
}

/** The driver's slot as the bus reaches it, before the driver is made to go over the bus. */
function behindBus({ slot }: TestDriver): Device {
  return {
    name: slot.name,
    registers: slot.registers,
    legacy: slot.legacy,
    read: slot.read.bind(slot),
    write: slot.write.bind(slot),
    reset: () => slot.reset(),
  } as Device;
}

/** A driver's steps, for putting sequences together. */
export const PROBE = "R000 R004 R008";
export const RESET = "W070=0 R070";
export const START = "W070=1 W070=3";
export const FEATURES = "W014=0 R010 W014=1 R010 W024=0 W020=0 W024=1 W020=1";
export const OK = "W070=b R070";
export const QUEUE = "W030=0 R044 R034 W038=SIZE W080=DESC W084=0 W090=AVAIL W094=0 W0a0=USED W0a4=0 W044=1";
export const GO = "W070=f";
/** Everything before the features. */
export const BEGUN: string = `${PROBE} ${RESET} ${START}`;
/** Everything before the queues. */
export const AGREED: string = `${BEGUN} ${FEATURES} ${OK}`;
/** The whole initialisation. */
export const LIVE: string = `${AGREED} ${QUEUE} ${GO}`;
/** The same by the legacy interface. */
export const LEGACY_QUEUE = "W030=0 R040 R034 W038=SIZE W03c=1000 W040=PFN";
export const LEGACY_BEGUN: string = `${PROBE} W028=1000 ${RESET} ${START} W014=0 R010 W024=0 W020=0`;
export const LEGACY_LIVE: string = `${LEGACY_BEGUN} ${LEGACY_QUEUE} W070=7`;
