/**
 * The letters of the alphabet (`Sem.bits`) that bit manipulation needs and other instructions cannot be written with:
 * counting, rotating and rearranging bits, and products without carries. `V` is a value of XLEN bits.
 */
export interface BitSem<V> {
  /** Zero bits above the highest one and below the lowest one; XLEN for 0. */
  clz(a: V): V;
  ctz(a: V): V;
  /** How many bits are one. */
  cpop(a: V): V;
  /** Rotations; the amount counts modulo XLEN. */
  rol(a: V, amount: V): V;
  ror(a: V, amount: V): V;
  /** The bytes in reverse order. */
  rev8(a: V): V;
  /** The bits of each byte in reverse order. */
  brev8(a: V): V;
  /** All ones for each byte that is not zero. */
  orcb(a: V): V;
  /** Bits of the low half to the even places, of the high half to the odd ones (XLEN 32 only). */
  zip(a: V): V;
  /** Undoes `zip`. */
  unzip(a: V): V;
  /** Product of polynomials over GF(2): bits 0 to XLEN - 1 of it. */
  clmul(a: V, b: V): V;
  /** Bits XLEN - 1 to 2 XLEN - 2, its highest ones. */
  clmulr(a: V, b: V): V;
  /** Each field of `indices` replaced by that field of `a`; by 0 if `a` has none of that number. */
  xperm(a: V, indices: V, width: 4 | 8): V;
}
