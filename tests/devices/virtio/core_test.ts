import { assert, assertEquals } from "@std/assert";
import { virtioStatus } from "../../../devices/virtio/registers.ts";
import { HoldingDevice, holdingDriver as driver } from "../../support/virtio_device.ts";
import { EVENT_IDX, INDIRECT_DESC, RAM, TestDriver, VERSION_1 } from "../../support/virtio_driver.ts";

const { ACKNOWLEDGE, DRIVER, FEATURES_OK, DEVICE_NEEDS_RESET, FAILED } = virtioStatus;
const VERSIONS = [1, 2] as const;

for (const version of VERSIONS) {
  Deno.test(`version ${version}: notifications of unknown, stopped and dead queues do nothing`, () => {
    const { d, device } = driver({ version });
    d.bringUp();
    d.write("QueueNotify", 2);
    d.write("QueueNotify", 0x1_0000);
    d.write("QueueNotify", 1);
    d.write("Status", d.read("Status") | FAILED);
    d.write("QueueNotify", 0);
    const unknown = "notify-unknown-queue";
    assertEquals(d.board.violations, [unknown, unknown, "notify-stopped-queue", "notify-dead-device"]);
    assertEquals(device.calls.filter((call) => call.startsWith("process")), []);
  });

  Deno.test(`version ${version}: a system reset also forgets what outlives a device reset`, () => {
    const { d, device } = driver({ version });
    d.bringUp();
    device.config.set("half", 5);
    d.write("Status", 0);
    assertEquals(device.config.generation, 1);
    d.slot.reset();
    assertEquals(device.config.generation, 0);
    assertEquals(device.calls.at(-1), "system reset");
  });
}

Deno.test("Status shows the driver's progress, FEATURES_OK the device's consent (§2.1, §2.2.2)", () => {
  const { d, device } = driver();
  d.write("Status", 0);
  for (const status of [ACKNOWLEDGE, ACKNOWLEDGE | DRIVER]) {
    d.write("Status", status);
    assertEquals(d.read("Status"), status);
  }
  d.accept([0, VERSION_1]);
  d.write("Status", ACKNOWLEDGE | DRIVER | FEATURES_OK);
  assertEquals(d.read("Status"), 11);
  assertEquals(device.transport.negotiated.bits(), [0, VERSION_1]);
  d.driverOk();
  assertEquals(d.read("Status"), 15);
  assertEquals(device.calls, ["reset", "start"]);
  assertEquals(d.board.violations, []);
  const [features] = d.board.of("virtio").filter((fact) => fact.step === "features");
  assertEquals(features, {
    kind: "virtio",
    device: "virtio0",
    step: "features",
    offered: (1n << 32n) | BigInt(3 + 2 ** INDIRECT_DESC + 2 ** EVENT_IDX),
    accepted: (1n << 32n) | 1n,
    ok: true,
  });
});

Deno.test("FEATURES_OK is refused for a bit that was not offered, at any height (§2.2.1, §2.2.2)", () => {
  for (const [sel, word] of [[0, 1 << 5], [1, 1 << 4], [2, 1], [9, 1]] as const) {
    const { d } = driver();
    d.negotiate();
    d.write("Status", 0);
    d.write("Status", ACKNOWLEDGE);
    d.write("Status", ACKNOWLEDGE | DRIVER);
    d.accept([VERSION_1]);
    d.write("DriverFeaturesSel", sel);
    d.write("DriverFeatures", sel === 1 ? word | 1 : word);
    d.write("Status", 11);
    assertEquals(d.read("Status"), 3);
    assertEquals(d.board.violations, ["feature-not-offered"]);
    // §2.2.1: a valid subset is accepted after that.
    d.write("DriverFeatures", sel === 1 ? 1 : 0);
    d.write("Status", 11);
    assertEquals(d.read("Status"), 11);
  }
});

Deno.test("FEATURES_OK is refused for a feature without one it requires (§2.2.1, §2.2.2)", () => {
  // On a network device GUEST_TSO4 (7) requires GUEST_CSUM (1).
  const d = new TestDriver(Object.assign(new HoldingDevice({ features: [1, 7] }), { id: 1 }));
  d.negotiate([7]);
  assertEquals(d.read("Status"), 3);
  assertEquals(d.board.violations, ["feature-dependency"]);
  d.negotiate([1, 7]);
  assertEquals(d.read("Status"), 11);
  d.negotiate([1, 7]);
  assertEquals(d.read("Status"), 11, "the same set again after a reset");
});

Deno.test("a combination the device type cannot do is refused (§2.2.2)", () => {
  const { d, device } = driver();
  device.refuse = "not on Sundays";
  d.negotiate([0]);
  assertEquals(d.read("Status"), 3);
  assertEquals(d.board.violations, ["feature-refused"]);
});

Deno.test("DriverFeatures after FEATURES_OK is ignored and told (§3.1.1)", () => {
  const { d, device } = driver();
  d.negotiate([0]);
  d.accept([0, 1, VERSION_1]);
  assertEquals(d.board.violations, ["features-after-ok", "features-after-ok"]);
  d.driverOk();
  assertEquals(device.transport.negotiated.bits(), [0, VERSION_1]);
});

Deno.test("a driver that does not accept VERSION_1 works unless strict (§6.1)", () => {
  for (const strict of [false, true]) {
    const { d } = driver({ strict });
    d.write("Status", ACKNOWLEDGE);
    d.write("Status", ACKNOWLEDGE | DRIVER);
    d.write("DriverFeatures", 1);
    d.write("Status", 11);
    assertEquals(d.read("Status"), strict ? 3 : 11);
    assertEquals(d.board.violations, ["feature-version-1"]);
  }
});

