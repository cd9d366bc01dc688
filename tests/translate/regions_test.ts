/**
 * Translated code against the reference executor where translation is at stake: what becomes a region, calls and
 * jumps in it, budgets, code that is written. Random programs are compared in `tests/isa/lockstep_test.ts`.
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import type { DecodedPages } from "../../vm/translate/decoded_pages.ts";
import { Interpreter } from "../../vm/translate/interpreter.ts";
import { BARE, BareMachine } from "../support/engine.ts";

/** Two machines with the same program: translating, and the reference. */
function pair(text: string, name = "rv64imac"): { auto: BareMachine; reference: BareMachine; regions: Interpreter } {
  const isa = parseIsa(name);
  const { bytes } = new Assembler(isa).program(text, BigInt(BARE.ram));
  const auto = new BareMachine("auto", isa);
  const reference = new BareMachine("reference", isa);
  for (const machine of [auto, reference]) machine.load(bytes);
  return { auto, reference, regions: auto.engine as Interpreter };
}

/** Runs both in the same uneven stretches and compares them after each. */
function runBoth({ auto, reference }: { auto: BareMachine; reference: BareMachine }, steps: number): void {
  let stretch = 1;
  for (let done = 0; done < steps; done += stretch, stretch = (stretch * 7 + 3) % 211 + 1) {
    for (const machine of [auto, reference]) machine.run(stretch);
    assertEquals(stateOf(auto), stateOf(reference), `after ${reference.hart.steps} steps`);
  }
  assertEquals(auto.ram, reference.ram);
}

function stateOf({ hart }: BareMachine): unknown[] {
  return [hart.steps, hart.pc, hart.privilege, ...Array.from({ length: 32 }, (_, n) => hart.x(n))];
}

/** A handler that goes on behind the instruction that trapped, of 2 or 4 bytes, and counts in t2. */
const PAST_FAULTS = `
            .align 2
    handler: csrr t0, mepc
            lhu t1, 0(t0)
            andi t1, t1, 3
            addi t1, t1, -3
            seqz t1, t1
            slli t1, t1, 1
            addi t1, t1, 2
            add t0, t0, t1
            csrw mepc, t0
            addi t2, t2, 1
            mret
`;

const NESTED = `
        la s0, table
again:  li a0, 7
outer:  li a1, 5
inner:  add a2, a2, a1
        addi a1, a1, -1
        bnez a1, inner
        sd a2, 0(s0)
        ld a3, 0(s0)
        xor a4, a4, a3
        addi a0, a0, -1
        bnez a0, outer
        j again
        .align 3
table:  .dword 0
`;

for (const name of ["rv64imac", "rv32imac", "rv64ima"]) {
  Deno.test(`${name}: nested loops become regions, and every slice ends on its step`, () => {
    const text = name.startsWith("rv32") ? NESTED.replaceAll("sd ", "sw ").replaceAll("ld ", "lw ") : NESTED;
    const machines = pair(text, name);
    runBoth(machines, 8000);
    const { made, instructions } = machines.regions.regions!.stats;
    assertGreater(made, 0);
    assertGreater(instructions, made * 3);
  });
}

Deno.test("small functions are taken into their callers, and return to the right one", () => {
  const machines = pair(`
            la sp, stack
    again:  li a0, 3
            call twice
            mv s1, a0
            li a0, 4
            call twice
            add s2, s2, a0
            call outer
            j again
    outer:  addi sp, sp, -16
            sd ra, 0(sp)
            call twice
            ld ra, 0(sp)
            addi sp, sp, 16
            ret
    twice:  beqz a0, none
            add a0, a0, a0
            ret
    none:   addi a0, a0, 1
            ret
            .align 4
            .zero 64
    stack:  .dword 0
  `);
  runBoth(machines, 8000);
  assertGreater(machines.regions.regions!.stats.made, 0);
});

Deno.test("a jump through a table goes where it was seen to go, and elsewhere", () => {
  const machines = pair(`
            la s0, table
            li s1, 0
    next:   andi a0, s1, 3
            slli a0, a0, 3
            add a0, a0, s0
            ld a0, 0(a0)
            addi s1, s1, 1
            jr a0
    one:    addi a1, a1, 1
            j next
    two:    addi a2, a2, 2
            j next
    three:  xor a3, a3, s1
            j next
    four:   li a4, 1000
            blt s1, a4, next
            la s0, other
            j next
            .align 3
    table:  .dword one, two, three, four
    other:  .dword two, two, three, one
  `);
  runBoth(machines, 20_000);
  assertGreater(machines.regions.regions!.stats.made, 0);
});

