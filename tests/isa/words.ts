/** Instruction words for tests, made from the rows themselves: a new row is tested without a new line here. */
import { type Decoder, patternOf } from "../../vm/isa/decode.ts";
import type { Row, Xlen } from "../../vm/isa/row.ts";
import { extensions } from "../../vm/isa/table.ts";
import type { Random } from "../support/random.ts";

/** The ISA string that names every extension there is. */
export function everything(xlen: Xlen): string {
  const names = extensions.map((e) => e.name);
  return [`rv${xlen}${names.filter((n) => n.length === 1).join("")}`, ...names.filter((n) => n.length > 1)].join("_");
}

/** What of it the assembler and disassembler of binutils 2.40 know, as they want to be told. */
export function foreignIsa(xlen: Xlen): string {
  return `rv${xlen}imafdc_zicbom_zicbop_zicboz_zicsr_zifencei_zihintpause_zawrs_zfh_zba_zbb_zbc_zbs_zbkb_zbkc_zbkx`;
}

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
  const jump = /^((?:c\.)?(?:j(?:al)?|b(?:eq|ne|lt|ge)[uz]?) (?:.*,)?)([0-9a-f]+)$/.exec(text.replace(/\s*,\s*/g, ","));
  return normalText(jump === null ? text : jump[1]! + BigInt(`0x${jump[2]}`));
}
