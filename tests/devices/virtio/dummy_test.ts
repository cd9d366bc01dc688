import { assert, assertEquals, assertThrows } from "@std/assert";
import { type DummyOptions, VirtioDummy } from "../../../devices/virtio/dummy.ts";
import { featureBit } from "../../../devices/virtio/feature_set.ts";
import { virtioStatus } from "../../../devices/virtio/registers.ts";
import { PackedDriverQueue, RING_PACKED, RING_RESET } from "../../support/packed_driver.ts";
import { type DriverQueue, INDIRECT_DESC, TestDriver } from "../../support/virtio_driver.ts";

const VERSIONS = [1, 2] as const;
const LIMIT = 0;
const US = 1000;

interface Rig {
  readonly d: TestDriver;
  readonly queue: DriverQueue;
  readonly addrs: number[];
}

function rig(options: DummyOptions = {}, bits: readonly number[] = [LIMIT], version: 1 | 2 = 2, buffers = 8): Rig {
  const d = new TestDriver(new VirtioDummy(options), { version });
  d.negotiate(bits);
  const queue = d.setupQueue(0, 16);
  const addrs = Array.from({ length: buffers }, () => d.board.alloc(32));
  for (const addr of addrs) queue.publish(queue.lay([{ addr, length: 32, write: true }]));
  d.driverOk();
  queue.notify();
  return { d, queue, addrs };
}

function expected(number: number): number[] {
  return Array.from({ length: 32 }, (_, i) => i < 4 ? (number >>> (8 * i)) & 0xff : (number + i) & 0xff);
}

for (const version of VERSIONS) {
  Deno.test(`version ${version}: a buffer every interval, up to the limit`, () => {
    const { d, queue, addrs } = rig({}, [LIMIT], version);
    assertEquals([d.readConfig(0, 4), d.readConfig(4, 4), d.readConfig(8, 4)], [50, 4, 4]);
    for (let number = 0; number < 4; number++) {
      d.board.advance(49 * US);
      assertEquals(queue.usedIdx, number);
      d.board.advance(1 * US);
      assertEquals(queue.collect().map(({ length }) => length), [32]);
      assertEquals([...d.board.get(addrs[number]!, 32)], expected(number));
      assertEquals(d.read("InterruptStatus"), 1);
      d.write("InterruptACK", 1);
    }
    d.board.advance(1000 * US);
    assertEquals(queue.usedIdx, 4);
    assertEquals(d.board.clock.next, Infinity);
    assertEquals(d.board.violations, []);
  });

  Deno.test(`version ${version}: kick makes more, and counts down`, () => {
    const { d, queue } = rig({ limit: 0, intervalUs: 7 }, [LIMIT], version);
    d.board.advance(1000 * US);
    assertEquals(queue.usedIdx, 0);
    d.writeConfig(8, 4, 3);
    assertEquals(d.readConfig(8, 4), 3);
    d.board.advance(14 * US);
    assertEquals(queue.usedIdx, 2);
    assertEquals(d.readConfig(8, 4), 1);
    d.writeConfig(8, 4, 0xffff_ffff);
    assertEquals(d.readConfig(8, 4), 0xffff_ffff);
  });
}

Deno.test("without a buffer the device waits for one", () => {
  const { d, queue } = rig({}, [LIMIT], 2, 1);
  d.board.advance(500 * US);
  assertEquals(queue.usedIdx, 1);
  const addr = d.board.alloc(32);
  queue.post([{ addr, length: 32, write: true }]);
  d.board.advance(49 * US);
  assertEquals(queue.usedIdx, 1);
  d.board.advance(1 * US);
  assertEquals([...d.board.get(addr, 32)], expected(1));
});

Deno.test("a driver without DUMMY_F_LIMIT gets buffers without end", () => {
  for (const offered of [true, false]) {
    const { d, queue } = rig(offered ? {} : { limit: Infinity }, []);
    d.board.advance(400 * US);
    assertEquals(queue.usedIdx, 8);
    assertEquals(d.board.violations, []);
    d.readConfig(4, 4);
    assertEquals(d.board.violations, offered ? [] : ["config-feature"]);
  }
});

Deno.test("numbers start again after a reset, and nothing is filled in between", () => {
  const { d, queue } = rig();
  d.board.advance(100 * US);
  assertEquals(queue.usedIdx, 2);
  d.write("Status", 0);
  d.board.advance(1000 * US);
  assertEquals(queue.usedIdx, 2);
  const again = d.bringUp([LIMIT]);
  const addr = d.board.alloc(32);
  again.post([{ addr, length: 32, write: true }]);
  d.board.advance(50 * US);
  assertEquals([...d.board.get(addr, 32)], expected(0));
});

