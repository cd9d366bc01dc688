import { assert, assertEquals } from "@std/assert";
import { findRegister } from "../../../vm/bus/register.ts";
import { EventStream } from "../../../vm/events.ts";
import { EmptyVirtioSlot } from "../../../devices/virtio/empty_slot.ts";
import {
  virtioMmioConfigOffset,
  virtioMmioMagic,
  virtioMmioOffset,
  virtioMmioRegisters,
  virtioStatus,
} from "../../../devices/virtio/registers.ts";
import { EVENT_IDX, INDIRECT_DESC, RAM, TestDriver, VERSION_1 } from "../../support/virtio_driver.ts";
import { HoldingDevice } from "../../support/virtio_device.ts";

const { ACKNOWLEDGE, DRIVER, FEATURES_OK, DEVICE_NEEDS_RESET, FAILED } = virtioStatus;
const VERSIONS = [1, 2] as const;

function driver(options: { version?: 1 | 2; strict?: boolean } = {}): { d: TestDriver; device: HoldingDevice } {
  const device = new HoldingDevice();
  return { d: new TestDriver(device, options), device };
}

/** What a readable register shows after a device reset where the table leaves it to the device. */
const DEVICE_VALUES: Record<string, (version: 1 | 2) => number> = {
  Version: (version) => version,
  DeviceID: () => 63,
  VendorID: () => 0x554d4551,
  DeviceFeatures: () => 2 ** INDIRECT_DESC + 2 ** EVENT_IDX + 3,
  QueueNumMax: () => 16,
  ConfigGeneration: () => 0,
};