Deno.test("devices, faults and CSRs in the middle of hot code happen at their instruction", () => {
  const machines = pair(
    `
            la a0, handler
            csrw mtvec, a0
            li s0, ${BARE.device}
            li s1, 0x40000000
    again:  addi a1, a1, 1
            sw a1, 4(s0)
            addi a2, a2, 3
            lw a3, 4(s0)
            csrr a4, mscratch
            addi a4, a4, 1
            csrw mscratch, a4
            ld a5, 0(s1)
            addi a6, a6, 1
            j again
            .align 2
    handler: csrr t0, mepc
            addi t0, t0, 4
            csrw mepc, t0
            addi t1, t1, 1
            mret
  `,
    "rv64ima",
  );
  runBoth(machines, 10_000);
  assertEquals(machines.auto.device.log, machines.reference.device.log);
  assertGreater(machines.regions.regions!.stats.made, 0);
});

for (const name of ["rv64imac", "rv32imac"]) {
  Deno.test(`${name}: accesses off one base are right at both ends of RAM and beside code`, () => {
    // Bases go through places of which only some of the accesses are allowed.
    const machines = pair(
      `
              la a0, handler
              csrw mtvec, a0
              la s1, bases
      again:  andi a0, s2, 7
              slli a0, a0, ${name.startsWith("rv32") ? 2 : 3}
              add a0, a0, s1
              ${name.startsWith("rv32") ? "lw" : "ld"} s0, 0(a0)
              addi s2, s2, 1
              lw a1, 0(s0)
              lbu a2, 12(s0)
              lh a3, -6(s0)
              addi a1, a1, 1
              sw s2, 4(s0)
              sb a3, 15(s0)
              sh a2, -8(s0)
              j again
      ${PAST_FAULTS}
              .align 6
      patch:  nop
              .align 6
      bases:  ${
        [
          BARE.ram + 0x2000,
          BARE.ram,
          BARE.ram + 4,
          BARE.ram + BARE.ramSize - 16,
          BARE.ram + BARE.ramSize - 8,
          BARE.ram + BARE.ramSize - 4,
          BARE.ram + BARE.ramSize,
          BARE.ram + 0x3008,
        ].map((base) => `${name.startsWith("rv32") ? ".word" : ".dword"} ${base}`).join("\n")
      }
    `,
      name,
    );
    runBoth(machines, 10_000);
    assertGreater(machines.regions.regions!.stats.made, 0);
    assertGreater(machines.auto.hart.x(7), 100n);
  });
}

for (const name of ["rv64imac", "rv32imac"]) {
  Deno.test(`${name}: loops that are unrolled read and write up to the end of RAM, and no further`, () => {
    const machines = pair(
      `
              la a0, handler
              csrw mtvec, a0
              li s1, ${BARE.ram + BARE.ramSize}
              li s3, ${BARE.ram + 0x3000}
      again:  addi s0, s1, -37
              mv s4, s3
      loop:   lbu a1, 0(s0)
              lbu a2, 3(s0)
              add a3, a3, a1
              add a3, a3, a2
              addi a3, a3, 5
              sb a3, 0(s4)
              sb a3, -1(s0)
              addi s0, s0, 1
              addi s4, s4, 1
              bne s0, s1, loop
              # Backwards, from behind the end.
              li s6, 20
      back:   addi s0, s0, -1
              sb a3, 2(s0)
              lbu a2, -1(s0)
              add a3, a3, a2
              addi s6, s6, -1
              bnez s6, back
              j again
      ${PAST_FAULTS}
    `,
      name,
    );
    runBoth(machines, 30_000);
    assertGreater(machines.regions.regions!.stats.made, 0);
    assertGreater(machines.auto.hart.x(7), 100n);
  });
}

Deno.test("a store into translated code takes effect at the next instruction", () => {
  const machines = pair(
    `
            la s0, patch
            la s1, words
    again:  andi a0, s2, 63
            bnez a0, patch
            andi a1, s2, 64
            srli a1, a1, 4
            add a1, a1, s1
            lw a2, 0(a1)
            sw a2, 0(s0)
    patch:  addi a3, a3, 1
            addi s2, s2, 1
            j again
            .align 2
    words:  addi a3, a3, 5
            addi a3, a3, -2
  `,
    "rv64ima",
  );
  runBoth(machines, 20_000);
  assertGreater(machines.regions.regions!.stats.dropped, 2);
});

