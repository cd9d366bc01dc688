/**
 * What the drivers in the images do, by what the devices say happened: that a feature was negotiated and used, that
 * every completion came by an interrupt raised, claimed and completed, that removal is a reset, and that a second probe
 * starts anew. The console texts say what the guest thinks; these are the facts.
 */
import { assert, assertEquals, assertFalse, assertMatch } from "@std/assert";
import { VirtioMmio } from "../../devices/virtio/mmio.ts";
import { virtioStatus } from "../../devices/virtio/registers.ts";
import { guestPrograms, imageName } from "../../tools/guest_images.ts";
import type { IrqEvent } from "../../vm/events.ts";
import { bootImage, bootOptions } from "../support/boot_image.ts";
import {
  chains,
  type Facts,
  factsOf as factsOfProgram,
  featureMask,
  type Life,
  notifications,
} from "../support/driver_lives.ts";

const VERSION_1 = featureMask("VIRTIO_F_VERSION_1");
const INDIRECT_DESC = featureMask("VIRTIO_F_INDIRECT_DESC");
const EVENT_IDX = featureMask("VIRTIO_F_EVENT_IDX");

/** Facts of the program called `name`; `firmware_test.ts` shows that engines do not differ. */
function factsOf(name: string, xlen: 32 | 64, version?: 1): Promise<Facts> {
  const program = guestPrograms.find((one) => one.name === name)!;
  return factsOfProgram(program, xlen, version === undefined ? {} : { version });
}

/** How often a step of a source's interrupt happened. */
function count(facts: Facts, device: string, step: IrqEvent["step"]): number {
  return facts.irqs.filter((irq) => irq.device === device && irq.step === step).length;
}

/** Every interrupt of a device was raised, claimed, taken back by the acknowledgement, and completed. */
function assertInterrupts(facts: Facts, device: string, least: number): void {
  const steps = facts.irqs.filter((irq) => irq.device === device).map(({ step }) => step);
  assert(count(facts, device, "raised") >= least, `${device}: ${count(facts, device, "raised")} interrupts`);
  for (let i = 0; i < steps.length; i += 4) {
    assertEquals(steps.slice(i, i + 4), ["raised", "claimed", "lowered", "completed"], `${device}, interrupt ${i / 4}`);
  }
}

/** No buffer comes back earlier than the device's latency of 10 µs, 10 000 steps, after it was taken. */
function assertLatency(life: Life): void {
  const taken = new Map<number, number>();
  for (const fact of life.queue) {
    if (fact.step === "chain") taken.set(fact.head, fact.now);
    if (fact.step !== "used") continue;
    const steps = fact.now - taken.get(fact.head)!;
    assert(steps >= 10_000, `head ${fact.head} came back after ${steps} steps`);
  }
}

