import { hex } from "../bits.ts";
import { ImageError } from "./error.ts";

/** A PT_LOAD segment. Addresses are unsigned and as wide as the file's class. */
export interface ElfSegment {
  /** Index among the program headers. */
  readonly index: number;
  readonly vaddr: bigint;
  readonly paddr: bigint;
  /** Bytes in memory; those after `data` are zero. */
  readonly memSize: bigint;
  readonly data: Uint8Array;
}

/** A section header, and the bytes it describes (none for NOBITS). */
export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly flags: bigint;
  readonly addr: bigint;
  readonly size: bigint;
  readonly link: number;
  readonly data: Uint8Array;
}

/** A symbol that has a name and a place: code, data, or a label of an assembler file. */
export interface ElfSymbol {
  readonly name: string;
  readonly address: bigint;
  /** In bytes; 0 where the file does not say. */
  readonly size: bigint;
  readonly type: "FUNC" | "OBJECT" | "NOTYPE";
  readonly global: boolean;
}

/** A RISC-V ELF file. */
export interface ElfFile {
  readonly xlen: 32 | 64;
  /** As the header has it: a virtual address. */
  readonly entry: bigint;
  /** `e_flags`: 1 is RVC (riscv-elf §8). */
  readonly flags: number;
  /** PT_LOAD segments that take memory, in the file's order. */
  readonly segments: readonly ElfSegment[];
  readonly sections: readonly ElfSection[];
  readonly symbols: readonly ElfSymbol[];
}

const MAGIC = 0x7f45_4c46;
const EM_RISCV = 243;
const PT_LOAD = 1;
/** Says that the number of program headers is in section 0. */
const PN_XNUM = 0xffff;
/** Section types. */
const SHT = { SYMTAB: 2, NOBITS: 8 } as const;
const SHN_UNDEF = 0;
/** Indexes from here on name no section; SHN_XINDEX puts the section elsewhere. */
const SHN_LORESERVE = 0xff00;
const SHN_XINDEX = 0xffff;
const STB_LOCAL = 0;
const SYMBOL_TYPES: Readonly<Record<number, ElfSymbol["type"]>> = { 0: "NOTYPE", 1: "OBJECT", 2: "FUNC" };
const TYPES: Readonly<Record<number, string>> = {
  0: "no type",
  1: "a relocatable object",
  2: "an executable",
  3: "a shared object",
  4: "a core dump",
};
const MACHINES: Readonly<Record<number, string>> = {
  3: "x86",
  8: "MIPS",
  20: "PowerPC",
  21: "PowerPC64",
  22: "S/390",
  40: "Arm",
  62: "x86-64",
  183: "AArch64",
  258: "LoongArch",
};

/** Where fields are, by class: [32-bit, 64-bit]. `W` fields are as wide as the class. */
const EHDR = {
  bytes: [52, 64],
  type: [16, 16],
  machine: [18, 18],
  entryW: [24, 24],
  phoffW: [28, 32],
  shoffW: [32, 40],
  flags: [36, 48],
  phentsize: [42, 54],
  phnum: [44, 56],
  shentsize: [46, 58],
  shnum: [48, 60],
  shstrndx: [50, 62],
} as const;
const PHDR = {
  bytes: [32, 56],
  type: [0, 0],
  offsetW: [4, 8],
  vaddrW: [8, 16],
  paddrW: [12, 24],
  fileszW: [16, 32],
  memszW: [20, 40],
} as const;
const SHDR = {
  bytes: [40, 64],
  name: [0, 0],
  type: [4, 4],
  flagsW: [8, 8],
  addrW: [12, 16],
  offsetW: [16, 24],
  sizeW: [20, 32],
  link: [24, 40],
  info: [28, 44],
} as const;
const SYM = { bytes: [16, 24], name: [0, 0], valueW: [4, 8], sizeW: [8, 16], info: [12, 4], shndx: [14, 6] } as const;

type Field = readonly [number, number];

/** Whether a file begins as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === MAGIC;
}

/**
 * Reads a RISC-V ELF executable, 32 or 64 bits; throws `ImageError` for anything else and for every part of it that
 * leaves the file. `name` is for messages. Nothing is copied: segments and sections are views of `bytes`.
 *
 * ```ts
 * const elf = readElf(Deno.readFileSync("images/demo.elf"), "demo.elf");
 * elf.segments[0]?.paddr; // 0x80000000n
 * ```
 */
export function readElf(bytes: Uint8Array, name: string): ElfFile {
  return new Reader(bytes, name).read();
}

