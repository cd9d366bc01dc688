/**
 * Floating-point arithmetic as IEEE 754-2019 and RISC-V define it (unpriv §20, §21, §32), done with exact integers and
 * rounded once: the reference that faster implementations are compared with. Values are bit patterns of their format.
 */
import type { FloatFormat, FmaSigns, IntegerKind, SignInjection } from "../isa/float_sem.ts";
import { FFlag, Rounding } from "../isa/rounding.ts";

/** What an operation gives: a bit pattern (or an integer), and the flags it raises. */
export interface FloatResult {
  readonly value: bigint;
  /** `FFlag`s. */
  readonly flags: number;
}

/** A format's parameters (IEEE 754 §3.6). */
interface Parameters {
  readonly bits: number;
  /** Significant bits, the hidden one included. */
  readonly precision: number;
  /** Greatest exponent of a finite number; the least of a normal one is 1 - emax. */
  readonly emax: number;
  readonly canonicalNaN: bigint;
}

const PARAMETERS: Readonly<Record<FloatFormat, Parameters>> = {
  h: { bits: 16, precision: 11, emax: 15, canonicalNaN: 0x7e00n },
  s: { bits: 32, precision: 24, emax: 127, canonicalNaN: 0x7fc0_0000n },
  d: { bits: 64, precision: 53, emax: 1023, canonicalNaN: 0x7ff8_0000_0000_0000n },
};

/** The canonical NaN: what an operation without a number for a result gives (unpriv §20.3). */
export function canonicalNaN(format: FloatFormat): bigint {
  return PARAMETERS[format].canonicalNaN;
}

/** ± mantissa × 2^exponent, or one of the others. */
type Unpacked =
  | { readonly kind: "finite"; readonly negative: boolean; readonly mantissa: bigint; readonly exponent: number }
  | { readonly kind: "infinite"; readonly negative: boolean }
  | { readonly kind: "nan"; readonly negative: boolean; readonly signaling: boolean };
type Finite = Extract<Unpacked, { kind: "finite" }>;

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

function unpack(value: bigint, format: FloatFormat): Unpacked {
  const { bits, precision, emax } = PARAMETERS[format];
  const negative = ((value >> BigInt(bits - 1)) & 1n) !== 0n;
  const fractionBits = BigInt(precision - 1);
  const fraction = value & ((1n << fractionBits) - 1n);
  const biased = Number((value >> fractionBits) & ((1n << BigInt(bits - precision)) - 1n));
  if (biased === 2 * emax + 1) {
    if (fraction === 0n) return { kind: "infinite", negative };
    return { kind: "nan", negative, signaling: (fraction >> (fractionBits - 1n)) === 0n };
  }
  const exponent = Math.max(biased, 1) - emax - (precision - 1);
  return { kind: "finite", negative, mantissa: biased === 0 ? fraction : fraction | (1n << fractionBits), exponent };
}

function pack(negative: boolean, magnitude: bigint, format: FloatFormat): bigint {
  return negative ? magnitude | (1n << BigInt(PARAMETERS[format].bits - 1)) : magnitude;
}

function infinity(negative: boolean, format: FloatFormat): bigint {
  const { precision, emax } = PARAMETERS[format];
  return pack(negative, BigInt(2 * emax + 1) << BigInt(precision - 1), format);
}

function isZero(a: Unpacked): boolean {
  return a.kind === "finite" && a.mantissa === 0n;
}

const exact = (value: bigint): FloatResult => ({ value, flags: 0 });
const invalid = (format: FloatFormat): FloatResult => ({ value: canonicalNaN(format), flags: FFlag.NV });

/** The result where an operand is a NaN; undefined if none is. */
function ofNaNs(format: FloatFormat, ...operands: readonly Unpacked[]): FloatResult | undefined {
  if (!operands.some((a) => a.kind === "nan")) return undefined;
  const signaling = operands.some((a) => a.kind === "nan" && a.signaling);
  return { value: canonicalNaN(format), flags: signaling ? FFlag.NV : 0 };
}

