/** VIRTIO_F_RING_RESET: reset of single queues through QueueReset (virtio 1.2 §2.6.1, §4.2.2.1). */
import { assert, assertEquals } from "@std/assert";
import { MemoryDisk } from "../../../devices/host/memory.ts";
import { VirtioBlk } from "../../../devices/virtio/blk.ts";
import { bringUpPacked, PackedDriverQueue, RING_RESET } from "../../support/packed_driver.ts";
import { HoldingDevice } from "../../support/virtio_device.ts";
import { TestDriver } from "../../support/virtio_driver.ts";

const SWITCHES = { ring_reset: true, packed: true };

function resetQueue(d: TestDriver, index: number): void {
  d.write("QueueSel", index);
  d.write("QueueReset", 1);
  assertEquals([d.read("QueueReset"), d.read("QueueReady")], [0, 0]);
}

Deno.test("RING_RESET is offered only where it is switched on, and QueueReset needs it negotiated (§2.6.1)", () => {
  const d = new TestDriver(new HoldingDevice(), { switches: SWITCHES });
  assert(d.offered().includes(RING_RESET));
  assert(!new TestDriver(new HoldingDevice()).offered().includes(RING_RESET));
  d.bringUp();
  d.write("QueueSel", 0);
  d.write("QueueReset", 1);
  assertEquals(d.board.violations, ["queue-reset-not-negotiated"]);
  assertEquals(d.read("QueueReady"), 1);
});

Deno.test("queue reset: the queue's buffers are gone, the other queue goes on (§2.6.1.1.1)", () => {
  const device = new HoldingDevice();
  const d = new TestDriver(device, { switches: SWITCHES });
  d.negotiate([RING_RESET]);
  const first = d.setupQueue(0);
  const second = d.setupQueue(1);
  d.driverOk();
  first.post([{ addr: d.board.alloc(4), length: 4, write: true }]);
  second.post([{ addr: d.board.alloc(4), length: 4, write: true }]);
  const [old, kept] = device.held.splice(0);
  resetQueue(d, 0);
  assert(device.calls.includes("stopped 0") && !device.calls.includes("stopped 1"));
  device.transport.queue(0).push(old!, 4);
  assertEquals([first.usedIdx, d.read("InterruptStatus")], [0, 0]);
  device.transport.queue(1).push(kept!, 4);
  assertEquals([second.usedIdx, d.read("InterruptStatus")], [1, 1]);
  assertEquals(d.read("Status"), 0xf);
  assertEquals(d.board.violations, []);
});

Deno.test("queue reset: the queue begins anew, with other memory and another size (§2.6.1.2.1)", () => {
  const device = new HoldingDevice();
  const d = new TestDriver(device, { switches: SWITCHES });
  const queue = d.bringUp([RING_RESET], 8);
  for (let i = 0; i < 3; i++) {
    queue.post([{ addr: d.board.alloc(4), length: 4 }]);
    device.use();
  }
  resetQueue(d, 0);
  const again = d.setupQueue(0, 4);
  assertEquals([d.read("QueueReady"), d.read("QueueReset")], [1, 0]);
  const head = again.post([{ addr: d.board.alloc(4), length: 4 }]);
  device.use();
  assertEquals(again.collect(), [{ id: head, length: 0 }]);
  const configured = d.board.of("virtqueue").filter((fact) => fact.step === "configured");
  assertEquals(configured.map(({ size }) => size), [8, 4]);
  // Registers are back at their defaults: without a new QueueNum the largest is meant.
  resetQueue(d, 0);
  d.write("QueueReady", 1);
  assert(d.board.violations.includes("queue-num-unset"));
});

Deno.test("queue reset: a packed queue begins with its wrap counters at 1 (§2.6.1.1.1, §2.8.1)", () => {
  const device = new HoldingDevice();
  const d = new TestDriver(device, { switches: SWITCHES });
  const queue = bringUpPacked(d, [RING_RESET], 3);
  for (let i = 0; i < 5; i++) {
    queue.post([{ addr: d.board.alloc(4), length: 4 }]);
    device.use();
    queue.collect();
  }
  assertEquals([queue.availWrap, queue.usedWrap], [0, 0]);
  resetQueue(d, 0);
  const again = new PackedDriverQueue(d, 0, 5);
  const id = again.post([{ addr: d.board.alloc(4), length: 4 }]);
  device.use();
  assertEquals(again.collect(), [{ id, length: undefined }]);
  assertEquals(d.board.violations, []);
});

Deno.test("queue reset: requests on their way are not executed (§2.6.1.1.1)", () => {
  const disk = new MemoryDisk(512);
  const d = new TestDriver(new VirtioBlk({ backend: disk }), { switches: SWITCHES });
  const queue = bringUpPacked(d, [RING_RESET]);
  const write = new Uint8Array(528).fill(0xee);
  write.fill(0, 0, 16);
  write[0] = 1;
  const status = d.board.put(Uint8Array.of(0x55));
  queue.post([{ addr: d.board.put(write), length: 528 }, { addr: status, length: 1, write: true }]);
  resetQueue(d, 0);
  d.wait();
  const sector = new Uint8Array(512);
  disk.read(0, sector);
  assertEquals(sector, new Uint8Array(512));
  assertEquals(d.board.get(status, 1)[0], 0x55);
  assertEquals([d.read("InterruptStatus"), queue.hasUsed], [0, false]);
});

Deno.test("queue reset: what is not 1, and queues that are not there (§4.2.2)", () => {
  const d = new TestDriver(new HoldingDevice(), { switches: SWITCHES });
  d.bringUp([RING_RESET]);
  d.write("QueueSel", 0);
  d.write("QueueReset", 0);
  d.write("QueueReset", 3);
  d.write("QueueSel", 9);
  d.write("QueueReset", 1);
  assertEquals(d.board.violations, ["queue-reset-value", "queue-reset-value", "queue-unknown"]);
  d.write("QueueSel", 0);
  assertEquals(d.read("QueueReady"), 1);
});
