/** Names of the files that are booted. */
import type { Settings } from "./options.ts";

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
