/** Names of the registers (unpriv §"RISC-V Assembly Programmer's Handbook", the psABI's calling convention). */

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

/** ABI names of the floating-point registers by number. */
export const floatRegisterNames: readonly string[] = [
  ..."ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5".split(" "),
  ..."fa6 fa7 fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11".split(" "),
];

const floatNumbers: ReadonlyMap<string, number> = new Map([
  ...floatRegisterNames.map((name, n): [string, number] => [name, n]),
  ...floatRegisterNames.map((_, n): [string, number] => [`f${n}`, n]),
]);

/** ABI name of floating-point register `n` (0..31). Throws a RangeError for any other number. */
export function floatRegisterName(n: number): string {
  const name = floatRegisterNames[n];
  if (name === undefined) throw new RangeError(`register number must be 0 to 31, got ${n}`);
  return name;
}

/** Number of the floating-point register called `name`: an ABI name or `f0` to `f31`. Undefined if there is none. */
export function floatRegisterNumber(name: string): number | undefined {
  return floatNumbers.get(name.toLowerCase());
}
