/**
 * Property-based: drivers that do everything right, each time otherwise, are told nothing; the same driver with one
 * mistake is told of that one first. `DRIVERS_COUNT=n` runs that many, and a tenth as many with each mistake.
 */
import { assertEquals, assertGreater } from "@std/assert";
import { findRule } from "../../vm/check/rules.ts";
import { Random } from "../support/random.ts";
import { RandomDriver, randomShape, type Shape } from "../support/random_driver.ts";
import { slips } from "../support/random_driver_slips.ts";

const COUNT = Number(Deno.env.get("DRIVERS_COUNT") ?? 60);
const EACH = Math.max(3, Math.floor(COUNT / 10));

/** One mistake in the set-up each, with the rule that it breaks and the version that has it. */
const TAMPERED: readonly (readonly [rule: string, right: string, wrong: string, version?: 1 | 2])[] = [
  ["probe-order", "R000 R004 R008", "R008 R000 R004"],
  ["device-id-unread", "R000 R004 R008", "R000 R004"],
  ["status-not-reset", "W070=0 R070 W070=1", "W070=1"],
  ["reset-unread", "W070=0 R070", "W070=0"],
  ["status-order", "W070=1 W070=3", "W070=2 W070=3"],
  ["status-combined", "W070=1 W070=3", "W070=3"],
  ["features-early", "W070=1 W070=3", "W070=1 W024=0 W020=0 W070=3"],
  ["device-features-sel", "W014=0 R010", "R010"],
  ["features-ok-unread", "W070=b R070", "W070=b", 2],
  ["queue-ready-unread", "R044 R034", "R034", 2],
  ["queue-ready-unread", "R040 R034", "R034", 1],
  ["queue-num-max-unread", "R044 R034", "R044", 2],
  ["legacy-queue-size", "R040 R034", "R040", 1],
  ["legacy-page-size", "W028=1000 ", "", 1],
  ["legacy-align", "W03c=1000 ", "", 1],
  ["queue-ready-value", "W044=1", "W044=3", 2],
];

/** Shapes that a mistake can be made in, with the chance that drives them. */
function* shapes(fits: (shape: Shape) => boolean, count: number): Generator<[seed: number, Shape, Random]> {
  for (let seed = 1; count > 0; seed++) {
    const random = new Random(seed);
    const shape = randomShape(random);
    if (!fits(shape)) continue;
    count--;
    yield [seed, shape, random];
  }
}

Deno.test(`${COUNT} random drivers that keep every rule are told nothing`, () => {
  for (const [seed, shape, random] of shapes(() => true, COUNT)) {
    const driver = new RandomDriver(shape, random);
    assertEquals([driver.run(), [...driver.rig.checker.unruled]], [[], []], `seed ${seed}: ${JSON.stringify(shape)}`);
  }
});

for (const [slip, fits] of Object.entries(slips)) {
  Deno.test(`${slip}: a random driver with that one mistake is told of it first`, () => {
    assertEquals(findRule(slip)?.name, slip);
    let erred = 0;
    for (const [seed, shape, random] of shapes(fits, EACH)) {
      const driver = new RandomDriver(shape, random, slip);
      const [first] = driver.run();
      assertEquals(first, driver.erred ? slip : undefined, `seed ${seed}: ${JSON.stringify(shape)}`);
      if (driver.erred) erred++;
    }
    assertGreater(erred, EACH / 2);
  });
}

for (const [rule, right, wrong, version] of TAMPERED) {
  const only = version === undefined ? "" : `, version ${version}`;
  Deno.test(`${rule}${only}: a random driver with that one mistake in its set-up is told of it first`, () => {
    for (const [seed, shape, random] of shapes((one) => version === undefined || one.version === version, EACH)) {
      const driver = new RandomDriver(shape, random, undefined, (trace) => trace.replace(right, wrong));
      assertEquals(driver.run()[0], rule, `seed ${seed}: ${JSON.stringify(shape)}`);
    }
  });
}
