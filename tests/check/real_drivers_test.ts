/**
 * What the checker tells existing drivers: the register sequences of `tests/devices/virtio/real_drivers_test.ts`, with
 * the known mistakes of each and no other. Linux is told nothing; U-Boot 2023.01 loses ACKNOWLEDGE (mended in 2026).
 */
import { assertEquals } from "@std/assert";
import { MemoryDisk } from "../../devices/host/memory.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import type { Profile } from "../../vm/check/rule.ts";
import { CheckRig } from "../support/check_rig.ts";
import { RECORDINGS } from "../support/driver_recordings.ts";

/** What each is told, by profile. */
const FOUND: Readonly<Record<string, Readonly<Record<Profile, readonly string[]>>>> = {
  "Linux, modern": { spec: [], qemu: [], firecracker: [], legacy: [] },
  "Linux, legacy": { spec: [], qemu: [], firecracker: [], legacy: [] },
  // Shortened: neither the probe nor what is read in between was recorded.
  "Linux, modern, unbound and bound again": {
    spec: ["device-id-unread", "reset-unread", "queue-num-max-unread", "queue-ready-unread"],
    qemu: [],
    firecracker: [],
    legacy: ["queue-ready-unread"],
  },
  "U-Boot 2023.01, modern": {
    spec: ["status-order"],
    qemu: [],
    firecracker: ["status-order"],
    legacy: ["status-order"],
  },
  "U-Boot 2023.01, legacy": {
    spec: ["status-order"],
    qemu: [],
    firecracker: ["status-order"],
    legacy: ["status-order"],
  },
  "xv6-riscv": {
    spec: ["reset-unread", "device-features-sel", "driver-features-sel", "features-word-1", "feature-version-1"],
    qemu: [],
    firecracker: ["features-word-1", "feature-version-1"],
    legacy: ["device-features-sel", "driver-features-sel"],
  },
  "rcore virtio-drivers, modern": {
    spec: ["probe-order", "reset-unread", "status-combined", "features-ok-unread"],
    qemu: [],
    firecracker: ["status-combined"],
    legacy: [],
  },
  "rcore virtio-drivers, legacy": {
    spec: ["probe-order", "reset-unread", "status-combined", "status-features-ok-legacy"],
    qemu: [],
    firecracker: ["status-combined", "status-features-ok-legacy"],
    legacy: ["status-features-ok-legacy"],
  },
};

Deno.test("every recording has its findings", () => {
  assertEquals(Object.keys(FOUND), Object.keys(RECORDINGS));
});

for (const [name, { version, trace, queueSize }] of Object.entries(RECORDINGS)) {
  for (const [profile, expected] of Object.entries(FOUND[name]!) as [Profile, readonly string[]][]) {
    Deno.test(`${name}, ${profile}: ${expected.join(", ") || "nothing"}`, () => {
      const device = new VirtioBlk({ backend: new MemoryDisk(2048 * 512) });
      const rig = new CheckRig({ version, device, queueSize, profile }).play(trace);
      assertEquals(rig.found, expected);
    });
  }
}
