/**
 * What an ELF file says of the instructions in it: its attributes section (riscv-elf §"Attributes") and the flags of its
 * header (§8.2).
 */
import type { ElfFile } from "./elf.ts";

/** Type of the attributes section. */
const SHT_RISCV_ATTRIBUTES = 0x7000_0003;
/** Attributes of the whole file; the one that is the ISA string. Odd tags have a text, even ones a number. */
const TAG = { file: 1, arch: 5 } as const;
/** Flags of the header: the base with 16 registers, and the float ABI, of which 3 is quad precision. */
const EF_RISCV = { rve: 8, floatAbi: 6, floatShift: 1 } as const;

/** The ISA an ELF file was built for, as its attributes say, without versions: `rv64imac_zicsr`. */
export function archOf(elf: ElfFile): string | undefined {
  const bytes = elf.sections.find((s) => s.type === SHT_RISCV_ATTRIBUTES)?.data;
  const text = bytes === undefined ? undefined : archText(bytes);
  // A version ends a name: rv64i2p1_m2p0_zicsr2p0.
  return text?.toLowerCase().split("_").map((name) => name.replace(/\d+p\d+$/, "")).join("_");
}

/** Follows the section: `A`, then vendors' parts with their length, in them parts by scope, in them tags. */
function archText(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[0] !== 0x41) return undefined;
  for (let vendor = 1; vendor + 4 <= bytes.length;) {
    const vendorEnd = vendor + view.getUint32(vendor, true);
    const name = textAt(bytes, vendor + 4);
    if (vendorEnd <= vendor + 4 || vendorEnd > bytes.length || name === undefined) return undefined;
    let at = vendor + 4 + name.length + 1;
    while (name === "riscv" && at + 5 <= vendorEnd) {
      const end = at + view.getUint32(at + 1, true);
      if (end <= at + 5 || end > vendorEnd) return undefined;
      const arch = bytes[at] === TAG.file ? archAmong(bytes.subarray(at + 5, end)) : undefined;
      if (arch !== undefined) return arch;
      at = end;
    }
    vendor = vendorEnd;
  }
  return undefined;
}

function archAmong(tags: Uint8Array): string | undefined {
  for (let at = 0; at < tags.length;) {
    const tag = tags[at++]!;
    if (tag % 2 === 0) {
      while (at < tags.length && tags[at]! >= 0x80) at++;
      at++;
      continue;
    }
    const text = textAt(tags, at);
    if (tag === TAG.arch || text === undefined) return text;
    at += text.length + 1;
  }
  return undefined;
}

/** Text up to the zero byte that ends it. */
function textAt(bytes: Uint8Array, at: number): string | undefined {
  const end = bytes.indexOf(0, at);
  return end < 0 ? undefined : new TextDecoder("latin1").decode(bytes.subarray(at, end));
}

/** The extensions that the header's flags ask for: that of the float ABI, and E. */
export function flagExtensions({ flags }: ElfFile): string[] {
  const float = [[], ["f"], ["f", "d"], ["f", "d", "q"]][(flags & EF_RISCV.floatAbi) >> EF_RISCV.floatShift]!;
  return [...float, ...((flags & EF_RISCV.rve) !== 0 ? ["e"] : [])];
}
