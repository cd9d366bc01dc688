import type { Decoded, Decoder } from "../isa/decode.ts";
import type { Row } from "../isa/row.ts";
import { rvA } from "../isa/rv_a.ts";
import { rvI } from "../isa/rv_i.ts";
import { rvM } from "../isa/rv_m.ts";
import { Handler } from "./decoded_pages.ts";

/** What every program uses. Code for the rest is emitted when it is met first: start-up does not wait for it. */
const COMMON: ReadonlySet<Row> = new Set([...rvI.rows, ...rvM.rows, ...rvA.rows]);

/** Numbers handlers: which one does a decoded instruction. */
export class Handlers {
  /** What each handler from `Handler.First` on does, by number. */
  readonly list: readonly { readonly row: Row; readonly length: 2 | 4 }[];
  readonly #numbers = new Map<Row, [short: number, long: number]>();
  /** Whether an instruction was met that not every program uses. */
  rareSeen = false;
  readonly #ialign: 2 | 4;
  readonly #compressed: ReadonlySet<Row>;

  constructor(decoder: Decoder, ialign: 2 | 4) {
    this.#ialign = ialign;
    this.#compressed = decoder.compressed;
    this.list = decoder.bases.flatMap((row) => [{ row, length: 2 as const }, { row, length: 4 as const }]);
    decoder.bases.forEach((row, i) => this.#numbers.set(row, [Handler.First + 2 * i, Handler.First + 2 * i + 1]));
  }

  /** Whether a handler is emitted now: no instruction is as short where none is compressed. */
  emitted(row: Row, length: 2 | 4, rare: boolean): boolean {
    return !leftToReference(row) && (length === 4 || this.#compressed.has(row)) && (rare || COMMON.has(row));
  }

  /** The handler of a decoded instruction. */
  of(decoded: Decoded): number {
    const { base, length, operands } = decoded;
    if (leftToReference(base)) return Handler.Slow;
    this.rareSeen ||= !COMMON.has(base);
    // A target that is not aligned traps if the branch is taken: left to the reference executor.
    const relative = base.class === "branch" || base.name === "jal";
    if (relative && operands.imm % this.#ialign !== 0) return Handler.Slow;
    return this.#numbers.get(base)![length === 2 ? 0 : 1];
  }
}

/** What emitted code never does. */
export function leftToReference(row: Row): boolean {
  return row.class === "csr" || (row.class === "system" && row.name !== "cbo.zero");
}
