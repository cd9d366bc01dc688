/** Limits of requests, as drivers come to know them. */
import { assertEquals } from "@std/assert";
import { MemoryDisk } from "../../devices/host/memory.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import { CheckRig, LEGACY_LIVE } from "../support/check_rig.ts";

/** A legacy driver that reads seg_max (2 here) byte by byte, as Linux does, and sends a request of so many segments. */
function legacy(segments: number): string[] {
  const device = new VirtioBlk({ backend: new MemoryDisk(64 * 512), segMax: 2 });
  const rig = new CheckRig({ device, version: 1 });
  rig.play(LEGACY_LIVE.replace("W020=0", "W020=4").replace("W030=0", "R10c:1 R10d:1 R10e:1 R10f:1 W030=0"));
  rig.post(rig.part(16), ...Array.from({ length: segments }, () => rig.part(512, true)), rig.part(1, true));
  rig.d.wait();
  return rig.found;
}

Deno.test("a limit that was read byte by byte is the whole number", () => {
  assertEquals(legacy(2), []);
  assertEquals(legacy(3), ["blk-limits"]);
});
