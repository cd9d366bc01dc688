import type { Hart } from "../hart/hart.ts";

/**
 * The harts that a mask names: bit i is hart `base + i`, and a base of all ones means every hart (sbi §3.1). Undefined if it
 * names one that does not exist.
 */
export function hartSet(
  harts: readonly Hart[],
  mask: bigint,
  base: bigint,
  xlen: 32 | 64,
): readonly Hart[] | undefined {
  if (base === (1n << BigInt(xlen)) - 1n) return harts;
  const found: Hart[] = [];
  for (let i = 0; i < xlen; i++) {
    if (((mask >> BigInt(i)) & 1n) === 0n) continue;
    const index = base + BigInt(i);
    const hart = index < BigInt(harts.length) ? harts[Number(index)] : undefined;
    if (hart === undefined) return undefined;
    found.push(hart);
  }
  return found;
}
