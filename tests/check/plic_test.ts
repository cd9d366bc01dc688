/** Who waits for something else is not told that an interrupt does not come. */
import { assertEquals } from "@std/assert";
import { CheckRig, LIVE } from "../support/check_rig.ts";
import type { HoldingDevice } from "../support/virtio_device.ts";
import { RAM } from "../support/virtio_driver.ts";

Deno.test("a hart that is parked does not wait for the device that another one drives", () => {
  const rig = new CheckRig();
  rig.hart = 1;
  rig.wait();
  rig.hart = 0;
  rig.play(LIVE).irq("raised");
  assertEquals(rig.found, []);
  assertEquals(rig.wait().found, ["plic-priority"]);
});

Deno.test("a driver that polls, and then waits for something else, needs no interrupt of its device", () => {
  const rig = new CheckRig();
  const { queue } = rig.play(LIVE).post({ addr: RAM, length: 64, write: true });
  (rig.device as HoldingDevice).use();
  rig.irq("raised").access(false, queue.used + 2, 2).access(false, queue.used + 4, 8, 0, 1).wait();
  assertEquals(rig.found, []);
});

Deno.test("interrupts that are off for a while only, or of a device that was served, are nothing to tell of", () => {
  for (const [steps, served] of [[50_000, false], [200_000, true]] as const) {
    const rig = new CheckRig();
    rig.csrs.mstatus = 0n;
    rig.play(LIVE).plic(4, 1).plic(0x2000, 2);
    if (served) rig.irq("raised").irq("claimed").play("R060 W064=0").irq("lowered").irq("completed");
    rig.irq("raised").pass(steps).checker.end();
    assertEquals(rig.found, []);
  }
});

Deno.test("a poll of memory with external interrupts disabled is told of at the end", () => {
  const rig = new CheckRig();
  rig.csrs.mie = 0n;
  rig.play(LIVE).plic(4, 1).plic(0x2000, 2).irq("raised").pass(200_000).checker.end();
  assertEquals(rig.found, ["interrupt-masked"]);
});
