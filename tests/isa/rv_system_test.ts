/** Zawrs: the two instructions end at once, and mstatus.TW keeps the lower modes from the one without a time limit. */
import { assertEquals } from "@std/assert";
import { causes, enter, type HartTest, hartTests, SKIPPING_HANDLER } from "../support/guest_program.ts";

const hartTest = (...test: HartTest): void => hartTests(...test).forEach((t) => Deno.test(t));

hartTest("wrs.nto and wrs.sto go on, but for wrs.nto under TW", ["rv64imac_zawrs", "rv32imac_zawrs"], (load) => {
  for (const mode of [0, 1] as const) {
    for (const tw of [false, true]) {
      const program = load(`
            la t0, trap
            csrw mtvec, t0
            la a1, word
            lr.w a0, (a1)
            wrs.nto
            wrs.sto
            li t0, 0x200000             # TW
            ${tw ? "csrs" : "csrc"} mstatus, t0
            ${enter(mode, "in")}
            .align 2
    in:     wrs.sto
    nto:    wrs.nto
            ecall
    done:   j done
            .align 2
    word:   .word 0
    ${SKIPPING_HANDLER}
      `).run();
      const call = `${8 + mode} 0x0`;
      assertEquals(causes(program), tw ? ["2 0xd00073", "11 0x0"] : [call], `mode ${mode}, TW ${tw}`);
    }
  }
});
