/** What a symbol table is made of; an `ElfSymbol` is one. */
export interface SymbolSource {
  /** Its name. */
  readonly name: string;
  /** Where it begins. */
  readonly address: bigint;
  /** In bytes; 0 if unknown: it then reaches to the next symbol. */
  readonly size: bigint;
  /** What it names; unknown counts as `NOTYPE`. */
  readonly type?: "FUNC" | "OBJECT" | "NOTYPE";
  /** Whether other files see it: preferred to a local one at the same address. */
  readonly global?: boolean;
}

/** A place named by a symbol. */
export interface SymbolPlace {
  /** Name of the symbol. */
  readonly name: string;
  /** Distance from the symbol's address in bytes. */
  readonly offset: number;
}

/** Farther than this from a symbol without a size, an address is not said to belong to it. */
const REACH = 0x1_0000n;

const ADDRESS_MAX = 0xffff_ffff_ffff_ffffn;

const RANK = { FUNC: 0, OBJECT: 1, NOTYPE: 2 } as const;

/**
 * Names of addresses.
 *
 * ```ts
 * const table = new SymbolTable([{ name: "main", address: 0x8000_0010n, size: 8n }]);
 * table.find(0x8000_0014n); // { name: "main", offset: 4 }
 * table.addressOf("main"); // 0x80000010n
 * ```
 */
export class SymbolTable {
  /** Starts of stretches with one name, rising; the name before the first start is none. */
  readonly #starts: BigUint64Array;
  /** The symbol of each stretch; undefined for a gap. */
  readonly #symbols: (SymbolSource | undefined)[];
  readonly #byName = new Map<string, SymbolSource>();

  /** Builds the table; the order of `symbols` does not matter. */
  constructor(symbols: readonly SymbolSource[]) {
    const sorted = symbols.toSorted(before);
    for (const s of sorted) if (!this.#byName.has(s.name)) this.#byName.set(s.name, s);
    const stretches = flatten(sorted);
    this.#starts = BigUint64Array.from(stretches, (s) => s.start);
    this.#symbols = stretches.map((s) => s.symbol);
  }

  /** Number of different names. */
  get size(): number {
    return this.#byName.size;
  }

  /** The symbol that covers `address`: the innermost one, and of several at one address the function or global one. */
  find(address: bigint): SymbolPlace | undefined {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    const symbol = this.#symbols[low - 1];
    return symbol && { name: symbol.name, offset: Number(address - symbol.address) };
  }

  /** Address of the symbol called `name`; undefined if there is none. */
  addressOf(name: string): bigint | undefined {
    return this.#byName.get(name)?.address;
  }

  /** First and one-past-last address of the symbol called `name`; undefined if there is none. A size of 0 gives one byte. */
  rangeOf(name: string): { readonly start: bigint; readonly end: bigint } | undefined {
    const symbol = this.#byName.get(name);
    return symbol && { start: symbol.address, end: symbol.address + (symbol.size === 0n ? 1n : symbol.size) };
  }

  /** Every name, for "did you mean". */
  names(): string[] {
    return [...this.#byName.keys()];
  }

  /** `main+0x4` for an address in `main`, `main` for its start, undefined where no symbol covers the address. */
  format(address: bigint): string | undefined {
    const place = this.find(address);
    return place && (place.offset === 0 ? place.name : `${place.name}+0x${place.offset.toString(16)}`);
  }
}

/** Sort order: by address; at one address, larger and better-known ones first, so that others are aliases. */
function before(a: SymbolSource, b: SymbolSource): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  const rank = RANK[a.type ?? "NOTYPE"] - RANK[b.type ?? "NOTYPE"];
  if (rank !== 0) return rank;
  if (a.size !== b.size) return a.size > b.size ? -1 : 1;
  return Number(b.global ?? false) - Number(a.global ?? false);
}

interface Stretch {
  readonly start: bigint;
  readonly symbol: SymbolSource | undefined;
}

/**
 * Cuts sorted, possibly nested symbols into stretches with one name each. A label without a size inside a sized symbol
 * is only a label: the enclosing symbol names the address.
 */
function flatten(sorted: readonly SymbolSource[]): Stretch[] {
  const stretches: Stretch[] = [];
  /** Symbols around the current place, the innermost last; each with its end. */
  const open: { symbol: SymbolSource; end: bigint }[] = [];
  const mark = (start: bigint, symbol: SymbolSource | undefined) => {
    if (start > ADDRESS_MAX) return;
    if (stretches.at(-1)?.start === start) stretches.pop();
    if (stretches.at(-1)?.symbol !== symbol) stretches.push({ start, symbol });
  };
  const closeUpTo = (address: bigint) => {
    while (open.length > 0 && open.at(-1)!.end <= address) {
      const { end } = open.pop()!;
      while (open.length > 0 && open.at(-1)!.end <= end) open.pop();
      mark(end, open.at(-1)?.symbol);
    }
  };
  let previous: bigint | undefined;
  for (const symbol of sorted) {
    closeUpTo(symbol.address);
    // A label without a size is only ever alone.
    const sized = open.length > 0 && open[0]!.symbol.size > 0n;
    // An alias of what is already there, or a label inside a function.
    if (symbol.address === previous && open.length > 0) continue;
    if (symbol.size === 0n && sized) continue;
    // A label without a size ends where the next symbol begins.
    if (!sized) open.pop();
    open.push({ symbol, end: symbol.address + (symbol.size === 0n ? REACH : symbol.size) });
    mark(symbol.address, symbol);
    previous = symbol.address;
  }
  while (open.length > 0) closeUpTo(open.at(-1)!.end);
  return stretches;
}
