/** The features about the platform between device and driver (virtio 1.2 §6). */
import { assertEquals } from "@std/assert";
import { virtioStatus } from "../../../devices/virtio/registers.ts";
import { VirtioRng } from "../../../devices/virtio/rng.ts";
import { PackedDriverQueue, RING_PACKED } from "../../support/packed_driver.ts";
import { TestDriver } from "../../support/virtio_driver.ts";

const ACCESS_PLATFORM = 33;
const ORDER_PLATFORM = 36;
const switches = { access_platform: true, order_platform: true, packed: true };

for (const packed of [false, true]) {
  Deno.test(`${packed ? "packed" : "split"}: ORDER_PLATFORM and ACCESS_PLATFORM are offered, and buffers work`, () => {
    const d = new TestDriver(new VirtioRng(), { switches, strict: true });
    assertEquals([ACCESS_PLATFORM, ORDER_PLATFORM].map((bit) => d.offered().includes(bit)), [true, true]);
    d.negotiate([ACCESS_PLATFORM, ORDER_PLATFORM, ...(packed ? [RING_PACKED] : [])]);
    const queue = packed ? new PackedDriverQueue(d, 0, 8) : d.setupQueue(0);
    d.driverOk();
    // There is no IOMMU: addresses are physical.
    queue.post([{ addr: d.board.alloc(16), length: 16, write: true }]);
    d.wait();
    assertEquals(queue.collect().map(({ length }) => length), [16]);
    assertEquals(d.board.violations, []);
  });
}

Deno.test("ACCESS_PLATFORM that is offered and not accepted is told, and refused by a strict device (§6.2)", () => {
  for (const strict of [false, true]) {
    const d = new TestDriver(new VirtioRng(), { switches, strict });
    d.negotiate([]);
    assertEquals((d.read("Status") & virtioStatus.FEATURES_OK) !== 0, !strict);
    assertEquals(d.board.violations, ["feature-access-platform"]);
  }
});

Deno.test("neither exists in the legacy interface (§4.2.4)", () => {
  const d = new TestDriver(new VirtioRng(), { version: 1 });
  assertEquals(d.offered().filter((bit) => bit > 31), []);
});
