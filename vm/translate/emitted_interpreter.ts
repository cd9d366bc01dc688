/** The interpreter's WebAssembly, in as many versions as there have been uses for; it serves all harts. */
import type { Hart } from "../hart/hart.ts";
import type { Handlers } from "./handlers.ts";
import { emitInterpreter } from "./interpreter_code.ts";

/** What it is emitted for. */
export interface EmittedInterpreterOptions {
  /** One of the harts: what is asked of it is the same for all. */
  readonly hart: Hart;
  /** Host address of the state of the hart that runs. */
  readonly state: number;
  readonly handlers: Handlers;
  readonly memory: WebAssembly.Memory;
  /** Host address of the region table, and the regions' functions. */
  readonly regions?: { readonly table: number; readonly functions: WebAssembly.Table };
}

/** `run(budget)` as it has to be now. */
export class EmittedInterpreter {
  /** Runs the hart whose state is in place; gives an `Exit`. */
  run: (budget: number) => number;
  readonly #o: EmittedInterpreterOptions;
  /** Versions once they are made, by whether they record and whether they count fences. */
  readonly #versions = new Map<string, (budget: number) => number>();
  /** Whether there is code for rare instructions. */
  #rare = false;

  constructor(options: EmittedInterpreterOptions) {
    this.#o = options;
    this.run = this.#version();
  }

  /** Follows what listeners want to know. */
  specialise(): void {
    this.run = this.#version();
  }

  /** Emits code for rare instructions too, once one has been met. */
  widen(): void {
    if (this.#rare || !this.#o.handlers.rareSeen) return;
    this.#rare = true;
    this.#versions.clear();
    this.run = this.#version();
  }

  #version(): (budget: number) => number {
    const { hart, state, handlers, memory } = this.#o;
    const records = hart.records.active;
    const watch = hart.events.watches.active;
    const version = `${records} ${watch}`;
    let run = this.#versions.get(version);
    if (run === undefined) {
      // Recording code knows no regions.
      const regions = records ? undefined : this.#o.regions;
      const bytes = emitInterpreter(
        {
          xlen: hart.xlen,
          ialign: hart.isa.ialign,
          hart: state,
          records,
          watch,
          rare: this.#rare,
          memoryPages: memory.buffer.byteLength / 0x1_0000,
          ...(regions !== undefined && { regions: regions.table }),
        },
        handlers,
      );
      const env = { memory, ...(regions !== undefined && { table: regions.functions }) };
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
      run = instance.exports["run"] as (budget: number) => number;
      this.#versions.set(version, run);
    }
    return run;
  }
}
