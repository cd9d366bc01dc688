/** The virtio tables are consistent: no overlap, no bit twice, no requirement on a bit that does not exist. */

import { assert, assertEquals } from "@std/assert";
import { findRegister } from "../../../vm/bus/register.ts";
import { virtioMmioOffset, virtioMmioRegisters } from "../../../devices/virtio/registers.ts";
import { deviceType, deviceTypes, findFeature, reservedFeatures } from "../../../devices/virtio/features.ts";

Deno.test("virtio-mmio registers are in order, aligned and disjoint in both interfaces (virtio 1.2 §4.2.2)", () => {
  for (const legacy of [false, true]) {
    let end = 0;
    for (const def of virtioMmioRegisters) {
      if (def.versions === (legacy ? "modern" : "legacy")) continue;
      assert(def.offset >= end, `${def.name} overlaps its predecessor`);
      assertEquals(def.offset % def.size, 0, def.name);
      end = def.offset + (def.repeat === undefined ? def.size : def.repeat.count * def.repeat.stride);
      assert(def.versions !== "modern" || def.legacyName === undefined, `${def.name} has no legacy name`);
    }
    assertEquals(end, 0x1000);
  }
});

Deno.test("virtio-mmio offsets are the specification's (virtio 1.2 §4.2.2, §4.2.4)", () => {
  const expected: Record<string, number> = {
    MagicValue: 0x0,
    Version: 0x4,
    DeviceID: 0x8,
    VendorID: 0xc,
    DeviceFeatures: 0x10,
    DeviceFeaturesSel: 0x14,
    DriverFeatures: 0x20,
    DriverFeaturesSel: 0x24,
    GuestPageSize: 0x28,
    QueueSel: 0x30,
    QueueNumMax: 0x34,
    QueueNum: 0x38,
    QueueAlign: 0x3c,
    QueuePFN: 0x40,
    QueueReady: 0x44,
    QueueNotify: 0x50,
    InterruptStatus: 0x60,
    InterruptACK: 0x64,
    Status: 0x70,
    QueueDescLow: 0x80,
    QueueDescHigh: 0x84,
    QueueDriverLow: 0x90,
    QueueDriverHigh: 0x94,
    QueueDeviceLow: 0xa0,
    QueueDeviceHigh: 0xa4,
    SHMSel: 0xac,
    SHMLenLow: 0xb0,
    SHMLenHigh: 0xb4,
    SHMBaseLow: 0xb8,
    SHMBaseHigh: 0xbc,
    QueueReset: 0xc0,
    ConfigGeneration: 0xfc,
    Config: 0x100,
  };
  assertEquals(virtioMmioRegisters.map((r) => r.name), Object.keys(expected));
  for (const [name, offset] of Object.entries(expected)) assertEquals(virtioMmioOffset(name), offset, name);
});

Deno.test("a register that one interface lacks is not found there", () => {
  assertEquals(findRegister(virtioMmioRegisters, 0x28), undefined);
  assertEquals(findRegister(virtioMmioRegisters, 0x28, true)?.def.name, "GuestPageSize");
  assertEquals(findRegister(virtioMmioRegisters, 0x44)?.def.name, "QueueReady");
  assertEquals(findRegister(virtioMmioRegisters, 0x44, true), undefined);
  assertEquals(findRegister(virtioMmioRegisters, 0x114)?.index, 0x14);
});

Deno.test("feature tables: unique bits, allowed ranges (virtio 1.2 §2.2), requirements exist", () => {
  const reserved = new Map(reservedFeatures.map((r) => [r.bit, r.name]));
  assertEquals(reserved.size, reservedFeatures.length);
  assertEquals(new Set(deviceTypes.map((t) => t.id)).size, deviceTypes.length);
  assertEquals(new Set(deviceTypes.map((t) => t.short)).size, deviceTypes.length);
  for (const type of deviceTypes) {
    const names = new Set(type.features.map((feature) => feature.name));
    assertEquals(new Set(type.features.map((feature) => feature.bit)).size, type.features.length, type.name);
    for (const feature of type.features) {
      const { bit } = feature;
      assert(bit <= 23 || bit === 41 || bit === 42 || (bit >= 50 && bit <= 127), feature.name);
      for (const choice of feature.requires ?? []) {
        assert(choice.some((name) => names.has(name)), `${feature.name} requires ${choice}`);
        for (const name of choice) assert(names.has(name), `${feature.name} requires unknown ${name}`);
      }
    }
  }
  for (const feature of reservedFeatures) assert(feature.bit >= 24 && feature.bit <= 43, feature.name);
});

Deno.test("bit 41 is the network device's on MMIO, reserved elsewhere", () => {
  assertEquals(findFeature(1, 41)?.name, "VIRTIO_NET_F_GUEST_RSC4");
  assertEquals(findFeature(2, 41)?.name, "VIRTIO_F_ADMIN_VQ");
  assertEquals(findFeature(2, 44), undefined);
  assertEquals(deviceType(2)?.short, "blk");
  assertEquals(deviceType(14), undefined);
});
