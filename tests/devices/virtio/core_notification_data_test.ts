/** VIRTIO_F_NOTIFICATION_DATA: QueueNotify carries the driver's position (virtio 1.2 §2.9, §4.2.3.3). */
import { assert, assertEquals } from "@std/assert";
import { bringUpPacked, NOTIFICATION_DATA } from "../../support/packed_driver.ts";
import { holdingDriver } from "../../support/virtio_device.ts";

const options = { switches: { notification_data: true, packed: true } };

Deno.test("NOTIFICATION_DATA is offered only where it is switched on", () => {
  assert(holdingDriver(options).d.offered().includes(NOTIFICATION_DATA));
  assert(!holdingDriver().d.offered().includes(NOTIFICATION_DATA));
});

Deno.test("without NOTIFICATION_DATA negotiated the whole value is the index (§2.9)", () => {
  const { d, device } = holdingDriver(options);
  d.bringUp();
  d.write("QueueNotify", 0x1_0000);
  assertEquals(d.board.violations, ["notify-unknown-queue"]);
  assertEquals(device.calls.filter((call) => call.startsWith("process")), []);
});

Deno.test("NOTIFICATION_DATA, split: the available index, over its wrap; a wrong one is told (§2.9)", () => {
  const { d, device } = holdingDriver(options);
  d.negotiate([NOTIFICATION_DATA]);
  const first = d.setupQueue(0);
  const second = d.setupQueue(1);
  d.driverOk();
  const part = { addr: d.board.alloc(4), length: 4 };
  for (let i = 0; i < 65536 + 20; i++) {
    first.publish(first.lay([part]));
    d.write("QueueNotify", first.availIdx << 16);
    if (device.held.length !== 1) throw new Error(`buffer ${i} was not taken`);
    device.use();
    first.collect();
    d.board.facts.splice(0, d.board.facts.length, ...d.board.facts.filter((fact) => fact.kind === "violation"));
  }
  assertEquals(d.board.violations, []);
  second.publish(second.lay([part]));
  d.write("QueueNotify", 1 | (1 << 16));
  assertEquals(device.held.length, 1);
  d.write("QueueNotify", 1 | (1 << 16));
  assertEquals(d.board.violations, [], "again, with nothing new");
  d.write("QueueNotify", 1 | (3 << 16));
  assertEquals(d.board.violations, ["notify-data"]);
  d.write("QueueNotify", 2 | (1 << 16));
  assertEquals(d.board.violations, ["notify-data", "notify-unknown-queue"]);
});

Deno.test("NOTIFICATION_DATA, packed: next_off and next_wrap, over the wrap; wrong ones are told (§2.8.16, §2.9)", () => {
  const { d, device } = holdingDriver(options);
  const queue = bringUpPacked(d, [NOTIFICATION_DATA], 5);
  const part = { addr: d.board.alloc(4), length: 4 };
  for (let i = 0; i < 23; i++) {
    queue.post([part, part]);
    device.use();
    assertEquals(queue.collect().length, 1);
  }
  assertEquals(d.board.violations, []);
  const { nextAvail, availWrap } = queue;
  queue.publish([part]);
  d.write("QueueNotify", (nextAvail << 16) | (availWrap << 31));
  assertEquals(d.board.violations, ["notify-data"], "that descriptor is available already");
  assertEquals(device.held.length, 1, "it is a notification all the same");
  d.write("QueueNotify", 5 << 16);
  assertEquals(d.board.violations, ["notify-data", "notify-data"]);
});
