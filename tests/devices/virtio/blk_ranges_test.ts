/** DISCARD and WRITE_ZEROES of the block device (virtio 1.2 §5.2.6). */
import { assert, assertEquals } from "@std/assert";
import type { BlockBackend } from "../../../devices/block_backend.ts";
import { FileDisk } from "../../../devices/host/file.ts";
import { MemoryDisk } from "../../../devices/host/memory.ts";
import { VirtioBlk, VirtioBlkS, VirtioBlkT } from "../../../devices/virtio/blk.ts";
import { RANGE_SECTORS_MAX, RANGES_MAX } from "../../../devices/virtio/blk_ranges.ts";
import { featureBit } from "../../../devices/virtio/feature_set.ts";
import { RecordingDisk } from "../../support/recording_disk.ts";
import { type DriverQueue, TestDriver } from "../../support/virtio_driver.ts";

const { DISCARD, WRITE_ZEROES, FLUSH } = VirtioBlkT;
const { OK, IOERR, UNSUPP } = VirtioBlkS;
const F_FLUSH = featureBit(2, "VIRTIO_BLK_F_FLUSH");
const F_DISCARD = featureBit(2, "VIRTIO_BLK_F_DISCARD");
const F_WRITE_ZEROES = featureBit(2, "VIRTIO_BLK_F_WRITE_ZEROES");
const ALL = [F_FLUSH, F_DISCARD, F_WRITE_ZEROES];
const MIB = 1 << 20;

interface Rig {
  readonly d: TestDriver;
  readonly queue: DriverQueue;
}

function rig(backend: BlockBackend, bits: readonly number[] = ALL, version: 1 | 2 = 2): Rig {
  const d = new TestDriver(new VirtioBlk({ backend, features: { discard: true } }), { version });
  return { d, queue: d.bringUp(bits, 16) };
}

type Segment = [sector: number, sectors: number, flags?: number];

/** Posts a request with segments; what its status is after `latencies`, 0xaa if it is still going on. */
function ask({ d, queue }: Rig, type: number, segments: readonly Segment[], latencies = 1, extra = 0): number {
  const bytes = new Uint8Array(16 + 16 * segments.length + extra);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  segments.forEach(([sector, sectors, flags = 0], i) => {
    view.setUint32(16 + 16 * i, sector % 2 ** 32, true);
    view.setUint32(20 + 16 * i, Math.floor(sector / 2 ** 32), true);
    view.setUint32(24 + 16 * i, sectors, true);
    view.setUint32(28 + 16 * i, flags, true);
  });
  const status = d.board.put(Uint8Array.of(0xaa));
  const head = queue.post([{ addr: d.board.put(bytes), length: bytes.length }, {
    addr: status,
    length: 1,
    write: true,
  }]);
  d.wait(10_000 * latencies);
  const used = queue.collect();
  const result = d.board.get(status, 1)[0]!;
  assertEquals(used, result === 0xaa ? [] : [{ id: head, length: 1 }]);
  return result;
}

function full(size: number): Uint8Array {
  return new Uint8Array(size).fill(0xff);
}

function content(disk: BlockBackend, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  disk.read(offset, bytes);
  return bytes;
}

Deno.test("DISCARD and WRITE_ZEROES are offered on demand, and not by a read-only disk; their fields (§5.2.4)", () => {
  const offered = (device: VirtioBlk) => new TestDriver(device).offered().filter((bit) => ALL.slice(1).includes(bit));
  assertEquals(offered(new VirtioBlk({ backend: new MemoryDisk(512) })), []);
  assertEquals(
    offered(new VirtioBlk({ backend: new MemoryDisk(512, { readOnly: true }), features: { discard: true } })),
    [],
  );
  for (const version of [1, 2] as const) {
    const { d } = rig(new MemoryDisk(512), ALL, version);
    assertEquals(offered(new VirtioBlk({ backend: new MemoryDisk(512), features: { discard: true } })), [13, 14]);
    const fields = [36, 40, 44, 48, 52].map((offset) => d.readConfig(offset, 4));
    assertEquals(fields, [RANGE_SECTORS_MAX, RANGES_MAX, 1, RANGE_SECTORS_MAX, RANGES_MAX]);
    assertEquals(d.readConfig(56, 1), 1);
    assertEquals(d.board.violations, []);
  }
  assertEquals(rig(new RecordingDisk(512)).d.readConfig(56, 1), 0, "it cannot deallocate");
});

for (const version of [1, 2] as const) {
  Deno.test(`version ${version}: WRITE_ZEROES makes exactly its segments read as zeroes, with and without unmap`, () => {
    for (const backend of [new MemoryDisk(full(MIB)), new RecordingDisk(full(MIB))]) {
      const r = rig(backend, ALL, version);
      const model = full(MIB);
      const segments: Segment[] = [[3, 1], [100, 300, 1], [1024, 256], [2047, 1], [7, 0]];
      assertEquals(ask(r, WRITE_ZEROES, segments), OK);
      for (const [sector, sectors] of segments) model.fill(0, sector * 512, (sector + sectors) * 512);
      assertEquals(content(backend, 0, MIB), model);
      assertEquals(r.d.board.violations, []);
    }
  });
}

