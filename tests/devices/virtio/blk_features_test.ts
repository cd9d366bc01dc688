/** What a block device offers beside reading and writing: queues, limits, wear, erasure, another size. */
import { assertEquals, assertThrows } from "@std/assert";
import type { BlockBackend } from "../../../devices/block_backend.ts";
import { MemoryDisk } from "../../../devices/host/memory.ts";
import { VirtioBlk, VirtioBlkS, VirtioBlkT } from "../../../devices/virtio/blk.ts";
import { BLK_F, type BlkOptions } from "../../../devices/virtio/blk_config.ts";
import { PackedDriverQueue, RING_PACKED } from "../../support/packed_driver.ts";
import { RecordingDisk } from "../../support/recording_disk.ts";
import { type DriverQueue, type Part, TestDriver } from "../../support/virtio_driver.ts";

const { IN, OUT, GET_LIFETIME, SECURE_ERASE, DISCARD } = VirtioBlkT;
const { OK, IOERR, UNSUPP } = VirtioBlkS;
const SECTORS = 64;

type Form = { readonly version: 1 | 2; readonly packed: boolean };
const FORMS: readonly Form[] = [
  { version: 1, packed: false },
  { version: 2, packed: false },
  { version: 2, packed: true },
];

/** A disk with its queues set up. */
class Rig {
  readonly d: TestDriver;
  readonly blk: VirtioBlk;
  readonly queues: (DriverQueue | PackedDriverQueue)[];

  constructor({ version, packed }: Form, options: Partial<BlkOptions>, bits: readonly number[], queues = 1) {
    this.blk = new VirtioBlk({ backend: new MemoryDisk(SECTORS * 512), ...options });
    this.d = new TestDriver(this.blk, { version, switches: packed ? { packed } : {} });
    this.d.negotiate(packed ? [...bits, RING_PACKED] : bits);
    this.queues = Array.from(
      { length: queues },
      (_, index) => packed ? new PackedDriverQueue(this.d, index, 16) : this.d.setupQueue(index, 16),
    );
    this.d.driverOk();
  }

  /** Posts a request; the address of its status. */
  post(type: number, sector: number, data: readonly Part[], index = 0): number {
    const header = new Uint8Array(16);
    const view = new DataView(header.buffer);
    view.setUint32(0, type, true);
    view.setUint32(8, sector, true);
    const status = this.d.board.put(Uint8Array.of(0xaa));
    const parts = [{ addr: this.d.board.put(header), length: 16 }, ...data, { addr: status, length: 1, write: true }];
    this.queues[index]!.post(parts);
    return status;
  }

  /** A request's status, once it is done. */
  request(type: number, sector: number, data: readonly Part[], index = 0): number {
    const status = this.post(type, sector, data, index);
    this.d.wait();
    assertEquals(this.queues[index]!.collect().length, 1);
    return this.d.board.get(status, 1)[0]!;
  }

  into(length: number): Part & { readonly write: true } {
    return { addr: this.d.board.alloc(length), length, write: true };
  }

  from(bytes: Uint8Array): Part {
    return { addr: this.d.board.put(bytes), length: bytes.length };
  }

  range(sector: number, sectors: number, flags = 0): Part {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, sector, true);
    view.setUint32(8, sectors, true);
    view.setUint32(12, flags, true);
    return this.from(bytes);
  }
}

