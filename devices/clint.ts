import { alignUp, join64 } from "../vm/bits.ts";
import type { Clock, Deadline } from "../vm/bus/clock.ts";
import { type AccessSize, BUS_FAULT, type Device } from "../vm/bus/device.ts";
import type { IrqLine } from "../vm/bus/irq.ts";
import type { RegisterDef } from "../vm/bus/register.ts";

/** Offsets of the SiFive CLINT (aclint §2.1, §3.1). */
const MSIP = 0x0;
const MTIMECMP = 0x4000;
const MTIME = 0xbff8;
/** Where QEMU's registers end; the rest of the 64 KiB region answers nothing. */
const END = 0xc000;

/** Highest distance to a deadline in steps that is still exact. */
const FAR = 2 ** 52;

/** The lines of one hart that the CLINT drives: `mip.MSIP` and `mip.MTIP` (priv §3.1.9). */
export interface ClintHart {
  readonly software: IrqLine;
  readonly timer: IrqLine;
}

/** What a CLINT needs. */
export interface ClintOptions {
  readonly clock: Clock;
  /** By hart id, from 0. */
  readonly harts: readonly ClintHart[];
  /** Told whenever `mtime` departs from the clock: `mtime = clock.ticks + offset` modulo 2^64, in two u32 halves. */
  readonly onOffset?: (low: number, high: number) => void;
}

/** Register table of a CLINT for `harts` harts. */
export function clintRegisters(harts: number): readonly RegisterDef[] {
  return [
    {
      name: "msip",
      offset: MSIP,
      size: 4,
      access: "RW",
      reset: 0,
      bits: [{ name: "MSIP", mask: 1 }],
      repeat: { count: harts, stride: 4 },
      spec: "aclint §3.2",
    },
    {
      name: "mtimecmp",
      offset: MTIMECMP,
      size: 8,
      access: "RW",
      reset: 0,
      repeat: { count: harts, stride: 8 },
      spec: "priv §3.2.1",
    },
    { name: "mtime", offset: MTIME, size: 8, access: "RW", reset: 0, spec: "priv §3.2.1" },
  ];
}

/** One hart's timer. */
interface Timer {
  low: number;
  high: number;
  deadline: Deadline | undefined;
}

/**
 * Core-local interruptor in SiFive's layout: software interrupts and the machine timer.
 *
 * A timer interrupt is pending exactly while `mtime >= mtimecmp` as unsigned 64-bit numbers (priv §3.2.1), also across
 * a write of `mtime` and its wrap at 2^64. Nothing says what `mtimecmp` holds after reset; here it is 0 as in QEMU, so
 * MTIP is pending from the first instruction.
 *
 * ```ts
 * import { Clock } from "../vm/bus/clock.ts";
 *
 * const lines = { software: { set() {} }, timer: { set() {} } };
 * const clint = new Clint({ clock: new Clock(), harts: [lines] });
 * clint.write(0x4000, 4, 1000); // mtimecmp of hart 0: its low half
 * ```
 */
export class Clint implements Device {
  readonly name = "clint";
  readonly registers: readonly RegisterDef[];
  readonly widths = { min: 4, max: 8 } as const;
  readonly #clock: Clock;
  readonly #harts: readonly ClintHart[];
  readonly #onOffset: (low: number, high: number) => void;
  readonly #msip: boolean[];
  readonly #timers: Timer[];
  /** `mtime` less the clock's ticks, modulo 2^64. */
  #offsetLow = 0;
  #offsetHigh = 0;

  constructor(options: ClintOptions) {
    this.#clock = options.clock;
    this.#harts = options.harts;
    this.#onOffset = options.onOffset ?? (() => {});
    this.registers = clintRegisters(options.harts.length);
    this.#msip = options.harts.map(() => false);
    this.#timers = options.harts.map(() => ({ low: 0, high: 0, deadline: undefined }));
    this.reset();
  }

