import { assert, assertEquals, assertThrows } from "@std/assert";
import { featureBit } from "../../../devices/virtio/feature_set.ts";
import { VirtioBlk, VirtioBlkS, VirtioBlkT } from "../../../devices/virtio/blk.ts";
import { virtioStatus } from "../../../devices/virtio/registers.ts";
import { RecordingDisk } from "../../support/recording_disk.ts";
import { type DriverQueue, INDIRECT_DESC, type Part, TestDriver } from "../../support/virtio_driver.ts";

const VERSIONS = [1, 2] as const;
const { IN, OUT, FLUSH, FLUSH_OUT, GET_ID } = VirtioBlkT;
const { OK, IOERR, UNSUPP } = VirtioBlkS;
const F_RO = featureBit(2, "VIRTIO_BLK_F_RO");
const F_FLUSH = featureBit(2, "VIRTIO_BLK_F_FLUSH");
const F_CONFIG_WCE = featureBit(2, "VIRTIO_BLK_F_CONFIG_WCE");
const WRITEBACK = 32;
const SECTORS = 64;

function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + seed) & 0xff);
}

interface Rig {
  readonly d: TestDriver;
  readonly disk: RecordingDisk;
  readonly queue: DriverQueue;
}

function rig(options: { version?: 1 | 2; readOnly?: boolean; bits?: number[]; latencyNs?: number } = {}): Rig {
  const disk = new RecordingDisk(pattern(SECTORS * 512), options.readOnly);
  const d = new TestDriver(new VirtioBlk({ backend: disk, serial: "serial-1" }), options);
  return { d, disk, queue: d.bringUp(options.bits ?? [F_FLUSH], 16) };
}

interface Posted {
  readonly head: number;
  readonly status: number;
  readonly data: readonly Part[];
}

function header(d: TestDriver, type: number, sector: number): Part {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(8, sector % 2 ** 32, true);
  view.setUint32(12, Math.floor(sector / 2 ** 32), true);
  return { addr: d.board.put(bytes), length: 16 };
}

/** Posts a request in the usual three parts; the status byte starts as 0xaa. */
function post({ d, queue }: Rig, type: number, sector: number, data: readonly Part[], indirect = false): Posted {
  const status = d.board.put(Uint8Array.of(0xaa));
  const parts = [header(d, type, sector), ...data, { addr: status, length: 1, write: true }];
  return { head: queue.post(parts, indirect), status, data };
}

function into(r: Rig, length: number): Part {
  return { addr: r.d.board.alloc(length), length, write: true };
}

function from(r: Rig, bytes: Uint8Array): Part {
  return { addr: r.d.board.put(bytes), length: bytes.length };
}

function statusOf(r: Rig, posted: Posted): number {
  return r.d.board.memory.read(posted.status, 1);
}

/** Lets the request complete; its status and used length. */
function finish(r: Rig, posted: Posted): { status: number; length: number } {
  r.d.wait();
  const used = r.queue.collect();
  assertEquals(used.map(({ id }) => id), [posted.head]);
  return { status: statusOf(r, posted), length: used[0]!.length };
}

