import { hex } from "../bits.ts";
import { RAM_BASE } from "../board.ts";
import type { GuestMemory } from "../bus/memory.ts";
import { type ElfFile, type ElfSegment, isElf, readElf } from "./elf.ts";
import { ImageError } from "./error.ts";
import { SymbolTable } from "./symbols.ts";

/** A part of an image and where it goes, by guest-physical address. */
export interface ImagePart {
  /** Guest-physical address it is loaded at. */
  readonly addr: number;
  /** Bytes in memory; those after `data` are zero. */
  readonly size: number;
  /** What the file has of it; the rest is zeros. */
  readonly data: Uint8Array;
  /** How many of the first bytes are only the ELF file's own headers, which a linker puts before the first section. */
  readonly headers?: number;
}

/** A boot image, read but not yet loaded. */
export interface Image {
  /** Name of the file, for messages. */
  readonly name: string;
  /** What the file is. */
  readonly format: "elf" | "flat";
  /** Width the image is for; undefined for a flat binary, which does not say. */
  readonly xlen: 32 | 64 | undefined;
  /** Guest-physical address of the first instruction. */
  readonly entry: number;
  /** What is put into memory. */
  readonly parts: readonly ImagePart[];
  /** Names of addresses; empty for a flat binary. */
  readonly symbols: SymbolTable;
  /**
   * The whole file, for who needs its sections (debug information).
   *
   * @internal
   */
  readonly elf: ElfFile | undefined;
}

/** A stretch of memory that something was loaded to; `end` is the byte after it. */
export interface LoadedRange {
  /** Of what is there. */
  readonly name: string;
  /** Guest-physical address of the first byte. */
  readonly start: number;
  /** And of the one after the last. */
  readonly end: number;
}

/** How to read an image. */
export interface ImageOptions {
  /** File name, for messages. */
  readonly name: string;
  /** Width that was asked for; an ELF of the other one is refused. */
  readonly xlen?: 32 | 64;
  /** Where a flat binary goes and is entered. */
  readonly base?: number;
}

/**
 * Reads an image: an ELF file, or else a flat binary. Throws `ImageError` for what cannot be one.
 *
 * ```ts
 * const image = readImage(Deno.readFileSync("images/demo.bin"), { name: "demo.bin" });
 * image.entry; // 0x80000000
 * ```
 */
export function readImage(bytes: Uint8Array, options: ImageOptions): Image {
  const { name } = options;
  if (bytes.length === 0) throw new ImageError(`${name}: image is empty: expected an ELF file or a flat binary`);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8) {
    throw new ImageError(`${name}: image is compressed with gzip: expected an ELF file or a flat binary`);
  }
  return isElf(bytes) ? elfImage(bytes, options) : flatImage(bytes, options);
}

/** Flag of a section that is in memory. */
const SHF_ALLOC = 2n;

function flatImage(bytes: Uint8Array, options: ImageOptions): Image {
  const addr = options.base ?? RAM_BASE;
  return {
    name: options.name,
    format: "flat",
    xlen: undefined,
    entry: addr,
    parts: [{ addr, size: bytes.length, data: bytes }],
    symbols: new SymbolTable([]),
    elf: undefined,
  };
}

function elfImage(bytes: Uint8Array, { name, xlen }: ImageOptions): Image {
  const elf = readElf(bytes, name);
  if (xlen !== undefined && elf.xlen !== xlen) {
    throw new ImageError(`${name}: ELF is for RV${elf.xlen}: expected RV${xlen}, which the ISA asks for`);
  }
  if (elf.segments.length === 0) throw new ImageError(`${name}: ELF has nothing to load: expected a PT_LOAD segment`);
  checkOverlap(elf.segments, name);
  return {
    name,
    format: "elf",
    xlen: elf.xlen,
    // The header's entry is virtual: a kernel linked high and loaded low is entered where its segment is loaded.
    entry: Number(physicalAddress(elf, elf.entry)),
    // An address beyond 2^53 loses bits here, but is outside RAM all the same.
    parts: elf.segments.map((s) => ({
      addr: Number(s.paddr),
      size: Number(s.memSize),
      data: s.data,
      headers: s.data.byteOffset === bytes.byteOffset ? headersBefore(elf, s) : 0,
    })),
    symbols: new SymbolTable(elf.symbols),
    elf,
  };
}

