/**
 * The alphabet of the rows as WebAssembly: what an emitted engine needs whatever it does with registers and control.
 * Values live on the WebAssembly stack, in the order in which the row makes them.
 */
import { Privilege } from "../events.ts";
import { MENVCFG } from "../hart/csr_memory.ts";
import { storedAt } from "../hart/csr_numbers.ts";
import { HART, NO_RESERVATION, TLB } from "../hart/layout.ts";
import { PAGE_SIZE } from "../bus/memory.ts";
import type { FenceOrder } from "../watches.ts";
import { floatBytes } from "../isa/float_sem.ts";
import type { FloatFormat } from "../isa/float_sem.ts";
import { CACHE_BLOCK } from "../isa/rv_zicbo.ts";
import type { MemorySize, Sem, SystemOperation, Xlen } from "../isa/row.ts";
import { BitEmitter } from "./emit_bits.ts";
import { FloatEmitter } from "./emit_float.ts";
import type { OnStack } from "./emit_float.ts";
import type { FloatFunctions } from "./float_functions.ts";
import type { IntegerFunction, IntegerFunctions } from "./integer.ts";
import { I32, Op } from "./wasm.ts";
import type { FunctionBody } from "./wasm.ts";

export type { OnStack };

const VALUE: OnStack = "value";

const LOAD_64 = {
  "1s": Op.I64Load8S,
  "1u": Op.I64Load8U,
  "2s": Op.I64Load16S,
  "2u": Op.I64Load16U,
  "4s": Op.I64Load32S,
  "4u": Op.I64Load32U,
  "8s": Op.I64Load,
  "8u": Op.I64Load,
};
const LOAD_32 = {
  "1s": Op.I32Load8S,
  "1u": Op.I32Load8U,
  "2s": Op.I32Load16S,
  "2u": Op.I32Load16U,
  "4s": Op.I32Load,
  "4u": Op.I32Load,
};
const STORE_64 = { 1: Op.I64Store8, 2: Op.I64Store16, 4: Op.I64Store32, 8: Op.I64Store };
const STORE_32 = { 1: Op.I32Store8, 2: Op.I32Store16, 4: Op.I32Store };

/** Operations with one opcode per width; the 64-bit one is found by name. */
type Plain = "Add" | "Sub" | "Mul" | "And" | "Or" | "Xor" | "Shl" | "ShrS" | "ShrU";
type Compare = "Eq" | "Ne" | "LtS" | "LtU" | "GeS" | "GeU" | "GtU";

/** All opcodes of a type, by the rest of their names: names are not put together for every instruction. */
function opcodesOf(type: "I32" | "I64"): Readonly<Record<Plain | Compare, number>> {
  const own = Object.entries(Op).filter(([name]) => name.startsWith(type));
  return Object.fromEntries(own.map(([name, code]) => [name.slice(type.length), code])) as Record<
    Plain | Compare,
    number
  >;
}
const PLAIN = { 32: opcodesOf("I32"), 64: opcodesOf("I64") };

/** Everything but operands, destinations and control flow, which depend on the engine. */
export abstract class Emitter extends FloatEmitter implements Sem<OnStack, OnStack> {
  readonly bits: BitEmitter;
  protected readonly integer: IntegerFunctions;
  /** Set when the row cannot be done in emitted code at all. */
  leaves = false;
  /** Whether what was emitted since `begin` may have been jumped over: a store-conditional that failed. */
  protected uncertain = false;
  readonly #tlb: number;
  readonly #entry: number;
  protected readonly host: number;
  /** Added to `host` by every access: where an engine keeps offsets from some base there. */
  protected hostOffset = 0;
  protected readonly addr: number;
  protected readonly data: number;
  #lets: number[] = [];
  #used = 0;

