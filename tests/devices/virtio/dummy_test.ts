import { assertEquals, assertThrows } from "@std/assert";
import { type DummyOptions, VirtioDummy } from "../../../devices/virtio/dummy.ts";
import { type DriverQueue, TestDriver } from "../../support/virtio_driver.ts";

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
