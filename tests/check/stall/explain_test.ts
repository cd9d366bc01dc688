/** Why guests stand still: an entropy driver with one step left out or done wrong, and programs without any driver. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { explainStall, stallLines } from "../../../vm/check/stall/explain.ts";
import { Sampler } from "../../../vm/check/stall/sample.ts";
import type { Stall } from "../../../vm/check/stall/view.ts";
import { stallView } from "../../../vm/machine/stall_view.ts";
import { rngMachine } from "../../support/rng_machine.ts";
import { type Format, load, RNG, rngProgram, store, type Waiting } from "../../support/rng_program.ts";

const STEPS = 60_000;

/** Runs a program to its stall or for a while, and says why it is stuck; undefined if it came to its end. */
async function stuck(text: string, format: Format = "split"): Promise<Stall | undefined> {
  const machine = rngMachine(text, "auto", format);
  const first = await machine.run({ steps: STEPS });
  if (first.reason === "pass") return undefined;
  const sampler = new Sampler();
  machine.events.onRecords((view, count) => sampler.records(view, count));
  await machine.run({ steps: 2 * STEPS });
  return explainStall(stallView(machine), machine.harts.map(({ index }) => sampler.sample(index)));
}

for (const format of ["split", "packed"] as const) {
  for (const waiting of ["poll", "interrupt"] as const) {
    Deno.test(`${format}, ${waiting}: the driver that does everything comes to its end`, async () => {
      assertEquals(await stuck(rngProgram(waiting, {}, format), format), undefined);
    });
  }
}

/** A step, what is done in its place, and the link that is broken by it. */
type Mistake = readonly [waiting: Waiting, step: string, text: string, link: string, words: string];

/** Mistakes that are the same ones with rings of either format: those that no ring has a part in. */
const BOTH: readonly Mistake[] = [
  ["poll", "driverOk", "", "device", "never set DRIVER_OK"],
  ["poll", "ready", "", "poll", "waits for memory"],
  ["poll", "descriptor", store(RNG.desc, 0x4000, "sd") + store(RNG.desc + 8, 8), "device", "DEVICE_NEEDS_RESET"],
  ["poll", "notify", "", "notify", "the notification is missing"],
  ["poll", "featuresOk", `wrong: ${load(RNG.slot + 0x70)} andi t1, t1, 8\n beqz t1, wrong\n`, "poll", "virtio0.Status"],
  ["interrupt", "notify", "", "notify", "the notification is missing"],
  ["interrupt", "priority", "", "plic-priority", "priority in the PLIC is 0"],
  ["interrupt", "enable", "", "plic-enable", "not enabled in the PLIC"],
  ["interrupt", "enable", store(RNG.plic + 0x2080, 2), "mie", "sie.SEIE clear"],
  ["interrupt", "threshold", store(RNG.plic + 0x20_0000, 7), "plic-threshold", "not above the context's threshold"],
  ["interrupt", "mie", "", "mie", "mie.MEIE clear"],
  ["interrupt", "mie", "li t0, 8\n csrw mie, t0\n", "mie", ""],
  ["interrupt", "ack", "", "storm", "InterruptACK is not written"],
  ["interrupt", "claim", "li s2, 1\n", "storm", ""],
  ["interrupt", "driverOk", "", "device", "never set DRIVER_OK"],
  ["interrupt", "mstatus", "", "mstatus", "mstatus.MIE is 0"],
  ["interrupt", "done", "mret\n", "handler", "if the program waits"],
];

const SPLIT: readonly Mistake[] = [
  ["poll", "ring", store(RNG.desc + 12, 2), "", ""],
  ["poll", "index", "", "avail", "descriptor 0 is filled in"],
  ["poll", "index", store(RNG.avail + 2, 9, "sh"), "device", "DEVICE_NEEDS_RESET"],
  ["poll", "wait", `waiting: ${load(RNG.used + 2, "lhu")} li t2, 2\n bne t1, t2, waiting\n`, "used", "given back all"],
  ["interrupt", "barrier", store(RNG.avail, 1, "sh"), "used", "VIRTQ_AVAIL_F_NO_INTERRUPT"],
];

