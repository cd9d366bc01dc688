/**
 * A small seeded generator of 32-bit numbers: xorshift128 (G. Marsaglia, "Xorshift RNGs", 2003). Good enough to test
 * with and the same on every host; nothing secret may depend on it.
 */
export class Prng {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    this.seed(seed);
  }

  /** Starts again from `seed`. */
  seed(seed: number): void {
    // A state of zeros would stay zero: spread the seed by a multiplicative sequence that cannot give four of them.
    let x = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
      this.#state[i] = x;
    }
  }

  /** The next number, unsigned. */
  next(): number {
    const s = this.#state;
    const [x, , , w] = s as unknown as [number, number, number, number];
    const t = x ^ (x << 11);
    s.copyWithin(0, 1);
    const result = (w ^ (w >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    s[3] = result;
    return result;
  }

  /** Fills `target` with the generator's bytes. */
  fill(target: Uint8Array): void {
    for (let i = 0; i < target.length; i += 4) {
      const word = this.next();
      for (let byte = 0; byte < 4 && i + byte < target.length; byte++) target[i + byte] = word >>> (8 * byte);
    }
  }
}
