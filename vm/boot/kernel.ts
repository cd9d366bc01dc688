import { alignUp, hex } from "../bits.ts";
import { RAM_BASE } from "../board.ts";
import { isElf } from "./elf.ts";
import { ImageError } from "./error.ts";
import { type Image, readImage } from "./image.ts";
import { peHeader } from "./pe.ts";

/** Header of a RISC-V Linux `Image` (linux: Documentation/arch/riscv/boot-image-header.rst). Little endian. */
const HEADER = { textOffset: 8, imageSize: 16, flags: 24, magic2: 0x38, bytes: 0x40 } as const;
const MAGIC2 = 0x0543_5352; // "RSC\x05"
/** Flag of a big-endian kernel. */
const FLAG_BIG_ENDIAN = 1;
/** "MZ\0\0zimg": an EFI program that unpacks a kernel. */
const ZBOOT = [0x4d, 0x5a, 0, 0, 0x7a, 0x69, 0x6d, 0x67];

/** Alignment of a kernel: the size of the pages that it maps itself with. */
export const KERNEL_ALIGN: Readonly<Record<32 | 64, number>> = { 32: 0x40_0000, 64: 0x20_0000 };

/** How to read a kernel. */
export interface KernelOptions {
  /** File name, for messages. */
  readonly name: string;
  readonly xlen: 32 | 64;
  /** End of the firmware before it; a flat kernel goes to the next aligned address. */
  readonly after: number;
}

/** What a kernel file says about itself; undefined unless it has a Linux `Image` header. */
export interface LinuxHeader {
  /** Bytes from the start of RAM at which the kernel would like to be. */
  readonly textOffset: number;
  /** Bytes in memory, with what is zero at the start. */
  readonly imageSize: number;
}

/** Reads the header of a Linux `Image`. */
export function linuxHeader(bytes: Uint8Array): LinuxHeader | undefined {
  if (bytes.length < HEADER.bytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(HEADER.magic2, true) !== MAGIC2) return undefined;
  const word = (at: number) => Number(view.getBigUint64(at, true));
  return { textOffset: word(HEADER.textOffset), imageSize: word(HEADER.imageSize) };
}

/**
 * Reads a kernel: a Linux `Image`, an ELF file, or any flat binary. What has no address of its own goes to the first
 * aligned one after the firmware, as QEMU does it. Throws `ImageError` for what cannot be a kernel.
 */
export function readKernel(bytes: Uint8Array, { name, xlen, after }: KernelOptions): Image {
  if (isElf(bytes)) return readImage(bytes, { name, xlen });
  const base = alignUp(after, KERNEL_ALIGN[xlen]);
  const image = readImage(bytes, { name, base });
  if (ZBOOT.every((byte, i) => bytes[i] === byte)) {
    throw new ImageError(
      `${name}: is an EFI program with a compressed kernel in it: expected an Image, or an ELF file`,
    );
  }
  const header = linuxHeader(bytes);
  if (header === undefined && bytes.length < HEADER.bytes && bytes[0] === 0x4d && bytes[1] === 0x5a) {
    // "MZ" and nothing after it: so an Image with an EFI stub begins.
    throw new ImageError(`${name}: is cut off: an Image has a header of ${HEADER.bytes} bytes, got ${bytes.length}`);
  }
  if (header === undefined) return image;
  if (((bytes[HEADER.flags] ?? 0) & FLAG_BIG_ENDIAN) !== 0) {
    throw new ImageError(`${name}: is a big-endian kernel: expected a little-endian one`);
  }
  const pe = peHeader(bytes);
  if (pe !== undefined && pe.fileSize > bytes.length) {
    throw new ImageError(`${name}: is cut off: expected ${hex(pe.fileSize)} bytes, the file has ${hex(bytes.length)}`);
  }
  if (pe?.xlen !== undefined && pe.xlen !== xlen) {
    throw new ImageError(`${name}: the kernel is for RV${pe.xlen}: expected RV${xlen}, which the ISA asks for`);
  }
  const { imageSize } = header;
  // A kernel of before 4.6 says 0; a size beyond what numbers hold exactly is beyond any RAM too.
  const size = Math.max(imageSize, bytes.length);
  if (!Number.isSafeInteger(base + size)) {
    throw new ImageError(`${name}: the Image header says ${hex(BigInt(imageSize))} bytes, more than there can be`);
  }
  return { ...image, xlen, parts: [{ addr: base, size, data: bytes }] };
}

/** The width that a kernel is for, where it says so. */
export function kernelWidth(bytes: Uint8Array, name: string): 32 | 64 | undefined {
  return isElf(bytes) ? readImage(bytes, { name }).xlen : peHeader(bytes)?.xlen;
}

/** Where a kernel goes that is started by the built-in SBI: where it would be behind OpenSBI. */
export function builtinEnd(xlen: 32 | 64): number {
  return RAM_BASE + KERNEL_ALIGN[xlen];
}
