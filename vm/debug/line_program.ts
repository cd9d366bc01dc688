/**
 * Line number programs (DWARF 5 §6.2, DWARF 4 §6.2): which line of which file an instruction came from. Versions 2 to 5.
 */
import { ByteReader, DwarfError } from "./byte_reader.ts";
import { type DebugSections, type FormContext, formText, type FormValue, readForm } from "./forms.ts";

/** Standard opcodes (DWARF 5 table 7.25). */
const LNS = {
  copy: 1,
  advancePc: 2,
  advanceLine: 3,
  setFile: 4,
  setColumn: 5,
  constAddPc: 8,
  fixedAdvancePc: 9,
} as const;
/** Extended opcodes (DWARF 5 table 7.26). */
const LNE = { endSequence: 1, setAddress: 2, defineFile: 3 } as const;
/** What a field of a directory or file says (DWARF 5 table 7.27). */
const LNCT = { path: 1, directoryIndex: 2 } as const;

const MASK = 0xffff_ffff_ffff_ffffn;

/** A file as the header lists it; its name is a text that has not been looked up yet. */
interface FileEntry {
  readonly name: FormValue;
  readonly directory: number;
}

/** What a program needs to be run. */
interface Header {
  readonly version: number;
  readonly minInstruction: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  readonly opcodeLengths: readonly number[];
  readonly directories: readonly FormValue[];
  readonly files: FileEntry[];
  readonly addressSize: number;
  readonly program: ByteReader;
}

/** A line of a source file; lines count from 1, and 0 says that an instruction came from none. */
export interface SourceLine {
  /** As the compiler was given it, without the directory it was started in. */
  readonly file: string;
  readonly line: number;
}

/** Rows of one sequence: instructions that lie one after the other; rising addresses, `end` is after the last. */
interface Sequence {
  readonly start: bigint;
  readonly end: bigint;
  readonly first: number;
  readonly count: number;
}

/** The table that one program builds. */
export class LineTable {
  readonly #header: Header;
  readonly #addresses: BigUint64Array;
  readonly #files: Uint32Array;
  readonly #lines: Uint32Array;
  readonly #sequences: Sequence[];

  constructor(header: Header, rows: Rows) {
    this.#header = header;
    this.#addresses = BigUint64Array.from(rows.addresses);
    this.#files = Uint32Array.from(rows.files);
    this.#lines = Uint32Array.from(rows.lines);
    this.#sequences = rows.sequences.sort((a, b) => a.start < b.start ? -1 : a.start > b.start ? 1 : 0);
  }

  /** Every row, in order of addresses, for who compares whole tables. */
  *rows(): Generator<SourceLine & { readonly address: bigint }> {
    for (const { first, count } of this.#sequences) {
      for (let i = first; i < first + count; i++) yield { address: this.#addresses[i]!, ...this.#line(i) };
    }
  }

  /** The line of the instruction at `address`; of several rows at one address the last one counts. */
  find(address: bigint): SourceLine | undefined {
    // Sections that the linker dropped leave sequences at 0, which may lie over each other.
    const sequence = this.#sequences.find(({ start, end }) => start <= address && address < end);
    if (sequence === undefined) return undefined;
    let low = sequence.first;
    let high = low + sequence.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#addresses[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low > sequence.first ? this.#line(low - 1) : undefined;
  }

  /** Name of file `index` as DW_AT_call_file and the rows have it; undefined if there is none. */
  file(index: number): string | undefined {
    const { files, directories, version } = this.#header;
    const entry = files[version >= 5 ? index : index - 1];
    if (entry === undefined) return undefined;
    const name = formText(entry.name) ?? "";
    // Directory 0 is where the compiler ran: names relative to it say more without it.
    const directory = entry.directory === 0
      ? ""
      : formText(directories[version >= 5 ? entry.directory : entry.directory - 1] ?? { is: "other" }) ?? "";
    return plainPath(directory === "" || name.startsWith("/") ? name : `${directory}/${name}`);
  }

  #line(row: number): SourceLine {
    return { file: this.file(this.#files[row]!) ?? "?", line: this.#lines[row]! };
  }
}

/** A path without `.` and without steps back. */
function plainPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "." || (part === "" && parts.length > 0)) continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== ".." && parts.at(-1) !== "") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}

/** Where the next program begins, and this one's table. */
export interface LineProgram {
  readonly table: LineTable;
  readonly next: number;
}

/** Runs the program at `offset` of .debug_line. DwarfError if it is none. */
export function runLineProgram(sections: DebugSections, offset: number, addressSize: number): LineProgram {
  const section = sections.get(".debug_line") ?? new Uint8Array(0);
  const header = readHeader(new ByteReader(section, offset), sections, addressSize);
  const rows = new Rows();
  try {
    execute(header, rows);
  } catch (error) {
    // What it has said so far is as good as ever.
    if (!(error instanceof DwarfError)) throw error;
  }
  return { table: new LineTable(header, rows), next: header.program.end };
}

