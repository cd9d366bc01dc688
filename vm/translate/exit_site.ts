/**
 * Where a region is left and how, in one constant: every load and store may leave, and all that it has to say should be
 * little code. Who leaves sets it; what all ways out have in common takes it apart.
 */
import { HART } from "../hart/layout.ts";
import type { Xlen } from "../isa/row.ts";
import { type FunctionBody, I64, Op } from "./wasm.ts";

/**
 * Its parts from the lowest bit on, with how many they have; above them is the offset from the region's entry. `rest`:
 * the steps of the block that are not done, or where nothing is left to somebody else the `RegionEnd`; `halfwords`: how
 * far into its block that is; `exit`: the `RegionExit`.
 */
const PARTS = { rest: 11, halfwords: 12, exit: 2 } as const;
const AT = { rest: 0, halfwords: PARTS.rest, exit: PARTS.rest + PARTS.halfwords } as const;
const OFFSET: number = AT.exit + PARTS.exit;

/** Counts how a region ends: `end` pushes the number of the `RegionEnd` times 4. */
export function countEnd(f: FunctionBody, hart: number, end: () => void): void {
  const at = hart + HART.regionEnds;
  end();
  end();
  f.memory(Op.I32Load, at).i32(1).op(Op.I32Add).memory(Op.I32Store, at);
}

/** A local that holds it. */
export class ExitSite {
  readonly #f: FunctionBody;
  readonly #local: number;

  constructor(f: FunctionBody) {
    this.#f = f;
    this.#local = f.local(I64);
  }

  /** `bytes` from the start of the block. */
  set(offset: number, exit: number, bytes: number, rest: number): void {
    const low = exit * 2 ** AT.exit + bytes / 2 * 2 ** AT.halfwords + rest;
    this.#f.i64(offset * 2 ** OFFSET + low).set(this.#local);
  }

  /** Pushes a part, an i32. */
  push(part: keyof typeof PARTS): FunctionBody {
    const f = this.#f.get(this.#local);
    if (AT[part] > 0) f.i64(AT[part]).op(Op.I64ShrU);
    return f.op(Op.I32WrapI64).i32((1 << PARTS[part]) - 1).op(Op.I32And);
  }

  /** Pushes the offset, XLEN bits wide. */
  pushOffset(xlen: Xlen): void {
    this.#f.get(this.#local).i64(OFFSET).op(Op.I64ShrS);
    if (xlen === 32) this.#f.op(Op.I32WrapI64);
  }
}
