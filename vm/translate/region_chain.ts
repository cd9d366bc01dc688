/**
 * Translated regions one after the other: where one ends and another begins, that one is run at once, without the
 * interpreter, whose registers and dispatch it does not need.
 */
import { PAGE_SIZE } from "../bus/memory.ts";
import { ENTRY, FETCH, HART, REGION } from "../hart/layout.ts";
import type { Xlen } from "../isa/row.ts";
import { EdgeMark, REGION_MARK } from "./exit.ts";
import { FunctionBody, I32, I64, Op } from "./wasm.ts";

/** Bytes per code byte of a decoded page, as a shift: an entry of 16 bytes stands for 2. */
export const SCALE = 3;

/** What it is emitted for. */
export interface RegionChain {
  readonly xlen: Xlen;
  /** Host address of the hart's state. */
  readonly hart: number;
  /** Host address of the region table. */
  readonly regions: number;
}

/** Says what a region's row has to say before it runs, as the truth value of "it must not" on the stack. */
export interface RegionTest {
  readonly f: FunctionBody;
  readonly xlen: Xlen;
  readonly hart: number;
  readonly regions: number;
  /** Local with the offset of its row. */
  readonly row: number;
  /** Pushes the budget. */
  left(): void;
  /** Pushes the address that it is to begin at. */
  pc(): void;
}

/** Whether the budget does not cover a region, or it was made for another mode or place. */
export function emitRefusal({ f, xlen, hart, regions, row, left, pc }: RegionTest): void {
  f.get(row).memory(Op.I32Load, regions + REGION.cost);
  left();
  f.op(Op.I32GtS);
  f.get(row).memory(Op.I32Load, regions + REGION.level).i32(0).memory(Op.I32Load, hart + HART.level);
  f.op(Op.I32GtU, Op.I32Or);
  // Code mapped elsewhere too has its region for one of the places.
  f.get(row).memory(xlen === 64 ? Op.I64Load : Op.I32Load, regions + REGION.pc);
  pc();
  f.op(xlen === 64 ? Op.I64Ne : Op.I32Ne, Op.I32Or);
}

/**
 * The function `(budget, number of a region) -> result`: runs the region, which must be allowed to, and those after it
 * that are. The result is the last one's, see `region_code.ts`. Its type is that of regions too; `own` is the type's index.
 */
export function emitRegionChain(body: FunctionBody, own: number, { xlen, hart, regions }: RegionChain): void {
  const f = body;
  const wide = xlen === 64;
  const load = wide ? Op.I64Load : Op.I32Load;
  const [left, index] = [0, 1];
  const [row, result, at, ip, tlb] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32), f.local(I32)];
  const next = f.local(wide ? I64 : I32);
  const low = () => wide ? f.get(next).op(Op.I32WrapI64) : f.get(next);
  f.i32(0).memory(Op.I32Load, hart + HART.tlb).set(tlb);
  f.get(index).i32(REGION.bytes).op(Op.I32Mul).set(row);
  f.block("out").loop("region");
  f.get(left).get(row).memory(Op.I32Load, regions + REGION.entry).get(index).callIndirect(own).tee(result);
  f.i32(3).op(Op.I32And).brIf("out");
  f.get(result).i32(2).op(Op.I32ShrU).set(left);
  // As the interpreter would find it: by the TLB and the decoded entry.
  f.i32(0).memory(load, hart + HART.pc).set(next);
  low().i32(8).op(Op.I32ShrU).i32((FETCH.entries - 1) * FETCH.bytes).op(Op.I32And).get(tlb).op(Op.I32Add).tee(at);
  f.memory(load, FETCH.at + FETCH.tag).get(next);
  if (wide) f.i64(-PAGE_SIZE).op(Op.I64And, Op.I64Ne);
  else f.i32(-PAGE_SIZE).op(Op.I32And, Op.I32Ne);
  f.brIf("out");
  f.get(at).memory(Op.I32Load, FETCH.at + FETCH.page);
  low().i32(PAGE_SIZE - 2).op(Op.I32And).i32(SCALE).op(Op.I32Shl, Op.I32Add).tee(ip);
  f.memory(Op.I32Load16U, ENTRY.op).i32(REGION_MARK).op(Op.I32LtU).brIf("out");
  f.get(ip).memory(Op.I32Load, ENTRY.word).tee(index).i32(REGION.bytes).op(Op.I32Mul).set(row);
  emitRefusal({ f, xlen, hart, regions, row, left: () => f.get(left), pc: () => f.get(next) });
  f.brIf("out");
  f.get(row).memory(Op.I32Load, regions + REGION.paged).if();
  f.i32(0).memory(Op.I32Load, hart + HART.index).i32(REGION.spaceBytes).op(Op.I32Mul).get(row).op(Op.I32Add);
  f.memory(Op.I32Load, regions + REGION.spaces + REGION.space);
  f.i32(0).memory(Op.I32Load, hart + HART.space).op(Op.I32Ne).brIf("out").end();
  // The branches on the way are not noted: this is the last region.
  f.i32(0).memory(Op.I32Load, hart + HART.edge).get(ip).i32(EdgeMark.NotDone | EdgeMark.Translated).op(Op.I32Or);
  f.memory(Op.I32Store, hart + HART.edges);
  f.br("region").end().end();
  f.get(result);
}
