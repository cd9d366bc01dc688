import { deviceType, reservedFeatures } from "./features.ts";

/** Words of 32 bits a feature set has: bits 0..127, all that the specification gives out (virtio 1.2 §2.2). */
export const FEATURE_WORDS = 4;

/** A set of feature bits (virtio 1.2 §2.2), in words of 32 as the transports show them. */
export class FeatureSet {
  /** Bit `n` of the set is bit `n % 32` of word `n / 32`. */
  readonly words: Uint32Array<ArrayBuffer> = new Uint32Array(FEATURE_WORDS);

  /** The set of these bit numbers. */
  constructor(bits: Iterable<number> = []) {
    for (const bit of bits) this.add(bit);
  }

  /** Whether it has bit number `bit`. */
  has(bit: number): boolean {
    return ((this.words[bit >> 5] ?? 0) & (1 << (bit & 31))) !== 0;
  }

  /**
   * Adds a bit.
   *
   * @throws if the bit is not in 0..127
   */
  add(bit: number): void {
    if (!(bit >= 0 && bit < FEATURE_WORDS * 32)) throw new RangeError(`feature bit ${bit}: expected 0..127`);
    this.words[bit >> 5] = this.word(bit >> 5) | (1 << (bit & 31));
  }

  /** Takes a bit out. */
  delete(bit: number): void {
    this.words[bit >> 5] = this.word(bit >> 5) & ~(1 << (bit & 31));
  }

  /** Word `index`, unsigned; 0 above the highest. */
  word(index: number): number {
    return this.words[index] ?? 0;
  }

  /** Takes all bits out. */
  clear(): void {
    this.words.fill(0);
  }

  /** Takes over the bits that are in both `a` and `b`. */
  setToCommon(a: FeatureSet, b: FeatureSet): void {
    for (let i = 0; i < FEATURE_WORDS; i++) this.words[i] = a.word(i) & b.word(i);
  }

  /** The bits, ascending. */
  bits(): number[] {
    const bits: number[] = [];
    for (let word = 0; word < FEATURE_WORDS; word++) {
      for (let rest = this.word(word); rest !== 0; rest &= rest - 1) {
        bits.push(word * 32 + 31 - Math.clz32(rest & -rest));
      }
    }
    return bits;
  }

  /** The bits that `other` does not have. */
  without(other: FeatureSet): number[] {
    return this.bits().filter((bit) => !other.has(bit));
  }

  /** For events only: BigInt has no place where the guest waits. */
  toBigInt(): bigint {
    return this.words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
  }
}

/**
 * Number of the feature called `name` on devices of type `deviceId`.
 *
 * @throws if the tables in `features.ts` have no such name
 */
export function featureBit(deviceId: number, name: string): number {
  const def = deviceType(deviceId)?.features.find((f) => f.name === name) ??
    reservedFeatures.find((f) => f.name === name);
  if (def === undefined) throw new Error(`virtio features: device type ${deviceId} has no feature called ${name}`);
  return def.bit;
}

/** The set of the features called `names` on devices of type `deviceId`. */
export function featureSet(deviceId: number, ...names: string[]): FeatureSet {
  return new FeatureSet(names.map((name) => featureBit(deviceId, name)));
}
