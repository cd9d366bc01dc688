/**
 * The emitted divisions against exact ones, on operands that lean to where a quotient is almost the next one: those of
 * 64 bits are rounded numbers first. `INTEGER_CASES=n` tries n pairs.
 */
import { assertEquals } from "@std/assert";
import { IntegerFunctions } from "../../vm/translate/integer.ts";
import { ModuleWriter } from "../../vm/translate/wasm.ts";
import { Random } from "../support/random.ts";

const CASES = Number(Deno.env.get("INTEGER_CASES") ?? 20_000);
const NAMES = ["div", "divu", "rem", "remu", "mulh", "mulhu", "mulhsu"] as const;
type Name = typeof NAMES[number];

function functions(xlen: 32 | 64): Record<Name, (a: bigint, b: bigint) => bigint> {
  const module = new ModuleWriter();
  const integer = new IntegerFunctions(module, xlen);
  for (const name of NAMES) module.export(integer.index(name), name);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode(1)), { env: { memory } });
  const called = (name: Name) => (a: bigint, b: bigint) => {
    const call = exports[name] as (a: bigint | number, b: bigint | number) => bigint | number;
    const signed = (n: bigint) => xlen === 64 ? BigInt.asIntN(64, n) : Number(BigInt.asIntN(32, n));
    return BigInt.asUintN(xlen, BigInt(call(signed(a), signed(b))));
  };
  return Object.fromEntries(NAMES.map((name) => [name, called(name)])) as ReturnType<typeof functions>;
}

/** What the M extension says (unpriv §12). */
function expected(name: Name, xlen: 32 | 64, a: bigint, b: bigint): bigint {
  const [sa, sb] = [BigInt.asIntN(xlen, a), BigInt.asIntN(xlen, b)];
  const [x, y] = name.endsWith("su") ? [sa, b] : name.endsWith("u") ? [a, b] : [sa, sb];
  if (name.startsWith("mulh")) return BigInt.asUintN(xlen, (x * y) >> BigInt(xlen));
  if (y === 0n) return name.startsWith("div") ? BigInt.asUintN(xlen, -1n) : a;
  return BigInt.asUintN(xlen, name.startsWith("div") ? x / y : x % y);
}

for (const xlen of [64, 32] as const) {
  Deno.test(`division and high products of ${xlen} bits are exact`, () => {
    const emitted = functions(xlen);
    const random = new Random(20 + xlen);
    const bits = (n: number) =>
      BigInt.asUintN(n, (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32)));
    const edge = () => BigInt.asUintN(xlen, (1n << BigInt(random.below(xlen + 1))) + BigInt(random.below(5) - 2));
    const some = () => random.below(4) === 0 ? edge() : bits(1 + random.below(xlen));
    for (let i = 0; i < CASES; i++) {
      const b = some();
      // A multiple of the divisor, one less or one more; of its magnitude, as a signed division sees it.
      const divisor = random.below(2) === 0 ? b : BigInt.asUintN(xlen, -b);
      const most = divisor === 0n ? 0n : (2n ** BigInt(xlen) - 1n) / divisor;
      const product = (most === 0n ? 0n : bits(xlen) % (most + 1n)) * divisor + BigInt(random.below(3) - 1);
      const a = BigInt.asUintN(xlen, random.below(4) === 0 ? some() : random.below(2) === 0 ? product : -product);
      for (const name of NAMES) {
        assertEquals(
          emitted[name](a, b),
          expected(name, xlen, a, b),
          `${name} 0x${a.toString(16)}, 0x${b.toString(16)}`,
        );
      }
    }
  });
}
