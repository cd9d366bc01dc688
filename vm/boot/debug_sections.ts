/** The sections of debug information of an ELF file, decompressed where the linker compressed them. */
import type { ElfFile, ElfSection } from "./elf.ts";
import { ImageError } from "./error.ts";
import { decompress } from "./gzip.ts";

const SHF_COMPRESSED = 0x800n;
/** Of what compression headers name (ELF gABI, section compression), the one that tools use. */
const ELFCOMPRESS_ZLIB = 1;

/** Most bytes that one section may have when it is decompressed. */
export const SECTION_MAX: number = 2 ** 28;

/** Debug sections of `elf`. One that cannot be decompressed is left out: it is as if it were not there. */
export async function debugSections(elf: ElfFile): Promise<ElfSection[]> {
  const named = elf.sections.filter(({ name }) => name.startsWith(".debug_") || name === ".eh_frame");
  const found = await Promise.all(named.map((section) => plain(section, elf.xlen)));
  return found.filter((section) => section !== undefined);
}

async function plain(section: ElfSection, xlen: 32 | 64): Promise<ElfSection | undefined> {
  if ((section.flags & SHF_COMPRESSED) === 0n) return section;
  const { name, data } = section;
  const header = xlen === 64 ? 24 : 12;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < header || view.getUint32(0, true) !== ELFCOMPRESS_ZLIB) return undefined;
  try {
    return { ...section, data: await decompress(data.subarray(header), "deflate", name, SECTION_MAX) };
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
}
