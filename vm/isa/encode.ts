/** From rows and operands to instruction words: the inverse of `decode.ts`. */
import { patternOf } from "./decode.ts";
import { writeOperands } from "./format.ts";
import type { Operands } from "./format.ts";
import type { Row, Xlen } from "./row.ts";

/** One encoded instruction. */
export interface Encoded {
  /** Unsigned; a compressed one has 16 bits. */
  readonly word: number;
  /** Bytes: 2 or 4. */
  readonly length: 2 | 4;
}

/**
 * The word of `row` with these operands. Throws a RangeError that says which operand the row cannot hold: a register or
 * immediate out of its range, or operands that mean another instruction or nothing.
 */
export function encode(row: Row, operands: Operands, xlen: Xlen): Encoded {
  if (row.xlen !== undefined && row.xlen !== xlen) throw new RangeError(`${row.name} is RV${row.xlen} only`);
  const { mask, match, length } = patternOf(row);
  const bits = writeOperands(row.format, operands);
  const word = (match | bits) >>> 0;
  if (((word ^ match) & mask) !== 0) throw new RangeError(`${row.name} does not take these operands`);
  if (xlen === 32 && row.format.rv32Zero !== undefined && (bits & row.format.rv32Zero) !== 0) {
    throw new RangeError(`${row.name}: a shift on RV32 goes to 31, got ${operands.imm}`);
  }
  if (row.except?.(operands, xlen)) throw new RangeError(`${row.name} with these operands is reserved`);
  return { word, length };
}