  /** `tlb` is the local that holds the address of the TLB in use. */
  constructor(
    f: FunctionBody,
    integer: IntegerFunctions,
    xlen: Xlen,
    hart: number,
    tlb: number,
    floats: FloatFunctions,
  ) {
    super(f, xlen, hart, floats);
    this.integer = integer;
    this.bits = new BitEmitter(f, integer.bits, xlen);
    this.#tlb = tlb;
    this.#entry = f.local(I32);
    this.host = f.local(I32);
    this.addr = f.local(this.type);
    this.data = f.local(this.type);
  }

  /** Must be called before each instruction. */
  begin(_place?: number): void {
    this.leaves = this.uncertain = false;
    this.#used = 0;
  }

  // --- what the engine says ----------------------------------------------------------------------------------------

  abstract rs1(): OnStack;
  abstract rs2(): OnStack;
  abstract imm(): OnStack;
  abstract pc(): OnStack;
  abstract rd(value: OnStack): void;
  abstract branch(condition: OnStack): void;
  abstract jumpRelative(): void;
  abstract jump(target: OnStack): void;
  /** Leaves if the truth value on the stack holds: the TLB does not allow the load or store at `addr`. */
  protected abstract missIf(kind: "load" | "store"): void;
  /**
   * A memory access is about to be done: `addr` is its address, `data` what is stored (stores only; `floatData` for a
   * floating-point one).
   */
  protected abstract noteAccess(kind: "load" | "store", size: MemorySize, float?: boolean): void;

  // --- values ------------------------------------------------------------------------------------------------------