for (const xlen of [64, 32] as const) {
  Deno.test(`demo, RV${xlen}: three drivers, every completion by interrupt, the disk's removed and probed again`, async () => {
    const facts = await factsOf("demo", xlen);
    assertEquals(facts.violations, []);
    assertEquals([...facts.lives.keys()], ["virtio0", "virtio1", "virtio2"]);
    for (const lives of facts.lives.values()) {
      for (const life of lives) {
        assert(life.ok && (life.accepted & VERSION_1) !== 0n);
        assertEquals(life.status.slice(0, 4), [1, 3, 11, 15]);
        assert(chains(life).length > 0);
      }
    }
    const disk = facts.lives.get("virtio1")!;
    assertEquals(disk.map(({ reset }) => reset), [true, false]);
    assertEquals(disk.map((life) => life.queue.filter(({ step }) => step === "configured").length), [1, 1]);
    assertEquals(disk[0]!.queue.filter(({ step }) => step === "stopped").length, 1);
    assertEquals(disk[0]!.status.at(-1), 0);
    for (const life of disk) {
      assertLatency(life);
      assertEquals(life.requests.map((text) => text.split(" ")[0]), ["IN", "OUT", "FLUSH", "IN", "OUT"]);
      // One at a time: each completion is a notification of its own.
      assertEquals(notifications(life).map(({ sent }) => sent), [true, true, true, true, true]);
    }
    assertInterrupts(facts, "virtio0", 10);
    assertEquals(count(facts, "virtio1", "completed"), 10);
    assertEquals(count(facts, "virtio2", "completed"), 2);
    for (const device of facts.lives.keys()) assertInterrupts(facts, device, 2);
  });

  Deno.test(`block, RV${xlen}: INDIRECT_DESC and EVENT_IDX are used where they are negotiated, and only there`, async () => {
    const facts = await factsOf("block", xlen);
    assertEquals(facts.violations, []);
    const lives = facts.lives.get("virtio1")!;
    // The first is the bus's own probe; then the four courses.
    assertEquals(lives.map(({ accepted }) => [(accepted & INDIRECT_DESC) !== 0n, (accepted & EVENT_IDX) !== 0n]), [
      [true, true],
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ]);
    assertEquals(lives.map(({ reset }) => reset), [true, true, true, true, false]);
    for (const life of lives.slice(1)) {
      const indirect = (life.accepted & INDIRECT_DESC) !== 0n;
      const eventIdx = (life.accepted & EVENT_IDX) !== 0n;
      assert(chains(life).length > 100);
      const tables = chains(life).map(({ descriptors }) => descriptors.some(({ table }) => table === "indirect"));
      // Linux's rule, which the driver follows: a chain of several descriptors goes into a table if it may.
      assertEquals(new Set(tables), new Set([indirect]));
      // A full queue is taken with one notification: most completions are suppressed or fall together.
      assert(life.queue.filter(({ step }) => step === "notified").length < chains(life).length / 2);
      const told = notifications(life);
      assertEquals(told.length, chains(life).length);
      for (const { reason } of told) assertMatch(reason, eventIdx ? /^used_event is / : /^flags is /);
      assert(told.some(({ sent }) => sent));
      if (eventIdx) assert(told.some(({ sent }) => !sent), "EVENT_IDX suppressed nothing");
      assertLatency(life);
    }
    const kinds = new Set(lives.flatMap(({ requests }) => requests.map((text) => text.split(" ")[0])));
    assertEquals([...kinds].sort(), ["FLUSH", "GET_ID", "IN", "OUT"]);
    assertInterrupts(facts, "virtio1", 50);
  });

  Deno.test(`late_callback, RV${xlen}: notifications suppressed by flags and by used_event, and one that comes all the same`, async () => {
    const facts = await factsOf("late_callback", xlen);
    assertEquals(facts.violations, []);
    const [flags, events] = facts.lives.get("virtio2")!;
    for (const [life, reason] of [[flags!, /^flags is 1$/], [events!, /^used_event is /]] as const) {
      assertEquals(life.reset, true);
      const suppressed = notifications(life).filter(({ sent }) => !sent);
      assertEquals(suppressed.length, 2);
      for (const told of suppressed) assertMatch(told.reason, reason);
      assertEquals(notifications(life).length - suppressed.length, 2);
    }
    assertEquals([flags!, events!].map(({ accepted }) => (accepted & EVENT_IDX) !== 0n), [false, true]);
    assertInterrupts(facts, "virtio2", 4);
  });

  Deno.test(`dummy, RV${xlen}: two lives of a driver with an input queue`, async () => {
    const facts = await factsOf("dummy", xlen);
    assertEquals(facts.violations, []);
    const lives = facts.lives.get("virtio3")!;
    assertEquals(lives.length, 2);
    for (const life of lives) {
      assertEquals(life.reset, true);
      const used = life.queue.filter((fact) => fact.step === "used");
      assertEquals(used.length, 24);
      assert(used.every(({ written }) => written > 0));
      assertEquals(used.map(({ position }) => position), Array.from({ length: 24 }, (_, i) => i));
      assertEquals(chains(life).length, used.length);
      assertEquals(life.queue.filter(({ step }) => step === "stopped").length, 1);
    }
    assertInterrupts(facts, "virtio3", 48);
  });

  Deno.test(`legacy, RV${xlen}: version 1 devices from page numbers to reset`, async () => {
    const facts = await factsOf("legacy", xlen);
    assertEquals(facts.violations, []);
    for (const lives of facts.lives.values()) {
      for (const life of lives) {
        assertEquals(life.accepted >> 32n, 0n);
        assertFalse(life.status.some((status) => (status & virtioStatus.FEATURES_OK) !== 0));
      }
    }
    assertEquals(facts.lives.get("virtio1")!.map(({ reset }) => reset), [true, false]);
    const written = facts.all.filter((fact) => fact.kind === "mmio" && fact.write && fact.device?.legacy === true);
    const offsets = new Set(written.map((fact) => fact.kind === "mmio" ? fact.offset : -1));
    // GuestPageSize, QueueAlign and QueuePFN are written; QueueReady and the queue addresses are not there.
    for (const offset of [0x28, 0x3c, 0x40]) assert(offsets.has(offset), `no write at ${offset}`);
    for (const offset of [0x44, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4]) assertFalse(offsets.has(offset));
    for (const device of facts.lives.keys()) assertInterrupts(facts, device, 1);
  });

  Deno.test(`console_echo, RV${xlen}: emergency write before DRIVER_OK's queues, then input and output through them`, async () => {
    const facts = await factsOf("console_echo", xlen);
    assertEquals(facts.violations, []);
    const own = facts.all.filter((fact) => fact.kind === "console" && fact.device === "virtio0");
    const bytes = (direction: "in" | "out") =>
      own.flatMap((fact) => fact.kind === "console" && fact.direction === direction ? [...fact.bytes] : []);
    assertEquals(new TextDecoder().decode(Uint8Array.from(bytes("in"))), "one\ntwo\n.\n");
    assertMatch(new TextDecoder().decode(Uint8Array.from(bytes("out"))), /^emergency write\n/);
    const chain = facts.all.findIndex((fact) => fact.kind === "virtqueue" && fact.step === "chain" && fact.queue === 1);
    const before = facts.all.slice(0, chain).filter((fact) => fact.kind === "console" && fact.device === "virtio0");
    assertEquals(before.length, "emergency write\n".length);
    assertInterrupts(facts, "virtio0", 2);
  });

  Deno.test(`block_errors, RV${xlen}: every error the guest is told of is a rule it broke`, async () => {
    const facts = await factsOf("block_errors", xlen);
    assertEquals(facts.violations.map(({ id }) => id), [
      "blk-range",
      "blk-range",
      "blk-range",
      "blk-range",
      "blk-type",
    ]);
    assertEquals(facts.lives.get("virtio1")!.map(({ reset }) => reset), [false]);
  });
}

