import { assert, assertEquals, assertThrows } from "@std/assert";
import { virtioStatus } from "../../../devices/virtio/registers.ts";
import {
  AVAIL,
  bringUpPacked,
  EVENTS,
  INDIRECT,
  NEXT,
  PackedDriverQueue,
  RING_PACKED,
  USED,
  WRITE,
} from "../../support/packed_driver.ts";
import { HoldingDevice } from "../../support/virtio_device.ts";
import { EVENT_IDX, INDIRECT_DESC, RAM, TestDriver } from "../../support/virtio_driver.ts";

interface Rig {
  readonly d: TestDriver;
  readonly device: HoldingDevice;
  readonly queue: PackedDriverQueue;
}

function rig(bits: readonly number[] = [], size = 8, strict = false): Rig {
  const device = new HoldingDevice({ sizeMax: Math.max(size, 16) });
  const d = new TestDriver(device, { strict, switches: { packed: true } });
  return { d, device, queue: bringUpPacked(d, bits, size) };
}

function count(n: number, from = 0): Uint8Array {
  return Uint8Array.from({ length: n }, (_, i) => from + i);
}

/** Interrupts so far, acknowledged. */
function interrupted(d: TestDriver): boolean {
  const status = d.read("InterruptStatus");
  d.write("InterruptACK", status);
  return status === 1;
}

Deno.test("RING_PACKED is offered only where it is switched on, and split rings still work there (§2.6)", () => {
  const device = new HoldingDevice();
  assert(!new TestDriver(device).offered().includes(RING_PACKED));
  const d = new TestDriver(device, { switches: { packed: true } });
  assert(d.offered().includes(RING_PACKED));
  const split = d.bringUp();
  split.post([{ addr: d.board.alloc(4), length: 4 }]);
  device.use();
  assertEquals(split.usedIdx, 1);
  const packed = bringUpPacked(d);
  const id = packed.post([{ addr: d.board.alloc(4), length: 4 }]);
  device.use();
  assertEquals(packed.collect(), [{ id, length: undefined }]);
  assertEquals(d.board.violations, []);
});

Deno.test("packed: a chain is two streams of bytes, however it is cut (§2.8.5, §2.8.6, §2.8.7)", () => {
  for (const indirect of [false, true]) {
    const { d, device, queue } = rig(indirect ? [INDIRECT_DESC] : []);
    let from = 0;
    const out = [1, 100, 7].map((length) => {
      const addr = d.board.put(count(length, from));
      from += length;
      return { addr, length };
    });
    const into = [3, 130, 1].map((length) => ({ addr: d.board.alloc(length), length, write: true }));
    for (let round = 0; round < 5; round++) {
      const id = queue.post([...out, ...into], indirect);
      const chain = device.held[0]!;
      assertEquals([chain.head, chain.readableLength, chain.writableLength], [id, 108, 134]);
      const bytes = new Uint8Array(108);
      assertEquals(chain.reader.read(bytes), 108);
      assertEquals(bytes, count(108));
      assertEquals(chain.writer.write(count(200, 50 + round)), 134);
      device.use(134);
      assertEquals(into.flatMap(({ addr, length }) => [...d.board.get(addr, length)]), [...count(134, 50 + round)]);
      assertEquals(queue.collect(), [{ id, length: 134 }]);
    }
    assertEquals(d.board.violations, []);
  }
});

Deno.test("packed: buffers are taken in order and may be used in any; the driver skips lists by their size (§2.8.6)", () => {
  const { d, device, queue } = rig([], 7);
  const parts = (n: number) => Array.from({ length: n }, () => ({ addr: d.board.alloc(2), length: 2 }));
  for (let round = 0; round < 10; round++) {
    const ids = [1, 3, 2].map((n) => queue.post(parts(n)));
    assertEquals(device.held.map((chain) => chain.readableLength), [2, 6, 4]);
    device.held.reverse();
    for (let i = 0; i < 3; i++) device.use();
    assertEquals(queue.collect().map(({ id }) => id), ids.reverse());
  }
  assertEquals(d.board.violations, []);
});