const PACKED: readonly Mistake[] = [
  ["poll", "index", "", "avail", "descriptor 0 is filled in"],
  ["interrupt", "index", store(RNG.desc + 14, 0x8002, "sh"), "avail", "available for the wrap counter 0"],
  ["poll", "wait", `waiting: ${load(RNG.desc + 30, "lhu")} beqz t1, waiting\n`, "used", "given back all"],
  ["interrupt", "barrier", store(RNG.avail + 2, 1, "sh"), "used", "RING_EVENT_FLAGS_DISABLE"],
];

for (const [format, mistakes] of Object.entries({ split: [...BOTH, ...SPLIT], packed: [...BOTH, ...PACKED] })) {
  for (const [waiting, step, text, link, words] of mistakes) {
    const how = text === "" ? "left out" : "done wrong";
    Deno.test(`${format}, ${waiting}: ${step} ${how}: ${link || "works all the same"}`, async () => {
      const found = await stuck(rngProgram(waiting, { [step]: text }, format as Format), format as Format);
      assertEquals(found?.link ?? "", link, found && stallLines(found).join("\n"));
      assertStringIncludes(found?.why ?? "", words);
      for (const line of found === undefined ? [] : stallLines(found)) assert(!line.includes("undefined"), line);
    });
  }
}

Deno.test("interrupts off while the driver polls memory that its handler should write", async () => {
  const wait = "waiting: lw t1, 0(s1)\n beqz t1, waiting\n";
  const found = await stuck(rngProgram("interrupt", { mstatus: "", wait }));
  assertEquals(found?.link, "mstatus", found && stallLines(found).join("\n"));
});

Deno.test("completing another number than was claimed keeps the interrupt away", async () => {
  // The second request is never told of: the handler has completed source 2.
  const again = store(RNG.avail + 6, 0, "sh") + store(RNG.avail + 2, 2, "sh") + store(RNG.slot + 0x50, 0) +
    "again: wfi\n lw t1, 0(s1)\n li t2, 2\n bne t1, t2, again\n";
  assertEquals(await stuck(rngProgram("interrupt", { readBarrier: again })), undefined);
  const complete = `li t0, ${RNG.plic + 0x20_0004}\n li t1, 2\n sw t1, 0(t0)\n`;
  const found = await stuck(rngProgram("interrupt", { complete, readBarrier: again }));
  assertEquals(found?.link, "plic-complete", found && stallLines(found).join("\n"));
});

/** Programs without a driver. */
const PLAIN: readonly (readonly [name: string, text: string, link: string, words: string])[] = [
  ["an endless loop", "j .", "loop", "endless loop"],
  ["wfi with nothing enabled", "again: wfi\n j again", "mie", "mie 0"],
  [
    "wfi with only an interrupt that nobody raises",
    "li t0, 8\n csrw mie, t0\n again: wfi\n j again",
    "idle",
    "nothing is under way",
  ],
  [
    "a loop that reads a register",
    `again: ${load(0x1000_0005, "lbu")} andi t1, t1, 1\n beqz t1, again`,
    "poll",
    "uart.LSR",
  ],
  ["a loop that reads memory", `again: ${load(0x8000_8000)} beqz t1, again`, "poll", "0x80008000"],
  [
    "a handler that returns to what trapped",
    "la t0, h\n csrw mtvec, t0\n .word 0\n .align 2\n h: mret",
    "trap",
    "illegal instruction",
  ],
  [
    "a timer that is never set again",
    "la t0, h\n csrw mtvec, t0\n li t0, 0x80\n csrw mie, t0\n csrsi mstatus, 8\n main: j main\n .align 2\n h: mret",
    "storm",
    "machine timer",
  ],
  ["a loop that counts", "again: addi a0, a0, 1\n j again", "open", "busy"],
];

for (const [name, text, link, words] of PLAIN) {
  Deno.test(`${name}: ${link}`, async () => {
    const found = await stuck(text);
    assertEquals(found?.link, link, found && stallLines(found).join("\n"));
    assertStringIncludes(found?.why ?? "", words);
  });
}
