/** Packed rings of drivers that mean harm, and random ones against a model of the driver's side. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
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
import {
  EVENT_IDX,
  INDIRECT_DESC,
  type Part,
  RAM,
  RAM_SIZE,
  ROM,
  TestBoard,
  TestDriver,
} from "../../support/virtio_driver.ts";

interface Rig {
  readonly d: TestDriver;
  readonly device: HoldingDevice;
  readonly queue: PackedDriverQueue;
}

function rig(bits: readonly number[], size: number, watched = true): Rig {
  const device = new HoldingDevice({ sizeMax: 64 });
  const board = new TestBoard(watched);
  const d = new TestDriver(device, { switches: { packed: true }, board });
  return { d, device, queue: bringUpPacked(d, bits, size) };
}

/** Rings that cannot be worked with: what is laid at descriptor 0 of an otherwise empty ring of 4, with a table. */
const HOSTILE: Record<string, { rule: string; lay: (r: Rig, table: number) => void }> = {
  "list longer than the ring": {
    rule: "descriptor-loop",
    lay: ({ queue }) => {
      for (let i = 0; i < 4; i++) queue.setDescriptor({ addr: RAM, length: 1, id: 0, flags: AVAIL | NEXT }, i);
    },
  },
  "list that ends in descriptors not available": {
    rule: "packed-list-unavailable",
    lay: ({ queue }) => queue.setDescriptor({ addr: RAM, length: 1, id: 0, flags: AVAIL | NEXT }, 0),
  },
  "address nowhere": {
    rule: "descriptor-address",
    lay: ({ queue }) => queue.setDescriptor({ addr: 0x10, length: 1, id: 0, flags: AVAIL }, 0),
  },
  "address that wraps around": {
    rule: "descriptor-address",
    lay: ({ queue }) => queue.setDescriptor({ addr: 2 ** 64 - 2048, length: 4096, id: 0, flags: AVAIL }, 0),
  },
  "writing to read-only memory": {
    rule: "descriptor-address",
    lay: ({ queue }) => queue.setDescriptor({ addr: ROM, length: 1, id: 0, flags: AVAIL | WRITE }, 0),
  },
  "readable after writable": {
    rule: "descriptor-order",
    lay: ({ queue }) => {
      queue.setDescriptor({ addr: RAM, length: 1, id: 0, flags: AVAIL | NEXT | WRITE }, 0);
      queue.setDescriptor({ addr: RAM, length: 1, id: 0, flags: AVAIL }, 1);
    },
  },
  "table with NEXT": {
    rule: "indirect-next",
    lay: ({ queue }, table) =>
      queue.setDescriptor({ addr: table, length: 16, id: 0, flags: AVAIL | INDIRECT | NEXT }, 0),
  },
  "table at the end of a list": {
    rule: "indirect-next",
    lay: ({ queue }, table) => {
      queue.setDescriptor({ addr: RAM, length: 1, id: 0, flags: AVAIL | NEXT }, 0);
      queue.setDescriptor({ addr: table, length: 16, id: 0, flags: AVAIL | INDIRECT }, 1);
    },
  },
  "table of no length": {
    rule: "indirect-length",
    lay: ({ queue }, table) => queue.setDescriptor({ addr: table, length: 0, id: 0, flags: AVAIL | INDIRECT }, 0),
  },
  "table of odd length": {
    rule: "indirect-length",
    lay: ({ queue }, table) => queue.setDescriptor({ addr: table, length: 24, id: 0, flags: AVAIL | INDIRECT }, 0),
  },
  "table outside memory": {
    rule: "descriptor-address",
    lay: ({ queue }) => queue.setDescriptor({ addr: 0x10, length: 16, id: 0, flags: AVAIL | INDIRECT }, 0),
  },
  "table of tens of thousands": {
    rule: "indirect-chain-length",
    lay: ({ queue }) => queue.setDescriptor({ addr: RAM, length: 16 * 40_000, id: 0, flags: AVAIL | INDIRECT }, 0),
  },
  "table of more than 4 GiB": {
    rule: "chain-length",
    lay: ({ d, queue }) => {
      const table = d.board.alloc(16 * 1024);
      for (let i = 0; i < 1024; i++) queue.setDescriptor({ addr: RAM, length: 8 << 20, id: 0, flags: 0 }, i, table);
      queue.setDescriptor({ addr: table, length: 16 * 1024, id: 0, flags: AVAIL | INDIRECT }, 0);
    },
  },
  "a second round over descriptors in flight": {
    rule: "packed-overcommitted",
    lay: ({ queue }) => {
      for (let i = 0; i < 4; i++) queue.setDescriptor({ addr: RAM, length: 1, id: i, flags: AVAIL }, i);
      queue.notify();
      queue.setDescriptor({ addr: RAM, length: 1, id: 9, flags: USED }, 0);
    },
  },
  "a list that runs into descriptors in flight": {
    rule: "packed-overcommitted",
    lay: ({ queue }) => {
      for (let i = 0; i < 2; i++) queue.setDescriptor({ addr: RAM, length: 1, id: i, flags: AVAIL }, i);
      queue.notify();
      for (const i of [2, 3]) queue.setDescriptor({ addr: RAM, length: 1, id: 8, flags: AVAIL | NEXT }, i);
      queue.setDescriptor({ addr: RAM, length: 1, id: 9, flags: USED }, 0);
    },
  },
};

