import { assert, assertEquals } from "@std/assert";
import { Clint } from "../../devices/clint.ts";
import { Clock } from "../../vm/bus/clock.ts";
import { BUS_FAULT } from "../../vm/bus/device.ts";
import type { IrqLine } from "../../vm/bus/irq.ts";
import { findRegister } from "../../vm/bus/register.ts";

class Line implements IrqLine {
  level = false;
  set(level: boolean): void {
    this.level = level;
  }
}

interface Setup {
  clock: Clock;
  clint: Clint;
  software: Line[];
  timer: Line[];
  offsets: [number, number][];
}

function setup(harts = 1): Setup {
  const clock = new Clock(100);
  const software = Array.from({ length: harts }, () => new Line());
  const timer = Array.from({ length: harts }, () => new Line());
  const offsets: [number, number][] = [];
  const clint = new Clint({
    clock,
    harts: software.map((s, i) => ({ software: s, timer: timer[i]! })),
    onOffset: (low, high) => offsets.push([low, high]),
  });
  return { clock, clint, software, timer, offsets };
}

/** Moves virtual time to `steps` the way a machine does: stopping at each deadline. */
function advance(clock: Clock, steps: number): void {
  while (clock.next <= steps) {
    clock.steps = Math.max(clock.steps, clock.next);
    clock.runDue();
  }
  clock.steps = steps;
}

function setTimecmp(clint: Clint, hart: number, value: bigint): void {
  // The order the privileged specification recommends for RV32 (priv §3.2.1).
  clint.write(0x4000 + hart * 8, 4, 0xffff_ffff);
  clint.write(0x4004 + hart * 8, 4, Number(value >> 32n));
  clint.write(0x4000 + hart * 8, 4, Number(value & 0xffff_ffffn));
}

function setTime(clint: Clint, value: bigint): void {
  clint.write(0xbff8, 4, Number(value & 0xffff_ffffn));
  clint.write(0xbffc, 4, Number(value >> 32n));
}

Deno.test("clint: msip drives the software line of its hart and reads back one bit", () => {
  const { clint, software } = setup(2);
  clint.write(4, 4, 0xffff_ffff);
  assertEquals(software.map((l) => l.level), [false, true]);
  assertEquals([clint.read(0, 4), clint.read(4, 4)], [0, 1]);
  clint.write(4, 4, 0xffff_fffe);
  assertEquals(software[1]!.level, false);
  assertEquals(clint.read(4, 4), 0);
});

Deno.test("clint: after reset mtimecmp is 0 and the timer pending, as in QEMU", () => {
  const { clint, timer } = setup();
  assertEquals([clint.read(0x4000, 4), clint.read(0x4004, 4)], [0, 0]);
  assertEquals(timer[0]!.level, true);
});

Deno.test("clint: the timer is pending exactly while mtime >= mtimecmp", () => {
  const { clint, clock, timer } = setup();
  setTimecmp(clint, 0, 50n);
  assertEquals(timer[0]!.level, false);
  assertEquals(clock.next, 5000);
  advance(clock, 4999);
  assertEquals([clint.read(0xbff8, 4), timer[0]!.level], [49, false]);
  advance(clock, 5000);
  assertEquals([clint.read(0xbff8, 4), timer[0]!.level], [50, true]);
  setTimecmp(clint, 0, 51n);
  assertEquals(timer[0]!.level, false);
  advance(clock, 5099);
  assertEquals(timer[0]!.level, false);
  advance(clock, 5100);
  assertEquals(timer[0]!.level, true);
});

Deno.test("clint: time counts instructions of the running slice too", () => {
  const { clint, clock } = setup();
  clock.steps = 1000;
  clock.inSlice = 100;
  clock.idle = 900;
  assertEquals(clint.ticks(), 20n);
});

Deno.test("clint: a written mtime goes on from there, in both words", () => {
  const { clint, clock } = setup();
  advance(clock, 12_345);
  setTime(clint, 0x1_ffff_fffen);
  assertEquals(clint.ticks(), 0x1_ffff_fffen);
  advance(clock, 12_400);
  assertEquals([clint.read(0xbff8, 4), clint.read(0xbffc, 4)], [0xffff_ffff, 1]);
  advance(clock, 12_500);
  assertEquals([clint.read(0xbff8, 4), clint.read(0xbffc, 4)], [0, 2]);
  assertEquals([clint.timeLow, clint.timeHigh], [0, 2]);
});

