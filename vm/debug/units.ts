/**
 * Units of .debug_info (DWARF 5 §7.5, DWARF 4 §7.5): which one an address belongs to, and what attributes say in it.
 */
import { ByteReader, DwarfError, textAt } from "./byte_reader.ts";
import { type DebugSections, Form, type FormContext, type FormValue, readForm } from "./forms.ts";

/** Tags that somebody here looks at (DWARF 5 table 7.3). */
export const Tag = { compileUnit: 0x11, inlinedSubroutine: 0x1d, subprogram: 0x2e, skeletonUnit: 0x4a } as const;

/** Attributes likewise (DWARF 5 table 7.5). */
export const At = {
  name: 0x03,
  stmtList: 0x10,
  lowPc: 0x11,
  highPc: 0x12,
  abstractOrigin: 0x31,
  declFile: 0x3a,
  declLine: 0x3b,
  specification: 0x47,
  ranges: 0x55,
  callFile: 0x58,
  callLine: 0x59,
  linkageName: 0x6e,
  strOffsetsBase: 0x72,
  addrBase: 0x73,
  rnglistsBase: 0x74,
} as const;

/** What an entry of the tree looks like. */
interface Abbreviation {
  readonly tag: number;
  readonly children: boolean;
  /** Attribute, form, value of an implicit constant; three numbers each. */
  readonly attributes: readonly number[];
}

/** Attributes of one entry. */
export type Attributes = Map<number, FormValue>;

/** An entry of the tree. */
export interface Entry {
  /** Offset in .debug_info. */
  readonly offset: number;
  readonly tag: number;
  readonly children: boolean;
  readonly attributes: Attributes;
}

/** Instructions from `start` up to before `end`. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** Range list entries (DWARF 5 table 7.30). */
const RLE = {
  endOfList: 0,
  baseAddressx: 1,
  startxEndx: 2,
  startxLength: 3,
  offsetPair: 4,
  baseAddress: 5,
  startEnd: 6,
  startLength: 7,
} as const;

/** Ranges that one unit may have: a hostile file could say the same long list again and again. */
const RANGES_MAX = 1 << 20;

/** One compilation unit. */
export class Unit {
  readonly sections: DebugSections;
  readonly context: FormContext;
  readonly version: number;
  /** Offset of the unit after this one. */
  readonly next: number;
  readonly #abbreviations: ReadonlyMap<number, Abbreviation>;
  readonly #entries: ByteReader;
  #root: Entry | undefined;
  #rangesLeft = RANGES_MAX;

  /** Reads the header at `offset` of .debug_info. */
  constructor(sections: DebugSections, offset: number, abbreviations: AbbreviationTables) {
    const r = new ByteReader(sections.get(".debug_info") ?? new Uint8Array(0), offset);
    const { length, wide } = r.initialLength();
    if (length > r.left) throw new DwarfError("a unit longer than its section");
    r.end = this.next = r.at + length;
    this.version = r.u16();
    if (this.version < 2 || this.version > 5) throw new DwarfError(`unit of version ${this.version}`);
    let abbreviation: number;
    let addressSize: number;
    if (this.version >= 5) {
      const type = r.u8();
      addressSize = r.u8();
      abbreviation = r.offset(wide);
      // Skeletons have an id, type units a signature and an offset (DWARF 5 §7.5.1).
      if (type === 4 || type === 5) r.skip(8);
      if (type === 2 || type === 6) r.skip(wide ? 16 : 12);
    } else {
      abbreviation = r.offset(wide);
      addressSize = r.u8();
    }
    if (addressSize !== 4 && addressSize !== 8) throw new DwarfError(`addresses of ${addressSize} bytes`);
    this.sections = sections;
    this.context = { wide, addressSize, unit: offset, sections };
    this.#abbreviations = abbreviations.at(abbreviation);
    this.#entries = r;
  }

