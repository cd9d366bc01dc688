import type { Clock, Deadline } from "../vm/bus/clock.ts";
import { type AccessSize, BUS_FAULT, type Device } from "../vm/bus/device.ts";
import type { IrqLine } from "../vm/bus/irq.ts";
import { RTC, RTC_REGISTERS } from "./rtc_registers.ts";
import type { RegisterDef } from "../vm/bus/register.ts";

/** Highest distance to an alarm in steps that is still exact. */
const FAR = 2 ** 52;

const LOW = 0xffff_ffffn;

/** What a clock needs. */
export interface RtcOptions {
  readonly clock: Clock;
  readonly irq: IrqLine;
  /** Wall clock at power-on, in nanoseconds since 1970. */
  readonly epoch: bigint;
}

/**
 * Goldfish real-time clock: wall-clock time in nanoseconds, settable, with one alarm. It knows the time at power-on and
 * counts virtual time from there, so that a run does not depend on when it happens.
 *
 * A write of TIME_HIGH or TIME_LOW sets that half of the time; a read of TIME_LOW also fixes what TIME_HIGH reads. A
 * write of ALARM_LOW arms the alarm with both halves; one that is past rings at once.
 *
 * ```ts
 * import { Clock } from "../vm/bus/clock.ts";
 *
 * const rtc = new Rtc({ clock: new Clock(), irq: { set() {} }, epoch: 1_700_000_000_000_000_000n });
 * rtc.read(0, 4); // the low word of the time
 * ```
 */
export class Rtc implements Device {
  readonly name = "rtc";
  readonly registers: readonly RegisterDef[] = RTC_REGISTERS;
  readonly widths = { min: 4, max: 8 } as const;
  readonly #clock: Clock;
  readonly #irq: IrqLine;
  readonly #epoch: bigint;
  /** Time less virtual time. */
  #offset: bigint;
  #latched = 0;
  #alarm = 0n;
  #deadline: Deadline | undefined;
  #armed = false;
  #pending = false;
  #enabled = false;

  constructor({ clock, irq, epoch }: RtcOptions) {
    this.#clock = clock;
    this.#irq = irq;
    this.#epoch = this.#offset = epoch;
  }

  /** The time now, in nanoseconds since 1970. */
  get time(): bigint {
    return BigInt.asUintN(64, this.#offset + this.#virtual());
  }

  read(offset: number, _size: AccessSize): number {
    switch (offset) {
      case RTC.TIME_LOW: {
        const time = this.time;
        this.#latched = Number(time >> 32n);
        return Number(time & LOW);
      }
      case RTC.TIME_HIGH:
        return this.#latched;
      case RTC.ALARM_LOW:
        return Number(this.#alarm & LOW);
      case RTC.ALARM_HIGH:
        return Number(this.#alarm >> 32n);
      case RTC.IRQ_ENABLED:
        return this.#enabled ? 1 : 0;
      case RTC.ALARM_STATUS:
        return this.#armed ? 1 : 0;
      default:
        return offset % 4 === 0 ? 0 : BUS_FAULT;
    }
  }

  write(offset: number, _size: AccessSize, value: number): number {
    const word = BigInt(value >>> 0);
    switch (offset) {
      case RTC.TIME_LOW:
        this.#set((this.time & ~LOW) | word);
        break;
      case RTC.TIME_HIGH:
        this.#set((this.time & LOW) | (word << 32n));
        break;
      case RTC.ALARM_LOW:
        this.#alarm = (this.#alarm & ~LOW) | word;
        this.#armed = true;
        this.#schedule();
        break;
      case RTC.ALARM_HIGH:
        this.#alarm = (this.#alarm & LOW) | (word << 32n);
        break;
      case RTC.IRQ_ENABLED:
        this.#enabled = (value & 1) !== 0;
        this.#update();
        break;
      case RTC.CLEAR_ALARM:
        this.#armed = false;
        this.#schedule();
        break;
      case RTC.CLEAR_INTERRUPT:
        this.#pending = false;
        this.#update();
        break;
      default:
        return offset % 4 === 0 ? 0 : BUS_FAULT;
    }
    return 0;
  }

  reset(): void {
    if (this.#deadline !== undefined) this.#clock.cancel(this.#deadline);
    this.#deadline = undefined;
    this.#offset = this.#epoch;
    this.#latched = 0;
    this.#alarm = 0n;
    this.#armed = this.#pending = this.#enabled = false;
    this.#update();
  }

  /** Virtual time in nanoseconds. */
  #virtual(): bigint {
    return BigInt(Math.floor(this.#clock.now * 100 / this.#clock.stepsPerTick));
  }

  #set(time: bigint): void {
    this.#offset = time - this.#virtual();
    this.#schedule();
  }

  /** Sets a deadline for the alarm, or rings. */
  #schedule(): void {
    if (this.#deadline !== undefined) this.#clock.cancel(this.#deadline);
    this.#deadline = undefined;
    if (!this.#armed) return;
    const wait = this.#alarm - this.time;
    if (wait <= 0n) return this.#ring();
    const steps = this.#clock.stepsOf(Number(wait));
    if (this.#clock.now + steps >= FAR) return;
    this.#deadline = this.#clock.at(this.#clock.now + Math.max(steps, 1), () => {
      this.#deadline = undefined;
      this.#schedule();
    });
  }

  #ring(): void {
    this.#armed = false;
    this.#pending = true;
    this.#update();
  }

  #update(): void {
    this.#irq.set(this.#pending && this.#enabled);
  }
}
