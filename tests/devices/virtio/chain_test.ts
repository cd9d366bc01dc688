import { assertEquals } from "@std/assert";
import { HoldingDevice, holdingDriver } from "../../support/virtio_device.ts";
import { type DriverQueue, TestDriver } from "../../support/virtio_driver.ts";

function rig(): { d: TestDriver; device: HoldingDevice; queue: DriverQueue } {
  const { d, device } = holdingDriver();
  return { d, device, queue: d.bringUp() };
}

function count(n: number, from = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: n }, (_, i) => from + i);
}

Deno.test("memory is told of every byte the device writes, before the driver is notified", () => {
  const { d, device, queue } = rig();
  const told: [number, number][] = [];
  const into = d.board.alloc(300, 4096);
  queue.post([{ addr: into, length: 300, write: true }]);
  d.board.memory.onWrite((addr, length) => told.push([addr, length]));
  const { writer } = device.held[0]!;
  writer.next(100)!.fill(1);
  writer.next(1000)!.fill(2);
  assertEquals(writer.next(1), undefined);
  assertEquals(told, [[into, 100], [into + 100, 200]]);
  told.length = 0;
  writer.seek(10);
  writer.write(Uint8Array.of(9));
  device.use(300);
  assertEquals(told, [[into + 10, 1], [queue.used + 4, 8], [queue.used + 2, 2]]);
  assertEquals([...d.board.get(into + 9, 3)], [1, 9, 1]);
});

Deno.test("a view handed out last is told when the chain is given back", () => {
  const { d, device, queue } = rig();
  const into = d.board.alloc(16);
  queue.post([{ addr: into, length: 16, write: true }]);
  const told: number[] = [];
  d.board.memory.onWrite((addr) => told.push(addr));
  device.held[0]!.writer.next(16)!.fill(3);
  device.use(16);
  assertEquals(told[0], into);
});

Deno.test("neighbouring descriptors are one view, others are not", () => {
  const { d, device, queue } = rig();
  const addr = d.board.put(count(64));
  queue.post([{ addr, length: 16 }, { addr: addr + 16, length: 16 }, { addr: addr + 40, length: 8 }]);
  const { reader } = device.held[0]!;
  assertEquals(reader.next(100), count(32));
  assertEquals(reader.next(100), count(8, 40));
  assertEquals(reader.next(100), undefined);
  reader.seek(30);
  assertEquals(reader.remaining, 10);
  assertEquals(reader.next(100)?.length, 2);
});

Deno.test("long chains grow their segment lists and are reused", () => {
  const device = new HoldingDevice({ sizeMax: 256 });
  const d = new TestDriver(device);
  const queue = d.bringUp([], 256);
  for (let round = 0; round < 3; round++) {
    const parts = Array.from({ length: 40 }, (_, i) => ({ addr: d.board.put(Uint8Array.of(i)), length: 1 }));
    queue.post(parts);
    const read = new Uint8Array(41);
    assertEquals(device.held[0]!.reader.read(read), 40);
    assertEquals(read.subarray(0, 40), count(40));
    device.use();
    queue.collect();
  }
});