for (const version of VERSIONS) {
  Deno.test(`version ${version}: IN reads sectors, used length counts the status byte (§5.2.6)`, () => {
    for (const indirect of [false, true]) {
      const r = rig({ version, bits: [INDIRECT_DESC] });
      const data = [into(r, 512), into(r, 1024)];
      const posted = post(r, IN, 3, data, indirect);
      assertEquals(finish(r, posted), { status: OK, length: 1537 });
      const got = data.flatMap(({ addr, length }) => [...r.d.board.get(addr, length)]);
      assertEquals(got, [...pattern(SECTORS * 512).subarray(3 * 512, 6 * 512)]);
      assertEquals(r.d.board.violations, []);
    }
  });

  Deno.test(`version ${version}: OUT writes sectors, used length is the status byte`, () => {
    const r = rig({ version });
    const bytes = pattern(1024, 99);
    const posted = post(r, OUT, 60, [from(r, bytes.subarray(0, 1000)), from(r, bytes.subarray(1000))]);
    assertEquals(finish(r, posted), { status: OK, length: 1 });
    assertEquals(r.disk.content(60 * 512, 1024), bytes);
    assertEquals(r.disk.log, ["write 30720+1000", "write 31720+24"]);
  });

  Deno.test(`version ${version}: GET_ID fills 20 bytes with the padded string`, () => {
    const r = rig({ version });
    const data = into(r, 20);
    assertEquals(finish(r, post(r, GET_ID, 0, [data])), { status: OK, length: 21 });
    assertEquals(new TextDecoder().decode(r.d.board.get(data.addr, 20)), "serial-1".padEnd(20, "\0"));
    assertEquals(r.d.board.violations, []);
    const short = into(r, 4);
    assertEquals(finish(r, post(r, GET_ID, 0, [short])), { status: OK, length: 5 });
    const long = into(r, 30);
    assertEquals(finish(r, post(r, GET_ID, 0, [long])), { status: OK, length: 20 });
    assertEquals(r.d.board.violations, ["blk-data-length", "blk-data-length"]);
  });

  Deno.test(`version ${version}: header, data and status may be cut anywhere (§2.7.4.1)`, () => {
    const r = rig({ version });
    const request = header(r.d, IN, 1);
    const addr = r.d.board.alloc(2000);
    const cuts = [
      { addr: request.addr, length: 3 },
      { addr: request.addr + 3, length: 13 },
      { addr, length: 100, write: true },
      { addr: addr + 200, length: 412, write: true },
      // The last 512 bytes and the status byte in one.
      { addr: addr + 700, length: 513, write: true },
    ];
    const head = r.queue.post(cuts);
    r.d.wait();
    assertEquals(r.queue.collect(), [{ id: head, length: 1025 }]);
    const disk = pattern(SECTORS * 512).subarray(512, 1536);
    assertEquals(r.d.board.get(addr, 100), disk.slice(0, 100));
    assertEquals(r.d.board.get(addr + 200, 412), disk.slice(100, 512));
    assertEquals(r.d.board.get(addr + 700, 513), Uint8Array.of(...disk.slice(512), OK));
    const out = from(r, Uint8Array.of(...r.d.board.get(header(r.d, OUT, 2).addr, 16), ...pattern(512, 5)));
    const status = r.d.board.alloc(1);
    r.queue.post([out, { addr: status, length: 1, write: true }]);
    r.d.wait();
    assertEquals(r.disk.content(1024, 512), pattern(512, 5));
    assertEquals(r.d.board.violations, []);
  });

  Deno.test(`version ${version}: requests beyond the capacity, or not of whole sectors, are errors (§5.2.6.1)`, () => {
    const cases: [number, number, number, string][] = [
      [IN, SECTORS, 512, "blk-range"],
      [IN, SECTORS - 1, 1024, "blk-range"],
      [IN, 2 ** 63, 512, "blk-range"],
      [IN, 2 ** 64 - 2 ** 11, 512, "blk-range"],
      [OUT, SECTORS, 512, "blk-range"],
      [OUT, 2 ** 32, 512, "blk-range"],
      [IN, 0, 511, "blk-data-length"],
      [OUT, 0, 513, "blk-data-length"],
    ];
    for (const [type, sector, length, rule] of cases) {
      const r = rig({ version });
      const data = type === IN ? into(r, length) : from(r, pattern(length));
      // Nothing of the data was written, so the used length must not count past it (§2.7.8.2).
      assertEquals(finish(r, post(r, type, sector, [data])), { status: IOERR, length: type === IN ? 0 : 1 });
      assertEquals(r.d.board.violations, [rule]);
      assertEquals(r.disk.log, []);
    }
  });

  Deno.test(`version ${version}: unknown request types are UNSUPP (§5.2.6)`, () => {
    for (
      const type of [2, 3, 10, 11, 13, 14, 0x8000_0000, 0x8000_0001, 0xffff_ffff, ...(version === 2 ? [FLUSH_OUT] : [])]
    ) {
      const r = rig({ version });
      assertEquals(finish(r, post(r, type, 0, [])), { status: UNSUPP, length: 1 });
      assertEquals(r.d.board.violations, ["blk-type"]);
    }
  });

  Deno.test(`version ${version}: a read-only device fails writes and writes nothing (§5.2.6.2)`, () => {
    const r = rig({ version, readOnly: true, bits: [F_RO] });
    assert(r.d.offered().includes(F_RO));
    assertEquals(finish(r, post(r, OUT, 0, [from(r, pattern(512))])), { status: IOERR, length: 1 });
    assertEquals(r.disk.log, []);
    assertEquals(r.d.board.violations, ["blk-read-only"]);
    assertEquals(finish(r, post(r, IN, 0, [into(r, 512)])).status, OK);
  });

  Deno.test(`version ${version}: a host that fails is IOERR, with the used length up to the gap`, () => {
    const r = rig({ version });
    r.disk.failing = "read 512+512";
    const data = [into(r, 512), into(r, 16), into(r, 512)];
    data.splice(1, 1);
    assertEquals(finish(r, post(r, IN, 0, data)), { status: IOERR, length: 512 });
    r.disk.failing = "write 0+512";
    assertEquals(finish(r, post(r, OUT, 0, [from(r, pattern(512))])), { status: IOERR, length: 1 });
    r.disk.failing = "flush";
    assertEquals(finish(r, post(r, FLUSH, 0, [])), { status: IOERR, length: 1 });
    assertEquals(r.d.board.violations, []);
  });

  Deno.test(`version ${version}: a request without header is an error, one without status fails the device`, () => {
    const r = rig({ version });
    const status = r.d.board.put(Uint8Array.of(0xaa));
    r.queue.post([{ addr: r.d.board.alloc(8), length: 8 }, { addr: status, length: 1, write: true }]);
    r.d.wait();
    assertEquals(r.d.board.memory.read(status, 1), IOERR);
    assertEquals(r.d.board.violations, ["blk-header"]);
    r.queue.post([header(r.d, IN, 0)]);
    assertEquals(r.d.board.violations, ["blk-header", "blk-status"]);
    assert((r.d.read("Status") & virtioStatus.DEVICE_NEEDS_RESET) !== 0);
  });

  Deno.test(`version ${version}: data of the wrong direction is told`, () => {
    const r = rig({ version });
    const both = [from(r, pattern(512)), into(r, 512)];
    assertEquals(finish(r, post(r, OUT, 0, both)), { status: OK, length: 0 });
    assertEquals(finish(r, post(r, IN, 0, both)), { status: OK, length: 513 });
    assertEquals(finish(r, post(r, FLUSH, 5, both)).status, OK);
    const expected = ["blk-direction", "blk-direction", "blk-flush-data", "blk-flush-sector"];
    assertEquals(r.d.board.violations, expected);
  });

  Deno.test(`version ${version}: data lands in guest memory when the request is due, not before`, () => {
    const r = rig({ version, latencyNs: 50_000 });
    const data = into(r, 512);
    const posted = post(r, IN, 2, [data]);
    r.d.wait(49_000);
    assertEquals(statusOf(r, posted), 0xaa);
    assertEquals(r.d.board.get(data.addr, 512), new Uint8Array(512));
    assertEquals(r.queue.usedIdx, 0);
    assertEquals(r.d.board.irqLevel, false);
    assertEquals(r.disk.log, []);
    r.d.wait(1_000);
    assertEquals(statusOf(r, posted), OK);
    assertEquals(r.d.board.get(data.addr, 512), pattern(SECTORS * 512).slice(1024, 1536));
    assertEquals(r.d.board.irqLevel, true);
  });

  Deno.test(`version ${version}: several requests are in flight and complete in order`, () => {
    const r = rig({ version });
    const posted = [0, 1, 2, 3].map((sector) => {
      const one = post(r, OUT, sector, [from(r, pattern(512, sector + 50))]);
      r.d.wait(1_000);
      return one;
    });
    assertEquals(r.disk.log, []);
    r.d.wait(6_000);
    assertEquals(r.queue.collect().map(({ id }) => id), [posted[0]!.head]);
    r.d.wait(2_000);
    assertEquals(r.queue.collect().map(({ id }) => id), [posted[1]!.head, posted[2]!.head]);
    r.d.wait(1_000);
    assertEquals(r.queue.collect().map(({ id }) => id), [posted[3]!.head]);
    assertEquals(r.disk.log, [0, 1, 2, 3].map((sector) => `write ${sector * 512}+512`));
  });

  Deno.test(`version ${version}: a reset drops what is in flight (§2.4.1)`, () => {
    const r = rig({ version });
    const posted = post(r, IN, 0, [into(r, 512)]);
    r.d.write("Status", 0);
    assertEquals(r.d.board.clock.next, Infinity);
    r.d.wait();
    assertEquals(statusOf(r, posted), 0xaa);
    assertEquals(r.queue.usedIdx, 0);
    assertEquals(r.disk.log, []);
  });

  Deno.test(`version ${version}: stopping the queue drops what is in flight (§4.2.2.1)`, () => {
    const r = rig({ version });
    const posted = post(r, OUT, 0, [from(r, pattern(512))]);
    r.d.write(version === 1 ? "QueuePFN" : "QueueReady", 0);
    r.d.wait();
    assertEquals(statusOf(r, posted), 0xaa);
    assertEquals(r.disk.log, []);
  });

  Deno.test(`version ${version}: a driver that accepts no cache feature has stable writes (§5.2.6.2)`, () => {
    const r = rig({ version, bits: [] });
    const posted = post(r, OUT, 0, [from(r, pattern(512))]);
    assertEquals(finish(r, posted).status, OK);
    assertEquals(r.disk.log, ["write 0+512", "flush"]);
    r.disk.failing = "flush";
    assertEquals(finish(r, post(r, OUT, 1, [from(r, pattern(512))])).status, IOERR);
  });

  Deno.test(`version ${version}: with FLUSH, writes complete at once and FLUSH after the host's sync (§5.2.6.2)`, () => {
    const r = rig({ version });
    post(r, OUT, 0, [from(r, pattern(512))]);
    const flush = post(r, FLUSH, 0, []);
    r.d.wait(9_999);
    assertEquals(r.disk.log, []);
    assertEquals(statusOf(r, flush), 0xaa);
    r.d.wait(1);
    assertEquals(r.disk.log, ["write 0+512", "flush"]);
    assertEquals(statusOf(r, flush), OK);
  });

  Deno.test(`version ${version}: writeback switches the cache (§5.2.5, §5.2.6.1)`, () => {
    const r = rig({ version, bits: [F_FLUSH, F_CONFIG_WCE] });
    assertEquals(r.d.readConfig(WRITEBACK, 1), 1);
    r.d.writeConfig(WRITEBACK, 1, 0);
    assertEquals(r.d.readConfig(WRITEBACK, 1), 0);
    finish(r, post(r, OUT, 0, [from(r, pattern(512))]));
    assertEquals(r.disk.log.splice(0), ["write 0+512", "flush"]);
    r.d.writeConfig(WRITEBACK, 1, 1);
    finish(r, post(r, OUT, 0, [from(r, pattern(512))]));
    assertEquals(r.disk.log.splice(0), ["write 0+512"]);
    r.d.writeConfig(WRITEBACK, 1, 7);
    assertEquals(r.d.readConfig(WRITEBACK, 1), 1);
    assertEquals(r.d.board.violations, ["blk-writeback-value"]);
  });

  Deno.test(`version ${version}: configuration fields (§5.2.4)`, () => {
    const { d } = rig({ version });
    const sizes: [string, number, 1 | 2 | 4, number][] = [
      ["capacity low", 0, 4, SECTORS],
      ["capacity high", 4, 4, 0],
      ["seg_max", 12, 4, 254],
      ["cylinders", 16, 2, 0],
      ["heads", 18, 1, 16],
      ["sectors", 19, 1, 63],
      ["blk_size", 20, 4, 512],
      ["physical_block_exp", 24, 1, 0],
      ["alignment_offset", 25, 1, 0],
      ["min_io_size", 26, 2, 1],
      ["opt_io_size", 28, 4, 0],
      ["writeback", 32, 1, 1],
      ["unused0", 33, 1, 0],
    ];
    for (const [name, offset, size, value] of sizes) assertEquals(d.readConfig(offset, size), value, name);
    assertEquals(d.board.violations, []);
    d.readConfig(8, 4);
    assertEquals(d.board.violations, ["config-feature"]);
    d.writeConfig(0, 4, 5);
    assertEquals(d.readConfig(0, 4), SECTORS);
    assertEquals(d.board.violations, ["config-feature", "config-read-only"]);
  });
}

