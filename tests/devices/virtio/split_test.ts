import { assert, assertEquals, assertThrows } from "@std/assert";
import { virtioStatus } from "../../../devices/virtio/registers.ts";
import { type DriverQueue, EVENT_IDX, INDIRECT_DESC, RAM, ROM, TestDriver } from "../../support/virtio_driver.ts";
import { HoldingDevice } from "../../support/virtio_device.ts";

const VERSIONS = [1, 2] as const;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

interface Rig {
  readonly d: TestDriver;
  readonly device: HoldingDevice;
  readonly queue: DriverQueue;
}

function rig(version: 1 | 2, bits: readonly number[] = [], size = 8, strict = false): Rig {
  const device = new HoldingDevice();
  const d = new TestDriver(device, { version, strict });
  return { d, device, queue: d.bringUp(bits, size) };
}

/** Reads a chain's device-readable part to the end. */
function readAll(device: HoldingDevice, chunk = 7): Uint8Array {
  const { reader } = device.held[0]!;
  const out: number[] = [];
  const buffer = new Uint8Array(chunk);
  for (let n = reader.read(buffer); n > 0; n = reader.read(buffer)) out.push(...buffer.subarray(0, n));
  return Uint8Array.from(out);
}

function count(n: number, from = 0): Uint8Array {
  return Uint8Array.from({ length: n }, (_, i) => from + i);
}

