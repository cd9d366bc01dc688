import type { Deadline } from "../bus/clock.ts";
import { CSR } from "../hart/csr_numbers.ts";
import type { Hart } from "../hart/hart.ts";

/** mip.STIP. */
const STIP = 1n << 5n;

/** Highest distance to a deadline in steps that is still exact. */
const FAR = 2 ** 52;

/** The timer of one hart as the TIME extension sets it (sbi §6): by Sstc where there is one, else by mip.STIP. */
export class SbiTimer {
  readonly #hart: Hart;
  #deadline: Deadline | undefined;

  constructor(hart: Hart) {
    this.#hart = hart;
  }

  /** Asks for an interrupt when `time` reaches `when`, and takes back one that is pending. */
  set(when: bigint): void {
    const hart = this.#hart;
    if (hart.timer.enabled) {
      hart.store(CSR.stimecmp, when);
      hart.timer.update();
      return;
    }
    if (this.#deadline !== undefined) hart.clock.cancel(this.#deadline);
    this.#deadline = undefined;
    hart.store(CSR.mip, hart.stored(CSR.mip) & ~STIP);
    this.#schedule(when);
  }

  #schedule(when: bigint): void {
    const hart = this.#hart;
    const clock = hart.clock;
    const left = when - hart.time();
    if (left <= 0n) {
      hart.store(CSR.mip, hart.stored(CSR.mip) | STIP);
      hart.attention = true;
      return;
    }
    const at = Math.ceil((clock.ticks + Number(left)) * clock.stepsPerTick);
    if (at >= FAR) return;
    this.#deadline = clock.at(Math.max(at, clock.now + 1), () => {
      this.#deadline = undefined;
      this.#schedule(when);
    });
  }
}
