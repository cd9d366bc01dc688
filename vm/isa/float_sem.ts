/**
 * The floating-point letters of the alphabet (`Sem`). A floating-point value is a bit pattern of its format, as narrow
 * as the format; what rounds goes by the instruction's rounding mode, and what is invalid, inexact and so on is added
 * to `fflags`.
 */

/** IEEE 754 binary16, binary32 and binary64. */
export type FloatFormat = "h" | "s" | "d";

/** Bytes of a value of each format. */
export const floatBytes: Readonly<Record<FloatFormat, 2 | 4 | 8>> = { h: 2, s: 4, d: 8 };

/** An integer that a conversion reads or makes. */
export interface IntegerKind {
  readonly bits: 32 | 64;
  readonly signed: boolean;
}

/** Which factor and which addend of a fused multiply-add change their sign first (unpriv §20.6). */
export interface FmaSigns {
  readonly product: boolean;
  readonly addend: boolean;
}

/** How the sign of the second operand goes into the first (unpriv §20.7). */
export type SignInjection = "copy" | "negate" | "xor";

/** Operations of two values and one result, rounded. */
export type FloatArithmetic = "fadd" | "fsub" | "fmul" | "fdiv";

/** See `Sem`: the same two rules hold. `V` is an integer register's value where a letter says so. */
export interface FloatSem<V, B> {
  /**
   * First of all letters in every floating-point row: traps where mstatus.FS is Off (priv §3.1.6.6) and, for a row that
   * takes a rounding mode, where that is reserved (unpriv §20.2).
   */
  float(rounding: "rounds" | "exact"): void;

  /** Operands; a narrow one that is not NaN-boxed is the canonical NaN (unpriv §21.2). */
  frs1(format: FloatFormat): V;
  frs2(format: FloatFormat): V;
  frs3(format: FloatFormat): V;
  /** The low bits of an operand, boxed or not: what moves and stores transfer. */
  frs1Bits(format: FloatFormat): V;
  frs2Bits(format: FloatFormat): V;
  /** Writes the destination, NaN-boxed. */
  frd(value: V, format: FloatFormat): void;

  fadd(a: V, b: V, format: FloatFormat): V;
  fsub(a: V, b: V, format: FloatFormat): V;
  fmul(a: V, b: V, format: FloatFormat): V;
  fdiv(a: V, b: V, format: FloatFormat): V;
  fsqrt(a: V, format: FloatFormat): V;
  /** a × b + c, rounded once. */
  fma(a: V, b: V, c: V, format: FloatFormat, negate: FmaSigns): V;
  /** minimumNumber and maximumNumber of IEEE 754-2019. */
  fmin(a: V, b: V, format: FloatFormat): V;
  fmax(a: V, b: V, format: FloatFormat): V;
  fsgnj(a: V, b: V, format: FloatFormat, how: SignInjection): V;

  /** Quiet; the other two comparisons signal for every NaN. */
  feq(a: V, b: V, format: FloatFormat): B;
  flt(a: V, b: V, format: FloatFormat): B;
  fle(a: V, b: V, format: FloatFormat): B;
  /** The class as a register value (unpriv §20.9, table 30). */
  fclass(a: V, format: FloatFormat): V;

  /** From one format to another. */
  fconvert(a: V, from: FloatFormat, to: FloatFormat): V;
  /** To a register value: sign-extended from the integer's width. */
  fromFloat(a: V, from: FloatFormat, to: IntegerKind): V;
  /** From the low bits of a register value. */
  toFloat(a: V, from: IntegerKind, to: FloatFormat): V;
  /** A bit pattern as a register value, sign-extended. */
  floatToBits(a: V, format: FloatFormat): V;
  /** The low bits of a register value as a bit pattern. */
  bitsToFloat(a: V, format: FloatFormat): V;

  fload(addr: V, format: FloatFormat): V;
  fstore(addr: V, value: V, format: FloatFormat): void;
}
