import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { VirtioBlk } from "../../../devices/virtio/blk.ts";
import { chaosTransport } from "../../../devices/virtio/chaos.ts";
import { type ChaosKind, chaosKinds } from "../../../devices/virtio/chaos_kinds.ts";
import { chaosOffer } from "../../../devices/virtio/chaos_offer.ts";
import type { VirtioDevice } from "../../../devices/virtio/device.ts";
import { featureBit } from "../../../devices/virtio/feature_set.ts";
import { featureSwitches } from "../../../devices/virtio/offered.ts";
import { virtioInterrupt, virtioStatus } from "../../../devices/virtio/registers.ts";
import { VirtioRng } from "../../../devices/virtio/rng.ts";
import { isPowerOfTwo } from "../../../vm/bits.ts";
import { IN_ORDER, PackedDriverQueue, RING_PACKED } from "../../support/packed_driver.ts";
import { RecordingDisk } from "../../support/recording_disk.ts";
import { type DriverQueue, type Part, TestDriver, type TestDriverOptions } from "../../support/virtio_driver.ts";

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed);
const ALL = chaosKinds.map((row) => row.name);
const BUFFER = 16;

function chaotic(
  device: VirtioDevice,
  seed: number,
  kinds: readonly ChaosKind[],
  options: TestDriverOptions = {},
): TestDriver {
  return new TestDriver(device, { ...options, transport: chaosTransport({ seed, kinds: new Set(kinds) }, 2) });
}

/** Posts `count` entropy buffers, lets time pass in small steps, and tells when each was used. */
function rounds(d: TestDriver, queue: DriverQueue | PackedDriverQueue, count: number): { id: number; at: number }[] {
  const found: { id: number; at: number }[] = [];
  const part = (): Part[] => [{ addr: d.board.alloc(BUFFER), length: BUFFER, write: true }];
  const heads = Array.from({ length: count }, () => queue.post(part()));
  for (let step = 0; step < 4000 && found.length < count; step++) {
    d.wait(1000);
    for (const { id } of queue.collect()) found.push({ id, at: d.board.clock.now });
  }
  assertEquals(found.length, count, "every buffer is used");
  assertEquals(new Set(found.map(({ id }) => id)), new Set(heads), "and once");
  return found.map(({ id, at }) => ({ id: heads.indexOf(id), at }));
}

/** What `test` says of every seed with these kinds, for one queue of eight buffers in flight. */
function forSeeds<T>(kinds: readonly ChaosKind[], test: (d: TestDriver, queue: DriverQueue) => T): T[] {
  return SEEDS.map((seed) => {
    const d = chaotic(new VirtioRng(), seed, kinds);
    return test(d, d.bringUp([], 8));
  });
}

const inOrder = (found: { id: number }[]): boolean => found.every(({ id }, i) => id === i);

Deno.test("chaos: without a kind nothing is other than without chaos", () => {
  for (const { d, queue } of forSeeds([], (d, queue) => ({ d, queue }))) {
    const found = rounds(d, queue, 8);
    assert(inOrder(found));
    assert(found.every(({ at }) => at === found[0]!.at));
    assertEquals(d.board.of("virtio").filter(({ step }) => step === "chaos"), []);
  }
});

Deno.test("chaos: buffers out of order, late, and in bursts", () => {
  const orders = forSeeds(["reorder"], (d, queue) => rounds(d, queue, 8));
  assert(orders.filter((found) => !inOrder(found)).length > SEEDS.length / 2);
  const late = forSeeds(["late"], (d, queue) => rounds(d, queue, 8));
  assert(late.every(inOrder), "late ones keep the order");
  assert(late.some((found) => found.at(-1)!.at > 100_000), "some take ten times the latency");
  assert(late.some((found) => found.at(-1)!.at < 20_000), "and some none of it");
  const bursts = forSeeds(["burst"], (d, queue) => {
    const posts = Array.from({ length: 6 }, () => {
      const head = queue.post([{ addr: d.board.alloc(BUFFER), length: BUFFER, write: true }]);
      d.wait(3000);
      return head;
    });
    const sizes: number[] = [];
    for (let step = 0; step < 400 && sizes.reduce((sum, n) => sum + n, 0) < posts.length; step++) {
      d.wait(1000);
      const many = queue.collect().length;
      if (many > 0) sizes.push(many);
    }
    return sizes;
  });
  assert(bursts.every((sizes) => sizes.reduce((sum, n) => sum + n, 0) === 6));
  assert(bursts.filter((sizes) => Math.max(...sizes) > 3).length > SEEDS.length / 2);
});