Deno.test("packed: wrap counters survive more than 65536 buffers in rings of any size (§2.8.1, §2.8.10.1)", () => {
  for (const size of [1, 2, 3, 5, 8, 100]) {
    const device = new HoldingDevice({ sizeMax: size });
    const d = new TestDriver(device, { switches: { packed: true } });
    const queue = bringUpPacked(d, [], size);
    const part = { addr: d.board.alloc(4), length: 4, write: true };
    const rounds = size === 5 ? 66_000 : 3 * size + 2;
    for (let i = 0; i < rounds; i++) {
      const id = queue.post([part]);
      device.use(4);
      const used = queue.collect();
      if (used.length !== 1 || used[0]!.id !== id || used[0]!.length !== 4) {
        throw new Error(`size ${size}, buffer ${i}`);
      }
      d.board.facts.length = 0;
    }
    assertEquals(d.read("Status") & virtioStatus.DEVICE_NEEDS_RESET, 0);
  }
});

Deno.test("packed: QueueNumMax is any number there, and a power of two for split rings (§2.7, §2.8.10.1)", () => {
  const d = new TestDriver(new HoldingDevice({ sizeMax: 100 }), { switches: { packed: true } });
  d.negotiate();
  assertEquals(d.read("QueueNumMax"), 64);
  d.negotiate([RING_PACKED]);
  assertEquals(d.read("QueueNumMax"), 100);
  const queue = new PackedDriverQueue(d, 0, 100);
  d.driverOk();
  for (let i = 0; i < 100; i++) queue.publish([{ addr: RAM, length: 1 }]);
  queue.notify();
  assertEquals((d.slot.core.device as HoldingDevice).held.length, 100);
});

Deno.test("packed: a ring of 32768 descriptors fills and drains (§2.8)", () => {
  const size = 32768;
  const device = new HoldingDevice({ sizeMax: size });
  const d = new TestDriver(device, { switches: { packed: true } });
  d.board.facts.length = 0;
  const queue = bringUpPacked(d, [], size);
  const part = { addr: d.board.alloc(1), length: 1 };
  // Marks and IDs by hand: what is looked at is the device.
  for (let i = 0; i < size; i++) queue.setDescriptor({ ...part, id: i, flags: AVAIL }, i);
  queue.notify();
  assertEquals(device.held.length, size);
  for (let i = 0; i < size; i++) device.transport.queue(0).push(device.held[i]!, 0);
  assertEquals(d.board.memory.read(queue.ring + 16 * (size - 1) + 14, 2), AVAIL | USED);
  queue.setDescriptor({ ...part, id: 7, flags: USED }, 0);
  queue.notify();
  assertEquals(device.held.length, size + 1);
  assertEquals(d.board.violations, []);
});

Deno.test("packed: a used descriptor has ID, length and equal marks; WRITE if data was written (§2.8.1, §2.8.3)", () => {
  const { d, device, queue } = rig([], 2);
  const part = { addr: d.board.alloc(8), length: 8, write: true };
  const flags = (index: number) => d.board.memory.read(queue.ring + 16 * index + 14, 2);
  const id = queue.publish([part], { id: 0xbeef });
  queue.notify();
  device.use(5);
  assertEquals(flags(0), AVAIL | USED | WRITE);
  assertEquals(queue.collect(), [{ id, length: 5 }]);
  queue.post([part]);
  device.use(0);
  assertEquals(flags(1), AVAIL | USED);
  assertEquals(queue.collect().length, 1);
  queue.post([part]);
  assertEquals(flags(0), WRITE | USED, "available in the second round");
  device.use(8);
  assertEquals(flags(0), WRITE, "used in the second round");
  assertEquals(queue.collect().length, 1);
});

Deno.test("packed: the driver's event suppression ENABLE and DISABLE (§2.8.10)", () => {
  const { d, device, queue } = rig();
  const one = () => {
    queue.post([{ addr: d.board.alloc(4), length: 4 }]);
    device.use();
    assertEquals(queue.collect().length, 1);
    return interrupted(d);
  };
  assertEquals(one(), true);
  queue.setEvent(EVENTS.DISABLE);
  assertEquals(one(), false);
  queue.setEvent(EVENTS.ENABLE, 3, 1);
  assertEquals(one(), true);
  assertEquals(d.board.violations, []);
  // Only valid with EVENT_IDX, and 3 is reserved: one notification too many does no harm.
  for (const flags of [EVENTS.DESC, 3]) {
    queue.setEvent(flags, 0, 0);
    assertEquals(one(), true);
  }
  assertEquals(d.board.violations, ["packed-event", "packed-event"]);
});

