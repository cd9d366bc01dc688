/**
 * What a region does with values and plain memory: registers are locals, immediates and addresses constants, and some
 * results are computed in a way that V8 has shorter code for.
 */
import { CODE_LINE, HART, TLB } from "../hart/layout.ts";
import type { Decoded } from "../isa/decode.ts";
import type { Xlen } from "../isa/row.ts";
import type { CsrCode } from "./csr_code.ts";
import { Emitter } from "./emit.ts";
import type { OnStack } from "./emit.ts";
import type { GroupedAccess } from "./access_groups.ts";
import type { FloatFunctions } from "./float_functions.ts";
import type { IntegerFunctions } from "./integer.ts";
import { firstOf, type Homes, NO_LOCALS, type RegisterSet } from "./register_homes.ts";
import { type FunctionBody, I32, Op } from "./wasm.ts";

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

/** What a region is emitted for. */
export interface RegionCode {
  readonly xlen: Xlen;
  readonly ialign: 2 | 4;
  /** Host address of the hart's state. */
  readonly hart: number;
  /** Virtual address of the entry. */
  readonly pc: bigint;
  /** How an access to a CSR is done; undefined where it is not for emitted code. */
  readonly csr: (decoded: Decoded) => CsrCode | undefined;
  /** Absent: every access goes by the TLB. */
  readonly flat?: FlatMemory;
  /** Whether fences are counted, for somebody who watches memory. */
  readonly watch: boolean;
  readonly memoryPages: number;
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
  /** It is that register. */
  readonly register?: number;
  readonly constant?: number;
  /** Pushes its low half as an i32 instead; of registers and constants that is known without. */
  readonly low?: () => void;
  /** It is below 2^32, and its low half is this. */
  readonly unsigned?: boolean;
  /** It is that register shifted left by 32. */
  readonly high?: number;
}

const NOTHING: Partial<Pushed> = {};

/** Whether it is known how to push a value's low half. */
function hasLow({ low, register, constant }: Pushed): boolean {
  return low !== undefined || register !== undefined || constant !== undefined;
}