Deno.test("status writes out of order: tolerated and told, refused when strict (§2.1.1, §3.1.1)", () => {
  const cases: [number[], string[], number, number][] = [
    [[DRIVER], ["status-order"], DRIVER, 0],
    [[ACKNOWLEDGE | DRIVER], ["status-order"], 3, 0],
    [[ACKNOWLEDGE, 3, 1], ["status-cleared"], 1, 3],
    [[ACKNOWLEDGE | 0x20], ["status-undefined"], 1, 0],
    [[ACKNOWLEDGE | DEVICE_NEEDS_RESET], ["status-undefined"], 1, 0],
    [[ACKNOWLEDGE, 0x101], ["status-undefined"], 1, 1],
    [[ACKNOWLEDGE | FAILED, ACKNOWLEDGE | DRIVER | FAILED], ["status-after-failed"], 0x83, 0x81],
    [[ACKNOWLEDGE, 3, 7], ["status-order"], 7, 3],
  ];
  for (const [writes, violations, tolerant, strict] of cases) {
    for (const refuse of [false, true]) {
      const { d } = driver({ strict: refuse });
      for (const value of writes) d.write("Status", value);
      assertEquals(d.board.violations, violations, `${writes}`);
      assertEquals(d.read("Status"), refuse ? strict : tolerant, `${writes} strict=${refuse}`);
    }
  }
});

Deno.test("no buffer is taken before DRIVER_OK; an early notification is kept for then (§2.1.2, §3.1.1)", () => {
  const { d, device } = driver();
  d.negotiate();
  const queue = d.setupQueue(0);
  queue.post([{ addr: d.board.alloc(16), length: 16 }]);
  assertEquals(device.held.length, 0);
  assertEquals(d.board.violations, ["notify-before-driver-ok"]);
  d.driverOk();
  assertEquals(device.held.length, 1);
  const strict = driver({ strict: true });
  strict.d.negotiate();
  strict.d.setupQueue(0).post([{ addr: RAM, length: 16 }]);
  strict.d.driverOk();
  assertEquals(strict.device.held.length, 0);
});
Deno.test("legacy: the queue may be used before DRIVER_OK (§3.1.2)", () => {
  const { d, device } = driver({ version: 1 });
  d.negotiate();
  const queue = d.setupQueue(0);
  queue.post([{ addr: d.board.alloc(16), length: 16 }]);
  assertEquals(device.held.length, 1);
  device.use();
  assertEquals(queue.collect().length, 1);
  assertEquals(d.board.violations, []);
});

Deno.test("legacy: negotiation without FEATURES_OK; only what is offered comes into force (§3.1.2)", () => {
  const { d, device } = driver({ version: 1 });
  d.negotiate([0, 5]);
  d.driverOk();
  assertEquals(device.transport.negotiated.bits(), [0]);
  assertEquals(d.board.violations, ["feature-not-offered"]);
  const other = driver({ version: 1 });
  other.d.write("Status", ACKNOWLEDGE);
  other.d.write("Status", 3);
  other.d.write("Status", 11);
  assertEquals(other.d.board.violations, ["status-features-ok-legacy"]);
});

Deno.test("DEVICE_NEEDS_RESET is announced by a configuration change once DRIVER_OK is set (§2.1.2)", () => {
  const { d, device } = driver();
  d.bringUp();
  device.transport.fail("blk-status", "test");
  assertEquals(d.read("Status"), 15 | DEVICE_NEEDS_RESET);
  assertEquals(d.read("InterruptStatus"), 2);
  d.write("Status", 15 | DEVICE_NEEDS_RESET);
  assertEquals(d.board.violations, ["blk-status"]);
  const [fact] = d.board.of("virtio").filter((f) => f.step === "needs-reset");
  assert(fact?.step === "needs-reset");
  assertEquals(fact.reason, "blk-status: test");
  d.write("QueueNotify", 0);
  assertEquals(device.held.length, 0);
  d.write("Status", 0);
  assertEquals(d.read("Status"), 0);
  d.bringUp();
  assertEquals(d.read("Status"), 15);
});

Deno.test("ConfigGeneration changes with the configuration and outlives a device reset (§4.2.2.1)", () => {
  const { d, device } = driver();
  d.bringUp();
  const before = d.read("ConfigGeneration");
  device.config.set("wide", 77);
  device.transport.configChanged();
  const after = d.read("ConfigGeneration");
  assert(after !== before);
  assertEquals(d.read("InterruptStatus"), 2);
  device.config.set("wide", 77);
  assertEquals(d.read("ConfigGeneration"), after);
  d.write("Status", 0);
  assertEquals(d.read("ConfigGeneration"), after);
  device.transport.configChanged();
  assertEquals(d.read("InterruptStatus"), 0, "no notification while the device is reset (§2.4.1)");
});

Deno.test("a device type that offers a feature without what it requires is our mistake (§2.2.2)", () => {
  const device = new HoldingDevice();
  // Bit 1 of a network device is GUEST_CSUM, bit 7 (GUEST_TSO4) requires it.
  const net = Object.assign(device, { id: 1 });
  net.features.clear();
  net.features.add(7);
  let message = "";
  try {
    new TestDriver(net);
  } catch (error) {
    message = (error as Error).message;
  }
  assertEquals(message, "virtio test: offers VIRTIO_NET_F_GUEST_TSO4 without VIRTIO_NET_F_GUEST_CSUM");
});
