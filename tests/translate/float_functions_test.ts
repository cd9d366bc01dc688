/**
 * The emitted floating-point functions against the exact reference, on operands that lean to where rounding is hard:
 * whatever a function does not decline must have the reference's bits and flags. `FLOAT_CASES=n` tries n per function.
 */
import { assert, assertEquals } from "@std/assert";
import * as float from "../../vm/hart/float.ts";
import { HART } from "../../vm/hart/layout.ts";
import type { FloatFormat, IntegerKind } from "../../vm/isa/float_sem.ts";
import { FFlag, Rounding } from "../../vm/isa/rounding.ts";
import { DECLINED } from "../../vm/translate/float_code.ts";
import { FloatFunctions } from "../../vm/translate/float_functions.ts";
import { ModuleWriter } from "../../vm/translate/wasm.ts";
import { floatEdges, FloatOperands } from "../support/float_operands.ts";
import { Random } from "../support/random.ts";

const CASES = Number(Deno.env.get("FLOAT_CASES") ?? 3000);
const MODES = [0, 1, 2, 3, 4] as const;

/** The functions of a module of their own, with `fflags` behind them. */
class Emitted {
  readonly #fflags: Uint32Array;
  readonly #exports: WebAssembly.Exports;

  constructor() {
    const module = new ModuleWriter();
    const functions = new FloatFunctions(module, 0);
    for (const name of functions.names) module.export(functions.get(name)!, name);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    this.#fflags = new Uint32Array(memory.buffer, HART.fflags, 1);
    const compiled = new WebAssembly.Module(module.encode(1));
    this.#exports = new WebAssembly.Instance(compiled, { env: { memory } }).exports;
  }

