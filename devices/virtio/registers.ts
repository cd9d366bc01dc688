/**
 * The virtio-mmio register file, once: the transport decodes with it, traces and the driver checker name registers by
 * it, and `guest/generated/virtio_mmio_regs.h` is generated from it. Names are those of virtio 1.2 §4.2.2; where the
 * legacy interface (§4.2.4) calls the same register otherwise, `legacyName` says so.
 */

import { hex } from "../../vm/bits.ts";
import type { RegisterDef } from "../../vm/bus/register.ts";

/** What MagicValue reads: "virt" in little-endian ASCII (virtio 1.2 §4.2.2). */
export const virtioMmioMagic = 0x74726976;

/** Where the device-specific configuration space begins (virtio 1.2 §4.2.2). */
export const virtioMmioConfigOffset = 0x100;

/** Bytes of one slot's window on the board; the configuration space may fill it to the end. */
export const virtioMmioWindowSize = 0x1000;

/** The device status bits (virtio 1.2 §2.1; SUSPEND virtio 1.4 §2.1), by the names of the specification. */
export const virtioStatus = {
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  SUSPEND: 16,
  DEVICE_NEEDS_RESET: 64,
  FAILED: 128,
} as const;

/** The bits of InterruptStatus and InterruptACK (virtio 1.2 §4.2.2). */
export const virtioInterrupt = {
  USED_BUFFER: 1,
  CONFIG_CHANGE: 2,
} as const;

/** A status with the names of its bits: `0x0b ACKNOWLEDGE|DRIVER|FEATURES_OK`. */
export function statusText(status: number): string {
  const names = Object.entries(virtioStatus).filter(([, bit]) => (status & bit) !== 0).map(([name]) => name);
  return [hex(status, 2), ...(names.length === 0 ? [] : [names.join("|")])].join(" ");
}

const statusBits = Object.entries(virtioStatus).map(([name, mask]) => ({ name, mask }));
const interruptBits = Object.entries(virtioInterrupt).map(([name, mask]) => ({ name, mask }));

/** A 64-bit value as the specification spells it: two registers, Low and High, four bytes apart. */
function pair(name: string, offset: number, access: "R" | "W", spec: string): RegisterDef[] {
  // Low and High of a region that does not exist read all ones; queue addresses are write-only and start at zero.
  const reset = access === "R" ? 0xffff_ffff : 0;
  return [
    { name: `${name}Low`, offset, size: 4, access, versions: "modern", reset, spec },
    { name: `${name}High`, offset: offset + 4, size: 4, access, versions: "modern", reset, spec },
  ];
}

const modern = "virtio 1.2 §4.2.2";
const legacy = "virtio 1.2 §4.2.4";

/**
 * Every register of a virtio-mmio slot, in order of offset. `reset` is the value after a device reset; where the
 * specification is silent (selectors, write-only queue registers) it is the zero that existing drivers rely on.
 * A register without `reset` is a constant of the device or, like GuestPageSize, survives a device reset.
 */
export const virtioMmioRegisters: readonly RegisterDef[] = [
  { name: "MagicValue", offset: 0x000, size: 4, access: "R", reset: virtioMmioMagic, spec: modern },
  { name: "Version", offset: 0x004, size: 4, access: "R", spec: modern },
  { name: "DeviceID", offset: 0x008, size: 4, access: "R", spec: modern },
  { name: "VendorID", offset: 0x00c, size: 4, access: "R", spec: modern },
  { name: "DeviceFeatures", legacyName: "HostFeatures", offset: 0x010, size: 4, access: "R", spec: modern },
  {
    name: "DeviceFeaturesSel",
    legacyName: "HostFeaturesSel",
    offset: 0x014,
    size: 4,
    access: "W",
    reset: 0,
    spec: modern,
  },
  { name: "DriverFeatures", legacyName: "GuestFeatures", offset: 0x020, size: 4, access: "W", reset: 0, spec: modern },
  {
    name: "DriverFeaturesSel",
    legacyName: "GuestFeaturesSel",
    offset: 0x024,
    size: 4,
    access: "W",
    reset: 0,
    spec: modern,
  },
  // Written once at probe, before the driver's reset: it must survive Status := 0.
  { name: "GuestPageSize", offset: 0x028, size: 4, access: "W", versions: "legacy", spec: legacy },
  { name: "QueueSel", offset: 0x030, size: 4, access: "W", reset: 0, spec: modern },
  { name: "QueueNumMax", offset: 0x034, size: 4, access: "R", spec: modern },
  { name: "QueueNum", offset: 0x038, size: 4, access: "W", reset: 0, spec: modern },
  { name: "QueueAlign", offset: 0x03c, size: 4, access: "W", versions: "legacy", reset: 0, spec: legacy },
  { name: "QueuePFN", offset: 0x040, size: 4, access: "RW", versions: "legacy", reset: 0, spec: legacy },
  { name: "QueueReady", offset: 0x044, size: 4, access: "RW", versions: "modern", reset: 0, spec: modern },
  {
    name: "QueueNotify",
    offset: 0x050,
    size: 4,
    access: "W",
    // With VIRTIO_F_NOTIFICATION_DATA; without it the whole value is the queue index.
    bits: [
      { name: "vqn", mask: 0x0000_ffff },
      { name: "next_off", mask: 0x7fff_0000 },
      { name: "next_wrap", mask: 0x8000_0000 },
    ],
    spec: modern,
  },
  { name: "InterruptStatus", offset: 0x060, size: 4, access: "R", reset: 0, bits: interruptBits, spec: modern },
  { name: "InterruptACK", offset: 0x064, size: 4, access: "W", bits: interruptBits, spec: modern },
  { name: "Status", offset: 0x070, size: 4, access: "RW", reset: 0, bits: statusBits, spec: modern },
  ...pair("QueueDesc", 0x080, "W", modern),
  ...pair("QueueDriver", 0x090, "W", modern),
  ...pair("QueueDevice", 0x0a0, "W", modern),
  { name: "SHMSel", offset: 0x0ac, size: 4, access: "W", versions: "modern", reset: 0, spec: modern },
  ...pair("SHMLen", 0x0b0, "R", modern),
  ...pair("SHMBase", 0x0b8, "R", modern),
  { name: "QueueReset", offset: 0x0c0, size: 4, access: "RW", versions: "modern", reset: 0, spec: modern },
  // Keeps counting over device resets, so that a reader in two halves notices one in between.
  { name: "ConfigGeneration", offset: 0x0fc, size: 4, access: "R", versions: "modern", spec: modern },
  // Byte-addressed; the index of the repetition is the offset in the configuration space.
  {
    name: "Config",
    offset: virtioMmioConfigOffset,
    size: 1,
    access: "RW",
    repeat: { count: virtioMmioWindowSize - virtioMmioConfigOffset, stride: 1 },
    spec: modern,
  },
];

const offsets: ReadonlyMap<string, number> = new Map(virtioMmioRegisters.map((r) => [r.name, r.offset]));

/**
 * Offset of a register by its modern name.
 *
 * @throws if the table has no register of that name
 *
 * @example
 * ```ts
 * import { virtioMmioOffset } from "./registers.ts";
 * if (virtioMmioOffset("QueueNotify") !== 0x50) throw new Error("table changed");
 * ```
 */
export function virtioMmioOffset(name: string): number {
  const offset = offsets.get(name);
  if (offset === undefined) throw new Error(`virtio-mmio registers: no register named ${name}`);
  return offset;
}
