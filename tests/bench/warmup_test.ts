import { assertEquals } from "@std/assert";
import { steadyFrom, stepsAt, timeOf } from "./warmup.ts";

Deno.test("a run's progress is read between its samples", () => {
  const samples = [[10, 100], [20, 400]] as const;
  assertEquals(stepsAt(samples, 5), 50);
  assertEquals(stepsAt(samples, 15), 250);
  assertEquals(stepsAt(samples, 99), 400);
  assertEquals(timeOf(samples, 400), 20);
  assertEquals(timeOf(samples, 50), 5);
});

Deno.test("steady is where the speed that lasts begins", () => {
  // A tenth of the speed for 100 ms.
  const samples = Array.from({ length: 100 }, (_, i): [number, number] => [10 * i, i <= 10 ? i : 10 + 10 * (i - 10)]);
  assertEquals(steadyFrom(samples), 100);
  assertEquals(steadyFrom(samples.map(([at]) => [at, 7 * at])), 0);
});
