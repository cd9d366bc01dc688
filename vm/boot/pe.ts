/**
 * The PE/COFF header of an EFI program (UEFI §2.1.1; PE format §"COFF File Header", §"Section Table"): a Linux `Image` with
 * an EFI stub has one, which says more than the kernel's own header: the width, and how long the file is.
 */

/** "MZ", and where the offset of "PE\0\0" stands. */
const DOS = { magic: 0x5a4d, peOffset: 0x3c, bytes: 0x40 } as const;
const PE = { magic: 0x0000_4550, machine: 4, sections: 6, optionalSize: 20, bytes: 24 } as const;
const SECTION = { rawSize: 16, rawOffset: 20, bytes: 40 } as const;
const MACHINES: Readonly<Record<number, 32 | 64>> = { 0x5032: 32, 0x5064: 64 };

/** What the header says. */
export interface PeHeader {
  /** Undefined for a machine other than RISC-V. */
  readonly xlen: 32 | 64 | undefined;
  /** Bytes that the file must have. */
  readonly fileSize: number;
}

/** Reads the header; undefined where there is none, or not all of it. */
export function peHeader(bytes: Uint8Array): PeHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < DOS.bytes || view.getUint16(0, true) !== DOS.magic) return undefined;
  const pe = view.getUint32(DOS.peOffset, true);
  if (pe + PE.bytes > bytes.length || view.getUint32(pe, true) !== PE.magic) return undefined;
  const count = view.getUint16(pe + PE.sections, true);
  const table = pe + PE.bytes + view.getUint16(pe + PE.optionalSize, true);
  let fileSize = table + count * SECTION.bytes;
  if (fileSize <= bytes.length) {
    for (let at = table; at < table + count * SECTION.bytes; at += SECTION.bytes) {
      const raw = view.getUint32(at + SECTION.rawSize, true);
      if (raw > 0) fileSize = Math.max(fileSize, view.getUint32(at + SECTION.rawOffset, true) + raw);
    }
  }
  return { xlen: MACHINES[view.getUint16(pe + PE.machine, true)], fileSize };
}
