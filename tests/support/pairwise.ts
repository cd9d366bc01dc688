/**
 * Few of `candidates`, so that every pair of values of two properties that occurs together in some candidate occurs in
 * one of them. Greedy, and the same each time.
 *
 * @example
 * ```ts
 * import { pairwise } from "./pairwise.ts";
 * const all = [0, 1].flatMap((a) => [0, 1].flatMap((b) => [0, 1].map((c) => ({ a, b, c }))));
 * if (pairwise(all).length !== 4) throw new Error("four of the eight have all pairs");
 * ```
 */
export function pairwise<T extends object>(candidates: readonly T[]): T[] {
  const pairs = candidates.map((candidate) => {
    const values = Object.entries(candidate).map(([name, value]) => `${name}=${String(value)}`);
    return values.flatMap((one, i) => values.slice(i + 1).map((other) => `${one} ${other}`));
  });
  const missing = new Set(pairs.flat());
  const chosen: T[] = [];
  while (missing.size > 0) {
    let best = 0;
    let most = -1;
    pairs.forEach((own, i) => {
      const fresh = own.reduce((sum, pair) => sum + (missing.has(pair) ? 1 : 0), 0);
      if (fresh > most) [best, most] = [i, fresh];
    });
    for (const pair of pairs[best]!) missing.delete(pair);
    chosen.push(candidates[best]!);
  }
  return chosen;
}
