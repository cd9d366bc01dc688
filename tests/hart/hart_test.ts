/** Harts as wholes: power-on, lines, death, and several of them on one machine. */
import { assert, assertEquals } from "@std/assert";
import { RECORD } from "../../vm/events.ts";
import { Interrupt } from "../../vm/hart/csr.ts";
import { NO_RESERVATION } from "../../vm/hart/layout.ts";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { readImage } from "../../vm/boot/image.ts";
import { type EngineName, engineNames, Machine, type MachineOptions, type Stop } from "../../vm/machine.ts";
import { TestPort } from "../support/char_port.ts";
import { enter, type HartTest, hartTests, WIDTHS } from "../support/guest_program.ts";

const hartTest = (...test: HartTest): void => hartTests(...test).forEach((t) => Deno.test(t));

hartTest("power-on state", WIDTHS, (load, isa) => {
  const program = load(`
            li a0, -1
            csrw mie, a0
            csrw mtvec, a0
            csrw mscratch, a0
            csrwi mcountinhibit, 5
            csrwi minstret, 9
            la a1, word
            lr.w a1, (a1)
    done:   j done
            .align 2
    word:   .word 0
  `);
  const { hart, machine } = program.run();
  hart.line(Interrupt.MTI).set(true);
  hart.wait();
  hart.reset();
  // priv §3.4: M-mode, MIE and MPRV 0, mcause as for a reset without a reason; the rest here is zero too.
  assertEquals([hart.pc, hart.privilege, hart.waiting, hart.steps], [BigInt(0x8000_0000), 3, false, 0]);
  assertEquals(Array.from({ length: 32 }, (_, n) => hart.x(n)), new Array(32).fill(0n));
  assertEquals(hart.reservation, NO_RESERVATION);
  const constant = isa.xlen === 64 ? 0xa_0000_0000n : 0n;
  assertEquals(program.csr("mstatus"), constant);
  for (const name of ["mie", "mtvec", "mscratch", "mcountinhibit", "minstret", "mcycle", "mcause", "mideleg"]) {
    assertEquals(program.csr(name), 0n, name);
  }
  machine.run(1);
  assertEquals(program.csr("minstret"), 1n);
});

hartTest("a line is a bit of mip while it is high", WIDTHS, (load) => {
  const program = load("done: j done");
  for (const interrupt of Object.values(Interrupt)) {
    const line = program.hart.line(interrupt);
    line.set(true);
    line.set(true);
    assertEquals(program.csr("mip"), 1n << BigInt(interrupt));
    line.set(false);
    assertEquals(program.csr("mip"), 0n);
  }
});

hartTest("a guest that traps without a handler is dead, and its first trap is told", WIDTHS, (load) => {
  for (const handler of [0, 0x4000_0000, 0x8001_0000, 0x1000_0000]) {
    const program = load(`
            li t0, ${handler}
            csrw mtvec, t0
            ebreak
    done:   j done
    `);
    program.machine.run(1000);
    assertEquals(program.hart.death?.what, "no-handler");
    const { cause, epc } = program.hart.death!.trap;
    assertEquals([cause, epc, program.traps.length], [3, program.traps[0]!.epc, 2]);
  }
});

hartTest("a handler whose first instruction traps into itself is a death too", WIDTHS, (load) => {
  const program = load(`
            la t0, handler
            csrw mtvec, t0
            ecall
            .align 2
    handler: lw a0, 0(zero)
    done:   j done
  `);
  program.machine.run(1000);
  assertEquals(program.hart.death?.what, "trap-loop");
  // What began it, not what it is stuck in.
  assertEquals([program.hart.death?.trap.cause, program.traps.at(-1)?.cause], [11, 5]);
  const { steps } = program.hart;
  program.machine.run(1000);
  assertEquals(program.hart.steps, steps);
});

hartTest("a guest that runs its traps one after the other is not dead", WIDTHS, (load) => {
  // The handler's first instruction traps once, into a handler that puts it right; and an ecall loop goes on for ever.
  const program = load(`
            la t0, handler
            csrw mtvec, t0
            li s0, 20
    loop:   ecall
            addi s0, s0, -1
            bnez s0, loop
    done:   j done
            .align 2
    handler: csrr t1, mepc
            addi t1, t1, 4
            csrw mepc, t1
            mret
  `).run();
  assertEquals([program.hart.death, program.traps.length], [undefined, 20]);
});

