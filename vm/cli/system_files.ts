/** Reads the files of a system: firmware, kernel, flash and what goes with them. */
import type { BootFile, BootFiles } from "../boot/boot.ts";
import { gunzip, isGzip } from "../boot/gzip.ts";
import { kernelWidth } from "../boot/kernel.ts";
import { planBoot } from "../boot/plan.ts";
import { parseIsa } from "../isa/table.ts";
import type { PlannedBoot } from "./boot_files.ts";
import { readInput } from "./files.ts";
import type { Settings } from "./options.ts";

/** As `readBoot`, where no plain image is named. */
export async function readSystem(settings: Settings): Promise<PlannedBoot> {
  const { initrd, dtb, append } = settings;
  const read = (name: string): BootFile => ({ name, bytes: readInput(name) });
  const kernel = settings.kernel === undefined ? undefined : await unpacked(read(settings.kernel), settings.memory);
  const bios = settings.bios ?? "builtin";
  const files: BootFiles = {
    bios: bios === "builtin" || bios === "none" ? bios : read(bios),
    ...(kernel !== undefined && { kernel }),
    ...(initrd !== undefined && { initrd: read(initrd) }),
    ...(dtb !== undefined && { dtb: read(dtb) }),
    ...(append !== undefined && { append }),
    flash: settings.flash.map(read),
  };
  const widths = [files.bios, kernel].map((file) =>
    typeof file === "object" ? kernelWidth(file.bytes, file.name) : undefined
  );
  const xlen = settings.isa !== undefined
    ? parseIsa(settings.isa).xlen
    : widths.find((width) => width !== undefined) ?? 64;
  return { boot: planBoot(files, { xlen, memorySize: settings.memory }), xlen };
}

/** A kernel out of a gzip file. */
async function unpacked(file: BootFile, max: number): Promise<BootFile> {
  return isGzip(file.bytes) ? { name: file.name, bytes: await gunzip(file.bytes, file.name, max) } : file;
}
