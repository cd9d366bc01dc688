/** Instruction words for tests, made from the rows themselves: a new row is tested without a new line here. */
import { type Decoder, patternOf } from "../../vm/isa/decode.ts";
import type { Row } from "../../vm/isa/row.ts";
import type { Random } from "../support/random.ts";

/** A word of `row` with random operand bits; undefined if twenty tries met only what another row claims. */
export function randomWord(row: Row, decoder: Decoder, random: Random): number | undefined {
  const { mask, match, length } = patternOf(row);
  for (let i = 0; i < 20; i++) {
    const word = match | (random.bits() & ~mask & (length === 2 ? 0xffff : -1));
    if (decoder.decode(word)?.row === row) return word >>> 0;
  }
  return undefined;
}

/** Text of one machine and of another made comparable: no blanks after commas, every number decimal. */
export function normalText(text: string): string {
  return text.replace(/\s*,\s*/g, ",").replace(/0x[0-9a-f]+/g, (digits) => String(BigInt(digits)))
    .replace(/^\.[24]byte /, (directive) => directive === ".2byte " ? ".short " : ".word ");
}

/** objdump writes jump targets as bare hexadecimal digits; this makes them decimal like the rest. */
export function normalForeign(text: string): string {
  const jump = /^((?:c\.)?(?:j(?:al)?|b[a-z]+) (?:.*,)?)([0-9a-f]+)$/.exec(text.replace(/\s*,\s*/g, ","));
  return normalText(jump === null ? text : jump[1]! + BigInt(`0x${jump[2]}`));
}
