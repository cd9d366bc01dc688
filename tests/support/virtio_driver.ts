/**
 * The driver's side of virtio-mmio for tests: a board with some memory and a clock, and a driver that negotiates, lays
 * out split rings, posts chains and collects used ones, in both versions of the register file. It can also do wrong:
 * everything it keeps (rings, indexes, descriptors) may be written by hand.
 */
import { alignUp } from "../../vm/bits.ts";
import { Clock } from "../../vm/bus/clock.ts";
import { GuestMemory } from "../../vm/bus/memory.ts";
import { EventStream, type FactKind, type MachineFact } from "../../vm/events.ts";
import type { VirtioDevice } from "../../devices/virtio/device.ts";
import type { FeatureSwitches } from "../../devices/virtio/offered.ts";
import { VirtioMmio, type VirtioMmioOptions } from "../../devices/virtio/mmio.ts";
import { virtioMmioConfigOffset, virtioMmioOffset, virtioStatus } from "../../devices/virtio/registers.ts";

/** Where the test board's memory is. */
export const RAM = 0x8000_0000;
export const RAM_SIZE: number = 8 << 20;
/** One page the guest may not write. */
export const ROM = 0x1000;
const ROM_SIZE = 4096;

/** Features every test driver accepts where they are offered: VIRTIO_F_VERSION_1. */
export const VERSION_1 = 32;
export const INDIRECT_DESC = 28;
export const EVENT_IDX = 29;

const KINDS: readonly FactKind[] = ["virtio", "virtqueue", "violation", "console"];

/** Memory, clock, event stream and one interrupt line. */
export class TestBoard {
  readonly memory: GuestMemory = new GuestMemory(new ArrayBuffer(ROM_SIZE + RAM_SIZE), [
    { name: "rom", base: ROM, size: ROM_SIZE, host: 0, writable: false },
    { name: "ram", base: RAM, size: RAM_SIZE, host: ROM_SIZE, writable: true },
  ]);
  readonly clock: Clock = new Clock();
  readonly events: EventStream = new EventStream();
  readonly facts: MachineFact[] = [];
  /** Level of the interrupt line, and how often it rose. */
  irqLevel = false;
  irqRises = 0;
  readonly irq = {
    set: (level: boolean): void => {
      if (level && !this.irqLevel) this.irqRises++;
      this.irqLevel = level;
    },
  };
  #top = RAM + 0x1000;

  /** With `watched` false nobody listens to events. */
  constructor(watched = true) {
    if (!watched) return;
    for (const kind of KINDS) this.events.on(kind, (fact) => this.facts.push(fact));
  }

  /** Lets `nanoseconds` of virtual time pass. */
  advance(nanoseconds: number): void {
    const end = this.clock.now + this.clock.stepsOf(nanoseconds);
    while (this.clock.next <= end) {
      this.clock.idle += Math.max(0, this.clock.next - this.clock.now);
      this.clock.runDue();
    }
    this.clock.idle += end - this.clock.now;
  }