for (const [name, { rule, lay }] of Object.entries(HOSTILE)) {
  Deno.test(`packed: hostile ring: ${name} ends in DEVICE_NEEDS_RESET, and a reset mends it`, () => {
    const r = rig([INDIRECT_DESC], 4);
    const { d, device, queue } = r;
    const table = d.board.alloc(64);
    queue.setDescriptor({ addr: RAM, length: 1, id: 0, flags: 0 }, 0, table);
    lay(r, table);
    queue.notify();
    assertEquals(d.board.violations.at(-1), rule);
    assert((d.read("Status") & virtioStatus.DEVICE_NEEDS_RESET) !== 0);
    assertEquals(device.transport.queue(0).pop(), undefined);
    const again = bringUpPacked(d, [], 4);
    const id = again.post([{ addr: d.board.alloc(4), length: 4 }]);
    device.use();
    assertEquals(again.collect(), [{ id, length: undefined }]);
  });
}

Deno.test("packed: parts that are not memory, or not writable, fail the device; misaligned ones are told (§2.8.11)", () => {
  const bring = (change: (areas: { desc: number; avail: number; used: number }) => void): TestDriver => {
    const d = new TestDriver(new HoldingDevice(), { switches: { packed: true } });
    d.negotiate([RING_PACKED]);
    const areas = { desc: d.board.alloc(64), avail: d.board.alloc(4), used: d.board.alloc(4) };
    change(areas);
    d.write("QueueNum", 3);
    d.writeAreas(areas);
    d.write("QueueReady", 1);
    return d;
  };
  assertEquals(bring(() => {}).board.violations, []);
  assertEquals(bring((areas) => areas.desc = ROM).board.violations, ["queue-address"], "the device writes descriptors");
  assertEquals(bring((areas) => areas.avail = ROM).board.violations, [], "the device only reads the driver's area");
  assertEquals(bring((areas) => areas.used = ROM).board.violations, ["queue-address"]);
  assertEquals(bring((areas) => areas.desc += 8).board.violations, ["queue-misaligned"]);
  assertEquals(bring((areas) => areas.avail += 2).board.violations, ["queue-misaligned"]);
  assertEquals(bring((areas) => areas.used += 1).board.violations, ["queue-misaligned"]);
});

/** A buffer the model has in flight: what the device must read, and where it writes. */
interface Buffer {
  readonly out: number[];
  readonly into: Part[];
}