for (const version of VERSIONS) {
  Deno.test(`version ${version}: a chain is two streams of bytes, however it is cut (§2.7.4.1)`, () => {
    for (const indirect of [false, true]) {
      const { d, device, queue } = rig(version, indirect ? [INDIRECT_DESC] : []);
      const cuts = [1, 100, 7, 200];
      let from = 0;
      const out = cuts.map((length) => {
        const addr = d.board.put(count(length, from));
        from += length;
        return { addr, length };
      });
      const into = [3, 130, 1].map((length) => ({ addr: d.board.alloc(length), length, write: true }));
      const head = queue.post([...out, ...into], indirect);
      const chain = device.held[0]!;
      assertEquals(chain.readableLength, 308);
      assertEquals(chain.writableLength, 134);
      assertEquals(readAll(device), count(308));
      assertEquals(chain.writer.write(count(200, 50)), 134);
      device.use(134);
      assertEquals(into.flatMap(({ addr, length }) => [...d.board.get(addr, length)]), [...count(134, 50)]);
      assertEquals(queue.collect(), [{ id: head, length: 134 }]);
      assertEquals(d.board.violations, []);
    }
  });

  Deno.test(`version ${version}: buffers are taken in order and may be used in any`, () => {
    const { d, device, queue } = rig(version);
    const heads = [1, 2, 3].map((length) => queue.post([{ addr: d.board.alloc(length), length }]));
    assertEquals(device.held.map((chain) => chain.readableLength), [1, 2, 3]);
    device.held.reverse();
    for (let i = 0; i < 3; i++) device.use();
    assertEquals(queue.collect().map(({ id }) => id), heads.reverse());
  });

  Deno.test(`version ${version}: NO_INTERRUPT suppresses the notification, and nothing else (§2.7.7.2)`, () => {
    const { d, device, queue } = rig(version);
    queue.availFlags = 1;
    queue.usedEvent = 0;
    queue.post([{ addr: d.board.alloc(4), length: 4 }]);
    device.use();
    assertEquals(queue.usedIdx, 1);
    assertEquals(d.read("InterruptStatus"), 0);
    queue.availFlags = 0;
    queue.post([{ addr: d.board.alloc(4), length: 4 }]);
    device.use();
    assertEquals(d.read("InterruptStatus"), 1);
  });

  Deno.test(`version ${version}: EVENT_IDX notifies exactly when idx was used_event, over the wrap (§2.7.7.2)`, () => {
    const { d, device, queue } = rig(version, [EVENT_IDX]);
    const buffer = { addr: d.board.alloc(4), length: 4 };
    d.board.facts.length = 0;
    for (let position = 0; position < 65536 + 40; position++) {
      const event = position % 3 === 0 ? position : position + 1;
      queue.usedEvent = event & 0xffff;
      // With EVENT_IDX the lower bit of flags is ignored.
      queue.availFlags = position & 1;
      queue.post([buffer]);
      device.use();
      const expected = (position & 0xffff) === (event & 0xffff) ? 1 : 0;
      const status = d.read("InterruptStatus");
      if (status !== expected) throw new Error(`position ${position}: InterruptStatus ${status}, expected ${expected}`);
      d.write("InterruptACK", status);
      queue.collect();
      d.board.facts.length = 0;
    }
    assertEquals(queue.usedIdx, 40);
  });

  Deno.test(`version ${version}: avail_event asks for the next buffer once all are taken (§2.7.10.2)`, () => {
    const { d, device, queue } = rig(version, [EVENT_IDX]);
    const part = { addr: d.board.alloc(4), length: 4 };
    queue.publish(queue.lay([part]));
    assert(queue.wantsNotification);
    queue.publish(queue.lay([part]));
    queue.notify();
    assertEquals(device.held.length, 2);
    queue.publish(queue.lay([part]));
    assert(queue.wantsNotification);
    assertEquals(d.board.memory.read(queue.used, 2), 0, "flags stay 0");
    queue.notify();
    device.transport.queue(0).suppressNotifications(true);
    queue.post([part]);
    queue.publish(queue.lay([part]));
    assert(!queue.wantsNotification);
    device.transport.queue(0).suppressNotifications(false);
    queue.publish(queue.lay([part]));
    assert(device.transport.queue(0).pop() !== undefined, "the device must look after asking again");
  });

  Deno.test(`version ${version}: NO_NOTIFY advises the driver without EVENT_IDX (§2.7.10.2)`, () => {
    const { d, device, queue } = rig(version);
    assert(queue.wantsNotification);
    device.transport.queue(0).suppressNotifications(true);
    assert(!queue.wantsNotification);
    assertEquals(d.board.memory.read(queue.used, 2), 1);
    // §2.7.10.2: spurious notifications are handled.
    queue.post([{ addr: d.board.alloc(4), length: 4 }]);
    assertEquals(device.held.length, 1);
    device.transport.queue(0).suppressNotifications(false);
    assert(queue.wantsNotification);
    d.write("QueueNotify", 0);
    d.write("QueueNotify", 0);
    assertEquals(device.held.length, 1);
    assertEquals(d.board.violations, []);
  });

  Deno.test(`version ${version}: what the guest made available meanwhile is seen at the next look, not before`, () => {
    const { d, device, queue } = rig(version);
    device.taking = false;
    const part = { addr: d.board.alloc(4), length: 4 };
    queue.post([part]);
    const q = device.transport.queue(0);
    assert(q.pop() !== undefined);
    assertEquals(q.pop(), undefined);
    queue.publish(queue.lay([part]));
    assert(q.pop() !== undefined);
    assertEquals(q.inFlight, 2);
  });

  Deno.test(`version ${version}: a buffer of read-only memory can be read and not written`, () => {
    const { d, device, queue } = rig(version);
    queue.post([{ addr: ROM, length: 4096 }]);
    assertEquals(device.held[0]?.readableLength, 4096);
    queue.post([{ addr: ROM, length: 1, write: true }]);
    assertEquals(d.board.violations, ["descriptor-address"]);
  });
}

Deno.test("legacy: NOTIFY_ON_EMPTY beats suppression when everything is used (§6.3)", () => {
  const { d, device, queue } = rig(1, [24]);
  queue.availFlags = 1;
  const part = { addr: d.board.alloc(4), length: 4 };
  queue.post([part]);
  queue.post([part]);
  device.use();
  assertEquals(d.read("InterruptStatus"), 0);
  device.use();
  assertEquals(d.read("InterruptStatus"), 1);
});

