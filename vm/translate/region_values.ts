/**
 * What a region does with values and plain memory: registers are locals, immediates and addresses constants, and some
 * results are computed in a way that V8 has shorter code for.
 */
import { CODE_LINE, TLB } from "../hart/layout.ts";
import type { Xlen } from "../isa/row.ts";
import { Emitter } from "./emit.ts";
import type { OnStack } from "./emit.ts";
import type { FloatFunctions } from "./float_functions.ts";
import type { IntegerFunctions } from "./integer.ts";
import { type FunctionBody, Op } from "./wasm.ts";

/** RAM that a region may access without a TLB: M-mode, untranslated. */
export interface FlatMemory {
  readonly base: number;
  readonly size: number;
  readonly host: number;
  /** Host address of its code lines. */
  readonly lines: number;
  /** A stretch without code, by offset: stores there need no look at the lines. */
  readonly window: { readonly low: number; readonly high: number };
}

/**
 * How far before its address an access of any size ends, as a constant: V8 checks accesses that have the same address
 * and end at the same byte only once, and keeps one bound of memory in a register, not one for each size.
 */
const REACH = 16;

/** A value that was pushed, while it is known how. */
interface Pushed {
  /** Its code in the function's body. */
  readonly from: number;
  readonly to: number;
  readonly local?: number;
  readonly constant?: number;
  /** Pushes its low half as an i32 instead. */
  readonly low?: () => void;
  /** It is below 2^32, and its low half is this. */
  readonly unsigned?: boolean;
  /** It is that local shifted left by 32. */
  readonly high?: number;
}

/** Registers in locals. */
export abstract class RegionValues extends Emitter {
  readonly #flat: FlatMemory | undefined;
  /** The last values pushed, the latest last; what is older is forgotten. */
  #pushed: Pushed[] = [];
  /** Locals that hold another local shifted left by 32, in this block. */
  readonly #high = new Map<number, number>();
  /** Copies of locals that were shifted left by 32 in place. */
  readonly #copies = new Map<number, number>();

  constructor(
    f: FunctionBody,
    integer: IntegerFunctions,
    xlen: Xlen,
    hart: number,
    floats: FloatFunctions,
    tlb: number,
    flat: FlatMemory | undefined,
  ) {
    super(f, integer, xlen, hart, tlb, floats);
    this.#flat = flat;
  }

  /** Must be called where control may come from elsewhere. */
  protected beginBlock(): void {
    this.#high.clear();
    this.#pushed = [];
  }

  /** Pushes a register's local. */
  protected pushLocal(local: number): OnStack {
    const { f } = this;
    const from = f.length;
    f.get(local);
    return this.#push({ from, to: f.length, local, low: () => f.get(local).op(Op.I32WrapI64) });
  }

