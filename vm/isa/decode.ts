/** From instruction words to rows: the decode tree, built from the rows' bit patterns. */
import { readOperands } from "./format.ts";
import type { Operands } from "./format.ts";
import type { Row, Xlen } from "./row.ts";
import type { Isa } from "./table.ts";

/** A row's pattern as numbers: `(word & mask) === match` when the row may apply. */
export interface Pattern {
  readonly mask: number;
  readonly match: number;
  /** Bytes: 2 or 4. */
  readonly length: 2 | 4;
}

/** Reads a row's `bits`. Throws if it is neither 16 nor 32 bits long. */
export function patternOf(row: Row): Pattern {
  let mask = 0, match = 0, length = 0, other = 0;
  for (let i = 0; i < row.bits.length; i++) {
    const c = row.bits.charCodeAt(i);
    if (c === SPACE) continue;
    if (c !== ANY && c !== ZERO && c !== ONE) other++;
    mask = mask << 1 | (c === ANY ? 0 : 1);
    match = match << 1 | (c === ONE ? 1 : 0);
    length++;
  }
  if ((length !== 16 && length !== 32) || other > 0) {
    throw new Error(`row ${row.name}: bits must be 16 or 32 of 0, 1 and ., got ${row.bits}`);
  }
  return { mask, match, length: length === 16 ? 2 : 4 };
}

const [SPACE, ANY, ZERO, ONE] = [" ", ".", "0", "1"].map((c) => c.charCodeAt(0));

/** One decoded instruction. */
export interface Decoded {
  readonly row: Row;
  /** The row that says what it does: itself, or the base row a compressed one stands for. */
  readonly base: Row;
  readonly operands: Operands;
  /** Bytes: 2 or 4. */
  readonly length: 2 | 4;
}

/** How many decoded words are kept: programs consist of few different ones. A power of two. */
const KEPT_BITS = 12;
const KEPT = 1 << KEPT_BITS;
/** Makes the highest bits of a product depend on all bits of the word: 2^32 over the golden ratio (Knuth, §6.4). */
const SPREAD = 0x9e37_79b1;
/** Nothing was decoded for this place yet. */
const EMPTY = null;

interface Candidate {
  readonly row: Row;
  readonly base: Row;
  readonly pattern: Pattern;
}

/**
 * Decoder for one ISA.
 *
 * ```ts
 * import { Decoder } from "./decode.ts";
 * import { parseIsa } from "./table.ts";
 * new Decoder(parseIsa("rv64imac")).decode(0x00b50633)?.row.name; // "add"
 * ```
 */
export class Decoder {
  readonly xlen: Xlen;
  /** Base rows in table order: what an engine must be able to do. */
  readonly bases: readonly Row[];
  /** Base rows that some compressed row stands for. */
  readonly compressed: ReadonlySet<Row>;
  readonly #candidates: readonly Candidate[];
  /** Candidates by `bucket`, filled in when one is asked for. */
  readonly #buckets: (readonly Candidate[] | undefined)[] = new Array(256);
  /** Words that were decoded and what they are, each in the place that its bits choose. */
  readonly #words = new Uint32Array(KEPT);
  readonly #decoded: (Decoded | undefined | typeof EMPTY)[] = new Array(KEPT).fill(EMPTY);

  /** Throws if a row does not say what it does. That no word is two instructions is proven by the rows' tests. */
  constructor(isa: Isa) {
    this.xlen = isa.xlen;
    const byName = new Map(isa.rows.map((r) => [r.name, r]));
    this.bases = isa.rows.filter((r) => r.as === undefined);
    this.#candidates = isa.rows.map((row) => {
      const base = row.as === undefined ? row : byName.get(row.as);
      if (base?.run === undefined) throw new Error(`row ${row.name}: nothing says what it does (as ${row.as})`);
      return { row, base, pattern: patternOf(row) };
    });
    this.compressed = new Set(this.#candidates.filter((c) => c.pattern.length === 2).map((c) => c.base));
  }

  #bucket(key: number): readonly Candidate[] {
    return this.#buckets[key] ??= this.#candidates.filter((c) => mayMatch(c.pattern, key));
  }

  /** Length in bytes of the instruction that begins with this halfword; 4 for the reserved longer forms. */
  static length(halfword: number): 2 | 4 {
    return (halfword & 3) === 3 ? 4 : 2;
  }

  /** The instruction `word` is; undefined if it is illegal. Only the low half of a compressed word is looked at. */
  decode(word: number): Decoded | undefined {
    const length = Decoder.length(word);
    const bits = length === 2 ? word & 0xffff : word >>> 0;
    const place = Math.imul(bits, SPREAD) >>> (32 - KEPT_BITS);
    const kept = this.#decoded[place];
    if (this.#words[place] === bits && kept !== EMPTY) return kept;
    this.#words[place] = bits;
    return this.#decoded[place] = this.#find(bits, length);
  }

  #find(word: number, length: 2 | 4): Decoded | undefined {
    for (const { row, base, pattern } of this.#bucket(bucket(word))) {
      if (pattern.length !== length || ((word ^ pattern.match) & pattern.mask) !== 0) continue;
      if (this.xlen === 32 && row.format.rv32Zero !== undefined && (word & row.format.rv32Zero) !== 0) continue;
      const operands = readOperands(row.format, word);
      if (row.except?.(operands, this.xlen)) continue;
      return { row, base, operands, length };
    }
    return undefined;
  }
}

/** Eight bits that tell most rows apart: word bits 15..13 (funct3), 6..4 and 1..0 (opcode). */
function bucket(word: number): number {
  return ((word >>> 13) & 7) << 5 | (word >>> 2) & 28 | word & 3;
}

/** Whether a word in bucket `key` can match the pattern: see `bucket`. */
function mayMatch(pattern: Pattern, key: number): boolean {
  const word = ((key >>> 5) & 7) << 13 | ((key >>> 2) & 7) << 4 | key & 3;
  const known = 0xe000 | 0x70 | 3;
  return ((word ^ pattern.match) & pattern.mask & known) === 0;
}
