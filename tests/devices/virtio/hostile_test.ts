/** Guests that mean harm, and guests that are merely unusual, by the thousand. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MemoryDisk } from "../../../devices/host/memory.ts";
import { VirtioBlk, VirtioBlkS, VirtioBlkT } from "../../../devices/virtio/blk.ts";
import { VirtioConsole } from "../../../devices/virtio/console.ts";
import type { VirtioDevice } from "../../../devices/virtio/device.ts";
import { VirtioDummy } from "../../../devices/virtio/dummy.ts";
import { featureBit } from "../../../devices/virtio/feature_set.ts";
import { virtioStatus } from "../../../devices/virtio/registers.ts";
import { VirtioRng } from "../../../devices/virtio/rng.ts";
import { TestPort } from "../../support/char_port.ts";
import { IN_ORDER, PackedDriverQueue, RING_PACKED } from "../../support/packed_driver.ts";
import { holdingDriver } from "../../support/virtio_device.ts";
import {
  type DriverQueue,
  EVENT_IDX,
  INDIRECT_DESC,
  type Part,
  RAM,
  RAM_SIZE,
  ROM,
  TestBoard,
  TestDriver,
  VERSION_1,
} from "../../support/virtio_driver.ts";

const F_FLUSH = featureBit(2, "VIRTIO_BLK_F_FLUSH");
const F_LIMIT = featureBit(63, "DUMMY_F_LIMIT");
const DISK = 64 * 1024;

/** One of each device type, and the features a driver of it accepts. */
const DEVICES: Record<string, { make: () => VirtioDevice; bits: number[] }> = {
  blk: { make: () => new VirtioBlk({ backend: new MemoryDisk(DISK) }), bits: [F_FLUSH] },
  console: {
    make: () => {
      const port = new TestPort();
      port.type("some input that waits");
      return new VirtioConsole({ port });
    },
    bits: [],
  },
  rng: { make: () => new VirtioRng(), bits: [] },
  dummy: { make: () => new VirtioDummy({ intervalUs: 1 }), bits: [F_LIMIT] },
};

const version = fc.constantFrom<1 | 2>(1, 2);
const kind = fc.constantFrom(...Object.keys(DEVICES));

/** Addresses as hostile guests choose them: in RAM, at its edges, in ROM, nowhere. */
const address = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 1 << 16 }).map((offset) => RAM + 0x10_0000 + offset) },
  fc.constantFrom(0, ROM, RAM + RAM_SIZE - 1, RAM + RAM_SIZE, RAM - 1, 2 ** 32, 2 ** 63, 2 ** 64 - 2 ** 11),
);
const length = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 2048 }) },
  fc.constantFrom(16, 512, 4096, 0x7fff_ffff, 0xffff_ffff, RAM_SIZE),
);
interface Descriptor {
  readonly addr: number;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
}
const descriptor: fc.Arbitrary<Descriptor> = fc.record({
  addr: address,
  length,
  flags: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 7 }) }, fc.integer({ min: 0, max: 0xffff })),
  next: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 8 }) }, fc.integer({ min: 0, max: 0xffff })),
});

/** The ring as a well-behaved driver would have it, except for the entries that `mischief` names. */
function calmed(ring: readonly Descriptor[], mischief: readonly number[]): Descriptor[] {
  return ring.map((wild, i) => {
    if (mischief.includes(i)) return wild;
    const last = i === ring.length - 1 || (wild.flags & 1) === 0;
    return {
      addr: RAM + 0x20_0000 + 4096 * i,
      length: wild.length % 1024 + (i < ring.length / 2 ? 16 : 1),
      flags: (i < ring.length / 2 ? 0 : 2) | (last ? 0 : 1),
      next: last ? 0 : i + 1 + wild.next % (ring.length - 1 - i),
    };
  });
}

/** Where a device may write: the used ring, and what device-writable descriptors anywhere in the rings refer to. */
function mayWrite(queue: DriverQueue, addr: number, bytes: number, writable: readonly [number, number][]): boolean {
  const inside = (from: number, size: number): boolean => addr >= from && addr + bytes <= from + size;
  return inside(queue.used, 6 + 8 * queue.size) || writable.some(([from, size]) => inside(from, size));
}

