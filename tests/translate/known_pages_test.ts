/** Several accesses off one register, behind page tables: over pages' ends, to pages that are gone, with other registers between. */
import { assertGreater } from "@std/assert";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { BARE } from "../support/engine.ts";
import { enterPaging } from "../support/paged_program.ts";
import { compareEngines, twoEngines } from "../support/two_engines.ts";

for (const [name, wide] of [["rv64ima", true], ["rv32ima", false]] as const) {
  Deno.test(`${name}: accesses off one register are found each in its own page`, () => {
    const [store, load] = wide ? ["sd", "ld"] : ["sw", "lw"];
    const { bytes } = new Assembler(parseIsa(name)).program(
      `
            la t0, trap
            csrw mtvec, t0
            ${enterPaging(wide)}
            .align 12
    start:  li s6, ${BARE.ram + 0x7000}
            li s7, ${BARE.ram + 0x1fc0}
            li s8, 5
            # Page 2 is gone: accesses behind the end of page 1 trap, one by one.
            ${store} zero, 0(s1)
            sfence.vma
    turn:   li s9, 0
            mv s2, s6
            li s3, 700
    loop:   addi a1, a1, 7
            ${store} a1, 0(s2)
            sb a1, 9(s2)
            ${load} a2, 4(s2)
            lbu a3, 1(s2)
            sh a2, 33(s2)
            lw a4, 32(s2)
            add a5, a5, a2
            ${load} a6, 0(s7)
            ${load} a7, 61(s7)
            lbu a7, 80(s7)
            xor a5, a5, a4
            mv s4, s2
            ${load} s4, 0(s4)
            addi s2, s2, 11
            sb a3, 0(s2)
            lbu s5, 0(s2)
            ${store} a5, 8(s2)
            addi s3, s3, -1
            bnez s3, loop
            addi s7, s7, -3
            addi s8, s8, -1
            bnez s8, turn
            j start
            # In a page of its own, as the loop is: code that M-mode comes to is taken for M-mode's.
            .align 12
            .zero 12288
    trap:   csrw mscratch, t0
            csrr t0, mepc
            addi t0, t0, 4
            csrw mepc, t0
            csrr t0, mtval
            add s10, s10, t0
            addi s11, s11, 1
            csrr t0, mscratch
            mret
      `,
      BigInt(BARE.ram),
    );
    const both = twoEngines(bytes, name);
    compareEngines(both, 60_000);
    assertGreater(Number(both[1].hart.x(27)), 1000);
    const { steps } = both[0].engine.statistics!();
    assertGreater(steps.translated, 10_000);
  });
}