Deno.test("descriptors before an indirect table, and its WRITE flag, are handled (§2.7.5.3.2)", () => {
  const { d, device, queue } = rig(2, [INDIRECT_DESC]);
  const table = d.board.alloc(32);
  const into = d.board.alloc(5);
  queue.setDescriptor({ addr: d.board.put("ab"), length: 2, flags: NEXT, next: 5 }, 2);
  queue.setDescriptor({ addr: table, length: 32, flags: INDIRECT | WRITE, next: 99 }, 5);
  queue.setDescriptor({ addr: d.board.put("cd"), length: 2, flags: NEXT, next: 1 }, 0, table);
  queue.setDescriptor({ addr: into, length: 5, flags: WRITE, next: 0 }, 1, table);
  queue.publish(2);
  queue.notify();
  assertEquals(new TextDecoder().decode(readAll(device)), "abcd");
  assertEquals(device.held[0]!.writableLength, 5);
  assertEquals(d.board.violations, []);
  const chain = d.board.of("virtqueue").find((fact) => fact.step === "chain");
  assert(chain?.step === "chain");
  assertEquals(chain.descriptors.map(({ index, table }) => `${table} ${index}`), [
    "ring 2",
    "ring 5",
    "indirect 0",
    "indirect 1",
  ]);
});

Deno.test("an indirect chain longer than the queue works and is told (§2.7.5.3.1)", () => {
  const { d, device, queue } = rig(2, [INDIRECT_DESC], 4);
  const parts = Array.from({ length: 6 }, () => ({ addr: d.board.alloc(2), length: 2 }));
  queue.post(parts.slice(0, 4), true);
  assertEquals(d.board.violations, []);
  queue.post(parts, true);
  assertEquals(d.board.violations, ["indirect-chain-length"]);
  assertEquals(device.held[1]!.readableLength, 12);
});

Deno.test("INDIRECT without negotiation works and is told, or fails a strict device (§2.7.5.3.1)", () => {
  for (const strict of [false, true]) {
    const { d, device, queue } = rig(2, [], 8, strict);
    queue.post([{ addr: d.board.alloc(2), length: 2 }], true);
    assertEquals(d.board.violations, ["indirect-not-negotiated"]);
    assertEquals(device.held.length, strict ? 0 : 1);
  }
});

Deno.test("an empty descriptor is told and skipped; a chain may have no bytes at all", () => {
  const { d, device, queue } = rig(2);
  const head = queue.post([{ addr: 0, length: 0 }, { addr: d.board.put("x"), length: 1 }]);
  assertEquals(d.board.violations, ["descriptor-empty"]);
  assertEquals(device.held[0]!.readableLength, 1);
  queue.post([{ addr: 0, length: 0 }]);
  assertEquals(device.held[1]!.readableLength, 0);
  device.use();
  device.use();
  assertEquals(queue.collect()[0], { id: head, length: 0 });
});

Deno.test("a head made available twice is told; both buffers are used", () => {
  const { d, device, queue } = rig(2);
  const head = queue.post([{ addr: d.board.alloc(4), length: 4 }]);
  queue.publish(head);
  queue.notify();
  assertEquals(d.board.violations, ["avail-head-in-flight"]);
  device.use();
  device.use();
  assertEquals(queue.usedIdx, 2);
});

