/**
 * Floating-point operations as functions of an emitted module. Bit patterns travel as i64, narrow ones zero-extended.
 *
 * Results come from the host's binary64 operations, which round to nearest even; whether they were exact is told by
 * their error terms (2Sum, Dekker's product, residuals), and only while NX is not set already. Where that is not safe
 * (another rounding mode, results that are subnormal, tiny or near the ends of the range) a function gives `DECLINED`
 * and has raised nothing: the instruction is then left to the reference executor.
 *
 * binary32 is computed in binary64: products are exact there, and rounding twice is innocuous for sums, quotients and
 * square roots, since 53 >= 2 * 24 + 2 (Figueroa 1995). Fused operations round an intermediate sum to odd first (Boldo
 * and Melquiond 2008).
 */
import type { FloatFormat } from "../isa/float_sem.ts";
import { FFlag } from "../isa/rounding.ts";
import { HART } from "../hart/layout.ts";
import { stackCode, type Variables } from "./stack_code.ts";
import { F64, FunctionBody, I32, I64, type ModuleWriter, Op, type ValueType } from "./wasm.ts";

/** A signaling NaN, which no operation gives, beyond any narrow pattern: "not done here". */
export const DECLINED = 0x7ff4_dec1_14ed_0000n;

/** Constants of a format as i64 words. */
interface Shape {
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

function shape(bits: number, fraction: number): Shape {
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

const SHAPES: Readonly<Record<FloatFormat, Shape>> = { h: shape(16, 10), s: shape(32, 23), d: shape(64, 52) };
const GIVE_UP = `0x${DECLINED.toString(16)}L return`;

/** A bit pattern `name` as f64. */
const asDouble = (name: string, format: "s" | "d"): string =>
  format === "d" ? `${name} f64.reinterpret_i64` : `${name} i32.wrap_i64 f32.reinterpret_i32 f64.promote_f32`;

/** Whether the pattern `name` is a signaling NaN: with its quiet bit flipped, it alone is above infinity and quiet bit. */
const signaling = (name: string, s: Shape): string =>
  `${name} ${s.magnitude} i64.and ${s.quiet} i64.xor ${s.flipped} i64.gt_u`;
const isNaN_ = (name: string, s: Shape): string => `${name} ${s.magnitude} i64.and ${s.infinity} i64.gt_u`;
const isInfinite = (name: string, s: Shape): string => `${name} ${s.magnitude} i64.and ${s.infinity} i64.eq`;

const raise = (flags: number): string => `${flags}i @raise`;
/** Raises NX where the condition `inexact` holds; looks only while NX is not set. */
const raiseIfInexact = (inexact: string): string => `@inexact i32.eqz if ${inexact} if ${raise(FFlag.NX)} end end`;

/** The error of the f64 sum `s` of `x` and `y` (Knuth's 2Sum); uses the local `t`. */
const sumError = (x: string, y: string, s: string): string =>
  `${s} ${x} f64.sub t= ${x} ${s} t f64.sub f64.sub ${y} t f64.sub f64.add`;
/** Splits `x` into halves of 26 bits (Veltkamp), 2^27 + 1 being the constant; uses the local `t`. */
const split = (x: string, high: string, low: string): string =>
  `${x} 134217729.0 f64.mul t= t t ${x} f64.sub f64.sub ${high}= ${x} ${high} f64.sub ${low}=`;
/** The error of the f64 product `p` of `x` and `y` (Dekker); uses the locals `xh xl yh yl t`. */
const productError = (x: string, y: string, p: string): string =>
  `${split(x, "xh", "xl")} ${split(y, "yh", "yl")} ` +
  `xh yh f64.mul ${p} f64.sub xh yl f64.mul f64.add xl yh f64.mul f64.add xl yl f64.mul f64.add`;
const PRODUCT_LOCALS: Variables = { xh: F64, xl: F64, yh: F64, yl: F64, t: F64 };

/** `low < |x| < high`, false for a NaN. */
const within = (x: string, low: string, high: string): string =>
  `${x} f64.abs ${low} f64.gt ${x} f64.abs ${high} f64.lt i32.and`;
/** Where a product's error is a number that f64 holds exactly. */
const SAFE = ["2^-900", "2^990"] as const;

const BINARY: Variables = { a: I64, b: I64, mode: I32 };
const xy = (format: "s" | "d"): string => `${asDouble("a", format)} x= ${asDouble("b", format)} y=`;
const XY: Variables = { x: F64, y: F64, s: F64, t: F64, r: I64 };
const NEAREST_ONLY = `mode if ${GIVE_UP} end`;

/** The functions of one module, each added to it with those it calls when it is first asked for. */
export class FloatFunctions {
  readonly #module: ModuleWriter;
  readonly #indices = new Map<string, number>();
  readonly #definitions = new Map<string, () => FunctionBody>();

  /** `hart` is the host address of the hart's state. */
  constructor(module: ModuleWriter, hart: number) {
    this.#module = module;
    addFlags(this, hart);
    for (const format of ["h", "s", "d"] as const) addPatterns(this, format);
    for (const format of ["s", "d"] as const) {
      addSpecials(this, format);
      addComparisons(this, format);
    }
    addDouble(this);
    addSingle(this);
    addConversions(this);
    addIntegers(this);
    const operands: readonly Variables[] = [{ a: I64 }, { a: I64, b: I64 }, { a: I64, b: I64, c: I64 }];
    operands.forEach((params, i) => this.add(`decline${i + 1}`, params, I64, {}, `0x${DECLINED.toString(16)}L`));
  }

  /** Defines a function. */
  add(name: string, params: Variables, result: ValueType, locals: Variables, text: string): void {
    this.body(name, () => stackCode(params, [result], locals, text, this));
  }
  body(name: string, make: () => FunctionBody): void {
    this.#definitions.set(name, make);
  }

  /** All names. */
  get names(): Iterable<string> {
    return this.#definitions.keys();
  }

  /** Index of a function in the module; undefined if there is none of that name. */
  get(name: string): number | undefined {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    const body = this.#definitions.get(name)?.();
    if (body === undefined) return undefined;
    const index = this.#module.add(body);
    this.#indices.set(name, index);
    return index;
  }
}

/** `raise(flags)` and `inexact() -> NX is set`. */
function addFlags(library: FloatFunctions, hart: number): void {
  const at = hart + HART.fflags;
  const raiseBody = new FunctionBody([I32], []);
  raiseBody.i32(0).i32(0).memory(Op.I32Load, at).get(0).op(Op.I32Or).memory(Op.I32Store, at);
  library.body("raise", () => raiseBody);
  library.body(
    "inexact",
    () => new FunctionBody([], [I32]).i32(0).memory(Op.I32Load, at).i32(FFlag.NX).op(Op.I32And),
  );
}

/** What only looks at bits: unboxing, signs, classes. */
function addPatterns(library: FloatFunctions, format: FloatFormat): void {
  const s = SHAPES[format];
  if (format !== "d") {
    const bits = format === "h" ? 16 : 32;
    const mask = `0x${((1n << BigInt(bits)) - 1n).toString(16)}L`;
    const boxed = `a ${bits}L i64.shr_s -1L i64.eq`;
    library.add(`unbox.${format}`, { a: I64 }, I64, {}, `a ${mask} i64.and ${s.canonical} ${boxed} select`);
  }
  const signs = { copy: "b", negate: "b -1L i64.xor", xor: "a b i64.xor" };
  for (const [how, sign] of Object.entries(signs)) {
    const text = `a ${s.magnitude} i64.and ${sign} ${s.sign} i64.and i64.or`;
    library.add(`fsgnj.${how}.${format}`, { a: I64, b: I64 }, I64, {}, text);
  }
  const steps = `3i 2i m i64.eqz select  1i m ${s.leastNormal} i64.lt_u select  0i m ${s.infinity} i64.lt_u select`;
  library.add(
    `fclass.${format}`,
    { a: I64 },
    I32,
    { m: I64, step: I32 },
    `a ${s.magnitude} i64.and m=
     ${isNaN_("a", s)} if 256i 512i ${signaling("a", s)} select return end
     ${steps} step=
     1i  step 7i step i32.sub a m i64.ne select  i32.shl`,
  );
}

/** Results that are NaN or infinite, rounding to nearest: `special(a, b, result)` gives `DECLINED` for all others. */
function addSpecials(library: FloatFunctions, format: "s" | "d"): void {
  const s = SHAPES[format];
  library.add(
    `special2.${format}`,
    { a: I64, b: I64, r: I64 },
    I64,
    {},
    `${isNaN_("r", s)} if
       ${isNaN_("a", s)} ${isNaN_("b", s)} i32.or i32.eqz
       ${signaling("a", s)} i32.or ${signaling("b", s)} i32.or if ${raise(FFlag.NV)} end
       ${s.canonical} return
     end
     ${isInfinite("r", s)} if
       ${isInfinite("a", s)} ${isInfinite("b", s)} i32.or i32.eqz if ${raise(FFlag.OF | FFlag.NX)} end
       r return
     end
     ${GIVE_UP} 0L`,
  );
  const zeroTimesInfinity = (x: string, y: string) => `${isInfinite(x, s)} ${y} ${s.magnitude} i64.and i64.eqz i32.and`;
  // An infinite sum of finite operands may only be a product that did not fit: declined.
  library.add(
    `special3.${format}`,
    { a: I64, b: I64, c: I64, r: I64 },
    I64,
    {},
    `${isNaN_("r", s)} if
       ${isNaN_("a", s)} ${isNaN_("b", s)} i32.or ${isNaN_("c", s)} i32.or i32.eqz
       ${signaling("a", s)} i32.or ${signaling("b", s)} i32.or ${signaling("c", s)} i32.or
       ${zeroTimesInfinity("a", "b")} i32.or ${zeroTimesInfinity("b", "a")} i32.or if ${raise(FFlag.NV)} end
       ${s.canonical} return
     end
     ${isInfinite("r", s)} ${isInfinite("a", s)} ${isInfinite("b", s)} i32.or ${isInfinite("c", s)} i32.or i32.and if
       r return
     end
     ${GIVE_UP} 0L`,
  );
}

function addComparisons(library: FloatFunctions, format: "s" | "d"): void {
  const s = SHAPES[format];
  const eitherSignals = `${signaling("a", s)} ${signaling("b", s)} i32.or`;
  for (const name of ["feq", "flt", "fle"]) {
    const loud = name === "feq" ? eitherSignals : "1i";
    library.add(
      `${name}.${format}`,
      { a: I64, b: I64 },
      I32,
      { x: F64, y: F64 },
      `${xy(format)}
       x x f64.ne y y f64.ne i32.or if ${loud} if ${raise(FFlag.NV)} end 0i return end
       x y f64.${name.slice(1)}`,
    );
  }
  // Equal numbers have equal bits but for zeros, of which or and and find the smaller and the greater.
  for (const [name, first, merge] of [["fmin", "lt", "or"], ["fmax", "gt", "and"]] as const) {
    library.add(
      `${name}.${format}`,
      { a: I64, b: I64 },
      I64,
      { x: F64, y: F64 },
      `${xy(format)}
       x y f64.${first} if a return end
       y x f64.${first} if b return end
       x y f64.eq if a b i64.${merge} return end
       ${eitherSignals} if ${raise(FFlag.NV)} end
       x x f64.eq if a return end
       y y f64.eq if b return end
       ${s.canonical}`,
    );
  }
}

function addDouble(library: FloatFunctions): void {
  const result = (operation: string) => `${xy("d")} x y ${operation} s= s i64.reinterpret_f64 r= ${NEAREST_ONLY}`;
  const special = "a b r @special2.d";
  // A sum that is subnormal is exact; below 2^1022 no step of 2Sum overflows.
  library.add(
    "fadd.d",
    BINARY,
    I64,
    XY,
    `${result("f64.add")}
     s f64.abs 2^1022 f64.lt if ${raiseIfInexact(`${sumError("x", "y", "s")} 0.0 f64.ne`)} r return end
     ${special}`,
  );
  library.add("fsub.d", BINARY, I64, {}, `a b ${SHAPES.d.sign} i64.xor mode @fadd.d`);
  const factors = `${within("x", ...SAFE)} ${within("y", ...SAFE)} i32.and ${within("s", ...SAFE)} i32.and`;
  library.add(
    "fmul.d",
    BINARY,
    I64,
    { ...XY, ...PRODUCT_LOCALS },
    `${result("f64.mul")}
     ${within("s", "2^-1021", "2^1023")} @inexact i32.and if r return end
     ${factors} if ${productError("x", "y", "s")} 0.0 f64.ne if ${raise(FFlag.NX)} end r return end
     s 0.0 f64.eq x 0.0 f64.eq y 0.0 f64.eq i32.or i32.and if r return end
     ${special}`,
  );
  library.add(
    "fdiv.d",
    BINARY,
    I64,
    { ...XY, ...PRODUCT_LOCALS, p: F64 },
    `${result("f64.div")}
     ${within("s", "2^-1021", "2^1023")} @inexact i32.and if r return end
     ${factors} if
       s y f64.mul p=
       p x f64.ne ${productError("s", "y", "p")} 0.0 f64.ne i32.or if ${raise(FFlag.NX)} end r return
     end
     s 0.0 f64.eq x 0.0 f64.eq i32.and if r return end
     y 0.0 f64.eq ${within("x", "0.0", "Infinity")} i32.and if ${raise(FFlag.DZ)} r return end
     ${special}`,
  );
  library.add(
    "fsqrt.d",
    { a: I64, mode: I32 },
    I64,
    { ...XY, ...PRODUCT_LOCALS, p: F64 },
    `${asDouble("a", "d")} x= x f64.sqrt s= s i64.reinterpret_f64 r= ${NEAREST_ONLY}
     x 0.0 f64.gt x Infinity f64.lt i32.and @inexact i32.and if r return end
     x 2^-900 f64.gt x 2^990 f64.lt i32.and if
       s s f64.mul p=
       p x f64.ne ${productError("s", "s", "p")} 0.0 f64.ne i32.or if ${raise(FFlag.NX)} end r return
     end
     x 0.0 f64.eq if a return end
     a a r @special2.d`,
  );
  const odd = `v i64.reinterpret_f64 vb= vb 1L i64.and i64.eqz w 0.0 f64.ne i32.and if
       vb  1L -1L  w 0.0 f64.gt v 0.0 f64.gt i32.eq select  i64.add f64.reinterpret_i64 v=
     end`;
  library.add(
    "fma.d",
    { a: I64, b: I64, c: I64, mode: I32 },
    I64,
    { ...XY, ...PRODUCT_LOCALS, z: F64, p: F64, e: F64, uh: F64, ul: F64, th: F64, tl: F64, v: F64, w: F64, vb: I64 },
    `${xy("d")} ${asDouble("c", "d")} z= x y f64.mul p= ${NEAREST_ONLY}
     ${within("p", "2^-800", "2^990")} ${within("z", "2^-800", "2^990")} i32.and
     ${within("x", ...SAFE)} i32.and ${within("y", ...SAFE)} i32.and if
       ${productError("x", "y", "p")} e=
       z e f64.add uh= ${sumError("z", "e", "uh")} ul=
       p uh f64.add th= ${sumError("p", "uh", "th")} tl=
       tl ul f64.add v= ${sumError("tl", "ul", "v")} w=
       ${odd}
       th v f64.add s=
       ${raiseIfInexact(`w 0.0 f64.ne ${sumError("th", "v", "s")} 0.0 f64.ne i32.or`)}
       s i64.reinterpret_f64 return
     end
     p 0.0 f64.eq x 0.0 f64.eq y 0.0 f64.eq i32.or i32.and if p i64.reinterpret_f64 c 0i @fadd.d return end
     z 0.0 f64.eq p 0.0 f64.ne i32.and p f64.abs Infinity f64.lt i32.and if a b 0i @fmul.d return end
     z f64.abs Infinity f64.eq x f64.abs Infinity f64.lt i32.and y f64.abs Infinity f64.lt i32.and if c return end
     a b c p z f64.add i64.reinterpret_f64 @special3.d`,
  );
}

/** The f64 `s` as binary32, in `r`, and that as f64 again, in `q`. */
const NARROW = "s f32.demote_f64 i32.reinterpret_f32 i64.extend_i32_u r= " +
  "r i32.wrap_i64 f32.reinterpret_i32 f64.promote_f32 q=";

function addSingle(library: FloatFunctions): void {
  const shapeS = SHAPES.s;
  const locals: Variables = { ...XY, q: F64 };
  const result = (operation: string) => `${xy("s")} x y ${operation} s= ${NARROW} ${NEAREST_ONLY}`;
  const finite = `q f64.abs Infinity f64.lt`;
  // Above the least normal number nothing is tiny, whatever was rounded.
  const normal = `${within("q", "2^-126", "Infinity")}`;
  const special = "a b r @special2.s";
  library.add(
    "fadd.s",
    BINARY,
    I64,
    locals,
    `${result("f64.add")}
     ${finite} if ${raiseIfInexact(`q s f64.ne ${sumError("x", "y", "s")} 0.0 f64.ne i32.or`)} r return end
     ${special}`,
  );
  library.add("fsub.s", BINARY, I64, {}, `a b ${shapeS.sign} i64.xor mode @fadd.s`);
  library.add(
    "fmul.s",
    BINARY,
    I64,
    locals,
    `${result("f64.mul")}
     q s f64.eq ${finite} i32.and if r return end
     ${normal} if ${raise(FFlag.NX)} r return end
     ${special}`,
  );
  library.add(
    "fdiv.s",
    BINARY,
    I64,
    locals,
    `${result("f64.div")}
     ${normal} if ${raiseIfInexact("q y f64.mul x f64.ne")} r return end
     s 0.0 f64.eq x 0.0 f64.eq i32.and if r return end
     y 0.0 f64.eq ${within("x", "0.0", "Infinity")} i32.and if ${raise(FFlag.DZ)} r return end
     ${special}`,
  );
  library.add(
    "fsqrt.s",
    { a: I64, mode: I32 },
    I64,
    locals,
    `${asDouble("a", "s")} x= x f64.sqrt s= ${NARROW} ${NEAREST_ONLY}
     ${normal} if ${raiseIfInexact("q q f64.mul x f64.ne")} r return end
     x 0.0 f64.eq if a return end
     a a r @special2.s`,
  );
  library.add(
    "fma.s",
    { a: I64, b: I64, c: I64, mode: I32 },
    I64,
    { ...locals, z: F64, p: F64, e: F64, sb: I64 },
    `${xy("s")} ${asDouble("c", "s")} z= x y f64.mul p= p z f64.add s= ${NEAREST_ONLY}
     s f64.abs Infinity f64.lt if
       ${sumError("p", "z", "s")} e=
       e 0.0 f64.ne if
         s i64.reinterpret_f64 sb= sb 1L i64.and i64.eqz if
           sb 1L -1L  e 0.0 f64.gt s 0.0 f64.gt i32.eq select i64.add f64.reinterpret_i64 s=
         end
       end
       ${NARROW}
       ${normal} q s f64.eq e 0.0 f64.eq i32.and i32.or ${finite} i32.and if
         q s f64.ne e 0.0 f64.ne i32.or if ${raise(FFlag.NX)} end
         r return
       end
       ${GIVE_UP}
     end
     ${NARROW} a b c r @special3.s`,
  );
}

function addConversions(library: FloatFunctions): void {
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
    `${isNaN_("a", SHAPES[from])} if
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
function addIntegers(library: FloatFunctions): void {
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
