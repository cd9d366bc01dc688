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
import { HART } from "../hart/layout.ts";
import type { FloatFormat } from "../isa/float_sem.ts";
import { FFlag } from "../isa/rounding.ts";
import { addDouble, addSingle } from "./float_arithmetic.ts";
import { DECLINED, type FloatLibrary, GIVE_UP, isInfinite, isNan, raise, SHAPES, signaling, xy } from "./float_code.ts";
import { addConversions, addIntegers } from "./float_conversions.ts";
import { stackCode, type Variables } from "./stack_code.ts";
import { F64, FunctionBody, I32, I64, type ModuleWriter, Op, type ValueType } from "./wasm.ts";

/** The functions of one module, each added to it with those it calls when it is first asked for. */
export class FloatFunctions implements FloatLibrary {
  readonly #module: ModuleWriter;
  readonly #indices = new Map<string, number>();
  readonly #definitions = new Map<string, () => FunctionBody>();
  readonly #hart: number;

  /** `hart` is the host address of the hart's state. */
  constructor(module: ModuleWriter, hart: number) {
    this.#module = module;
    this.#hart = hart;
  }

  /** Defines all of them: most modules need none. */
  #define(): void {
    addFlags(this, this.#hart);
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
    if (this.#definitions.size === 0) this.#define();
    return this.#definitions.keys();
  }

  /** Index of a function in the module; undefined if there is none of that name. */
  get(name: string): number | undefined {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    if (this.#definitions.size === 0) this.#define();
    const body = this.#definitions.get(name)?.();
    if (body === undefined) return undefined;
    const index = this.#module.add(body);
    this.#indices.set(name, index);
    return index;
  }
}

/** `raise(flags)` and `inexact() -> NX is set`. */
function addFlags(library: FloatLibrary, hart: number): void {
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
function addPatterns(library: FloatLibrary, format: FloatFormat): void {
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
     ${isNan("a", s)} if 256i 512i ${signaling("a", s)} select return end
     ${steps} step=
     1i  step 7i step i32.sub a m i64.ne select  i32.shl`,
  );
}

/** Results that are NaN or infinite, rounding to nearest: `special(a, b, result)` gives `DECLINED` for all others. */
function addSpecials(library: FloatLibrary, format: "s" | "d"): void {
  const s = SHAPES[format];
  library.add(
    `special2.${format}`,
    { a: I64, b: I64, r: I64 },
    I64,
    {},
    `${isNan("r", s)} if
       ${isNan("a", s)} ${isNan("b", s)} i32.or i32.eqz
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
    `${isNan("r", s)} if
       ${isNan("a", s)} ${isNan("b", s)} i32.or ${isNan("c", s)} i32.or i32.eqz
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

function addComparisons(library: FloatLibrary, format: "s" | "d"): void {
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