Deno.test("DISCARD gives memory back, and leaves what is beside it (§5.2.6.2)", () => {
  const disk = new MemoryDisk(full(MIB));
  const r = rig(disk);
  assertEquals(disk.allocatedBytes, MIB);
  assertEquals(ask(r, DISCARD, [[128, 256], [1000, 1]]), OK);
  assertEquals(disk.allocatedBytes, MIB - 256 * 512);
  assertEquals(content(disk, 127 * 512, 512), full(512));
  assertEquals(content(disk, 384 * 512, 512), full(512));
  assertEquals(ask(r, WRITE_ZEROES, [[0, 2048]]), OK);
  assertEquals(disk.allocatedBytes, 0);
});

Deno.test("a disk that cannot deallocate takes DISCARD and keeps its content", () => {
  const disk = new RecordingDisk(full(4096));
  assertEquals(ask(rig(disk), DISCARD, [[0, 8]]), OK);
  assertEquals([disk.log, disk.content(0, 4096)], [[], full(4096)]);
});

Deno.test("WRITE_ZEROES leaves holes of a sparse file as they are", () => {
  const path = Deno.makeTempFileSync({ prefix: "ringside-disk-" });
  try {
    Deno.truncateSync(path, 8 * MIB);
    const disk = FileDisk.open(path);
    disk.write(MIB + 700, full(5000));
    disk.flush();
    const before = Deno.statSync(path).blocks;
    assertEquals(ask(rig(disk), WRITE_ZEROES, [[0, 8 * MIB / 512]], 3), OK);
    assertEquals(content(disk, 0, 8 * MIB), new Uint8Array(8 * MIB));
    disk.close();
    const { blocks, size } = Deno.statSync(path);
    assertEquals(size, 8 * MIB);
    if (before !== null && blocks !== null) assert(blocks <= before, `${blocks} blocks, ${before} before`);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("segments that are not whole, too many, too long, outside, or have flags are refused, all or nothing", () => {
  const cases: [type: number, segments: Segment[], extra: number, status: number, rule: string][] = [
    [WRITE_ZEROES, [], 0, IOERR, "blk-data-length"],
    [WRITE_ZEROES, [[0, 1]], 5, IOERR, "blk-data-length"],
    [WRITE_ZEROES, Array.from({ length: RANGES_MAX + 1 }, (): Segment => [0, 1]), 0, IOERR, "blk-segments"],
    [WRITE_ZEROES, [[0, 1], [0, RANGE_SECTORS_MAX + 1]], 0, IOERR, "blk-segments"],
    [WRITE_ZEROES, [[0, 1], [7, 2]], 0, IOERR, "blk-range"],
    [DISCARD, [[0, 1], [2 ** 60, 1]], 0, IOERR, "blk-range"],
    [WRITE_ZEROES, [[0, 1], [1, 1, 2]], 0, UNSUPP, "blk-segment-flags"],
    [DISCARD, [[0, 1], [1, 1, 1]], 0, UNSUPP, "blk-segment-flags"],
  ];
  for (const [type, segments, extra, status, rule] of cases) {
    const disk = new MemoryDisk(full(4096));
    const r = rig(disk);
    assertEquals(ask(r, type, segments, 1, extra), status, rule);
    assertEquals(r.d.board.violations, [rule]);
    assertEquals(content(disk, 0, 4096), full(4096));
  }
});

Deno.test("without being offered they are unknown requests; offered and not negotiated they are done and told", () => {
  const d = new TestDriver(new VirtioBlk({ backend: new MemoryDisk(full(4096)) }));
  assertEquals(ask({ d, queue: d.bringUp([F_FLUSH], 16) }, WRITE_ZEROES, [[0, 1]]), UNSUPP);
  assertEquals(d.board.violations, ["blk-type"]);
  const disk = new MemoryDisk(full(4096));
  const r = rig(disk, [F_FLUSH]);
  assertEquals(ask(r, WRITE_ZEROES, [[0, 1]]), OK);
  assertEquals(r.d.board.violations, ["blk-type-feature"]);
  assertEquals(content(disk, 0, 513), Uint8Array.of(...new Uint8Array(512), 0xff));
});

Deno.test("a large WRITE_ZEROES takes a latency for each part; without a cache it is stable when it is done", () => {
  const disk = new RecordingDisk(10 * MIB);
  const r = rig(disk, [F_DISCARD, F_WRITE_ZEROES]);
  assertEquals(ask(r, WRITE_ZEROES, [[0, 10 * MIB / 512]], 2), 0xaa);
  assert(!disk.log.includes("flush"));
  assertEquals(disk.log.length, 8 * MIB / 65536);
  r.d.wait();
  assertEquals(r.queue.collect().length, 1);
  assertEquals(disk.log.at(-1), "flush");
  assertEquals(disk.log.length, 10 * MIB / 65536 + 1);
});

Deno.test("a host that cannot zero is an I/O error for the guest, and the disk goes on", () => {
  const disk = new RecordingDisk(full(4096));
  disk.failing = "write 512+512";
  const r = rig(disk);
  assertEquals(ask(r, WRITE_ZEROES, [[1, 1]]), IOERR);
  assertEquals(ask(r, WRITE_ZEROES, [[2, 1]]), OK);
  assertEquals(ask(r, FLUSH, []), OK);
});