  /** The unit itself. */
  get root(): Entry {
    this.#root ??= this.#read(new ByteReader(this.#entries.bytes, this.#entries.at, this.next));
    if (this.#root === undefined) throw new DwarfError("a unit without an entry");
    return this.#root;
  }

  /** Every entry, parents before their children, with how deep it lies. */
  *entries(): Generator<{ readonly entry: Entry; readonly depth: number }> {
    const r = new ByteReader(this.#entries.bytes, this.#entries.at, this.next);
    for (let depth = 0; r.left > 0;) {
      const entry = this.#read(r);
      if (entry === undefined) {
        if (--depth <= 0) return;
        continue;
      }
      yield { entry, depth };
      if (entry.children) depth++;
      else if (depth === 0) return;
    }
  }

  /** An attribute as a number. */
  number(attributes: Attributes, at: number): number | undefined {
    const value = attributes.get(at);
    return value?.is === "number" || value?.is === "offset" || value?.is === "reference" ? value.value : undefined;
  }

  /** An attribute as a text. */
  text(attributes: Attributes, at: number): string | undefined {
    const value = attributes.get(at);
    if (value?.is === "text") return textAt(value.section, value.value);
    if (value?.is !== "text-index") return undefined;
    const { wide } = this.context;
    const offset = this.#indexed(".debug_str_offsets", At.strOffsetsBase, value.value, wide ? 8 : 4);
    return offset === undefined ? undefined : textAt(this.sections.get(".debug_str"), Number(offset));
  }

  /** The instructions of an entry; empty for one that has none. */
  ranges(attributes: Attributes): AddressRange[] {
    const list = attributes.get(At.ranges);
    if (list !== undefined) return this.version >= 5 ? this.#rangeList(list) : this.#oldRangeList(list);
    const start = this.#address(attributes.get(At.lowPc));
    const high = attributes.get(At.highPc);
    if (start === undefined || high === undefined) return [];
    const end = high.is === "number" ? start + BigInt(high.value) : this.#address(high);
    return end === undefined || end <= start ? [] : [{ start, end }];
  }

  #address(value: FormValue | undefined): bigint | undefined {
    if (value?.is === "address") return value.value;
    if (value?.is !== "address-index") return undefined;
    return this.#indexed(".debug_addr", At.addrBase, value.value, this.context.addressSize);
  }

  /** Entry `index` of a table that begins where the unit says. */
  #indexed(section: string, base: number, index: number, size: number): bigint | undefined {
    const start = this.number(this.root.attributes, base);
    const bytes = this.sections.get(section);
    if (start === undefined || bytes === undefined || start + (index + 1) * size > bytes.length) return undefined;
    return new ByteReader(bytes, start + index * size).unsigned(size);
  }

