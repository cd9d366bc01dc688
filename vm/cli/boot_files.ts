/** What the command line boots: an image, or firmware, kernel, flash and what goes with them. */
import { type Boot, imageBoot } from "../boot/boot.ts";
import { ImageError } from "../boot/error.ts";
import { readImage } from "../boot/image.ts";
import { InputError } from "./errors.ts";
import { readInput } from "./files.ts";
import type { Settings } from "./options.ts";
import { parseIsa } from "../isa/table.ts";

/** A boot, and the width of the machine that it is for. */
export interface PlannedBoot {
  readonly boot: Boot;
  readonly xlen: 32 | 64;
}

/** Reads what is booted and decides where it goes. InputError for what cannot be. */
export async function readBoot(settings: Settings): Promise<PlannedBoot> {
  try {
    if (settings.image !== undefined) return readPlain(settings, settings.image);
    return await (await import("./system_files.ts")).readSystem(settings);
  } catch (error) {
    throw error instanceof ImageError ? imageError(error, settings) : error;
  }
}

/** An `ImageError` as the user's file to mend. */
export function imageError(error: ImageError, settings: Settings): InputError {
  const { message } = error;
  const name = bootFileNames(settings).map(shownName).find((file) => message.startsWith(`${file}: `));
  if (name !== undefined) return new InputError(name, message.slice(name.length + 2));
  // What is wrong with all of it together is told of the file that leads.
  return new InputError(shownName(settings.image ?? settings.kernel ?? bootFileNames(settings)[0]!), message);
}

function readPlain(settings: Settings, file: string): PlannedBoot {
  const asked = settings.isa === undefined ? {} : { xlen: parseIsa(settings.isa).xlen };
  const image = readImage(readInput(file), { name: shownName(file), ...asked });
  const { dtb, append } = settings;
  const tree = dtb === undefined ? undefined : { name: dtb, bytes: readInput(dtb) };
  return { boot: { ...imageBoot(image), dtb: tree, append }, xlen: asked.xlen ?? image.xlen ?? 64 };
}

/** Names of the files that are booted. */

/** How messages call a file of the command line. */
export function shownName(file: string): string {
  return file === "-" ? "standard input" : file;
}

/** Files of the command line that are booted or handed to the guest. */
export function bootFileNames(settings: Settings): string[] {
  const { image, bios, kernel, initrd, dtb, flash } = settings;
  const firmware = bios === "builtin" || bios === "none" ? undefined : bios;
  return [image, firmware, kernel, initrd, dtb, ...flash].filter((file) => file !== undefined);
}

/** Whether there is anything to boot: a device tree can be written without. */
export function boots(settings: Settings): boolean {
  return bootFileNames(settings).length > 0;
}
