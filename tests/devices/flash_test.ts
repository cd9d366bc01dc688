import { assertEquals, assertThrows } from "@std/assert";
import { Flash, FLASH_BLOCK } from "../../devices/flash.ts";
import { EventStream } from "../../vm/events.ts";

function setup(blocks = 128) {
  const events = new EventStream();
  const bytes = new Uint8Array(blocks * FLASH_BLOCK).fill(0xff);
  const log: string[] = [];
  events.on("violation", (v) => log.push(v.id));
  const flash = new Flash({
    name: "flash0",
    events,
    bytes,
    onArray: (array) => log.push(array ? "array" : "commands"),
    onChanged: (offset, length) => log.push(`changed ${offset} ${length}`),
  });
  const write = (offset: number, ...values: readonly number[]) => {
    for (const value of values) assertEquals(flash.write(offset, 4, value), 0);
  };
  return { flash, bytes, log, write };
}

Deno.test("flash: reads as memory until it is told otherwise, and again afterwards", () => {
  const { flash, bytes, log, write } = setup();
  bytes.set([1, 2, 3, 4, 5], 8);
  assertEquals([flash.read(8, 4), flash.read(9, 2), flash.read(12, 1)], [0x0403_0201, 0x0302, 5]);
  write(0, 0x70);
  assertEquals([flash.read(8, 4), flash.read(8, 1), flash.read(9, 1), flash.read(10, 2)], [0x80_0080, 0x80, 0, 0x80]);
  write(0, 0x00ff_00ff);
  assertEquals(flash.read(8, 4), 0x0403_0201);
  assertEquals(log, ["commands", "array"]);
});

Deno.test("flash: says which chips they are", () => {
  const { flash, write } = setup();
  write(0, 0x90_0090);
  assertEquals([0, 4, 8].map((at) => flash.read(at, 4)), [0x89_0089, 0x18_0018, 0]);
});

Deno.test("flash: answers a CFI query as QEMU's 32 MiB bank does", () => {
  const { flash, write } = setup();
  write(0x55 * 4, 0x98);
  const query = (from: number, count: number) => Array.from({ length: count }, (_, i) => flash.read((from + i) * 4, 1));
  assertEquals(flash.read(0x10 * 4, 4), 0x51_0051);
  assertEquals(String.fromCharCode(...query(0x10, 3)), "QRY");
  assertEquals(query(0x13, 4), [1, 0, 0x31, 0]);
  assertEquals(query(0x27, 1), [24], "two chips of 16 MiB");
  assertEquals(query(0x2a, 3), [11, 0, 1]);
  assertEquals(query(0x2d, 4), [127, 0, 0, 2], "128 blocks of 128 KiB in each chip");
  assertEquals(String.fromCharCode(...query(0x31, 5)), "PRI10");
});

Deno.test("flash: programming clears bits, erasing sets those of a block", () => {
  const { flash, bytes, log, write } = setup();
  write(0x100, 0x40, 0x1234_5678);
  assertEquals(flash.read(0x100, 4), 0x80_0080, "status afterwards");
  write(0x100, 0x10, 0xffff_0000);
  write(0, 0xff);
  assertEquals(flash.read(0x100, 4), 0x1234_0000);
  write(FLASH_BLOCK + 8, 0x40, 0);
  write(0x200, 0x20, 0xd0);
  assertEquals(flash.read(0, 4), 0x80_0080);
  write(0, 0xff);
  assertEquals([flash.read(0x100, 4), flash.read(FLASH_BLOCK + 8, 4)], [0xffff_ffff, 0]);
  assertEquals(bytes.subarray(0, FLASH_BLOCK).every((b) => b === 0xff), true);
  assertEquals(log, [
    "commands",
    "array",
    "changed 256 4",
    "commands",
    "array",
    `changed 0 ${FLASH_BLOCK + 12}`,
  ]);
});

Deno.test("flash: a filled write buffer is programmed when confirmed", () => {
  const { flash, write } = setup();
  write(0x40, 0xe8);
  assertEquals(flash.read(0x40, 4), 0x80_0080);
  write(0x40, 0x0001_0001);
  write(0x40, 0x1111_1111);
  write(0x44, 0x2222_2222);
  write(0x40, 0xd0);
  write(0, 0xff);
  assertEquals([flash.read(0x40, 4), flash.read(0x44, 4), flash.read(0x48, 4)], [
    0x1111_1111,
    0x2222_2222,
    0xffff_ffff,
  ]);
});

Deno.test("flash: what breaks a sequence changes nothing, is told and stands in the status", () => {
  const { flash, bytes, log, write } = setup(1);
  bytes.fill(0);
  write(0, 0x20, 0x20);
  assertEquals(flash.read(0, 1), 0xb0);
  write(0, 0x50, 0x70);
  assertEquals(flash.read(0, 1), 0x80);
  write(0, 0xe8, 1024);
  assertEquals(flash.read(0, 1), 0x90);
  write(0, 0xe8, 0, 0xffff_ffff, 0x00, 0x33);
  assertEquals(bytes.every((b) => b === 0), true);
  assertEquals(log, ["commands", "flash-sequence", "flash-buffer", "flash-sequence", "flash-command", "array"]);
});

Deno.test("flash: a command is given up by asking for the array", () => {
  const { flash, bytes, log, write } = setup(1);
  bytes[0] = 3;
  write(0, 0x20, 0xff);
  assertEquals([flash.read(0, 1), log], [3, ["commands", "array"]]);
  write(0, 0x60, 0x01, 0x60, 0xd0, 0xf0);
  assertEquals([flash.read(0, 1), log], [3, ["commands", "array", "commands", "array"]]);
});

Deno.test("flash: reset ends every command; contents stay", () => {
  const { flash, log, write } = setup(1);
  write(4, 0x40, 5);
  write(4, 0xe8, 3, 1);
  flash.reset();
  assertEquals(flash.read(4, 4), 5);
  write(0, 0x70);
  assertEquals(flash.read(0, 4), 0x80_0080);
  assertEquals(log, ["commands", "array", "changed 4 4", "commands"]);
  assertThrows(
    () => new Flash({ name: "f", events: new EventStream(), bytes: new Uint8Array(9), onArray() {}, onChanged() {} }),
    RangeError,
    "got 9",
  );
});