for (const form of FORMS) {
  const name = `version ${form.version}, ${form.packed ? "packed" : "split"}`;

  Deno.test(`${name}: requests go to any of num_queues queues, each with its own order (§5.2.2)`, () => {
    const r = new Rig(form, { queues: 4 }, [BLK_F.MQ], 4);
    assertEquals(r.d.readConfig(34, 2), 4);
    for (let i = 0; i < 4; i++) {
      const bytes = new Uint8Array(512).fill(i + 1);
      assertEquals(r.request(OUT, i, [r.from(bytes)], i), OK);
      const back = r.into(512);
      assertEquals(r.request(IN, i, [back], (i + 1) % 4), OK);
      assertEquals(r.d.board.get(back.addr, 512), bytes);
    }
    // All at once: a queue that is taken back keeps the others going.
    const all = [0, 1, 2, 3].map((index) => r.post(IN, 0, [r.into(512)], index));
    r.d.write("QueueSel", 2);
    r.d.write(form.version === 1 ? "QueuePFN" : "QueueReady", 0);
    r.d.wait();
    assertEquals(all.map((status) => r.d.board.get(status, 1)[0]), [OK, OK, 0xaa, OK]);
    assertEquals(r.d.board.violations, []);
  });

  Deno.test(`${name}: GET_LIFETIME tells the wear (§5.2.6)`, () => {
    const r = new Rig(form, { lifetime: { preEolInfo: 2, typA: 11, typB: 3 } }, [BLK_F.LIFETIME]);
    const data = r.into(6);
    assertEquals(r.request(GET_LIFETIME, 0, [data]), OK);
    assertEquals([...r.d.board.get(data.addr, 6)], [2, 0, 11, 0, 3, 0]);
    assertEquals(r.d.board.violations, []);
    const long = r.into(8);
    assertEquals(r.request(GET_LIFETIME, 0, [long]), OK);
    assertEquals(r.d.board.violations, ["blk-data-length"]);
  });

  Deno.test(`${name}: SECURE_ERASE makes zeroes that are on the medium (§5.2.6)`, () => {
    const disk = new RecordingDisk(new Uint8Array(SECTORS * 512).fill(7));
    const r = new Rig(form, { backend: disk, features: { secure_erase: true } }, [BLK_F.SECURE_ERASE, BLK_F.FLUSH]);
    assertEquals([r.d.readConfig(60, 4) > 0, r.d.readConfig(64, 4) > 0, r.d.readConfig(68, 4)], [true, true, 1]);
    assertEquals(r.request(SECURE_ERASE, 0, [r.range(2, 3), r.range(60, 4)]), OK);
    assertEquals(disk.content(2 * 512, 3 * 512), new Uint8Array(3 * 512));
    assertEquals(disk.content(60 * 512, 4 * 512), new Uint8Array(4 * 512));
    assertEquals([disk.content(512, 512)[0], disk.content(5 * 512, 512)[0]], [7, 7]);
    assertEquals(disk.log.at(-1), "flush");
    assertEquals(r.d.board.violations, []);
    // §5.2.6.2: flags are unknown to it, as to DISCARD.
    assertEquals(r.request(SECURE_ERASE, 0, [r.range(0, 1, 1)]), UNSUPP);
    assertEquals(r.request(SECURE_ERASE, 0, [r.range(63, 2)]), IOERR);
    disk.failing = "flush";
    assertEquals(r.request(SECURE_ERASE, 0, [r.range(0, 1)]), IOERR);
  });

  Deno.test(`${name}: another size notifies, and requests beyond the end fail (virtio 1.3 §5.2.6.2)`, () => {
    const r = new Rig(form, { features: { secure_erase: true } }, [BLK_F.SECURE_ERASE]);
    assertEquals(r.request(IN, SECTORS, [r.into(512)]), IOERR);
    r.blk.resize(2 * SECTORS * 512);
    assertEquals(r.d.read("InterruptStatus") & 2, 2);
    assertEquals(r.d.readConfig(0, 4), 2 * SECTORS);
    assertEquals(r.request(IN, SECTORS, [r.into(512)]), OK);
    // On their way when it shrinks.
    const read = r.post(IN, 100, [r.into(512)]);
    const erase = r.post(SECURE_ERASE, 0, [r.range(0, 128)]);
    r.blk.resize(8 * 512);
    r.d.wait();
    assertEquals([r.d.board.get(read, 1)[0], r.d.board.get(erase, 1)[0]], [IOERR, IOERR]);
    assertThrows(() => r.blk.resize(1000), RangeError, "not a multiple");
  });
}