Deno.test("chaos: with IN_ORDER negotiated buffers are used in order all the same", () => {
  for (const seed of SEEDS) {
    const d = chaotic(new VirtioRng(), seed, ["reorder", "late", "burst", "short"], {
      switches: { packed: true, in_order: true },
    });
    d.negotiate([RING_PACKED, IN_ORDER]);
    const queue = new PackedDriverQueue(d, 0, 12);
    d.driverOk();
    const heads = Array.from(
      { length: 12 },
      () => queue.post([{ addr: d.board.alloc(BUFFER), length: BUFFER, write: true }]),
    );
    const used: number[] = [];
    for (let step = 0; step < 400 && queue.inFlight.size > 0; step++) {
      d.wait(10_000);
      used.push(...queue.collect().map(({ id }) => heads.indexOf(id)));
    }
    assertEquals(queue.inFlight.size, 0);
    assertEquals(used, used.toSorted((a, b) => a - b));
  }
});

Deno.test("chaos: spurious interrupts come only to a driver that is there", () => {
  const extra = forSeeds(["spurious"], (d, queue) => {
    const before = d.board.irqRises;
    const idx = queue.usedIdx;
    for (let i = 0; i < 8; i++) {
      queue.post([{ addr: d.board.alloc(BUFFER), length: BUFFER, write: true }]);
      for (let step = 0; step < 60; step++) {
        d.wait(1000);
        if (d.board.irqLevel) d.write("InterruptACK", d.read("InterruptStatus"));
      }
      queue.collect();
    }
    const more = d.board.irqRises - before - (queue.usedIdx - idx);
    queue.post([{ addr: d.board.alloc(BUFFER), length: BUFFER, write: true }]);
    d.write("Status", 0);
    const rises = d.board.irqRises;
    d.wait(1_000_000);
    assertEquals(d.board.irqRises, rises, "none after a reset");
    return more;
  });
  assert(extra.every((more) => more >= 0));
  assert(extra.filter((more) => more > 0).length > SEEDS.length / 2);
});

Deno.test("chaos: entropy for a part of the buffer, never for none of it", () => {
  const lengths = forSeeds(["short"], (d, queue) => {
    queue.post([{ addr: d.board.alloc(BUFFER), length: BUFFER, write: true }]);
    d.wait();
    return queue.collect()[0]!.length;
  });
  assert(lengths.every((length) => length >= 1 && length <= BUFFER));
  assert(lengths.some((length) => length === BUFFER) && lengths.some((length) => length < BUFFER));
});

Deno.test("chaos: a configuration that changes while it is read is told by its generation", () => {
  let torn = 0;
  for (const seed of SEEDS) {
    const d = chaotic(new VirtioBlk({ backend: new RecordingDisk(64 * 512) }), seed, ["config"]);
    const careless = d.readConfig(0, 4) + 2 ** 32 * d.readConfig(4, 4);
    if (careless !== 64) torn++;
    d.bringUp();
    for (let times = 0; times < 20; times++) {
      let value, before;
      do {
        before = d.read("ConfigGeneration");
        value = d.readConfig(0, 4) + 2 ** 32 * d.readConfig(4, 4);
      } while (d.read("ConfigGeneration") !== before);
      assertEquals(value, 64, "a careful driver reads what is");
    }
    const told = (d.read("InterruptStatus") & virtioInterrupt.CONFIG_CHANGE) !== 0;
    assert(told, "changes after DRIVER_OK are notified");
  }
  assert(torn > SEEDS.length / 4);
});

