/** From instruction words to rows: the decode tree, built from the rows' bit patterns. */
import { readOperands } from "./format.ts";
import type { Operands } from "./format.ts";
import { QUADRANTS, type Row, type Xlen } from "./row.ts";
import type { Isa } from "./table.ts";

/** A row's pattern as numbers: `(word & mask) === match` when the row may apply. */
export interface Pattern {
  readonly mask: number;
  readonly match: number;
  /** Bytes: 2 or 4. */
  readonly length: 2 | 4;
}

/** Reads a row's `bits`. Throws if it is neither 16 nor 32 bits long. */
export function patternOf({ name, bits }: Row): Pattern {
  const text = bits.replaceAll(" ", "");
  if (!/^[01.]{16}(?:[01.]{16})?$/.test(text)) {
    throw new Error(`row ${name}: bits must be 16 or 32 of 0, 1 and ., got ${bits}`);
  }
  // By strings, as every start waits for it: V8 does that in code of its own, and a loop over them in code it never saw.
  const match = parseInt(text.replaceAll(".", "0"), 2) | 0;
  const mask = parseInt(text.replaceAll("0", "1").replaceAll(".", "0"), 2) | 0;
  return { mask, match, length: text.length === 16 ? 2 : 4 };
}

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
  readonly #isa: Isa;
  #byName: ReadonlyMap<string, Row> | undefined;
  /** By opcode. */
  readonly #candidates = new Map<string, readonly Candidate[]>();
  /** Candidates by `bucket`, filled in when one is asked for. */
  readonly #buckets: (readonly Candidate[] | undefined)[] = new Array(BUCKETS);
  /** Words that were decoded and what they are, each in the place that its bits choose. */
  readonly #words = new Uint32Array(KEPT);
  readonly #decoded: (Decoded | undefined | typeof EMPTY)[] = new Array(KEPT).fill(EMPTY);

  /** That no word is two instructions, and that every row says what it does, is proven by the rows' tests. */
  constructor(isa: Isa) {
    this.xlen = isa.xlen;
    this.#isa = isa;
  }

  /** Base rows in table order: what an engine must be able to do. */
  get bases(): readonly Row[] {
    return this.#isa.rows.filter((r) => r.as === undefined);
  }

  /** Base rows that some compressed row stands for. */
  get compressed(): ReadonlySet<Row> {
    return new Set(QUADRANTS.flatMap((quadrant) => this.#candidatesOf(quadrant)).map((c) => c.base));
  }

  /** Throws if a row does not say what it does. */
  #candidatesOf(opcode: string): readonly Candidate[] {
    const known = this.#candidates.get(opcode);
    if (known !== undefined) return known;
    const made = this.#isa.rowsWith(opcode).map((row): Candidate => {
      const base = row.as === undefined ? row : this.#named(row.as);
      if (base?.run === undefined) throw new Error(`row ${row.name}: nothing says what it does (as ${row.as})`);
      return { row, base, pattern: patternOf(row) };
    });
    this.#candidates.set(opcode, made);
    return made;
  }

  #named(name: string): Row | undefined {
    return (this.#byName ??= new Map(this.#isa.rows.map((r) => [r.name, r]))).get(name);
  }

  /** What a word of this length may be, in table order. */
  #mayBe(word: number, length: 2 | 4): readonly Candidate[] {
    return this.#buckets[bucket(word, length)] ??= this.#candidatesOf(opcode(word, length)).filter(({ pattern }) =>
      ((word ^ pattern.match) & pattern.mask & (length === 2 ? 0xe003 : 0x707f)) === 0
    );
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
    for (const { row, base, pattern } of this.#mayBe(word, length)) {
      if (((word ^ pattern.match) & pattern.mask) !== 0) continue;
      if (this.xlen === 32 && row.format.rv32Zero !== undefined && (word & row.format.rv32Zero) !== 0) continue;
      const operands = readOperands(row.format, word);
      if (row.except?.(operands, this.xlen)) continue;
      return { row, base, operands, length };
    }
    return undefined;
  }
}

/** What `opcodeOf` gives for the rows that a word may be. */
function opcode(word: number, length: 2 | 4): string {
  return length === 2 ? QUADRANTS[word & 3]! : (word & 0x7f).toString(2).padStart(7, "0");
}

/** A number for the opcode and funct3, which tell most rows apart: word bits 14..12, or 15..13 of a compressed one. */
function bucket(word: number, length: 2 | 4): number {
  return length === 2
    ? BUCKETS - 32 + (((word >>> 13) & 7) << 2 | word & 3)
    : ((word >>> 12) & 7) << 5 | (word >>> 2) & 31;
}
const BUCKETS = 256 + 32;
