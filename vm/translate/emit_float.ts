/**
 * The floating-point letters as WebAssembly: operands and results around the functions of `float_functions.ts`. On the
 * stack a floating-point value is an i64, whatever XLEN is.
 */
import { HART } from "../hart/layout.ts";
import { floatBytes } from "../isa/float_sem.ts";
import type { FloatFormat, FloatSem, FmaSigns, IntegerKind, SignInjection } from "../isa/float_sem.ts";
import { Rounding } from "../isa/rounding.ts";
import type { Xlen } from "../isa/row.ts";
import { DECLINED } from "./float_code.ts";
import type { FloatFunctions } from "./float_functions.ts";
import { I32, I64, Op } from "./wasm.ts";
import type { FunctionBody, ValueType } from "./wasm.ts";

/** A value or a truth value on the stack; only its place counts. */
export type OnStack = "value";
const VALUE: OnStack = "value";

const SIGN = { h: 0x8000n, s: 0x8000_0000n, d: 0x8000_0000_0000_0000n } as const;

/** Letters that every engine with floating point shares. */
export abstract class FloatEmitter implements FloatSem<OnStack, OnStack> {
  readonly xlen: Xlen;
  /** Type of a register value. */
  readonly type: ValueType;
  protected readonly f: FunctionBody;
  /** Host address of the hart's state. */
  protected readonly hart: number;
  /** A floating-point value that is about to be written or stored. */
  protected readonly floatData: number;
  readonly #functions: FloatFunctions;
  readonly #mode: number;

  constructor(f: FunctionBody, xlen: Xlen, hart: number, functions: FloatFunctions) {
    this.f = f;
    this.xlen = xlen;
    this.type = xlen === 64 ? I64 : I32;
    this.hart = hart;
    this.#functions = functions;
    this.#mode = f.local(I32);
    this.floatData = f.local(I64);
  }

  // --- what the engine says ----------------------------------------------------------------------------------------

  /** Puts the 64 bits of a floating-point register on the stack. */
  protected abstract floatOperand(which: "rs1" | "rs2" | "rs3"): void;
  /** Writes the 64 bits on the stack to the destination. */
  protected abstract floatResult(): void;
  /** Puts the instruction's rounding mode field on the stack, an i32. */
  protected abstract roundingField(): void;
  /** Leaves to the slow path if the truth value on the stack holds; nothing of the instruction has happened. */
  protected abstract leaveIf(): void;
  abstract fload(addr: OnStack, format: FloatFormat): OnStack;
  abstract fstore(addr: OnStack, value: OnStack, format: FloatFormat): void;

  // --- operands and results ----------------------------------------------------------------------------------------

  float(rounding: "rounds" | "exact"): void {
    const f = this.f;
    if (rounding === "rounds") this.roundingField();
    else f.i32(0);
    f.memory(Op.I32Load8U, this.hart + HART.rounding).tee(this.#mode).i32(Rounding.NearestMax).op(Op.I32GtU);
    this.leaveIf();
  }

  #operand(which: "rs1" | "rs2" | "rs3", format: FloatFormat): OnStack {
    this.floatOperand(which);
    return format === "d" ? VALUE : this.#call(`unbox.${format}`);
  }
  frs1(format: FloatFormat): OnStack {
    return this.#operand("rs1", format);
  }
  frs2(format: FloatFormat): OnStack {
    return this.#operand("rs2", format);
  }
  frs3(format: FloatFormat): OnStack {
    return this.#operand("rs3", format);
  }
  frs1Bits(_format: FloatFormat): OnStack {
    this.floatOperand("rs1");
    return VALUE;
  }
  frs2Bits(_format: FloatFormat): OnStack {
    this.floatOperand("rs2");
    return VALUE;
  }
  frd(_value: OnStack, format: FloatFormat): void {
    if (format !== "d") this.f.i64(-1n << BigInt(floatBytes[format] * 8)).op(Op.I64Or);
    this.floatResult();
  }

