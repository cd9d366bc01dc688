/** Bit manipulation that WebAssembly has no instruction for, as functions of an emitted module. */
import type { Xlen } from "../isa/row.ts";
import { FunctionBody, I32, I64, type ModuleWriter, Op } from "./wasm.ts";

/** Each takes values of XLEN bits and gives one. */
export type BitFunctionName =
  | "rev8"
  | "brev8"
  | "orcb"
  | "zip"
  | "unzip"
  | "clmul"
  | "clmulr"
  | "xperm4"
  | "xperm8";

/** A stage of rearranging: the bits of `mask` change places with those `shift` above them. */
type Swap = readonly [shift: number, mask: number];

/** Bytes within halfwords; RV32 and RV64 go on from there by rotation. */
const BYTES: Swap = [8, 0x00ff00ff];
const BITS: readonly Swap[] = [[1, 0x55555555], [2, 0x33333333], [4, 0x0f0f0f0f]];
const ZIP: readonly Swap[] = [[8, 0x0000ff00], [4, 0x00f000f0], [2, 0x0c0c0c0c], [1, 0x22222222]];

/** The functions of one module, added to it when they are first asked for: few programs need any. */
export class BitFunctions {
  readonly #module: ModuleWriter;
  readonly #xlen: Xlen;
  readonly #indices = new Map<BitFunctionName, number>();

  constructor(module: ModuleWriter, xlen: Xlen) {
    this.#module = module;
    this.#xlen = xlen;
  }

  /** Index of a function, for `call`. */
  index(name: BitFunctionName): number {
    let index = this.#indices.get(name);
    if (index === undefined) {
      index = this.#module.add(new BitFunction(this.#xlen).body(name));
      this.#indices.set(name, index);
    }
    return index;
  }
}

/** Writes one of the functions. */
class BitFunction {
  readonly #wide: boolean;
  readonly #type: typeof I32 | typeof I64;
  #f: FunctionBody = new FunctionBody([], []);

  constructor(xlen: Xlen) {
    this.#wide = xlen === 64;
    this.#type = this.#wide ? I64 : I32;
  }

  body(name: BitFunctionName): FunctionBody {
    switch (name) {
      case "rev8":
        return this.#rev8();
      case "brev8":
        return this.#swaps(BITS);
      case "orcb":
        return this.#orcb();
      case "zip":
        return this.#swaps(ZIP);
      case "unzip":
        return this.#swaps(ZIP.toReversed());
      case "clmul":
        return this.#carryless(false);
      case "clmulr":
        return this.#carryless(true);
      case "xperm4":
        return this.#xperm(4);
      case "xperm8":
        return this.#xperm(8);
    }
  }

  #begin(params: 1 | 2): FunctionBody {
    this.#f = new FunctionBody(new Array(params).fill(this.#type), [this.#type]);
    return this.#f;
  }
  #op(name: "Add" | "Sub" | "Mul" | "And" | "Or" | "Xor" | "Shl" | "ShrU" | "LtU" | "LtS" | "Eqz" | "Rotl"): void {
    this.#f.op(this.#wide ? Op[`I64${name}`] : Op[`I32${name}`]);
  }
  #constant(value: number): void {
    if (this.#wide) this.#f.i64(value);
    else this.#f.i32(value);
  }
  /** A 32-bit pattern, on RV64 twice. */
  #pattern(value: number): void {
    if (this.#wide) this.#f.i64(BigInt.asIntN(64, BigInt(value >>> 0) * 0x1_0000_0001n));
    else this.#f.i32(value);
  }

  /** Changes parameter 0: the bits of `mask` go up by `shift`, those there come down. */
  #swap([shift, mask]: Swap, difference: number): void {
    const f = this.#f;
    f.get(0).get(0);
    this.#constant(shift);
    this.#op("ShrU");
    this.#op("Xor");
    this.#pattern(mask);
    this.#op("And");
    f.tee(difference).get(0);
    this.#op("Xor");
    f.get(difference);
    this.#constant(shift);
    this.#op("Shl");
    this.#op("Xor");
    f.set(0);
  }
  #swaps(list: readonly Swap[]): FunctionBody {
    const f = this.#begin(1);
    const difference = f.local(this.#type);
    for (const swap of list) this.#swap(swap, difference);
    return f.get(0);
  }

  #rev8(): FunctionBody {
    const f = this.#begin(1);
    const difference = f.local(this.#type);
    this.#swap(BYTES, difference);
    if (this.#wide) this.#swap([16, 0x0000ffff], difference);
    f.get(0);
    this.#constant(this.#wide ? 32 : 16);
    this.#op("Rotl");
    return f;
  }

  /** Bit 7 of a byte becomes 1 if any of them is: the sum carries into it from the lower seven. */
  #orcb(): FunctionBody {
    const f = this.#begin(1);
    f.get(0);
    this.#pattern(0x7f7f7f7f);
    this.#op("And");
    this.#pattern(0x7f7f7f7f);
    this.#op("Add");
    f.get(0);
    this.#op("Or");
    this.#constant(7);
    this.#op("ShrU");
    this.#pattern(0x01010101);
    this.#op("And");
    this.#constant(255);
    this.#op("Mul");
    return f;
  }

  /**
   * The lower half of the product goes through the second factor from its lowest bit on and shifts the first one up; the
   * upper half goes from the highest bit on and shifts it down.
   */
  #carryless(upper: boolean): FunctionBody {
    const f = this.#begin(2);
    const sum = f.local(this.#type);
    f.block("done").loop("bit");
    f.get(1);
    this.#op("Eqz");
    f.brIf("done");
    // All ones where the bit is one.
    f.get(sum).get(0);
    this.#constant(0);
    f.get(1);
    if (upper) {
      this.#constant(this.#wide ? 63 : 31);
      this.#op("ShrU");
    } else {
      this.#constant(1);
      this.#op("And");
    }
    this.#op("Sub");
    this.#op("And");
    this.#op("Xor");
    f.set(sum).get(0);
    this.#constant(1);
    this.#op(upper ? "ShrU" : "Shl");
    f.set(0).get(1);
    this.#constant(1);
    this.#op(upper ? "Shl" : "ShrU");
    f.set(1).br("bit").end().end();
    return f.get(sum);
  }

  #xperm(width: 4 | 8): FunctionBody {
    const f = this.#begin(2);
    const [result, at, from] = [f.local(this.#type), f.local(this.#type), f.local(this.#type)];
    const bits = this.#wide ? 64 : 32;
    const field = 2 ** width - 1;
    f.loop("field");
    f.get(1).get(at);
    this.#op("ShrU");
    this.#constant(field);
    this.#op("And");
    this.#constant(width);
    this.#op("Mul");
    f.tee(from);
    this.#constant(bits);
    this.#op("LtU");
    f.if();
    f.get(result).get(0).get(from);
    this.#op("ShrU");
    this.#constant(field);
    this.#op("And");
    f.get(at);
    this.#op("Shl");
    this.#op("Or");
    f.set(result).end();
    f.get(at);
    this.#constant(width);
    this.#op("Add");
    f.tee(at);
    this.#constant(bits);
    this.#op("LtU");
    f.brIf("field").end();
    return f.get(result);
  }
}
