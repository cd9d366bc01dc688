import { assertEquals, assertThrows } from "@std/assert";
import { Plic } from "../../devices/plic.ts";
import type { IrqLine } from "../../vm/bus/irq.ts";
import { findRegister } from "../../vm/bus/register.ts";
import { EventStream } from "../../vm/events.ts";

class Line implements IrqLine {
  level = false;
  set(level: boolean): void {
    this.level = level;
  }
}

const THRESHOLD = 0x20_0000;
const CLAIM = 0x20_0004;

function setup(contexts = 2): { plic: Plic; lines: Line[]; events: EventStream; log: string[] } {
  const lines = Array.from({ length: contexts }, () => new Line());
  const events = new EventStream();
  const plic = new Plic({ sources: 95, contexts: lines, events, names: [undefined, "virtio0", "virtio1"] });
  const log: string[] = [];
  events.on("irq", (e) => log.push([e.step, e.source, e.context ?? "-", e.device ?? "-"].join(" ")));
  return { plic, lines, events, log };
}

/** Gives sources priorities and enables them for a context. */
function enable(plic: Plic, context: number, priorities: Record<number, number>): void {
  const words = [0, 0, 0];
  for (const [id, priority] of Object.entries(priorities)) {
    plic.write(Number(id) * 4, 4, priority);
    words[Number(id) >>> 5]! |= 1 << (Number(id) & 31);
  }
  words.forEach((word, i) => plic.write(0x2000 + context * 0x80 + i * 4, 4, word >>> 0));
}

Deno.test("plic: raise, claim, lower, complete", () => {
  const { plic, lines, log } = setup();
  enable(plic, 1, { 1: 3 });
  assertEquals(lines.map((l) => l.level), [false, false]);
  plic.source(1).set(true);
  assertEquals(lines.map((l) => l.level), [false, true]);
  assertEquals(plic.read(0x1000, 4), 2);
  assertEquals(plic.read(CLAIM + 0x1000, 4), 1);
  assertEquals(plic.read(0x1000, 4), 0);
  assertEquals(lines[1]!.level, false);
  plic.source(1).set(false);
  plic.write(CLAIM + 0x1000, 4, 1);
  assertEquals(lines[1]!.level, false);
  assertEquals(plic.read(CLAIM + 0x1000, 4), 0);
  assertEquals(log, [
    "raised 1 - virtio0",
    "claimed 1 1 virtio0",
    "lowered 1 - virtio0",
    "completed 1 1 virtio0",
    "claimed 0 1 -",
  ]);
});

Deno.test("plic §1.2: no further request until completion, and then at once if still raised", () => {
  const { plic, lines } = setup();
  enable(plic, 0, { 5: 1 });
  plic.source(5).set(true);
  assertEquals(plic.read(CLAIM, 4), 5);
  plic.source(5).set(false);
  plic.source(5).set(true);
  assertEquals([plic.read(0x1000, 4), lines[0]!.level], [0, false]);
  plic.write(CLAIM, 4, 5);
  assertEquals([plic.read(0x1000, 4), lines[0]!.level], [1 << 5, true]);
});

Deno.test("plic §1.2: a request once forwarded stays when the line falls", () => {
  const { plic, lines } = setup();
  enable(plic, 0, { 7: 1 });
  plic.source(7).set(true);
  plic.source(7).set(false);
  assertEquals(lines[0]!.level, true);
  assertEquals(plic.read(CLAIM, 4), 7);
  plic.write(CLAIM, 4, 7);
  assertEquals([plic.read(CLAIM, 4), lines[0]!.level], [0, false]);
});

Deno.test("plic §4: highest priority first, lowest id among equals, priority 0 never", () => {
  const { plic, lines } = setup();
  enable(plic, 0, { 3: 2, 31: 7, 32: 7, 64: 5, 95: 7, 10: 0 });
  for (const id of [95, 64, 32, 31, 10, 3]) plic.source(id).set(true);
  assertEquals([1, 2, 3, 4, 5, 6].map(() => plic.read(CLAIM, 4)), [31, 32, 95, 64, 3, 0]);
  assertEquals(lines[0]!.level, false);
  assertEquals(plic.read(0x1000, 4), 1 << 10);
  plic.write(10 * 4, 4, 1);
  assertEquals(lines[0]!.level, true);
});

Deno.test("plic §7, §8: the threshold masks the notification, not the claim", () => {
  const { plic, lines } = setup();
  enable(plic, 0, { 4: 3 });
  plic.write(THRESHOLD, 4, 3);
  plic.source(4).set(true);
  assertEquals(lines[0]!.level, false);
  plic.write(THRESHOLD, 4, 2);
  assertEquals(lines[0]!.level, true);
  plic.write(THRESHOLD, 4, 7);
  assertEquals(lines[0]!.level, false);
  assertEquals(plic.read(CLAIM, 4), 4);
});

Deno.test("plic §9: completion by a context that has not enabled the source is ignored, with a fact", () => {
  const { plic, lines, events } = setup();
  const violations: string[] = [];
  events.on("violation", (v) => violations.push(`${v.id}: ${v.what}`));
  enable(plic, 0, { 2: 1 });
  plic.source(2).set(true);
  assertEquals(plic.read(CLAIM, 4), 2);
  for (const id of [0, 3, 96, 0xffff_ffff]) plic.write(CLAIM, 4, id);
  plic.write(CLAIM + 0x1000, 4, 2);
  assertEquals(lines[0]!.level, false);
  assertEquals(violations.length, 5);
  assertEquals(
    violations[4],
    "completion-ignored: context 1 completed source 2, which is not enabled for it: nothing happens",
  );
  plic.write(CLAIM, 4, 2);
  assertEquals(lines[0]!.level, true);
});

