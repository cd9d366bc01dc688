/** Which instructions a trace shows: by pc, privilege, hart, position in the run and instruction class. */
import { Privilege } from "../events.ts";
import { Decoder } from "../isa/decode.ts";
import { instructionClasses } from "../isa/row.ts";
import type { InstructionClass } from "../isa/row.ts";
import type { Isa } from "../isa/table.ts";
import { isInterrupt, SHIFT, WORD, wordNumber } from "./record.ts";
import type { SymbolRange } from "./symbolizer.ts";

/** Decides which records a trace shows. */
export interface RecordFilter {
  /** Whether the record that begins at word `at` is shown; CSR records go with their instruction. */
  keeps(words: Int32Array, at: number): boolean;
}

/** What to keep. A list that is absent lets everything pass; several entries of one list are alternatives. */
export interface FilterSpec {
  /** Addresses; both ends belong to it. */
  readonly pc?: readonly { readonly first: bigint; readonly last: bigint }[];
  /** Modes the instruction ran in, or trapped from. */
  readonly privileges?: readonly Privilege[];
  /** Hart ids. */
  readonly harts?: readonly number[];
  /** Instruction counts; both ends belong to it. */
  readonly steps?: readonly { readonly first: number; readonly last: number }[];
  /** Instruction classes. */
  readonly classes?: readonly InstructionClass[];
}

/** Class number of a word that is no instruction, and of a trap without one. */
const NO_CLASS = instructionClasses.length;

/** Classes of instruction words, each decoded once while it stays in the cache. */
class ClassCache {
  static readonly #SLOTS = 8192;
  readonly #decoder: Decoder;
  readonly #words = new Int32Array(ClassCache.#SLOTS);
  /** Class number plus one; 0 is an empty slot. */
  readonly #classes = new Uint8Array(ClassCache.#SLOTS);

  constructor(isa: Isa) {
    this.#decoder = new Decoder(isa);
  }

