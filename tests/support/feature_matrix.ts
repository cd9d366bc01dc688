/** What virtio devices can be made to offer, in every legal combination, and what a run on such devices shows. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { FeatureSwitchName } from "../../devices/virtio/offered.ts";
import { featureSwitches } from "../../devices/virtio/offered.ts";
import type { GuestProgram } from "../../tools/guest_images.ts";
import { chains, type Facts, featureMask, type Life, notifications } from "./driver_lives.ts";

/** What all devices of a machine offer. */
export interface Combination {
  readonly version: 1 | 2;
  readonly ring: "split" | "packed";
  readonly indirect: boolean;
  readonly event_idx: boolean;
  readonly in_order: boolean;
}

/** The switches of `--device` that a combination sets. */
const SWITCHES = ["packed", "indirect", "event_idx", "in_order"] as const satisfies readonly FeatureSwitchName[];

function isOn(combination: Combination, name: typeof SWITCHES[number]): boolean {
  return name === "packed" ? combination.ring === "packed" : combination[name];
}

/** Every legal combination: the legacy interface has neither packed rings nor IN_ORDER (virtio 1.2 §6). */
export const combinations: readonly Combination[] = ([1, 2] as const).flatMap((version) =>
  (["split", "packed"] as const).flatMap((ring) =>
    [false, true].flatMap((indirect) =>
      [false, true].flatMap((event_idx) =>
        [false, true].map((in_order): Combination => ({ version, ring, indirect, event_idx, in_order }))
      )
    )
  )
).filter(({ version, ring, in_order }) => version === 2 || (ring === "split" && !in_order));

/**
 * The `--device` values that give a program its devices in a combination. What the program's own options say beyond it
 * stays, but for a size of queues that only packed rings can have.
 */
export function devicesFor(program: GuestProgram, combination: Combination): string[] {
  const { version, ring } = combination;
  return program.devices.map((kind) => {
    const own = program.options?.find((option) => option.split(",")[0] === kind)?.split(",").slice(1) ?? [];
    const kept = own.filter((part) => {
      const [name, value] = part.split("=");
      if (SWITCHES.some((one) => one === name)) return false;
      if (name === "queue-size") return ring === "packed" || Number.isInteger(Math.log2(Number(value)));
      return version === 2 || !featureSwitches.some((row) => row.name === name);
    });
    const switches = version === 1 ? SWITCHES.filter((name) => name === "indirect" || name === "event_idx") : SWITCHES;
    const set = switches.map((name) => `${name}=${isOn(combination, name) ? "on" : "off"}`);
    return [kind, `version=${version}`, ...kept, ...set].join(",");
  });
}

/** Rules that an image breaks on purpose, in the order of its breaking them. */
export function brokenOnPurpose(image: string): readonly string[] {
  return image === "block_errors" ? ["blk-range", "blk-range", "blk-range", "blk-range", "blk-type"] : [];
}

/** What a run showed of each feature. */
export interface Exercised {
  /** Chains whose descriptors came from an indirect table. */
  tables: number;
  /** Used buffer notifications that were not sent. */
  suppressed: number;
  /** Times that the place for the next used buffer came to the start of its ring again. */
  around: number;
  /** Times that a 16-bit index came around. */
  wrapped: number;
  /** Buffers told of by one element with others. */
  batched: number;
}

/**
 * Asserts of every life of every driver that it used what was negotiated, and nothing else, and says how much. Drivers
 * may refuse what is offered: then a life has to do without.
 */
export function assertExercised(facts: Facts, combination: Combination): Exercised {
  const sum: Exercised = { tables: 0, suppressed: 0, around: 0, wrapped: 0, batched: 0 };
  const accepted = [...facts.lives.values()].flat().reduce((all, life) => all | life.accepted, 0n);
  const names = { packed: "RING_PACKED", indirect: "INDIRECT_DESC", event_idx: "EVENT_IDX", in_order: "IN_ORDER" };
  for (const name of SWITCHES) {
    const was = (accepted & featureMask(`VIRTIO_F_${names[name]}`)) !== 0n;
    assertEquals(was, isOn(combination, name), `VIRTIO_F_${names[name]} accepted`);
  }
  for (const fact of facts.all) {
    if (fact.kind === "virtqueue" && fact.step === "configured") assertEquals(fact.format, combination.ring);
  }
  for (const lives of facts.lives.values()) {
    for (const life of lives) addLife(life, combination, sum);
  }
  return sum;
}

function addLife(life: Life, { ring }: Combination, sum: Exercised): void {
  const has = (name: string) => (life.accepted & featureMask(name)) !== 0n;
  for (const { descriptors } of chains(life)) {
    const inTable = descriptors.some(({ table }) => table === "indirect");
    // Linux's rule, which the firmware follows: several pieces go into a table if they may.
    assertEquals(inTable, has("VIRTIO_F_INDIRECT_DESC") && descriptors.length > 1);
    if (inTable) sum.tables++;
  }
  const reason = ring === "split"
    ? has("VIRTIO_F_EVENT_IDX") ? /^used_event is / : /^flags is |^VIRTIO_F_NOTIFY_ON_EMPTY$/
    : has("VIRTIO_F_EVENT_IDX")
    ? /^desc_event is |^desc_event_flags is 1$/
    : /^desc_event_flags is [01]$/;
  for (const told of notifications(life)) {
    assertMatch(told.reason, reason);
    if (!told.sent) sum.suppressed++;
  }
  if (has("VIRTIO_F_IN_ORDER")) assert(inOrder(life), "a buffer came back before one that was there first");
  for (const fact of life.queue) if (fact.step === "used") sum.batched += fact.buffers ?? 0;
  addPositions(life, sum);
}

/** Queues of a life that were handed over once more count as new ones. */
function perQueue(life: Life): Life["queue"][] {
  const parts = new Map<number, Life["queue"]>();
  const done: Life["queue"][] = [];
  for (const fact of life.queue) {
    if (fact.step === "stopped") {
      done.push(parts.get(fact.queue) ?? []);
      parts.delete(fact.queue);
      continue;
    }
    const own = parts.get(fact.queue) ?? [];
    own.push(fact);
    parts.set(fact.queue, own);
  }
  return [...done, ...parts.values()];
}

/** Whether buffers came back in the order in which they were made available (virtio 1.2 §6.2). */
export function inOrder(life: Life): boolean {
  return perQueue(life).every((facts) => {
    const heads = facts.flatMap((fact) => fact.step === "chain" ? [fact.head] : []);
    let next = 0;
    return facts.every((fact) => fact.step !== "used" || fact.head === heads[(next += fact.buffers ?? 1) - 1]);
  });
}

function addPositions(life: Life, sum: Exercised): void {
  for (const facts of perQueue(life)) {
    const size = facts.find((fact) => fact.step === "configured")?.size;
    let last = -1;
    for (const fact of facts) {
      if (fact.step !== "used") continue;
      // A packed ring's position is its entry; a split ring's is free-running in 16 bits.
      if (fact.position < last) sum.around++;
      if (fact.position < last && last > 0xff00) sum.wrapped++;
      if (size !== undefined && fact.position > last && fact.position % size === 0 && fact.position > 0) sum.around++;
      last = fact.position;
    }
    assert(last < 0x1_0000);
  }
}
