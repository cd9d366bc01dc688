/** Floating-point operands that lean to where rounding, underflow and overflow happen. */
import type { FloatFormat } from "../../vm/isa/float_sem.ts";
import type { Random } from "./random.ts";

const SHAPES: Readonly<Record<FloatFormat, { readonly bits: number; readonly fraction: number }>> = {
  h: { bits: 16, fraction: 10 },
  s: { bits: 32, fraction: 23 },
  d: { bits: 64, fraction: 52 },
};

/** Zeros, subnormal and normal ends, one and its neighbours, infinities, quiet and signaling NaNs, with both signs. */
export function floatEdges(format: FloatFormat): bigint[] {
  const { bits, fraction } = SHAPES[format];
  const unit = 1n << BigInt(fraction);
  const sign = 1n << BigInt(bits - 1);
  const infinity = sign - unit;
  const one = (infinity >> 1n) & ~(unit - 1n);
  const positive = [
    0n,
    1n,
    2n,
    unit >> 1n,
    unit - 1n,
    unit,
    unit + 1n,
    2n * unit - 1n,
    2n * unit,
    one - 1n,
    one,
    one + 1n,
  ];
  positive.push(one + unit, one + (unit >> 1n), infinity - unit, infinity - 2n, infinity - 1n, infinity, infinity + 1n);
  positive.push(infinity | (unit >> 1n), infinity | (unit >> 1n) | 1n, sign - 1n);
  return [...positive, ...positive.map((p) => p | sign)];
}

/** Random operands of one format. */
export class FloatOperands {
  readonly #random: Random;
  readonly #bits: number;
  readonly #fraction: number;
  readonly #edges: readonly bigint[];

  constructor(random: Random, format: FloatFormat) {
    this.#random = random;
    this.#bits = SHAPES[format].bits;
    this.#fraction = SHAPES[format].fraction;
    this.#edges = floatEdges(format);
  }

  /** An edge, any pattern, a number near one with few or many bits set, or one near the ends of the exponents. */
  value(): bigint {
    const random = this.#random;
    const kind = random.below(100);
    if (kind < 15) return random.pick(this.#edges);
    if (kind < 25) return this.#any();
    const spread = kind < 80 ? 4 : this.#fraction + 3;
    const exponents = 1 << (this.#bits - 1 - this.#fraction);
    const bias = exponents / 2 - 1;
    const place = random.chance(80)
      ? bias + random.between(-spread, spread)
      : random.chance(50)
      ? random.below(spread)
      : exponents - 1 - random.below(spread);
    const exponent = BigInt(Math.min(Math.max(place, 0), exponents - 1)) << BigInt(this.#fraction);
    return this.#sign() | exponent | this.#fractionBits();
  }

  /** Three operands that belong together: c is near -(a × b) or near a half of its last place, now and then. */
  near(value: bigint): bigint {
    const random = this.#random;
    const mask = (1n << BigInt(this.#bits)) - 1n;
    return (value + BigInt(random.between(-2, 2))) & mask ^ (random.chance(50) ? 1n << BigInt(this.#bits - 1) : 0n);
  }

  #any(): bigint {
    return BigInt.asUintN(this.#bits, this.#random.bits64());
  }
  #sign(): bigint {
    return this.#random.chance(50) ? 1n << BigInt(this.#bits - 1) : 0n;
  }
  #fractionBits(): bigint {
    const random = this.#random;
    const width = BigInt(this.#fraction);
    const mask = (1n << width) - 1n;
    const kind = random.below(100);
    if (kind < 40) return random.bits64() & mask;
    // Few bits at the upper or lower end, or nearly all of them: products and sums that are exact, or halfway.
    const some = random.bits64() & mask;
    if (kind < 60) return (some >> BigInt(random.below(this.#fraction)) << BigInt(random.below(this.#fraction))) & mask;
    if (kind < 80) return 1n << BigInt(random.below(this.#fraction)) | (random.chance(50) ? 1n : 0n);
    return mask ^ (1n << BigInt(random.below(this.#fraction)));
  }
}
