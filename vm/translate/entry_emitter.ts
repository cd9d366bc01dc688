/**
 * What handlers of the interpreter have in common: operands come from the predecoded entry at `ip`, registers lie in the
 * hart's state, and control moves `ip`.
 */
import { PAGE_SIZE } from "../bus/memory.ts";
import { RECORD, RecordFlag, RecordKind } from "../events.ts";
import { EDGES, ENTRY, HART, PAGE_ENTRIES } from "../hart/layout.ts";
import { RM_BITS } from "../isa/rounding.ts";
import type { MemorySize, Xlen } from "../isa/row.ts";
import { FENCE_BITS, type FenceOrder } from "../watches.ts";
import { Emitter } from "./emit.ts";
import type { OnStack } from "./emit.ts";
import type { FloatFunctions } from "./float_functions.ts";
import type { IntegerFunctions } from "./integer.ts";
import { SCALE } from "./region_chain.ts";
import { type FunctionBody, I32, Op } from "./wasm.ts";

/** What the code is emitted for. */
export interface InterpreterCode {
  readonly xlen: Xlen;
  readonly ialign: 2 | 4;
  /** Host address of the hart's state. */
  readonly hart: number;
  /** Whether retired instructions are recorded. */
  readonly records: boolean;
  /** Whether fences are counted, for somebody who watches memory. */
  readonly watch: boolean;
  /** Whether there is code for instructions that not every program uses. */
  readonly rare: boolean;
  readonly memoryPages: number;
  /** Host address of the table of translated regions; absent: entries never name any. */
  readonly regions?: number;
}

const EDGE_BYTES = EDGES * 8;

/** Registers and operands by the entry at ip, control by ip, and what is noted of each instruction. */
export abstract class EntryEmitter extends Emitter {
  protected readonly code: InterpreterCode;
  protected readonly ip: number;
  protected readonly base: number;
  protected readonly page: number;
  protected readonly next: number;
  protected readonly edge: number;
  protected readonly record: number;
  protected readonly left: number;
  /** Entry of the next page in the fetch TLB. */
  protected readonly crossingEntry: number;
  protected readonly handlerLocal: number;
  protected readonly tlbLocal: number;
  protected length: 2 | 4 = 4;
  protected flags = 0;

  constructor(
    f: FunctionBody,
    integer: IntegerFunctions,
    floats: FloatFunctions,
    code: InterpreterCode,
  ) {
    const tlb = f.local(I32);
    super(f, integer, code.xlen, code.hart, tlb, floats);
    this.code = code;
    this.ip = f.local(I32);
    this.base = f.local(I32);
    this.edge = f.local(I32);
    this.record = f.local(I32);
    this.left = 0;
    this.page = f.local(this.type);
    this.next = f.local(this.type);
    this.handlerLocal = f.local(I32);
    this.crossingEntry = f.local(I32);
    this.tlbLocal = tlb;
  }

  // --- operands, from the entry at ip ----------------------------------------------------------------------------

