import { assertEquals, assertThrows } from "@std/assert";
import { GuestMemory } from "../../vm/bus/memory.ts";

function setup(): { memory: GuestMemory; changes: () => number } {
  const memory = new GuestMemory(new ArrayBuffer(0x3000), [
    { name: "ram", base: 0x8000, size: 0x1000, host: 0, writable: true },
    { name: "rom", base: 0x1000, size: 0x1000, host: 0x1000, writable: false },
    { name: "flash", base: 0x2000, size: 0x1000, host: 0x2000, writable: false, device: true },
  ]);
  let changes = 0;
  memory.onMap(() => changes++);
  return { memory, changes: () => changes };
}

Deno.test("memory: a device takes its region away and gives it back with what is in it", () => {
  const { memory, changes } = setup();
  memory.load(0x2000, Uint8Array.of(1, 2, 3, 4));
  memory.map("flash", false);
  assertEquals([memory.contains(0x2000, 4), memory.read(0x2000, 4), memory.contains(0x1000, 4)], [false, -1, true]);
  memory.map("flash", false);
  assertEquals(changes(), 1, "nothing changed the second time");
  memory.map("flash", true);
  assertEquals([memory.read(0x2000, 4), changes()], [0x0403_0201, 2]);
  assertThrows(() => memory.map("disk", true), Error, "no region called disk");
});

Deno.test("memory: read-only is what neither a hart nor a device can write", () => {
  const { memory } = setup();
  assertEquals([0x8000, 0x1000, 0x1ffc, 0x1ffd, 0x2000, 0x5000].map((at) => memory.readOnly(at, 4)), [
    false,
    true,
    true,
    false,
    false,
    false,
  ]);
});
