/** ELF files made by hand, right ones and wrong ones, for tests of what reads them. */

/** A PT_LOAD segment to be. */
export interface SegmentSpec {
  readonly paddr: bigint;
  readonly vaddr?: bigint;
  readonly data: Uint8Array;
  readonly memSize?: bigint;
  readonly type?: number;
}

/** A symbol to be; `section` 1 is `.text`. */
export interface SymbolSpec {
  readonly name: string;
  readonly value: bigint;
  readonly size?: bigint;
  readonly type?: number;
  readonly bind?: number;
  readonly section?: number;
}

/** A file to be. Sections are: none, `.text` (first segment), `.symtab`, `.strtab`, `.shstrtab`. */
export interface ElfSpec {
  readonly xlen?: 32 | 64;
  readonly machine?: number;
  readonly type?: number;
  readonly entry?: bigint;
  readonly flags?: number;
  readonly segments?: readonly SegmentSpec[];
  readonly symbols?: readonly SymbolSpec[];
}

/** Little-endian bytes that grow. */
class Bytes {
  readonly #bytes: number[] = [];
  readonly #wide: boolean;

  constructor(wide: boolean) {
    this.#wide = wide;
  }
  get length(): number {
    return this.#bytes.length;
  }
  u8(...values: number[]): this {
    this.#bytes.push(...values.map((v) => v & 0xff));
    return this;
  }
  u16(...values: number[]): this {
    for (const v of values) this.u8(v, v >>> 8);
    return this;
  }
  u32(...values: number[]): this {
    for (const v of values) this.u16(v, v >>> 16);
    return this;
  }
  /** As wide as the class. */
  word(...values: bigint[]): this {
    for (const v of values) {
      this.u32(Number(BigInt.asUintN(32, v)));
      if (this.#wide) this.u32(Number(BigInt.asUintN(32, v >> 32n)));
    }
    return this;
  }
  /** Flags of a header that has them before the words in one class and after them in the other. */
  append(bytes: ArrayLike<number>): this {
    for (let i = 0; i < bytes.length; i++) this.#bytes.push(bytes[i]!);
    return this;
  }
  take(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }
}

/** Builds the file: header, program headers, contents, section headers. */
export function buildElf(spec: ElfSpec): Uint8Array<ArrayBuffer> {
  const wide = (spec.xlen ?? 64) === 64;
  const segments = spec.segments ?? [];
  const symbols = spec.symbols ?? [];
  const sizes = wide ? { ehdr: 64, phdr: 56, shdr: 64 } : { ehdr: 52, phdr: 32, shdr: 40 };
  const contents = new Bytes(wide);
  const start = sizes.ehdr + segments.length * sizes.phdr;
  const place = (bytes: ArrayLike<number>) => {
    const at = start + contents.length;
    contents.append(bytes);
    return BigInt(at);
  };
  const programHeaders = new Bytes(wide);
  let text = { at: 0n, size: 0n, addr: 0n };
  segments.forEach((s, i) => {
    const at = place(s.data);
    const size = BigInt(s.data.length);
    if (i === 0) text = { at, size, addr: s.paddr };
    programHeaders.u32(s.type ?? 1);
    if (wide) programHeaders.u32(7);
    programHeaders.word(at, s.vaddr ?? s.paddr, s.paddr, size, s.memSize ?? size);
    if (!wide) programHeaders.u32(7);
    programHeaders.word(4096n);
  });
  const strings = [0, ...new TextEncoder().encode(symbols.map((s) => `${s.name}\0`).join(""))];
  let nameAt = 1;
  const symtab = new Bytes(wide).append(new Uint8Array(wide ? 24 : 16));
  for (const s of symbols) {
    const info = ((s.bind ?? 1) << 4) | (s.type ?? 2);
    symtab.u32(nameAt);
    if (wide) symtab.u8(info, 0).u16(s.section ?? 1).word(s.value, s.size ?? 0n);
    else symtab.word(s.value, s.size ?? 0n).u8(info, 0).u16(s.section ?? 1);
    nameAt += new TextEncoder().encode(s.name).length + 1;
  }
  const names = "\0.text\0.symtab\0.strtab\0.shstrtab\0";
  const sectionHeaders = new Bytes(wide);
  const section = (name: string, type: number, addr: bigint, at: bigint, size: bigint, link = 0) => {
    sectionHeaders.u32(name === "" ? 0 : names.indexOf(`\0${name}\0`) + 1, type).word(0n, addr, at, size).u32(link, 0);
    sectionHeaders.word(1n, 0n);
  };
  section("", 0, 0n, 0n, 0n);
  section(".text", 1, text.addr, text.at, text.size);
  const symbolBytes = symtab.take();
  section(".symtab", 2, 0n, place(symbolBytes), BigInt(symbolBytes.length), 3);
  section(".strtab", 3, 0n, place(strings), BigInt(strings.length));
  section(".shstrtab", 3, 0n, place(new TextEncoder().encode(names)), BigInt(names.length));
  const header = new Bytes(wide).u32(0x464c457f).u8(wide ? 2 : 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  header.u16(spec.type ?? 2, spec.machine ?? 243).u32(1);
  header.word(spec.entry ?? segments[0]?.paddr ?? 0n, BigInt(sizes.ehdr), BigInt(start + contents.length));
  header.u32(spec.flags ?? 1).u16(sizes.ehdr, sizes.phdr, segments.length, sizes.shdr, 5, 4);
  return header.append(programHeaders.take()).append(contents.take()).append(sectionHeaders.take()).take();
}