  rs1(): OnStack {
    return this.#register(ENTRY.rs1);
  }
  rs2(): OnStack {
    return this.#register(ENTRY.rs2);
  }
  #register(field: number): OnStack {
    this.f.get(this.ip).memory(Op.I32Load16U, field);
    this.f.memory(this.xlen === 64 ? Op.I64Load : Op.I32Load, this.hart);
    return "value";
  }
  imm(): OnStack {
    this.f.get(this.ip).memory(this.xlen === 64 ? Op.I64Load32S : Op.I32Load, ENTRY.imm);
    return "value";
  }
  pc(): OnStack {
    const f = this.f;
    f.get(this.page).get(this.ip).get(this.base).op(Op.I32Sub).i32(SCALE).op(Op.I32ShrU);
    if (this.xlen === 64) f.op(Op.I64ExtendI32U);
    return this.plain("Add");
  }
  rd(_value: OnStack): void {
    const f = this.f;
    f.set(this.data);
    f.get(this.ip).memory(Op.I32Load16U, ENTRY.rd).get(this.data);
    f.memory(this.xlen === 64 ? Op.I64Store : Op.I32Store, this.hart);
    if (this.code.records) {
      f.get(this.record).get(this.data);
      if (this.xlen === 32) f.op(Op.I64ExtendI32U);
      f.memory(Op.I64Store, RECORD.value);
      this.#flag(RecordFlag.Rd);
    }
  }

  protected override floatOperand(which: "rs1" | "rs2" | "rs3"): void {
    const f = this.f;
    if (which === "rs3") {
      // Its number stands above the rounding mode: eight bytes each.
      f.get(this.ip).memory(Op.I32Load, ENTRY.imm).i32(~RM_BITS).op(Op.I32And);
      f.memory(Op.I64Load, this.hart + HART.f);
    } else f.get(this.ip).memory(Op.I32Load16U, ENTRY[which]).memory(Op.I64Load, this.hart);
  }
  protected override floatResult(): void {
    const f = this.f;
    f.set(this.floatData);
    f.get(this.ip).memory(Op.I32Load16U, ENTRY.rd).get(this.floatData).memory(Op.I64Store, this.hart);
    if (!this.code.records) return;
    f.get(this.record).get(this.floatData).memory(Op.I64Store, RECORD.value);
    this.#flag(RecordFlag.Rd | RecordFlag.Float);
  }
  protected override roundingField(): void {
    this.f.get(this.ip).memory(Op.I32Load, ENTRY.imm).i32(RM_BITS).op(Op.I32And);
  }

  override fence(): void {
    if (!this.code.watch) return;
    const bit = (shift: number) => this.f.get(this.ip).memory(Op.I32Load, ENTRY.imm).i32(shift).op(Op.I32ShrU);
    FENCE_BITS.forEach(([before, after], order) =>
      this.countFence(order as FenceOrder, () => {
        bit(4 + Math.log2(before));
        bit(Math.log2(after)).op(Op.I32And).i32(1).op(Op.I32And);
      })
    );
  }
  protected override noteOrdered(): void {
    if (!this.code.watch) return;
    const f = this.f;
    for (const order of FENCE_BITS.keys()) {
      this.countFence(order as FenceOrder, () => f.get(this.ip).memory(Op.I32Load, ENTRY.imm).i32(0).op(Op.I32Ne));
    }
  }

  // --- control -----------------------------------------------------------------------------------------------------

  branch(_condition: OnStack): void {
    this.f.if();
    this.#goRelative();
    this.f.else();
    this.advance();
    this.f.end();
  }
  jumpRelative(): void {
    this.#link();
    this.#goRelative();
  }
  jump(_target: OnStack): void {
    const f = this.f;
    f.set(this.next);
    if (this.code.ialign === 4) {
      f.get(this.next);
      if (this.xlen === 64) f.op(Op.I32WrapI64);
      f.i32(2).op(Op.I32And);
      this.leaveIf();
    }
    this.#link();
    this.finishRecord();
    this.noteFrom(0);
    f.get(this.next).get(this.page);
    this.plain("Xor");
    this.constant(PAGE_SIZE);
    f.op(this.xlen === 64 ? Op.I64LtU : Op.I32LtU).if();
    f.get(this.base).get(this.next);
    if (this.xlen === 64) f.op(Op.I32WrapI64);
    f.i32(PAGE_SIZE - 2).op(Op.I32And).i32(SCALE).op(Op.I32Shl, Op.I32Add).set(this.ip);
    this.noteTo();
    f.br("next").end().br("page");
  }
  /** Goes on with the next instruction. */
  advance(): void {
    this.finishRecord();
    this.f.get(this.ip).i32(this.length << SCALE).op(Op.I32Add).set(this.ip).br("next");
  }
  #link(): void {
    this.pc();
    this.constant(this.length);
    this.plain("Add");
    this.rd("value");
  }
  #goRelative(): void {
    const f = this.f;
    this.finishRecord();
    this.noteFrom(0);
    f.get(this.ip).get(this.ip).memory(Op.I32Load, ENTRY.imm).i32(SCALE).op(Op.I32Shl, Op.I32Add).tee(this.ip);
    f.get(this.base).op(Op.I32Sub).i32(PAGE_ENTRIES * ENTRY.bytes).op(Op.I32LtU).if();
    this.noteTo();
    f.br("next").end();
    f.get(this.page).get(this.ip).get(this.base).op(Op.I32Sub).i32(SCALE).op(Op.I32ShrS);
    if (this.xlen === 64) f.op(Op.I64ExtendI32S);
    this.plain("Add");
    f.set(this.next).br("page");
  }

  protected override leaveIf(): void {
    this.f.brIf("slow");
  }
  protected override missIf(kind: "load" | "store"): void {
    this.f.brIf(kind === "load" ? "loadMiss" : "storeMiss");
  }

  // --- the last branches, for the report on a guest's death ----------------------------------------------------------

  /** Remembers where control leaves from, with `EdgeMark`s. */
  protected noteFrom(mark: number): void {
    const f = this.f;
    f.get(this.edge).get(this.ip);
    if (mark !== 0) f.i32(mark).op(Op.I32Or);
    f.memory(Op.I32Store, this.hart + HART.edges);
  }
  /** Remembers where it goes. */
  protected noteTo(): void {
    const f = this.f;
    f.get(this.edge).get(this.ip).memory(Op.I32Store, this.hart + HART.edges + 4);
    f.get(this.edge).i32(8).op(Op.I32Add).i32(EDGE_BYTES - 1).op(Op.I32And).set(this.edge);
  }

  // --- records -----------------------------------------------------------------------------------------------------

  #flag(flag: number): void {
    const f = this.f;
    this.flags |= flag;
    f.get(this.record);
    if (this.uncertain) f.get(this.record).memory(Op.I32Load8U, RECORD.flags).i32(flag).op(Op.I32Or);
    else f.i32(this.flags);
    f.memory(Op.I32Store8, RECORD.flags);
  }
  protected override noteAccess(kind: "load" | "store", size: MemorySize, float = false): void {
    if (!this.code.records) return;
    const f = this.f;
    const wide = this.xlen === 64;
    f.get(this.record).get(this.addr);
    if (!wide) f.op(Op.I64ExtendI32U);
    f.memory(Op.I64Store, RECORD.addr);
    f.get(this.record).i32(size).memory(Op.I32Store8, RECORD.size);
    f.get(this.record);
    if (kind === "load") this.rawHost(size);
    else {
      f.get(float ? this.floatData : this.data);
      if (!wide && !float) f.op(Op.I64ExtendI32U);
      if (size < 8) f.i64(2n ** BigInt(size * 8) - 1n).op(Op.I64And);
    }
    f.memory(Op.I64Store, RECORD.data);
    this.#flag(kind === "load" ? RecordFlag.Load : RecordFlag.Store);
  }
  /** The instruction has retired: its record stays. */
  protected finishRecord(): void {
    if (this.code.records) this.f.get(this.record).i32(RECORD.bytes).op(Op.I32Add).set(this.record);
  }
  /** Fills in what every record has. */
  protected beginRecord(): void {
    const f = this.f;
    const wide = this.xlen === 64;
    f.get(this.record);
    this.pc();
    if (!wide) f.op(Op.I64ExtendI32U);
    f.memory(Op.I64Store, RECORD.pc);
    f.get(this.record).get(this.ip).memory(Op.I32Load, ENTRY.word).memory(Op.I32Store, RECORD.insn);
    // Kind, flags, privilege and rd in one store; rd is the register's offset over 8, the sink's number masks to 0.
    f.get(this.record).i32(0).memory(Op.I32Load, this.hart + HART.privilege).i32(16).op(Op.I32Shl);
    f.get(this.ip).memory(Op.I32Load16U, ENTRY.rd).i32(3).op(Op.I32ShrU).i32(31).op(Op.I32And).i32(24);
    f.op(Op.I32Shl, Op.I32Or).i32(RecordKind.Retired).op(Op.I32Or).memory(Op.I32Store, RECORD.kind);
    f.get(this.record).i32(0).memory(Op.I64Load, this.hart + HART.step).memory(Op.I64Store, RECORD.step);
    f.get(this.record).i32(0).memory(Op.I32Load, this.hart + HART.index).i32(8).op(Op.I32Shl).memory(
      Op.I32Store,
      RECORD.size,
    );
    // One step more for the next record.
    f.i32(0).i32(0).memory(Op.I64Load, this.hart + HART.step).i64(1).op(Op.I64Add);
    f.memory(Op.I64Store, this.hart + HART.step);
  }
}
