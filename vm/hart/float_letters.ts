/** The floating-point letters as the reference executor does them: registers, rounding mode, flags and FS around `float.ts`. */
import { RM_BITS, RM_WIDTH, Rounding } from "../isa/rounding.ts";
import { floatBytes } from "../isa/float_sem.ts";
import type { FloatFormat, FloatSem, FmaSigns, IntegerKind, SignInjection } from "../isa/float_sem.ts";
import type { Operands } from "../isa/format.ts";
import type { MemorySize } from "../isa/row.ts";
import { csrNamed } from "./csr_numbers.ts";
import * as float from "./float.ts";
import type { FloatResult } from "./float.ts";
import type { Hart } from "./hart.ts";

/** CSRs whose change an instruction is told of. */
const FFLAGS = csrNamed("fflags").number;
const MSTATUS = csrNamed("mstatus").number;

/** Base of the reference executor, which has the integer letters. */
export abstract class FloatLetters implements FloatSem<bigint, boolean> {
  readonly #hart: Hart;
  /** The mode the running instruction rounds by. */
  #mode: Rounding = Rounding.NearestEven;

  constructor(hart: Hart) {
    this.#hart = hart;
  }

  // --- what the executor says --------------------------------------------------------------------------------------

  /** Operands of the running instruction. */
  protected abstract get operands(): Operands;
  /** Whether the running instruction has trapped: it has no effect any more. */
  protected abstract get trapped(): boolean;
  protected abstract illegal(): void;
  abstract load(addr: bigint, size: MemorySize, extend: "signed" | "unsigned"): bigint;
  abstract store(addr: bigint, value: bigint, size: MemorySize): void;
  /** A floating-point register was written. */
  protected abstract noteFloat(value: bigint): void;
  /** The running instruction changed a CSR without naming it. */
  protected abstract noteCsrs(numbers: readonly number[]): void;

  // --- registers and state -----------------------------------------------------------------------------------------

  float(rounding: "rounds" | "exact"): void {
    const hart = this.#hart;
    if (!hart.floatOn) return this.illegal();
    if (rounding === "exact") return;
    const given = this.operands.imm & RM_BITS;
    const mode = given === Rounding.Dynamic ? hart.frm : given;
    if (mode > Rounding.NearestMax) this.illegal();
    else this.#mode = mode as Rounding;
  }

  #operand(n: number, format: FloatFormat): bigint {
    const value = this.#hart.f(n);
    if (format === "d") return value;
    const bits = BigInt(floatBytes[format] * 8);
    return value >> bits === (1n << (64n - bits)) - 1n
      ? BigInt.asUintN(Number(bits), value)
      : float.canonicalNaN(format);
  }
  frs1(format: FloatFormat): bigint {
    return this.#operand(this.operands.rs1, format);
  }
  frs2(format: FloatFormat): bigint {
    return this.#operand(this.operands.rs2, format);
  }
  frs3(format: FloatFormat): bigint {
    return this.#operand(this.operands.imm >>> RM_WIDTH, format);
  }
  frs1Bits(format: FloatFormat): bigint {
    return BigInt.asUintN(floatBytes[format] * 8, this.#hart.f(this.operands.rs1));
  }
  frs2Bits(format: FloatFormat): bigint {
    return BigInt.asUintN(floatBytes[format] * 8, this.#hart.f(this.operands.rs2));
  }

  frd(value: bigint, format: FloatFormat): void {
    if (this.trapped) return;
    const boxed = value | (0xffff_ffff_ffff_ffffn << BigInt(floatBytes[format] * 8)) & 0xffff_ffff_ffff_ffffn;
    this.#hart.setF(this.operands.rd, boxed);
    this.noteFloat(boxed);
    this.#dirty();
  }

  #dirty(): void {
    if (this.#hart.dirtyFloat()) this.noteCsrs([MSTATUS]);
  }

  /** Raises flags; what raises none leaves the floating-point state clean. */
  #raise(flags: number): void {
    if (flags === 0 || this.trapped) return;
    this.#hart.fflags |= flags;
    this.noteCsrs([FFLAGS]);
    this.#dirty();
  }
  #result({ value, flags }: FloatResult): bigint {
    this.#raise(flags);
    return value;
  }

  // --- arithmetic --------------------------------------------------------------------------------------------------

  fadd(a: bigint, b: bigint, format: FloatFormat): bigint {
    return this.#result(float.add(a, b, format, this.#mode));
  }
  fsub(a: bigint, b: bigint, format: FloatFormat): bigint {
    return this.#result(float.subtract(a, b, format, this.#mode));
  }
  fmul(a: bigint, b: bigint, format: FloatFormat): bigint {
    return this.#result(float.multiply(a, b, format, this.#mode));
  }
  fdiv(a: bigint, b: bigint, format: FloatFormat): bigint {
    return this.#result(float.divide(a, b, format, this.#mode));
  }
  fsqrt(a: bigint, format: FloatFormat): bigint {
    return this.#result(float.squareRoot(a, format, this.#mode));
  }
  fma(a: bigint, b: bigint, c: bigint, format: FloatFormat, negate: FmaSigns): bigint {
    return this.#result(float.multiplyAdd(a, b, c, format, negate, this.#mode));
  }
  fmin(a: bigint, b: bigint, format: FloatFormat): bigint {
    return this.#result(float.minMax(a, b, format, "fmin"));
  }
  fmax(a: bigint, b: bigint, format: FloatFormat): bigint {
    return this.#result(float.minMax(a, b, format, "fmax"));
  }
  fsgnj(a: bigint, b: bigint, format: FloatFormat, how: SignInjection): bigint {
    return float.injectSign(a, b, format, how);
  }

  feq(a: bigint, b: bigint, format: FloatFormat): boolean {
    return this.#compare(a, b, format, "feq");
  }
  flt(a: bigint, b: bigint, format: FloatFormat): boolean {
    return this.#compare(a, b, format, "flt");
  }
  fle(a: bigint, b: bigint, format: FloatFormat): boolean {
    return this.#compare(a, b, format, "fle");
  }
  #compare(a: bigint, b: bigint, format: FloatFormat, what: "feq" | "flt" | "fle"): boolean {
    const { holds, flags } = float.compare(a, b, format, what);
    this.#raise(flags);
    return holds;
  }
  fclass(a: bigint, format: FloatFormat): bigint {
    return float.classify(a, format);
  }

  fconvert(a: bigint, from: FloatFormat, to: FloatFormat): bigint {
    return this.#result(float.convert(a, from, to, this.#mode));
  }
  fromFloat(a: bigint, from: FloatFormat, to: IntegerKind): bigint {
    const value = this.#result(float.toInteger(a, from, to, this.#mode));
    return BigInt.asIntN(to.bits, value) & this.#hart.mask;
  }
  toFloat(a: bigint, from: IntegerKind, to: FloatFormat): bigint {
    const value = from.signed ? BigInt.asIntN(from.bits, a) : BigInt.asUintN(from.bits, a);
    return this.#result(float.fromInteger(value, to, this.#mode));
  }
  floatToBits(a: bigint, format: FloatFormat): bigint {
    return BigInt.asIntN(floatBytes[format] * 8, a) & this.#hart.mask;
  }
  bitsToFloat(a: bigint, format: FloatFormat): bigint {
    return BigInt.asUintN(floatBytes[format] * 8, a);
  }

  fload(addr: bigint, format: FloatFormat): bigint {
    return this.load(addr, floatBytes[format], "unsigned");
  }
  fstore(addr: bigint, value: bigint, format: FloatFormat): void {
    this.store(addr, value, floatBytes[format]);
  }
}