Deno.test("packed: random traffic in rings of every size: every byte, ID, length and interrupt as a model has it", () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant("post" as const),
        out: fc.nat(3),
        into: fc.nat(3),
        indirect: fc.boolean(),
      }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant("use" as const), which: fc.nat(), written: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("collect" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("event" as const), flags: fc.nat(2), ahead: fc.nat(5) }) },
  );
  let wraps = 0;
  let suppressed = 0;
  let sent = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 24 }),
      fc.boolean(),
      fc.array(step, { minLength: 60, maxLength: 120 }),
      (size, idx, steps) => {
        const { d, device, queue } = rig(idx ? [INDIRECT_DESC, EVENT_IDX] : [INDIRECT_DESC], size);
        const buffers = new Map<number, Buffer>();
        /** Used and not collected, in order; and the ring's entries they take, as the model counts them. */
        const used: { id: number; length: number | undefined }[] = [];
        const slots = new Map<number, number>();
        let usedAt = 0;
        let event: { flags: number; at: number } = { flags: EVENTS.ENABLE, at: 0 };
        const space = d.board.alloc(64 * 64);
        let fill = 0;
        for (const one of steps) {
          if (one.do === "post") {
            const parts = one.out + one.into;
            const takes = one.indirect ? 1 : parts;
            // §2.8.17: no list longer than the queue, not in a table either.
            if (parts === 0 || parts > size || queue.free < takes) continue;
            // Each part in a place of its own, so that what the device writes can be told apart.
            const place = (i: number) => space + 64 * ((fill * 6 + i) % 64);
            const out = Array.from({ length: one.out }, (_, i): Part => ({ addr: place(i), length: i + 1 }));
            const into = Array.from({ length: one.into }, (_, i): Part => ({
              addr: d.board.alloc(4),
              length: 3 - i,
              write: true,
            }));
            out.forEach(({ addr, length }, i) => d.board.memory.copyIn(addr, new Uint8Array(length).fill(fill + i)));
            const held = device.held.length;
            // The device asks for the first descriptor it has not seen: all before are taken.
            const awaited = { flags: EVENTS.DESC, offset: queue.nextAvail, wrap: queue.availWrap };
            if (idx && fill > 0) assertEquals(queue.deviceEvent, awaited);
            const id = queue.publish([...out, ...into], { indirect: one.indirect });
            buffers.set(id, { out: out.flatMap(({ length }, i) => Array(length).fill((fill + i) & 0xff)), into });
            slots.set(id, takes);
            fill++;
            queue.notify();
            const chain = device.held.at(-1)!;
            assertEquals([device.held.length, chain.head], [held + 1, id]);
            // Read at once: later buffers may lie over the same memory.
            const got = new Uint8Array(chain.readableLength);
            chain.reader.read(got);
            assertEquals([...got], buffers.get(id)!.out);
          } else if (one.do === "use") {
            if (device.held.length === 0) continue;
            const [chain] = device.held.splice(one.which % device.held.length, 1);
            const written = one.written % (chain!.writableLength + 1);
            const bytes = Uint8Array.from({ length: written }, (_, i) => chain!.head + i);
            chain!.writer.write(bytes);
            const id = chain!.head;
            device.transport.queue(0).push(chain!, written);
            used.push({ id, length: written > 0 ? written : undefined });
            const from = usedAt;
            usedAt += slots.get(id)!;
            if (Math.floor(usedAt / size) > Math.floor(from / size)) wraps++;
            const expected = event.flags === EVENTS.ENABLE ||
              (event.flags === EVENTS.DESC &&
                [...Array(usedAt - from).keys()].some((i) => (from + i) % (2 * size) === event.at % (2 * size)));
            const status = d.read("InterruptStatus");
            assertEquals(status, expected ? 1 : 0);
            expected ? sent++ : suppressed++;
            d.write("InterruptACK", status);
            const flat = buffers.get(id)!.into.flatMap(({ addr, length }) => [...d.board.get(addr, length)]);
            assertEquals(flat.slice(0, written), [...bytes]);
            assertEquals(flat.slice(written), Array(flat.length - written).fill(0));
          } else if (one.do === "collect") {
            assertEquals(queue.collect(), used);
            used.length = 0;
          } else {
            if (one.flags === EVENTS.DESC && !idx) continue;
            event = { flags: one.flags, at: usedAt + one.ahead };
            queue.setEvent(one.flags, event.at % size, 1 - Math.floor(event.at / size) % 2);
          }
        }
        assertEquals(queue.collect(), used);
        assertEquals(d.board.violations, []);
      },
    ),
    { numRuns: 150, seed: 11 },
  );
  assert(wraps > 300 && suppressed > 300 && sent > 300, `${wraps} wraps, ${suppressed} suppressed, ${sent} sent`);
});