Deno.test("CONFIG_WCE without FLUSH starts as writethrough (§5.2.5.2), legacy leaves writeback alone (§5.2.5.3)", () => {
  for (const version of VERSIONS) {
    const { d } = rig({ version, bits: [F_CONFIG_WCE] });
    assertEquals(d.readConfig(WRITEBACK, 1), version === 2 ? 0 : 1);
  }
});

Deno.test("legacy: FLUSH_OUT is FLUSH (§5.2.6.3)", () => {
  const r = rig({ version: 1 });
  assertEquals(finish(r, post(r, FLUSH_OUT, 0, [])).status, OK);
  assertEquals(r.disk.log, ["flush"]);
});

Deno.test("FLUSH that was not negotiated still flushes, and is told", () => {
  const r = rig({ bits: [] });
  assertEquals(finish(r, post(r, FLUSH, 0, [])).status, OK);
  assertEquals(r.disk.log, ["flush"]);
  assertEquals(r.d.board.violations, ["blk-type-feature"]);
});

Deno.test("capacity beyond 32 bits of sectors is shown in two words", () => {
  const disk = { sizeBytes: 2 ** 42, readOnly: false, read() {}, write() {}, flush() {} };
  const d = new TestDriver(new VirtioBlk({ backend: disk }));
  assertEquals([d.readConfig(0, 4), d.readConfig(4, 4)], [0, 2]);
  assertEquals(d.readConfig(16, 2), 0xffff);
});

