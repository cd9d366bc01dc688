/** Seeded random numbers for tests: the same seed gives the same run on every machine. */

/** A small generator (Marsaglia's xorshift, 32 bits of state). */
export class Random {
  #state: number;

  constructor(seed: number) {
    // The state must not be 0; spreading the seed keeps neighbouring seeds apart.
    this.#state = (Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) | 0) || 1;
    for (let i = 0; i < 8; i++) this.bits();
  }

  /** 32 random bits, as a signed number. */
  bits(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return Math.imul(x, 0x2c1b3c6d) ^ (x >>> 15);
  }

  /** An integer from 0 to `n - 1`. */
  below(n: number): number {
    return Math.floor((this.bits() >>> 0) / 0x1_0000_0000 * n);
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True `percent` times out of a hundred. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** `items` in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    const left = [...items];
    return items.map(() => left.splice(this.below(left.length), 1)[0]!);
  }

  /** One of `items`. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("pick: nothing to pick from");
    return items[this.below(items.length)]!;
  }

  /** 64 random bits, as an unsigned number. */
  bits64(): bigint {
    return (BigInt(this.bits() >>> 0) << 32n) | BigInt(this.bits() >>> 0);
  }
}
