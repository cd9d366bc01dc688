/** Systems of several files: what goes where. A plain image needs none of this. */
import { hex } from "../bits.ts";
import { boardEntry, RAM_BASE } from "../board.ts";
import type { Boot, BootFile, BootFiles } from "./boot.ts";
import { Sbi } from "../sbi/sbi.ts";
import { ImageError } from "./error.ts";
import { type Image, readImage } from "./image.ts";
import { builtinEnd, readKernel } from "./kernel.ts";

/** What a boot depends on beside the files. */
export interface BootMachine {
  /** Width of the harts. */
  readonly xlen: 32 | 64;
  /** Bytes of RAM. */
  readonly memorySize: number;
}

/** Farthest an initial RAM disk is put behind the start of the kernel. */
const INITRD_OFFSET_MAX = 128 * 2 ** 20;

/**
 * Decides what goes where, as QEMU 7.2 does: firmware at the start of RAM, the kernel behind it, the initial RAM disk half
 * of RAM further (at most 128 MiB). Firmware in flash is started in place of a kernel, and is offered the kernel. Throws
 * `ImageError` for files that cannot be what they are to be.
 */
export function planBoot(files: BootFiles, machine: BootMachine): Boot {
  const { xlen, memorySize } = machine;
  const { bios, kernel, initrd, flash = [] } = files;
  const firmware = typeof bios === "object" ? readImage(bios.bytes, { name: bios.name, xlen }) : undefined;
  const inFlash = flash.length > 0;
  const after = firmware !== undefined
    ? Math.max(...firmware.parts.map((part) => part.addr + part.size))
    : bios === "builtin"
    ? builtinEnd(xlen)
    : RAM_BASE;
  const system = kernel === undefined || inFlash
    ? undefined
    : readKernel(kernel.bytes, { name: kernel.name, xlen, after });
  const payload = inFlash ? boardEntry("flash").base : system?.entry ?? 0;
  if (initrd !== undefined && kernel === undefined) {
    throw new ImageError(`${initrd.name}: an initial RAM disk is for a kernel, and there is none`);
  }
  return {
    images: [firmware, system].filter((image) => image !== undefined),
    entry: firmware?.entry ?? payload,
    environment: bios === "builtin" ? (options) => new Sbi(options) : undefined,
    next: firmware === undefined ? 0 : payload,
    initrd: initrd && system && placeInitrd(initrd, system, memorySize),
    dtb: files.dtb,
    append: files.append,
    flash,
    offered: kernel !== undefined && inFlash ? { kernel, initrd } : undefined,
  };
}

function placeInitrd(file: BootFile, kernel: Image, memorySize: number): Boot["initrd"] {
  const base = Math.min(...kernel.parts.map((part) => part.addr));
  const start = base + Math.min(memorySize / 2, INITRD_OFFSET_MAX);
  const end = start + file.bytes.length;
  const ram = RAM_BASE + memorySize;
  if (end > ram) {
    throw new ImageError(
      `${file.name}: ${hex(start)} to ${hex(end)} does not fit into RAM, ${hex(RAM_BASE)} to ${hex(ram)}: ` +
        "expected a smaller initial RAM disk, or more memory",
    );
  }
  return { file, range: { name: file.name, start, end } };
}
