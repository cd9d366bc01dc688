/**
 * Every image with virtio drivers on devices that offer any legal combination of interface, ring format, INDIRECT_DESC,
 * EVENT_IDX and IN_ORDER: it passes, breaks no rule, and the devices tell that what was negotiated was used, and nothing
 * else. Here pairwise, on the default engine; with `deno task test:matrix`, which sets FEATURE_MATRIX=all, every
 * combination for both widths on all engines, but for the long image, which is pairwise on the reference executor.
 */
import { assert, assertEquals } from "@std/assert";
import { guestPrograms } from "../../tools/guest_images.ts";
import { type EngineName, engineNames } from "../../vm/machine.ts";
import { factsOf } from "../support/driver_lives.ts";
import {
  assertExercised,
  brokenOnPurpose,
  type Combination,
  combinations,
  devicesFor,
  type Exercised,
} from "../support/feature_matrix.ts";
import { pairwise } from "../support/pairwise.ts";
import { Tally } from "../support/tally.ts";

const ALL = Deno.env.get("FEATURE_MATRIX") === "all";
const programs = guestPrograms.filter(({ kind, drivers }) => kind === "firmware" && drivers !== undefined);

/** What images are sure to do where the combination allows it. */
const SHOWN: readonly {
  readonly what: keyof Exercised;
  readonly when: (combination: Combination) => boolean;
  readonly images: string;
}[] = [
  {
    what: "tables",
    when: ({ indirect }) => indirect,
    images: "demo block block_errors legacy indirect event_idx freeze block_requests block_queues",
  },
  { what: "suppressed", when: ({ event_idx }) => event_idx, images: "block late_callback event_idx freeze index_wrap" },
  { what: "suppressed", when: ({ event_idx }) => !event_idx, images: "late_callback event_idx" },
  {
    what: "around",
    when: ({ ring }) => ring === "packed",
    images: "block packed notification_data ring_reset index_wrap",
  },
  { what: "wrapped", when: ({ ring }) => ring === "split", images: "index_wrap" },
  { what: "batched", when: ({ in_order }) => in_order, images: "in_order" },
];

const tally = new Tally("test:matrix", ALL);
const TOLD: Readonly<Record<keyof Exercised, string>> = {
  tables: "indirect tables",
  suppressed: "suppressed notifications",
  around: "times around a ring",
  wrapped: "wraps of a 16-bit index",
  batched: "buffers used in batches",
};

/** One run of the matrix. */
interface Case extends Combination {
  readonly image: string;
  readonly xlen: 32 | 64;
  readonly engine: EngineName;
}

function describe({ version, ring, indirect, event_idx, in_order }: Combination): string {
  const features = Object.entries({ indirect, event_idx, in_order }).flatMap(([name, on]) => on ? [name] : []);
  return [`version ${version}`, ring, ...features].join(", ");
}

async function check(one: Case): Promise<Exercised> {
  const program = programs.find(({ name }) => name === one.image)!;
  const { version, xlen, engine } = one;
  const facts = await factsOf(program, xlen, { version, engine, devices: devicesFor(program, one), steps: 10 ** 10 });
  assertEquals(facts.violations.map(({ id }) => id), brokenOnPurpose(one.image));
  const exercised = assertExercised(facts, one);
  for (const { what, when, images } of SHOWN) {
    if (when(one) && images.split(" ").includes(one.image)) assert(exercised[what] > 0, `${what}: none`);
  }
  tally.add(`runs on ${engine}`);
  for (const [what, name] of Object.entries(TOLD)) tally.add(name, exercised[what as keyof Exercised]);
  return exercised;
}

const every = programs.filter(({ long }) => ALL || !long).flatMap(({ name: image, virtioVersion }) =>
  combinations.filter(({ version }) => virtioVersion === undefined || version === virtioVersion).flatMap((
    combination,
  ) =>
    ([64, 32] as const).flatMap((xlen) =>
      (ALL ? engineNames : ["auto" as const]).map((engine): Case => ({ image, ...combination, xlen, engine }))
    )
  )
);
/** Most of a minute each; other images go the same ways on the reference executor in fewer steps. */
const slow = every.filter(({ image, engine }) =>
  engine === "reference" && programs.some(({ name, long }) => name === image && long)
);
const cases = [...every.filter((one) => !slow.includes(one)), ...pairwise(slow)];

// One engine after the other: what is wrong on all of them shows on the fastest.
const inTurn = engineNames.toReversed().flatMap((engine) => cases.filter((one) => one.engine === engine));
for (const one of ALL ? inTurn : pairwise(cases)) {
  Deno.test(`${one.image}, RV${one.xlen}, ${one.engine}: ${describe(one)}`, async () => void await check(one));
}

for (const ring of ["split", "packed"] as const) {
  Deno.test(`index_wrap: more than 65,536 requests through a ${ring} ring`, async () => {
    const features = { version: 2, ring, indirect: true, event_idx: true, in_order: ring === "split" } as const;
    const { around, wrapped, suppressed } = await check({ image: "index_wrap", xlen: 64, engine: "auto", ...features });
    assert(around > 1000 && suppressed > 60_000, `${around} ${suppressed}`);
    assertEquals(wrapped, ring === "split" ? 1 : 0);
  });
}

Deno.test("the pairwise cases have every pair of values that a legal case can have", () => {
  const pairs = (list: readonly Case[]) =>
    new Set(list.flatMap((one) => {
      const values = Object.entries(one).map(([name, value]) => `${name}=${value}`);
      return values.flatMap((a, i) => values.slice(i + 1).map((b) => `${a} ${b}`));
    }));
  assertEquals(pairs(pairwise(cases)), pairs(cases));
});