for (const name of ["demo", "block", "late_callback", "dummy"]) {
  Deno.test(`${name}: version 1 devices are driven without a rule broken`, async () => {
    const facts = await factsOf(name, 64, 1);
    assertEquals(facts.violations, []);
    for (const lives of facts.lives.values()) assert(lives.every(({ accepted }) => accepted >> 32n === 0n));
  });
}

Deno.test("console_ports: a port that is closed before its device, reset, has added it again is closed in silence", async () => {
  const program = guestPrograms.find(({ name }) => name === "console_ports")!;
  for (const xlen of [64, 32] as const) {
    const violations: string[] = [];
    let gaveUp = false;
    const result = await bootImage(`${imageName(program, xlen)}.elf`, {
      ...bootOptions(program, xlen),
      engine: "interpreter",
      started: ({ events, slots }) => {
        events.on("violation", ({ id, what }) => violations.push(`${id}: ${what}`));
        events.on("virtio", (fact) => {
          // The end of what the guest sends to port 1, which it closes next.
          if (fact.step !== "request" || fact.text !== "1 bytes out" || gaveUp) return;
          const slot = slots.find((one) => one.name === fact.device);
          assert(slot instanceof VirtioMmio);
          gaveUp = true;
          slot.core.needsReset("to see what the driver does");
        });
      },
    });
    assertEquals([result.reason, gaveUp, violations], ["pass", true, []], result.console);
  }
});
