/** Every device type over packed rings, and the disk under every combination of the features of rings. */
import { assert, assertEquals } from "@std/assert";
import { MemoryDisk } from "../../../devices/host/memory.ts";
import { VirtioBlk, VirtioBlkS, VirtioBlkT } from "../../../devices/virtio/blk.ts";
import { VirtioConsole } from "../../../devices/virtio/console.ts";
import { VirtioDummy } from "../../../devices/virtio/dummy.ts";
import { VirtioRng } from "../../../devices/virtio/rng.ts";
import { TestPort } from "../../support/char_port.ts";
import {
  bringUpPacked,
  EVENTS,
  IN_ORDER,
  NOTIFICATION_DATA,
  PackedDriverQueue,
  RING_PACKED,
} from "../../support/packed_driver.ts";
import { EVENT_IDX, INDIRECT_DESC, type Part, TestDriver } from "../../support/virtio_driver.ts";

const SWITCHES = { packed: true, in_order: true, notification_data: true };

/** Every subset of `items`. */
function subsets<T>(items: readonly T[]): T[][] {
  return items.reduce<T[][]>((sets, item) => [...sets, ...sets.map((set) => [...set, item])], [[]]);
}

Deno.test("packed: the disk under every combination of INDIRECT, EVENT_IDX, IN_ORDER and NOTIFICATION_DATA", () => {
  for (const bits of subsets([INDIRECT_DESC, EVENT_IDX, IN_ORDER, NOTIFICATION_DATA])) {
    const d = new TestDriver(new VirtioBlk({ backend: new MemoryDisk(64 * 512) }), { switches: SWITCHES });
    const queue = bringUpPacked(d, bits, 13);
    const model = new Uint8Array(64 * 512);
    const indirect = bits.includes(INDIRECT_DESC);
    for (let i = 0; i < 60; i++) {
      const write = i % 3 !== 2;
      const sector = (i * 7) % 64;
      const header = new Uint8Array(16);
      header[0] = write ? VirtioBlkT.OUT : VirtioBlkT.IN;
      header[8] = sector;
      const data = d.board.put(new Uint8Array(512).fill(i));
      const status: Part = { addr: d.board.put(Uint8Array.of(0xff)), length: 1, write: true };
      const parts: Part[] = [
        { addr: d.board.put(header), length: 16 },
        { addr: data, length: 512, write: !write },
        status,
      ];
      if (bits.includes(EVENT_IDX)) queue.setEvent(EVENTS.DESC, queue.nextUsed, queue.usedWrap);
      const id = queue.post(parts, indirect);
      d.wait();
      assertEquals(queue.collect(), [{ id, length: write ? 1 : 513 }]);
      assertEquals(d.read("InterruptStatus"), 1);
      d.write("InterruptACK", 1);
      assertEquals(d.board.get(status.addr, 1)[0], VirtioBlkS.OK);
      if (write) model.fill(i, sector * 512, (sector + 1) * 512);
      else assertEquals(d.board.get(data, 512), model.slice(sector * 512, (sector + 1) * 512));
    }
    assertEquals(d.board.violations, [], `${bits}`);
    const chains = d.board.of("virtqueue").filter((fact) => fact.step === "chain");
    assert(chains.every(({ descriptors }) => descriptors.some(({ table }) => table === "indirect") === indirect));
  }
});

Deno.test("packed: console, both ways", () => {
  const port = new TestPort();
  const d = new TestDriver(new VirtioConsole({ port, queueSize: 5 }), { switches: SWITCHES });
  d.negotiate([RING_PACKED]);
  const receiveq = new PackedDriverQueue(d, 0, 5);
  const transmitq = new PackedDriverQueue(d, 1, 3);
  d.driverOk();
  for (let i = 0; i < 20; i++) {
    const into = d.board.alloc(8);
    const id = receiveq.post([{ addr: into, length: 8, write: true }]);
    port.type(`in ${i % 10}`);
    d.wait();
    assertEquals(receiveq.collect(), [{ id, length: 4 }]);
    assertEquals(new TextDecoder().decode(d.board.get(into, 4)), `in ${i % 10}`);
    transmitq.post([{ addr: d.board.put("out"), length: 3 }]);
    d.wait();
    assertEquals(transmitq.collect().length, 1);
  }
  const out = d.board.of("console").filter(({ direction }) => direction === "out");
  assertEquals(out.map(({ bytes }) => new TextDecoder().decode(bytes)).join(""), "out".repeat(20));
  assertEquals(d.board.violations, []);
});

Deno.test("packed: entropy and the test device", () => {
  const rng = new TestDriver(new VirtioRng({ seed: 3 }), { switches: SWITCHES });
  const dummy = new TestDriver(new VirtioDummy({ intervalUs: 1, limit: 10 }), { switches: SWITCHES });
  const split = new TestDriver(new VirtioRng({ seed: 3 }));
  const bytes: number[][] = [];
  for (const d of [rng, dummy]) {
    const queue = bringUpPacked(d, d === dummy ? [0] : [], 3);
    for (let i = 0; i < 10; i++) {
      const addr = d.board.alloc(16);
      const id = queue.post([{ addr, length: 16, write: true }]);
      d.wait();
      assertEquals(queue.collect(), [{ id, length: 16 }]);
      if (d === dummy) assertEquals(d.board.memory.read(addr, 4), i);
      else bytes.push([...d.board.get(addr, 16)]);
    }
    assertEquals(d.board.violations, []);
  }
  // The same bytes as over a split ring.
  const queue = split.bringUp();
  for (const expected of bytes) {
    const addr = split.board.alloc(16);
    queue.post([{ addr, length: 16, write: true }]);
    split.wait();
    queue.collect();
    assertEquals([...split.board.get(addr, 16)], expected);
  }
});
