/** Traps: what a trap saves, where it goes, how handlers return. `trap_interrupts_test.ts` is about interrupts. */
import { assertEquals } from "@std/assert";
import { Privilege } from "../../vm/events.ts";
import { MSTATUS } from "../../vm/hart/csr.ts";
import { enter, type HartTest, hartTests, type Load, WIDTHS } from "../support/guest_program.ts";

const hartTest = (...test: HartTest): void => hartTests(...test).forEach((t) => Deno.test(t));

/** Where each exception comes from, the cause and what tval is (priv §3.1.15, §3.1.16); `word` is the instruction. */
const EXCEPTIONS: readonly (readonly [text: string, cause: number, tval: bigint | "word" | "pc"])[] = [
  [".word 0xffffffff", 2, "word"],
  ["csrw mvendorid, a0", 2, "word"],
  ["ebreak", 3, "pc"],
  ["ecall", 11, 0n],
  ["lw a0, 0(zero)", 5, 0n],
  ["lw a0, 8(zero)", 5, 8n],
  ["sb a0, 9(zero)", 7, 9n],
  ["lr.w a0, (a1)", 4, 0x8000_0802n],
  ["amoadd.w a0, a0, (a1)", 6, 0x8000_0802n],
  ["jr s1", 1, 0x40n],
];

/** All of mepc, mcause, mtval and mstatus after a trap from M-mode with MIE set. */
hartTest("a trap saves where it was, why, and the interrupt enable", WIDTHS, (load) => {
  for (const [text, cause, tval] of EXCEPTIONS) {
    const program = load(`
            la t0, done
            csrw mtvec, t0
            li a0, 0x5a5
            li a1, 0x80000802
            li s1, 0x40
            csrsi mstatus, 8
    here:   ${text}
            .align 2
    done:   j done
    `).run();
    // A jump to nowhere has retired; the fetch that follows traps.
    const pc = text.startsWith("jr") ? 0x40n : program.at("here");
    assertEquals(program.csr("mepc"), pc, text);
    assertEquals(program.csr("mcause"), BigInt(cause), text);
    const word = program.memory(program.at("here"), 4);
    assertEquals(program.csr("mtval"), tval === "word" ? word : tval === "pc" ? pc : tval, text);
    const { MPP, MPIE, MIE } = MSTATUS;
    assertEquals(program.csr("mstatus") & (MPP | MPIE | MIE), MPP | MPIE, text);
    assertEquals(program.x("a0"), 0x5a5n, `${text}: rd is not written`);
    assertEquals(program.hart.privilege, Privilege.M);
  }
});

hartTest("an illegal compressed instruction's tval is its 16 bits", WIDTHS, (load) => {
  const program = load(`
            la t0, done
            csrw mtvec, t0
    here:   .half 0x8000                    # reserved
            .half 0xffff
            .align 2
    done:   j done
  `).run();
  assertEquals([program.csr("mcause"), program.csr("mtval")], [2n, 0x8000n]);
  assertEquals(program.csr("mepc"), program.at("here"));
});

hartTest("environment calls say where they come from, and MPP tells the mode", WIDTHS, (load) => {
  for (const mode of [0, 1] as const) {
    const program = load(`
            la t0, done
            csrw mtvec, t0
            ${enter(mode, "in")}
    in:     ecall
            .align 2
    done:   j done
    `).run();
    assertEquals(program.csr("mcause"), BigInt(8 + mode));
    assertEquals(program.csr("mepc"), program.at("in"));
    assertEquals((program.csr("mstatus") & MSTATUS.MPP) >> 11n, BigInt(mode));
    // mret set MPIE and left MIE clear (priv §3.1.6.1): the trap has stacked that.
    assertEquals(program.csr("mstatus") & (MSTATUS.MPIE | MSTATUS.MIE), 0n);
  }
});

/** Bits of mstatus after a return, from those before it. */
function afterReturn(load: Load, instruction: "mret" | "sret", before: bigint): { status: bigint; mode: Privilege } {
  const program = load(`
            la t0, done
            csrw ${instruction === "mret" ? "mepc" : "sepc"}, t0
            li t0, ${before}
            csrw mstatus, t0
            ${instruction}
    done:   j done
  `).run();
  return { status: program.csr("mstatus") & 0xffff_ffffn, mode: program.hart.privilege };
}

