import type { Decoded, Decoder } from "../isa/decode.ts";
import type { Row } from "../isa/row.ts";
import { Handler } from "./decoded_pages.ts";

/** Numbers handlers: which one does a decoded instruction. */
export class Handlers {
  /** What each handler from `Handler.First` on does, by number. */
  readonly list: readonly { readonly row: Row; readonly length: 2 | 4 }[];
  readonly #numbers = new Map<Row, [short: number, long: number]>();
  readonly #ialign: 2 | 4;

  constructor(decoder: Decoder, ialign: 2 | 4) {
    this.#ialign = ialign;
    this.list = decoder.bases.flatMap((row) => [{ row, length: 2 as const }, { row, length: 4 as const }]);
    decoder.bases.forEach((row, i) => this.#numbers.set(row, [Handler.First + 2 * i, Handler.First + 2 * i + 1]));
  }

  /** The handler of a decoded instruction. */
  of(decoded: Decoded): number {
    const { base, length, operands } = decoded;
    if (leftToReference(base)) return Handler.Slow;
    // A target that is not aligned traps if the branch is taken: left to the reference executor.
    const relative = base.class === "branch" || base.name === "jal";
    if (relative && operands.imm % this.#ialign !== 0) return Handler.Slow;
    return this.#numbers.get(base)![length === 2 ? 0 : 1];
  }
}

/** What emitted code never does. */
export function leftToReference(row: Row): boolean {
  return row.class === "csr" || row.class === "system" || row.name === "fence.i";
}