for (const version of VERSIONS) {
  Deno.test(`version ${version}: every word below the configuration space answers as its row says (virtio 1.2 §4.2.2)`, () => {
    const { d } = driver({ version });
    for (let offset = 0; offset < virtioMmioConfigOffset; offset += 4) {
      d.board.facts.length = 0;
      const def = findRegister(virtioMmioRegisters, offset, version === 1)?.def;
      const value = d.slot.read(offset, 4);
      if (def === undefined) {
        const elsewhere = findRegister(virtioMmioRegisters, offset, version !== 1) !== undefined;
        assertEquals(value, 0, `${offset}`);
        assertEquals(d.board.violations, [elsewhere ? "register-interface" : "register-undefined"], `${offset}`);
      } else if (def.access === "W") {
        assertEquals(value, def.reset ?? 0, def.name);
        assertEquals(d.board.violations, ["register-direction"], def.name);
      } else {
        const legacyExtra = version === 1 && def.name === "DeviceFeatures" ? 2 ** 24 + 2 ** 27 : 0;
        const expected = DEVICE_VALUES[def.name]?.(version) ?? def.reset;
        assert(expected !== undefined, def.name);
        assertEquals(value, expected + legacyExtra, def.name);
        assertEquals(d.board.violations, [], def.name);
      }
    }
  });

  Deno.test(`version ${version}: writes to read-only and undefined registers change nothing and are told (§4.2.2.2)`, () => {
    const { d } = driver({ version });
    for (let offset = 0; offset < virtioMmioConfigOffset; offset += 4) {
      const def = findRegister(virtioMmioRegisters, offset, version === 1)?.def;
      if (def !== undefined && def.access !== "R") continue;
      d.board.facts.length = 0;
      const before = d.slot.read(offset, 4);
      d.board.facts.length = 0;
      assertEquals(d.slot.write(offset, 4, 0xffff_ffff), 0);
      const ids = d.board.violations;
      assertEquals(ids.length, 1);
      assert(["register-direction", "register-interface", "register-undefined"].includes(ids[0]!), ids[0]);
      assertEquals(d.slot.read(offset, 4), before);
    }
  });

  Deno.test(`version ${version}: control registers take aligned words only (§4.2.2.2)`, () => {
    const { d } = driver({ version });
    for (const [offset, size] of [[0, 1], [0, 2], [2, 2], [1, 1], [2, 4], [0x71, 4]] as const) {
      d.board.facts.length = 0;
      assertEquals(d.slot.read(offset, size), 0);
      d.slot.write(offset, size, 0xff);
      assertEquals(d.board.violations, ["register-access", "register-access"]);
    }
    d.slot.write(virtioMmioOffset("Status"), 1, ACKNOWLEDGE);
    assertEquals(d.read("Status"), 0);
  });

  Deno.test(`version ${version}: reset restores the register file (§4.2.2.1)`, () => {
    const { d, device } = driver({ version });
    const queue = d.bringUp([0]);
    queue.post([{ addr: d.board.alloc(16), length: 16, write: true }]);
    device.use(4);
    d.write("QueueSel", 1);
    d.write("DeviceFeaturesSel", 3);
    assertEquals(d.read("InterruptStatus"), 1);
    assertEquals(d.board.irqLevel, true);
    d.write("Status", 0);
    assertEquals(d.read("Status"), 0);
    assertEquals(d.read("InterruptStatus"), 0);
    assertEquals(d.board.irqLevel, false);
    assert(d.read("DeviceFeatures") !== 0, "DeviceFeaturesSel is 0 again");
    d.write("QueueSel", 0);
    assertEquals(d.read(version === 1 ? "QueuePFN" : "QueueReady"), 0);
    assertEquals(device.calls.at(-1), "reset");
  });

  Deno.test(`version ${version}: InterruptStatus holds causes until they are acknowledged (§4.2.2.1)`, () => {
    const { d, device } = driver({ version });
    const queue = d.bringUp();
    queue.post([{ addr: d.board.alloc(16), length: 16 }]);
    device.use();
    device.transport.configChanged();
    assertEquals(d.read("InterruptStatus"), 3);
    d.write("InterruptACK", 1);
    assertEquals(d.read("InterruptStatus"), 2);
    assertEquals(d.board.irqLevel, true);
    d.write("InterruptACK", 2);
    assertEquals(d.read("InterruptStatus"), 0);
    assertEquals(d.board.irqLevel, false);
    assertEquals(d.board.violations, []);
    d.write("InterruptACK", 0xc);
    assertEquals(d.board.violations, ["interrupt-ack-undefined"]);
  });

  Deno.test(`version ${version}: a queue that does not exist has size 0 and cannot be set up`, () => {
    const { d } = driver({ version });
    d.negotiate();
    d.write("QueueSel", 2);
    assertEquals(d.read("QueueNumMax"), 0);
    assertEquals(d.board.violations, []);
    d.write("QueueNum", 4);
    d.write(version === 1 ? "QueuePFN" : "QueueReady", 1);
    assertEquals(d.board.violations, ["queue-unknown", "queue-unknown"]);
    d.write("QueueSel", 0xffff_ffff);
    assertEquals(d.read("QueueNumMax"), 0);
  });

  Deno.test(`version ${version}: QueueNum above QueueNumMax is refused, a queue in use is not changed`, () => {
    const { d, device } = driver({ version });
    d.negotiate();
    d.write("QueueSel", 0);
    d.write("QueueNum", 17);
    assertEquals(d.board.violations, ["queue-num"]);
    const queue = d.setupQueue(0, 8);
    d.driverOk();
    d.write("QueueNum", 4);
    if (version === 2) d.write("QueueDescLow", 0);
    assertEquals(
      d.board.violations,
      version === 2 ? ["queue-num", "queue-in-use", "queue-in-use"] : ["queue-num", "queue-in-use"],
    );
    for (let i = 0; i < 6; i++) queue.post([{ addr: d.board.alloc(16), length: 16 }]);
    for (let i = 0; i < 6; i++) device.use();
    assertEquals(queue.collect().length, 6);
  });

  Deno.test(`version ${version}: a queue handed over without QueueNum has the largest size`, () => {
    const { d, device } = driver({ version });
    d.negotiate();
    const queue = d.setupQueue(0, 16);
    d.write(version === 1 ? "QueuePFN" : "QueueReady", 0);
    d.write("QueueNum", 0);
    if (version === 1) d.write("QueuePFN", queue.desc / 4096);
    else d.write("QueueReady", 1);
    d.driverOk();
    assertEquals(d.board.violations, ["queue-num-unset"]);
    for (let i = 0; i < 9; i++) queue.post([{ addr: d.board.alloc(16), length: 16 }]);
    assertEquals(device.held.length, 9);
  });

  Deno.test(`version ${version}: a queue of impossible size fails the device (§2.7)`, () => {
    const { d } = driver({ version });
    d.negotiate();
    d.setupQueue(0, 6);
    assertEquals(d.board.violations, ["queue-size"]);
    assertEquals(d.read("Status") & DEVICE_NEEDS_RESET, DEVICE_NEEDS_RESET);
    assertEquals(d.read("InterruptStatus"), 0, "no notification before DRIVER_OK (§2.1.2)");
  });

  Deno.test(`version ${version}: features by selector, words above the highest read 0 (§4.2.2)`, () => {
    const { d } = driver({ version });
    const reserved = version === 1 ? [24, 27, INDIRECT_DESC, EVENT_IDX] : [INDIRECT_DESC, EVENT_IDX, VERSION_1];
    assertEquals(d.offered(), [0, 1, ...reserved]);
    for (const sel of [4, 100, 0xffff_ffff]) {
      d.write("DeviceFeaturesSel", sel);
      assertEquals(d.read("DeviceFeatures"), 0);
    }
  });

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

Deno.test("legacy: GuestPageSize survives a device reset, not a system reset", () => {
  const { d } = driver({ version: 1 });
  d.write("GuestPageSize", 8192);
  d.write("Status", 0);
  d.write("Status", ACKNOWLEDGE);
  d.write("Status", 3);
  const desc = d.board.alloc(16384, 8192);
  d.write("QueueNum", 8);
  d.write("QueueAlign", 4096);
  d.write("QueuePFN", desc / 8192);
  const configured = d.board.of("virtqueue").find((fact) => fact.step === "configured");
  assert(configured?.step === "configured");
  assertEquals(configured.desc, desc);
  assertEquals(configured.driver, desc + 128);
  assertEquals(configured.device_area, desc + 4096);
  assertEquals(d.read("QueuePFN"), desc / 8192);
  d.slot.reset();
  d.write("QueuePFN", desc / 8192);
  assertEquals(d.board.violations.at(-1), "legacy-page-size");
  assertEquals(d.read("Status"), DEVICE_NEEDS_RESET);
});

Deno.test("legacy: page size and alignment must be powers of two; a missing alignment is a page (§4.2.4)", () => {
  const { d, device } = driver({ version: 1 });
  d.negotiate();
  d.board.facts.length = 0;
  d.write("GuestPageSize", 5000);
  d.write("QueueAlign", 100);
  assertEquals(d.board.violations, ["legacy-page-size", "legacy-align"]);
  d.write("GuestPageSize", 4096);
  const queue = d.setupQueue(0, 8);
  d.write("QueuePFN", 0);
  d.write("QueueAlign", 0);
  d.board.facts.length = 0;
  d.write("QueuePFN", queue.desc / 4096);
  assertEquals(d.board.violations, ["legacy-align"]);
  queue.post([{ addr: queue.desc, length: 16 }]);
  device.use();
  assertEquals(queue.usedIdx, 1);
});

Deno.test("legacy: QueuePFN := 0 stops the queue only", () => {
  const { d, device } = driver({ version: 1 });
  const queue = d.bringUp();
  queue.post([{ addr: d.board.alloc(16), length: 16 }]);
  d.write("QueuePFN", 0);
  assertEquals(device.calls.at(-1), "stopped 0");
  assertEquals(d.read("Status"), 7);
  device.use();
  assertEquals(queue.usedIdx, 0, "a stopped queue is not touched (§4.2.2.1)");
});

Deno.test("QueueReady reads back; zero stops, one starts again from index 0", () => {
  const { d, device } = driver();
  const queue = d.bringUp();
  assertEquals(d.read("QueueReady"), 1);
  queue.post([{ addr: d.board.alloc(16), length: 16 }]);
  d.write("QueueReady", 0);
  assertEquals(d.read("QueueReady"), 0);
  const stale = device.held.shift()!;
  device.transport.queue(0).push(stale, 0);
  assertEquals(queue.usedIdx, 0);
  const again = d.setupQueue(0, 4);
  again.post([{ addr: d.board.alloc(16), length: 16 }]);
  device.use();
  assertEquals(again.collect(), [{ id: 0, length: 0 }]);
  d.write("QueueReady", 3);
  assertEquals(d.board.violations, ["queue-ready-value"]);
});

Deno.test("a queue handed over before FEATURES_OK is told, and refused when strict (§3.1.1)", () => {
  for (const strict of [false, true]) {
    const { d } = driver({ strict });
    d.write("Status", ACKNOWLEDGE);
    d.write("Status", 3);
    d.setupQueue(0);
    assertEquals(d.board.violations, ["queue-early"]);
    assertEquals(d.read("QueueReady"), strict ? 0 : 1);
  }
});

Deno.test("misaligned rings are told and work; rings outside writable memory fail the device (§2.7)", () => {
  const { d, device } = driver();
  d.negotiate();
  d.write("QueueNum", 8);
  const base = d.board.alloc(512, 64);
  d.writeAreas({ desc: base + 8, avail: base + 257, used: base + 322 });
  d.write("QueueReady", 1);
  assertEquals(d.board.violations, ["queue-misaligned", "queue-misaligned", "queue-misaligned"]);
  assertEquals(d.read("Status"), 11);
  const bad: [string, number][] = [["desc", 0x4000_0000], ["used", 0x1000], ["avail", 2 ** 64 - 16], [
    "desc",
    0x807f_ffc0,
  ]];
  for (const [part, addr] of bad) {
    d.negotiate();
    d.board.facts.length = 0;
    d.write("QueueNum", 8);
    const good = { desc: d.board.alloc(128), avail: d.board.alloc(22), used: d.board.alloc(70) };
    d.writeAreas({ ...good, [part]: addr });
    d.write("QueueReady", 1);
    assertEquals(d.board.violations, ["queue-address"]);
    assertEquals(d.read("Status") & DEVICE_NEEDS_RESET, DEVICE_NEEDS_RESET);
    d.driverOk();
    d.write("QueueNotify", 0);
    assertEquals(device.held.length, 0);
  }
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

Deno.test("configuration space: field widths on version 2, anything on version 1 (§4.2.2.2)", () => {
  for (const version of VERSIONS) {
    const { d, device } = driver({ version });
    device.config.set("wide", 0x0123_4567_89ab);
    device.config.set("word", 0xdead_beef);
    device.config.set("half", 0x1234);
    d.negotiate();
    d.board.facts.length = 0;
    assertEquals(d.readConfig(0, 4), 0x4567_89ab);
    assertEquals(d.readConfig(4, 4), 0x0123);
    assertEquals(d.readConfig(8, 4), 0xdead_beef);
    assertEquals(d.readConfig(12, 2), 0x1234);
    assertEquals(d.readConfig(14, 1), 0);
    assertEquals(d.board.violations, []);
    assertEquals([0, 1, 2, 3].map((i) => d.readConfig(8 + i, 1)), [0xef, 0xbe, 0xad, 0xde]);
    assertEquals(d.readConfig(12, 4), 0x1234);
    assertEquals(d.board.violations, version === 2 ? Array(5).fill("config-access") : []);
    d.board.facts.length = 0;
    d.readConfig(16, 4);
    d.readConfig(20, 4);
    assertEquals(d.readConfig(0xe00, 4), 0);
    assertEquals(d.board.violations, ["config-feature", "config-undefined", "config-undefined"]);
  }
});

Deno.test("configuration writes: only writable fields, not before FEATURES_OK on version 2 (§3.1.1)", () => {
  const { d, device } = driver();
  d.write("Status", ACKNOWLEDGE);
  d.writeConfig(14, 1, 7);
  assertEquals(d.board.violations, [], "a field that may be written at any time");
  assertEquals(device.config.get("byte"), 7);
  d.writeConfig(8, 4, 5);
  assertEquals(d.board.violations, ["config-early-write"]);
  d.negotiate();
  d.board.facts.length = 0;
  d.writeConfig(8, 4, 6);
  d.writeConfig(12, 2, 9);
  assertEquals(d.board.violations, ["config-read-only"]);
  assertEquals(device.config.get("word"), 6);
  assertEquals(device.config.get("half"), 0);
  const strict = driver({ strict: true });
  strict.d.writeConfig(8, 4, 5);
  assertEquals(strict.device.config.get("word"), 0);
  const legacy = driver({ version: 1 });
  legacy.d.writeConfig(9, 1, 5);
  assertEquals(legacy.device.config.get("word"), 0x500);
  assertEquals(legacy.d.board.violations, []);
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

Deno.test("QueueReset without VIRTIO_F_RING_RESET and the shared memory registers (§4.2.2)", () => {
  const { d } = driver();
  d.write("SHMSel", 5);
  for (const name of ["SHMLenLow", "SHMLenHigh", "SHMBaseLow", "SHMBaseHigh"]) assertEquals(d.read(name), 0xffff_ffff);
  assertEquals(d.board.violations, []);
  d.write("QueueReset", 1);
  assertEquals(d.board.violations, ["queue-reset-not-negotiated"]);
  assertEquals(d.read("QueueReset"), 0);
});

Deno.test("an empty slot has DeviceID 0 and nothing else (§4.2.2.2, §4.2.3.1.1)", () => {
  const events = new EventStream();
  const violations: string[] = [];
  events.on("violation", (fact) => violations.push(fact.id));
  for (const version of VERSIONS) {
    const slot = new EmptyVirtioSlot({ name: "virtio7", events, version });
    assertEquals(slot.read(0, 4), virtioMmioMagic);
    assertEquals(slot.read(4, 4), version);
    assertEquals(slot.read(8, 4), 0);
    assertEquals(slot.read(12, 4), 0x554d4551);
    assertEquals(violations, []);
    assertEquals(slot.read(0x70, 4), 0);
    assertEquals(slot.write(0x70, 4, 1), 0);
    assertEquals(slot.read(0, 1), 0);
    assertEquals(slot.read(0x100, 4), 0);
    assertEquals(violations.splice(0), Array(4).fill("slot-empty"));
  }
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
