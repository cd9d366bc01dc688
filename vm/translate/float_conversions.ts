/** Conversions between formats and from and to integers as functions of an emitted module: see `float_functions.ts`. */
import type { FloatFormat } from "../isa/float_sem.ts";
import { FFlag } from "../isa/rounding.ts";
import {
  asDouble,
  type FloatLibrary,
  GIVE_UP,
  isNan,
  NARROW,
  NEAREST_ONLY,
  raise,
  SHAPES,
  signaling,
  within,
} from "./float_code.ts";
import { F64, I32, I64 } from "./wasm.ts";

export function addConversions(library: FloatLibrary): void {
  // Signaling NaNs survive, so that what computes with the wider value still sees them.
  library.add(
    "widen.h",
    { a: I64 },
    I64,
    { sign: I64, exponent: I64, fraction: I64 },
    `a 15L i64.shr_u 63L i64.shl sign=  a 10L i64.shr_u 31L i64.and exponent=  a 1023L i64.and fraction=
     exponent 31L i64.eq if sign ${SHAPES.d.infinity} i64.or fraction 42L i64.shl i64.or return end
     exponent i64.eqz if fraction f64.convert_i64_u 2^-24 f64.mul i64.reinterpret_f64 sign i64.or return end
     exponent 1008L i64.add 52L i64.shl fraction 42L i64.shl i64.or sign i64.or`,
  );
  const nan = (from: FloatFormat, to: FloatFormat) =>
    `${isNan("a", SHAPES[from])} if
       ${signaling("a", SHAPES[from])} if ${raise(FFlag.NV)} end ${SHAPES[to].canonical} return
     end`;
  library.add(
    "fconvert.d.s",
    { a: I64, mode: I32 },
    I64,
    { s: F64, q: F64, r: I64 },
    `${asDouble("a", "d")} s= ${nan("d", "s")} ${NARROW}
     q s f64.eq if r return end
     ${NEAREST_ONLY}
     q f64.abs Infinity f64.eq if ${raise(FFlag.OF | FFlag.NX)} r return end
     ${within("q", "2^-126", "Infinity")} if ${raise(FFlag.NX)} r return end
     ${GIVE_UP} 0L`,
  );
  library.add(
    "fconvert.s.d",
    { a: I64, mode: I32 },
    I64,
    {},
    `${nan("s", "d")} ${asDouble("a", "s")} i64.reinterpret_f64`,
  );
  library.add("fconvert.h.d", { a: I64, mode: I32 }, I64, {}, `${nan("h", "d")} a @widen.h`);
  library.add("fconvert.h.s", { a: I64, mode: I32 }, I64, {}, `a mode @fconvert.h.d mode @fconvert.d.s`);
}

/** To and from integers. */
export function addIntegers(library: FloatLibrary): void {
  // Ties away from zero: WebAssembly has no instruction for it, and adding a half first may round.
  library.add(
    "integral",
    { x: F64, mode: I32 },
    F64,
    { t: F64 },
    `mode i32.eqz if x f64.nearest return end
     x f64.trunc t=
     mode 1i i32.eq if t return end
     mode 2i i32.eq if x f64.floor return end
     mode 3i i32.eq if x f64.ceil return end
     x t f64.sub f64.abs 0.5 f64.ge if t 1.0 x f64.copysign f64.add return end
     t`,
  );
  const kinds = [
    ["w", "-2147483648.0", "2147483648.0", "i32.trunc_sat_f64_s i64.extend_i32_s", "0x7fffffffL"],
    ["wu", "0.0", "4294967296.0", "i32.trunc_sat_f64_u i64.extend_i32_s", "-1L"],
    ["l", "-9223372036854775808.0", "2^63", "i64.trunc_sat_f64_s", "0x7fffffffffffffffL"],
    ["lu", "0.0", "2^64", "i64.trunc_sat_f64_u", "-1L"],
  ] as const;
  for (const [kind, low, end, convert, ofNaN] of kinds) {
    library.add(
      `integer.${kind}`,
      { x: F64, mode: I32 },
      I64,
      { t: F64 },
      `x x f64.ne if ${raise(FFlag.NV)} ${ofNaN} return end
       x mode @integral t=
       t ${low} f64.ge t ${end} f64.lt i32.and if
         t x f64.ne if ${raise(FFlag.NX)} end
       else ${raise(FFlag.NV)} end
       t ${convert}`,
    );
  }
  for (const [format, precision] of [["s", 24], ["d", 53]] as const) {
    for (const sign of ["s", "u"]) {
      const magnitude = sign === "s" ? "a 0L a i64.sub a 0L i64.ge_s select" : "a";
      const value = format === "d"
        ? `a f64.convert_i64_${sign} i64.reinterpret_f64`
        : `a f32.convert_i64_${sign} i32.reinterpret_f32 i64.extend_i32_u`;
      library.add(
        `float.${sign}.${format}`,
        { a: I64, mode: I32 },
        I64,
        { m: I64 },
        `${magnitude} m=
         64L m i64.clz i64.sub m i64.ctz i64.sub ${precision}L i64.gt_s if
           ${NEAREST_ONLY} ${raise(FFlag.NX)}
         end
         ${value}`,
      );
    }
  }
}