  /** Calls a function with `fflags` set to `before`; its result, and `fflags` after it. */
  call(name: string, before: number, ...operands: (bigint | number)[]): { value: bigint; flags: number } {
    this.#fflags[0] = before;
    const result = (this.#exports[name] as (...operands: (bigint | number)[]) => bigint | number)(...operands);
    return { value: BigInt(result), flags: this.#fflags[0] };
  }
}
const emitted = new Emitted();

const hex = (value: bigint): string => `0x${BigInt.asUintN(64, value).toString(16)}`;

interface Checked {
  readonly name: string;
  readonly bits: 32 | 64;
  /** A result that may be `DECLINED`. */
  readonly declines: boolean;
}

/** Compares one call; true if it was declined. */
function check(c: Checked, operands: (bigint | number)[], want: float.FloatResult, before: number): boolean {
  const got = emitted.call(c.name, before, ...operands);
  const text = () =>
    `${c.name}(${operands.map((o) => typeof o === "bigint" ? hex(o) : String(o)).join(", ")}) with fflags ${before}`;
  if (c.declines && BigInt.asUintN(64, got.value) === DECLINED) {
    assertEquals(got.flags, before, `${text()} raised flags and declined`);
    return true;
  }
  const value = BigInt.asUintN(c.bits, got.value);
  if (value !== BigInt.asUintN(c.bits, want.value) || got.flags !== (before | want.flags)) {
    throw new Error(
      `${text()} is ${hex(value)} flags ${got.flags}, expected ${hex(want.value)} flags ${before | want.flags}`,
    );
  }
  return false;
}

/** Flags that may stand before: none, and those that the fast paths look at. */
const BEFORE = [0, FFlag.NX, FFlag.NV | FFlag.DZ, 31] as const;

/** Random calls of one operation in all modes; how many of those that round to nearest even were declined, in percent. */
function compare(
  checked: Checked,
  format: FloatFormat,
  operands: number,
  reference: (operands: readonly bigint[], rm: Rounding) => float.FloatResult,
  takesMode = true,
): number {
  const random = new Random(checked.name.length * 7919 + operands);
  const source = new FloatOperands(random, format);
  let declined = 0;
  let nearest = 0;
  const one = (values: readonly bigint[], rm: Rounding): void => {
    const want = reference(values, rm);
    const was = check(checked, [...values, ...(takesMode ? [rm] : [])], want, random.pick(BEFORE));
    if (rm !== Rounding.NearestEven) return;
    nearest++;
    if (was) declined++;
  };
  const edges = floatEdges(format);
  for (const a of edges) {
    for (const b of operands > 1 ? edges : [0n]) {
      one([a, b, random.pick(edges)].slice(0, operands), Rounding.NearestEven);
    }
  }
  declined = nearest = 0;
  for (let i = 0; i < CASES; i++) {
    const values = Array.from({ length: operands }, () => source.value());
    if (operands === 3 && random.chance(50)) {
      const product = float.multiply(values[0]!, values[1]!, format, random.pick(MODES)).value;
      values[2] = source.near(product);
    }
    if (operands === 2 && random.chance(10)) values[1] = source.near(values[0]!);
    one(values, random.chance(70) ? Rounding.NearestEven : random.pick(MODES));
  }
  return declined * 100 / nearest;
}

for (const format of ["s", "d"] as const) {
  const bits = format === "s" ? 32 : 64;
  const two = {
    fadd: float.add,
    fsub: float.subtract,
    fmul: float.multiply,
    fdiv: float.divide,
  };
  for (const [name, reference] of Object.entries(two)) {
    Deno.test(`${name}.${format}: the emitted function has the reference's bits and flags`, () => {
      const checked = { name: `${name}.${format}`, bits, declines: true } as const;
      const declined = compare(checked, format, 2, ([a, b], rm) => reference(a!, b!, format, rm));
      assert(declined < 40, `${declined} % of the operands were declined`);
    });
  }
  Deno.test(`fsqrt.${format}: the emitted function has the reference's bits and flags`, () => {
    const checked = { name: `fsqrt.${format}`, bits, declines: true } as const;
    const declined = compare(checked, format, 1, ([a], rm) => float.squareRoot(a!, format, rm));
    assert(declined < 20, `${declined} % of the operands were declined`);
  });
  Deno.test(`fma.${format}: the emitted function has the reference's bits and flags`, () => {
    const checked = { name: `fma.${format}`, bits, declines: true } as const;
    const plain = { product: false, addend: false };
    const declined = compare(checked, format, 3, ([a, b, c], rm) => float.multiplyAdd(a!, b!, c!, format, plain, rm));
    assert(declined < 50, `${declined} % of the operands were declined`);
  });
  for (const name of ["fmin", "fmax"] as const) {
    Deno.test(`${name}.${format}: the emitted function has the reference's bits and flags`, () => {
      const checked = { name: `${name}.${format}`, bits, declines: false } as const;
      compare(checked, format, 2, ([a, b]) => float.minMax(a!, b!, format, name), false);
    });
  }
  for (const name of ["feq", "flt", "fle"] as const) {
    Deno.test(`${name}.${format}: the emitted function has the reference's answer and flags`, () => {
      const checked = { name: `${name}.${format}`, bits, declines: false } as const;
      const reference = ([a, b]: readonly bigint[]): float.FloatResult => {
        const { holds, flags } = float.compare(a!, b!, format, name);
        return { value: holds ? 1n : 0n, flags };
      };
      compare(checked, format, 2, reference, false);
    });
  }
}

for (const format of ["h", "s", "d"] as const) {
  for (const how of ["copy", "negate", "xor"] as const) {
    Deno.test(`fsgnj.${how}.${format}: the emitted function has the reference's bits`, () => {
      const checked = { name: `fsgnj.${how}.${format}`, bits: 64, declines: false } as const;
      const reference = ([a, b]: readonly bigint[]) => ({ value: float.injectSign(a!, b!, format, how), flags: 0 });
      compare(checked, format, 2, reference, false);
    });
  }
  Deno.test(`fclass.${format}: the emitted function has the reference's class`, () => {
    const checked = { name: `fclass.${format}`, bits: 64, declines: false } as const;
    compare(checked, format, 1, ([a]) => ({ value: float.classify(a!, format), flags: 0 }), false);
  });
}

for (const [from, to] of [["d", "s"], ["s", "d"], ["h", "d"], ["h", "s"]] as const) {
  Deno.test(`fconvert.${from}.${to}: the emitted function has the reference's bits and flags`, () => {
    const checked = { name: `fconvert.${from}.${to}`, bits: to === "s" ? 32 : 64, declines: true } as const;
    const declined = compare(checked, from, 1, ([a], rm) => float.convert(a!, from, to, rm));
    assert(from === "d" ? declined < 40 : declined === 0, `${declined} % of the operands were declined`);
  });
}

const KINDS: readonly (readonly [string, IntegerKind])[] = [
  ["w", { bits: 32, signed: true }],
  ["wu", { bits: 32, signed: false }],
  ["l", { bits: 64, signed: true }],
  ["lu", { bits: 64, signed: false }],
];

/** A binary64 number of the size of integers: near a half, a whole number or an end of their range. */
function nearIntegers(random: Random): number {
  const whole = 2 ** random.below(66) * (random.chance(50) ? 1 : random.below(1000) / 1000);
  const at = random.chance(50) ? Math.round(whole) : whole;
  const beside = at + random.pick([0, 0.5, -0.5, 0.25, 1, -1, 2 ** -40, -(2 ** -30)]);
  return random.chance(50) ? beside : -beside;
}

const patterns = new DataView(new ArrayBuffer(8));
function bitsOf(value: number): bigint {
  patterns.setFloat64(0, value);
  return patterns.getBigUint64(0);
}
function numberOf(bits: bigint): number {
  patterns.setBigUint64(0, bits);
  return patterns.getFloat64(0);
}

for (const [name, kind] of KINDS) {
  Deno.test(`integer.${name}: the emitted function has the reference's value and flags in every mode`, () => {
    const random = new Random(kind.bits);
    const source = new FloatOperands(random, "d");
    const checked = { name: `integer.${name}`, bits: kind.bits, declines: false } as const;
    for (let i = 0; i < CASES; i++) {
      const value = random.chance(70) ? nearIntegers(random) : numberOf(source.value());
      const rm = random.pick(MODES);
      const want = float.toInteger(bitsOf(value), "d", kind, rm);
      // A number crosses the border as it is; NaNs lose their bits there, which nothing looks at.
      check(checked, [value as unknown as number, rm], want, random.pick(BEFORE));
    }
  });
}

for (const format of ["s", "d"] as const) {
  for (const sign of ["s", "u"] as const) {
    Deno.test(`float.${sign}.${format}: the emitted function has the reference's bits and flags`, () => {
      const random = new Random(format.length + sign.length);
      const checked = { name: `float.${sign}.${format}`, bits: format === "s" ? 32 : 64, declines: true } as const;
      for (let i = 0; i < CASES; i++) {
        const bits = BigInt(random.between(1, 64));
        const raw = random.chance(50)
          ? BigInt.asUintN(64, (1n << bits) + BigInt(random.between(-3, 3)) * (1n << BigInt(random.below(12))))
          : random.bits64() >> (64n - bits);
        const signed = random.chance(50) ? BigInt.asUintN(64, -raw) : raw;
        const value = sign === "s" ? BigInt.asIntN(64, signed) : signed;
        const rm = random.pick(MODES);
        check(checked, [signed, rm], float.fromInteger(value, format, rm), random.pick(BEFORE));
      }
    });
  }
}