  /** Fresh zeroed guest memory. */
  alloc(bytes: number, align = 16): number {
    const addr = alignUp(this.#top, align);
    this.#top = addr + bytes;
    if (this.#top > RAM + RAM_SIZE) throw new Error("test board: out of memory");
    return addr;
  }

  /** Fresh guest memory with `content`. */
  put(content: Uint8Array | string): number {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const addr = this.alloc(Math.max(bytes.length, 1));
    this.memory.copyIn(addr, bytes);
    return addr;
  }

  /** A copy of guest memory. */
  get(addr: number, length: number): Uint8Array {
    const bytes = this.memory.bytes(addr, length);
    if (bytes === undefined) throw new Error(`test board: ${addr.toString(16)} is not memory`);
    return bytes.slice();
  }

  /** Ids of the violations so far, in order. */
  get violations(): string[] {
    return this.facts.flatMap((fact) => fact.kind === "violation" ? [fact.id] : []);
  }

  /** Facts of one kind so far. */
  of<K extends FactKind>(kind: K): Extract<MachineFact, { kind: K }>[] {
    return this.facts.filter((fact) => fact.kind === kind) as Extract<MachineFact, { kind: K }>[];
  }
}

/** One element of a chain to post. */
export interface Part {
  readonly addr: number;
  readonly length: number;
  readonly write?: boolean;
}

/** The driver's side of a split virtqueue (virtio 1.2 §2.7). */
export class DriverQueue {
  readonly index: number;
  readonly size: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  /** Free-running: next entry to publish, next to collect. */
  availIdx = 0;
  lastUsed = 0;
  readonly #driver: TestDriver;
  readonly #free: number[];
  readonly #chains = new Map<number, number[]>();

  constructor(driver: TestDriver, index: number, size: number, areas: { desc: number; avail: number; used: number }) {
    this.#driver = driver;
    this.index = index;
    this.size = size;
    this.desc = areas.desc;
    this.avail = areas.avail;
    this.used = areas.used;
    this.#free = Array.from({ length: size }, (_, i) => i);
  }

  get #memory(): GuestMemory {
    return this.#driver.board.memory;
  }

  /** Writes one descriptor of the table at `table`. */
  setDescriptor(
    at: { addr: number; length: number; flags: number; next: number },
    index: number,
    table?: number,
  ): void {
    const base = (table ?? this.desc) + 16 * index;
    this.#memory.write(base, 4, at.addr >>> 0);
    this.#memory.write(base + 4, 4, Math.floor(at.addr / 2 ** 32) >>> 0);
    this.#memory.write(base + 8, 4, at.length);
    this.#memory.write(base + 12, 2, at.flags);
    this.#memory.write(base + 14, 2, at.next);
  }

  /** Puts a chain into free descriptors, or into one indirect table; returns its head. */
  lay(parts: readonly Part[], indirect = false): number {
    const count = indirect ? 1 : parts.length;
    if (this.#free.length < count) throw new Error("test driver: no free descriptors");
    const slots = this.#free.splice(0, count);
    const head = slots[0]!;
    this.#chains.set(head, slots);
    const table = indirect ? this.#driver.board.alloc(16 * parts.length) : undefined;
    parts.forEach((part, i) => {
      const last = i === parts.length - 1;
      const next = last ? 0 : table === undefined ? slots[i + 1]! : i + 1;
      const flags = (last ? 0 : 1) | (part.write === true ? 2 : 0);
      this.setDescriptor(
        { addr: part.addr, length: part.length, flags, next },
        table === undefined ? slots[i]! : i,
        table,
      );
    });
    if (table !== undefined) {
      this.setDescriptor({ addr: table, length: 16 * parts.length, flags: 4, next: 0 }, head);
    }
    return head;
  }

  /** Makes a head available without telling the device. */
  publish(head: number): void {
    this.#memory.write(this.avail + 4 + 2 * (this.availIdx % this.size), 2, head);
    this.availIdx = (this.availIdx + 1) & 0xffff;
    this.#memory.write(this.avail + 2, 2, this.availIdx);
  }

  /** Posts a chain and notifies; returns its head. */
  post(parts: readonly Part[], indirect = false): number {
    const head = this.lay(parts, indirect);
    this.publish(head);
    this.notify();
    return head;
  }

  notify(): void {
    this.#driver.write("QueueNotify", this.index);
  }

  /** Whether the device asked to be notified of the entry published last (virtio 1.2 §2.7.10). */
  get wantsNotification(): boolean {
    if (!this.#driver.negotiated(EVENT_IDX)) return (this.#memory.read(this.used, 2) & 1) === 0;
    return this.#memory.read(this.used + 4 + 8 * this.size, 2) === ((this.availIdx - 1) & 0xffff);
  }

  /** Sets avail.flags (virtio 1.2 §2.7.7). */
  set availFlags(flags: number) {
    this.#memory.write(this.avail, 2, flags);
  }

  /** Sets used_event (virtio 1.2 §2.7.7). */
  set usedEvent(index: number) {
    this.#memory.write(this.avail + 4 + 2 * this.size, 2, index);
  }

  /** The device's position. */
  get usedIdx(): number {
    return this.#memory.read(this.used + 2, 2);
  }

  /** Collects what was used since the last call, and frees its descriptors. */
  collect(): { id: number; length: number }[] {
    const found = [];
    while (this.lastUsed !== this.usedIdx) {
      const element = this.used + 4 + 8 * (this.lastUsed % this.size);
      const id = this.#memory.read(element, 4);
      found.push({ id, length: this.#memory.read(element + 4, 4) });
      this.#free.push(...this.#chains.get(id) ?? []);
      this.#chains.delete(id);
      this.lastUsed = (this.lastUsed + 1) & 0xffff;
    }
    return found;
  }
}

/** How a test driver's slot is built, beside the device. */
export interface TestDriverOptions {
  readonly version?: 1 | 2;
  readonly strict?: boolean;
  readonly latencyNs?: number;
  readonly switches?: FeatureSwitches;
  readonly board?: TestBoard;
  /** Makes the slot in place of `VirtioMmio` itself. */
  readonly transport?: (options: VirtioMmioOptions) => VirtioMmio;
}

/** A driver of one virtio-mmio slot. */
export class TestDriver {
  readonly board: TestBoard;
  readonly slot: VirtioMmio;
  readonly legacy: boolean;
  #accepted: number[] = [];

  constructor(device: VirtioDevice, options: TestDriverOptions = {}) {
    this.board = options.board ?? new TestBoard();
    const { memory, clock, events, irq } = this.board;
    const { version = 2, strict = false, switches = {} } = options;
    this.legacy = version === 1;
    const latency = options.latencyNs === undefined ? {} : { latencyNs: options.latencyNs };
    const wiring = { name: "virtio0", device, memory, clock, events, irq };
    const all: VirtioMmioOptions = { ...wiring, version, strict, switches, ...latency };
    this.slot = options.transport?.(all) ?? new VirtioMmio(all);
  }

  read(register: string): number {
    return this.slot.read(virtioMmioOffset(register), 4);
  }

  write(register: string, value: number): void {
    this.slot.write(virtioMmioOffset(register), 4, value >>> 0);
  }

  readConfig(offset: number, size: 1 | 2 | 4): number {
    return this.slot.read(virtioMmioConfigOffset + offset, size);
  }

  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void {
    this.slot.write(virtioMmioConfigOffset + offset, size, value);
  }

  /** The features the device offers. */
  offered(): number[] {
    const bits = [];
    for (const sel of [0, 1, 2, 3]) {
      this.write("DeviceFeaturesSel", sel);
      const word = this.read("DeviceFeatures");
      for (let bit = 0; bit < 32; bit++) if ((word & (1 << bit)) !== 0) bits.push(sel * 32 + bit);
    }
    return bits;
  }

  /** Writes the accepted features, words 1 and 0. */
  accept(bits: readonly number[]): void {
    this.#accepted = [...bits];
    for (const sel of [1, 0]) {
      this.write("DriverFeaturesSel", sel);
      const word = bits.filter((bit) => bit >> 5 === sel).reduce((sum, bit) => sum | (1 << (bit & 31)), 0);
      this.write("DriverFeatures", word);
    }
  }

  /** Whether the last `accept` had `bit`. */
  negotiated(bit: number): boolean {
    return this.#accepted.includes(bit);
  }

  /** Steps 1 to 6 of the initialisation (virtio 1.2 §3.1.1, legacy §3.1.2), with VERSION_1 where there is one. */
  negotiate(bits: readonly number[] = []): void {
    const { ACKNOWLEDGE, DRIVER, FEATURES_OK } = virtioStatus;
    if (this.legacy) this.write("GuestPageSize", 4096);
    this.write("Status", 0);
    this.write("Status", ACKNOWLEDGE);
    this.write("Status", ACKNOWLEDGE | DRIVER);
    this.accept(this.legacy ? bits : [...bits, VERSION_1]);
    if (!this.legacy) this.write("Status", ACKNOWLEDGE | DRIVER | FEATURES_OK);
  }

  /** Step 8. */
  driverOk(): void {
    this.write("Status", this.read("Status") | virtioStatus.DRIVER_OK);
  }

  /** Sets up a queue in fresh memory. */
  setupQueue(index: number, size = 8): DriverQueue {
    this.write("QueueSel", index);
    this.write("QueueNum", size);
    if (this.legacy) {
      const desc = this.board.alloc(alignUp(16 * size + 6 + 2 * size, 4096) + 6 + 8 * size, 4096);
      const avail = desc + 16 * size;
      const used = alignUp(avail + 6 + 2 * size, 4096);
      this.write("QueueAlign", 4096);
      this.write("QueuePFN", desc / 4096);
      return new DriverQueue(this, index, size, { desc, avail, used });
    }
    const areas = {
      desc: this.board.alloc(16 * size, 16),
      avail: this.board.alloc(6 + 2 * size, 2),
      used: this.board.alloc(6 + 8 * size, 4),
    };
    this.writeAreas(areas);
    this.write("QueueReady", 1);
    return new DriverQueue(this, index, size, areas);
  }

  /** Writes the three addresses of the selected queue. */
  writeAreas(areas: { desc: number; avail: number; used: number }): void {
    for (const [name, addr] of [["Desc", areas.desc], ["Driver", areas.avail], ["Device", areas.used]] as const) {
      this.write(`Queue${name}Low`, addr >>> 0);
      this.write(`Queue${name}High`, Math.floor(addr / 2 ** 32));
    }
  }

  /** The whole initialisation with one queue. */
  bringUp(bits: readonly number[] = [], size = 8): DriverQueue {
    this.negotiate(bits);
    const queue = this.setupQueue(0, size);
    this.driverOk();
    return queue;
  }

  /** Lets requests complete: one default latency and a bit. */
  wait(nanoseconds = 11_000): void {
    this.board.advance(nanoseconds);
  }
}
