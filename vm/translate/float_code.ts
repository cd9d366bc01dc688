/** Stack code that the floating-point functions share: constants of the formats, tests, error terms. */
import { FFlag } from "../isa/rounding.ts";
import type { FloatFormat } from "../isa/float_sem.ts";
import type { Variables } from "./stack_code.ts";
import { F64, I32, I64 } from "./wasm.ts";
import type { FunctionBody, ValueType } from "./wasm.ts";

/** A signaling NaN, which no operation gives, beyond any narrow pattern: "not done here". */
export const DECLINED = 0x7ff4_dec1_14ed_0000n;

/** Constants of a format as i64 words. */
export interface Shape {
  readonly sign: string;
  /** Everything but the sign. */
  readonly magnitude: string;
  readonly infinity: string;
  readonly quiet: string;
  /** The least signaling NaN once its quiet bit is flipped, less one: see `signaling`. */
  readonly flipped: string;
  readonly canonical: string;
  readonly leastNormal: string;
}

export function shape(bits: number, fraction: number): Shape {
  const word = (value: bigint) => `0x${value.toString(16)}L`;
  const sign = 1n << BigInt(bits - 1);
  const infinity = sign - (1n << BigInt(fraction));
  const quiet = 1n << BigInt(fraction - 1);
  return {
    sign: word(sign),
    magnitude: word(sign - 1n),
    infinity: word(infinity),
    quiet: word(quiet),
    flipped: word(infinity | quiet),
    canonical: word(infinity | quiet),
    leastNormal: word(1n << BigInt(fraction)),
  };
}

export const SHAPES: Readonly<Record<FloatFormat, Shape>> = { h: shape(16, 10), s: shape(32, 23), d: shape(64, 52) };
export const GIVE_UP: string = `0x${DECLINED.toString(16)}L return`;

/** A bit pattern `name` as f64. */
export const asDouble = (name: string, format: "s" | "d"): string =>
  format === "d" ? `${name} f64.reinterpret_i64` : `${name} i32.wrap_i64 f32.reinterpret_i32 f64.promote_f32`;

/** Whether the pattern `name` is a signaling NaN: with its quiet bit flipped, it alone is above infinity and quiet bit. */
export const signaling = (name: string, s: Shape): string =>
  `${name} ${s.magnitude} i64.and ${s.quiet} i64.xor ${s.flipped} i64.gt_u`;
export const isNan = (name: string, s: Shape): string => `${name} ${s.magnitude} i64.and ${s.infinity} i64.gt_u`;
export const isInfinite = (name: string, s: Shape): string => `${name} ${s.magnitude} i64.and ${s.infinity} i64.eq`;

export const raise = (flags: number): string => `${flags}i @raise`;
/** Raises NX where the condition `inexact` holds; looks only while NX is not set. */
export const raiseIfInexact = (inexact: string): string =>
  `@inexact i32.eqz if ${inexact} if ${raise(FFlag.NX)} end end`;

/** The error of the f64 sum `s` of `x` and `y` (Knuth's 2Sum); uses the local `t`. */
export const sumError = (x: string, y: string, s: string): string =>
  `${s} ${x} f64.sub t= ${x} ${s} t f64.sub f64.sub ${y} t f64.sub f64.add`;
/** Splits `x` into halves of 26 bits (Veltkamp), 2^27 + 1 being the constant; uses the local `t`. */
export const split = (x: string, high: string, low: string): string =>
  `${x} 134217729.0 f64.mul t= t t ${x} f64.sub f64.sub ${high}= ${x} ${high} f64.sub ${low}=`;
/** The error of the f64 product `p` of `x` and `y` (Dekker); uses the locals `xh xl yh yl t`. */
export const productError = (x: string, y: string, p: string): string =>
  `${split(x, "xh", "xl")} ${split(y, "yh", "yl")} ` +
  `xh yh f64.mul ${p} f64.sub xh yl f64.mul f64.add xl yh f64.mul f64.add xl yl f64.mul f64.add`;
export const PRODUCT_LOCALS: Variables = { xh: F64, xl: F64, yh: F64, yl: F64, t: F64 };

/** `low < |x| < high`, false for a NaN. */
export const within = (x: string, low: string, high: string): string =>
  `${x} f64.abs ${low} f64.gt ${x} f64.abs ${high} f64.lt i32.and`;
/** Where a product's error is a number that f64 holds exactly. */
export const SAFE = ["2^-900", "2^990"] as const;

export const BINARY: Variables = { a: I64, b: I64, mode: I32 };
export const xy = (format: "s" | "d"): string => `${asDouble("a", format)} x= ${asDouble("b", format)} y=`;
export const XY: Variables = { x: F64, y: F64, s: F64, t: F64, r: I64 };
export const NEAREST_ONLY: string = `mode if ${GIVE_UP} end`;

/** The f64 `s` as binary32, in `r`, and that as f64 again, in `q`. */
export const NARROW: string = "s f32.demote_f64 i32.reinterpret_f32 i64.extend_i32_u r= " +
  "r i32.wrap_i64 f32.reinterpret_i32 f64.promote_f32 q=";

/** Where functions are defined, each able to call the others. */
export interface FloatLibrary {
  add(name: string, params: Variables, result: ValueType, locals: Variables, text: string): void;
  body(name: string, make: () => FunctionBody): void;
}