/** Registers in locals. */
export abstract class RegionValues extends Emitter {
  readonly #flat: FlatMemory | undefined;
  /** The last values pushed, the latest last; what is older is forgotten. */
  #pushed: Pushed[] = [];
  /** Registers that hold another value shifted left by 32, in this block: a register, or a copy of one in a local. */
  readonly #high = new Map<number, { readonly register: number } | { readonly copy: number }>();
  /** The copies, by register. */
  readonly #copies = new Map<number, number>();
  /** Local of each register that has one. */
  readonly #locals: number[] = new Array<number>(32).fill(-1);
  /** Where registers are now. */
  protected here: Homes = NO_LOCALS;
  readonly #value: number;
  /** The groups that accesses of the node that is being written are in, its order, and which of its instructions it is at. */
  #groups: readonly (GroupedAccess | undefined)[] = [];
  #node = 0;
  #place = 0;
  /** By base register and kind: the local with the place in RAM of the group that began last. */
  readonly #begun: (number | undefined)[] = [];
  /** How far an address lies above RAM's base. */
  readonly #offset: number;

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
    this.#value = f.local(this.type);
    this.#offset = f.local(this.type);
  }

  /** Whether memory is accessed without a TLB. */
  protected get isFlat(): boolean {
    return this.#flat !== undefined;
  }
  /** The access that is being written, if it is in a group with others. */
  protected get grouped(): GroupedAccess | undefined {
    return this.#groups[this.#place];
  }
  /** Whether it is the first of them. */
  protected get begins(): boolean {
    const group = this.grouped?.group;
    return group?.place === this.#place && group.node === this.#node;
  }

  /** Must be called before each instruction, with its place in the block. */
  override begin(place: number): void {
    super.begin();
    this.#place = place;
  }

  /** Must be called before each node, with the groups that its accesses are in. */
  protected beginBlock(node: number, groups: readonly (GroupedAccess | undefined)[]): void {
    this.#node = node;
    this.#groups = groups;
    this.#high.clear();
    this.#pushed = [];
  }

  #local(n: number): number {
    const local = this.#locals[n]!;
    return local >= 0 ? local : this.#locals[n] = this.f.local(this.type);
  }

  /** Pushes a register other than x0. */
  protected pushRegister(n: number): OnStack {
    const { f } = this;
    const from = f.length;
    if (this.here.locals >>> n & 1) f.get(this.#local(n));
    else this.#pushHome(n);
    return this.xlen === 32 ? "value" : this.#push({ from, to: f.length, register: n });
  }
  /** Pushes what the hart's state has of a register. */
  #pushHome(n: number): void {
    this.f.i32(0).memory(this.xlen === 64 ? Op.I64Load : Op.I32Load, this.#home(n));
  }
  #pushLow(n: number): void {
    if (this.here.locals >>> n & 1) this.f.get(this.#local(n)).op(Op.I32WrapI64);
    else this.f.i32(0).memory(Op.I32Load, this.#home(n));
  }
  #home(n: number): number {
    return this.hart + HART.x + 8 * n;
  }

  /** Takes the top into a register other than x0. */
  protected setRegister(n: number): void {
    const { f } = this;
    // Nothing of this on RV32.
    const { high, from } = this.xlen === 64 ? this.#top() ?? NOTHING : NOTHING;
    for (const [shifted, of] of this.#high) if ("register" in of && of.register === n) this.#high.delete(shifted);
    this.#high.delete(n);
    if (high === n && from !== undefined) {
      let copy = this.#copies.get(n);
      if (copy === undefined) this.#copies.set(n, copy = f.local(this.type));
      f.cut(from);
      this.pushRegister(n);
      f.tee(copy).i64(32).op(Op.I64Shl);
      this.#high.set(n, { copy });
    } else if (high !== undefined) this.#high.set(n, { register: high });
    if (this.here.locals >>> n & 1) f.set(this.#local(n));
    else {
      f.set(this.#value).i32(0).get(this.#value);
      this.#storeHome(n);
    }
    this.#pushed = [];
  }
  /** Puts what locals of registers have into the hart's state. */
  protected storeHomes(set: RegisterSet): void {
    for (let rest = set; rest !== 0; rest &= rest - 1) {
      const n = firstOf(rest);
      this.f.i32(0).get(this.#local(n));
      this.#storeHome(n);
    }
  }
  /** Brings registers from where they are in one place to where they are in another. */
  protected move(from: Homes, to: Homes): void {
    this.storeHomes(from.dirty & ~to.locals);
    for (let rest = to.locals & ~from.locals; rest !== 0; rest &= rest - 1) {
      const n = firstOf(rest);
      this.#pushHome(n);
      this.f.set(this.#local(n));
    }
  }
  /** Takes the top, under which the address 0 is, into the hart's state. */
  #storeHome(n: number): void {
    this.f.memory(this.xlen === 64 ? Op.I64Store : Op.I32Store, this.#home(n));
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
  #lowHalf(name: "Add" | "Sub" | "And", narrow: number): OnStack {
    if (this.xlen === 32) return this.plain(name);
    const two = this.#two();
    this.plain(name);
    if (two === undefined || !hasLow(two[0]) || !hasLow(two[1])) return "value";
    const [a, b] = two;
    const low = () => {
      this.#pushLowOf(a);
      this.#pushLowOf(b);
      this.f.op(narrow);
    };
    return this.#push({ from: a.from, to: this.f.length, low });
  }
  #pushLowOf({ low, register, constant }: Pushed): void {
    if (register !== undefined) this.#pushLow(register);
    else if (constant !== undefined) this.f.i32(constant);
    else low!();
  }
  override constant(value: number): OnStack {
    if (this.xlen === 32) return super.constant(value);
    const from = this.f.length;
    super.constant(value);
    return this.#push({ from, to: this.f.length, constant: value });
  }
  override add(_a: OnStack, _b: OnStack): OnStack {
    return this.#lowHalf("Add", Op.I32Add);
  }
  override sub(_a: OnStack, _b: OnStack): OnStack {
    return this.#lowHalf("Sub", Op.I32Sub);
  }
  override and(_a: OnStack, _b: OnStack): OnStack {
    return this.#lowHalf("And", Op.I32And);
  }
  override sll(x: OnStack, amount: OnStack): OnStack {
    const two = this.xlen === 64 ? this.#two() : undefined;
    super.sll(x, amount);
    const [a, b] = two ?? [];
    if (a === undefined || b?.constant === undefined) return "value";
    const { from } = a;
    const to = this.f.length;
    if (b.constant === 32 && a.register !== undefined) return this.#push({ from, to, high: a.register });
    const { constant } = b;
    if (constant >= 32 || !hasLow(a)) return "value";
    const low = () => {
      this.#pushLowOf(a);
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
    const source = a.register === undefined ? undefined : this.#high.get(a.register);
    if (source !== undefined && amount >= 32) {
      // (x << 32) >> (32 + n) is the low half of x, >> n.
      f.cut(a.from);
      if ("copy" in source) f.get(source.copy).op(Op.I32WrapI64);
      else this.#pushLow(source.register);
      if (amount > 32) f.i32(amount - 32).op(narrow);
      f.op(extend);
      return "value";
    }
    wide();
    if (a.unsigned !== true || !hasLow(a) || amount >= 32 || narrow !== Op.I32ShrU) return "value";
    const low = () => {
      this.#pushLowOf(a);
      f.i32(amount).op(narrow);
    };
    return this.#push({ from: a.from, to: f.length, low, unsigned: true });
  }
  override zext(x: OnStack, bits: 8 | 16 | 32): OnStack {
    const top = bits === 32 && this.xlen === 64 ? this.#top() : undefined;
    if (top === undefined || !hasLow(top)) return super.zext(x, bits);
    const low = () => this.#pushLowOf(top);
    this.#pushed.pop();
    this.f.cut(top.from);
    low();
    this.f.op(Op.I64ExtendI32U);
    return this.#push({ from: top.from, to: this.f.length, low, unsigned: true });
  }
  override sext(x: OnStack, bits: 8 | 16 | 32): OnStack {
    const top = bits === 32 && this.xlen === 64 ? this.#top() : undefined;
    if (top === undefined || top.register !== undefined || !hasLow(top)) return super.sext(x, bits);
    this.#pushed.pop();
    this.f.cut(top.from);
    this.#pushLowOf(top);
    this.f.op(Op.I64ExtendI32S);
    return "value";
  }

  // --- memory without a TLB ----------------------------------------------------------------------------------------

  protected override probe(tag: number, size: number, aligned: boolean): void {
    const flat = this.#flat;
    this.hostOffset = 0;
    if (flat === undefined || aligned) return super.probe(tag, size, aligned);
    const { grouped } = this;
    if (grouped !== undefined) return this.#probeGroup(tag, flat, grouped);
    const { f } = this;
    // RV64: the offset into RAM, and its low half, which V8 need not compute twice; a base of 2^31 fits into an
    // instruction when it is added. RV32: RAM's first few bytes count as outside, so that one comparison for both ends,
    // and its constant, are the same for all sizes: there are more registers than constants to spare.
    const wide = this.xlen === 64;
    const below = wide ? 0 : REACH - size;
    f.get(this.addr);
    this.constant(wide ? -flat.base : (-flat.base - below) | 0);
    this.plain("Add");
    f.tee(this.#offset);
    if (wide) f.op(Op.I32WrapI64);
    f.set(this.host);
    this.hostOffset = flat.host + below;
    this.#allow(tag, flat, REACH, this.host, [below]);
  }

  /** The first access of a group looks whether all of them are allowed, the others go by that. */
  #probeGroup(tag: number, flat: FlatMemory, { group: { base, low, high }, at: begin }: GroupedAccess): void {
    const { f } = this;
    const key = 2 * base + (tag === TLB.read ? 0 : 1);
    const host = this.#begun[key] ??= f.local(I32);
    if (this.begins) {
      this.pushRegister(base);
      this.constant(this.xlen === 64 ? -flat.base : -flat.base | 0);
      this.plain("Add");
      this.constant(low);
      this.plain("Add");
      f.tee(this.#offset);
      if (this.xlen === 64) f.op(Op.I32WrapI64);
      f.set(host);
      const lines = [high - low - 1];
      for (let at = 0; at < high - low - 1; at += CODE_LINE) lines.push(at);
      this.#allow(tag, flat, high - low, host, lines);
    }
    f.get(host).set(this.host);
    this.hostOffset = flat.host + begin - low;
  }

  /**
   * Leaves where `length` bytes from the offset on do not lie in RAM or, for a store, may hold code that was decoded:
   * these many bytes after `host`.
   */
  #allow(tag: number, flat: FlatMemory, length: number, host: number, lines: readonly number[]): void {
    if (tag === TLB.read) return this.#leaveAbove(flat.size - length);
    const { f } = this;
    // Most stores go where no code is.
    const { low, high } = flat.window;
    const inside = high - low - length;
    if (inside > REACH) {
      f.get(this.#offset);
      this.constant(low);
      this.plain("Sub");
      this.constant(inside);
      this.plain("GtU");
      f.ifSeldom();
    }
    this.#leaveAbove(flat.size - length);
    for (const at of lines) {
      f.get(host).i32(at).op(Op.I32Add).i32(Math.log2(CODE_LINE)).op(Op.I32ShrU).memory(Op.I32Load8U, flat.lines);
      this.leaveIf();
    }
    if (inside > REACH) f.end();
  }

  #leaveAbove(highest: number): void {
    this.f.get(this.#offset);
    this.constant(highest);
    this.plain("GtU");
    this.leaveIf();
  }
}
