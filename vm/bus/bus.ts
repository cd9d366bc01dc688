import { hex } from "../bits.ts";
import type { EventStream } from "../events.ts";
import { type AccessSize, BUS_FAULT, type Device } from "./device.ts";

/** Where a device is: an entry of the board table, or anything shaped like one. */
export interface BusEntry {
  /** Name of the region, for messages. */
  readonly name: string;
  /** Guest-physical address of its first byte. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
}

/** A device and its region of guest-physical addresses. */
export interface Mapping {
  /** Where it is. */
  readonly entry: BusEntry;
  /** What answers there. */
  readonly device: Device;
}

/**
 * The bus: guest-physical addresses to devices. RAM and ROM are not on it: a hart looks there first.
 *
 * Addresses are unsigned numbers; the caller has checked alignment (whether a misaligned access traps is the hart's
 * affair). An access to nothing, of a width the device does not take, or that the device refuses, is `BUS_FAULT`, which
 * the hart turns into an access fault. What QEMU's `virt` accepts is accepted here, with one difference: an 8-byte access
 * to the UART is two 4-byte ones, where QEMU reads one register.
 *
 * ```ts
 * import { EventStream } from "../events.ts";
 *
 * const led = { name: "led", registers: [], read: () => 0, write: (_at: number, _size: number, n: number) => n & 0, reset() {} };
 * const bus = new Bus(new EventStream());
 * bus.attach({ name: "led", base: 0x1000_0000, size: 0x100 }, led);
 * bus.write(0x1000_0000, 1, 0x41);
 * ```
 */
export class Bus {
  readonly #events: EventStream;
  /** Sorted by base. */
  readonly #mappings: Mapping[] = [];
  #last: Mapping | undefined;
  /** The high half of the last `readDouble`. */
  high = 0;

  /** An empty bus that tells of accesses through `events`. */
  constructor(events: EventStream) {
    this.#events = events;
  }

  /** What is attached, by rising base. */
  get mappings(): readonly Mapping[] {
    return this.#mappings;
  }

  /** Puts `device` at `entry`; throws if the region is empty or overlaps another one (a mistake in the board). */
  attach(entry: BusEntry, device: Device): void {
    const { name, base, size } = entry;
    if (!(size > 0) || base < 0 || !Number.isSafeInteger(base + size)) {
      throw new RangeError(`bus: ${name} at ${hex(base)} has no usable size (${size})`);
    }
    const clash = this.#mappings.find((m) => base < m.entry.base + m.entry.size && m.entry.base < base + size);
    if (clash !== undefined) {
      throw new RangeError(`bus: ${name} at ${hex(base)} overlaps ${clash.entry.name} at ${hex(clash.entry.base)}`);
    }
    const at = this.#mappings.findIndex((m) => m.entry.base > base);
    this.#mappings.splice(at < 0 ? this.#mappings.length : at, 0, { entry, device });
  }

  /** What is mapped at `addr`; undefined if nothing is. */
  find(addr: number): Mapping | undefined {
    const last = this.#last;
    if (last !== undefined && addr >= last.entry.base && addr < last.entry.base + last.entry.size) return last;
    let low = 0;
    let high = this.#mappings.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#mappings[middle]!.entry.base <= addr) low = middle + 1;
      else high = middle;
    }
    const found = this.#mappings[low - 1];
    if (found === undefined || addr >= found.entry.base + found.entry.size) return undefined;
    this.#last = found;
    return found;
  }

  /** Whether a device takes an access of `width` bytes at `addr`, which it may refuse all the same. */
  answers(addr: number, width: AccessSize): boolean {
    return this.#target(addr, width) !== undefined;
  }

  /** Reads 1, 2 or 4 bytes: an unsigned value, or `BUS_FAULT`. */
  read(addr: number, size: AccessSize): number {
    return this.#read(this.#target(addr, size), addr, size, size);
  }

  /** Writes 1, 2 or 4 bytes: 0, or `BUS_FAULT`. */
  write(addr: number, size: AccessSize, value: number): number {
    return this.#write(this.#target(addr, size), addr, size, size, value);
  }

  /** Reads 8 bytes as two words: the low word, with the high one in `high`; or `BUS_FAULT`. */
  readDouble(addr: number): number {
    const target = this.#target(addr, 8);
    const low = this.#read(target, addr, 4, 8);
    if (low < 0) return BUS_FAULT;
    const high = this.#read(target, addr + 4, 4, 8);
    if (high < 0) return BUS_FAULT;
    this.high = high;
    return low;
  }

  /** Writes 8 bytes as two words, low one first: 0, or `BUS_FAULT`. */
  writeDouble(addr: number, low: number, high: number): number {
    const target = this.#target(addr, 8);
    if (this.#write(target, addr, 4, 8, low) < 0) return BUS_FAULT;
    return this.#write(target, addr + 4, 4, 8, high);
  }

  /**
   * System reset: every device back to power-on. Reset the clock first: devices set deadlines. From the highest base
   * down, so that devices have lowered their lines when the interrupt controllers, which lie below them, look at them.
   */
  reset(): void {
    for (const { device } of this.#mappings.toReversed()) device.reset();
  }

  /** The mapping that takes an access of `width` bytes at `addr`; undefined if none does. */
  #target(addr: number, width: 1 | 2 | 4 | 8): Mapping | undefined {
    const found = this.find(addr);
    if (found === undefined || addr + width > found.entry.base + found.entry.size) return undefined;
    const widths = found.device.widths;
    return widths === undefined || (width >= widths.min && width <= widths.max) ? found : undefined;
  }

  #read(target: Mapping | undefined, addr: number, size: AccessSize, accessSize: 1 | 2 | 4 | 8): number {
    const value = target === undefined ? BUS_FAULT : target.device.read(addr - target.entry.base, size);
    if (this.#events.wants("mmio")) this.#emit(addr, size, accessSize, false, value);
    return value;
  }

  #write(
    target: Mapping | undefined,
    addr: number,
    size: AccessSize,
    accessSize: 1 | 2 | 4 | 8,
    value: number,
  ): number {
    const wants = this.#events.wants("mmio");
    if (target === undefined) {
      if (wants) this.#emit(addr, size, accessSize, true, BUS_FAULT);
      return BUS_FAULT;
    }
    value = size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
    // Told before the device acts, so that a trace shows a notification before what came of it.
    if (wants) this.#emit(addr, size, accessSize, true, value);
    const result = target.device.write(addr - target.entry.base, size, value);
    if (result < 0 && wants) this.#emit(addr, size, accessSize, true, BUS_FAULT);
    return result;
  }

  #emit(addr: number, size: AccessSize, accessSize: 1 | 2 | 4 | 8, write: boolean, value: number): void {
    const found = this.find(addr);
    this.#events.emit({
      kind: "mmio",
      device: found?.device,
      addr,
      offset: found === undefined ? addr : addr - found.entry.base,
      size,
      accessSize,
      write,
      value,
    });
  }
}