hartTest("an unreachable handler of S-mode is M-mode's affair unless it is delegated", WIDTHS, (load) => {
  for (const delegated of [0x8, 0xb]) {
    const program = load(`
            la t0, done
            csrw mtvec, t0
            csrwi stvec, 0
            csrwi medeleg, ${delegated}      # breakpoint; and fetch faults
            ${enter(0, "in")}
    in:     ebreak
            .align 2
    done:   j done
    `);
    program.machine.run(500);
    if (delegated === 0x8) assertEquals([program.hart.death, program.hart.pc], [undefined, program.at("done")]);
    else assertEquals([program.hart.death?.what, program.hart.death?.trap.cause], ["no-handler", 3]);
  }
});

hartTest("S-mode that can only trap is not dead while M-mode may be interrupted", WIDTHS, (load) => {
  for (const watched of [true, false]) {
    const program = load(`
            la t0, done
            csrw mtvec, t0
            csrwi stvec, 0
            li t0, 0xb
            csrw medeleg, t0                # fetch faults and breakpoints stay in S-mode
            li t0, ${watched ? 0x80 : 0}
            csrw mie, t0
            ${enter(1, "in")}
    in:     ebreak
            .align 2
    done:   j done
    `);
    program.machine.run(500);
    assertEquals(program.hart.death?.what, watched ? undefined : "no-handler");
    if (!watched) continue;
    program.hart.line(Interrupt.MTI).set(true);
    program.run();
    assertEquals([program.hart.privilege, program.csr("mcause") & 0xffn], [3, 7n]);
  }
});

// --- several harts ---------------------------------------------------------------------------------------------------

/** Runs a flat program on a machine with `harts` harts. */
async function run(
  engine: EngineName,
  isaName: string,
  text: string,
  options: Partial<MachineOptions> & { steps?: number; hash?: boolean } = {},
): Promise<{ machine: Machine; stop: Stop; hash: string; output: string }> {
  const isa = parseIsa(isaName);
  const uart = new TestPort();
  const { steps = 500_000, hash = false, ...rest } = options;
  const machine = new Machine({ isa, memorySize: 1 << 20, engine, uart, slots: [], ...rest });
  machine.load(readImage(new Assembler(isa).program(text, 0x8000_0000n).bytes, { name: "test.bin" }));
  const parts: number[] = [];
  if (hash) {
    machine.events.onRecords((view, count) => {
      for (let i = 0; i < count; i++) {
        const at = i * RECORD.bytes;
        parts.push(
          view.getUint32(at + RECORD.pc, true),
          view.getUint8(at + RECORD.hart),
          view.getUint32(at + RECORD.step, true),
        );
      }
    });
  }
  const stop = await machine.run({ steps });
  const digest = hash ? await crypto.subtle.digest("SHA-256", Uint32Array.from(parts)) : new ArrayBuffer(0);
  return { machine, stop, hash: new Uint8Array(digest).toHex(), output: uart.output };
}

/** Ends the run through the finisher: pass, or fail with the code in t0. */
const FINISH = `
    pass:   li t0, 0x5555
    finish: li t1, 0x100000
            sw t0, 0(t1)
    1:      j 1b
    fail:   slli t0, t0, 16
            li t1, 0x3333
            or t0, t0, t1
            j finish
`;

/** Each hart adds its number plus one to a sum, by amoadd and by lr/sc; hart 0 waits for all and looks. */
const COUNTING = (harts: number, rounds: number): string => `
            csrr s0, mhartid
            bne a0, s0, wrong               # the boot convention says so too
            la s1, sum
            la s2, pairs
            li s3, ${rounds}
            addi s4, s0, 1
    loop:   amoadd.w zero, s4, (s1)
    again:  lr.w t0, (s2)
            add t0, t0, s4
            sc.w t1, t0, (s2)
            bnez t1, again
            addi s3, s3, -1
            bnez s3, loop
            la s5, ready
            li t0, 1
            amoadd.w zero, t0, (s5)
            bnez s0, park
    wait:   lw t0, 0(s5)
            li t1, ${harts}
            bne t0, t1, wait
            lw t2, 0(s1)
            lw t3, 0(s2)
            li t4, ${rounds * harts * (harts + 1) / 2}
            li t0, 2
            bne t2, t4, fail
            li t0, 3
            bne t3, t4, fail
            j pass
    park:   wfi
            j park
    wrong:  li t0, 1
            j fail
    ${FINISH}
            .align 6
    sum:    .word 0
            .align 6
    pairs:  .word 0
            .align 6
    ready:  .word 0
`;

