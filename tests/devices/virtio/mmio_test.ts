import { assert, assertEquals } from "@std/assert";
import {
  virtioMmioConfigOffset,
  virtioMmioOffset,
  virtioMmioRegisters,
  virtioStatus,
} from "../../../devices/virtio/registers.ts";
import { findRegister } from "../../../vm/bus/register.ts";
import { holdingDriver as driver } from "../../support/virtio_device.ts";
import { EVENT_IDX, INDIRECT_DESC, VERSION_1 } from "../../support/virtio_driver.ts";

const { ACKNOWLEDGE, DEVICE_NEEDS_RESET } = virtioStatus;
const VERSIONS = [1, 2] as const;

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
}

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

Deno.test("QueueReset without VIRTIO_F_RING_RESET and the shared memory registers (§4.2.2)", () => {
  const { d } = driver();
  d.write("SHMSel", 5);
  for (const name of ["SHMLenLow", "SHMLenHigh", "SHMBaseLow", "SHMBaseHigh"]) assertEquals(d.read(name), 0xffff_ffff);
  assertEquals(d.board.violations, []);
  d.write("QueueReset", 1);
  assertEquals(d.board.violations, ["queue-reset-not-negotiated"]);
  assertEquals(d.read("QueueReset"), 0);
});