Deno.test("short, cut and readable buffers", () => {
  const { d, queue } = rig({ intervalUs: 1 }, [LIMIT], 2, 0);
  const addr = d.board.alloc(64);
  queue.post([{ addr, length: 3, write: true }]);
  queue.post([{ addr: addr + 8, length: 5, write: true }, { addr: addr + 16, length: 3, write: true }]);
  queue.post([{ addr, length: 8 }]);
  d.board.advance(10 * US);
  assertEquals(queue.collect().map(({ length }) => length), [3, 8, 0]);
  assertEquals([...d.board.get(addr, 3)], [0, 0, 0]);
  assertEquals([...d.board.get(addr + 8, 5), ...d.board.get(addr + 16, 3)], [1, 0, 0, 0, 5, 6, 7, 8]);
  assertEquals(d.board.violations, ["dummy-direction"]);
});

Deno.test("options out of range are our mistake", () => {
  assertThrows(() => new VirtioDummy({ intervalUs: 0 }), RangeError, "interval of 0");
  assertThrows(() => new VirtioDummy({ limit: -1 }), RangeError, "limit of -1");
});

const SUSPEND = featureBit(0, "VIRTIO_F_SUSPEND");

/** A buffer for the device, and where it is. */
function buffer(d: TestDriver): { addr: number; length: number; write: true } {
  return { addr: d.board.alloc(32), length: 32, write: true };
}

/** Checks that a buffer holds what the device makes `number`th. */
function assertFilled(d: TestDriver, addr: number, number: number): void {
  assertEquals([...d.board.get(addr, 32)], expected(number));
}

for (const [name, version, packed] of [["version 1", 1, false], ["split", 2, false], ["packed", 2, true]] as const) {
  const bits = packed ? [LIMIT, RING_PACKED] : [LIMIT];
  const start = (more: readonly number[]): { d: TestDriver; queue: () => DriverQueue | PackedDriverQueue } => {
    const switches = { packed, ring_reset: true, suspend: true };
    const options = { version, ...(version === 2 && { switches }) };
    const d = new TestDriver(new VirtioDummy({ intervalUs: 1, limit: 20 }), options);
    d.negotiate([...bits, ...more]);
    assertEquals(version === 2 && (d.read("Status") & virtioStatus.FEATURES_OK) === 0, false);
    return { d, queue: () => packed ? new PackedDriverQueue(d, 0, 8) : d.setupQueue(0) };
  };

  Deno.test(`${name}: the test device fills buffers of indirect tables`, () => {
    const { d, queue } = start([INDIRECT_DESC]);
    const q = queue();
    d.driverOk();
    for (let i = 0; i < 10; i++) {
      const halves = [0, 1].map(() => ({ addr: d.board.alloc(16), length: 16, write: true }));
      const id = q.post(halves, true);
      d.wait();
      assertEquals(q.collect(), [{ id, length: 32 }]);
      assertEquals(halves.flatMap(({ addr }) => [...d.board.get(addr, 16)]), expected(i));
    }
    const chains = d.board.of("virtqueue").filter((fact) => fact.step === "chain");
    assertEquals(chains.length, 10);
    assert(chains.every(({ descriptors }) => descriptors.some(({ table }) => table === "indirect")));
    assertEquals(d.board.violations, []);
  });

  if (version === 1) continue;

  Deno.test(`${name}: a queue of the test device that is reset begins anew`, () => {
    const { d, queue } = start([RING_RESET]);
    const first = queue();
    d.driverOk();
    const filled = buffer(d);
    first.post([filled]);
    d.wait();
    assertEquals(first.collect().length, 1);
    assertFilled(d, filled.addr, 0);
    const taken = buffer(d);
    first.post([taken]);
    d.write("QueueSel", 0);
    d.write("QueueReset", 1);
    assertEquals(d.read("QueueReady"), 0);
    d.wait();
    // Not touched any more.
    assertEquals([...d.board.get(taken.addr, 32)], new Array(32).fill(0));
    const again = queue();
    const next = buffer(d);
    const id = again.post([next]);
    d.wait();
    assertEquals(again.collect(), [{ id, length: 32 }]);
    assertFilled(d, next.addr, 1);
    assertEquals(d.board.violations, []);
  });

  Deno.test(`${name}: the test device that is suspended goes on where it was`, () => {
    const { d, queue } = start([SUSPEND]);
    const q = queue();
    d.driverOk();
    const { SUSPEND: S, DRIVER_OK } = virtioStatus;
    const parts = [buffer(d), buffer(d)];
    for (const part of parts) q.post([part]);
    d.write("Status", d.read("Status") | S);
    d.wait();
    assertEquals(d.read("Status") & (S | DRIVER_OK), S);
    const before = q.collect().length;
    d.wait(1000 * US);
    assertEquals(q.collect(), []);
    d.write("Status", d.read("Status") | DRIVER_OK);
    d.wait();
    assertEquals(before + q.collect().length, 2);
    parts.forEach(({ addr }, number) => assertFilled(d, addr, number));
    assertEquals(d.board.violations, []);
  });
}