  #call(name: string): OnStack {
    const found = this.#functions.get(name);
    if (found === undefined) throw new Error(`emitter: no floating-point function ${name}`);
    this.f.call(found);
    return VALUE;
  }

  /** Calls a function that may decline; binary16 arithmetic always does. */
  #compute(name: string, format: FloatFormat, operands: 1 | 2 | 3, rounds = true): OnStack {
    const f = this.f;
    if (format === "h") this.#call(`decline${operands}`);
    else {
      if (rounds) f.get(this.#mode);
      this.#call(`${name}.${format}`);
    }
    f.tee(this.floatData).i64(BigInt.asIntN(64, DECLINED)).op(Op.I64Eq);
    this.leaveIf();
    f.get(this.floatData);
    return VALUE;
  }

  // --- arithmetic --------------------------------------------------------------------------------------------------

  fadd(_a: OnStack, _b: OnStack, format: FloatFormat): OnStack {
    return this.#compute("fadd", format, 2);
  }
  fsub(_a: OnStack, _b: OnStack, format: FloatFormat): OnStack {
    return this.#compute("fsub", format, 2);
  }
  fmul(_a: OnStack, _b: OnStack, format: FloatFormat): OnStack {
    return this.#compute("fmul", format, 2);
  }
  fdiv(_a: OnStack, _b: OnStack, format: FloatFormat): OnStack {
    return this.#compute("fdiv", format, 2);
  }
  fsqrt(_a: OnStack, format: FloatFormat): OnStack {
    return this.#compute("fsqrt", format, 1);
  }
  fma(_a: OnStack, _b: OnStack, _c: OnStack, format: FloatFormat, negate: FmaSigns): OnStack {
    const f = this.f;
    const sign = BigInt.asIntN(64, SIGN[format]);
    if (negate.addend) f.i64(sign).op(Op.I64Xor);
    if (negate.product) {
      // The sign of the second factor, below the addend.
      f.set(this.floatData).i64(sign).op(Op.I64Xor).get(this.floatData);
    }
    return this.#compute("fma", format, 3);
  }
  fmin(_a: OnStack, _b: OnStack, format: FloatFormat): OnStack {
    return this.#compute("fmin", format, 2, false);
  }
  fmax(_a: OnStack, _b: OnStack, format: FloatFormat): OnStack {
    return this.#compute("fmax", format, 2, false);
  }
  fsgnj(_a: OnStack, _b: OnStack, format: FloatFormat, how: SignInjection): OnStack {
    return this.#call(`fsgnj.${how}.${format}`);
  }

  feq(_a: OnStack, _b: OnStack, format: FloatFormat): OnStack {
    return this.#compare("feq", format);
  }
  flt(_a: OnStack, _b: OnStack, format: FloatFormat): OnStack {
    return this.#compare("flt", format);
  }
  fle(_a: OnStack, _b: OnStack, format: FloatFormat): OnStack {
    return this.#compare("fle", format);
  }
  #compare(name: string, format: FloatFormat): OnStack {
    if (format !== "h") return this.#call(`${name}.${format}`);
    // Every binary16 number is a binary64 number.
    this.#call("widen.h");
    this.f.set(this.floatData);
    this.#call("widen.h");
    this.f.get(this.floatData);
    return this.#call(`${name}.d`);
  }
  fclass(_a: OnStack, format: FloatFormat): OnStack {
    this.#call(`fclass.${format}`);
    if (this.xlen === 64) this.f.op(Op.I64ExtendI32U);
    return VALUE;
  }

  // --- conversions -------------------------------------------------------------------------------------------------

  fconvert(_a: OnStack, from: FloatFormat, to: FloatFormat): OnStack {
    return this.#compute(`fconvert.${from}`, to, 1);
  }
  fromFloat(_a: OnStack, from: FloatFormat, to: IntegerKind): OnStack {
    const f = this.f;
    if (from === "h") this.#call("widen.h");
    if (from === "s") f.op(Op.I32WrapI64, Op.F32ReinterpretI32, Op.F64PromoteF32);
    else f.op(Op.F64ReinterpretI64);
    f.get(this.#mode);
    this.#call(`integer.${to.bits === 32 ? "w" : "l"}${to.signed ? "" : "u"}`);
    return this.#narrow();
  }
  toFloat(_a: OnStack, from: IntegerKind, to: FloatFormat): OnStack {
    const f = this.f;
    if (this.xlen === 32) f.op(from.signed ? Op.I64ExtendI32S : Op.I64ExtendI32U);
    else if (from.bits === 32) {
      if (from.signed) f.op(Op.I64Extend32S);
      else f.i64(0xffff_ffff).op(Op.I64And);
    }
    return this.#compute(`float.${from.signed ? "s" : "u"}`, to, 1);
  }
  floatToBits(_a: OnStack, format: FloatFormat): OnStack {
    if (format !== "d") this.f.op(format === "h" ? Op.I64Extend16S : Op.I64Extend32S);
    return this.#narrow();
  }
  bitsToFloat(_a: OnStack, format: FloatFormat): OnStack {
    const f = this.f;
    if (this.xlen === 32) f.op(Op.I64ExtendI32U);
    if (format !== "d") f.i64((1n << BigInt(floatBytes[format] * 8)) - 1n).op(Op.I64And);
    return VALUE;
  }

  /** An i64 becomes a register value. */
  #narrow(): OnStack {
    if (this.xlen === 32) this.f.op(Op.I32WrapI64);
    return VALUE;
  }
}