/** `mantissa` without its low `shift` bits, rounded; `sticky` says that there is more below them. */
function roundInteger(
  mantissa: bigint,
  shift: number,
  sticky: boolean,
  negative: boolean,
  rm: Rounding,
): { readonly value: bigint; readonly inexact: boolean } {
  if (shift <= 0) {
    if (sticky) throw new Error(`float: ${-shift} bits are wanted that were not computed`);
    return { value: mantissa << BigInt(-shift), inexact: false };
  }
  const down = mantissa >> BigInt(shift);
  // Twice the rest compared with the unit it is a part of.
  const twice = (mantissa & ((1n << BigInt(shift)) - 1n)) << 1n;
  const unit = 1n << BigInt(shift);
  const inexact = twice !== 0n || sticky;
  const above = twice > unit || (twice === unit && sticky);
  const tie = twice === unit && !sticky;
  let up: boolean;
  switch (rm) {
    case Rounding.NearestEven:
      up = above || (tie && (down & 1n) !== 0n);
      break;
    case Rounding.NearestMax:
      up = above || tie;
      break;
    case Rounding.TowardsZero:
      up = false;
      break;
    case Rounding.Down:
      up = inexact && negative;
      break;
    case Rounding.Up:
      up = inexact && !negative;
      break;
    default:
      throw new Error(`float: ${rm} is no rounding mode`);
  }
  return { value: up ? down + 1n : down, inexact };
}

/** Rounds ± (mantissa, and a little more if `sticky`) × 2^exponent to a format. A sticky one needs two bits to spare. */
function round(
  negative: boolean,
  mantissa: bigint,
  exponent: number,
  sticky: boolean,
  format: FloatFormat,
  rm: Rounding,
): FloatResult {
  const { precision, emax } = PARAMETERS[format];
  const emin = 1 - emax;
  if (mantissa === 0n && !sticky) return exact(pack(negative, 0n, format));
  const ideal = bitLength(mantissa) + exponent - precision;
  // Exponent of the result's last place.
  const place = Math.max(ideal, emin - precision + 1);
  const rounded = roundInteger(mantissa, place - exponent, sticky, negative, rm);
  const top = bitLength(rounded.value) - 1 + place;
  if (top > emax) return overflow(negative, format, rm);
  let flags = rounded.inexact ? FFlag.NX : 0;
  if (rounded.inexact && place > ideal) {
    // Tininess is detected after rounding, as if the exponent had no lower end (unpriv §20.2).
    const unbounded = roundInteger(mantissa, ideal - exponent, sticky, negative, rm);
    if (bitLength(unbounded.value) - 1 + ideal < emin) flags |= FFlag.UF;
  }
  // A subnormal's exponent field is 0; a carry out of the fraction makes it 1, or raises it by one.
  const field = BigInt(place - (emin - precision + 1)) << BigInt(precision - 1);
  return { value: pack(negative, field + rounded.value, format), flags };
}

function overflow(negative: boolean, format: FloatFormat, rm: Rounding): FloatResult {
  const toInfinity = rm === Rounding.NearestEven || rm === Rounding.NearestMax ||
    rm === (negative ? Rounding.Down : Rounding.Up);
  const infinite = infinity(negative, format);
  return { value: toInfinity ? infinite : infinite - 1n, flags: FFlag.OF | FFlag.NX };
}

/** Sign of an exact zero sum of numbers that are not zeros of one sign (IEEE 754 §6.3). */
function zeroSum(format: FloatFormat, rm: Rounding): FloatResult {
  return exact(pack(rm === Rounding.Down, 0n, format));
}

function addFinite(a: Finite, b: Finite, format: FloatFormat, rm: Rounding): FloatResult {
  const exponent = Math.min(a.exponent, b.exponent);
  const term = (x: Finite) => (x.negative ? -x.mantissa : x.mantissa) << BigInt(x.exponent - exponent);
  const sum = term(a) + term(b);
  if (sum !== 0n) return round(sum < 0n, sum < 0n ? -sum : sum, exponent, false, format, rm);
  return isZero(a) && isZero(b) && a.negative === b.negative
    ? exact(pack(a.negative, 0n, format))
    : zeroSum(format, rm);
}

function addUnpacked(a: Unpacked, b: Unpacked, format: FloatFormat, rm: Rounding): FloatResult {
  const nan = ofNaNs(format, a, b);
  if (nan !== undefined) return nan;
  if (a.kind === "infinite" && b.kind === "infinite" && a.negative !== b.negative) return invalid(format);
  if (a.kind !== "finite") return exact(infinity(a.negative, format));
  if (b.kind !== "finite") return exact(infinity(b.negative, format));
  return addFinite(a, b, format, rm);
}