  get #base(): bigint {
    return this.#address(this.root.attributes.get(At.lowPc)) ?? 0n;
  }

  /** DWARF 4 §2.17.3: pairs of offsets from a base; a first half of ones changes that. */
  #oldRangeList(list: FormValue): AddressRange[] {
    if (list.is !== "offset" && list.is !== "number") return [];
    const { addressSize } = this.context;
    const r = new ByteReader(this.sections.get(".debug_ranges") ?? new Uint8Array(0), list.value);
    const ones = (1n << BigInt(8 * addressSize)) - 1n;
    const ranges: AddressRange[] = [];
    for (let base = this.#base;;) {
      const start = r.unsigned(addressSize);
      const end = r.unsigned(addressSize);
      this.#oneRange();
      if (start === 0n && end === 0n) return ranges;
      if (start === ones) base = end;
      else if (start < end) ranges.push({ start: base + start, end: base + end });
    }
  }

  /** DWARF 5 §2.17.3, §7.25. */
  #rangeList(list: FormValue): AddressRange[] {
    const bytes = this.sections.get(".debug_rnglists") ?? new Uint8Array(0);
    const r = new ByteReader(bytes, this.#rangeListOffset(list));
    const { addressSize } = this.context;
    const plain = () => r.unsigned(addressSize);
    const indexed = () => this.#address({ is: "address-index", value: r.uleb() }) ?? 0n;
    const ranges: AddressRange[] = [];
    const add = (start: bigint, end: bigint): void => {
      if (start < end) ranges.push({ start, end });
    };
    const addLength = (start: bigint): void => add(start, start + BigInt(r.uleb()));
    for (let base = this.#base;;) {
      this.#oneRange();
      switch (r.u8()) {
        case RLE.endOfList:
          return ranges;
        case RLE.baseAddressx:
          base = indexed();
          break;
        case RLE.startxEndx:
          add(indexed(), indexed());
          break;
        case RLE.startxLength:
          addLength(indexed());
          break;
        case RLE.offsetPair:
          add(base + BigInt(r.uleb()), base + BigInt(r.uleb()));
          break;
        case RLE.baseAddress:
          base = plain();
          break;
        case RLE.startEnd:
          add(plain(), plain());
          break;
        case RLE.startLength:
          addLength(plain());
          break;
        default:
          throw new DwarfError("an unknown entry in a list of ranges");
      }
    }
  }

  #oneRange(): void {
    if (--this.#rangesLeft < 0) throw new DwarfError(`more than ${RANGES_MAX} ranges in a unit`);
  }

  #rangeListOffset(list: FormValue): number {
    if (list.is === "offset") return list.value;
    if (list.is !== "range-index") throw new DwarfError("ranges without a place");
    const base = this.number(this.root.attributes, At.rnglistsBase) ?? 0;
    const offset = this.#indexed(".debug_rnglists", At.rnglistsBase, list.value, this.context.wide ? 8 : 4);
    if (offset === undefined) throw new DwarfError("ranges without a place");
    return base + Number(offset);
  }

  /** The entry at the reader's place; undefined for the end of a list of children. */
  #read(r: ByteReader): Entry | undefined {
    const offset = r.at;
    const code = r.uleb();
    if (code === 0) return undefined;
    const abbreviation = this.#abbreviations.get(code);
    if (abbreviation === undefined) throw new DwarfError(`abbreviation ${code} is not defined`);
    const { tag, children, attributes } = abbreviation;
    const found: Attributes = new Map();
    for (let i = 0; i < attributes.length; i += 3) {
      const value = readForm(r, attributes[i + 1]!, this.context, attributes[i + 2]!);
      if (value.is !== "other") found.set(attributes[i]!, value);
    }
    return { offset, tag, children, attributes: found };
  }
}

/** The tables of .debug_abbrev, read as they are needed. */
export class AbbreviationTables {
  readonly #section: Uint8Array;
  readonly #tables = new Map<number, ReadonlyMap<number, Abbreviation>>();
  /** Tables that lie over each other could cost their square. */
  #bytesLeft: number;

  constructor(sections: DebugSections) {
    this.#section = sections.get(".debug_abbrev") ?? new Uint8Array(0);
    this.#bytesLeft = 4 * this.#section.length;
  }

  /** The table at `offset`. */
  at(offset: number): ReadonlyMap<number, Abbreviation> {
    let table = this.#tables.get(offset);
    if (table === undefined) this.#tables.set(offset, table = this.#read(new ByteReader(this.#section, offset)));
    return table;
  }

  #read(r: ByteReader): ReadonlyMap<number, Abbreviation> {
    const table = new Map<number, Abbreviation>();
    for (;;) {
      const code = r.uleb();
      if (code === 0) return table;
      const tag = r.uleb();
      const children = r.u8() !== 0;
      const attributes: number[] = [];
      for (;;) {
        const at = r.uleb();
        const form = r.uleb();
        const implicit = form === Form.implicitConst ? r.sleb() : 0;
        if (at === 0 && form === 0) break;
        attributes.push(at, form, implicit);
      }
      this.#bytesLeft -= 3 + 2 * attributes.length / 3;
      if (this.#bytesLeft < 0) throw new DwarfError("tables of abbreviations lie over each other");
      if (!table.has(code)) table.set(code, { tag, children, attributes });
    }
  }
}