/** Hart 0 wakes each other hart by msip; that one says so in memory and wakes hart 0. */
const WAKING = (harts: number): string => `
            csrr s0, mhartid
            csrwi mie, 8                    # MSIE
            la s1, awake
            li s2, 0x2000000                # msip of hart 0
            slli s3, s0, 2
            add s3, s3, s2                  # ... and mine
            bnez s0, other
            li s4, 1                        # whom to wake
    next:   slli t0, s4, 2
            add t0, t0, s2
            li t1, 1
            sw t1, 0(t0)
    sleep:  wfi
            csrr t0, mip
            andi t0, t0, 8
            beqz t0, sleep
            sw zero, 0(s3)
            lw t0, 0(s1)
            bne t0, s4, wrong
            addi s4, s4, 1
            li t0, ${harts}
            blt s4, t0, next
            j pass
    other:  wfi
            csrr t0, mip
            andi t0, t0, 8
            beqz t0, other
            sw zero, 0(s3)
            sw s0, 0(s1)
            li t1, 1
            sw t1, 0(s2)
    park:   wfi
            j park
    wrong:  li t0, 1
            j fail
    ${FINISH}
            .align 6
    awake:  .word 0
`;

for (const engine of engineNames) {
  for (const isa of WIDTHS) {
    for (const harts of [2, 5, 8]) {
      const name = `${harts} harts, ${isa}, ${engine}`;
      Deno.test(`harts count together without losing one (${name})`, async () => {
        const { stop } = await run(engine, isa, COUNTING(harts, 300), { harts });
        assertEquals([stop.reason, stop.code], ["pass", 0]);
      });
      Deno.test(`harts wake each other by software interrupts (${name})`, async () => {
        const { stop, machine } = await run(engine, isa, WAKING(harts), { harts });
        assertEquals([stop.reason, stop.code], ["pass", 0]);
        assert(machine.harts.slice(1).every((h) => h.waiting));
      });
    }
  }
  Deno.test(`a store by one hart ends the reservation of another (${engine})`, async () => {
    // Hart 0 reserves and waits long enough for hart 1 to have had its turn and to have stored.
    const { stop } = await run(
      engine,
      "rv64imac",
      `
            csrr s0, mhartid
            la s1, word
            li s3, 7
            bnez s0, other
            lr.w t0, (s1)
            la s2, ready
            li t0, 1
            sw t0, 0(s2)
    wait:   lw t0, 4(s2)
            beqz t0, wait
            sc.w t0, s3, (s1)
            beqz t0, fail
            j pass
    other:  la s2, ready
    1:      lw t0, 0(s2)
            beqz t0, 1b
            sw s3, 0(s1)
            sw s3, 4(s2)
    park:   wfi
            j park
    ${FINISH}
            .align 6
    word:   .word 0
            .align 6
    ready:  .word 0, 0
      `,
      { harts: 2 },
    );
    assertEquals(stop.reason, "pass");
  });
  Deno.test(`a death says which hart, and stops the machine (${engine})`, async () => {
    const { stop } = await run(
      engine,
      "rv64imac",
      "csrr t0, mhartid\nli t1, 2\nbeq t0, t1, 1f\nloop: wfi\nj loop\n1: ebreak",
      {
        harts: 3,
      },
    );
    assertEquals([stop.reason, stop.hart?.index, stop.death?.trap.cause], ["died", 2, 3]);
  });
}

Deno.test("a run with several harts is the same every time, and on every engine", async () => {
  for (const text of [COUNTING(3, 100), WAKING(3)]) {
    const runs = [];
    for (const engine of [...engineNames, ...engineNames]) {
      const { machine, hash } = await run(engine, "rv64imac", text, { harts: 3, hash: true });
      runs.push({ hash, steps: machine.clock.steps, each: machine.harts.map((h) => h.steps) });
    }
    assert(runs[0]!.steps > 50);
    for (const other of runs) assertEquals(other, runs[0]);
  }
});
