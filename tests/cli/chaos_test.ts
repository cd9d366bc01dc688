import { assert, assertEquals, assertThrows } from "@std/assert";
import { chaosKinds } from "../../devices/virtio/chaos_kinds.ts";
import { type Chaos, parseChaos } from "../../vm/cli/chaos.ts";
import { assignSlots, parseDevice } from "../../vm/cli/device_spec.ts";
import { UsageError } from "../../vm/cli/errors.ts";

const ALL = chaosKinds.map((row) => row.name);
const seeds = Array.from({ length: 50 }, (_, seed) => parseChaos(`seed=${seed}`));

Deno.test("--chaos: a seed, and kinds that are switched off and on in the order given", () => {
  const kinds = (text: string): string[] => [...parseChaos(text).settings.kinds];
  assertEquals(kinds("seed=7"), ALL);
  assertEquals(parseChaos("seed=4294967295").settings.seed, 2 ** 32 - 1);
  assertEquals(kinds("late=off,seed=7"), ALL.filter((kind) => kind !== "late"));
  assertEquals(kinds("seed=7,all=off,late=on,short=on"), ["late", "short"]);
  assertEquals(kinds("seed=7,late=on,all=off"), []);
});

Deno.test("--chaos: what is wrong is said in a line", () => {
  for (
    const [text, message] of [
      ["late=off", '--chaos: expected seed=N, got "late=off"'],
      ["seed=x", '--chaos: seed: expected a whole number from 0 to 4294967295, got "x"'],
      ["seed=1,late", '--chaos: expected late=on|off, got "late"'],
      ["seed=1,late=yes", '--chaos: late: expected on or off, got "yes"'],
      [
        "seed=1,laet=off",
        `--chaos: unknown kind "laet"; expected one of seed, all, ${ALL.join(", ")}; did you mean late?`,
      ],
    ] as const
  ) assertThrows(() => parseChaos(text), UsageError, message);
});

Deno.test("--chaos: slots are filled from the highest down for some seeds, asked ones stay", () => {
  assertEquals(new Set(seeds.map((chaos) => chaos.reversed)), new Set([true, false]));
  assert(seeds.every(({ settings: { seed } }) => !parseChaos(`seed=${seed},slots=off`).reversed));
  const kinds = assignSlots([parseDevice("rng,slot=7"), parseDevice("dummy")], true, true).map((spec) => spec?.kind);
  assertEquals(kinds.join(), ",,,,dummy,blk,console,rng");
});

Deno.test("--chaos: devices are offered otherwise, except for what was asked for", () => {
  const specs = [undefined, parseDevice("rng,packed=off,queue-size=32,event_idx=on"), parseDevice("blk,version=1")];
  const offers = seeds.map((chaos: Chaos) => chaos.offers(specs, 2));
  for (const [empty, rng, blk] of offers) {
    assertEquals(empty, undefined);
    assertEquals([rng!.switches!.packed, rng!.switches!.event_idx, rng!.queueSize], [false, true, 32]);
    assertEquals(blk!.switches!.packed, undefined, "the legacy interface has no such feature");
  }
  assert(new Set(offers.map(([, rng]) => rng!.switches!.indirect)).size === 2);
  assert(new Set(offers.map(([, , blk]) => blk!.queueSize)).size > 4);
});
