import { CSR } from "./csr_numbers.ts";
import type { Hart } from "./hart.ts";

/** The counters that count: cycle counts steps, instret retired instructions (priv §3.1.10). */
export type CounterName = "cycle" | "instret";

/** Bits of mcountinhibit (priv §3.1.12). */
const INHIBIT: Readonly<Record<CounterName, bigint>> = { cycle: 1n, instret: 4n };

/** The 64-bit counters of a hart. */
export class Counters {
  readonly #hart: Hart;
  /** Added to what ran: what the guest wrote, less what was not counted while inhibited. */
  readonly #offset: Record<CounterName, bigint> = { cycle: 0n, instret: 0n };

  constructor(hart: Hart) {
    this.#hart = hart;
  }

  reset(): void {
    this.#offset.cycle = this.#offset.instret = 0n;
  }

  /** What a counter reads. */
  value(name: CounterName): bigint {
    return BigInt.asUintN(64, this.#offset[name] + (this.#frozen(name) ? 0n : this.#running(name)));
  }

  /** Sets a counter; the instruction that does it does not count (priv §3.1.10). */
  set(name: CounterName, value: bigint): void {
    this.#offset[name] = this.#frozen(name) ? value : value - this.#running(name) - 1n;
  }

  /** mcountinhibit: freezes or thaws the counters without a jump in their values (priv §3.1.12). */
  inhibit(mask: bigint): void {
    const values = { cycle: this.value("cycle"), instret: this.value("instret") };
    this.#hart.store(CSR.mcountinhibit, mask);
    for (const name of ["cycle", "instret"] as const) {
      this.#offset[name] = this.#frozen(name) ? values[name] : values[name] - this.#running(name);
    }
  }

  #frozen(name: CounterName): boolean {
    return (this.#hart.stored(CSR.mcountinhibit) & INHIBIT[name]) !== 0n;
  }

  #running(name: CounterName): bigint {
    return BigInt(name === "cycle" ? this.#hart.steps : this.#hart.steps - this.#hart.trapped);
  }
}