  /** Low word of `mtime` now. */
  get timeLow(): number {
    return ((this.#clock.ticks >>> 0) + this.#offsetLow) >>> 0;
  }

  /** High word of `mtime` now. */
  get timeHigh(): number {
    const ticks = this.#clock.ticks;
    const carry = (ticks >>> 0) + this.#offsetLow > 0xffff_ffff ? 1 : 0;
    return (Math.floor(ticks / 0x1_0000_0000) + this.#offsetHigh + carry) >>> 0;
  }

  /** `mtimecmp` of hart `hart`; unsigned 64 bits. */
  compare(hart: number): bigint {
    const { low, high } = this.#timers[hart]!;
    return (BigInt(high) << 32n) | BigInt(low);
  }

  /** `mtime` now, what `rdtime` reads; unsigned 64 bits. */
  ticks(): bigint {
    return (BigInt(this.timeHigh) << 32n) | BigInt(this.timeLow);
  }

  read(offset: number, _size: AccessSize): number {
    if (offset >= END) return BUS_FAULT;
    const index = this.#index(offset, MSIP, 4);
    if (index >= 0) return this.#msip[index] ? 1 : 0;
    const timer = this.#timers[this.#index(offset, MTIMECMP, 8)];
    if (timer !== undefined) return offset % 8 === 0 ? timer.low : timer.high;
    if (offset === MTIME) return this.timeLow;
    if (offset === MTIME + 4) return this.timeHigh;
    return 0;
  }

  write(offset: number, _size: AccessSize, value: number): number {
    if (offset >= END) return BUS_FAULT;
    const hart = this.#index(offset, MSIP, 4);
    if (hart >= 0) {
      this.#msip[hart] = (value & 1) !== 0;
      this.#harts[hart]!.software.set((value & 1) !== 0);
      return 0;
    }
    const index = this.#index(offset, MTIMECMP, 8);
    if (index >= 0) {
      const timer = this.#timers[index]!;
      if (offset % 8 === 0) timer.low = value >>> 0;
      else timer.high = value >>> 0;
      this.#update(index);
    } else if (offset === MTIME) {
      this.#setTime(value >>> 0, this.timeHigh);
    } else if (offset === MTIME + 4) {
      this.#setTime(this.timeLow, value >>> 0);
    }
    return 0;
  }

  reset(): void {
    this.#harts.forEach((hart, i) => {
      this.#msip[i] = false;
      hart.software.set(false);
      const timer = this.#timers[i]!;
      timer.low = timer.high = 0;
    });
    this.#setTime(0, 0);
  }

  /** Which word or doubleword of an array at `base` holds `offset`, -1 if none; unaligned offsets are in none. */
  #index(offset: number, base: number, stride: 4 | 8): number {
    const index = Math.floor((offset - base) / stride);
    return offset % 4 === 0 && index >= 0 && index < this.#harts.length ? index : -1;
  }

  #setTime(low: number, high: number): void {
    const ticks = this.#clock.ticks;
    const difference = low - (ticks >>> 0);
    this.#offsetLow = difference >>> 0;
    this.#offsetHigh = (high - Math.floor(ticks / 0x1_0000_0000) - (difference < 0 ? 1 : 0)) >>> 0;
    this.#onOffset(this.#offsetLow, this.#offsetHigh);
    for (let hart = 0; hart < this.#harts.length; hart++) this.#update(hart);
  }

  /** Sets a hart's timer line, and a deadline for when it will change. */
  #update(hart: number): void {
    const timer = this.#timers[hart]!;
    const clock = this.#clock;
    if (timer.deadline !== undefined) clock.cancel(timer.deadline);
    timer.deadline = undefined;
    const low = this.timeLow;
    const high = this.timeHigh;
    const pending = high > timer.high || (high === timer.high && low >= timer.low);
    this.#harts[hart]!.timer.set(pending);
    // A pending timer changes when mtime wraps to 0, one that is not when mtime reaches mtimecmp.
    const differenceLow = (pending ? 0 : timer.low) - low;
    const differenceHigh = (pending ? 0 : timer.high) - high - (differenceLow < 0 ? 1 : 0);
    const ticks = join64(differenceLow, differenceHigh);
    const when = alignUp((clock.ticks + ticks) * clock.stepsPerTick, 1);
    if (ticks === 0 || when >= FAR) return;
    timer.deadline = clock.at(Math.max(when, clock.now + 1), () => {
      timer.deadline = undefined;
      this.#update(hart);
    });
  }
}
