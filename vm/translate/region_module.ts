/** The WebAssembly module of a region. */
import type { TranslatedRegion } from "../hart/engine_statistics.ts";
import { FloatFunctions } from "./float_functions.ts";
import { IntegerFunctions } from "./integer.ts";
import { RegionEmitter } from "./region_code.ts";
import type { RegionCode } from "./region_values.ts";
import type { Structure } from "./structure.ts";
import { FunctionBody, I32, ModuleWriter } from "./wasm.ts";

/** A region's module, and what is in it for who wants to read it. */
export interface EmittedRegion {
  readonly module: Uint8Array<ArrayBuffer>;
  /** `word` gives the instruction at an offset. */
  readonly describe: (word: (offset: number) => number) => TranslatedRegion;
}

/** The module: exports `region(budget: i32, entry: i32) -> i32`. */
export function emitRegion(code: RegionCode, structure: Structure): EmittedRegion {
  const module = new ModuleWriter();
  const integer = new IntegerFunctions(module, code.xlen);
  const body = new FunctionBody([I32, I32], [I32]);
  const emitter = new RegionEmitter(body, integer, new FloatFunctions(module, code.hart), code, structure);
  emitter.emit();
  const region = module.add(body, "region");
  const bytes = module.encode(code.memoryPages);
  const at = (offset: number) => BigInt.asUintN(code.xlen, code.pc + BigInt(offset));
  return {
    module: bytes,
    describe: (word) => ({
      entries: structure.entries.map(({ block }) => at(block.offset)),
      instructions: emitter.places.map(({ offset, at: place }) => ({
        pc: at(offset),
        word: word(offset),
        at: place,
      })),
      module: bytes,
      function: region,
    }),
  };
}
