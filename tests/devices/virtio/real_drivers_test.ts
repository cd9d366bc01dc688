/**
 * What existing drivers do at the register file, in their own order: it must work, and be told of where it is wrong.
 * The sequences stand in `tests/support/driver_recordings.ts`.
 */
import { assertEquals } from "@std/assert";
import { MemoryDisk } from "../../../devices/host/memory.ts";
import { VirtioBlk } from "../../../devices/virtio/blk.ts";
import { alignUp } from "../../../vm/bits.ts";
import { RECORDINGS } from "../../support/driver_recordings.ts";
import { DriverQueue, TestDriver } from "../../support/virtio_driver.ts";

const CAPACITY = 2048;

for (const [name, { version, trace, queueSize, violations }] of Object.entries(RECORDINGS)) {
  Deno.test(`register order of ${name}: every read as expected, the disk works, only its own mistakes are told`, () => {
    const content = new Uint8Array(CAPACITY * 512).fill(7);
    const d = new TestDriver(new VirtioBlk({ backend: new MemoryDisk(content) }), { version });
    const desc = d.board.alloc(16384, 4096);
    const avail = desc + 16 * queueSize;
    const used = alignUp(avail + 6 + 2 * queueSize, 4096);
    const names: Record<string, number> = { DESC: desc, AVAIL: avail, USED: used, PFN: desc / 4096 };
    for (const step of trace.trim().split(/\s+/)) {
      const [, verb, offset, text] = step.match(/^([RWc])([0-9a-f]{3})=(\w+)$/)!;
      const value = names[text!] ?? parseInt(text!, 16);
      if (verb === "W") d.slot.write(parseInt(offset!, 16), 4, value);
      else assertEquals(d.slot.read(parseInt(offset!, 16), verb === "R" ? 4 : 1), value, step);
    }
    assertEquals(d.board.violations, violations);
    const queue = new DriverQueue(d, 0, queueSize, { desc, avail, used });
    const into = d.board.alloc(512);
    const status = d.board.put(Uint8Array.of(0xff));
    queue.post([
      { addr: d.board.alloc(16), length: 16 },
      { addr: into, length: 512, write: true },
      { addr: status, length: 1, write: true },
    ]);
    d.wait();
    assertEquals(queue.collect(), [{ id: 0, length: 513 }]);
    assertEquals(d.board.get(status, 1)[0], 0);
    assertEquals(d.board.get(into, 512), content.slice(0, 512));
    assertEquals(d.board.violations, violations);
  });
}

Deno.test("a driver that never takes an interrupt, as U-Boot: the line stays up and nothing stops", () => {
  const d = new TestDriver(new VirtioBlk({ backend: new MemoryDisk(512) }));
  const queue = d.bringUp();
  for (let i = 0; i < 100; i++) {
    queue.post([{ addr: d.board.alloc(16), length: 16 }, { addr: d.board.alloc(513), length: 513, write: true }]);
    d.wait();
    assertEquals(queue.collect().length, 1);
  }
  assertEquals([d.board.irqLevel, d.board.irqRises], [true, 1]);
});

Deno.test("a driver that tears its queue down as rcore's does", () => {
  for (const version of [1, 2] as const) {
    const d = new TestDriver(new VirtioBlk({ backend: new MemoryDisk(512) }), { version });
    d.bringUp();
    d.write("QueueSel", 0);
    if (version === 1) { for (const name of ["QueueNum", "QueueAlign", "QueuePFN"]) d.write(name, 0); }
    else {
      d.write("QueueReady", 0);
      assertEquals(d.read("QueueReady"), 0);
      d.write("QueueNum", 0);
      d.writeAreas({ desc: 0, avail: 0, used: 0 });
    }
    d.write("Status", 0);
    assertEquals(d.board.violations, version === 1 ? ["queue-in-use", "queue-in-use"] : []);
    d.bringUp();
    assertEquals(d.read("Status"), version === 1 ? 7 : 15);
  }
});
