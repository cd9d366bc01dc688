/**
 * What an ELF file's debug information says of addresses: file and line, the functions inlined there, and the callers.
 * Own reader of DWARF 2 to 5. Nothing is read before it is asked for, and then only of the unit that is asked about.
 * What is missing or malformed is as if it were not there.
 *
 * @example
 * ```ts
 * import { DebugInfo } from "./debug_info.ts";
 * const debug = new DebugInfo([], 64); // the sections of an ELF file
 * if (debug.frames(0x8000_0000n).length !== 0) throw new Error("nothing is known of nothing");
 * ```
 */
import { ByteReader, DwarfError } from "./byte_reader.ts";
import { CallFrames } from "./call_frames.ts";
import type { DebugSections } from "./forms.ts";
import { UnitFunctions } from "./functions.ts";
import { type LineTable, runLineProgram, type SourceLine } from "./line_program.ts";
import { AbbreviationTables, type AddressRange, At, Unit } from "./units.ts";
import { callersOf, type StackState } from "./unwind.ts";

/** A section of an ELF file. */
export interface DebugSection {
  readonly name: string;
  readonly addr: bigint;
  readonly data: Uint8Array;
}

/** A function that an instruction belongs to, and the line in it. */
export interface SourceFrame extends Partial<SourceLine> {
  /** Its name; undefined where only the symbol table knows one. */
  readonly name?: string;
  /** The compiler put it in the place of its call. */
  readonly inlined: boolean;
  /** A function of a few lines that was inlined, or one of a header: most often not the place a reader looks for. */
  readonly helper: boolean;
}

/** Functions of up to so many lines, with the empty line after them, that were inlined are helpers. */
const HELPER_LINES = 8;

/** Bytes of .debug_line that are read whole where no unit says which part is wanted. */
const LOOSE_MAX = 16 << 20;

/** Line tables and functions of units that are kept. */
const UNITS_KEPT = 64;

/** The debug information of one file. */
export class DebugInfo {
  readonly #sections: DebugSections;
  readonly #list: readonly DebugSection[];
  readonly #addressSize: number;
  readonly #abbreviations: AbbreviationTables;
  #units: { readonly unit: Unit; readonly ranges: readonly AddressRange[] }[] | undefined;
  #loose: LineTable[] | undefined;
  #callFrames: CallFrames[] | undefined;
  readonly #tables = new Map<number, LineTable | undefined>();
  readonly #functions = new Map<Unit, UnitFunctions>();

  /** Reads sections of an ELF file for harts of `xlen` bits. */
  constructor(sections: readonly DebugSection[], xlen: 32 | 64) {
    this.#list = sections;
    this.#sections = new Map(sections.map(({ name, data }) => [name, data]));
    this.#addressSize = xlen / 8;
    this.#abbreviations = new AbbreviationTables(this.#sections);
  }

  /** The functions that the instruction at `pc` belongs to, the innermost first; empty where nothing is known. */
  frames(pc: bigint): SourceFrame[] {
    const unit = this.#unitOf(pc);
    if (unit === undefined) {
      const line = this.#looseTables().map((table) => table.find(pc)).find((found) => found !== undefined);
      return line === undefined ? [] : [{ ...line, inlined: false, helper: false }];
    }
    const table = this.#tableOf(unit);
    const functions = this.#functionsOf(unit);
    let place: Partial<SourceLine> = table?.find(pc) ?? {};
    const frames: SourceFrame[] = [];
    for (const scope of functions.at(pc).toReversed()) {
      const { inlined, origin, callFile, callLine } = scope;
      const name = functions.name(origin);
      const helper = inlined &&
        (/\.h(h|pp)?$/.test(place.file ?? "") || (functions.lines(origin) ?? 99) <= HELPER_LINES);
      frames.push({ ...place, ...(name !== undefined && { name }), inlined, helper });
      const file = table?.file(callFile);
      place = file === undefined ? {} : { file, line: callLine };
      if (!inlined) break;
    }
    return frames.length > 0 || place.file === undefined ? frames : [{ ...place, inlined: false, helper: false }];
  }

