import { assertEquals } from "@std/assert";
import { Rtc } from "../../devices/rtc.ts";
import { RTC } from "../../devices/rtc_registers.ts";
import { Clock } from "../../vm/bus/clock.ts";
import { BUS_FAULT } from "../../vm/bus/device.ts";

const EPOCH = 1_767_225_600_000_000_000n;

function setup(
  epoch = EPOCH,
): { rtc: Rtc; clock: Clock; irq: boolean[]; time: () => bigint; pass: (steps: number) => void } {
  const clock = new Clock();
  const irq: boolean[] = [];
  const rtc = new Rtc({ clock, epoch, irq: { set: (level) => (irq.at(-1) ?? false) === level || irq.push(level) } });
  const time = () => BigInt(rtc.read(RTC.TIME_LOW, 4)) | (BigInt(rtc.read(RTC.TIME_HIGH, 4)) << 32n);
  const pass = (steps: number) => {
    clock.steps += steps;
    clock.runDue();
  };
  return { rtc, clock, irq, time, pass };
}

Deno.test("rtc: tells the time it was given, and virtual time from there", () => {
  const { time, pass } = setup();
  assertEquals(time(), EPOCH);
  pass(1_500_000_000);
  assertEquals(time(), EPOCH + 1_500_000_000n);
});

Deno.test("rtc: reading the low word keeps the high word that belongs to it", () => {
  const { rtc, pass } = setup(0x1_ffff_ffffn);
  assertEquals(rtc.read(RTC.TIME_LOW, 4), 0xffff_ffff);
  pass(1);
  assertEquals(rtc.read(RTC.TIME_HIGH, 4), 1);
  assertEquals(rtc.read(RTC.TIME_LOW, 4), 0);
  assertEquals(rtc.read(RTC.TIME_HIGH, 4), 2);
});

Deno.test("rtc: is set by halves, and runs on", () => {
  const { rtc, time, pass } = setup();
  rtc.write(RTC.TIME_HIGH, 4, 7);
  rtc.write(RTC.TIME_LOW, 4, 100);
  pass(23);
  assertEquals(time(), (7n << 32n) + 123n);
});

Deno.test("rtc: an alarm rings when its time comes, once", () => {
  const { rtc, irq, pass } = setup(0n);
  rtc.write(RTC.IRQ_ENABLED, 4, 1);
  rtc.write(RTC.ALARM_HIGH, 4, 0);
  rtc.write(RTC.ALARM_LOW, 4, 1000);
  assertEquals(rtc.read(RTC.ALARM_STATUS, 4), 1);
  pass(999);
  assertEquals(irq, []);
  pass(1);
  assertEquals(irq, [true]);
  assertEquals(rtc.read(RTC.ALARM_STATUS, 4), 0);
  rtc.write(RTC.CLEAR_INTERRUPT, 4, 1);
  pass(10_000);
  assertEquals(irq, [true, false]);
});

Deno.test("rtc: an alarm that is past rings at once; one that is cleared never", () => {
  const { rtc, irq, pass } = setup();
  rtc.write(RTC.ALARM_LOW, 4, 1);
  assertEquals(irq, [], "not enabled");
  rtc.write(RTC.IRQ_ENABLED, 4, 1);
  assertEquals(irq, [true]);
  rtc.write(RTC.CLEAR_INTERRUPT, 4, 1);
  rtc.write(RTC.TIME_HIGH, 4, 0);
  rtc.write(RTC.TIME_LOW, 4, 0);
  rtc.write(RTC.ALARM_LOW, 4, 500);
  rtc.write(RTC.CLEAR_ALARM, 4, 1);
  pass(1000);
  assertEquals(irq, [true, false]);
});

Deno.test("rtc: setting the time moves a pending alarm", () => {
  const { rtc, irq } = setup(0n);
  rtc.write(RTC.IRQ_ENABLED, 4, 1);
  rtc.write(RTC.ALARM_LOW, 4, 1_000_000);
  rtc.write(RTC.TIME_LOW, 4, 2_000_000);
  assertEquals(irq, [true]);
});

Deno.test("rtc: reset gives the time at power-on back and forgets the alarm", () => {
  const { rtc, clock, irq, time, pass } = setup();
  rtc.write(RTC.IRQ_ENABLED, 4, 1);
  rtc.write(RTC.TIME_HIGH, 4, 0);
  rtc.write(RTC.ALARM_LOW, 4, 1);
  clock.reset();
  rtc.reset();
  assertEquals(time(), EPOCH);
  pass(1 << 30);
  assertEquals(irq.at(-1), false);
  assertEquals([RTC.IRQ_ENABLED, RTC.ALARM_LOW, RTC.ALARM_HIGH].map((at) => rtc.read(at, 4)), [0, 0, 0]);
});

Deno.test("rtc: other offsets read zero, odd ones fault", () => {
  const { rtc } = setup();
  assertEquals([rtc.read(0x20, 4), rtc.write(0xffc, 4, 1), rtc.read(2, 4), rtc.write(2, 4, 0)], [
    0,
    0,
    BUS_FAULT,
    BUS_FAULT,
  ]);
});
