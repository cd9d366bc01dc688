/** Puts what is booted into memory. */
import { type FwCfg, FwCfgKey, fwCfgNumber } from "../../devices/fw_cfg.ts";
import { hex } from "../bits.ts";
import { boardEntry, FLASH_BANKS, RAM_BASE } from "../board.ts";
import { type Boot, checkOverlap } from "../boot/boot.ts";
import { ImageError } from "../boot/error.ts";
import { loadImage } from "../boot/image.ts";
import { placeFdt, resetVector } from "../boot/reset_vector.ts";
import type { GuestMemory } from "../bus/memory.ts";
import { FLASH_BANK } from "./flash_banks.ts";

/** What the places of things depend on. */
export interface LoadOptions {
  readonly xlen: 32 | 64;
  /** Bytes of RAM. */
  readonly memorySize: number;
  /** The device tree as a blob. */
  readonly tree: Uint8Array;
}

/**
 * Loads images, initial RAM disk, device tree and reset vector; call it again after a reset. Throws an `ImageError` for
 * what does not fit, naming both ranges where two overlap. Gives the device tree's address.
 */
export function loadBoot(memory: GuestMemory, boot: Boot, { xlen, memorySize, tree }: LoadOptions): number {
  const ranges = boot.images.flatMap((image) => loadImage(memory, image));
  const { initrd } = boot;
  if (initrd !== undefined) ranges.push(initrd.range);
  checkOverlap(ranges);
  if (initrd !== undefined) memory.load(initrd.range.start, initrd.file.bytes);
  const fdt = placeFdt({ ram: { base: RAM_BASE, size: memorySize }, fdtSize: tree.length, ranges });
  memory.load(fdt, tree);
  memory.load(boardEntry("rom").base, resetVector({ xlen, entry: boot.entry, fdt, next: boot.next }));
  return fdt;
}

/** Puts the files of flash banks there, once: what the guest changes survives a reset. What a file leaves is erased. */
export function loadFlash(memory: GuestMemory, { flash }: Boot): void {
  const { base } = boardEntry("flash");
  flash.forEach(({ name, bytes }, i) => {
    if (i >= FLASH_BANKS) throw new ImageError(`${name}: there are ${FLASH_BANKS} flash banks, this is file ${i + 1}`);
    if (bytes.length > FLASH_BANK) {
      throw new ImageError(`${name}: ${hex(bytes.length)} bytes, a flash bank has ${hex(FLASH_BANK)}`);
    }
    const bank = new Uint8Array(FLASH_BANK).fill(0xff);
    bank.set(bytes);
    memory.load(base + i * FLASH_BANK, bank);
  });
}

/** Tells firmware in flash of the kernel that was asked for. */
export function offerKernel(config: FwCfg, { offered, append }: Boot): void {
  if (offered === undefined) return;
  const { kernel, initrd } = offered;
  const line = new TextEncoder().encode(`${append ?? ""}\0`);
  config.provide(FwCfgKey.KERNEL_SIZE, fwCfgNumber(kernel.bytes.length, 4));
  config.provide(FwCfgKey.KERNEL_DATA, kernel.bytes);
  config.provide(FwCfgKey.CMDLINE_SIZE, fwCfgNumber(line.length, 4));
  config.provide(FwCfgKey.CMDLINE_DATA, line);
  if (initrd === undefined) return;
  config.provide(FwCfgKey.INITRD_SIZE, fwCfgNumber(initrd.bytes.length, 4));
  config.provide(FwCfgKey.INITRD_DATA, initrd.bytes);
}
