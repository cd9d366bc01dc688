/** The engines that emit WebAssembly. They are loaded only when a guest has more to do than the reference can do at once. */
import type { Engine, EngineName } from "../hart/engine.ts";
import type { Hart } from "../hart/hart.ts";
import type { Layout } from "../hart/layout.ts";
import { DecodedPages } from "../translate/decoded_pages.ts";
import { Handlers } from "../translate/handlers.ts";
import { EmittedInterpreter } from "../translate/emitted_interpreter.ts";
import { Interpreter } from "../translate/interpreter.ts";
import { Regions } from "../translate/regions.ts";

/** What engines are made for. */
export interface EnginesOptions {
  /** One engine each; all of one ISA. */
  readonly harts: readonly Hart[];
  readonly wasm: WebAssembly.Memory;
  readonly layout: Layout;
  /** Bytes of RAM. */
  readonly ramSize: number;
  /** How eagerly code is translated, for tests: see `Regions` and `Interpreter`. */
  readonly tuning?: { readonly hot: number; readonly quantum: number };
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
  const [hart, running] = [harts[0]!, layout.running];
  const shared = { hart, state: running, handlers, memory: wasm };
  const table = layout.regions;
  const regions = name === "auto"
    ? new Regions({ ...shared, pages, table, lines: layout.codeLines, hot: tuning?.hot })
    : undefined;
  const code = new EmittedInterpreter({
    ...shared,
    ...(regions !== undefined && { regions: { table, functions: regions.functions } }),
  });
  const options = { pages, memory: wasm, code, running, regions, quantum: tuning?.quantum };
  return harts.map((each) => new Interpreter(each, options));
}
