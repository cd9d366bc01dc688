/** Interrupts: where they go, which are taken and in which order, and waiting for them. */
import { assert, assertEquals } from "@std/assert";
import { Privilege } from "../../vm/events.ts";
import { Interrupt, MSTATUS } from "../../vm/hart/csr.ts";
import { CSR } from "../../vm/hart/csr_numbers.ts";
import { enter, type GuestProgram, type HartTest, hartTests, WIDTHS } from "../support/guest_program.ts";

const hartTest = (...test: HartTest): void => hartTests(...test).forEach((t) => Deno.test(t));

const vectors = (name: string): string =>
  [`.align 6\n${name}:`, ...Array.from({ length: 12 }, (_, i) => `j ${name}${i}`)].join("\n");
const entries = (name: string): string =>
  Array.from({ length: 12 }, (_, i) => `${name}${i}: li s1, ${i}\nj done`).join("\n");

hartTest("in vectored mode interrupts go to their own entry, exceptions to the base", WIDTHS, (load) => {
  const text = (body: string) => `
            la t0, mv
            addi t0, t0, 1
            csrw mtvec, t0
            la t0, sv
            addi t0, t0, 1
            csrw stvec, t0
            li t0, 0x222
            csrw mideleg, t0
            li t0, 0xaaa
            csrw mie, t0
            li s1, 99
            ${body}
            .align 6
    ${vectors("mv")}
    ${vectors("sv")}
    ${entries("mv")}
    ${entries("sv")}
    done:   j done
  `;
  const exception = load(text("ebreak")).run();
  assertEquals([exception.x("s1"), exception.csr("mcause")], [0n, 3n]);
  for (const interrupt of [Interrupt.MSI, Interrupt.MTI, Interrupt.MEI]) {
    const program = load(text("csrsi mstatus, 8\nwait: j wait"));
    program.hart.line(interrupt).set(true);
    program.run();
    assertEquals(program.x("s1"), BigInt(interrupt));
    const top = 1n << BigInt(program.hart.xlen - 1);
    assertEquals([program.csr("mcause"), program.csr("mtval")], [top | BigInt(interrupt), 0n]);
    assertEquals(program.csr("mepc"), program.at("wait"));
  }
  for (const interrupt of [Interrupt.SSI, Interrupt.STI, Interrupt.SEI]) {
    const program = load(text(`${enter(0, "wait")}\nwait: j wait`));
    program.hart.line(interrupt).set(true);
    program.run();
    assertEquals([program.x("s1"), program.hart.privilege], [BigInt(interrupt), Privilege.S]);
    assertEquals(program.csr("scause") & 0xffn, BigInt(interrupt));
  }
});

/** The order in which `hart` takes everything that is pending, each masked in mie once it has been taken. */
function order(program: GuestProgram): number[] {
  const { hart } = program;
  hart.store(CSR.mie, 0xaaan);
  for (const interrupt of Object.values(Interrupt)) hart.line(interrupt).set(true);
  program.machine.run(500);
  return program.traps.map((t) => t.cause);
}

hartTest("interrupts are taken by their priority", WIDTHS, (load) => {
  const handler = (x: string) => `
            .align 2
    ${x}handler: csrr t0, ${x}cause
            li t1, 1
            sll t1, t1, t0                  # the shift looks at the low bits: the interrupt's number
            csrc ${x}ie, t1
            ${x}ret
  `;
  const text = (delegated: number) => `
            la t0, mhandler
            csrw mtvec, t0
            la t0, shandler
            csrw stvec, t0
            li t0, ${delegated}
            csrw mideleg, t0
            ${enter(1, "in")}
    in:     csrsi sstatus, 2
    done:   j done
    ${handler("m")}
    ${handler("s")}
  `;
  const { MEI, MSI, MTI, SEI, SSI, STI } = Interrupt;
  // priv §3.1.9; those for M-mode go before the delegated ones, whatever their kind.
  assertEquals(order(load(text(0))), [MEI, MSI, MTI, SEI, SSI, STI]);
  assertEquals(order(load(text(0x222))), [MEI, MSI, MTI, SEI, SSI, STI]);
  assertEquals(order(load(text(1 << SEI))), [MEI, MSI, MTI, SSI, STI, SEI]);
});

