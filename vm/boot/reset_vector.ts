import { alignUp, hex } from "../bits.ts";
import { ImageError } from "./error.ts";
import type { LoadedRange } from "./image.ts";

/** What the reset vector hands over. Addresses are guest-physical. */
export interface ResetVectorOptions {
  readonly xlen: 32 | 64;
  /** Where to jump. */
  readonly entry: number;
  /** Where the device tree is. */
  readonly fdt: number;
  /** Where OpenSBI's fw_dynamic is to go on; 0 where nothing follows the firmware. */
  readonly next?: number;
}

/** Offsets in the ROM: six instructions, then what they load. */
const ENTRY = 0x18;
const FDT = 0x20;
const FW_DYNAMIC_INFO = 0x28;

/** OpenSBI's `struct fw_dynamic_info`, in words as wide as XLEN. */
const INFO = { magic: 0x4942_534f, version: 2, nextMode: 1, options: 0, bootHart: 0 } as const;

const REG = { t0: 5, a0: 10, a1: 11, a2: 12 } as const;
const CSR_MHARTID = 0xf14;
const OPCODE = { load: 0x03, opImm: 0x13, auipc: 0x17, jalr: 0x67, system: 0x73 } as const;
const FUNCT3 = { add: 0, lw: 2, ld: 3, csrrs: 2 } as const;

/** An instruction of the I format (unpriv §2.2). */
function iType(opcode: number, funct3: number, rd: number, rs1: number, immediate: number): number {
  return ((immediate << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode) >>> 0;
}

/**
 * The bytes of the ROM at 0x1000, the same as QEMU 7.2's: a0 = mhartid, a1 = device tree, a2 = fw_dynamic info, then a
 * jump to the entry. Every hart runs it.
 *
 * ```ts
 * const rom = resetVector({ xlen: 64, entry: 0x8000_0000, fdt: 0x87e0_0000 }); // goes to 0x1000
 * ```
 */
export function resetVector(options: ResetVectorOptions): Uint8Array<ArrayBuffer> {
  const { xlen, entry, fdt, next = 0 } = options;
  const { t0, a0, a1, a2 } = REG;
  const load = xlen === 64 ? FUNCT3.ld : FUNCT3.lw;
  const code = [
    (t0 << 7) | OPCODE.auipc, // auipc t0, 0: the address of the ROM
    iType(OPCODE.opImm, FUNCT3.add, a2, t0, FW_DYNAMIC_INFO),
    iType(OPCODE.system, FUNCT3.csrrs, a0, 0, CSR_MHARTID),
    iType(OPCODE.load, load, a1, t0, FDT),
    iType(OPCODE.load, load, t0, t0, ENTRY),
    iType(OPCODE.jalr, 0, 0, t0, 0),
  ];
  const info = [INFO.magic, INFO.version, next, INFO.nextMode, INFO.options, INFO.bootHart];
  const width = xlen / 8;
  const rom = new Uint8Array(FW_DYNAMIC_INFO + info.length * width);
  const view = new DataView(rom.buffer);
  code.forEach((word, i) => view.setUint32(i * 4, word, true));
  view.setUint32(ENTRY, entry, true);
  view.setUint32(FDT, fdt, true);
  info.forEach((word, i) => view.setUint32(FW_DYNAMIC_INFO + i * width, word, true));
  return rom;
}

/** QEMU's alignment of the device tree, and the address it stays below so that 32-bit software reaches it. */
const FDT_ALIGN = 0x20_0000;
const FDT_LIMIT = 0xc000_0000;
/** Where RAM is too small for that alignment. */
const FDT_ALIGN_SMALL = 0x1000;

/** What `placeFdt` needs. */
export interface FdtPlacement {
  /** Start and size of RAM in bytes. */
  readonly ram: { readonly base: number; readonly size: number };
  /** Size of the blob in bytes. */
  readonly fdtSize: number;
  /** What is loaded already. */
  readonly ranges: readonly LoadedRange[];
}

/**
 * Address of the device tree: where QEMU 7.2 puts it, near the end of RAM, 2 MiB aligned and below 3 GiB. If that is
 * taken and the last page-aligned place is not, it goes there. Throws `ImageError` if what was loaded leaves no place.
 *
 * ```ts
 * placeFdt({ ram: { base: 0x8000_0000, size: 128 << 20 }, fdtSize: 4000, ranges: [] }); // 0x87e00000
 * ```
 */
export function placeFdt({ ram, fdtSize, ranges }: FdtPlacement): number {
  const end = Math.min(ram.base + ram.size, FDT_LIMIT);
  const taken = (at: number) => ranges.find((r) => at < r.end && r.start < at + fdtSize);
  for (const align of [FDT_ALIGN, FDT_ALIGN_SMALL]) {
    const at = Math.floor((end - fdtSize) / align) * align;
    if (at >= ram.base && taken(at) === undefined) return at;
  }
  const last = taken(Math.floor((end - fdtSize) / FDT_ALIGN_SMALL) * FDT_ALIGN_SMALL);
  const need = alignUp(fdtSize, FDT_ALIGN_SMALL);
  if (last === undefined) {
    throw new ImageError(`device tree: ${need} bytes are needed, RAM has ${ram.size}: expected more memory`);
  }
  throw new ImageError(
    `${last.name}: ${hex(last.start)} to ${hex(last.end)} leaves no place for the device tree: expected the last ` +
      `${need} bytes below ${hex(end)} to be free; more memory may help`,
  );
}
