import { hex } from "../bits.ts";
import { ImageError } from "./error.ts";
import { decodeFdt, encodeFdt, FdtError, type FdtNode, type FdtProperty, strings } from "./fdt.ts";
import type { Sbi, SbiOptions } from "../sbi/sbi.ts";
import type { Image, LoadedRange } from "./image.ts";
import { initrdProperties } from "./device_tree.ts";

/** A file that is booted or handed over; `name` is for messages. */
export interface BootFile {
  /** As the user wrote it. */
  readonly name: string;
  /** All of it. */
  readonly bytes: Uint8Array;
}

/** What is to be booted. */
export interface BootFiles {
  /** What runs first, in M-mode: a file, the built-in SBI (which is not in guest memory), or nothing. */
  readonly bios: BootFile | "builtin" | "none";
  /** A Linux `Image`, an ELF file, or a flat binary. */
  readonly kernel?: BootFile;
  /** Initial RAM disk. */
  readonly initrd?: BootFile;
  /** Replaces the board's own device tree. */
  readonly dtb?: BootFile;
  /** Kernel command line. */
  readonly append?: string;
  /** Contents of the flash banks, in order. */
  readonly flash?: readonly BootFile[];
}

/** What goes where, and how it is entered. */
export interface Boot {
  /** Firmware and kernel, in this order. */
  readonly images: readonly Image[];
  /** Guest-physical address at which execution begins. */
  readonly entry: number;
  /**
   * Makes the environment of a boot that begins in S-mode, the built-in SBI; undefined for one that begins in M-mode. What
   * plans such a boot brings it, so that it is loaded for no other.
   *
   * @internal
   */
  readonly environment: ((options: SbiOptions) => Sbi) | undefined;
  /** Where OpenSBI is to go on (fw_dynamic); 0 where nothing follows the firmware. */
  readonly next: number;
  /** The initial RAM disk, and where it goes. */
  readonly initrd: { readonly file: BootFile; readonly range: LoadedRange } | undefined;
  /** Replaces the board's own device tree. */
  readonly dtb: BootFile | undefined;
  /** Kernel command line. */
  readonly append: string | undefined;
  /** Contents of the flash banks, in order. */
  readonly flash: readonly BootFile[];
  /** What firmware in flash is given by fw_cfg, to boot it or not. */
  readonly offered: { readonly kernel: BootFile; readonly initrd: BootFile | undefined } | undefined;
}

/** A plain image, entered in M-mode. */
export function imageBoot(image: Image): Boot {
  return {
    images: [image],
    entry: image.entry,
    environment: undefined,
    next: 0,
    initrd: undefined,
    dtb: undefined,
    append: undefined,
    flash: [],
    offered: undefined,
  };
}

/** Throws an `ImageError` where two of what is to be loaded overlap, with both. */
export function checkOverlap(ranges: readonly LoadedRange[]): void {
  const sorted = ranges.toSorted((a, b) => a.start - b.start);
  for (let i = 1; i < sorted.length; i++) {
    const [a, b] = [sorted[i - 1]!, sorted[i]!];
    if (a.end <= b.start || a.name === b.name) continue;
    throw new ImageError(
      `${b.name}: ${hex(b.start)} to ${hex(b.end)} overlaps ${a.name}: ${hex(a.start)} to ${hex(a.end)}; ` +
        "more memory may help",
    );
  }
}

/**
 * The device tree of a file, with what the command line and the initial RAM disk add to /chosen. Where nothing is added it
 * is handed over as it is. Throws `ImageError` for a file that is none.
 */
export function fileDeviceTree({ dtb, append, initrd }: Boot): Uint8Array | undefined {
  if (dtb === undefined) return undefined;
  let root: FdtNode;
  try {
    root = decodeFdt(dtb.bytes);
  } catch (error) {
    if (!(error instanceof FdtError)) throw error;
    throw new ImageError(`${dtb.name}: ${error.message}`);
  }
  const added = [
    ...(append === undefined ? [] : [strings("bootargs", append)]),
    ...(initrd === undefined ? [] : initrdProperties(initrd.range)),
  ];
  if (added.length === 0) return dtb.bytes;
  if (hasReservations(dtb.bytes)) {
    throw new ImageError(
      `${dtb.name}: memory reservations would be lost where /chosen is written: expected a device tree without them, or ` +
        "with bootargs and initial RAM disk in it",
    );
  }
  return encodeFdt(withChosen(root, added));
}

/** Whether the memory reservation block has an entry (devicetree 0.4 §5.3). */
function hasReservations(blob: Uint8Array): boolean {
  const at = new DataView(blob.buffer, blob.byteOffset).getUint32(16);
  return blob.subarray(at, at + 16).some((byte) => byte !== 0);
}

function withChosen(root: FdtNode, added: readonly FdtProperty[]): FdtNode {
  const old = root.children.find((node) => node.name === "chosen") ?? { name: "chosen", properties: [], children: [] };
  const kept = old.properties.filter(({ name }) => !added.some((property) => property.name === name));
  const chosen = { ...old, properties: [...kept, ...added] };
  return { ...root, children: [chosen, ...root.children.filter((node) => node !== old)] };
}
