import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { geomean, median, quantile, ratios, spread } from "./statistics.ts";

Deno.test("the median is the middle value, whatever the order", () => {
  assertEquals(median([9, 1, 5]), 5);
  assertEquals(median([10, 2]), 6);
  assertEquals(median([7]), 7);
  // As numbers, not as text.
  assertEquals(median([100, 20, 3]), 20);
});

Deno.test("one outlier does not move the median", () => {
  assertEquals(median([1, 1, 1, 1, 1000]), 1);
});

Deno.test("quantiles are interpolated", () => {
  assertEquals(quantile([0, 10], 0.25), 2.5);
  assertEquals(quantile([4, 1, 3, 2, 5], 0.75), 4);
  assertEquals([quantile([3, 1, 2], 0), quantile([3, 1, 2], 1)], [1, 3]);
});

Deno.test("the spread is the quartiles' distance over the median", () => {
  assertEquals(spread([5, 5, 5]), 0);
  assertEquals(spread([1, 2, 3, 4, 5]), 2 / 3);
});

Deno.test("the geometric mean takes a ratio and its inverse as nothing", () => {
  assertAlmostEquals(geomean([4, 0.25]), 1);
  assertAlmostEquals(geomean([1, 10, 100]), 10);
});

Deno.test("ratios go repetition by repetition", () => {
  // The second repetition was slow for both: the ratio stays.
  assertEquals(ratios([200, 100], [400, 200]), [0.5, 0.5]);
});

Deno.test("nothing measured is an error, not a number", () => {
  assertThrows(() => median([]), RangeError, "no values");
  assertThrows(() => geomean([]), RangeError, "positive");
  assertThrows(() => geomean([1, 0]), RangeError, "[1, 0]");
  assertThrows(() => ratios([1], []), RangeError, "1 values against 0");
});
