/** The shortest part of a list that still does what the whole did, as far as leaving things out finds it. */

/**
 * Leaves out ever smaller stretches of `items` as long as `holds` is true of the rest.
 *
 * ```ts
 * import { shrink } from "./shrink.ts";
 *
 * const found = shrink([1, 2, 3, 4, 5, 6], (some) => some.includes(2) && some.includes(5));
 * if (found.join() !== "2,5") throw new Error(found.join());
 * ```
 */
export function shrink<T>(items: readonly T[], holds: (some: readonly T[]) => boolean): readonly T[] {
  let left = items;
  for (let stretch = Math.ceil(left.length / 2); stretch > 0;) {
    let found = false;
    for (let at = 0; at < left.length;) {
      const rest = [...left.slice(0, at), ...left.slice(at + stretch)];
      if (rest.length < left.length && holds(rest)) {
        left = rest;
        found = true;
      } else at += stretch;
    }
    if (!found || stretch > left.length) stretch = stretch === 1 ? 0 : Math.ceil(stretch / 2);
  }
  return left;
}