Deno.test("chaos: a device that gives up goes on after a reset, and does so at most twice", () => {
  let gaveUp = 0;
  for (const seed of SEEDS) {
    const d = chaotic(new VirtioRng(), seed, ["needs_reset"]);
    let resets = 0;
    let queue = d.bringUp([], 8);
    for (let done = 0; done < 100;) {
      queue.post([{ addr: d.board.alloc(BUFFER), length: BUFFER, write: true }]);
      d.wait();
      done += queue.collect().length;
      if ((d.read("Status") & virtioStatus.DEVICE_NEEDS_RESET) === 0) continue;
      assert((d.read("InterruptStatus") & virtioInterrupt.CONFIG_CHANGE) !== 0);
      resets++;
      queue = d.bringUp([], 8);
    }
    assert(resets <= 2);
    gaveUp += resets;
    assertEquals(d.board.violations, [], "it is nobody's fault");
  }
  assert(gaveUp > SEEDS.length / 2);
});

Deno.test("chaos: what is offered is legal, and as asked where it was asked for", () => {
  const FLUSH = featureBit(2, "VIRTIO_BLK_F_FLUSH");
  const WCE = featureBit(2, "VIRTIO_BLK_F_CONFIG_WCE");
  const sizes = new Set<number>();
  const sets = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    const settings = { seed, kinds: new Set(ALL) };
    for (const version of [1, 2] as const) {
      const { switches = {}, queueSize = 0 } = chaosOffer(settings, 2, { version });
      assert(queueSize >= 4 && (isPowerOfTwo(queueSize) || switches.packed === true));
      sizes.add(queueSize);
      // Building the device checks that no feature is offered without those it requires.
      const backend = new RecordingDisk(new Uint8Array(64 * 512), true);
      const d = chaotic(new VirtioBlk({ backend, queueSize, features: { discard: true } }), seed, ALL, {
        version,
        switches,
      });
      const offered = d.offered();
      sets.add(offered.join());
      assert(offered.includes(featureBit(2, "VIRTIO_BLK_F_RO")), "a read-only disk says so");
      assert(!offered.includes(WCE) || offered.includes(FLUSH), "§5.2.5.2");
      if (version === 2) {
        d.negotiate(offered);
        assert((d.read("Status") & virtioStatus.FEATURES_OK) !== 0, "all of it can be accepted");
      }
    }
  }
  assert(sizes.size > 100 && [...sizes].some((size) => !isPowerOfTwo(size)));
  assert(sets.size > 200);
  const all = Object.fromEntries(featureSwitches.map(({ name }) => [name, true]));
  const asked = { version: 2, switches: all, queueSize: 7 } as const;
  assertEquals(chaosOffer({ seed: 1, kinds: new Set(ALL) }, 0, asked), { switches: all, queueSize: 7 });
  assertEquals(chaosOffer({ seed: 1, kinds: new Set() }, 0, { version: 2 }), { switches: {} });
});

Deno.test("chaos: a seed repeats, a kind that is off leaves the others as they were, and all of it is told", () => {
  const run = (seed: number, kinds: readonly ChaosKind[]): string[] => {
    const { switches = {} } = chaosOffer({ seed, kinds: new Set(kinds) }, 2, { version: 2 });
    const d = chaotic(new VirtioRng(), seed, kinds, { switches });
    rounds(d, d.bringUp([], 8), 8);
    return d.board.of("virtio").flatMap((fact) => fact.step === "chaos" ? [`${fact.chaos}: ${fact.text}`] : []);
  };
  const some = ["features", "queue_size", "reorder", "late", "short", "spurious"] as const;
  const first = run(11, some);
  assertEquals(run(11, some), first);
  assertNotEquals(run(12, some), first);
  const only = (kind: string, told: readonly string[]): string[] => told.filter((text) => text.startsWith(kind));
  const without = run(11, some.filter((kind) => kind !== "spurious"));
  for (const kind of some) assertEquals(only(kind, without), kind === "spurious" ? [] : only(kind, first), kind);
  const told = new Set(SEEDS.flatMap((seed) => run(seed, some)).map((text) => text.split(":")[0]));
  assertEquals(told, new Set(some));
});
