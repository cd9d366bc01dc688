import { assertEquals, assertThrows } from "@std/assert";
import { FwCfg, type FwCfgFile, FwCfgKey, fwCfgNumber } from "../../devices/fw_cfg.ts";
import { Bus } from "../../vm/bus/bus.ts";
import { BUS_FAULT } from "../../vm/bus/device.ts";
import { GuestMemory } from "../../vm/bus/memory.ts";
import { EventStream } from "../../vm/events.ts";

const RAM = 0x8000_0000;
const BASE = 0x1010_0000;
const FILES: readonly FwCfgFile[] = [
  { name: "opt/b", data: Uint8Array.of(1, 2, 3) },
  { name: "etc/a", data: new Uint8Array(300).fill(7) },
];

function setup() {
  const events = new EventStream();
  const memory = new GuestMemory(new ArrayBuffer(0x2000), [
    { name: "ram", base: RAM, size: 0x2000, host: 0, writable: true },
  ]);
  const config = new FwCfg({ memory, events, files: FILES });
  config.provide(FwCfgKey.NB_CPUS, fwCfgNumber(4, 2));
  const bus = new Bus(events);
  bus.attach({ name: "fw-cfg", base: BASE, size: 0x18 }, config);
  const told: string[] = [];
  events.on("violation", (v) => told.push(v.what));
  const select = (key: number) => assertEquals(bus.write(BASE + 8, 2, ((key & 0xff) << 8) | (key >> 8)), 0);
  const read = (count: number) => Array.from({ length: count }, () => bus.read(BASE, 1));
  const text = (count: number) => String.fromCharCode(...read(count));
  /** Puts a request at the start of RAM, starts it, and gives its control word afterwards. */
  const dma = (control: number, length: number, addr: number, at = RAM): number => {
    const request = new DataView(new ArrayBuffer(16));
    request.setUint32(0, control);
    request.setUint32(4, length);
    request.setUint32(12, addr);
    memory.copyIn(at, new Uint8Array(request.buffer));
    const swapped = new DataView(new ArrayBuffer(4));
    swapped.setUint32(0, at);
    assertEquals(bus.writeDouble(BASE + 16, 0, swapped.getUint32(0, true)), 0);
    const done = memory.bytes(at, 4)!;
    return new DataView(done.buffer, done.byteOffset).getUint32(0);
  };
  return { memory, bus, told, select, read, text, dma };
}

Deno.test("fw_cfg: signature, features and an item, byte by byte and wider", () => {
  const { bus, select, read, text } = setup();
  assertEquals(text(4), "QEMU");
  assertEquals(read(2), [0, 0], "past the end");
  select(FwCfgKey.ID);
  assertEquals(bus.read(BASE, 4), 3);
  select(FwCfgKey.NB_CPUS);
  assertEquals(bus.read(BASE, 2), 4);
  select(FwCfgKey.SIGNATURE);
  assertEquals(bus.readDouble(BASE), 0x554d_4551, "the first byte is at the lowest address");
  assertEquals(bus.high, 0);
  select(0x7fff);
  assertEquals(read(2), [0, 0], "no such item");
});

Deno.test("fw_cfg: the directory lists files by name with keys that read them", () => {
  const { select, read, text } = setup();
  select(FwCfgKey.FILE_DIR);
  assertEquals(read(4), [0, 0, 0, 2]);
  assertEquals(read(8), [0, 0, 1, 44, 0, 0x20, 0, 0]);
  assertEquals(text(56), "etc/a".padEnd(56, "\0"));
  assertEquals(read(8), [0, 0, 0, 3, 0, 0x21, 0, 0]);
  assertEquals(text(56), "opt/b".padEnd(56, "\0"));
  select(0x21);
  assertEquals(read(4), [1, 2, 3, 0]);
});

Deno.test("fw_cfg: DMA selects, reads, skips and fills with zeros", () => {
  const { memory, bus, dma } = setup();
  assertEquals(bus.read(BASE + 16, 4), 0x554d_4551);
  assertEquals(bus.read(BASE + 20, 4), 0x4746_4320);
  assertEquals(dma((0x21 << 16) | 8 | 2, 2, RAM + 0x100), 0);
  assertEquals([...memory.bytes(RAM + 0x100, 3)!], [1, 2, 0]);
  memory.bytes(RAM + 0x100, 4)!.fill(0xee);
  assertEquals(dma(2, 3, RAM + 0x100), 0);
  assertEquals([...memory.bytes(RAM + 0x100, 4)!], [3, 0, 0, 0xee]);
  assertEquals(dma((0x21 << 16) | 8 | 4, 1, 0), 0);
  assertEquals(dma(2, 1, RAM + 0x100), 0);
  assertEquals(memory.read(RAM + 0x100, 1), 2);
});

Deno.test("fw_cfg: a DMA request it cannot do gets the error bit, and is told", () => {
  const { told, dma } = setup();
  assertEquals(dma((0x20 << 16) | 8 | 2, 0xffff_ffff, RAM), 1);
  assertEquals(dma(2, 8, RAM + 0x1ffc), 1);
  assertEquals(dma((0x20 << 16) | 8 | 16, 4, RAM + 0x100), 1);
  assertEquals(dma(2, 1, RAM, RAM + 0x1ff8), 0, "nowhere to tell it");
  assertEquals(told, [
    "4294967295 bytes are to go to 0x80000000, which is not in RAM",
    "8 bytes are to go to 0x80001ffc, which is not in RAM",
    "a write is asked for, and no item can be written",
    "the request's 16 bytes at 0x80001ff8 are not in RAM",
  ]);
});

Deno.test("fw_cfg: widths and places that no register has fault", () => {
  const { bus } = setup();
  assertEquals(bus.read(BASE + 8, 2), BUS_FAULT);
  assertEquals(bus.write(BASE + 8, 4, 0), BUS_FAULT);
  assertEquals(bus.write(BASE + 16, 2, 0), BUS_FAULT);
  assertEquals(bus.write(BASE, 1, 9), 0);
});

Deno.test("fw_cfg: reset selects the signature again; names must fit the directory", () => {
  const { bus, select, text } = setup();
  select(0x21);
  bus.reset();
  assertEquals(text(4), "QEMU");
  const memory = new GuestMemory(new ArrayBuffer(0), []);
  const files = [{ name: "x".repeat(56), data: new Uint8Array(0) }];
  assertThrows(() => new FwCfg({ memory, events: new EventStream(), files }), RangeError, "more than 55");
});