  /** Return addresses of the callers, the innermost first; `known` says which addresses are in functions. */
  callers(state: StackState, known: (pc: bigint) => boolean): bigint[] {
    return callersOf(state, this.#frameSections(), known);
  }

  /** Every row of every line table, for who compares whole files. */
  *lineTables(): Generator<LineTable> {
    for (let at = 0; at < (this.#sections.get(".debug_line")?.length ?? 0);) {
      const program = caught(() => runLineProgram(this.#sections, at, this.#addressSize));
      if (program !== undefined) yield program.table;
      const next = program?.next ?? caught(() => skipProgram(this.#sections, at));
      if (next === undefined || next <= at) return;
      at = next;
    }
  }

  /**
   * The unit of an address, if one says that it has it; of several the one that begins last. Linkers that shorten code
   * leave lengths in range lists as the assembler had them: such a range reaches into the next unit.
   */
  #unitOf(pc: bigint): Unit | undefined {
    this.#units ??= this.#readUnits();
    let best: Unit | undefined;
    let begin = -1n;
    for (const { unit, ranges } of this.#units) {
      for (const { start, end } of ranges) if (start <= pc && pc < end && start > begin) [best, begin] = [unit, start];
    }
    return best;
  }

  #readUnits(): { unit: Unit; ranges: AddressRange[] }[] {
    const units: { unit: Unit; ranges: AddressRange[] }[] = [];
    const bytes = this.#sections.get(".debug_info")?.length ?? 0;
    for (let at = 0; at < bytes;) {
      const unit = caught(() => new Unit(this.#sections, at, this.#abbreviations));
      if (unit === undefined) break;
      const ranges = caught(() => unit.ranges(unit.root.attributes)) ?? [];
      if (ranges.length > 0) units.push({ unit, ranges });
      if (unit.next <= at) break;
      at = unit.next;
    }
    return units;
  }

  #tableOf(unit: Unit): LineTable | undefined {
    const offset = unit.number(unit.root.attributes, At.stmtList);
    if (offset === undefined) return undefined;
    return kept(
      this.#tables,
      offset,
      () => caught(() => runLineProgram(this.#sections, offset, this.#addressSize))?.table,
    );
  }

  #functionsOf(unit: Unit): UnitFunctions {
    return kept(this.#functions, unit, () => new UnitFunctions(unit));
  }

  /** All line tables, for files without .debug_info. */
  #looseTables(): LineTable[] {
    const bytes = this.#sections.get(".debug_line")?.length ?? 0;
    this.#loose ??= this.#units!.length > 0 || bytes > LOOSE_MAX ? [] : [...this.lineTables()];
    return this.#loose;
  }

  #frameSections(): CallFrames[] {
    this.#callFrames ??= this.#list.flatMap(({ name, addr, data }) => {
      const kind = name === ".debug_frame" ? "debug" : name === ".eh_frame" ? "eh" : undefined;
      return kind === undefined || data.length === 0
        ? []
        : [new CallFrames({ kind, data, address: addr }, this.#addressSize)];
    });
    return this.#callFrames;
  }
}

function skipProgram(sections: DebugSections, at: number): number {
  const r = new ByteReader(sections.get(".debug_line")!, at);
  const { length } = r.initialLength();
  return r.at + length;
}

/** What `read` gives; undefined where the information is malformed. */
function caught<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DwarfError) return undefined;
    throw error;
  }
}

/** What `map` has for `key`; made, and kept in the place of the oldest, if it has nothing. */
function kept<K, T>(map: Map<K, T>, key: K, make: () => T): T {
  if (!map.has(key)) {
    if (map.size >= UNITS_KEPT) map.delete(map.keys().next().value!);
    map.set(key, make());
  }
  return map.get(key)!;
}