/** a + b. */
export function add(a: bigint, b: bigint, format: FloatFormat, rm: Rounding): FloatResult {
  return addUnpacked(unpack(a, format), unpack(b, format), format, rm);
}

/** a - b. */
export function subtract(a: bigint, b: bigint, format: FloatFormat, rm: Rounding): FloatResult {
  const other = unpack(b, format);
  return addUnpacked(unpack(a, format), { ...other, negative: !other.negative }, format, rm);
}

/** a × b. */
export function multiply(a: bigint, b: bigint, format: FloatFormat, rm: Rounding): FloatResult {
  const [x, y] = [unpack(a, format), unpack(b, format)];
  const nan = ofNaNs(format, x, y);
  if (nan !== undefined) return nan;
  const negative = x.negative !== y.negative;
  if (x.kind !== "finite" || y.kind !== "finite") {
    return isZero(x) || isZero(y) ? invalid(format) : exact(infinity(negative, format));
  }
  return round(negative, x.mantissa * y.mantissa, x.exponent + y.exponent, false, format, rm);
}

/** a / b. */
export function divide(a: bigint, b: bigint, format: FloatFormat, rm: Rounding): FloatResult {
  const [x, y] = [unpack(a, format), unpack(b, format)];
  const nan = ofNaNs(format, x, y);
  if (nan !== undefined) return nan;
  const negative = x.negative !== y.negative;
  if (x.kind !== "finite") return y.kind === "infinite" ? invalid(format) : exact(infinity(negative, format));
  if (y.kind !== "finite") return exact(pack(negative, 0n, format));
  if (y.mantissa === 0n) {
    return x.mantissa === 0n ? invalid(format) : { value: infinity(negative, format), flags: FFlag.DZ };
  }
  const spare = Math.max(0, PARAMETERS[format].precision + 3 + bitLength(y.mantissa) - bitLength(x.mantissa));
  const dividend = x.mantissa << BigInt(spare);
  const quotient = dividend / y.mantissa;
  const sticky = quotient * y.mantissa !== dividend;
  return round(negative, quotient, x.exponent - y.exponent - spare, sticky, format, rm);
}

/** Greatest integer whose square is at most `value`. */
function integerRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** The square root of a. */
export function squareRoot(a: bigint, format: FloatFormat, rm: Rounding): FloatResult {
  const x = unpack(a, format);
  const nan = ofNaNs(format, x);
  if (nan !== undefined) return nan;
  if (isZero(x)) return exact(a);
  if (x.negative) return invalid(format);
  if (x.kind !== "finite") return exact(a);
  const wanted = 2 * PARAMETERS[format].precision + 6 - bitLength(x.mantissa);
  // An even exponent remains.
  const spare = wanted + ((x.exponent - wanted) & 1);
  const square = x.mantissa << BigInt(spare);
  const root = integerRoot(square);
  return round(false, root, (x.exponent - spare) / 2, root * root !== square, format, rm);
}

/** ±(a × b) ± c, rounded once (unpriv §20.6). */
export function multiplyAdd(
  a: bigint,
  b: bigint,
  c: bigint,
  format: FloatFormat,
  negate: FmaSigns,
  rm: Rounding,
): FloatResult {
  const [x, y, given] = [unpack(a, format), unpack(b, format), unpack(c, format)];
  const z = { ...given, negative: given.negative !== negate.addend };
  const nan = ofNaNs(format, x, y, z);
  const product = (x.kind === "infinite" && isZero(y)) || (isZero(x) && y.kind === "infinite");
  // Invalid even where the addend is a quiet NaN (unpriv §20.6).
  if (product) return invalid(format);
  if (nan !== undefined) return nan;
  const negative = (x.negative !== y.negative) !== negate.product;
  if (x.kind !== "finite" || y.kind !== "finite") {
    return addUnpacked({ kind: "infinite", negative }, z, format, rm);
  }
  return addUnpacked(
    { kind: "finite", negative, mantissa: x.mantissa * y.mantissa, exponent: x.exponent + y.exponent },
    z,
    format,
    rm,
  );
}