interface SectionHeader extends Omit<ElfSection, "name"> {
  readonly nameOffset: number;
  readonly info: number;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  /** 0 for 32 bits, 1 for 64. */
  #class: 0 | 1 = 0;
  /** What names may still cost: a hostile table could make each of many names most of the file. */
  #nameBudget: number;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
    this.#nameBudget = 16 * bytes.length;
  }

  read(): ElfFile {
    this.#identification();
    const sectionHeaders = this.#sectionHeaders();
    const names = sectionHeaders[this.#sectionNames(sectionHeaders)];
    const sections = sectionHeaders.map((header): ElfSection => {
      const { nameOffset, info: _, ...section } = header;
      return { name: names === undefined ? "" : this.#string(names, nameOffset, "a section"), ...section };
    });
    return {
      xlen: this.#class === 0 ? 32 : 64,
      entry: this.#word(EHDR.entryW[this.#class]),
      flags: this.#view.getUint32(EHDR.flags[this.#class], true),
      segments: this.#segments(sectionHeaders),
      sections,
      symbols: sectionHeaders.flatMap((s) => s.type === SHT.SYMTAB ? this.#symbols(s, sectionHeaders) : []),
    };
  }

  #fail(message: string): never {
    throw new ImageError(`${this.#name}: ${message}`);
  }

  #identification(): void {
    const bytes = this.#bytes;
    if (bytes.length < 20) this.#fail(`ELF header is cut off: expected 52 or 64 bytes, got ${bytes.length}`);
    if (!isElf(bytes)) this.#fail("not an ELF file");
    if (bytes[4] !== 1 && bytes[4] !== 2) {
      this.#fail(`ELF class is ${bytes[4]}: expected 1 (32-bit) or 2 (64-bit)`);
    }
    if (bytes[5] !== 1) this.#fail(`ELF byte order is ${bytes[5]}: expected 1 (little-endian)`);
    this.#class = bytes[4] === 1 ? 0 : 1;
    const header = EHDR.bytes[this.#class];
    const machine = this.#half(0, EHDR.machine);
    if (machine !== EM_RISCV) {
      this.#fail(`ELF is for ${MACHINES[machine] ?? "another machine"} (${machine}): expected RISC-V (243)`);
    }
    if (bytes.length < header) this.#fail(`ELF header is cut off: expected ${header} bytes, got ${bytes.length}`);
    const type = this.#half(0, EHDR.type);
    if (type !== 2 && type !== 3) {
      this.#fail(`ELF is ${TYPES[type] ?? "of an unknown type"} (${type}): expected an executable (2)`);
    }
  }

  #half(base: number, field: Field): number {
    return this.#view.getUint16(base + field[this.#class], true);
  }

  #long(base: number, field: Field): number {
    return this.#view.getUint32(base + field[this.#class], true);
  }

  /** A word as wide as the class at `offset`. */
  #word(offset: number): bigint {
    return this.#class === 0 ? BigInt(this.#view.getUint32(offset, true)) : this.#view.getBigUint64(offset, true);
  }

  /** `size` bytes at `offset` of the file as a view; `what` is for the message if they are not all there. */
  #slice(what: string, offset: bigint, size: bigint): Uint8Array {
    if (offset + size > BigInt(this.#bytes.length)) {
      this.#fail(
        `${what} is cut off: expected ${hex(size)} bytes at file offset ${hex(offset)}, the file has ${
          hex(this.#bytes.length)
        }`,
      );
    }
    return this.#bytes.subarray(Number(offset), Number(offset + size));
  }

  /** File offset of each entry of a table; the whole table is in the file. */
  #table(what: string, offset: bigint, count: number, entrySize: number, minimum: number): number[] {
    if (count === 0) return [];
    if (entrySize < minimum) this.#fail(`${what} has entries of ${entrySize} bytes: expected ${minimum}`);
    this.#slice(what, offset, BigInt(count) * BigInt(entrySize));
    return Array.from({ length: count }, (_, i) => Number(offset) + i * entrySize);
  }

  #sectionHeaders(): SectionHeader[] {
    const offset = this.#word(EHDR.shoffW[this.#class]);
    if (offset === 0n) return [];
    const entrySize = this.#half(0, EHDR.shentsize);
    const minimum = SHDR.bytes[this.#class];
    let count = this.#half(0, EHDR.shnum);
    if (count === 0) {
      // Too many for the header: section 0 has the number in its size.
      const [first] = this.#table("section header table", offset, 1, entrySize, minimum);
      const size = this.#word(first! + SHDR.sizeW[this.#class]);
      if (size > BigInt(this.#bytes.length)) this.#fail(`ELF says it has ${size} sections, more than it has bytes`);
      count = Number(size);
    }
    return this.#table("section header table", offset, count, entrySize, minimum).map((at, i) => {
      const type = this.#long(at, SHDR.type);
      const size = this.#word(at + SHDR.sizeW[this.#class]);
      // Section 0 is no section; its fields hold numbers that are too large for the header.
      const inFile = i > 0 && type !== SHT.NOBITS && type !== 0;
      return {
        nameOffset: this.#long(at, SHDR.name),
        type,
        flags: this.#word(at + SHDR.flagsW[this.#class]),
        addr: this.#word(at + SHDR.addrW[this.#class]),
        size,
        link: this.#long(at, SHDR.link),
        info: this.#long(at, SHDR.info),
        data: this.#slice(`section ${i}`, inFile ? this.#word(at + SHDR.offsetW[this.#class]) : 0n, inFile ? size : 0n),
      };
    });
  }

  #sectionNames(sections: readonly SectionHeader[]): number {
    const index = this.#half(0, EHDR.shstrndx);
    return index === SHN_XINDEX ? sections[0]?.link ?? 0 : index;
  }

  #segments(sections: readonly SectionHeader[]): ElfSegment[] {
    const stated = this.#half(0, EHDR.phnum);
    const count = stated === PN_XNUM && sections[0] !== undefined ? sections[0].info : stated;
    const table = this.#table(
      "program header table",
      this.#word(EHDR.phoffW[this.#class]),
      count,
      this.#half(0, EHDR.phentsize),
      PHDR.bytes[this.#class],
    );
    return table.flatMap((at, index) => {
      const memSize = this.#word(at + PHDR.memszW[this.#class]);
      const fileSize = this.#word(at + PHDR.fileszW[this.#class]);
      if (this.#long(at, PHDR.type) !== PT_LOAD || (memSize === 0n && fileSize === 0n)) return [];
      const paddr = this.#word(at + PHDR.paddrW[this.#class]);
      const what = `segment ${index} (for ${hex(paddr)})`;
      if (fileSize > memSize) {
        this.#fail(`${what} has more bytes in the file (${hex(fileSize)}) than in memory (${hex(memSize)})`);
      }
      const data = this.#slice(what, this.#word(at + PHDR.offsetW[this.#class]), fileSize);
      return [{ index, vaddr: this.#word(at + PHDR.vaddrW[this.#class]), paddr, memSize, data }];
    });
  }

  #symbols(table: SectionHeader, sections: readonly SectionHeader[]): ElfSymbol[] {
    const strings = sections[table.link];
    if (strings === undefined) this.#fail(`symbol table names section ${table.link}, there are ${sections.length}`);
    const symbols: ElfSymbol[] = [];
    const view = new DataView(table.data.buffer, table.data.byteOffset, table.data.byteLength);
    const step = SYM.bytes[this.#class];
    for (let at = 0; at + step <= table.data.length; at += step) {
      const info = view.getUint8(at + SYM.info[this.#class]);
      const type = SYMBOL_TYPES[info & 0xf];
      const section = view.getUint16(at + SYM.shndx[this.#class], true);
      const placed = section !== SHN_UNDEF && (section < SHN_LORESERVE || section === SHN_XINDEX);
      if (type === undefined || !placed) continue;
      const name = this.#string(strings, view.getUint32(at + SYM.name[this.#class], true), "a symbol");
      // Nameless ones, the assembler's own labels, and mapping symbols ($x, $d: riscv-elf §8.5.7).
      if (name === "" || name.startsWith(".L") || /^\$[xd]/.test(name)) continue;
      const word = (field: Field) =>
        this.#class === 0 ? BigInt(view.getUint32(at + field[0], true)) : view.getBigUint64(at + field[1], true);
      symbols.push({
        name,
        address: word(SYM.valueW),
        size: word(SYM.sizeW),
        type,
        global: info >>> 4 !== STB_LOCAL,
      });
    }
    return symbols;
  }

  /** The string at `offset` of a string table. */
  #string(table: { readonly data: Uint8Array }, offset: number, what: string): string {
    const stop = offset < table.data.length ? table.data.indexOf(0, offset) : -1;
    if (stop < 0) {
      if (offset === 0) return "";
      this.#fail(`${what}'s name at ${hex(offset)} leaves its string table of ${hex(table.data.length)} bytes`);
    }
    this.#nameBudget -= stop - offset;
    if (this.#nameBudget < 0) this.#fail("ELF names are longer in sum than 16 times the file");
    return new TextDecoder().decode(table.data.subarray(offset, stop));
  }
}