hartTest("mret and sret unstack mode and interrupt enable", WIDTHS, (load) => {
  const { MIE, MPIE, MPP, MPRV, SIE, SPIE, SPP } = MSTATUS;
  const user = 0n;
  const supervisor = 1n << 11n;
  // priv §3.1.6.1: xIE gets xPIE, xPIE 1, xPP the least mode; priv §3.1.6.3: MPRV ends when M-mode is left.
  assertEquals(afterReturn(load, "mret", MPP | MPIE), { status: MIE | MPIE, mode: Privilege.M });
  assertEquals(afterReturn(load, "mret", MPP | MIE), { status: MPIE, mode: Privilege.M });
  assertEquals(afterReturn(load, "mret", MPP | MPRV), { status: MPIE | MPRV, mode: Privilege.M });
  assertEquals(afterReturn(load, "mret", supervisor | MPRV), { status: MPIE, mode: Privilege.S });
  assertEquals(afterReturn(load, "mret", user | MPIE | MPRV), { status: MIE | MPIE, mode: Privilege.U });
  assertEquals(afterReturn(load, "mret", supervisor | SPIE | SPP), { status: MPIE | SPIE | SPP, mode: Privilege.S });
  assertEquals(afterReturn(load, "sret", SPP | SPIE), { status: SIE | SPIE, mode: Privilege.S });
  assertEquals(afterReturn(load, "sret", SPP | SIE), { status: SPIE, mode: Privilege.S });
  assertEquals(afterReturn(load, "sret", SPIE | MPRV), { status: SIE | SPIE, mode: Privilege.U });
  assertEquals(afterReturn(load, "sret", MPIE | MPP), { status: SPIE | MPIE | MPP, mode: Privilege.U });
});

hartTest("trap returns are illegal below their mode", WIDTHS, (load) => {
  for (const [mode, instruction] of [[1, "mret"], [0, "mret"], [0, "sret"]] as const) {
    const program = load(`
            la t0, done
            csrw mtvec, t0
            ${enter(mode, "in")}
    in:     ${instruction}
            .align 2
    done:   j done
    `).run();
    assertEquals(program.traps.map((t) => [t.cause, t.from]), [[2, mode]]);
  }
});

/** An S-mode handler at `shandler` and an M-mode one at `mhandler`; both say so in s1, then the program is done. */
const TWO_HANDLERS = `
            .align 2
    mhandler: li s1, 3
            j done
            .align 2
    shandler: li s1, 1
    done:   j done
`;
const SET_HANDLERS = `
            la t0, mhandler
            csrw mtvec, t0
            la t0, shandler
            csrw stvec, t0
`;

hartTest("a delegated exception goes to S-mode, but never down from M-mode", WIDTHS, (load) => {
  for (const mode of [0, 1, 3] as const) {
    for (const delegated of [true, false]) {
      const program = load(`
            ${SET_HANDLERS}
            li t0, ${delegated ? 1 << 3 : 0xb3f7}
            csrw medeleg, t0
            ${mode === 3 ? "j in" : enter(mode, "in")}
    in:     ebreak
            ${TWO_HANDLERS}
      `).run();
      const down = delegated && mode < 3;
      assertEquals(program.x("s1"), down ? 1n : 3n);
      assertEquals(program.hart.privilege, down ? Privilege.S : Privilege.M);
      assertEquals(program.csr(down ? "scause" : "mcause"), 3n);
      assertEquals(program.csr(down ? "sepc" : "mepc"), program.at("in"));
      assertEquals(program.csr(down ? "stval" : "mtval"), program.at("in"));
      // What belongs to the other handler is as it was.
      assertEquals(program.csr(down ? "mcause" : "scause"), 0n);
      if (!down) continue;
      // priv §10.1.1: SPP is the mode, SIE and SPIE as M-mode's.
      const { SPP, SPIE, SIE } = MSTATUS;
      assertEquals(program.csr("mstatus") & (SPP | SPIE | SIE), mode === 1 ? SPP : 0n);
    }
  }
});

hartTest("ecall from M-mode cannot be delegated", WIDTHS, (load) => {
  const program = load("li a0, -1\ncsrw medeleg, a0\ncsrr a1, medeleg\ndone: j done").run();
  assertEquals(program.x("a1") >> 11n & 1n, 0n);
});

hartTest("listeners are told of traps and of returns", WIDTHS, (load) => {
  const program = load(`
            la t0, handler
            csrw mtvec, t0
            ${enter(0, "in")}
    in:     ecall
            .align 2
    handler: li t0, 0x1800
            csrs mstatus, t0
            la t0, done
            csrw mepc, t0
            mret
    done:   j done
  `);
  const returns: unknown[] = [];
  program.machine.events.on("trap-return", ({ kind: _, ...fact }) => returns.push(fact));
  program.run();
  const [at, handler] = [program.at("in"), program.at("handler")];
  assertEquals(program.traps, [{ interrupt: false, cause: 8, tval: 0n, epc: at, from: 0, to: 3, handler }]);
  assertEquals(returns, [
    { instruction: "mret", target: at, to: 0 },
    { instruction: "mret", target: program.at("done"), to: 3 },
  ]);
});
