/** Integer operations that WebAssembly lacks or traps on, as functions of an emitted module. */
import { BitFunctions } from "./bit_functions.ts";
import { FunctionBody, I32, I64, Op } from "./wasm.ts";
import type { ModuleWriter, ValueType } from "./wasm.ts";
import type { Xlen } from "../isa/row.ts";

/** Operations that a module has a function for where it needs one. */
export type IntegerFunction = "mulh" | "mulhsu" | "mulhu" | "div" | "divu" | "rem" | "remu";

/** The functions of one module, added to it when they are first asked for. Each takes two values and gives one. */
export class IntegerFunctions {
  readonly bits: BitFunctions;
  readonly #module: ModuleWriter;
  readonly #xlen: Xlen;
  readonly #indices = new Map<IntegerFunction, number>();

  constructor(module: ModuleWriter, xlen: Xlen) {
    this.#module = module;
    this.#xlen = xlen;
    this.bits = new BitFunctions(module, xlen);
  }

  /** Index of a function, for `call`. */
  index(name: IntegerFunction): number {
    let index = this.#indices.get(name);
    if (index === undefined) this.#indices.set(name, index = this.#module.add(this.#body(name)));
    return index;
  }

  #body(name: IntegerFunction): FunctionBody {
    const wide = this.#xlen === 64;
    switch (name) {
      case "mulhu":
        return wide ? mulhu64() : mulh32(Op.I64ExtendI32U, Op.I64ExtendI32U);
      case "mulh":
        return wide ? correctedMulh(this.index("mulhu"), true) : mulh32(Op.I64ExtendI32S, Op.I64ExtendI32S);
      case "mulhsu":
        return wide ? correctedMulh(this.index("mulhu"), false) : mulh32(Op.I64ExtendI32S, Op.I64ExtendI32U);
      case "div":
      case "rem":
        return divide(this.#xlen, name, true);
      case "divu":
        return divide(this.#xlen, "div", false);
      case "remu":
        return divide(this.#xlen, "rem", false);
    }
  }
}

/** High half of a 32-bit product by a 64-bit multiplication. */
function mulh32(extendA: number, extendB: number): FunctionBody {
  const f = new FunctionBody([I32, I32], [I32]);
  return f.get(0).op(extendA).get(1).op(extendB, Op.I64Mul).i64(32).op(Op.I64ShrS, Op.I32WrapI64);
}

/** High half of an unsigned 64-bit product from four 32-bit ones. */
function mulhu64(): FunctionBody {
  const f = new FunctionBody([I64, I64], [I64]);
  const [lowLow, lowHigh, highLow, middle] = [f.local(I64), f.local(I64), f.local(I64), f.local(I64)];
  const low = (p: number) => f.get(p).i64(0xffff_ffffn).op(Op.I64And);
  const high = (p: number) => f.get(p).i64(32).op(Op.I64ShrU);
  low(0), low(1), f.op(Op.I64Mul).set(lowLow);
  low(0), high(1), f.op(Op.I64Mul).set(lowHigh);
  high(0), low(1), f.op(Op.I64Mul).set(highLow);
  high(lowLow), low(lowHigh), f.op(Op.I64Add), low(highLow), f.op(Op.I64Add).set(middle);
  high(0), high(1), f.op(Op.I64Mul);
  high(lowHigh), f.op(Op.I64Add);
  high(highLow), f.op(Op.I64Add);
  high(middle);
  return f.op(Op.I64Add);
}

/** Signed forms: the unsigned high half less the other factor for each negative signed one. */
function correctedMulh(mulhu: number, bothSigned: boolean): FunctionBody {
  const f = new FunctionBody([I64, I64], [I64]);
  f.get(0).get(1).call(mulhu);
  f.get(0).i64(63).op(Op.I64ShrS).get(1).op(Op.I64And, Op.I64Sub);
  if (bothSigned) f.get(1).i64(63).op(Op.I64ShrS).get(0).op(Op.I64And, Op.I64Sub);
  return f;
}

/**
 * Division by zero gives all ones (remainder: the dividend); MIN / -1 gives MIN (remainder 0) (unpriv §12.2). Signed
 * numbers are divided by their magnitudes, which have no overflow: |MIN| / 1 negated is MIN.
 */
function divide(xlen: Xlen, what: "div" | "rem", signed: boolean): FunctionBody {
  const wide = xlen === 64;
  const type: ValueType = wide ? I64 : I32;
  const f = new FunctionBody([type, type], [type]);
  const op = (name: "Eqz" | "ShrS" | "Xor" | "Sub") => f.op(wide ? Op[`I64${name}`] : Op[`I32${name}`]);
  const constant = (n: number) => wide ? f.i64(n) : f.i32(n);
  const code = what === "div" ? "DivU" : "RemU";
  f.get(1);
  op("Eqz").if();
  if (what === "div") constant(-1);
  else f.get(0);
  f.op(Op.Return).end();
  const divideBy = () => wide ? divideWide(f, what) : f.op(Op[`I32${code}`]);
  if (!signed) {
    f.get(0).get(1);
    return divideBy();
  }
  const [signA, signB] = [f.local(type), f.local(type)];
  const sign = (of: number, to: number) => {
    f.get(of);
    constant(xlen - 1);
    op("ShrS").set(to);
  };
  /** The top of the stack, negated if the sign is set. */
  const signedBy = (push: () => void) => {
    push();
    op("Xor");
    push();
    op("Sub");
  };
  sign(0, signA);
  sign(1, signB);
  f.get(0);
  signedBy(() => f.get(signA));
  f.get(1);
  signedBy(() => f.get(signB));
  divideBy();
  // The remainder has the dividend's sign.
  signedBy(() => {
    f.get(signA);
    if (what === "div") f.get(signB), op("Xor");
  });
  return f;
}

/** Least divisor that is divided by in floating point. */
const FLOAT_DIVISOR = 2 ** 15;

/**
 * Divides the unsigned numbers on the stack, the upper of which is not zero. Many processors take 35 cycles and more for
 * it, and do nothing else meanwhile. A product with the divisor's inverse in floating point, right or one too large, and
 * a multiplication that tells which, take less, the more so as divisors are often known earlier than dividends.
 *
 * The quotient is below 2^49. Four roundings, each of 2^-53 of it, and the dividend's lowest bit that is left out make a
 * difference of 0.26 at most, and rounding to an integer one of 0.5.
 */
function divideWide(f: FunctionBody, what: "div" | "rem"): FunctionBody {
  const [a, b, q, r] = [f.local(I64), f.local(I64), f.local(I64), f.local(I64)];
  f.set(b).set(a);
  f.get(b).i64(FLOAT_DIVISOR).op(Op.I64Sub).i64(2n ** 63n - BigInt(FLOAT_DIVISOR)).op(Op.I64LtU).if();
  // Half the dividend is positive as a signed number, as the divisor is.
  f.get(a).i64(1).op(Op.I64ShrU, Op.F64ConvertI64S).f64(2).get(b).op(Op.F64ConvertI64S, Op.F64Div, Op.F64Mul);
  // Between 2^52 and 2^53 the fraction's bits are the integer.
  f.f64(2 ** 52).op(Op.F64Add, Op.I64ReinterpretF64).i64(2n ** 52n - 1n).op(Op.I64And).set(q);
  f.get(a).get(q).get(b).op(Op.I64Mul, Op.I64Sub).tee(r).i64(63).op(Op.I64ShrS);
  if (what === "div") f.get(q).op(Op.I64Add);
  else f.get(b).op(Op.I64And).get(r).op(Op.I64Add);
  f.set(q).else();
  divideNarrow(f, a, b, what);
  return f.set(q).end().get(q);
}

/** Divides numbers below 2^32 in 32 bits: many processors need twice the time or more for a division of 64 bits. */
function divideNarrow(f: FunctionBody, a: number, b: number, what: "div" | "rem"): void {
  const q = f.local(I64);
  f.get(a).get(b).op(Op.I64Or).i64(32).op(Op.I64ShrU, Op.I64Eqz).if();
  f.get(a).op(Op.I32WrapI64).get(b).op(Op.I32WrapI64);
  f.op(what === "div" ? Op.I32DivU : Op.I32RemU, Op.I64ExtendI32U).set(q).else();
  f.get(a).get(b).op(what === "div" ? Op.I64DivU : Op.I64RemU).set(q).end();
  f.get(q);
}
