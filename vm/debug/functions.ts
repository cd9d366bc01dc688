/** Functions of one unit, and what was inlined into them (DWARF 5 §3.3). */
import { DwarfError } from "./byte_reader.ts";
import { type AddressRange, At, type Attributes, Tag, type Unit } from "./units.ts";

/** A function, or a copy of one that was put in the place of a call. */
export interface Scope {
  readonly inlined: boolean;
  readonly ranges: readonly AddressRange[];
  /** Where the entry is that has its name: itself, or what it is a copy of. */
  readonly origin: number;
  /** Of an inlined one: where it was called. */
  readonly callFile: number;
  readonly callLine: number;
}

/** What is said of a function once for all its copies. */
interface Declaration {
  /** Looked up when it is asked for. */
  readonly name: () => string | undefined;
  readonly file: number;
  readonly line: number;
  /** Another entry that says the rest. */
  readonly further: number | undefined;
}

/** How many entries may say one after the other that another one knows. */
const FURTHER_MAX = 8;

/** The functions of a unit. */
export class UnitFunctions {
  /** Functions before what is inlined in them. */
  readonly #scopes: Scope[] = [];
  readonly #declarations = new Map<number, Declaration>();
  /** Lines on which functions begin, by file; rising. */
  readonly #starts = new Map<number, number[]>();

  constructor(unit: Unit) {
    try {
      for (const { entry } of unit.entries()) {
        const inlined = entry.tag === Tag.inlinedSubroutine;
        if (inlined || entry.tag === Tag.subprogram) this.#add(unit, entry.offset, entry.attributes, inlined);
      }
    } catch (error) {
      // The part that could be read stands.
      if (!(error instanceof DwarfError)) throw error;
    }
    for (const lines of this.#starts.values()) lines.sort((a, b) => a - b);
  }

  /** The function that `pc` is in and what was inlined there, the outermost first. */
  at(pc: bigint): Scope[] {
    return this.#scopes.filter(({ ranges }) => ranges.some(({ start, end }) => start <= pc && pc < end));
  }

  /** Name of a function; undefined where the unit does not say it. */
  name(origin: number): string | undefined {
    return this.#declared(origin, ({ name }) => name());
  }

  /** Lines from a function's beginning to that of the next one in its file; undefined where nobody knows. */
  lines(origin: number): number | undefined {
    const found = this.#declared(origin, (declaration) => declaration.line === 0 ? undefined : declaration);
    if (found === undefined) return undefined;
    const next = this.#starts.get(found.file)?.find((line) => line > found.line);
    return next === undefined ? undefined : next - found.line;
  }

  #declared<T>(origin: number, pick: (declaration: Declaration) => T | undefined): T | undefined {
    let at: number | undefined = origin;
    for (let i = 0; i < FURTHER_MAX && at !== undefined; i++) {
      const declaration = this.#declarations.get(at);
      const picked = declaration && pick(declaration);
      if (picked !== undefined) return picked;
      at = declaration?.further;
    }
    return undefined;
  }

  #add(unit: Unit, offset: number, attributes: Attributes, inlined: boolean): void {
    const number = (at: number) => unit.number(attributes, at);
    const further = number(At.abstractOrigin) ?? number(At.specification);
    const ranges = unit.ranges(attributes);
    if (ranges.length > 0) {
      const [callFile, callLine] = [number(At.callFile) ?? 0, number(At.callLine) ?? 0];
      this.#scopes.push({ inlined, ranges, origin: offset, callFile, callLine });
    }
    const [file, line] = [number(At.declFile) ?? 0, number(At.declLine) ?? 0];
    const name = () => unit.text(attributes, At.name) ?? unit.text(attributes, At.linkageName);
    this.#declarations.set(offset, { name, file, line, further });
    if (line === 0 || inlined) return;
    const lines = this.#starts.get(file);
    if (lines === undefined) this.#starts.set(file, [line]);
    else lines.push(line);
  }
}
