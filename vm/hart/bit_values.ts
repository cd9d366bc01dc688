/** Bit manipulation for the reference executor: each letter as the specification says it, bit by bit. */
import type { BitSem } from "../isa/bit_sem.ts";
import type { Xlen } from "../isa/row.ts";

/** Values are unsigned and XLEN bits wide. */
export class BitValues implements BitSem<bigint> {
  readonly #xlen: Xlen;

  constructor(xlen: Xlen) {
    this.#xlen = xlen;
  }

  /** The bits of a value, the lowest one first. */
  #bits(value: bigint): number[] {
    return Array.from({ length: this.#xlen }, (_, i) => Number((value >> BigInt(i)) & 1n));
  }
  #value(bits: readonly number[]): bigint {
    return bits.reduceRight((value, bit) => value * 2n + BigInt(bit), 0n);
  }
  /** The value's fields of `width` bits, the lowest one first. */
  #fields(value: bigint, width: number): bigint[] {
    return Array.from({ length: this.#xlen / width }, (_, i) => BigInt.asUintN(width, value >> BigInt(i * width)));
  }
  #joined(fields: readonly bigint[], width: number): bigint {
    return fields.reduceRight((value, field) => (value << BigInt(width)) | field, 0n);
  }

  clz(a: bigint): bigint {
    return BigInt(this.#xlen - 1 - this.#bits(a).lastIndexOf(1));
  }
  ctz(a: bigint): bigint {
    const lowest = this.#bits(a).indexOf(1);
    return BigInt(lowest < 0 ? this.#xlen : lowest);
  }
  cpop(a: bigint): bigint {
    return BigInt(this.#bits(a).filter((bit) => bit === 1).length);
  }
  rol(a: bigint, amount: bigint): bigint {
    const bits = this.#bits(a);
    const by = Number(amount % BigInt(this.#xlen));
    return this.#value([...bits.slice(this.#xlen - by), ...bits.slice(0, this.#xlen - by)]);
  }
  ror(a: bigint, amount: bigint): bigint {
    const bits = this.#bits(a);
    const by = Number(amount % BigInt(this.#xlen));
    return this.#value([...bits.slice(by), ...bits.slice(0, by)]);
  }
  rev8(a: bigint): bigint {
    return this.#joined(this.#fields(a, 8).reverse(), 8);
  }
  brev8(a: bigint): bigint {
    const bits = this.#bits(a);
    return this.#value(bits.map((_, i) => bits[i ^ 7]!));
  }
  orcb(a: bigint): bigint {
    return this.#joined(this.#fields(a, 8).map((byte) => byte === 0n ? 0n : 0xffn), 8);
  }
  zip(a: bigint): bigint {
    const bits = this.#bits(a);
    return this.#value(bits.map((_, i) => bits[(i >> 1) + (i & 1) * this.#xlen / 2]!));
  }
  unzip(a: bigint): bigint {
    const bits = this.#bits(a);
    const half = this.#xlen / 2;
    return this.#value(bits.map((_, i) => bits[i < half ? 2 * i : 2 * (i - half) + 1]!));
  }
  #product(a: bigint, b: bigint): bigint {
    return this.#bits(b).reduce((sum, bit, i) => bit === 1 ? sum ^ (a << BigInt(i)) : sum, 0n);
  }
  clmul(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(this.#xlen, this.#product(a, b));
  }
  clmulr(a: bigint, b: bigint): bigint {
    return this.#product(a, b) >> BigInt(this.#xlen - 1);
  }
  xperm(a: bigint, indices: bigint, width: 4 | 8): bigint {
    const table = this.#fields(a, width);
    return this.#joined(this.#fields(indices, width).map((index) => table[Number(index)] ?? 0n), width);
  }
}
