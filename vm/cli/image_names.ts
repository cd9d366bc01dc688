/** What the images of a run, or the file of `--symbols`, say of addresses: names, and the source if that is in them. */
import type { Boot } from "../boot/boot.ts";
import { ImageError } from "../boot/error.ts";
import { type Image, readImage } from "../boot/image.ts";
import { SymbolTable } from "../boot/symbols.ts";
import type { DebugInfo } from "../debug/debug_info.ts";
import type { Symbolizer } from "../trace/symbolizer.ts";
import { InputError } from "./errors.ts";
import { readInput } from "./files.ts";

/** Names of addresses. */
export class ImageNames {
  readonly symbols: SymbolTable;
  /** Undefined where there is no symbol at all. */
  readonly symbolize: Symbolizer | undefined;
  readonly #image: Image | undefined;
  #sources: DebugInfo | undefined;

  /** Of an ELF file; without one there are none. */
  constructor(image: Image | undefined) {
    this.#image = image;
    this.symbols = image?.symbols ?? new SymbolTable([]);
    this.symbolize = this.symbols.size === 0 ? undefined : (addr) => this.symbols.find(addr);
  }

  /** Of the last thing that is started and has some: of a kernel rather than of its firmware. */
  static ofBoot({ images }: Boot): ImageNames {
    return new ImageNames(images.findLast(({ symbols }) => symbols.size > 0));
  }

  /** Of an ELF file that is named for it. */
  static ofFile(file: string): ImageNames {
    try {
      const image = readImage(readInput(file), { name: file });
      if (image.elf === undefined) throw new InputError(file, "has no symbols: expected an ELF file");
      return new ImageNames(image);
    } catch (error) {
      throw error instanceof ImageError ? new InputError(file, error.message.replace(`${file}: `, "")) : error;
    }
  }

  /** Files, lines and callers; undefined without an ELF file. Loaded when a report needs it. */
  async sources(): Promise<DebugInfo | undefined> {
    const elf = this.#image?.elf;
    if (elf === undefined || this.#sources !== undefined) return this.#sources;
    const { DebugInfo } = await import("../debug/debug_info.ts");
    const { debugSections } = await import("../boot/debug_sections.ts");
    return this.#sources = new DebugInfo(await debugSections(elf), elf.xlen);
  }
}
