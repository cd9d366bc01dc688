import { assertEquals } from "@std/assert";
import { Finisher } from "../../devices/finisher.ts";
import { Bus } from "../../vm/bus/bus.ts";
import { BUS_FAULT } from "../../vm/bus/device.ts";
import { EventStream } from "../../vm/events.ts";

function setup(): { finisher: Finisher; events: EventStream; ends: string[] } {
  const events = new EventStream();
  const ends: string[] = [];
  const finisher = new Finisher({ events, onFinish: ({ step, code }) => ends.push(`${step} ${code}`) });
  return { finisher, events, ends };
}

Deno.test("finisher: pass, fail with its code, reset", () => {
  const { finisher, ends, events } = setup();
  const facts: string[] = [];
  events.on("machine", (m) => facts.push(`${m.step} ${m.code}`));
  finisher.write(0, 4, 0x5555);
  finisher.write(0, 4, 0x3333);
  finisher.write(0, 4, 0x0001_3333);
  finisher.write(0, 4, 0xffff_3333);
  finisher.write(0, 4, 0x7777);
  finisher.write(0, 2, 0x5555);
  assertEquals(ends, ["pass 0", "fail 0", "fail 1", "fail 65535", "reset 0", "pass 0"]);
  assertEquals(facts, ends);
});

Deno.test("finisher: other values and offsets end nothing and are told", () => {
  const { finisher, ends, events } = setup();
  const told: string[] = [];
  events.on("violation", (v) => told.push(v.what));
  finisher.write(0, 4, 0);
  finisher.write(4, 4, 0x5555);
  assertEquals(ends, []);
  assertEquals(told, [
    "0x0 written at offset 0x0: the finisher knows 0x5555, 0x3333 and 0x7777 at 0x0",
    "0x5555 written at offset 0x4: the finisher knows 0x5555, 0x3333 and 0x7777 at 0x0",
  ]);
});

Deno.test("finisher: takes halfwords and words, reads zero", () => {
  const { finisher, ends, events } = setup();
  const bus = new Bus(events);
  bus.attach({ name: "finisher", base: 0x10_0000, size: 0x1000 }, finisher);
  assertEquals(bus.write(0x10_0000, 1, 0x55), BUS_FAULT);
  assertEquals(bus.writeDouble(0x10_0000, 0x5555, 0), BUS_FAULT);
  assertEquals(ends, []);
  assertEquals(bus.read(0x10_0000, 4), 0);
  assertEquals(bus.write(0x10_0000, 4, 0x5555), 0);
  assertEquals(ends, ["pass 0"]);
});
