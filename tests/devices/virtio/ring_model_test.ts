/**
 * Both ring formats against a model of the driver: arbitrary interleavings of what driver and device do, indexes that
 * wrap, and every size of queue. RING_SIZES=all tries all 32,768 packed sizes (`deno task test:rings`).
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Random } from "../../support/random.ts";
import { type Piece, type RingForm, RingModel } from "../../support/ring_model.ts";
import { grouped, parts, Tally } from "../../support/tally.ts";

const FORMS: readonly Omit<RingForm, "size">[] = [false, true].flatMap((packed) =>
  [false, true].flatMap((eventIdx) =>
    [false, true].flatMap((indirect) => [false, true].map((inOrder) => ({ packed, eventIdx, indirect, inOrder })))
  )
);

function nameOf(form: Omit<RingForm, "size">): string {
  const on = (["eventIdx", "indirect", "inOrder"] as const).filter((key) => form[key]);
  return [form.packed ? "packed" : "split", ...on].join(", ");
}

/** A step of driver or device. */
type Step =
  | { readonly do: "post"; readonly pieces: readonly Piece[]; readonly indirect: boolean }
  | { readonly do: "notify" | "spurious" | "collect" }
  | { readonly do: "use"; readonly index: number; readonly written: number }
  | { readonly do: "suppress" | "want"; readonly ahead: number }
  | { readonly do: "quiet"; readonly on: boolean };

/** Device-readable pieces come before device-writable ones (§2.7.4.2, §2.8.17). */
const pieces: fc.Arbitrary<Piece[]> = fc.tuple(
  fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 3 }),
  fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }),
).filter(([out, into]) => out.length + into.length > 0).map(([out, into]) => [
  ...out.map((length) => ({ length, write: false })),
  ...into.map((length) => ({ length, write: true })),
]);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("post" as const), pieces, indirect: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("notify" as const, "spurious" as const, "collect" as const) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("use" as const),
      index: fc.nat(40),
      written: fc.oneof(fc.nat(30), fc.constant(99)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("suppress" as const, "want" as const), ahead: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("quiet" as const), on: fc.boolean() }) },
);

function play(model: RingModel, one: Step): void {
  switch (one.do) {
    case "post":
      model.post(one.pieces, one.indirect);
      break;
    case "notify":
      model.notify();
      break;
    case "spurious":
      model.notifyAnyway();
      break;
    case "collect":
      model.collect();
      break;
    case "use":
      if (model.device.held.length > 0) model.use(one.index, one.written);
      break;
    case "suppress":
      // With EVENT_IDX a split queue has only positions: one that is far away is as good as none.
      if (model.form.eventIdx && !model.form.packed) model.wantEvent(one.ahead + 2 * model.form.size);
      else model.wantInterrupts(false);
      break;
    case "want":
      if (model.form.eventIdx) model.wantEvent(one.ahead % model.form.size);
      else model.wantInterrupts(true);
      break;
    case "quiet":
      model.device.transport.queue(0).suppressNotifications(one.on);
      // §2.7.10: who wants notifications again looks first.
      if (!one.on) model.device.process(0);
      break;
  }
}

/** Brings everything home: what was made available is taken, given back and collected. */
function settle(model: RingModel): void {
  model.device.transport.queue(0).suppressNotifications(false);
  model.device.process(0);
  // From here on the device has to ask for every notification it needs.
  model.post([{ length: 1, write: true }]);
  model.notify();
  while (model.device.held.length > 0) model.use(0, 5);
  model.collect();
  assertEquals(model.inFlight, 0, "a buffer was lost");
  assertEquals(model.d.board.violations, []);
}

for (const form of FORMS) {
  Deno.test(`${nameOf(form)}: arbitrary interleavings give every byte, length and interrupt`, () => {
    fc.assert(
      fc.property(
        form.packed ? fc.integer({ min: 1, max: 20 }) : fc.constantFrom(1, 2, 4, 8, 16),
        fc.array(step, { minLength: 10, maxLength: 120 }),
        (size, steps) => {
          const model = new RingModel({ ...form, size });
          for (const one of steps) play(model, one);
          settle(model);
        },
      ),
      { numRuns: 30, seed: 5 },
    );
  });
}

