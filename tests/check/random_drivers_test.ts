/**
 * Property-based: drivers that do everything right, each time otherwise, are told nothing; the same driver with one
 * mistake is told of that one first. `DRIVERS_COUNT=n` runs that many.
 */
import { assertEquals } from "@std/assert";
import { CheckRig, LIVE } from "../support/check_rig.ts";
import { Random } from "../support/random.ts";
import { HoldingDevice } from "../support/virtio_device.ts";
import type { Part } from "../support/virtio_driver.ts";

const COUNT = Number(Deno.env.get("DRIVERS_COUNT") ?? 200);

/** A chain of up to four buffers, readable ones first. */
function chain(rig: CheckRig, random: Random): Part[] {
  const readable = random.below(3);
  const writable = random.between(readable === 0 ? 1 : 0, 2);
  const part = (write: boolean) => rig.part(random.between(1, 256), write);
  return [
    ...Array.from({ length: readable }, () => part(false)),
    ...Array.from({ length: writable }, () => part(true)),
  ];
}

/** Lives of one device: set up, requests in any number answered in any order, reset, and again. */
function validDriver(rig: CheckRig, random: Random): void {
  for (let life = random.between(1, 3); life > 0; life--) {
    // A new life begins at the start of the rings.
    const { memory } = rig.d.board;
    memory.write(rig.queue.avail + 2, 2, 0);
    memory.write(rig.queue.used + 2, 2, 0);
    rig.queue.availIdx = 0;
    rig.play(LIVE);
    requests(rig, random);
    rig.play("W070=0 R070");
  }
}

function requests(rig: CheckRig, random: Random): void {
  const { held, transport } = rig.device as HoldingDevice;
  const { used, size } = rig.queue;
  for (let n = 0, end = random.between(1, 12); n < end; n++) {
    const parts = chain(rig, random);
    parts.forEach(({ addr, length, write }, i) =>
      rig.queue.setDescriptor({
        addr,
        length,
        flags: (write ? 2 : 0) | (i < parts.length - 1 ? 1 : 0),
        next: i < parts.length - 1 ? i + 1 : 0,
      }, i)
    );
    rig.queue.publish(0);
    rig.queue.notify();
    // What the device writes is not read, and what it reads is not written, before it is done with them.
    for (const { addr, write } of parts) if (!write) rig.access(false, addr, 1);
    transport.queue(0).push(held.shift()!, 0);
    rig.access(false, used + 2, 2).access(false, used + 4 + 8 * (n % size), 4, 0, 1);
    for (const { addr, write } of parts) rig.access(!write, addr, 1, 0, 1);
    rig.irq("claimed").play("R060 W064=1").irq("completed");
  }
}

/** One mistake in the set-up each, with the rule that it breaks. */
const MUTANTS: readonly (readonly [rule: string, right: string, wrong: string])[] = [
  ["reset-unread", "W070=0 R070", "W070=0"],
  ["status-order", "W070=1 W070=3", "W070=2 W070=3"],
  ["features-ok-unread", "W070=b R070", "W070=b"],
  ["queue-ready-unread", "W030=0 R044", "W030=0"],
  ["queue-num-max-unread", "R034 ", ""],
  ["probe-order", "R000 R004 R008", "R008 R000 R004"],
  ["queue-num", "W038=SIZE", "W038=400"],
];

Deno.test(`${COUNT} random drivers that keep every rule are told nothing`, () => {
  for (let seed = 1; seed <= COUNT; seed++) {
    const random = new Random(seed);
    const rig = new CheckRig({ queueSize: 2 ** random.between(2, 4) });
    validDriver(rig, random);
    assertEquals(rig.found, [], `seed ${seed}`);
  }
});

for (const [rule, right, wrong] of MUTANTS) {
  Deno.test(`${rule}: a random driver with that one mistake is told of it first`, () => {
    const play = LIVE;
    assertEquals(play.includes(right), true, `${right} is not in ${play}`);
    for (let seed = 1; seed <= 10; seed++) {
      const random = new Random(seed);
      const rig = new CheckRig({ queueSize: 2 ** random.between(2, 4) });
      rig.play(play.replace(right, wrong));
      if (rule !== "queue-num") requests(rig, random);
      assertEquals(rig.found[0], rule, `seed ${seed}: ${rig.found}`);
    }
  });
}