Deno.test("packed: random rings: nothing throws, nothing is written that was not offered, a reset mends it", () => {
  const descriptor = fc.record({
    addr: fc.oneof(
      { weight: 6, arbitrary: fc.nat(0xffff).map((offset) => RAM + 0x10_0000 + offset) },
      fc.constantFrom(0, ROM, RAM + RAM_SIZE - 1, RAM + RAM_SIZE, 2 ** 63, 2 ** 64 - 2048),
    ),
    length: fc.oneof({ weight: 5, arbitrary: fc.nat(2048) }, fc.constantFrom(16, 32, 4096, 0xffff_ffff, RAM_SIZE)),
    id: fc.nat(0xffff),
    flags: fc.oneof(
      { weight: 8, arbitrary: fc.nat(7).chain((low) => fc.constantFrom(low | AVAIL, low | AVAIL, low | USED)) },
      fc.nat(0xffff),
    ),
  });
  let failures = 0;
  let taken = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(descriptor, { minLength: 9, maxLength: 9 }),
      fc.array(descriptor, { minLength: 4, maxLength: 4 }),
      fc.array(fc.record({ index: fc.nat(8), descriptor, use: fc.nat(3) }), { maxLength: 8 }),
      fc.nat(0xffff_ffff),
      fc.constantFrom([], [INDIRECT_DESC], [EVENT_IDX], [INDIRECT_DESC, EVENT_IDX]),
      (size, ring, table, changes, driverEvent, features) => {
        const { d, device, queue } = rig(features, size);
        const tableAt = RAM + 0x10_0000;
        const writes: [number, number][] = [];
        table.forEach((entry, i) => queue.setDescriptor(entry, i, tableAt));
        const lay = (entry: typeof ring[number], index: number) =>
          queue.setDescriptor((entry.flags & INDIRECT) !== 0 ? { ...entry, addr: tableAt } : entry, index);
        ring.slice(0, size).forEach(lay);
        d.board.memory.write(queue.driverArea, 4, driverEvent);
        d.board.memory.onWrite((addr, bytes) => writes.push([addr, bytes]));
        queue.notify();
        for (const { index, descriptor, use } of changes) {
          for (let i = 0; i < use && device.held.length > 0; i++) device.use();
          taken += device.held.length;
          assert(device.held.length <= size, "more buffers in flight than descriptors");
          writes.length = 0;
          lay(descriptor, index % size);
          writes.length = 0;
          queue.notify();
        }
        for (const [addr, bytes] of writes) {
          const inside = (from: number, length: number) => addr >= from && addr + bytes <= from + length;
          assert(inside(queue.ring, 16 * size) || inside(queue.deviceArea, 4), `wrote ${bytes} at ${addr}`);
        }
        const failed = (d.read("Status") & virtioStatus.DEVICE_NEEDS_RESET) !== 0;
        assertEquals(failed, d.board.of("virtio").some((fact) => fact.step === "needs-reset"));
        if (failed) failures++;
        const again = bringUpPacked(d, [], size);
        const id = again.post([{ addr: d.board.alloc(4), length: 4 }]);
        device.use();
        assertEquals(again.collect(), [{ id, length: undefined }]);
      },
    ),
    { numRuns: 600, seed: 12 },
  );
  assert(failures > 50 && taken > 50, `${failures} failed, ${taken} taken`);
});