Deno.test("where code lies in every page of RAM, every store is looked at", () => {
  const pages = BARE.ramSize / 0x1000;
  const machines = pair(
    `
            la s0, patch
            la s1, words
            # A function in every page, called once.
            li t0, ${BARE.ram + 0x800}
            li t1, ${pages}
            li t2, 0x8067
    place:  sw t2, 0(t0)
            jalr ra, 0(t0)
            lui t3, 1
            add t0, t0, t3
            addi t1, t1, -1
            bnez t1, place
    again:  andi a0, s2, 63
            andi a1, s2, 64
            srli a1, a1, 4
            add a1, a1, s1
            lw a2, 0(a1)
            bnez a0, patch
            sw a2, 0(s0)
    patch:  addi a3, a3, 1
            addi s2, s2, 1
            j again
            .align 2
    words:  addi a3, a3, 5
            addi a3, a3, -2
  `,
    "rv64ima",
  );
  runBoth(machines, 20_000);
  const { low, high } = (machines.auto.hart.code as DecodedPages).window;
  assertEquals(high - low, 0);
  assertGreater(machines.regions.regions!.stats.dropped, 2);
});

Deno.test("code that is found where regions store without a look is seen when it is written", () => {
  const machines = pair(
    `
            la s1, words
            li s0, ${BARE.ram + 0x8000}
            li s4, 0x8067
            sw s4, 4(s0)
    again:  andi a0, s2, 63
            andi a1, s2, 64
            srli a1, a1, 4
            add a1, a1, s1
            lw a2, 0(a1)
            sw a2, 0(s0)
            addi s2, s2, 1
            bnez a0, again
            li a4, 1000
            blt s2, a4, again
            jalr ra, 0(s0)
            j again
            .align 2
    words:  addi a3, a3, 5
            addi a3, a3, -2
  `,
    "rv64ima",
  );
  runBoth(machines, 40_000);
  assertGreater(machines.regions.regions!.stats.dropped, 0);
  assertGreater(Number(machines.auto.hart.x(13)), 0);
});

Deno.test("a device that writes over translated code is obeyed", () => {
  const machines = pair("again: addi a0, a0, 1\n addi a1, a1, 1\n addi a2, a2, 1\n j again", "rv64ima");
  runBoth(machines, 2000);
  const made = machines.regions.regions!.stats.made;
  assertGreater(made, 0);
  const { bytes } = new Assembler(parseIsa("rv64ima")).program("addi a1, a1, 7", BigInt(BARE.ram));
  for (const machine of [machines.auto, machines.reference]) machine.memory.copyIn(BARE.ram + 4, bytes);
  runBoth(machines, 2000);
  assertGreater(machines.regions.regions!.stats.made, made);
});

Deno.test("control flow that cannot be nested is cut, not refused", () => {
  // Two loops that are entered into each other's middle.
  const machines = pair(`
    again:  addi s0, s0, 1
            andi a0, s0, 1
            bnez a0, second
    first:  addi a1, a1, 1
            andi a2, a1, 7
            beqz a2, again
    second: addi a3, a3, 1
            andi a4, a3, 3
            bnez a4, first
            j again
  `);
  runBoth(machines, 10_000);
  assertGreater(machines.regions.regions!.stats.made, 0);
});

Deno.test("recording turns translation off, and the records are those of the reference", () => {
  const machines = pair(NESTED);
  runBoth(machines, 3000);
  const seen = [machines.auto, machines.reference].map((machine) => {
    const words: number[] = [];
    machine.events.onRecords((view, count) => {
      for (let i = 0; i < count; i++) words.push(view.getUint32(i * 64, true));
    });
    machine.record(true);
    machine.run(500);
    machine.records.drain();
    return words;
  });
  assertEquals(seen[0], seen[1]);
  assertEquals(seen[0]!.length, 500);
});

Deno.test("what ran last is told also where it ran translated", () => {
  const machines = pair(`
            li a0, 500
    loop:   addi a1, a1, 2
            addi a0, a0, -1
            bnez a0, loop
            li s1, 0x40000000
            addi a2, a2, 1
            ld a3, 0(s1)
  `);
  machines.auto.run(4000);
  assert(machines.auto.hart.death !== undefined);
  const runs = machines.auto.engine.recentRuns();
  assert(runs.some((run) => run.translated), "nothing ran translated");
  const fault = machines.auto.hart.death.trap.epc;
  assert(runs.some((run) => run.from < fault && run.to === fault), "the code before the fault is missing");
});