const MODERN: Form = { version: 2, packed: false };

Deno.test("a segment that is half done when the disk shrinks ends in IOERR, not in ours", () => {
  const size = 16 << 20;
  const r = new Rig(MODERN, { backend: new MemoryDisk(size), features: { secure_erase: true } }, [BLK_F.SECURE_ERASE]);
  const status = r.post(SECURE_ERASE, 0, [r.range(0, size / 512)]);
  r.d.wait();
  r.blk.resize(1 << 20);
  r.d.wait(100_000);
  assertEquals(r.d.board.get(status, 1)[0], IOERR);
});

Deno.test("without MQ accepted there is one queue", () => {
  const r = new Rig(MODERN, { queues: 4 }, []);
  for (const [index, max] of [[0, 256], [1, 0], [3, 0]] as const) {
    r.d.write("QueueSel", index);
    assertEquals(r.d.read("QueueNumMax"), max);
  }
  assertEquals(r.blk.queues.map(({ name }) => name), ["requestq1", "requestq2", "requestq3", "requestq4"]);
});

Deno.test("what is not offered is UNSUPP", () => {
  const r = new Rig(MODERN, {}, []);
  assertEquals(r.request(GET_LIFETIME, 0, [r.into(6)]), UNSUPP);
  assertEquals(r.request(SECURE_ERASE, 0, [r.range(0, 1)]), UNSUPP);
  assertEquals(r.request(DISCARD, 0, [r.range(0, 1)]), UNSUPP);
  assertEquals(r.d.board.violations, ["blk-type", "blk-type", "blk-type"]);
});

Deno.test("features are switched, and their fields are filled (§5.2.4)", () => {
  const offered = (options: Partial<BlkOptions>): number[] =>
    new Rig(MODERN, options, []).d.offered().filter((bit) => bit < 24);
  assertEquals(offered({}), [2, 4, 6, 9, 10, 11]);
  assertEquals(offered({ features: { flush: false, seg_max: false, geometry: false } }), [6, 10]);
  assertEquals(offered({ features: { size_max: true, discard: true, secure_erase: true, lifetime: true, mq: true } }), [
    ...[1, 2, 4, 6, 9, 10, 11, 12, 13, 14, 15, 16],
  ]);
  assertEquals(offered({ features: { discard: true, write_zeroes: false } }), [2, 4, 6, 9, 10, 11, 13]);
  const backend: BlockBackend = new MemoryDisk(SECTORS * 512, { readOnly: true });
  assertEquals(offered({ backend, features: { discard: true, secure_erase: true } }), [2, 4, 5, 6, 9, 10, 11]);
  const { d } = new Rig(MODERN, {
    sizeMax: 8192,
    segMax: 5,
    blockSize: 1024,
    physicalBlockSize: 4096,
    features: { size_max: true },
  }, []);
  assertEquals([d.readConfig(8, 4), d.readConfig(12, 4), d.readConfig(20, 4)], [8192, 5, 1024]);
  assertEquals([d.readConfig(24, 1), d.readConfig(25, 1), d.readConfig(26, 2)], [2, 0, 4]);
});

Deno.test("a disk that cannot be is refused", () => {
  const backend = new MemoryDisk(3 * 512);
  const refused: [Partial<BlkOptions>, string][] = [
    [{ blockSize: 1000 }, "block size of 1000"],
    [{ blockSize: 1024 }, "divides the size of 1536"],
    [{ physicalBlockSize: 256 }, "physical block of 256"],
    [{ queues: 0 }, "0 queues, expected 1..64"],
    [{ features: { flush: false, config_wce: true } }, "config_wce needs flush"],
    [{ serial: "x".repeat(21) }, "at most 20"],
  ];
  for (const [options, message] of refused) {
    assertThrows(() => new VirtioBlk({ backend, ...options }), RangeError, message);
  }
});
