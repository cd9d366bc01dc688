/**
 * The interpreter as WebAssembly: one function, a loop around a `br_table` over predecoded entries, one handler per
 * row and instruction length, each emitted from the row itself.
 */
import { PAGE_SIZE } from "../bus/memory.ts";
import { RECORD, RecordFlag, RecordKind } from "../events.ts";
import { CROSSING, EDGES, ENTRY, FETCH, HART, PAGE_ENTRIES, REGION } from "../hart/layout.ts";
import { RM_BITS } from "../isa/rounding.ts";
import type { MemorySize, Row, Xlen } from "../isa/row.ts";
import { Emitter } from "./emit.ts";
import type { OnStack } from "./emit.ts";
import { EdgeMark, Exit, REGION_MARK, RegionExit } from "./exit.ts";
import { type Handlers, leftToReference } from "./handlers.ts";
import { FloatFunctions } from "./float_functions.ts";
import { addIntegerFunctions } from "./integer.ts";
import type { IntegerFunctions } from "./integer.ts";
import { FunctionBody, I32, ModuleWriter, Op } from "./wasm.ts";

/** What the code is emitted for. */
export interface InterpreterCode {
  readonly xlen: Xlen;
  readonly ialign: 2 | 4;
  /** Host address of the hart's state. */
  readonly hart: number;
  readonly index: number;
  /** Whether retired instructions are recorded. */
  readonly records: boolean;
  readonly memoryPages: number;
  /** Host address of the table of translated regions; absent: entries never name any. */
  readonly regions?: number;
}

/** Bytes per code byte of a decoded page, as a shift: an entry of 16 bytes stands for 2. */
const SCALE = 3;
const EDGE_BYTES = EDGES * 8;

class InterpreterEmitter extends Emitter {
  readonly #code: InterpreterCode;
  readonly #ip: number;
  readonly #base: number;
  readonly #page: number;
  readonly #next: number;
  readonly #edge: number;
  readonly #record: number;
  readonly #left: number;
  /** Entry of the next page in the fetch TLB. */
  readonly #crossingEntry: number;
  readonly #handlerLocal: number;
  readonly #tlbLocal: number;
  #length: 2 | 4 = 4;
  #flags = 0;

  readonly #runType: number;

  /** `runType` is the index of `run` and of its type, which regions have too. */
  constructor(
    f: FunctionBody,
    integer: IntegerFunctions,
    floats: FloatFunctions,
    code: InterpreterCode,
    runType: number,
  ) {
    const tlb = f.local(I32);
    super(f, integer, code.xlen, code.hart, tlb, floats);
    this.#code = code;
    this.#runType = runType;
    this.#ip = f.local(I32);
    this.#base = f.local(I32);
    this.#edge = f.local(I32);
    this.#record = f.local(I32);
    this.#left = 0;
    this.#page = f.local(this.type);
    this.#next = f.local(this.type);
    this.#handlerLocal = f.local(I32);
    this.#crossingEntry = f.local(I32);
    this.#tlbLocal = tlb;
  }

  // --- operands, from the entry at ip ----------------------------------------------------------------------------