function readHeader(r: ByteReader, sections: DebugSections, unitAddressSize: number): Header {
  const { length, wide } = r.initialLength();
  if (length > r.left) throw new DwarfError("a line program longer than its section");
  r.end = r.at + length;
  const version = r.u16();
  if (version < 2 || version > 5) throw new DwarfError(`line program of version ${version}`);
  const addressSize = version >= 5 ? r.u8() : unitAddressSize;
  if (version >= 5) r.u8(); // segment selectors
  const headerLength = r.offset(wide);
  const program = new ByteReader(r.bytes, r.at + headerLength, r.end);
  const minInstruction = r.u8();
  if (version >= 4) r.u8(); // operations per instruction: 1 on RISC-V
  r.u8(); // default_is_stmt
  const lineBase = r.i8();
  const lineRange = r.u8();
  const opcodeBase = r.u8();
  if (lineRange === 0 || opcodeBase === 0) throw new DwarfError("a line program whose opcodes mean nothing");
  const opcodeLengths = Array.from({ length: opcodeBase - 1 }, () => r.u8());
  const fixed = { version, minInstruction, lineBase, lineRange, opcodeBase, opcodeLengths, addressSize, program };
  if (version < 5) return { ...fixed, ...readOldNames(r) };
  const context: FormContext = { wide, addressSize, unit: 0, sections };
  const directories = readEntries(r, context).map((entry) => entry.name);
  return { ...fixed, directories, files: readEntries(r, context) };
}

/** Names before DWARF 5: texts, one after the other, ended by an empty one. */
function readOldNames(r: ByteReader): { directories: FormValue[]; files: FileEntry[] } {
  const text = (): FormValue | undefined => {
    const value = r.at;
    r.skipText();
    return r.at === value + 1 ? undefined : { is: "text", section: r.bytes, value };
  };
  const directories: FormValue[] = [];
  for (let name = text(); name !== undefined; name = text()) directories.push(name);
  const files: FileEntry[] = [];
  for (let name = text(); name !== undefined; name = text()) files.push(readOldFile(r, name));
  return { directories, files };
}

function readOldFile(r: ByteReader, name: FormValue): FileEntry {
  const directory = r.uleb();
  r.uleb(); // time of modification
  r.uleb(); // length
  return { name, directory };
}

/** Names since DWARF 5: a description of the fields, then the entries (DWARF 5 §6.2.4.1). */
function readEntries(r: ByteReader, context: FormContext): FileEntry[] {
  const format = Array.from({ length: r.u8() }, () => [r.uleb(), r.uleb()] as const);
  const count = r.uleb();
  // An entry has at least a byte; without fields a count would cost nothing to write and much to believe.
  if (count > r.left) throw new DwarfError(`${count} names in ${r.left} bytes`);
  return Array.from({ length: count }, () => {
    let name: FormValue = { is: "other" };
    let directory = 0;
    for (const [content, form] of format) {
      const value = readForm(r, form, context);
      if (content === LNCT.path) name = value;
      else if (content === LNCT.directoryIndex && value.is === "number") directory = value.value;
    }
    return { name, directory };
  });
}

/** Rows as they are made. */
class Rows {
  readonly addresses: bigint[] = [];
  readonly files: number[] = [];
  readonly lines: number[] = [];
  readonly sequences: Sequence[] = [];
  #first = 0;

  add(address: bigint, file: number, line: number): void {
    this.addresses.push(address);
    this.files.push(file);
    this.lines.push(line);
  }

  /** The sequence's last instruction ends at `end`. */
  endSequence(end: bigint): void {
    const first = this.#first;
    const count = this.addresses.length - first;
    this.#first = this.addresses.length;
    if (count > 0) this.sequences.push({ start: this.addresses[first]!, end, first, count });
  }
}

/** The state machine (DWARF 5 §6.2.2, §6.2.5). Each step takes at least a byte, so it ends. */
function execute(header: Header, rows: Rows): void {
  const { program: r, lineBase, lineRange, opcodeBase } = header;
  let address = 0n;
  let file = 1;
  let line = 1;
  const advance = (operations: number): void => {
    address = (address + BigInt(Math.trunc(operations * header.minInstruction))) & MASK;
  };
  while (r.left > 0) {
    const opcode = r.u8();
    if (opcode >= opcodeBase) {
      const special = opcode - opcodeBase;
      advance(Math.floor(special / lineRange));
      line += lineBase + special % lineRange;
      rows.add(address, file, line);
    } else if (opcode === 0) {
      const length = r.uleb();
      const after = r.at + length;
      if (length === 0 || length > r.left) throw new DwarfError(`extended opcode of ${length} bytes`);
      switch (r.u8()) {
        case LNE.endSequence:
          rows.endSequence(address);
          [address, file, line] = [0n, 1, 1];
          break;
        case LNE.setAddress:
          address = r.unsigned(length - 1);
          break;
        case LNE.defineFile:
          header.files.push(defineFile(r));
      }
      r.at = after;
    } else {
      switch (opcode) {
        case LNS.copy:
          rows.add(address, file, line);
          break;
        case LNS.advancePc:
          advance(r.uleb());
          break;
        case LNS.advanceLine:
          line += r.sleb();
          break;
        case LNS.setFile:
          file = r.uleb();
          break;
        case LNS.setColumn:
          r.uleb();
          break;
        case LNS.constAddPc:
          advance(Math.floor((255 - opcodeBase) / lineRange));
          break;
        case LNS.fixedAdvancePc:
          address = (address + BigInt(r.u16())) & MASK;
          break;
        default:
          for (let i = header.opcodeLengths[opcode - 1] ?? 0; i > 0; i--) r.uleb();
      }
    }
  }
}

function defineFile(r: ByteReader): FileEntry {
  const value = r.at;
  r.skipText();
  return readOldFile(r, { is: "text", section: r.bytes, value });
}