  protected plain(name: Plain | Compare): OnStack {
    this.f.op(PLAIN[this.xlen][name]);
    return VALUE;
  }
  #call(name: IntegerFunction): OnStack {
    this.f.call(this.integer.index(name));
    return VALUE;
  }
  constant(value: number): OnStack {
    if (this.xlen === 64) this.f.i64(value);
    else this.f.i32(value);
    return VALUE;
  }
  add(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("Add");
  }
  sub(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("Sub");
  }
  and(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("And");
  }
  or(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("Or");
  }
  xor(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("Xor");
  }
  // WebAssembly shifts count modulo the width too.
  sll(_a: OnStack, _amount: OnStack): OnStack {
    return this.plain("Shl");
  }
  srl(_a: OnStack, _amount: OnStack): OnStack {
    return this.plain("ShrU");
  }
  sra(_a: OnStack, _amount: OnStack): OnStack {
    return this.plain("ShrS");
  }
  mul(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("Mul");
  }
  mulh(_a: OnStack, _b: OnStack): OnStack {
    return this.#call("mulh");
  }
  mulhsu(_a: OnStack, _b: OnStack): OnStack {
    return this.#call("mulhsu");
  }
  mulhu(_a: OnStack, _b: OnStack): OnStack {
    return this.#call("mulhu");
  }
  div(_a: OnStack, _b: OnStack): OnStack {
    return this.#call("div");
  }
  divu(_a: OnStack, _b: OnStack): OnStack {
    return this.#call("divu");
  }
  rem(_a: OnStack, _b: OnStack): OnStack {
    return this.#call("rem");
  }
  remu(_a: OnStack, _b: OnStack): OnStack {
    return this.#call("remu");
  }
  sext(_a: OnStack, bits: 8 | 16 | 32): OnStack {
    if (this.xlen === 64) this.f.op(bits === 8 ? Op.I64Extend8S : bits === 16 ? Op.I64Extend16S : Op.I64Extend32S);
    else if (bits !== 32) this.f.op(bits === 8 ? Op.I32Extend8S : Op.I32Extend16S);
    return VALUE;
  }
  zext(_a: OnStack, bits: 8 | 16 | 32): OnStack {
    if (this.xlen === 64) this.f.i64(2 ** bits - 1).op(Op.I64And);
    else if (bits !== 32) this.f.i32(2 ** bits - 1).op(Op.I32And);
    return VALUE;
  }
  eq(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("Eq");
  }
  ne(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("Ne");
  }
  lt(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("LtS");
  }
  ltu(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("LtU");
  }
  ge(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("GeS");
  }
  geu(_a: OnStack, _b: OnStack): OnStack {
    return this.plain("GeU");
  }
  flag(_condition: OnStack): OnStack {
    if (this.xlen === 64) this.f.op(Op.I64ExtendI32U);
    return VALUE;
  }
  select(_a: OnStack, _b: OnStack, _condition: OnStack): OnStack {
    this.f.op(Op.Select);
    return VALUE;
  }
  let(_value: OnStack): () => OnStack {
    const local = this.#lets[this.#used] ??= this.f.local(this.type);
    this.#used++;
    this.f.set(local);
    return () => {
      this.f.get(local);
      return VALUE;
    };
  }

  // --- memory ------------------------------------------------------------------------------------------------------

  load(_addr: OnStack, size: MemorySize, extend: "signed" | "unsigned"): OnStack {
    this.f.set(this.addr);
    this.probe(TLB.read, size, false);
    this.noteAccess("load", size);
    this.f.get(this.host);
    this.#loadHost(size, extend);
    return VALUE;
  }

  store(_addr: OnStack, _value: OnStack, size: MemorySize): void {
    this.f.set(this.data).set(this.addr);
    this.probe(TLB.write, size, false);
    this.noteAccess("store", size);
    this.f.get(this.host).get(this.data);
    this.#storeHost(size);
  }

  fload(_addr: OnStack, format: FloatFormat): OnStack {
    const size = floatBytes[format];
    this.f.set(this.addr);
    this.probe(TLB.read, size, false);
    this.noteAccess("load", size);
    this.f.get(this.host).memory(LOAD_64[`${size}u`], this.hostOffset);
    return VALUE;
  }

  fstore(_addr: OnStack, _value: OnStack, format: FloatFormat): void {
    const size = floatBytes[format];
    this.f.set(this.floatData).set(this.addr);
    this.probe(TLB.write, size, false);
    this.noteAccess("store", size, true);
    this.f.get(this.host).get(this.floatData).memory(STORE_64[size], this.hostOffset);
  }

  loadReserved(_addr: OnStack, size: 4 | 8): OnStack {
    this.f.set(this.addr);
    this.probe(TLB.read, size, true);
    this.noteAccess("load", size);
    this.noteOrdered();
    this.f.i32(0).get(this.host).i32(-64).op(Op.I32And).memory(Op.I32Store, this.hart + HART.reservation);
    this.f.get(this.host);
    this.#loadHost(size, "signed");
    return VALUE;
  }

  storeConditional(_addr: OnStack, _value: OnStack, size: 4 | 8): OnStack {
    const f = this.f;
    f.set(this.data).set(this.addr);
    this.probe(TLB.write, size, true);
    this.noteOrdered();
    const holds = this.#entry;
    f.i32(0).memory(Op.I32Load, this.hart + HART.reservation);
    f.get(this.host).i32(-64).op(Op.I32And, Op.I32Eq).set(holds);
    f.i32(0).i32(NO_RESERVATION).memory(Op.I32Store, this.hart + HART.reservation);
    f.get(holds).if();
    this.uncertain = true;
    this.noteAccess("store", size);
    f.get(this.host).get(this.data);
    this.#storeHost(size);
    f.end();
    f.get(holds).op(Op.I32Eqz);
    return this.flag(VALUE);
  }

  amo(_addr: OnStack, size: 4 | 8, combine: (old: () => OnStack) => OnStack): void {
    const f = this.f;
    f.set(this.addr);
    this.probe(TLB.write, size, true);
    this.noteOrdered();
    f.get(this.host);
    this.#loadHost(size, "signed");
    const old = this.let(VALUE);
    combine(old);
    f.set(this.data);
    this.noteAccess("load", size);
    this.noteAccess("store", size);
    f.get(this.host).get(this.data);
    this.#storeHost(size);
    this.rd(old());
  }

  /** An atomic operation is about to be done that may order others. Nobody counts unless an engine says how. */
  protected noteOrdered(): void {}
  /** Adds what `times` leaves on the stack to the count of fences of one kind. */
  protected countFence(order: FenceOrder, times: () => void): void {
    const at = this.hart + HART.fences + 4 * order;
    this.f.i32(0).i32(0).memory(Op.I32Load, at);
    times();
    this.f.op(Op.I32Add).memory(Op.I32Store, at);
  }

  /** Finds the host address of `addr`, or leaves: not memory, not allowed, over a page's end, or watched. */
  protected probe(tag: number, size: number, aligned: boolean): void {
    const f = this.f;
    const wide = this.xlen === 64;
    f.get(this.addr);
    if (wide) f.op(Op.I32WrapI64);
    // The page number's low bits times the size of an entry.
    f.i32(7).op(Op.I32ShrU).i32((TLB.entries - 1) * TLB.bytes).op(Op.I32And).get(this.#tlb).op(Op.I32Add).tee(
      this.#entry,
    );
    f.memory(wide ? Op.I64Load : Op.I32Load, tag).get(this.addr);
    this.plain("Xor");
    if (aligned) {
      // In the page and a multiple of the size: no bit outside the page's offset, none below the size.
      this.constant(~(PAGE_SIZE - size));
      this.plain("And");
      f.op(wide ? Op.I64Eqz : Op.I32Eqz, Op.I32Eqz);
    } else {
      this.constant(PAGE_SIZE - size);
      this.plain("GtU");
    }
    this.missIf(tag === TLB.read ? "load" : "store");
    f.get(this.addr);
    if (wide) f.op(Op.I32WrapI64);
    f.get(this.#entry).memory(Op.I32Load, TLB.addend).op(Op.I32Add).set(this.host);
  }

  /** The accessed bytes as a zero-extended 64-bit value. */
  protected rawHost(size: MemorySize): void {
    this.f.get(this.host).memory(LOAD_64[`${size}u`], this.hostOffset);
  }
  #loadHost(size: MemorySize, extend: "signed" | "unsigned"): void {
    const key = `${size}${extend === "signed" ? "s" : "u"}` as keyof typeof LOAD_64;
    this.f.memory(this.xlen === 64 ? LOAD_64[key] : LOAD_32[key as keyof typeof LOAD_32], this.hostOffset);
  }
  #storeHost(size: MemorySize): void {
    this.f.memory(this.xlen === 64 ? STORE_64[size] : STORE_32[size as keyof typeof STORE_32], this.hostOffset);
  }

  // --- what emitted code leaves to the hart ------------------------------------------------------------------------

  fence(): void {}
  hint(): void {}
  csr(_operation: "write" | "set" | "clear", _source: "rs1" | "uimm"): void {
    this.leaves = true;
  }
  system(operation: SystemOperation): void {
    if (operation === "cbo.zero") this.#zeroBlock();
    // Decoded code and regions follow every write at once, so that there is nothing to forget.
    else if (operation !== "fence.i") this.leaves = true;
  }

  /** Zeroes a block in memory, where the mode may; `vm/hart/cache_block.ts` does it for all else. Linux clears pages so. */
  #zeroBlock(): void {
    const f = this.f;
    const state = (at: number) => f.i32(0).memory(Op.I32Load, this.hart + at);
    // unpriv Zicboz: menvcfg.CBZE for the modes below M, in U-mode senvcfg.CBZE too.
    state(storedAt("menvcfg"));
    state(storedAt("senvcfg")).i32(-1);
    state(HART.privilege).op(Op.I32Eqz, Op.Select, Op.I32And).i32(Number(MENVCFG.CBZE)).op(Op.I32And, Op.I32Eqz);
    state(HART.privilege).i32(Privilege.M).op(Op.I32Ne, Op.I32And);
    this.leaveIf();
    this.rs1();
    this.constant(-CACHE_BLOCK);
    this.plain("And");
    f.set(this.addr);
    this.probe(TLB.write, CACHE_BLOCK, true);
    for (let at = 0; at < CACHE_BLOCK; at += 8) f.get(this.host).i64(0).memory(Op.I64Store, at);
  }
}
