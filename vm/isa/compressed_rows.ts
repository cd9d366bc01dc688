/** Rows of 16 bits that do what a base instruction does. */
import type { Format } from "./format.ts";
import type { Row } from "./row.ts";
import { rvZba, rvZbb } from "./rv_b.ts";
import { rvD } from "./rv_d.ts";
import { rvF } from "./rv_f.ts";
import { rvI } from "./rv_i.ts";
import { rvM } from "./rv_m.ts";

let bases: ReadonlyMap<string, Row> | undefined;

/** What a compressed row may say beside that. */
export type CompressedMore = Partial<Pick<Row, "xlen" | "needs" | "except" | "spec">>;

/** The short form of the instruction called `as`; `spec` is where it is defined unless `more` says so. */
export function compressedRow(
  name: string,
  bits: string,
  format: Format,
  asm: string,
  as: string,
  spec: string,
  more: CompressedMore = {},
): Row {
  bases ??= new Map([rvI, rvM, rvF, rvD, rvZba, rvZbb].flatMap((e) => e.rows).map((row) => [row.name, row]));
  const base = bases.get(as);
  if (base === undefined) throw new Error(`row ${name}: there is no ${as} to be short for`);
  return { name, bits, format, asm, as, class: base.class, spec, ...more };
}