hartTest("an interrupt is taken where its mode, its enable bits and delegation allow it", WIDTHS, (load) => {
  const program = load("done: j done");
  const { hart } = program;
  for (const mode of [0, 1, 3] as const) {
    for (const [name, interrupt] of Object.entries(Interrupt)) {
      for (const delegated of name.startsWith("M") ? [false] : [false, true]) {
        for (const [mie, sie] of [[false, false], [false, true], [true, false], [true, true]] as const) {
          for (const enabled of [false, true]) {
            hart.reset();
            program.traps.length = 0;
            hart.privilege = mode;
            hart.mstatus = (mie ? MSTATUS.MIE : 0n) | (sie ? MSTATUS.SIE : 0n);
            hart.modeChanged();
            hart.store(CSR.mideleg, delegated ? 0x222n : 0n);
            hart.store(CSR.mie, enabled ? 1n << BigInt(interrupt) : 0xaaan & ~(1n << BigInt(interrupt)));
            hart.store(CSR.mtvec, program.at("done"));
            hart.store(CSR.stvec, program.at("done"));
            hart.line(interrupt).set(true);
            program.machine.run(3);
            hart.line(interrupt).set(false);
            // priv §3.1.6.1: enabled in all lower modes, disabled in all higher ones.
            const allowed = delegated ? mode < 1 || (mode === 1 && sie) : mode < 3 || mie;
            const what = `${name} in mode ${mode}, delegated ${delegated}, MIE ${mie}, SIE ${sie}, enabled ${enabled}`;
            assertEquals(program.traps.map((t) => t.to), enabled && allowed ? [delegated ? 1 : 3] : [], what);
          }
        }
      }
    }
  }
});

hartTest("an interrupt that a CSR write enables is taken before the next instruction", WIDTHS, (load) => {
  for (
    const [setUp, last] of [
      ["csrsi mip, 2\ncsrsi mie, 2", "csrsi mstatus, 8"],
      ["csrsi mip, 2\ncsrsi mstatus, 8", "csrsi mie, 2"],
      ["csrsi mie, 2\ncsrsi mstatus, 8", "csrsi mip, 2"],
      ["csrsi mie, 2\ncsrsi mstatus, 8\ncsrsi mideleg, 2\ncsrsi mip, 2", "csrci mideleg, 2"],
    ] as const
  ) {
    const program = load(`
            la t0, done
            csrw mtvec, t0
            ${setUp}
            li s1, 0
            ${last}
    after:  li s1, 1
            .align 2
    done:   j done
    `).run();
    assertEquals([program.x("s1"), program.csr("mepc")], [0n, program.at("after")], last);
  }
});

hartTest("a return that enables an interrupt takes it at once, at the target", WIDTHS, (load) => {
  const program = load(`
            la t0, done
            csrw mtvec, t0
            csrsi mie, 2
            csrsi mip, 2
            la t0, target
            csrw mepc, t0
            li t0, 0x1880                   # MPP = M, MPIE
            csrs mstatus, t0
            mret
    target: li s1, 1
            .align 2
    done:   j done
  `).run();
  assertEquals([program.x("s1"), program.csr("mepc")], [0n, program.at("target")]);
});

hartTest("wfi waits for an enabled interrupt, and goes on without a trap where interrupts are off", WIDTHS, (load) => {
  const facts: string[] = [];
  const program = load(`
            li t0, 0x80
            csrw mie, t0
            wfi
            csrr s1, mip
    done:   j done
  `);
  program.machine.events.on("wfi", ({ step }) => facts.push(step));
  program.machine.run(100);
  assert(program.hart.waiting);
  const steps = program.hart.steps;
  // An interrupt that mie does not enable does not wake it (priv §3.3.3).
  program.hart.line(Interrupt.MEI).set(true);
  program.machine.run(100);
  assertEquals([program.hart.waiting, program.hart.steps], [true, steps]);
  program.hart.line(Interrupt.MTI).set(true);
  program.run();
  assertEquals(program.x("s1"), 0x880n);
  assertEquals(program.traps, []);
  assertEquals(facts, ["wait", "wake"]);
});

hartTest("wfi with interrupts on is left by the trap, which returns after it", WIDTHS, (load) => {
  const program = load(`
            la t0, done
            csrw mtvec, t0
            li t0, 0x80
            csrw mie, t0
            csrsi mstatus, 8
            wfi
    after:  li s1, 1
            .align 2
    done:   j done
  `);
  program.machine.run(100);
  assert(program.hart.waiting);
  program.hart.line(Interrupt.MTI).set(true);
  program.run();
  assertEquals([program.x("s1"), program.csr("mepc")], [0n, program.at("after")]);
});

hartTest("wfi with something pending does not wait", WIDTHS, (load) => {
  const program = load("csrsi mie, 2\ncsrsi mip, 2\nwfi\ndone: j done").run();
  assertEquals(program.hart.waiting, false);
});

hartTest("a global enable is not asked when wfi is left, nor is the delegation", WIDTHS, (load) => {
  const program = load(`
            li t0, 0x222
            csrw mideleg, t0
            csrw mie, t0
            ${enter(1, "in")}
    in:     wfi
    done:   j done
  `);
  program.machine.run(100);
  assert(program.hart.waiting);
  program.hart.line(Interrupt.SEI).set(true);
  program.run();
  assertEquals(program.traps, []);
});

hartTest("wfi is illegal in U-mode", WIDTHS, (load) => {
  const program = load(`
            la t0, done
            csrw mtvec, t0
            ${enter(0, "in")}
    in:     wfi
            .align 2
    done:   j done
  `).run();
  assertEquals(program.traps.map((t) => [t.cause, t.tval]), [[2, 0x1050_0073n]]);
});