/** What a guest can put into a ring that has no meaning, and the rule that says so. */
const BROKEN: [string, string, (r: Rig) => void][] = [
  ["idx further ahead than the queue is long", "avail-idx-jump", ({ d, queue }) => {
    d.board.memory.write(queue.avail + 2, 2, 9);
  }],
  ["idx that goes back", "avail-idx-jump", ({ d, queue }) => {
    d.board.memory.write(queue.avail + 2, 2, 0xffff);
  }],
  ["head outside the table", "avail-head-range", ({ queue }) => queue.publish(8)],
  ["head far outside the table", "avail-head-range", ({ queue }) => queue.publish(0xffff)],
  ["loop of one", "descriptor-loop", ({ queue }) => {
    queue.setDescriptor({ addr: RAM, length: 4, flags: NEXT, next: 0 }, 0);
    queue.publish(0);
  }],
  ["loop of all", "descriptor-loop", ({ queue }) => {
    for (let i = 0; i < 8; i++) queue.setDescriptor({ addr: RAM, length: 4, flags: NEXT, next: (i + 1) % 8 }, i);
    queue.publish(3);
  }],
  ["loop of empty descriptors", "descriptor-loop", ({ queue }) => {
    queue.setDescriptor({ addr: 0, length: 0, flags: NEXT, next: 1 }, 0);
    queue.setDescriptor({ addr: 0, length: 0, flags: NEXT, next: 0 }, 1);
    queue.publish(0);
  }],
  ["next outside the table", "descriptor-next-range", ({ queue }) => {
    queue.setDescriptor({ addr: RAM, length: 4, flags: NEXT, next: 8 }, 0);
    queue.publish(0);
  }],
  [
    "address nowhere",
    "descriptor-address",
    ({ queue }) => void queue.publish(queue.lay([{ addr: 0x4000, length: 1 }])),
  ],
  ["kernel virtual address", "descriptor-address", ({ queue }) => {
    queue.publish(queue.lay([{ addr: 0xffff_ffc0_0000_0000, length: 512 }]));
  }],
  ["address that wraps around", "descriptor-address", ({ queue }) => {
    queue.setDescriptor({ addr: 2 ** 64 - 2 ** 11, length: 0xffff_ffff, flags: 0, next: 0 }, 0);
    queue.publish(0);
  }],
  ["buffer that leaves memory", "descriptor-address", ({ queue }) => {
    queue.publish(queue.lay([{ addr: RAM + (8 << 20) - 4, length: 5, write: true }]));
  }],
  [
    "length of 4 GiB",
    "descriptor-address",
    ({ queue }) => queue.publish(queue.lay([{ addr: RAM, length: 0xffff_ffff }])),
  ],
  ["readable after writable", "descriptor-order", ({ queue }) => {
    queue.publish(queue.lay([{ addr: RAM, length: 4, write: true }, { addr: RAM, length: 4 }]));
  }],
  ["table of no length", "indirect-length", ({ queue }) => {
    queue.setDescriptor({ addr: RAM, length: 0, flags: INDIRECT, next: 0 }, 0);
    queue.publish(0);
  }],
  ["table of odd length", "indirect-length", ({ queue }) => {
    queue.setDescriptor({ addr: RAM, length: 24, flags: INDIRECT, next: 0 }, 0);
    queue.publish(0);
  }],
  ["table outside memory", "descriptor-address", ({ queue }) => {
    queue.setDescriptor({ addr: RAM, length: 0xffff_fff0, flags: INDIRECT, next: 0 }, 0);
    queue.publish(0);
  }],
  ["table with NEXT", "indirect-next", ({ queue }) => {
    queue.setDescriptor({ addr: RAM, length: 16, flags: INDIRECT | NEXT, next: 1 }, 0);
    queue.publish(0);
  }],
  ["table in a table", "indirect-nested", ({ d, queue }) => {
    const table = d.board.alloc(16);
    queue.setDescriptor({ addr: table, length: 16, flags: INDIRECT, next: 0 }, 0, table);
    queue.setDescriptor({ addr: table, length: 16, flags: INDIRECT, next: 0 }, 0);
    queue.publish(0);
  }],
  ["loop in a table", "descriptor-loop", ({ d, queue }) => {
    const table = d.board.alloc(32);
    queue.setDescriptor({ addr: RAM, length: 4, flags: NEXT, next: 1 }, 0, table);
    queue.setDescriptor({ addr: RAM, length: 4, flags: NEXT, next: 0 }, 1, table);
    queue.setDescriptor({ addr: table, length: 32, flags: INDIRECT, next: 0 }, 0);
    queue.publish(0);
  }],
  ["next outside an indirect table", "descriptor-next-range", ({ d, queue }) => {
    const table = d.board.alloc(32);
    queue.setDescriptor({ addr: RAM, length: 4, flags: NEXT, next: 2 }, 0, table);
    queue.setDescriptor({ addr: table, length: 32, flags: INDIRECT, next: 0 }, 0);
    queue.publish(0);
  }],
  ["chain of more than 4 GiB", "chain-length", ({ d, queue }) => {
    const table = d.board.alloc(16 * 1024);
    for (let i = 0; i < 1024; i++) {
      queue.setDescriptor({ addr: RAM, length: 8 << 20, flags: i < 1023 ? NEXT : 0, next: i + 1 }, i, table);
    }
    queue.setDescriptor({ addr: table, length: 16 * 1024, flags: INDIRECT, next: 0 }, 0);
    queue.publish(0);
  }],
  ["table of tens of thousands", "descriptor-loop", ({ d, queue }) => {
    const table = d.board.alloc(16 * 65536);
    for (let i = 0; i < 65536; i++) {
      queue.setDescriptor({ addr: RAM, length: 1, flags: i < 65535 ? NEXT : 0, next: (i + 1) & 0xffff }, i, table);
    }
    queue.setDescriptor({ addr: table, length: 16 * 65536, flags: INDIRECT, next: 0 }, 0);
    queue.publish(0);
  }],
  ["more buffers in flight than descriptors", "avail-overcommitted", ({ d, queue }) => {
    queue.setDescriptor({ addr: RAM, length: 4, flags: 0, next: 0 }, 0);
    for (let i = 0; i < 8; i++) queue.publish(0);
    queue.notify();
    d.board.facts.splice(0);
    queue.publish(0);
  }],
];