  classOf(insn: number): number {
    const slot = (insn ^ (insn >>> 13)) & (ClassCache.#SLOTS - 1);
    const known = this.#classes[slot]!;
    if (known !== 0 && this.#words[slot] === insn) return known - 1;
    const row = insn === 0 ? undefined : this.#decoder.decode(insn)?.row;
    const found = row === undefined ? NO_CLASS : instructionClasses.indexOf(row.class);
    this.#words[slot] = insn;
    this.#classes[slot] = found + 1;
    return found;
  }
}

/** A filter ready to run: every question is a few integer operations. */
class CompiledFilter implements RecordFilter {
  /** Bits by privilege number, hart number and class number; -1 lets everything pass. */
  readonly #privileges: number;
  readonly #harts: readonly number[] | undefined;
  readonly #classes: number;
  /** Four words per range: low and high of its first and last address. */
  readonly #pc: Uint32Array | undefined;
  readonly #steps: readonly { readonly first: number; readonly last: number }[] | undefined;
  readonly #cache: ClassCache;

  constructor(spec: FilterSpec, isa: Isa) {
    const bits = (numbers: readonly number[] | undefined) => numbers?.reduce((set, n) => set | (1 << n), 0) ?? -1;
    this.#privileges = bits(spec.privileges);
    this.#harts = spec.harts;
    this.#classes = bits(spec.classes?.map((name) => instructionClasses.indexOf(name)));
    this.#pc = spec.pc && Uint32Array.from(
      spec.pc.flatMap(({ first, last }) => [first, first >> 32n, last, last >> 32n]),
      (half) => Number(half & 0xffff_ffffn),
    );
    this.#steps = spec.steps;
    this.#cache = new ClassCache(isa);
  }

  keeps(words: Int32Array, at: number): boolean {
    const head = words[at + WORD.head]!;
    if (((this.#privileges >>> ((head >>> SHIFT.privilege) & 0xff)) & 1) === 0) return false;
    if (this.#harts !== undefined && !this.#harts.includes((words[at + WORD.tail]! >>> SHIFT.hart) & 0xff)) {
      return false;
    }
    if (this.#pc !== undefined && !inRanges(this.#pc, words[at + WORD.pc]! >>> 0, words[at + WORD.pc + 1]! >>> 0)) {
      return false;
    }
    if (this.#steps !== undefined) {
      const step = wordNumber(words, at + WORD.step);
      if (!this.#steps.some((range) => step >= range.first && step <= range.last)) return false;
    }
    if (this.#classes === -1) return true;
    const insn = words[at + WORD.insn]!;
    // An interrupt belongs to no instruction: it has no class, even if the one it came before is known.
    const number = isInterrupt(words, at) ? NO_CLASS : this.#cache.classOf((insn & 3) === 3 ? insn : insn & 0xffff);
    return ((this.#classes >>> number) & 1) === 1;
  }
}

function inRanges(ranges: Uint32Array, low: number, high: number): boolean {
  for (let i = 0; i < ranges.length; i += 4) {
    const above = high > ranges[i + 1]! || (high === ranges[i + 1] && low >= ranges[i]!);
    const below = high < ranges[i + 3]! || (high === ranges[i + 3] && low <= ranges[i + 2]!);
    if (above && below) return true;
  }
  return false;
}

/** Makes a filter; undefined where `spec` keeps everything, so that nothing is paid. */
export function compileFilter(spec: FilterSpec, isa: Isa): RecordFilter | undefined {
  return Object.values(spec).some((part) => part !== undefined) ? new CompiledFilter(spec, isa) : undefined;
}

const modes: Readonly<Record<string, Privilege>> = { M: Privilege.M, S: Privilege.S, U: Privilege.U };

/** Names before the `=`, with what they take: for option help and messages. */
export const filterKeys: Readonly<Record<string, string>> = {
  pc: "ADDRESS, FIRST-LAST, or the name of a function",
  privilege: "M, S or U",
  hart: "a hart's number",
  steps: "FIRST-LAST, FIRST- or -LAST, counted in instructions",
  class: instructionClasses.join(", "),
};

/**
 * Reads `pc=main,privilege=M,steps=1000-2000,class=load,class=store`: a key given twice means either, different keys
 * must all hold. Throws a RangeError that says what was expected and what was found.
 *
 * ```ts
 * import { parseFilter } from "./filter.ts";
 * parseFilter("class=load,steps=0-99", () => undefined).classes; // ["load"]
 * ```
 */
export function parseFilter(text: string, symbols: SymbolRange): FilterSpec {
  const pc: { first: bigint; last: bigint }[] = [];
  const privileges: Privilege[] = [];
  const harts: number[] = [];
  const steps: { first: number; last: number }[] = [];
  const classes: InstructionClass[] = [];
  const parsers: Readonly<Record<string, (value: string) => void>> = {
    pc: (value) => pc.push(parseAddresses(value, symbols)),
    privilege: (value) => privileges.push(pick(modes[value.toUpperCase()], "privilege", value)),
    hart: (value) => harts.push(Number(pick(/^\d{1,2}$/.exec(value)?.[0], "hart", value))),
    steps: (value) => steps.push(parseSteps(value)),
    class: (value) => classes.push(pick(instructionClasses.find((name) => name === value), "class", value)),
  };
  for (const part of text.split(",")) {
    const [, key, value] = /^(\w+)=(.+)$/.exec(part.trim()) ?? [];
    const parse = key === undefined ? undefined : Object.hasOwn(parsers, key) ? parsers[key] : undefined;
    if (parse === undefined) {
      throw new RangeError(
        `expected KEY=VALUE with one of ${Object.keys(filterKeys).join(", ")}, got ${part || "nothing"}`,
      );
    }
    parse(value!);
  }
  return {
    ...(pc.length > 0 && { pc }),
    ...(privileges.length > 0 && { privileges }),
    ...(harts.length > 0 && { harts }),
    ...(steps.length > 0 && { steps }),
    ...(classes.length > 0 && { classes }),
  };
}

function pick<T>(found: T | undefined, key: string, value: string): T {
  if (found === undefined) throw new RangeError(`${key}: expected ${filterKeys[key]}, got ${value}`);
  return found;
}

function parseAddresses(value: string, symbols: SymbolRange): { first: bigint; last: bigint } {
  const [, from, to] = /^(0x[0-9a-f]{1,16}|\d{1,20})(?:-(0x[0-9a-f]{1,16}|\d{1,20}))?$/i.exec(value) ?? [];
  if (from !== undefined) {
    const first = BigInt(from);
    const last = to === undefined ? first : BigInt(to);
    if (last < first) throw new RangeError(`pc: the range ends before it begins: ${value}`);
    return { first, last };
  }
  const range = symbols(value);
  if (range === undefined) throw new RangeError(`pc: expected ${filterKeys.pc}; the image has no symbol ${value}`);
  return { first: range.start, last: range.end - 1n };
}

function parseSteps(value: string): { first: number; last: number } {
  const [, from, to] = pick(/^(?=-?\d)(\d*)-(\d*)$/.exec(value) ?? undefined, "steps", value);
  const range = { first: from === "" ? 0 : Number(from), last: to === "" ? Infinity : Number(to) };
  if (range.last < range.first) throw new RangeError(`steps: the range ends before it begins: ${value}`);
  return range;
}
