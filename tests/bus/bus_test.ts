import { assertEquals, assertThrows } from "@std/assert";
import { virtBoard } from "../../vm/board.ts";
import { Bus } from "../../vm/bus/bus.ts";
import { BUS_FAULT, type Device } from "../../vm/bus/device.ts";
import { EventStream, type MmioEvent } from "../../vm/events.ts";

/** A device that remembers words and refuses offset 0xc. */
class Words implements Device {
  readonly registers = [];
  readonly name: string;
  readonly log: string[] = [];
  readonly words = new Map<number, number>();
  widths?: { readonly min: 1 | 2 | 4; readonly max: 4 | 8 };

  constructor(name: string) {
    this.name = name;
  }
  read(offset: number, size: number): number {
    this.log.push(`r${size}@${offset}`);
    return offset === 0xc ? BUS_FAULT : this.words.get(offset) ?? 0;
  }
  write(offset: number, size: number, value: number): number {
    this.log.push(`w${size}@${offset}=${value}`);
    if (offset === 0xc) return BUS_FAULT;
    this.words.set(offset, value);
    return 0;
  }
  reset(): void {}
}

function setup(): { bus: Bus; a: Words; b: Words; events: EventStream } {
  const events = new EventStream();
  const bus = new Bus(events);
  const a = new Words("a");
  const b = new Words("b");
  bus.attach({ name: "b", base: 0x2000, size: 0x10 }, b);
  bus.attach({ name: "a", base: 0x1000, size: 0x1000 }, a);
  return { bus, a, b, events };
}

Deno.test("bus: finds devices whatever the order of attaching and of access", () => {
  const { bus, a, b } = setup();
  bus.write(0x1ffc, 4, 7);
  bus.write(0x2000, 1, 8);
  bus.write(0x1000, 2, 9);
  assertEquals(a.log, ["w4@4092=7", "w2@0=9"]);
  assertEquals(b.log, ["w1@0=8"]);
  assertEquals(bus.read(0x1ffc, 4), 7);
  assertEquals(bus.mappings.map((m) => m.entry.name), ["a", "b"]);
});

Deno.test("bus: faults outside every device, also just beside one", () => {
  const { bus, a, b } = setup();
  for (const addr of [0, 0xfff, 0x2010, 0x8000_0000, 2 ** 60]) {
    assertEquals(bus.read(addr, 4), BUS_FAULT);
    assertEquals(bus.write(addr, 4, 1), BUS_FAULT);
    assertEquals(bus.readDouble(addr), BUS_FAULT);
    assertEquals(bus.writeDouble(addr, 1, 2), BUS_FAULT);
  }
  assertEquals([...a.log, ...b.log], []);
});

Deno.test("bus: refuses an access that runs over a region's end", () => {
  const { bus, b } = setup();
  assertEquals(bus.read(0x200e, 4), BUS_FAULT);
  assertEquals(b.log, []);
});

Deno.test("bus: a doubleword is two words, low one first", () => {
  const { bus, a } = setup();
  assertEquals(bus.writeDouble(0x1010, 0xffff_fffe, 0x8000_0001), 0);
  assertEquals(bus.readDouble(0x1010), 0xffff_fffe);
  assertEquals(bus.high, 0x8000_0001);
  assertEquals(a.log, ["w4@16=4294967294", "w4@20=2147483649", "r4@16", "r4@20"]);
});

Deno.test("bus: a doubleword stops at the half that faults", () => {
  const { bus, a } = setup();
  assertEquals(bus.readDouble(0x1008), BUS_FAULT);
  assertEquals(bus.writeDouble(0x100c, 1, 2), BUS_FAULT);
  assertEquals(a.log, ["r4@8", "r4@12", "w4@12=1"]);
});

Deno.test("bus: enforces the widths a device takes", () => {
  const { bus, a } = setup();
  a.widths = { min: 2, max: 4 };
  assertEquals(bus.read(0x1000, 1), BUS_FAULT);
  assertEquals(bus.read(0x1000, 2), 0);
  assertEquals(bus.read(0x1000, 4), 0);
  assertEquals(bus.readDouble(0x1000), BUS_FAULT);
  assertEquals(bus.writeDouble(0x1000, 0, 0), BUS_FAULT);
  assertEquals(a.log, ["r2@0", "r4@0"]);
});

Deno.test("bus: a device sees unsigned values of the access's width", () => {
  const { bus, a } = setup();
  bus.write(0x1000, 1, 0x1234);
  bus.write(0x1000, 2, -2);
  assertEquals(a.log, ["w1@0=52", "w2@0=65534"]);
  bus.write(0x1000, 4, -1);
  assertEquals(bus.read(0x1000, 4), 0xffff_ffff);
});

Deno.test("bus: tells of every access, before a write's effects, also of those to nothing", () => {
  const { bus, a, events } = setup();
  const seen: string[] = [];
  const tell = (e: MmioEvent) =>
    seen.push(
      `${e.device?.name ?? "-"}+${e.offset} ${
        e.write ? "w" : "r"
      }${e.size}/${e.accessSize} ${e.value} log=${a.log.length}`,
    );
  const stop = events.on("mmio", tell);
  bus.write(0x1000, 4, 5);
  bus.read(0x1000, 4);
  bus.readDouble(0x1000);
  bus.read(0x4000, 2);
  bus.write(0x100c, 4, 1);
  a.widths = { min: 4, max: 4 };
  bus.read(0x1001, 1);
  assertEquals(seen, [
    "a+0 w4/4 5 log=0",
    "a+0 r4/4 5 log=2",
    "a+0 r4/8 5 log=3",
    "a+4 r4/8 0 log=4",
    "-+16384 r2/2 -1 log=4",
    "a+12 w4/4 1 log=4",
    "a+12 w4/4 -1 log=5",
    "a+1 r1/1 -1 log=5",
  ]);
  stop();
  bus.read(0x1004, 4);
  assertEquals(seen.length, 8);
});

Deno.test("bus: refuses overlapping and empty regions", () => {
  const { bus } = setup();
  const device = new Words("c");
  const clash = assertThrows(() => bus.attach({ name: "c", base: 0x1fff, size: 1 }, device), RangeError);
  assertEquals(clash.message, "bus: c at 0x1fff overlaps a at 0x1000");
  assertThrows(() => bus.attach({ name: "c", base: 0xff0, size: 0x11 }, device), RangeError, "overlaps a");
  assertThrows(() => bus.attach({ name: "c", base: 0x3000, size: 0 }, device), RangeError, "no usable size");
  bus.attach({ name: "c", base: 0x2010, size: 1 }, device);
});

Deno.test("bus: reset reaches every device once, those above first", () => {
  const { bus, a, b } = setup();
  const order: string[] = [];
  a.reset = () => order.push("a");
  b.reset = () => order.push("b");
  bus.reset();
  assertEquals(order, ["b", "a"]);
});

Deno.test("bus: the board's entries do not overlap", () => {
  const bus = new Bus(new EventStream());
  for (const entry of virtBoard) bus.attach(entry, new Words(entry.name));
  assertEquals(bus.find(0x1000_1000)?.entry.name, "virtio0");
  assertEquals(bus.find(0x1000_8fff)?.entry.name, "virtio7");
  assertEquals(bus.find(0x1000_9000), undefined);
});