  /** Takes the top into a register's local. */
  protected setLocal(local: number): void {
    const { f } = this;
    const { high, from } = this.#top() ?? {};
    for (const [shifted, of] of this.#high) if (of === local) this.#high.delete(shifted);
    this.#high.delete(local);
    if (high === local && from !== undefined) {
      let copy = this.#copies.get(local);
      if (copy === undefined) this.#copies.set(local, copy = f.local(this.type));
      f.cut(from).get(local).tee(copy).i64(32).op(Op.I64Shl);
      this.#high.set(local, copy);
    } else if (high !== undefined) this.#high.set(local, high);
    f.set(local);
    this.#pushed = [];
  }

  #push(value: Pushed): OnStack {
    if (this.#pushed.length > 3) this.#pushed.shift();
    this.#pushed.push(value);
    return "value";
  }
  /** What is known of the top of the stack. */
  #top(): Pushed | undefined {
    const top = this.#pushed.at(-1);
    return top?.to === this.f.length ? top : undefined;
  }
  /** What is known of the two topmost values; they are forgotten. */
  #two(): readonly [Pushed, Pushed] | undefined {
    const b = this.#top();
    const a = this.#pushed.at(-2);
    if (a === undefined || b === undefined || a.to !== b.from) return undefined;
    this.#pushed.length -= 2;
    return [a, b];
  }

  // --- operations on 64 bits of which 32 are wanted ----------------------------------------------------------------

  /** An operation whose low half depends on its operands' low halves only. */
  #lowHalf(wide: () => OnStack, narrow: number): OnStack {
    const two = this.xlen === 64 ? this.#two() : undefined;
    wide();
    const [a, b] = two ?? [];
    if (a?.low === undefined || b?.low === undefined) return "value";
    const low = () => {
      a.low!();
      b.low!();
      this.f.op(narrow);
    };
    return this.#push({ from: a.from, to: this.f.length, low });
  }
  override constant(value: number): OnStack {
    const from = this.f.length;
    super.constant(value);
    return this.#push({ from, to: this.f.length, constant: value, low: () => this.f.i32(value) });
  }
  override add(a: OnStack, b: OnStack): OnStack {
    return this.#lowHalf(() => super.add(a, b), Op.I32Add);
  }
  override sub(a: OnStack, b: OnStack): OnStack {
    return this.#lowHalf(() => super.sub(a, b), Op.I32Sub);
  }
  override and(a: OnStack, b: OnStack): OnStack {
    return this.#lowHalf(() => super.and(a, b), Op.I32And);
  }
  override sll(x: OnStack, amount: OnStack): OnStack {
    const two = this.xlen === 64 ? this.#two() : undefined;
    super.sll(x, amount);
    const [a, b] = two ?? [];
    if (a === undefined || b?.constant === undefined) return "value";
    const { from } = a;
    const to = this.f.length;
    if (b.constant === 32 && a.local !== undefined) return this.#push({ from, to, high: a.local });
    const { constant } = b;
    const bits = a.low;
    if (constant >= 32 || bits === undefined) return "value";
    const low = () => {
      bits();
      this.f.i32(constant).op(Op.I32Shl);
    };
    return this.#push({ from, to, low });
  }
  override srl(x: OnStack, amount: OnStack): OnStack {
    return this.#shiftRight(() => super.srl(x, amount), Op.I32ShrU, Op.I64ExtendI32U);
  }
  override sra(x: OnStack, amount: OnStack): OnStack {
    return this.#shiftRight(() => super.sra(x, amount), Op.I32ShrS, Op.I64ExtendI32S);
  }
  #shiftRight(wide: () => OnStack, narrow: number, extend: number): OnStack {
    const { f } = this;
    const two = this.xlen === 64 ? this.#two() : undefined;
    const [a, b] = two ?? [];
    const amount = b?.constant;
    if (a === undefined || amount === undefined) return wide();
    const source = a.local === undefined ? undefined : this.#high.get(a.local);
    if (source !== undefined && amount >= 32) {
      // (x << 32) >> (32 + n) is the low half of x, >> n.
      f.cut(a.from).get(source).op(Op.I32WrapI64);
      if (amount > 32) f.i32(amount - 32).op(narrow);
      f.op(extend);
      return "value";
    }
    wide();
    const { low: bits, unsigned } = a;
    if (unsigned !== true || bits === undefined || amount >= 32 || narrow !== Op.I32ShrU) return "value";
    const low = () => {
      bits();
      f.i32(amount).op(narrow);
    };
    return this.#push({ from: a.from, to: f.length, low, unsigned: true });
  }
  override zext(x: OnStack, bits: 8 | 16 | 32): OnStack {
    const top = bits === 32 && this.xlen === 64 ? this.#top() : undefined;
    const low = top?.low;
    if (top === undefined || low === undefined) return super.zext(x, bits);
    this.#pushed.pop();
    this.f.cut(top.from);
    low();
    this.f.op(Op.I64ExtendI32U);
    return this.#push({ from: top.from, to: this.f.length, low, unsigned: true });
  }
  override sext(x: OnStack, bits: 8 | 16 | 32): OnStack {
    const top = bits === 32 && this.xlen === 64 ? this.#top() : undefined;
    if (top?.low === undefined || top.local !== undefined) return super.sext(x, bits);
    this.#pushed.pop();
    this.f.cut(top.from);
    top.low();
    this.f.op(Op.I64ExtendI32S);
    return "value";
  }

  // --- memory without a TLB ----------------------------------------------------------------------------------------

  protected override probe(tag: number, size: number, aligned: boolean): void {
    const flat = this.#flat;
    this.hostOffset = 0;
    if (flat === undefined || aligned) return super.probe(tag, size, aligned);
    const { f } = this;
    const wide = this.xlen === 64;
    // RAM's first few bytes count as outside: one comparison for both ends, and its constant, are the same for all sizes.
    const base = flat.base + REACH - size;
    f.get(this.addr);
    if (wide) f.op(Op.I32WrapI64);
    f.i32(base).op(Op.I32Sub).set(this.host);
    this.hostOffset = flat.host + REACH - size;
    if (tag === TLB.read) return this.#leaveOutside(flat, base);
    // Most stores go where no code is; the others must not hit bytes that code was decoded from.
    const { low, high } = flat.window;
    if (high - low > 2 * REACH) {
      this.#fromBase(base + low);
      this.constant(high - low - REACH);
      this.plain("GtU");
      f.ifSeldom();
    }
    this.#leaveOutside(flat, base);
    f.get(this.host).i32(REACH - size).op(Op.I32Add).i32(Math.log2(CODE_LINE)).op(Op.I32ShrU);
    f.memory(Op.I32Load8U, flat.lines);
    this.leaveIf();
    if (high - low > 2 * REACH) f.end();
  }

  /** Pushes how far the address lies above another one. */
  #fromBase(base: number): void {
    const { f } = this;
    if (this.xlen === 64) f.get(this.addr).i64(base).op(Op.I64Sub);
    else f.get(this.addr).i32(base).op(Op.I32Sub);
  }
  #leaveOutside(flat: FlatMemory, base: number): void {
    this.#fromBase(base);
    this.constant(flat.size - REACH);
    this.plain("GtU");
    this.leaveIf();
  }
}
