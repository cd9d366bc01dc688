/** What is made of repeated measurements. A busy machine only ever adds time, and never evenly: medians, and ratios of neighbours. */

/** The middle value; between the two middle ones where their number is even. Throws a `RangeError` without values. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which the share `q` (0 to 1) of the values lies, interpolated. Throws a `RangeError` without values. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError("statistics: no values");
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low]! + (sorted[Math.ceil(at)]! - sorted[low]!) * (at - low);
}

/** The distance of the quartiles as a share of the median: how noisy the values are. */
export function spread(values: readonly number[]): number {
  return (quantile(values, 0.75) - quantile(values, 0.25)) / median(values);
}

/** The geometric mean, the fair mean of ratios. Throws a `RangeError` without values or where one is not positive. */
export function geomean(values: readonly number[]): number {
  if (values.length === 0 || values.some((v) => !(v > 0))) {
    throw new RangeError(`statistics: a geometric mean needs positive values, got [${values.join(", ")}]`);
  }
  return Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);
}

/**
 * `a` over `b`, repetition by repetition, so that each pair was measured at nearly the same time. Throws a `RangeError`
 * where there are not as many of one as of the other.
 */
export function ratios(a: readonly number[], b: readonly number[]): number[] {
  if (a.length !== b.length) throw new RangeError(`statistics: ${a.length} values against ${b.length}`);
  return a.map((value, i) => value / b[i]!);
}