/** Bytes from the start of `segment`, which is also the file's start, to the first section in it. */
function headersBefore(elf: ElfFile, segment: ElfSegment): number {
  const end = segment.vaddr + segment.memSize;
  const inside = elf.sections.filter((s) => (s.flags & SHF_ALLOC) !== 0n && s.addr >= segment.vaddr && s.addr < end);
  if (inside.length === 0) return 0;
  return Number(inside.reduce((low, s) => s.addr < low ? s.addr : low, end) - segment.vaddr);
}

/** Where what an ELF file has at a virtual address is loaded. */
export function physicalAddress(elf: ElfFile, address: bigint): bigint {
  const within = elf.segments.find((s) => address >= s.vaddr && address < s.vaddr + s.memSize);
  return within === undefined ? address : address - within.vaddr + within.paddr;
}

function checkOverlap(segments: readonly ElfSegment[], name: string): void {
  const sorted = segments.toSorted((a, b) => a.paddr < b.paddr ? -1 : 1);
  for (let i = 1; i < sorted.length; i++) {
    const [a, b] = [sorted[i - 1]!, sorted[i]!];
    if (a.paddr + a.memSize <= b.paddr) continue;
    throw new ImageError(
      `${name}: segments ${a.index} and ${b.index} overlap: ${hex(a.paddr)} to ${hex(a.paddr + a.memSize)} and ${
        hex(b.paddr)
      } to ${hex(b.paddr + b.memSize)}`,
    );
  }
}

/**
 * Puts an image into RAM, also its zeros; call it again after a reset. Throws `ImageError` if a part or the entry is
 * outside RAM; then nothing has been written. Returns what is occupied now.
 *
 * ```ts
 * import { GuestMemory } from "../bus/memory.ts";
 *
 * const ram = { name: "ram", base: 0x8000_0000, size: 0x1000, host: 0, writable: true };
 * const memory = new GuestMemory(new ArrayBuffer(0x1000), [ram]);
 * loadImage(memory, readImage(Uint8Array.of(0x13, 0, 0, 0), { name: "nop.bin" }));
 * ```
 */
export function loadImage(memory: GuestMemory, image: Image): LoadedRange[] {
  const ram = memory.regions.filter((r) => r.writable);
  const where = ram.map((r) => `${hex(r.base)} to ${hex(r.base + r.size)}`).join(", ");
  // `-Ttext` at the start of RAM puts the file's headers on the page before it, where nothing needs them.
  const parts = image.parts.map((p) => memory.contains(p.addr, p.size, true) ? p : withoutHeaders(p));
  for (const { addr, size } of parts) {
    if (memory.contains(addr, size, true)) continue;
    const what = image.format === "elf" ? "segment" : "image";
    throw new ImageError(
      `${image.name}: ${what} of ${hex(size)} bytes at ${
        hex(addr)
      } does not fit into RAM (${where}): expected an image ` +
        `linked for it, or more memory`,
    );
  }
  if (!memory.contains(image.entry, 2, true)) {
    throw new ImageError(`${image.name}: entry point ${hex(image.entry)} is outside RAM (${where})`);
  }
  return parts.map(({ addr, size, data }) => {
    const target = memory.bytes(addr, size, true)!;
    target.set(data);
    target.fill(0, data.length);
    memory.wrote(addr, size);
    return { name: image.name, start: addr, end: addr + size };
  });
}

function withoutHeaders({ addr, size, data, headers = 0 }: ImagePart): ImagePart {
  return { addr: addr + headers, size: size - headers, data: data.subarray(headers) };
}
