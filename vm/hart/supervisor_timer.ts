import type { Clock, Deadline } from "../bus/clock.ts";
import { CSR } from "./csr_numbers.ts";
import { MENVCFG } from "./csr_memory.ts";

/** mip.STIP. */
const STIP = 1 << 5;

/** Highest distance to a deadline in steps that is still exact. */
const FAR = 2 ** 52;

/** What the timer needs of its hart. */
export interface TimedHart {
  readonly clock: Clock;
  readonly time: () => bigint;
  stored(csr: number): bigint;
  store(csr: number, value: bigint): void;
  attention: boolean;
}

/**
 * S-mode's own timer (Sstc): while menvcfg.STCE is set, mip.STIP is pending exactly while `time >= stimecmp`, both unsigned
 * 64 bits (unpriv Sstc §2.1).
 */
export class SupervisorTimer {
  /** What it adds to mip: STIP or 0. */
  pending = 0;
  readonly #hart: TimedHart;
  #deadline: Deadline | undefined = undefined;

  constructor(hart: TimedHart) {
    this.#hart = hart;
  }

  /** Power-on: off. The clock has forgotten its deadlines. */
  reset(): void {
    this.#deadline = undefined;
    this.pending = 0;
  }

  /** menvcfg.STCE: mip.STIP is the timer's, and software cannot write it. */
  get enabled(): boolean {
    return (this.#hart.stored(CSR.menvcfg) & MENVCFG.STCE) !== 0n;
  }

  /** Must follow every change of stimecmp, of menvcfg.STCE and of `time` other than its running. */
  update(): void {
    const hart = this.#hart;
    const clock = hart.clock;
    if (this.#deadline !== undefined) clock.cancel(this.#deadline);
    this.#deadline = undefined;
    if (!this.enabled) return this.#set(0);
    hart.store(CSR.mip, hart.stored(CSR.mip) & ~BigInt(STIP));
    const now = hart.time();
    const compare = hart.stored(CSR.stimecmp);
    const due = now >= compare;
    this.#set(due ? STIP : 0);
    // What is pending ends when time wraps to 0; what is not begins when time reaches stimecmp.
    const ticks = Number((due ? 1n << 64n : compare) - now);
    const when = Math.ceil((clock.ticks + ticks) * clock.stepsPerTick);
    if (when >= FAR) return;
    this.#deadline = clock.at(Math.max(when, clock.now + 1), () => {
      this.#deadline = undefined;
      this.update();
    });
  }

  #set(pending: number): void {
    if (this.pending === pending) return;
    this.pending = pending;
    this.#hart.attention = true;
  }
}