Deno.test("plic §9: a context may complete what another one claimed", () => {
  const { plic, lines } = setup();
  enable(plic, 0, { 2: 1 });
  enable(plic, 1, { 2: 1 });
  plic.source(2).set(true);
  assertEquals(lines.map((l) => l.level), [true, true]);
  assertEquals(plic.read(CLAIM, 4), 2);
  assertEquals(plic.read(CLAIM + 0x1000, 4), 0);
  plic.write(CLAIM + 0x1000, 4, 2);
  assertEquals(lines.map((l) => l.level), [true, true]);
});

Deno.test("plic: completion without a claim does not double a request", () => {
  const { plic } = setup();
  enable(plic, 0, { 2: 1 });
  plic.source(2).set(true);
  plic.write(CLAIM, 4, 2);
  assertEquals([plic.read(CLAIM, 4), plic.read(CLAIM, 4)], [2, 0]);
});

Deno.test("plic: registers hold what exists of what is written", () => {
  const { plic } = setup();
  plic.write(0, 4, 7);
  plic.write(4, 4, 0xffff_ffff);
  plic.write(95 * 4, 4, 5);
  plic.write(96 * 4, 4, 5);
  assertEquals([0, 4, 95 * 4, 96 * 4].map((o) => plic.read(o, 4)), [0, 7, 5, 0]);
  for (const o of [0x2000, 0x2004, 0x2008, 0x200c, 0x2080, 0x2100]) plic.write(o, 4, 0xffff_ffff);
  assertEquals(
    [0x2000, 0x2004, 0x2008, 0x200c, 0x2080, 0x2100].map((o) => plic.read(o, 4)),
    [0xffff_fffe, 0xffff_ffff, 0xffff_ffff, 0, 0xffff_fffe, 0],
  );
  plic.write(0x1000, 4, 0xffff_ffff);
  assertEquals(plic.read(0x1000, 4), 0);
  plic.write(THRESHOLD, 4, 0xf9);
  plic.write(THRESHOLD + 0x2000, 4, 1);
  assertEquals([plic.read(THRESHOLD, 4), plic.read(THRESHOLD + 0x2000, 4), plic.read(THRESHOLD + 8, 4)], [1, 0, 0]);
});

Deno.test("plic: any access anywhere in the region is answered", () => {
  const { plic } = setup(16);
  for (let offset = 0; offset < 0x60_0000; offset += 0xffc) {
    for (const value of [0, 0xffff_ffff]) {
      assertEquals(plic.write(offset, 4, value), 0);
      const read = plic.read(offset, 4);
      assertEquals(read >= 0 && read <= 0xffff_ffff, true);
    }
  }
});

Deno.test("plic: disabling a pending source lowers the line, enabling raises it", () => {
  const { plic, lines } = setup();
  enable(plic, 0, { 40: 1 });
  plic.source(40).set(true);
  plic.write(0x2004, 4, 0);
  assertEquals(lines[0]!.level, false);
  assertEquals(plic.read(CLAIM, 4), 0);
  plic.write(0x2004, 4, 1 << 8);
  assertEquals(lines[0]!.level, true);
});

Deno.test("plic: a level set again is no event", () => {
  const { plic, log } = setup();
  plic.source(9).set(false);
  plic.source(9).set(true);
  plic.source(9).set(true);
  assertEquals(log, ["raised 9 - -"]);
});

Deno.test("plic: reset forgets everything but the lines' levels", () => {
  const { plic, lines } = setup();
  enable(plic, 0, { 1: 1, 2: 1 });
  plic.write(THRESHOLD, 4, 1);
  plic.source(1).set(true);
  plic.source(2).set(true);
  plic.source(2).set(false);
  plic.read(CLAIM, 4);
  plic.reset();
  assertEquals([plic.read(4, 4), plic.read(0x2000, 4), plic.read(THRESHOLD, 4)], [0, 0, 0]);
  assertEquals([plic.read(0x1000, 4), lines[0]!.level], [2, false]);
  enable(plic, 0, { 1: 1 });
  assertEquals([plic.read(CLAIM, 4), plic.read(CLAIM, 4)], [1, 0]);
});

Deno.test("plic: wiring a source that does not exist is a mistake of ours", () => {
  const { plic } = setup();
  for (const id of [0, -1, 96]) assertThrows(() => plic.source(id), RangeError, "there are 1 to 95");
});

Deno.test("plic: register table names every register", () => {
  const { plic } = setup(4);
  const at = (offset: number) => {
    const found = findRegister(plic.registers, offset);
    return found && `${found.def.name} ${found.index}`;
  };
  assertEquals([0x28, 0x180, 0x1004, 0x2080, 0x2188, 0x20_1000, 0x20_3004, 0x20_4000].map(at), [
    "priority 10",
    undefined,
    "pending 1",
    "enable[1] 0",
    "enable[3] 2",
    "threshold 1",
    "claim_complete 3",
    undefined,
  ]);
});