Deno.test("packed: EVENT_IDX notifies exactly when the descriptor waited for is used, over the wrap (§2.8.10)", () => {
  for (const size of [1, 5, 8]) {
    const { d, device, queue } = rig([EVENT_IDX], size);
    const part = { addr: d.board.alloc(4), length: 4 };
    let offset = 0;
    let wrap = 1;
    for (let i = 0; i < 40 * size; i++) {
      // Wait for this one, the one after it, or the same descriptor in the other round.
      const next = offset + 1 < size ? [offset + 1, wrap] : [0, wrap ^ 1];
      const [eventOffset, eventWrap] = [[offset, wrap], next, [offset, wrap ^ 1]][i % 3]! as [number, number];
      queue.setEvent(EVENTS.DESC, eventOffset, eventWrap);
      queue.post([part]);
      device.use();
      assertEquals(queue.collect().length, 1);
      assertEquals(interrupted(d), i % 3 === 0, `buffer ${i} of a ring of ${size}`);
      [offset, wrap] = next as [number, number];
    }
    assertEquals(d.board.violations, []);
  }
});

Deno.test("packed: an event inside a list that is used as one, before and after the end of the ring (§2.8.10)", () => {
  const { d, device, queue } = rig([EVENT_IDX], 5);
  const parts = Array.from({ length: 3 }, () => ({ addr: d.board.alloc(4), length: 4 }));
  const cases: [offset: number, wrap: number, sent: boolean][] = [
    // A list of three from 0: entries 0..2 of round 1.
    [2, 1, true],
    // From 3: 3 and 4 of round 1, 0 of round 0.
    [0, 0, true],
    // From 1 of round 0.
    [4, 0, false],
    // From 4 of round 0: 4, then 0 and 1 of round 1.
    [1, 1, true],
    // From 2 of round 1.
    [1, 1, false],
  ];
  for (const [offset, wrap, sent] of cases) {
    queue.setEvent(EVENTS.DESC, offset, wrap);
    queue.post(parts);
    device.use();
    assertEquals(queue.collect().length, 1);
    assertEquals(interrupted(d), sent, `${offset} ${wrap}`);
  }
  queue.setEvent(EVENTS.DESC, 5, 1);
  queue.post(parts);
  device.use();
  assertEquals(d.board.violations, ["packed-event"]);
});

Deno.test("packed: with EVENT_IDX the device waits for the next descriptor, or for none (§2.8.10)", () => {
  const { d, device, queue } = rig([EVENT_IDX], 3);
  const part = { addr: d.board.alloc(4), length: 4 };
  assertEquals(queue.deviceEvent, { flags: EVENTS.ENABLE, offset: 0, wrap: 0 });
  queue.post([part]);
  assertEquals(queue.deviceEvent, { flags: EVENTS.DESC, offset: 1, wrap: 1 });
  queue.post([part, part]);
  assertEquals(queue.deviceEvent, { flags: EVENTS.DESC, offset: 0, wrap: 0 });
  const q = device.transport.queue(0);
  q.suppressNotifications(true);
  assertEquals(queue.deviceEvent.flags, EVENTS.DISABLE);
  device.use();
  device.use();
  queue.collect();
  queue.publish([part]);
  q.suppressNotifications(false);
  assertEquals(queue.deviceEvent, { flags: EVENTS.DESC, offset: 0, wrap: 0 });
  assert(q.pop() !== undefined, "the device must look after asking again");
});

Deno.test("packed: without EVENT_IDX the device enables and disables notifications (§2.8.10)", () => {
  const { d, device, queue } = rig();
  const q = device.transport.queue(0);
  q.suppressNotifications(true);
  assertEquals(queue.deviceEvent, { flags: EVENTS.DISABLE, offset: 0, wrap: 0 });
  // Spurious notifications are handled.
  queue.post([{ addr: d.board.alloc(4), length: 4 }]);
  assertEquals(device.held.length, 1);
  q.suppressNotifications(false);
  assertEquals(queue.deviceEvent, { flags: EVENTS.ENABLE, offset: 0, wrap: 0 });
  assertEquals(d.board.violations, []);
});

Deno.test("packed: nothing is used unless it became available, and no list before its first descriptor (§2.8.15)", () => {
  const { d, device, queue } = rig();
  const part = { addr: d.board.alloc(4), length: 4 };
  queue.setDescriptor({ ...part, id: 1, flags: AVAIL }, 1);
  for (const flags of [0, AVAIL | USED, USED]) {
    queue.setDescriptor({ ...part, id: 0, flags }, 0);
    queue.notify();
    assertEquals(device.held.length, 0);
  }
  queue.setDescriptor({ ...part, id: 0, flags: AVAIL | NEXT }, 0);
  queue.notify();
  assertEquals(device.held[0]!.head, 1);
  assertEquals(device.held[0]!.readableLength, 8);
});

