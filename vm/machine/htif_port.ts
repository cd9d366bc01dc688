/** HTIF, joined to the machine: for programs that have a symbol `tohost`, such as those written for Spike. */
import { Htif, type HtifOptions } from "../../devices/htif.ts";
import { physicalAddress } from "../boot/image.ts";
import type { Image } from "../boot/image.ts";

/** The HTIF of the first image that has the symbol, in memory that can be written. */
export function makeHtif(
  images: readonly Image[],
  options: Omit<HtifOptions, "tohost" | "fromhost">,
): Htif | undefined {
  for (const image of images) {
    const at = (name: string): number | undefined => {
      const address = image.symbols.addressOf(name);
      if (address === undefined || image.elf === undefined) return undefined;
      const physical = Number(physicalAddress(image.elf, address));
      return options.memory.contains(physical, 8, true) ? physical : undefined;
    };
    const tohost = at("tohost");
    if (tohost !== undefined) return new Htif({ ...options, tohost, fromhost: at("fromhost") });
  }
  return undefined;
}
