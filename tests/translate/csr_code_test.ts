/**
 * CSRs in emitted code, of regions and of single instructions, against the reference executor: every way to write them, in hot loops, with interrupts that
 * come up at every step.
 */
import { assertEquals, assertGreater } from "@std/assert";
import { csrRows, Interrupt } from "../../vm/hart/csr.ts";
import { Assembler } from "../../vm/isa/assemble.ts";
import { type Isa, parseIsa } from "../../vm/isa/table.ts";
import { Interpreter } from "../../vm/translate/interpreter.ts";
import { BARE, BareMachine } from "../support/engine.ts";
import { Random } from "../support/random.ts";

/** Registers that emitted code knows. */
const BITS = csrRows().filter((row) => row.bits !== undefined);
const NUMBERS = BITS.map((row) => row.number);

/** Runs a program in all engines, with lines that change now and then, and compares all state after each stretch. */
function agree(isa: Isa, text: string, seed: number, steps = 6000): BareMachine {
  const { bytes } = new Assembler(isa).program(text, BigInt(BARE.ram));
  const [auto, interpreter, reference] = (["auto", "interpreter", "reference"] as const).map((name) =>
    new BareMachine(name, isa)
  ) as [BareMachine, BareMachine, BareMachine];
  const all = [auto, interpreter, reference];
  const random = new Random(seed);
  for (const machine of all) machine.load(bytes);
  while (reference.hart.steps < steps) {
    const stretch = random.chance(50) ? 1 : random.between(2, 300);
    const line = random.pick([Interrupt.MTI, Interrupt.SEI, Interrupt.MSI]);
    const level = random.chance(50);
    const change = random.chance(40);
    for (const { hart } of all) if (change) hart.line(line).set(level);
    for (const machine of all) machine.run(stretch);
    const expected = stateOf(reference);
    for (const machine of [auto, interpreter]) {
      assertEquals(stateOf(machine), expected, `${machine.engine.name}, seed ${seed}, after ${expected[0]} steps`);
    }
  }
  assertGreater((auto.engine as Interpreter).regions!.stats.made, 0);
  return auto;
}

function stateOf({ hart }: BareMachine): unknown[] {
  const registers = Array.from({ length: 32 }, (_, n) => hart.x(n));
  return [hart.steps, hart.pc, hart.privilege, ...registers, ...NUMBERS.map((n) => hart.csr(n))];
}

/** A frame: handlers that count and return, and a body that runs for ever in a mode. */
function program(mode: "M" | "S", body: string): string {
  const delegated = "li a0, 0x222\ncsrw mideleg, a0\nli a0, 0xb1ff\ncsrw medeleg, a0";
  return `
            la a0, machine
            csrw mtvec, a0
            la a0, supervisor
            csrw stvec, a0
            li a0, 0xaaa
            csrw mie, a0
            ${mode === "S" ? delegated : ""}
            la a0, body
            csrw mepc, a0
            li a0, ${mode === "S" ? 0x882 : 0x1888}
            csrw mstatus, a0
            li s4, 0x12345
            li s5, -77
            mret
    body:   ${body}
            addi s0, s0, 1
            j body
            .align 2
    machine:
            addi s2, s2, 1
            csrr s9, mcause
            bltz s9, back
            csrr s9, mepc
            addi s9, s9, 4
            csrw mepc, s9
    back:   mret
            .align 2
    supervisor:
            csrrw s8, sscratch, s8
            addi s3, s3, 1
            csrrc s7, sstatus, zero
            csrr s6, sepc
            csrw sepc, s6
            csrrw s8, sscratch, s8
            sret
  `;
}

const ISAS = ["rv64ima", "rv32ima", "rv64imac_sstc"].map(parseIsa);

for (const isa of ISAS) {
  Deno.test(`${isa.name}: interrupts come where a critical section ends`, () => {
    for (const [mode, status, bit] of [["M", "mstatus", 8], ["S", "sstatus", 2]] as const) {
      const sections = `
        csrrci a1, ${status}, ${bit}
        li a0, 5
    inner:
        addi a2, a2, 1
        addi a0, a0, -1
        bnez a0, inner
        csrs ${status}, a1
        add a3, a3, a2
        csrci ${status}, ${bit}
        xor a4, a4, a3
        li a0, 9
    again:
        addi a2, a2, 3
        addi a0, a0, -1
        bnez a0, again
        csrsi ${status}, ${bit}
        csrrw a5, ${status}, a1
        csrrs a6, ${status}, zero
        andi a7, a1, ${~bit}
        csrw ${status}, a7
        csrw ${status}, a1
      `;
      const { hart } = agree(isa, program(mode, sections), 1);
      assertGreater(Number(hart.x(18) + hart.x(19)), 20, "too few interrupts");
    }
  });

  Deno.test(`${isa.name}: every access to every register that emitted code knows`, () => {
    const names = BITS.map((row) => row.name).filter((name) => !/tvec|epc|deleg/.test(name));
    for (const name of names) {
      const values = [0n, -1n, 0x1234_5678n, 0x4_2002n, 0x6000n, 0x22n, 0x8000_0000n];
      const body = values.map((value) => `
        li a1, ${BigInt.asIntN(32, value)}
        csrrw a2, ${name}, a1
        csrrs a3, ${name}, s4
        csrrc a4, ${name}, s5
        csrrwi a5, ${name}, 21
        csrrsi a6, ${name}, 10
        csrrci a7, ${name}, 7
        csrw ${name}, s4
        csrr s10, ${name}
        xor s11, s11, s10
      `).join("\n");
      // Under its own mode, and from the one below, where each access traps.
      for (const mode of ["M", "S"] as const) agree(isa, program(mode, body), 7, 1000);
    }
  });
}

Deno.test("code that needs a mode is left where another one runs it", () => {
  // The loop runs in M-mode and in U-mode in turn: there each access traps.
  const isa = parseIsa("rv64imac");
  agree(
    isa,
    `
            la a0, trap
            csrw mtvec, a0
    again:  li s0, 60
    loop:   csrrw a1, mscratch, a2
            csrrs a3, sscratch, a1
            addi a2, a2, 3
            addi s0, s0, -1
            bnez s0, loop
            xori s1, s1, 1
            beqz s1, enter
            la a0, again
            csrw mepc, a0
            li a0, 0x1800
            csrc mstatus, a0
            mret
    enter:  ecall
            j again
            .align 2
    trap:   csrr a4, mcause
            csrr a5, mepc
            addi a5, a5, 4
            csrw mepc, a5
            addi a4, a4, -8
            beqz a4, up
            mret
    up:     li a0, 0x1800
            csrs mstatus, a0
            mret
    `,
    3,
    20_000,
  );
});
