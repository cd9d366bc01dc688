/** Shared memory regions (virtio 1.2 §2.10) by the registers of virtio-mmio (§4.2.2), and on the machine's bus. */
import { assertEquals, assertThrows } from "@std/assert";
import { VirtioDummy } from "../../../devices/virtio/dummy.ts";
import { SHARED_MEMORY_BASE, SHARED_MEMORY_SIZE } from "../../../vm/board.ts";
import { readImage } from "../../../vm/boot/image.ts";
import { parseIsa } from "../../../vm/isa/table.ts";
import { Machine } from "../../../vm/machine.ts";
import { TestPort } from "../../support/char_port.ts";
import { TestDriver } from "../../support/virtio_driver.ts";

const ONES = 0xffff_ffff;

function region({ read, write }: Pick<TestDriver, "read" | "write">, shmid: number): number[] {
  write("SHMSel", shmid);
  return ["SHMLenLow", "SHMLenHigh", "SHMBaseLow", "SHMBaseHigh"].map(read);
}

function machineWith(sharedMemory: number, slot: number): Machine {
  const machine = new Machine({
    isa: parseIsa("rv64imac"),
    memorySize: 1 << 20,
    uart: new TestPort(),
    slots: Object.assign(new Array(8).fill(undefined), {
      [slot]: { device: new VirtioDummy({ sharedMemory, limit: Infinity }), version: 2 },
    }),
  });
  machine.load(readImage(Uint8Array.of(0x6f, 0, 0, 0), { name: "loop.bin" }));
  return machine;
}

Deno.test("a device without a region has length and base of all ones, for every shmid (§4.2.2)", () => {
  const d = new TestDriver(new VirtioDummy());
  const at = { read: (name: string) => d.read(name), write: (name: string, value: number) => d.write(name, value) };
  for (const shmid of [0, 1, 255, ONES]) assertEquals(region(at, shmid), [ONES, ONES, ONES, ONES]);
  assertEquals(d.board.violations, []);
});

Deno.test("a region has its length and a base on the bus; other shmids have none", () => {
  const machine = machineWith(5000, 2);
  const slot = machine.slots[2]!;
  const offsets: Record<string, number> = {
    SHMSel: 0xac,
    SHMLenLow: 0xb0,
    SHMLenHigh: 0xb4,
    SHMBaseLow: 0xb8,
    SHMBaseHigh: 0xbc,
  };
  const at = {
    read: (name: string) => slot.read(offsets[name]!, 4),
    write: (name: string, value: number) => void slot.write(offsets[name]!, 4, value),
  };
  const base = SHARED_MEMORY_BASE + 2 * SHARED_MEMORY_SIZE;
  assertEquals(region(at, 0), [5000, 0, base, 0]);
  assertEquals(region(at, 1), [ONES, ONES, ONES, ONES]);
  // A reset of the device selects region 0 again.
  slot.write(0x70, 4, 0);
  assertEquals(slot.read(0xb0, 4), 5000);
  machine.bus.write(base + 4, 4, 0x1234_5678);
  machine.bus.write(base + 9, 1, 0xab);
  assertEquals([machine.bus.read(base + 6, 2), machine.bus.read(base + 8, 4)], [0x1234, 0xab00]);
  // The rest of its last page is there and reads 0; behind it is nothing.
  machine.bus.write(base + 5000, 4, 1);
  assertEquals([machine.bus.read(base + 5000, 4), machine.bus.read(base + 8192, 4)], [0, -1]);
});

Deno.test("the test device counts in its region what it fills", () => {
  const dummy = new VirtioDummy({ sharedMemory: 4096, intervalUs: 1, limit: 100 });
  const d = new TestDriver(dummy);
  const queue = d.bringUp([0]);
  for (let i = 0; i < 3; i++) queue.post([{ addr: d.board.alloc(16), length: 16, write: true }]);
  d.wait();
  assertEquals([...dummy.sharedMemory[0]!.bytes.subarray(0, 5)], [3, 0, 0, 0, 0]);
  d.write("Status", 0);
  assertEquals(dummy.sharedMemory[0]!.bytes[0], 0);
});

Deno.test("more shared memory than a slot has room for is refused", () => {
  assertThrows(() => machineWith(SHARED_MEMORY_SIZE + 1, 0), RangeError, "virtio0: 4194305 bytes of shared memory");
});
