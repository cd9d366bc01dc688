/** The engines that emit WebAssembly. They are loaded only when a guest has more to do than the reference can do at once. */
import type { Engine, EngineName } from "../hart/engine.ts";
import type { Hart } from "../hart/hart.ts";
import type { Layout } from "../hart/layout.ts";
import { DecodedPages } from "../translate/decoded_pages.ts";
import { Handlers } from "../translate/handlers.ts";
import { Interpreter, type TranslationOptions } from "../translate/interpreter.ts";

/** What engines are made for. */
export interface EnginesOptions {
  /** One engine each; all of one ISA. */
  readonly harts: readonly Hart[];
  readonly wasm: WebAssembly.Memory;
  readonly layout: Layout;
  /** Bytes of RAM. */
  readonly ramSize: number;
  /** How eagerly code is translated, for tests. */
  readonly tuning?: Pick<TranslationOptions, "hot" | "quantum">;
}

/** An engine of one kind for every hart. */
export function emittedEngines(
  name: Exclude<EngineName, "reference">,
  { harts, wasm, layout, ramSize, tuning }: EnginesOptions,
): Engine[] {
  const { decoder, isa } = harts[0]!;
  const handlers = new Handlers(decoder, isa.ialign);
  const lines = { at: layout.codeLines, ramHost: layout.ram, ramSize };
  const pages = new DecodedPages(wasm.buffer as ArrayBuffer, layout.pages, lines, decoder, (d) => handlers.of(d));
  // Regions are one hart's: their code has its state's address in it, and the pool's entries name one set of them.
  const translation = name === "auto" && harts.length === 1
    ? { table: layout.regions, lines: layout.codeLines, ...tuning }
    : undefined;
  return harts.map((hart) => new Interpreter(hart, pages, handlers, wasm, translation));
}