/** -1, 0 or 1; neither may be a NaN. */
function order(a: Unpacked, b: Unpacked): number {
  const rank = (x: Unpacked): bigint => {
    if (x.kind === "infinite") return x.negative ? -(1n << 4096n) : 1n << 4096n;
    const { mantissa, exponent, negative } = x as Finite;
    const magnitude = mantissa << BigInt(exponent + 1100);
    return negative ? -magnitude : magnitude;
  };
  const [x, y] = [rank(a), rank(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** What a comparison finds. */
export interface FloatComparison {
  readonly holds: boolean;
  readonly flags: number;
}

/** a = b (quiet), a < b or a <= b (signaling) (unpriv §20.8). */
export function compare(a: bigint, b: bigint, format: FloatFormat, what: "feq" | "flt" | "fle"): FloatComparison {
  const [x, y] = [unpack(a, format), unpack(b, format)];
  const nan = ofNaNs(format, x, y);
  if (nan !== undefined) return { holds: false, flags: what === "feq" ? nan.flags : FFlag.NV };
  const found = order(x, y);
  return { holds: what === "feq" ? found === 0 : what === "flt" ? found < 0 : found <= 0, flags: 0 };
}

/** The smaller or greater number; -0 is smaller than +0, and a number is preferred to a NaN (unpriv §20.6). */
export function minMax(a: bigint, b: bigint, format: FloatFormat, what: "fmin" | "fmax"): FloatResult {
  const [x, y] = [unpack(a, format), unpack(b, format)];
  const nan = ofNaNs(format, x, y);
  if (nan !== undefined) {
    if (x.kind === "nan" && y.kind === "nan") return nan;
    return { value: x.kind === "nan" ? b : a, flags: nan.flags };
  }
  const found = order(x, y) || (x.negative ? -1 : 0) - (y.negative ? -1 : 0);
  return exact((what === "fmin" ? found <= 0 : found >= 0) ? a : b);
}

/** a with a sign made of both signs (unpriv §20.7). */
export function injectSign(a: bigint, b: bigint, format: FloatFormat, how: SignInjection): bigint {
  const sign = 1n << BigInt(PARAMETERS[format].bits - 1);
  const from = how === "copy" ? b : how === "negate" ? ~b : a ^ b;
  return (a & (sign - 1n)) | (from & sign);
}

/** The class of a, one bit of ten (unpriv §20.9, table 30). */
export function classify(a: bigint, format: FloatFormat): bigint {
  const x = unpack(a, format);
  if (x.kind === "nan") return x.signaling ? 1n << 8n : 1n << 9n;
  if (x.kind === "infinite") return x.negative ? 1n : 1n << 7n;
  const subnormal = bitLength(x.mantissa) < PARAMETERS[format].precision;
  const step = x.mantissa === 0n ? 3n : subnormal ? 2n : 1n;
  return 1n << (x.negative ? step : 7n - step);
}

/** From one format to another. */
export function convert(a: bigint, from: FloatFormat, to: FloatFormat, rm: Rounding): FloatResult {
  const x = unpack(a, from);
  const nan = ofNaNs(to, x);
  if (nan !== undefined) return nan;
  if (x.kind !== "finite") return exact(infinity(x.negative, to));
  return round(x.negative, x.mantissa, x.exponent, false, to, rm);
}

/** To an integer; what does not fit is invalid and gives the nearest end, a NaN the upper one (unpriv §20.7). */
export function toInteger(a: bigint, from: FloatFormat, to: IntegerKind, rm: Rounding): FloatResult {
  const x = unpack(a, from);
  const low = to.signed ? -(1n << BigInt(to.bits - 1)) : 0n;
  const high = (1n << BigInt(to.signed ? to.bits - 1 : to.bits)) - 1n;
  if (x.kind !== "finite") return { value: x.kind === "infinite" && x.negative ? low : high, flags: FFlag.NV };
  const { value: magnitude, inexact } = roundInteger(x.mantissa, -x.exponent, false, x.negative, rm);
  const value = x.negative ? -magnitude : magnitude;
  if (value < low || value > high) return { value: x.negative ? low : high, flags: FFlag.NV };
  return { value, flags: inexact ? FFlag.NX : 0 };
}

/** From an integer. */
export function fromInteger(value: bigint, to: FloatFormat, rm: Rounding): FloatResult {
  return round(value < 0n, value < 0n ? -value : value, 0, false, to, rm);
}
