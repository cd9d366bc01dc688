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
  f.get(1);
  op("Eqz").if();
  if (what === "div") constant(-1);
  else f.get(0);
  f.op(Op.Return).end();
  if (wide) divideNarrow(f, what);
  const code = what === "div" ? "DivU" : "RemU";
  const divideBy = () => f.op(wide ? Op[`I64${code}`] : Op[`I32${code}`]);
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

/** Returns at once for numbers below 2^32: many processors need twice the time or more for a division of 64 bits. */
function divideNarrow(f: FunctionBody, what: "div" | "rem"): void {
  f.get(0).get(1).op(Op.I64Or).i64(32).op(Op.I64ShrU, Op.I64Eqz).if();
  f.get(0).op(Op.I32WrapI64).get(1).op(Op.I32WrapI64);
  f.op(what === "div" ? Op.I32DivU : Op.I32RemU, Op.I64ExtendI32U, Op.Return).end();
}
