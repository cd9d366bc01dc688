import { assertEquals, assertThrows } from "@std/assert";
import { MemoryDisk } from "../../../devices/host/memory.ts";

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 13) & 0xff);
}

Deno.test("memory disk: what was written is read, the rest is zero", () => {
  const disk = new MemoryDisk(1 << 20);
  const bytes = pattern(200_000);
  disk.write(65_000, bytes);
  const read = new Uint8Array(1 << 20).fill(9);
  disk.read(0, read);
  const expected = new Uint8Array(1 << 20);
  expected.set(bytes, 65_000);
  assertEquals(read, expected);
});

Deno.test("memory disk: content is copied, sizes and ranges are checked", () => {
  const content = pattern(1024);
  const disk = new MemoryDisk(content, { readOnly: true });
  content.fill(0);
  const read = new Uint8Array(1024);
  disk.read(0, read);
  assertEquals(read, pattern(1024));
  assertThrows(() => disk.write(0, read), Error, "read-only");
  assertThrows(() => disk.read(1, read), RangeError, "1024 bytes at 1 of 1024");
  assertThrows(() => new MemoryDisk(513), RangeError, "513");
});

Deno.test("memory disk: a huge disk costs nothing until it is written", () => {
  const disk = new MemoryDisk(2 ** 50);
  disk.write(2 ** 50 - 512, pattern(512));
  const read = new Uint8Array(512);
  disk.read(2 ** 50 - 512, read);
  assertEquals(read, pattern(512));
  disk.read(2 ** 49, read);
  assertEquals(read, new Uint8Array(512));
});