Deno.test("packed: flags of an indirect table other than WRITE are ignored and told (§2.8.7, §2.8.19)", () => {
  const { d, device, queue } = rig([INDIRECT_DESC]);
  const table = d.board.alloc(32);
  const addr = d.board.alloc(4);
  queue.setDescriptor({ addr, length: 3, id: 9, flags: NEXT | INDIRECT | USED }, 0, table);
  queue.setDescriptor({ addr, length: 4, id: 9, flags: WRITE }, 1, table);
  queue.setDescriptor({ addr: table, length: 32, id: 5, flags: INDIRECT | WRITE | AVAIL }, 0);
  queue.notify();
  const chain = device.held[0]!;
  assertEquals([chain.head, chain.readableLength, chain.writableLength], [5, 3, 4]);
  assertEquals(d.board.violations, ["packed-indirect-flags"]);
});

Deno.test("packed: INDIRECT without negotiation works and is told, or fails a strict device (§2.8.19)", () => {
  for (const strict of [false, true]) {
    const { d, device, queue } = rig([], 8, strict);
    queue.post([{ addr: d.board.alloc(2), length: 2 }], true);
    assertEquals(d.board.violations, ["indirect-not-negotiated"]);
    assertEquals(device.held.length, strict ? 0 : 1);
  }
});

Deno.test("packed: a list longer than the queue in a table works and is told; empty descriptors too", () => {
  const { d, device, queue } = rig([INDIRECT_DESC], 4);
  queue.post(Array.from({ length: 6 }, () => ({ addr: d.board.alloc(2), length: 2 })), true);
  assertEquals(d.board.violations, ["indirect-chain-length"]);
  assertEquals(device.held[0]!.readableLength, 12);
  queue.post([{ addr: 0, length: 0 }]);
  assertEquals(d.board.violations, ["indirect-chain-length", "descriptor-empty"]);
  device.use();
  device.use();
  assertEquals(queue.collect().length, 2);
});

Deno.test("packed: a Buffer ID twice in flight is told, and both buffers go back (§2.8.21.1)", () => {
  const { d, device, queue } = rig();
  const part = { addr: d.board.alloc(2), length: 2 };
  for (const index of [0, 1]) queue.setDescriptor({ ...part, id: 3, flags: AVAIL }, index);
  queue.notify();
  assertEquals(d.board.violations, ["packed-id-in-flight"]);
  device.use();
  device.use();
  for (const index of [0, 1]) assertEquals(d.board.memory.read(queue.ring + 16 * index + 14, 2), AVAIL | USED);
});

Deno.test("packed: a buffer of a queue that was stopped meanwhile is dropped, in whatever format it begins again", () => {
  const { d, device, queue } = rig();
  queue.post([{ addr: d.board.alloc(4), length: 4, write: true }]);
  const old = device.held.shift()!;
  d.write("QueueReady", 0);
  const again = new PackedDriverQueue(d, 0, 8);
  again.post([{ addr: d.board.alloc(4), length: 4, write: true }]);
  device.transport.queue(0).push(old, 4);
  assert(!again.hasUsed);
  const split = d.bringUp();
  device.transport.queue(0).push(old, 4);
  assertEquals(split.usedIdx, 0);
});

Deno.test("packed: more bytes written than there is room for is our mistake", () => {
  const { d, device, queue } = rig();
  queue.post([{ addr: d.board.alloc(4), length: 4, write: true }]);
  assertThrows(() => device.use(5), RangeError, "5 bytes written to a chain with room for 4");
});

Deno.test("packed: the queue's life in events", () => {
  const { d, device, queue } = rig([EVENT_IDX]);
  const addr = d.board.alloc(4);
  queue.publish([{ addr, length: 4 }, { addr, length: 2, write: true }], { id: 77 });
  queue.notify();
  queue.setEvent(EVENTS.DESC, 1, 1);
  device.use(2);
  const facts = d.board.of("virtqueue").map(({ kind: _kind, device: _name, queue: _index, ...rest }) => rest);
  assertEquals(facts.slice(1) as unknown[], [
    { step: "notified", value: 0 },
    {
      step: "chain",
      head: 77,
      position: 0,
      descriptors: [
        { index: 0, table: "ring", addr, length: 4, flags: NEXT, next: 1 },
        { index: 1, table: "ring", addr, length: 2, flags: WRITE, next: 2 },
      ],
    },
    { step: "used", head: 77, written: 2, position: 0 },
    { step: "interrupt", sent: true, reason: "desc_event is 1 in wrap 1, used 2 from 0 in wrap 1" },
  ]);
});