  rs1(): OnStack {
    return this.#register(ENTRY.rs1);
  }
  rs2(): OnStack {
    return this.#register(ENTRY.rs2);
  }
  #register(field: number): OnStack {
    this.f.get(this.#ip).memory(Op.I32Load16U, field);
    this.f.memory(this.xlen === 64 ? Op.I64Load : Op.I32Load, this.hart);
    return "value";
  }
  imm(): OnStack {
    this.f.get(this.#ip).memory(this.xlen === 64 ? Op.I64Load32S : Op.I32Load, ENTRY.imm);
    return "value";
  }
  pc(): OnStack {
    const f = this.f;
    f.get(this.#page).get(this.#ip).get(this.#base).op(Op.I32Sub).i32(SCALE).op(Op.I32ShrU);
    if (this.xlen === 64) f.op(Op.I64ExtendI32U);
    return this.plain("Add");
  }
  rd(_value: OnStack): void {
    const f = this.f;
    f.set(this.data);
    f.get(this.#ip).memory(Op.I32Load16U, ENTRY.rd).get(this.data);
    f.memory(this.xlen === 64 ? Op.I64Store : Op.I32Store, this.hart);
    if (this.#code.records) {
      f.get(this.#record).get(this.data);
      if (this.xlen === 32) f.op(Op.I64ExtendI32U);
      f.memory(Op.I64Store, RECORD.value);
      this.#flag(RecordFlag.Rd);
    }
  }

  protected override floatOperand(which: "rs1" | "rs2" | "rs3"): void {
    const f = this.f;
    if (which === "rs3") {
      // Its number stands above the rounding mode: eight bytes each.
      f.get(this.#ip).memory(Op.I32Load, ENTRY.imm).i32(~RM_BITS).op(Op.I32And);
      f.memory(Op.I64Load, this.hart + HART.f);
    } else f.get(this.#ip).memory(Op.I32Load16U, ENTRY[which]).memory(Op.I64Load, this.hart);
  }
  protected override floatResult(): void {
    const f = this.f;
    f.set(this.floatData);
    f.get(this.#ip).memory(Op.I32Load16U, ENTRY.rd).get(this.floatData).memory(Op.I64Store, this.hart);
    if (!this.#code.records) return;
    f.get(this.#record).get(this.floatData).memory(Op.I64Store, RECORD.value);
    this.#flag(RecordFlag.Rd | RecordFlag.Float);
  }
  protected override roundingField(): void {
    this.f.get(this.#ip).memory(Op.I32Load, ENTRY.imm).i32(RM_BITS).op(Op.I32And);
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
    f.set(this.#next);
    if (this.#code.ialign === 4) {
      f.get(this.#next);
      if (this.xlen === 64) f.op(Op.I32WrapI64);
      f.i32(2).op(Op.I32And);
      this.leaveIf();
    }
    this.#link();
    this.#finishRecord();
    this.#noteFrom(0);
    f.get(this.#next).get(this.#page);
    this.plain("Xor");
    this.constant(PAGE_SIZE);
    f.op(this.xlen === 64 ? Op.I64LtU : Op.I32LtU).if();
    f.get(this.#base).get(this.#next);
    if (this.xlen === 64) f.op(Op.I32WrapI64);
    f.i32(PAGE_SIZE - 2).op(Op.I32And).i32(SCALE).op(Op.I32Shl, Op.I32Add).set(this.#ip);
    this.#noteTo();
    f.br("next").end().br("page");
  }
  /** Goes on with the next instruction. */
  advance(): void {
    this.#finishRecord();
    this.f.get(this.#ip).i32(this.#length << SCALE).op(Op.I32Add).set(this.#ip).br("next");
  }
  #link(): void {
    this.pc();
    this.constant(this.#length);
    this.plain("Add");
    this.rd("value");
  }
  #goRelative(): void {
    const f = this.f;
    this.#finishRecord();
    this.#noteFrom(0);
    f.get(this.#ip).get(this.#ip).memory(Op.I32Load, ENTRY.imm).i32(SCALE).op(Op.I32Shl, Op.I32Add).tee(this.#ip);
    f.get(this.#base).op(Op.I32Sub).i32(PAGE_ENTRIES * ENTRY.bytes).op(Op.I32LtU).if();
    this.#noteTo();
    f.br("next").end();
    f.get(this.#page).get(this.#ip).get(this.#base).op(Op.I32Sub).i32(SCALE).op(Op.I32ShrS);
    if (this.xlen === 64) f.op(Op.I64ExtendI32S);
    this.plain("Add");
    f.set(this.#next).br("page");
  }

  protected override leaveIf(): void {
    this.f.brIf("slow");
  }
  protected override missIf(kind: "load" | "store"): void {
    this.f.brIf(kind === "load" ? "loadMiss" : "storeMiss");
  }

  // --- the last branches, for the report on a guest's death ----------------------------------------------------------

  /** Remembers where control leaves from, with `EdgeMark`s. */
  #noteFrom(mark: number): void {
    const f = this.f;
    f.get(this.#edge).get(this.#ip);
    if (mark !== 0) f.i32(mark).op(Op.I32Or);
    f.memory(Op.I32Store, this.hart + HART.edges);
  }
  /** Remembers where it goes. */
  #noteTo(): void {
    const f = this.f;
    f.get(this.#edge).get(this.#ip).memory(Op.I32Store, this.hart + HART.edges + 4);
    f.get(this.#edge).i32(8).op(Op.I32Add).i32(EDGE_BYTES - 1).op(Op.I32And).set(this.#edge);
  }

  // --- records -----------------------------------------------------------------------------------------------------

  #flag(flag: number): void {
    const f = this.f;
    this.#flags |= flag;
    f.get(this.#record);
    if (this.uncertain) f.get(this.#record).memory(Op.I32Load8U, RECORD.flags).i32(flag).op(Op.I32Or);
    else f.i32(this.#flags);
    f.memory(Op.I32Store8, RECORD.flags);
  }
  protected override noteAccess(kind: "load" | "store", size: MemorySize, float = false): void {
    if (!this.#code.records) return;
    const f = this.f;
    const wide = this.xlen === 64;
    f.get(this.#record).get(this.addr);
    if (!wide) f.op(Op.I64ExtendI32U);
    f.memory(Op.I64Store, RECORD.addr);
    f.get(this.#record).i32(size).memory(Op.I32Store8, RECORD.size);
    f.get(this.#record);
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
  #finishRecord(): void {
    if (this.#code.records) this.f.get(this.#record).i32(RECORD.bytes).op(Op.I32Add).set(this.#record);
  }
  /** Fills in what every record has. */
  #beginRecord(): void {
    const f = this.f;
    const wide = this.xlen === 64;
    f.get(this.#record);
    this.pc();
    if (!wide) f.op(Op.I64ExtendI32U);
    f.memory(Op.I64Store, RECORD.pc);
    f.get(this.#record).get(this.#ip).memory(Op.I32Load, ENTRY.word).memory(Op.I32Store, RECORD.insn);
    // Kind, flags, privilege and rd in one store; rd is the register's offset over 8, the sink's number masks to 0.
    f.get(this.#record).i32(0).memory(Op.I32Load, this.hart + HART.privilege).i32(16).op(Op.I32Shl);
    f.get(this.#ip).memory(Op.I32Load16U, ENTRY.rd).i32(3).op(Op.I32ShrU).i32(31).op(Op.I32And).i32(24);
    f.op(Op.I32Shl, Op.I32Or).i32(RecordKind.Retired).op(Op.I32Or).memory(Op.I32Store, RECORD.kind);
    f.get(this.#record).i32(0).memory(Op.I64Load, this.hart + HART.step).memory(Op.I64Store, RECORD.step);
    f.get(this.#record).i32(this.#code.index).i32(8).op(Op.I32Shl).memory(Op.I32Store, RECORD.size);
    // One step more for the next record.
    f.i32(0).i32(0).memory(Op.I64Load, this.hart + HART.step).i64(1).op(Op.I64Add);
    f.memory(Op.I64Store, this.hart + HART.step);
  }

  // --- the function --------------------------------------------------------------------------------------------------

  /** Emits everything: `run(budget) -> Exit`. State is read from and written to the hart's state in Memory. */
  emit(handlers: Handlers): void {
    const f = this.f;
    const wide = this.xlen === 64;
    const records = this.#code.records;
    f.i32(0).memory(Op.I32Load, this.hart + HART.tlb).set(this.#tlbLocal);
    f.i32(0).memory(Op.I32Load, this.hart + HART.edge).set(this.#edge);
    if (records) f.i32(0).memory(Op.I32Load, this.hart + HART.record).set(this.#record);
    f.i32(0).memory(wide ? Op.I64Load : Op.I32Load, this.hart + HART.pc).set(this.#next);
    f.loop("page");
    this.#enterPage();
    f.loop("next");
    this.#exitIfUsedUp();
    f.get(this.#left).i32(1).op(Op.I32Sub).set(this.#left);
    if (records) this.#beginRecord();
    f.get(this.#ip).memory(Op.I32Load16U, ENTRY.op).set(this.#handlerLocal);
    f.loop("dispatch").block("region").block("end").block("storeMiss").block("loadMiss").block("undecoded").block(
      "slow",
    ).block("crossing");
    for (let i = handlers.list.length - 1; i >= 0; i--) f.block(`handler${i}`);
    f.get(this.#handlerLocal);
    const labels = ["undecoded", "slow", "end", "crossing", ...handlers.list.map((_, i) => `handler${i}`)];
    f.brTable(labels, this.#code.regions === undefined ? "slow" : "region");
    handlers.list.forEach(({ row, length }) => {
      f.end();
      this.#handler(row, length);
    });
    f.end(); // crossing
    this.#crossing();
    f.end(); // slow
    this.#leave(Exit.Slow);
    f.end(); // undecoded
    this.#leave(Exit.Undecoded);
    f.end(); // loadMiss
    this.#leaveForMiss(Exit.LoadMiss);
    f.end(); // storeMiss
    this.#leaveForMiss(Exit.StoreMiss);
    f.end(); // end
    this.#undoStep();
    // The next page's first halfword, or its second after an instruction that lies in both pages.
    this.pc();
    f.set(this.#next);
    this.#noteFrom(EdgeMark.NotDone);
    f.br("page").end(); // region
    this.#region();
    f.end().end().end();
    f.op(Op.Unreachable);
  }

  /** Goes on with the handler of an instruction over the page's end, if the next page is known and has its second half. */
  #crossing(): void {
    const f = this.f;
    const wide = this.xlen === 64;
    const entry = this.#crossingEntry;
    f.get(this.#page);
    this.constant(PAGE_SIZE);
    this.plain("Add");
    f.tee(this.#next);
    if (wide) f.op(Op.I32WrapI64);
    f.i32(8).op(Op.I32ShrU).i32((FETCH.entries - 1) * FETCH.bytes).op(Op.I32And);
    f.get(this.#tlbLocal).op(Op.I32Add).tee(entry).memory(wide ? Op.I64Load : Op.I32Load, FETCH.at + FETCH.tag);
    f.get(this.#next);
    this.plain("Ne");
    f.brIf("slow");
    f.get(this.#next);
    if (wide) f.op(Op.I32WrapI64);
    f.get(entry).memory(Op.I32Load, FETCH.at + FETCH.addend).op(Op.I32Add).memory(Op.I32Load16U, 0);
    f.get(this.#ip).memory(Op.I32Load16U, CROSSING.high).op(Op.I32Ne).brIf("slow");
    f.get(this.#ip).memory(Op.I32Load16U, CROSSING.handler).set(this.#handlerLocal).br("dispatch");
  }

  #handler(row: Row, length: 2 | 4): void {
    this.#length = length;
    this.#flags = 0;
    this.begin();
    // Where retired instructions are recorded, so are changes of fflags: these come from the reference executor.
    if (leftToReference(row) || (this.#code.records && row.class === "float")) {
      this.f.br("slow");
      return;
    }
    row.run!(this);
    if (this.leaves) throw new Error(`interpreter: row ${row.name} leaves emitted code unexpectedly`);
    if (row.class !== "branch" && row.class !== "jump") this.advance();
  }

  /** Runs a translated region, if the budget covers it and it was made for this mode; else the instruction itself. */
  #region(): void {
    const f = this.f;
    const table = this.#code.regions;
    if (table === undefined) return;
    const entry = this.#recordOrEntry;
    f.get(this.#ip).memory(Op.I32Load, ENTRY.word).i32(REGION.bytes).op(Op.I32Mul).tee(entry);
    // The step that the loop's head counted is the region's.
    f.memory(Op.I32Load, table + REGION.cost).get(this.#left).i32(1).op(Op.I32Add, Op.I32GtS);
    f.get(entry).memory(Op.I32Load, table + REGION.flat).i32(0).memory(Op.I32Load, this.hart + HART.flat);
    f.op(Op.I32GtU, Op.I32Or);
    // Code mapped elsewhere too has its region for one of the places.
    f.get(entry).memory(this.xlen === 64 ? Op.I64Load : Op.I32Load, table + REGION.pc);
    this.pc();
    this.plain("Ne");
    f.op(Op.I32Or).if();
    f.get(this.#handlerLocal).i32(REGION_MARK - 1).op(Op.I32And).set(this.#handlerLocal).br("dispatch");
    f.end();
    this.#noteFrom(EdgeMark.NotDone | EdgeMark.Translated);
    f.get(this.#left).i32(1).op(Op.I32Add);
    f.get(this.#ip).memory(Op.I32Load, ENTRY.word);
    f.callIndirect(this.#runType).tee(entry).i32(2).op(Op.I32ShrU).set(this.#left);
    f.i32(0).memory(this.xlen === 64 ? Op.I64Load : Op.I32Load, this.hart + HART.pc).set(this.#next);
    f.get(entry).i32(3).op(Op.I32And).tee(entry).op(Op.I32Eqz).brIf("page");
    for (const [end, exit] of [[RegionExit.LoadMiss, Exit.LoadMiss], [RegionExit.StoreMiss, Exit.StoreMiss]] as const) {
      f.get(entry).i32(end).op(Op.I32Eq).if();
      this.#return(exit);
      f.end();
    }
    this.#return(Exit.Slow);
  }
  /** A local free while no record is made. */
  get #recordOrEntry(): number {
    return this.#record;
  }

  #enterPage(): void {
    const f = this.f;
    const wide = this.xlen === 64;
    const entry = this.#ip;
    f.get(this.#next);
    if (wide) f.op(Op.I32WrapI64);
    f.i32(8).op(Op.I32ShrU).i32((FETCH.entries - 1) * FETCH.bytes).op(Op.I32And);
    f.get(this.#tlbLocal).op(Op.I32Add).set(entry);
    f.get(this.#next);
    this.constant(-PAGE_SIZE);
    this.plain("And");
    f.tee(this.#page).get(entry).memory(wide ? Op.I64Load : Op.I32Load, FETCH.at + FETCH.tag);
    this.plain("Ne");
    f.if();
    this.#storePc();
    this.#return(Exit.Page);
    f.end();
    f.get(entry).memory(Op.I32Load, FETCH.at + FETCH.page).set(this.#base);
    f.get(this.#base).get(this.#next);
    if (wide) f.op(Op.I32WrapI64);
    f.i32(PAGE_SIZE - 2).op(Op.I32And).i32(SCALE).op(Op.I32Shl, Op.I32Add).set(this.#ip);
    this.#noteTo();
  }

  #exitIfUsedUp(): void {
    const f = this.f;
    f.get(this.#left).op(Op.I32Eqz).if();
    this.pc();
    f.set(this.#next);
    this.#noteFrom(EdgeMark.NotDone);
    this.#storePc();
    this.#return(Exit.Budget);
    f.end();
  }

  /** Takes back the step that the loop's head counted. */
  #undoStep(): void {
    const f = this.f;
    f.get(this.#left).i32(1).op(Op.I32Add).set(this.#left);
    if (!this.#code.records) return;
    f.i32(0).i32(0).memory(Op.I64Load, this.hart + HART.step).i64(1).op(Op.I64Sub);
    f.memory(Op.I64Store, this.hart + HART.step);
  }

  #leave(exit: number): void {
    this.#undoStep();
    this.pc();
    this.f.set(this.#next);
    this.#noteFrom(exit === Exit.Slow ? 0 : EdgeMark.NotDone);
    this.#storePc();
    this.#return(exit);
  }
  #leaveForMiss(exit: number): void {
    this.f.i32(0).get(this.addr).memory(this.xlen === 64 ? Op.I64Store : Op.I32Store, this.hart + HART.miss);
    this.#leave(exit);
  }
  #storePc(): void {
    this.f.i32(0).get(this.#next).memory(this.xlen === 64 ? Op.I64Store : Op.I32Store, this.hart + HART.pc);
  }
  #return(exit: number): void {
    const f = this.f;
    f.i32(0).get(this.#left).memory(Op.I32Store, this.hart + HART.left);
    f.i32(0).get(this.#edge).memory(Op.I32Store, this.hart + HART.edge);
    if (this.#code.records) f.i32(0).get(this.#record).memory(Op.I32Store, this.hart + HART.record);
    f.i32(exit).op(Op.Return);
  }
}

/** The module: exports `run(budget: i32) -> i32`, an `Exit`. */
export function emitInterpreter(code: InterpreterCode, handlers: Handlers): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter();
  const integer = addIntegerFunctions(module, code.xlen);
  const floats = new FloatFunctions(module, code.hart);
  const body = new FunctionBody([I32], [I32]);
  new InterpreterEmitter(body, integer, floats, code, module.add(body, "run")).emit(handlers);
  return module.encode(code.memoryPages, code.regions === undefined ? 0 : REGION.max);
}
