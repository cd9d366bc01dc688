/** Names of the integer registers (unpriv §"RISC-V Assembly Programmer's Handbook", the psABI's calling convention). */

/** ABI names by register number. x8 is `s0` here and is understood as `fp` too. */
export const registerNames: readonly string[] = [
  ..."zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5".split(" "),
  ..."a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6".split(" "),
];

const numbers: ReadonlyMap<string, number> = new Map([
  ...registerNames.map((name, n): [string, number] => [name, n]),
  ...registerNames.map((_, n): [string, number] => [`x${n}`, n]),
  ["fp", 8],
]);

/** ABI name of register `n` (0..31). Throws a RangeError for any other number. */
export function registerName(n: number): string {
  const name = registerNames[n];
  if (name === undefined) throw new RangeError(`register number must be 0 to 31, got ${n}`);
  return name;
}

/** Number of the register called `name`: an ABI name, `x0` to `x31`, or `fp`. Undefined if there is none. */
export function registerNumber(name: string): number | undefined {
  return numbers.get(name.toLowerCase());
}