Deno.test("random rings: nothing throws, nothing is written that was not offered, a reset mends it", () => {
  fc.assert(
    fc.property(
      kind,
      version,
      fc.array(descriptor, { minLength: 8, maxLength: 8 }),
      fc.array(descriptor, { minLength: 4, maxLength: 4 }),
      fc.array(fc.nat(7), { maxLength: 3 }),
      fc.array(fc.oneof({ weight: 40, arbitrary: fc.nat(7) }, fc.nat(0xffff)), { maxLength: 8 }),
      fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(0xffff)),
      fc.constantFrom([], [INDIRECT_DESC], [EVENT_IDX], [INDIRECT_DESC, EVENT_IDX]),
      (which, interfaceVersion, wildRing, wildTable, mischief, heads, jump, features) => {
        const { make, bits } = DEVICES[which]!;
        const ring = calmed(wildRing, mischief);
        const table = calmed(wildTable, mischief);
        const board = new TestBoard();
        const d = new TestDriver(make(), { version: interfaceVersion, board });
        const queue = d.bringUp([...bits, ...features]);
        const tableAt = RAM + 0x10_0000;
        const writable: [number, number][] = [];
        for (const { addr, length, flags } of [...ring, ...table]) if ((flags & 2) !== 0) writable.push([addr, length]);
        table.forEach((entry, i) => queue.setDescriptor(entry, i, tableAt));
        ring.forEach((entry, i) => {
          const pointsToTable = (entry.flags & 4) !== 0 && i % 2 === 0;
          queue.setDescriptor(pointsToTable ? { ...entry, addr: tableAt, length: 64 } : entry, i);
        });
        const written: [number, number][] = [];
        board.memory.onWrite((addr, bytes) => written.push([addr, bytes]));
        for (const head of heads) queue.publish(head);
        if (jump !== 0) board.memory.write(queue.avail + 2, 2, jump);
        written.length = 0;
        queue.notify();
        board.advance(2_000_000);
        // Writes to guest memory may themselves change the rings: what was laid at first is then no measure.
        const changed = written.some(([addr, bytes]) =>
          [[queue.desc, 128], [queue.avail, 24], [tableAt, 64]].some(([from, size]) =>
            addr < from! + size! && from! < addr + bytes
          )
        );
        if (!changed) {
          for (const [addr, bytes] of written) {
            assert(mayWrite(queue, addr, bytes, writable), `wrote ${bytes} bytes at ${addr.toString(16)}`);
          }
        }
        const failed = (d.read("Status") & virtioStatus.DEVICE_NEEDS_RESET) !== 0;
        assertEquals(failed, board.of("virtio").some((fact) => fact.step === "needs-reset"));
        assertEquals(board.irqLevel, d.read("InterruptStatus") !== 0);
        worksAfterReset(d, which);
      },
    ),
    { numRuns: 1000, seed: 1 },
  );
});

/** Brings the device up again and has it do one thing. */
function worksAfterReset(d: TestDriver, which: string): void {
  d.slot.reset();
  const queue = d.bringUp(DEVICES[which]!.bits);
  const into = { addr: d.board.alloc(16), length: 16, write: true };
  const header = { addr: d.board.put(Uint8Array.of(VirtioBlkT.FLUSH, ...new Uint8Array(15))), length: 16 };
  queue.post(which === "blk" ? [header, into] : [into]);
  d.board.advance(2_000_000);
  if (which !== "console") assertEquals(queue.collect().length, 1, which);
}

Deno.test("random register accesses: nothing throws, the line follows InterruptStatus, a reset mends it", () => {
  const access = fc.record({
    offset: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 0x44 }).map((word) => word * 4) },
      fc.integer({ min: 0, max: 0xfff }),
    ),
    size: fc.constantFrom<1 | 2 | 4>(1, 2, 4, 4, 4, 4),
    value: fc.oneof(fc.integer({ min: 0, max: 16 }), fc.constantFrom(0x80, 0x1000, 0x8_0000, 0xffff_ffff), fc.nat()),
    write: fc.boolean(),
  });
  fc.assert(
    fc.property(kind, version, fc.boolean(), fc.array(access, { maxLength: 60 }), (which, v, strict, accesses) => {
      const d = new TestDriver(DEVICES[which]!.make(), { version: v, strict });
      for (const { offset, size, value, write } of accesses) {
        if (write) assertEquals(d.slot.write(offset, size, value), 0);
        else {
          const read = d.slot.read(offset, size);
          assert(read >= 0 && read < 2 ** (8 * size), `${read}`);
        }
        d.board.advance(1000);
        assertEquals(d.board.irqLevel, d.read("InterruptStatus") !== 0);
      }
      worksAfterReset(d, which);
    }),
    { numRuns: 700, seed: 2 },
  );
});

/** Cuts `total` bytes at `addr` into parts at the given places, with gaps in between so that nothing is joined. */
function cut(board: TestBoard, total: number, places: readonly number[], write: boolean): Part[] {
  const ends = [...new Set(places.map((place) => place % (total + 1)).filter((place) => place > 0)), total];
  ends.sort((a, b) => a - b);
  let from = 0;
  const parts: Part[] = [];
  for (const end of ends) {
    if (end > from) parts.push({ addr: board.alloc(end - from + 1), length: end - from, write });
    from = end;
  }
  return parts;
}

function scatter(board: TestBoard, parts: readonly Part[], bytes: Uint8Array): void {
  let at = 0;
  for (const { addr, length } of parts) {
    board.memory.copyIn(addr, bytes.subarray(at, at + length));
    at += length;
  }
}

function gather(board: TestBoard, parts: readonly Part[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(({ addr, length }) => [...board.get(addr, length)]));
}

