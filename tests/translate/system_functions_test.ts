/** Instructions that the interpreter has functions for, against the reference executor: counters, fences, waits, returns. */
import { assertEquals, assertGreater } from "@std/assert";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { BARE } from "../support/engine.ts";
import { enterPaging, leaf } from "../support/paged_program.ts";
import { compareEngines, twoEngines } from "../support/two_engines.ts";

/** Traps go on behind the instruction that did it; a0 counts those. */
const HANDLER = `
        .align 2
trap:   csrw mscratch, t0
        csrr t0, mepc
        addi t0, t0, 4
        csrw mepc, t0
        addi a0, a0, 1
        csrr t0, mscratch
        mret
`;

for (const [name, high] of [["rv64ima", ""], ["rv32ima", "csrr a5, timeh\ncsrr a6, cycleh"]] as const) {
  Deno.test(`${name}: counters are read at their step, where they may be`, () => {
    const { bytes } = new Assembler(parseIsa(name)).program(
      `
            la t0, trap
            csrw mtvec, t0
    again:  li s0, 300
    loop:   csrr a1, time
            csrr a2, cycle
            add a3, a3, a1
            csrrs a4, instret, zero
            ${high}
            csrr zero, time
            csrrs s5, time, s0
            addi s0, s0, -1
            bnez s0, loop
            # The same in U-mode, where counters are allowed by turns.
            xori s1, s1, 7
            csrw mcounteren, s1
            csrw scounteren, s1
            la t0, loop2
            csrw mepc, t0
            li t0, 0x1800
            csrc mstatus, t0
            li s0, 40
            mret
    loop2:  csrr a1, time
            csrr a2, instret
            add a3, a3, a1
            addi s0, s0, -1
            bnez s0, loop2
            ecall
            j loop2
            ${HANDLER}
      `,
      BigInt(BARE.ram),
    );
    const both = twoEngines(bytes, name);
    compareEngines(both, 20_000);
    assertGreater(Number(both[1].hart.x(10)), 100);
  });
}

for (const [name, wide] of [["rv64ima", true], ["rv32ima", false]] as const) {
  for (const fence of ["sfence.vma s5, zero", "sfence.vma zero, zero", "sfence.vma s5, s6", "sfence.vma zero, s6"]) {
    Deno.test(`${name}: ${fence}, met again and again, forgets what it names, unless TVM is set`, () => {
      const [store, load] = wide ? ["sd", "ld"] : ["sw", "lw"];
      const { bytes } = new Assembler(parseIsa(name)).program(
        `
            la t0, trap
            csrw mtvec, t0
            li s3, 7
            # The address space of satp, with bits that do not count; s7 counts down to where TVM is set.
            li s6, 0
            li s7, 200
            ${enterPaging(wide)}
    start:  li s5, ${BARE.ram + 0x2000}
    turn:   xori s3, s3, 5
            slli t1, s3, 12
            li t0, ${BARE.ram}
            add t0, t0, t1
            ${leaf("t0")}
            ${store} t1, 0(s1)
            li t0, 0x70000
            xor s6, s6, t0
            ${fence}
            ${load} a1, 0(s5)
            add a2, a2, a1
            addi s7, s7, -1
            bnez s7, turn
            li s7, 40
            ecall
            j turn
            .align 2
    trap:   csrw mscratch, t0
            csrr t0, mepc
            addi t0, t0, 4
            csrw mepc, t0
            addi a0, a0, 1
            li t0, 0x100000
            csrs mstatus, t0
            sfence.vma
            csrr t0, mscratch
            mret
        `,
        BigInt(BARE.ram),
      );
      const image = new Uint8Array(0xc000);
      image.set(bytes);
      image[0x2000] = 1;
      image[0x7000] = 100;
      const both = twoEngines(image, name);
      compareEngines(both, 12_000);
      assertEquals(both[1].hart.privilege, 1);
      assertGreater(Number(both[1].hart.x(10)), 50, "TVM was never obeyed");
      assertGreater(Number(both[1].hart.x(12)), 2000, "the other page was never seen");
    });
  }
}

for (const name of ["rv64ima", "rv32ima"]) {
  Deno.test(`${name}: waits go on where an interrupt is pending, and returns lead to where mepc says`, () => {
    const { bytes } = new Assembler(parseIsa(name)).program(
      `
            la t0, trap
            csrw mtvec, t0
            # Pending and enabled in mie, but not in mstatus.
            csrwi mip, 2
            csrwi mie, 2
            li s0, 100
    loop:   wfi
            addi a1, a1, 1
            la t0, back
            csrw mepc, t0
            # Back to M-mode, where interrupts stay disabled.
            li t0, 0x80
            csrc mstatus, t0
            li t0, 0x1800
            csrs mstatus, t0
            mret
            addi a2, a2, 1
    back:   csrci mie, 2
            csrsi mie, 2
            addi s0, s0, -1
            bnez s0, loop
            # In U-mode both are illegal.
            la t0, lower
            csrw mepc, t0
            li t0, 0x1800
            csrc mstatus, t0
            csrwi mie, 0
            mret
    lower:  wfi
            mret
            j lower
            ${HANDLER}
      `,
      BigInt(BARE.ram),
    );
    const both = twoEngines(bytes, name);
    compareEngines(both, 10_000);
    const { hart } = both[1];
    assertEquals([hart.x(11), hart.x(12)], [100n, 0n]);
    assertGreater(Number(hart.x(10)), 100);
  });
}

for (const [name, wide] of [["rv64ima", true], ["rv32ima", false]] as const) {
  Deno.test(`${name}: SUM, set and cleared around accesses, opens pages of U-mode and closes them again`, () => {
    const [load, leafAt] = wide ? ["ld", 8] : ["lw", 4];
    const { bytes } = new Assembler(parseIsa(name)).program(
      `
            la t0, trap
            csrw mtvec, t0
            ${enterPaging(wide)}
    start:  li s0, 0x40000
            li s5, ${BARE.ram + 0x2000}
            # The page becomes U-mode's.
            mv t0, s5
            ${leaf("t0")}
            ${load} t2, 0(s1)
            ori t2, t2, 16
            ${wide ? "sd" : "sw"} t2, 0(s1)
            sfence.vma
    turn:   csrs sstatus, s0
            ${load} a1, 0(s5)
            add a2, a2, a1
            csrrc a3, sstatus, s0
            add a4, a4, a3
            ${load} a1, ${leafAt}(s5)
            add a5, a5, a1
            j turn
            ${HANDLER}
      `,
      BigInt(BARE.ram),
    );
    const image = new Uint8Array(0xc000);
    image.set(bytes);
    image[0x2000] = 1;
    const both = twoEngines(image, name);
    compareEngines(both, 12_000);
    const { hart } = both[1];
    assertGreater(Number(hart.x(12)), 100, "U-mode's page was never read");
    assertGreater(Number(hart.x(10)), 100, "U-mode's page was open without SUM");
    assertGreater(300, both[0].engine.statistics!().steps.executor);
  });
}