for (const [name, rule, arrange] of BROKEN) {
  Deno.test(`hostile ring: ${name} ends in DEVICE_NEEDS_RESET, and the device is usable again after a reset`, () => {
    for (const version of VERSIONS) {
      const r = rig(version, [INDIRECT_DESC]);
      const { d, device } = r;
      arrange(r);
      const before = device.held.length;
      d.write("QueueNotify", 0);
      assertEquals(d.board.violations.at(-1), rule);
      assertEquals(device.held.length, before);
      const status = d.read("Status");
      assert((status & virtioStatus.DEVICE_NEEDS_RESET) !== 0);
      assertEquals(d.read("InterruptStatus"), 2);
      assert(d.board.of("virtio").some((fact) => fact.step === "needs-reset" && fact.reason.startsWith(rule)));
      const queue = d.bringUp();
      d.board.facts.length = 0;
      queue.post([{ addr: d.board.alloc(4), length: 4 }]);
      device.use();
      assertEquals(queue.collect().length, 1);
      assertEquals(d.board.violations, []);
    }
  });
}

Deno.test("a device that failed takes nothing back and gives nothing out", () => {
  const { d, device, queue } = rig(2);
  queue.post([{ addr: d.board.alloc(4), length: 4 }]);
  device.transport.fail("descriptor-loop", "test");
  device.use();
  assertEquals(queue.usedIdx, 0);
  assertEquals(device.transport.queue(0).pop(), undefined);
});

Deno.test("more bytes written than there is room for is our mistake", () => {
  const { d, device, queue } = rig(2);
  queue.post([{ addr: d.board.alloc(4), length: 4, write: true }]);
  assertThrows(() => device.use(5), RangeError, "5 bytes written to a chain with room for 4");
});

Deno.test("the queue's life in events: configured, notified, available, chain, used, interrupt, stopped", () => {
  const { d, device, queue } = rig(2);
  const addr = d.board.alloc(4);
  queue.post([{ addr, length: 4, write: true }]);
  device.use(2);
  d.write("QueueReady", 0);
  const facts = d.board.of("virtqueue").map(({ kind: _kind, device: name, queue: index, ...rest }) => {
    assertEquals([name, index], ["virtio0", 0]);
    return rest;
  });
  assertEquals(facts as unknown[], [
    { step: "configured", format: "split", size: 8, desc: queue.desc, driver: queue.avail, device_area: queue.used },
    { step: "notified", value: 0 },
    { step: "available", from: 0, to: 1 },
    {
      step: "chain",
      head: 0,
      position: 0,
      descriptors: [{ index: 0, table: "ring", addr, length: 4, flags: WRITE, next: 0 }],
    },
    { step: "used", head: 0, written: 2, position: 0 },
    { step: "interrupt", sent: true, reason: "flags is 0" },
    { step: "stopped" },
  ]);
});