/** Posts, uses and collects at random until `count` buffers are through; returns the model. */
function churn(form: RingForm, count: number, seed: number): RingModel {
  const model = new RingModel(form, { watched: false });
  const random = new Random(seed);
  const some = (): Piece[] => [
    { length: random.between(1, 3), write: false },
    ...(random.chance(50) ? [{ length: 2, write: true }] : []),
  ];
  for (let before = -1, idle = 0; model.collected < count;) {
    idle = model.collected === before ? idle + 1 : 0;
    before = model.collected;
    assert(idle < 1000, `nothing is used any more after ${before} buffers: a notification was lost`);
    for (let n = random.between(1, form.size); n > 0 && model.post(some(), random.chance(30)); n--);
    model.notify();
    for (let n = random.between(1, form.size); n > 0 && model.device.held.length > 0; n--) {
      model.use(random.below(8), random.below(3));
    }
    if (random.chance(80)) model.collect();
    if (random.chance(5)) play(model, { do: random.chance(50) ? "suppress" : "want", ahead: random.below(form.size) });
    model.device.calls.length = 0;
  }
  while (model.device.held.length > 0) model.use(0, 1);
  model.collect();
  return model;
}

const ALL_SIZES = Deno.env.get("RING_SIZES") === "all";
const tally = new Tally("test:rings", ALL_SIZES);

/** More than an index of 16 bits counts. */
const BUFFERS = 66_000;

for (const form of FORMS.filter(({ indirect }) => indirect)) {
  Deno.test(`${nameOf(form)}: ${grouped(BUFFERS)} buffers, so that 16-bit indexes wrap`, () => {
    // A packed ring of odd size wraps at other places than its indexes.
    const model = churn({ ...form, size: form.packed ? 13 : 16 }, BUFFERS, 3);
    assert(model.posted > 0x1_0000);
    assert(model.interrupts > 0 && model.suppressed > 0);
    tally.add(`buffers through a ${form.packed ? "packed" : "split"} ring`, model.collected);
  });
}

/**
 * Fills a queue of this size to the last entry, `rounds` times, each time from one entry further on, so that its end
 * comes in the middle of the longest chain. Queues are of any size, and there are many of them: a chain of nearly all
 * entries goes around in one.
 */
function fill(form: RingForm, rounds: number): void {
  const model = new RingModel(form, { watched: false });
  const { size } = form;
  const single = Math.min(size - 1, 20);
  const through = (count: number): void => {
    model.notify();
    assertEquals(model.device.held.length, count, `size ${size}`);
    while (model.device.held.length > 0) model.use(count, 1);
    assertEquals(model.collect(), count);
    model.device.calls.length = 0;
  };
  for (let round = 0; round < rounds; round++) {
    assert(model.post([{ length: 1, write: true }]));
    through(1);
    for (let i = 0; i < single; i++) assert(model.post([{ length: 1, write: i % 2 === 0 }]), `size ${size}`);
    assert(model.postLong(size - single), `size ${size}`);
    assert(!model.post([{ length: 1, write: true }]), `size ${size} takes more`);
    through(single + 1);
  }
  assert(model.post([{ length: 1, write: true }]));
  through(1);
  assertEquals(model.inFlight, 0);
  assert(model.posted === rounds * (single + 2) + 1 && model.collected === model.posted);
  tally.add(`${form.packed ? "packed" : "split"} rings filled over their end`);
}

/** Once around each of all sizes is work for minutes. */
const ROUNDS = ALL_SIZES ? 1 : 3;
const random = new Random(1);
const packedSizes = ALL_SIZES ? Array.from({ length: 32768 }, (_, i) => i + 1) : [
  ...Array.from({ length: 50 }, (_, i) => i + 1),
  ...Array.from({ length: 8 }, () => random.between(51, 32768)),
  32767,
  32768,
];

Deno.test("split: every size, a power of two up to 32,768, is filled to the last entry, over its end too", () => {
  for (let size = 1; size <= 32768; size *= 2) {
    for (const both of size > 1024 ? [true] : [false, true]) {
      fill({ packed: false, eventIdx: both, indirect: false, inOrder: both, size }, 3);
    }
  }
});

const sizesText = `${grouped(packedSizes.length)} sizes from 1 to ${grouped(32768)}`;
Deno.test(`packed: ${sizesText} are filled to the last entry, over their end too`, async (t) => {
  for (const [from, to] of parts(0, packedSizes.length, 4096)) {
    const run = (): void => {
      for (const size of packedSizes.slice(from, to)) {
        fill({ packed: true, eventIdx: size % 2 === 0, indirect: false, inOrder: size % 3 === 0, size }, ROUNDS);
      }
    };
    if (!ALL_SIZES) run();
    else await t.step(`sizes ${grouped(packedSizes[from]!)} to ${grouped(packedSizes[to - 1]!)}`, run);
  }
});
