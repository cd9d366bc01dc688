/** Several harts on emitted code that they share, against the reference executor: every hart's state after uneven stretches. */
import { assertEquals, assertGreater } from "@std/assert";
import type { EngineName } from "../../vm/hart/engine.ts";
import { readImage } from "../../vm/boot/image.ts";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { Machine } from "../../vm/machine.ts";
import { Interpreter } from "../../vm/translate/interpreter.ts";

const HARTS = 3;
const RAM = 0x8000_0000;

/**
 * All harts add to shared words by AMO and by LR/SC, write to code that all of them run, change CSRs, and interrupt the next
 * one now and then.
 */
const PROGRAM = `
        csrr s0, mhartid
        la t0, handler
        csrw mtvec, t0
        li t0, 8
        csrw mie, t0
        la s1, shared
        la s2, patched
        li s3, 0x02000000
        csrsi mstatus, 8
again:  li a0, 50
loop:   amoadd.w a1, s0, (s1)
retry:  lr.w a2, 4(s1)
        addi a2, a2, 1
        sc.w a3, a2, 4(s1)
        bnez a3, retry
        csrrci a4, mstatus, 8
        csrrw a5, mscratch, a2
        xor s4, s4, a5
        csrs mstatus, a4
        call patched
        addi a0, a0, -1
        bnez a0, loop
        addi s5, s5, 1
        andi t0, s5, 7
        bnez t0, again
        # Another instruction for everybody: the immediate of the addi is this hart's turn.
        andi t0, s5, 0x3f
        slli t0, t0, 20
        li t1, 0x000b0b13
        or t0, t0, t1
        sw t0, 0(s2)
        fence.i
        # Wakes the next one.
        addi t0, s0, 1
        li t1, ${HARTS}
        blt t0, t1, to
        li t0, 0
to:     slli t0, t0, 2
        add t0, t0, s3
        li t1, 1
        sw t1, 0(t0)
        j again
        .align 2
patched:
        addi s6, s6, 1
        add s7, s7, s6
        ret
        .align 2
handler:
        slli t0, s0, 2
        add t0, t0, s3
        sw zero, 0(t0)
        addi s8, s8, 1
        mret
        .align 6
shared: .dword 0, 0
`.replace("lr.w a2, 4(s1)", "addi a6, s1, 4\n        lr.w a2, (a6)").replace("sc.w a3, a2, 4(s1)", "sc.w a3, a2, (a6)");

for (const name of ["rv64imac", "rv32ima"]) {
  Deno.test(`${name}: harts that share translated code do the same as on the reference`, async () => {
    const isa = parseIsa(name);
    const image = readImage(new Uint8Array(new Assembler(isa).program(PROGRAM, BigInt(RAM)).bytes), {
      name: "harts.bin",
    });
    const uart = { write() {}, read: () => new Uint8Array(0), onReadable() {} };
    const engines: EngineName[] = ["reference", "interpreter", "auto"];
    const machines = engines.map((engine) => {
      const machine = new Machine({ isa, memorySize: 1 << 20, harts: HARTS, engine, uart, slots: [] });
      machine.load(image);
      return machine;
    });
    let steps = 0;
    for (const stretch of [1, 9_999, 12_345, 60_000, 7, 70_000, 13_333]) {
      steps += stretch;
      const states: unknown[] = [];
      for (const machine of machines) {
        await machine.run({ steps });
        states.push([
          machine.clock.now,
          machine.memory.bytes(RAM, 0x400)!.join(),
          ...machine.harts.map((hart) => [
            hart.steps,
            hart.pc,
            hart.csr(0x300),
            hart.csr(0x340),
            hart.csr(0x341),
            hart.csr(0x344),
            ...Array.from({ length: 32 }, (_, n) => hart.x(n)),
          ]),
        ]);
      }
      assertEquals(states[1], states[0], `interpreter after ${steps} steps`);
      assertEquals(states[2], states[0], `auto after ${steps} steps`);
    }
    for (const hart of machines[0]!.harts) assertGreater(Number(hart.x(24)), 2, "too few interrupts");
    const auto = machines[2]!.engines.current[0] as Interpreter;
    assertGreater(auto.regions!.stats.made, 0);
    assertEquals((machines[2]!.engines.current[1] as Interpreter).regions, auto.regions);
  });
}