Deno.test("random valid disk traffic: every byte and length as a plain array would have it, no violation", () => {
  const request = fc.record({
    write: fc.boolean(),
    sector: fc.integer({ min: 0, max: DISK / 512 - 4 }),
    sectors: fc.integer({ min: 0, max: 4 }),
    fill: fc.integer({ min: 0, max: 255 }),
    headerCuts: fc.array(fc.integer({ min: 1, max: 15 }), { maxLength: 2 }),
    dataCuts: fc.array(fc.integer({ min: 1, max: 4000 }), { maxLength: 5 }),
    joined: fc.boolean(),
    indirect: fc.boolean(),
  });
  fc.assert(
    fc.property(version, fc.boolean(), fc.array(request, { maxLength: 12 }), (v, eventIdx, requests) => {
      const model = new Uint8Array(DISK);
      const d = new TestDriver(new VirtioBlk({ backend: new MemoryDisk(DISK) }), { version: v });
      const queue = d.bringUp([F_FLUSH, INDIRECT_DESC, ...(eventIdx ? [EVENT_IDX] : [])], 16);
      const { board } = d;
      for (const { write, sector, sectors, fill, headerCuts, dataCuts, joined, indirect } of requests) {
        const bytes = sectors * 512;
        const header = new Uint8Array(16);
        header[0] = write ? VirtioBlkT.OUT : VirtioBlkT.IN;
        new DataView(header.buffer).setUint32(8, sector, true);
        const content = Uint8Array.from({ length: bytes }, (_, i) => (fill + i * 3) & 0xff);
        const out = write ? Uint8Array.of(...header, ...content) : header;
        const outParts = cut(board, out.length, write && !joined ? [16, ...dataCuts] : headerCuts, false);
        scatter(board, outParts, out);
        const inLength = (write ? 0 : bytes) + 1;
        const inParts = cut(board, inLength, joined ? dataCuts : [inLength - 1, ...dataCuts], true);
        const parts = [...outParts, ...inParts];
        if (parts.length > 16) continue;
        const head = queue.post(parts, indirect);
        d.wait();
        assertEquals(queue.collect(), [{ id: head, length: inLength }]);
        const got = gather(board, inParts);
        assertEquals(got[inLength - 1], VirtioBlkS.OK);
        if (write) model.set(content, sector * 512);
        else assertEquals(got.subarray(0, bytes), model.subarray(sector * 512, sector * 512 + bytes));
      }
      assertEquals(board.violations, []);
    }),
    { numRuns: 200, seed: 3 },
  );
});

Deno.test("a chain of gigabytes over little memory holds the host only for a moment at a time", () => {
  for (const [which, write] of [["console", false], ["rng", true], ["dummy", true]] as const) {
    const d = new TestDriver(DEVICES[which]!.make());
    d.negotiate([...DEVICES[which]!.bits, INDIRECT_DESC]);
    const queue = d.setupQueue(which === "console" ? 1 : 0);
    d.driverOk();
    const written: number[] = [];
    const table = d.board.alloc(16 * 512);
    for (let i = 0; i < 512; i++) {
      const flags = (i < 511 ? 1 : 0) | (write ? 2 : 0);
      queue.setDescriptor({ addr: RAM, length: RAM_SIZE, flags, next: i + 1 }, i, table);
    }
    queue.setDescriptor({ addr: table, length: 16 * 512, flags: 4, next: 0 }, 0);
    d.board.memory.onWrite((_, bytes) => written.push(bytes));
    queue.publish(0);
    d.board.facts.length = 0;
    queue.notify();
    d.board.advance(10_000);
    const out = d.board.of("console").reduce((sum, fact) => sum + fact.bytes.length, 0);
    assert(out <= 3 * 65536, `${which}: ${out} bytes out`);
    assert(written.every((bytes) => bytes <= 65536), which);
    d.write("Status", 0);
  }
});

Deno.test("features negotiated anew over a queue in use: it stays what it is until it is handed over again", () => {
  const { d, device } = holdingDriver({ switches: { packed: true, suspend: true, in_order: true } });
  const { ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK } = virtioStatus;
  const split = d.bringUp([INDIRECT_DESC]);
  const room = d.board.alloc(16);
  split.post([{ addr: room, length: 16, write: true }]);
  d.write("Status", ACKNOWLEDGE | DRIVER);
  d.accept([VERSION_1, RING_PACKED, EVENT_IDX, IN_ORDER]);
  d.write("Status", ACKNOWLEDGE | DRIVER | FEATURES_OK);
  d.write("Status", ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
  assertEquals(d.board.violations, ["status-cleared"]);
  // The buffer from before, and one more, in the split ring.
  split.post([{ addr: room, length: 16, write: true }]);
  for (const chain of device.held.splice(0)) device.transport.queue(0).push(chain, 1);
  assertEquals(split.collect().map(({ length }) => length), [1, 1]);
  split.post([{ addr: room, length: 16, write: true }]);
  const [stale] = device.held.splice(0);
  d.write("QueueReady", 0);
  const packed = new PackedDriverQueue(d, 0, 5);
  packed.post([{ addr: room, length: 16, write: true }]);
  const queue = device.transport.queue(0);
  queue.push(stale!, 1);
  assertEquals(packed.collect().length, 0);
  queue.push(device.held.splice(0)[0]!, 1);
  assertEquals(packed.collect().length, 1);
  assertEquals(d.board.violations, ["status-cleared"]);
});