Deno.test("clint: writing mtime moves the deadline and the line", () => {
  const { clint, clock, timer } = setup();
  setTimecmp(clint, 0, 1_000_000n);
  setTime(clint, 999_999n);
  assertEquals([timer[0]!.level, clock.next], [false, 100]);
  setTime(clint, 1_000_000n);
  assertEquals(timer[0]!.level, true);
  setTime(clint, 5n);
  assertEquals(timer[0]!.level, false);
});

Deno.test("clint: compares as unsigned 64-bit numbers, and mtime wraps", () => {
  const { clint, clock, timer } = setup();
  setTimecmp(clint, 0, 0xffff_ffff_ffff_ffffn);
  assertEquals([timer[0]!.level, clock.next], [false, Infinity]);
  setTime(clint, 0xffff_ffff_ffff_fffdn);
  advance(clock, 199);
  assertEquals(timer[0]!.level, false);
  advance(clock, 200);
  assertEquals([clint.ticks(), timer[0]!.level], [0xffff_ffff_ffff_ffffn, true]);
  advance(clock, 300);
  assertEquals([clint.ticks(), timer[0]!.level], [0n, false]);
});

Deno.test("clint: a far deadline costs nothing and a past one is immediate", () => {
  const { clint, clock, timer } = setup();
  setTimecmp(clint, 0, 1n << 63n);
  assertEquals([clock.next, timer[0]!.level], [Infinity, false]);
  advance(clock, 1_000_000);
  setTimecmp(clint, 0, 3n);
  assertEquals([clock.next, timer[0]!.level], [Infinity, true]);
});

Deno.test("clint: rewriting mtimecmp leaves one deadline", () => {
  const { clint, clock } = setup();
  for (let i = 1n; i <= 100n; i++) setTimecmp(clint, 0, i * 10n);
  assertEquals(clock.next, 100_000);
  advance(clock, 99_999);
  assertEquals(clock.runDue(), 0);
});

Deno.test("clint: harts have timers of their own", () => {
  const { clint, clock, timer } = setup(3);
  setTimecmp(clint, 0, 30n);
  setTimecmp(clint, 1, 10n);
  setTimecmp(clint, 2, 20n);
  advance(clock, 2000);
  assertEquals(timer.map((l) => l.level), [false, true, true]);
  assertEquals(clint.read(0x4010, 4), 20);
});

Deno.test("clint: tells the offset of mtime from the clock", () => {
  const { clint, clock, offsets } = setup();
  advance(clock, 700);
  clint.write(0xbff8, 4, 5);
  assertEquals(offsets.at(-1), [0xffff_fffe, 0xffff_ffff]);
  clint.write(0xbffc, 4, 1);
  assertEquals(offsets.at(-1), [0xffff_fffe, 0]);
  assertEquals(clint.ticks(), 0x1_0000_0005n);
});

Deno.test("clint: reset restarts mtime, clears msip and mtimecmp", () => {
  const { clint, clock, software, timer } = setup();
  clint.write(0, 4, 1);
  setTimecmp(clint, 0, 1000n);
  advance(clock, 7777);
  clint.reset();
  assertEquals([clint.ticks(), software[0]!.level, timer[0]!.level], [0n, false, true]);
  assertEquals(clock.next, Infinity);
});

Deno.test("clint: holes read zero, beyond QEMU's registers nothing answers", () => {
  const { clint, timer } = setup();
  for (const offset of [4, 0x3ffc, 0x4008, 0xbff4]) {
    assertEquals(clint.read(offset, 4), 0, `offset ${offset}`);
    assertEquals(clint.write(offset, 4, 0xffff_ffff), 0);
    assertEquals(clint.read(offset, 4), 0, `offset ${offset}`);
  }
  assertEquals(clint.read(0xc000, 4), BUS_FAULT);
  assertEquals(clint.write(0xfffc, 4, 0), BUS_FAULT);
  assert(timer[0]!.level);
});

Deno.test("clint: register table names every register", () => {
  const { clint } = setup(2);
  const at = (offset: number) => {
    const found = findRegister(clint.registers, offset);
    return found && `${found.def.name}${found.index}`;
  };
  assertEquals([0, 4, 8, 0x4000, 0x400c, 0x4010, 0xbffc].map(at), [
    "msip0",
    "msip1",
    undefined,
    "mtimecmp0",
    "mtimecmp1",
    undefined,
    "mtime0",
  ]);
});
