/**
 * The interpreter as WebAssembly: one function, a loop around a `br_table` over predecoded entries, one handler per
 * row and instruction length, each emitted from the row itself.
 */
import { PAGE_SIZE } from "../bus/memory.ts";
import { CROSSING, ENTRY, FETCH, HART, REGION } from "../hart/layout.ts";
import type { Row } from "../isa/row.ts";
import { EntryEmitter, type InterpreterCode } from "./entry_emitter.ts";
import { EdgeMark, Exit, REGION_MARK, RegionExit } from "./exit.ts";
import { FloatFunctions } from "./float_functions.ts";
import type { Handlers } from "./handlers.ts";
import { IntegerFunctions } from "./integer.ts";
import { emitRefusal, emitRegionChain, SCALE } from "./region_chain.ts";
import { FunctionBody, I32, ModuleWriter, Op } from "./wasm.ts";

/** Writes the function. */
class InterpreterEmitter extends EntryEmitter {
  /** Index of the function that runs regions; absent: there are none. */
  chain: number | undefined = undefined;

  /** Emits everything: `run(budget) -> Exit`. State is read from and written to the hart's state in Memory. */
  emit(handlers: Handlers): void {
    const f = this.f;
    const wide = this.xlen === 64;
    const records = this.code.records;
    f.i32(0).memory(Op.I32Load, this.hart + HART.tlb).set(this.tlbLocal);
    f.i32(0).memory(Op.I32Load, this.hart + HART.edge).set(this.edge);
    if (records) f.i32(0).memory(Op.I32Load, this.hart + HART.record).set(this.record);
    f.i32(0).memory(wide ? Op.I64Load : Op.I32Load, this.hart + HART.pc).set(this.next);
    f.loop("page");
    this.#enterPage();
    f.loop("next");
    this.#exitIfUsedUp();
    f.get(this.left).i32(1).op(Op.I32Sub).set(this.left);
    if (records) this.beginRecord();
    f.get(this.ip).memory(Op.I32Load16U, ENTRY.op).set(this.handlerLocal);
    f.loop("dispatch").block("region").block("end").block("storeMiss").block("loadMiss").block("undecoded").block(
      "slow",
    ).block("crossing");
    const emitted = handlers.list.map(({ row, length }) => handlers.emitted(row, length, this.code.rare));
    for (let i = handlers.list.length - 1; i >= 0; i--) if (emitted[i]) f.block(`handler${i}`);
    f.get(this.handlerLocal);
    const labels = [
      "undecoded",
      "slow",
      "end",
      "crossing",
      ...handlers.list.map((_, i) => emitted[i] ? `handler${i}` : "slow"),
    ];
    f.brTable(labels, this.code.regions === undefined ? "slow" : "region");
    handlers.list.forEach(({ row, length }, i) => {
      if (!emitted[i]) return;
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
    f.set(this.next);
    this.noteFrom(EdgeMark.NotDone);
    f.br("page").end(); // region
    this.#region();
    f.end().end().end();
    f.op(Op.Unreachable);
  }

  /** Goes on with the handler of an instruction over the page's end, if the next page is known and has its second half. */
  #crossing(): void {
    const f = this.f;
    const wide = this.xlen === 64;
    const entry = this.crossingEntry;
    f.get(this.page);
    this.constant(PAGE_SIZE);
    this.plain("Add");
    f.tee(this.next);
    if (wide) f.op(Op.I32WrapI64);
    f.i32(8).op(Op.I32ShrU).i32((FETCH.entries - 1) * FETCH.bytes).op(Op.I32And);
    f.get(this.tlbLocal).op(Op.I32Add).tee(entry).memory(wide ? Op.I64Load : Op.I32Load, FETCH.at + FETCH.tag);
    f.get(this.next);
    this.plain("Ne");
    f.brIf("slow");
    f.get(this.next);
    if (wide) f.op(Op.I32WrapI64);
    f.get(entry).memory(Op.I32Load, FETCH.at + FETCH.addend).op(Op.I32Add).memory(Op.I32Load16U, 0);
    f.get(this.ip).memory(Op.I32Load16U, CROSSING.high).op(Op.I32Ne).brIf("slow");
    f.get(this.ip).memory(Op.I32Load16U, CROSSING.handler).set(this.handlerLocal).br("dispatch");
  }

  #handler(row: Row, length: 2 | 4): void {
    this.length = length;
    this.flags = 0;
    this.begin();
    // Where retired instructions are recorded, so are changes of fflags, and stores of whole blocks: the reference
    // executor does both.
    if (this.code.records && (row.class === "float" || row.class === "system")) {
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
    const table = this.code.regions;
    if (table === undefined || this.chain === undefined) return;
    const entry = this.#recordOrEntry;
    f.get(this.ip).memory(Op.I32Load, ENTRY.word).i32(REGION.bytes).op(Op.I32Mul).set(entry);
    emitRefusal({
      f,
      xlen: this.xlen,
      hart: this.hart,
      regions: table,
      row: entry,
      // The step that the loop's head counted is the region's.
      left: () => f.get(this.left).i32(1).op(Op.I32Add),
      pc: () => this.pc(),
    });
    f.if();
    this.#withoutRegion();
    f.end();
    this.#checkSpace(table, entry);
    this.noteFrom(EdgeMark.NotDone | EdgeMark.Translated);
    f.i32(0).get(this.edge).memory(Op.I32Store, this.hart + HART.edge);
    f.i32(0).i32(0).memory(Op.I32Load, this.hart + HART.entered).i32(1).op(Op.I32Add);
    f.memory(Op.I32Store, this.hart + HART.entered);
    f.get(this.left).i32(1).op(Op.I32Add);
    f.get(this.ip).memory(Op.I32Load, ENTRY.word);
    f.call(this.chain).tee(entry).i32(2).op(Op.I32ShrU).set(this.left);
    f.i32(0).memory(this.xlen === 64 ? Op.I64Load : Op.I32Load, this.hart + HART.pc).set(this.next);
    f.get(entry).i32(3).op(Op.I32And).tee(entry).op(Op.I32Eqz).brIf("page");
    for (const [end, exit] of [[RegionExit.LoadMiss, Exit.LoadMiss], [RegionExit.StoreMiss, Exit.StoreMiss]] as const) {
      f.get(entry).i32(end).op(Op.I32Eq).if();
      this.#return(exit);
      f.end();
    }
    this.#return(Exit.Slow);
  }
  #withoutRegion(): void {
    this.f.get(this.handlerLocal).i32(REGION_MARK - 1).op(Op.I32And).set(this.handlerLocal).br("dispatch");
  }
  /** Does without a region whose other pages are known to be elsewhere now, and leaves where that is not known. */
  #checkSpace(table: number, entry: number): void {
    const f = this.f;
    const row = this.crossingEntry;
    f.get(entry).memory(Op.I32Load, table + REGION.paged).if();
    f.i32(0).memory(Op.I32Load, this.hart + HART.index).i32(REGION.spaceBytes).op(Op.I32Mul).get(entry).op(Op.I32Add);
    f.tee(row).memory(Op.I32Load, table + REGION.spaces + REGION.space);
    f.i32(0).memory(Op.I32Load, this.hart + HART.space).op(Op.I32Ne).if();
    f.get(row).memory(Op.I32Load, table + REGION.spaces + REGION.refused);
    f.i32(0).memory(Op.I32Load, this.hart + HART.space).op(Op.I32Eq).if();
    this.#withoutRegion();
    f.end();
    this.#leave(Exit.Stale);
    f.end().end();
  }
  /** A local free while no record is made. */
  get #recordOrEntry(): number {
    return this.record;
  }

  #enterPage(): void {
    const f = this.f;
    const wide = this.xlen === 64;
    const entry = this.ip;
    f.get(this.next);
    if (wide) f.op(Op.I32WrapI64);
    f.i32(8).op(Op.I32ShrU).i32((FETCH.entries - 1) * FETCH.bytes).op(Op.I32And);
    f.get(this.tlbLocal).op(Op.I32Add).set(entry);
    f.get(this.next);
    this.constant(-PAGE_SIZE);
    this.plain("And");
    f.tee(this.page).get(entry).memory(wide ? Op.I64Load : Op.I32Load, FETCH.at + FETCH.tag);
    this.plain("Ne");
    f.if();
    this.#storePc();
    this.#return(Exit.Page);
    f.end();
    f.get(entry).memory(Op.I32Load, FETCH.at + FETCH.page).set(this.base);
    f.get(this.base).get(this.next);
    if (wide) f.op(Op.I32WrapI64);
    f.i32(PAGE_SIZE - 2).op(Op.I32And).i32(SCALE).op(Op.I32Shl, Op.I32Add).set(this.ip);
    this.noteTo();
  }

  #exitIfUsedUp(): void {
    const f = this.f;
    f.get(this.left).op(Op.I32Eqz).if();
    this.pc();
    f.set(this.next);
    this.noteFrom(EdgeMark.NotDone);
    this.#storePc();
    this.#return(Exit.Budget);
    f.end();
  }

  /** Takes back the step that the loop's head counted. */
  #undoStep(): void {
    const f = this.f;
    f.get(this.left).i32(1).op(Op.I32Add).set(this.left);
    if (!this.code.records) return;
    f.i32(0).i32(0).memory(Op.I64Load, this.hart + HART.step).i64(1).op(Op.I64Sub);
    f.memory(Op.I64Store, this.hart + HART.step);
  }

  #leave(exit: number): void {
    this.#undoStep();
    this.pc();
    this.f.set(this.next);
    this.noteFrom(exit === Exit.Slow ? 0 : EdgeMark.NotDone);
    this.#storePc();
    this.#return(exit);
  }
  #leaveForMiss(exit: number): void {
    this.f.i32(0).get(this.addr).memory(this.xlen === 64 ? Op.I64Store : Op.I32Store, this.hart + HART.miss);
    this.#leave(exit);
  }
  #storePc(): void {
    this.f.i32(0).get(this.next).memory(this.xlen === 64 ? Op.I64Store : Op.I32Store, this.hart + HART.pc);
  }
  #return(exit: number): void {
    const f = this.f;
    f.i32(0).get(this.left).memory(Op.I32Store, this.hart + HART.left);
    f.i32(0).get(this.edge).memory(Op.I32Store, this.hart + HART.edge);
    if (this.code.records) f.i32(0).get(this.record).memory(Op.I32Store, this.hart + HART.record);
    f.i32(exit).op(Op.Return);
  }
}

/** The module: exports `run(budget: i32) -> i32`, an `Exit`. */
export function emitInterpreter(code: InterpreterCode, handlers: Handlers): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter();
  const integer = new IntegerFunctions(module, code.xlen);
  const floats = new FloatFunctions(module, code.hart);
  const body = new FunctionBody([I32], [I32]);
  const emitter = new InterpreterEmitter(body, integer, floats, code);
  module.add(body, "run");
  if (code.regions !== undefined) {
    const chain = new FunctionBody([I32, I32], [I32]);
    emitter.chain = module.add(chain);
    emitRegionChain(chain, emitter.chain, { xlen: code.xlen, hart: code.hart, regions: code.regions });
  }
  emitter.emit(handlers);
  return module.encode(code.memoryPages, code.regions === undefined ? 0 : REGION.max);
}