Deno.test("a disk of broken size or a long serial is our mistake", () => {
  const disk = { sizeBytes: 1000, readOnly: false, read() {}, write() {}, flush() {} };
  assertThrows(() => new VirtioBlk({ backend: disk }), RangeError, "size 1000 is not a multiple of 512");
  assertThrows(() => new VirtioBlk({ backend: { ...disk, sizeBytes: 512 }, serial: "x".repeat(21) }), RangeError, "20");
});

Deno.test("a very long request is moved in parts, one per latency, and used at its end", () => {
  const disk = new RecordingDisk(16 << 20);
  const d = new TestDriver(new VirtioBlk({ backend: disk }));
  const queue = d.bringUp([F_FLUSH], 16);
  const window = { addr: d.board.alloc(2 << 20), length: 2 << 20 };
  const status = { addr: d.board.put(Uint8Array.of(0xaa)), length: 1, write: true };
  d.board.memory.bytes(window.addr, window.length)!.fill(3);
  queue.post([header(d, OUT, 0), ...Array.from({ length: 5 }, () => window), status]);
  d.wait(10_000);
  assertEquals(disk.log, ["write 0+2097152", "write 2097152+2097152"]);
  d.wait(10_000);
  assertEquals(queue.usedIdx, 0);
  d.wait(10_000);
  assertEquals(queue.collect(), [{ id: 0, length: 1 }]);
  assertEquals(disk.content((10 << 20) - 1, 2), Uint8Array.of(3, 0));
  queue.post([header(d, IN, 8192), ...Array.from({ length: 4 }, () => ({ ...window, write: true })), status]);
  d.wait(20_000);
  assertEquals(queue.collect()[0]!.length, (8 << 20) + 1);
  assertEquals(d.board.get(window.addr, 2), Uint8Array.of(0, 0));
});

Deno.test("a failure that is not the host's is not hidden", () => {
  const disk = { sizeBytes: 512, readOnly: false, read() {}, write() {}, flush: () => assert(false, "bug") };
  const d = new TestDriver(new VirtioBlk({ backend: disk }));
  const queue = d.bringUp([F_FLUSH]);
  queue.post([header(d, FLUSH, 0), { addr: d.board.alloc(1), length: 1, write: true }]);
  assertThrows(() => d.wait(), Error, "bug");
});

Deno.test("requests are described in events", () => {
  const r = rig();
  post(r, IN, 7, [into(r, 512)]);
  post(r, GET_ID, 0, [into(r, 20)]);
  const texts = r.d.board.of("virtio").flatMap((fact) => fact.step === "request" ? [fact.text] : []);
  assertEquals(texts, ["IN sector 7, 512 bytes", "GET_ID"]);
});
