/** The letters of bit manipulation as WebAssembly: its own instructions, or calls. */
import type { BitSem } from "../isa/bit_sem.ts";
import type { Xlen } from "../isa/row.ts";
import type { BitFunctionName, BitFunctions } from "./bit_functions.ts";
import type { OnStack } from "./emit.ts";
import { type FunctionBody, Op } from "./wasm.ts";

const VALUE: OnStack = "value";

/** Emits into one function. */
export class BitEmitter implements BitSem<OnStack> {
  readonly #f: FunctionBody;
  readonly #functions: BitFunctions;
  readonly #xlen: Xlen;

  constructor(f: FunctionBody, functions: BitFunctions, xlen: Xlen) {
    this.#f = f;
    this.#functions = functions;
    this.#xlen = xlen;
  }

  #own(name: "Clz" | "Ctz" | "Popcnt" | "Rotl" | "Rotr"): OnStack {
    this.#f.op(this.#xlen === 64 ? Op[`I64${name}`] : Op[`I32${name}`]);
    return VALUE;
  }
  #call(name: BitFunctionName): OnStack {
    this.#f.call(this.#functions.index(name));
    return VALUE;
  }

  clz(_a: OnStack): OnStack {
    return this.#own("Clz");
  }
  ctz(_a: OnStack): OnStack {
    return this.#own("Ctz");
  }
  cpop(_a: OnStack): OnStack {
    return this.#own("Popcnt");
  }
  // WebAssembly rotations count modulo the width too.
  rol(_a: OnStack, _amount: OnStack): OnStack {
    return this.#own("Rotl");
  }
  ror(_a: OnStack, _amount: OnStack): OnStack {
    return this.#own("Rotr");
  }
  rev8(_a: OnStack): OnStack {
    return this.#call("rev8");
  }
  brev8(_a: OnStack): OnStack {
    return this.#call("brev8");
  }
  orcb(_a: OnStack): OnStack {
    return this.#call("orcb");
  }
  zip(_a: OnStack): OnStack {
    return this.#call("zip");
  }
  unzip(_a: OnStack): OnStack {
    return this.#call("unzip");
  }
  clmul(_a: OnStack, _b: OnStack): OnStack {
    return this.#call("clmul");
  }
  clmulr(_a: OnStack, _b: OnStack): OnStack {
    return this.#call("clmulr");
  }
  xperm(_a: OnStack, _indices: OnStack, width: 4 | 8): OnStack {
    return this.#call(width === 4 ? "xperm4" : "xperm8");
  }
}
