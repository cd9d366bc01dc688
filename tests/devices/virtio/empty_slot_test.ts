import { assertEquals } from "@std/assert";
import { EmptyVirtioSlot } from "../../../devices/virtio/empty_slot.ts";
import { virtioMmioMagic } from "../../../devices/virtio/registers.ts";
import { EventStream } from "../../../vm/events.ts";

const VERSIONS = [1, 2] as const;

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
