/**
 * CSRs: what a write changes (WARL), who may use them, counters, and the views of S-mode. The masks are the manual's
 * (priv §3.1, §10.1); Spike 1.1.1-dev shows the same ones but for mstatus.FS, which it lets be written without F.
 */
import { assert, assertEquals } from "@std/assert";
import { csrTable, Interrupt } from "../../vm/hart/csr.ts";
import { csrNames, csrNumber } from "../../vm/isa/csr_names.ts";
import { Privilege } from "../../vm/events.ts";
import { causes, enter, type HartTest, hartTests, SKIPPING_HANDLER, WIDTHS } from "../support/guest_program.ts";

const hartTest = (...test: HartTest): void => hartTests(...test).forEach((t) => Deno.test(t));

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** What reads back after all ones and after zero were written; `-` is all ones. */
const WARL: readonly (readonly [name: string, ones: string, zero: string])[] = [
  ["mstatus", "0x7e19aa", "0x0"],
  ["sstatus", "0xc0122", "0x0"],
  ["medeleg", "0xb3fe", "0x0"],
  ["mideleg", "0x222", "0x0"],
  ["mie", "0xaaa", "0x0"],
  ["mip", "0x222", "0x0"],
  ["mscratch", "-", "0x0"],
  ["sscratch", "-", "0x0"],
  ["mcause", "-", "0x0"],
  ["scause", "-", "0x0"],
  ["mtval", "-", "0x0"],
  ["stval", "-", "0x0"],
  ["mcountinhibit", "0x5", "0x0"],
  ["mcounteren", "0xffffffff", "0x0"],
  ["scounteren", "0xffffffff", "0x0"],
  ["menvcfg", "0x1", "0x0"],
  ["senvcfg", "0x1", "0x0"],
  ["mhpmcounter3", "0x0", "0x0"],
  ["mhpmevent31", "0x0", "0x0"],
  ["pmpcfg0", "0x0", "0x0"],
  ["pmpaddr63", "0x0", "0x0"],
  ["tselect", "0x0", "0x0"],
  ["tdata1", "0x0", "0x0"],
];

/** UXL and SXL say 64 bits and cannot be changed. */
const CONSTANT_BITS: Readonly<Record<string, bigint>> = { mstatus: 0xan << 32n, sstatus: 2n << 32n };

hartTest("a write changes the bits that a CSR has", WIDTHS, (load, isa) => {
  for (const [name, ones, zero] of WARL) {
    const program = load(`
            li a0, -1
            csrw ${name}, a0
            csrr a1, ${name}
            csrw ${name}, zero
            csrr a2, ${name}
    done:   j done
    `).run();
    const constant = isa.xlen === 64 ? CONSTANT_BITS[name] ?? 0n : 0n;
    const want = (text: string) => hex(text === "-" ? program.hart.mask : BigInt(text) | constant);
    assertEquals([name, hex(program.x("a1")), hex(program.x("a2"))], [name, want(ones), want(zero)]);
    assertEquals(program.traps, []);
  }
});

hartTest("trap vectors are direct or vectored, and program counters even", [...WIDTHS, "rv64ima"], (load, isa) => {
  for (const x of ["m", "s"]) {
    const program = load(`
            li a0, -1
            csrw ${x}tvec, a0
            csrr a1, ${x}tvec
            csrw ${x}epc, a0
            csrr a2, ${x}epc
    done:   j done
    `).run();
    assertEquals(hex(program.x("a1")), hex(program.hart.mask - 2n));
    // priv §3.1.14: the low bit is always zero, the low two where IALIGN is 32.
    assertEquals(hex(program.x("a2")), hex(program.hart.mask - BigInt(isa.ialign - 1)));
  }
});

hartTest("a misaligned fetch can be delegated only where there is one", ["rv64imac", "rv64ima"], (load, isa) => {
  const program = load("li a0, -1\ncsrw medeleg, a0\ncsrr a0, medeleg\ndone: j done").run();
  assertEquals(program.x("a0") & 1n, isa.ialign === 4 ? 1n : 0n);
});

hartTest("mstatus.MPP keeps its mode when none is named", WIDTHS, (load) => {
  const program = load(`
            li a0, 0x1800
            li a1, 0x1000
            li a2, 0x0800
            csrs mstatus, a0
            csrc mstatus, a2                # would be 2, which is no mode
            csrr a3, mstatus
            csrc mstatus, a0
            csrs mstatus, a2
            csrs mstatus, a1                # would be 3
            csrr a4, mstatus
    done:   j done
  `).run();
  assertEquals((program.x("a3") >> 11n) & 3n, 3n);
  assertEquals((program.x("a4") >> 11n) & 3n, 3n);
});

hartTest("identity registers", [...WIDTHS, "rv64ima"], (load, isa) => {
  const program = load(`
            csrr a0, misa
            csrw misa, zero
            csrr a1, misa
            csrr a2, mhartid
            csrr a3, mvendorid
            csrr a4, mconfigptr
    done:   j done
  `).run();
  const letters = [..."aimsu", ...(isa.ialign === 2 ? "c" : "")];
  const bits = letters.reduce((m, c) => m | (1n << BigInt(c.charCodeAt(0) - 97)), 0n);
  const misa = bits | (isa.xlen === 64 ? 2n << 62n : 1n << 30n);
  assertEquals([hex(program.x("a0")), hex(program.x("a1"))], [hex(misa), hex(misa)]);
  assertEquals([program.x("a2"), program.x("a3"), program.x("a4")], [0n, 0n, 0n]);
});

hartTest("set and clear with x0 or a zero immediate do not write, with a register they do", WIDTHS, (load) => {
  // mvendorid is read-only: an access that counts as a write is illegal, whatever it would write (priv §2.1, unpriv §7.1).
  const program = load(`
            la t0, trap
            csrw mtvec, t0
            csrrs a0, mvendorid, zero
            csrrc a0, mvendorid, zero
            csrrsi a0, mvendorid, 0
            csrrci a0, mvendorid, 0
            mv a7, s0                       # none of them trapped
            csrrs a0, mvendorid, a6         # a6 is 0 all the same
            csrrc a0, mvendorid, a6
            csrrw a0, mvendorid, zero
            csrrwi a0, mvendorid, 0
            csrrsi a0, mvendorid, 1
    done:   j done
    ${SKIPPING_HANDLER}
  `).run();
  assertEquals(program.x("a7"), 0n);
  assertEquals(program.x("s0"), 5n);
  assert(program.traps.every((t) => t.cause === 2 && t.tval !== 0n));
});

hartTest("read, set, clear and write give the old value and change the register", WIDTHS, (load) => {
  const program = load(`
            li a0, 0xf0
            csrrw a1, mscratch, a0
            li a2, 0x3c
            csrrs a3, mscratch, a2
            csrrc a4, mscratch, a0
            csrrwi a5, mscratch, 31
            csrrsi a6, mscratch, 0
            csrrci a7, mscratch, 3
            csrr s0, mscratch
            li s1, 5
            csrrw s1, mscratch, s1          # the operand is read before rd is written
            csrr s2, mscratch
    done:   j done
  `).run();
  const names = ["a1", "a3", "a4", "a5", "a6", "a7", "s0", "s1", "s2"];
  assertEquals(names.map((n) => program.x(n)), [0n, 0xf0n, 0xfcn, 0x0cn, 31n, 31n, 28n, 28n, 5n]);
});

hartTest("each number is refused by the privilege and the access that it encodes", WIDTHS, (load, isa) => {
  const program = load("done: j done").run(1);
  const { machine, hart } = program;
  const known = csrTable(isa.xlen);
  const place = 0x8000_1000n;
  for (let number = 0; number < 4096; number++) {
    for (const mode of [Privilege.U, Privilege.S, Privilege.M]) {
      for (const write of [false, true]) {
        // csrrs a0, number, zero; or csrrs a0, number, a1, where a1 is 0: nothing changes.
        const word = ((number << 20) | (write ? 11 << 15 : 0) | (2 << 12) | (10 << 7) | 0x73) >>> 0;
        machine.memory.write(Number(place), 4, word);
        hart.pc = place;
        hart.privilege = mode;
        hart.modeChanged();
        hart.store(csrNumber("mcounteren")!, 0xffff_ffffn);
        hart.store(csrNumber("scounteren")!, 0xffff_ffffn);
        program.traps.length = 0;
        machine.run(1);
        const readOnly = number >> 10 === 3;
        // Floating-point state (1 to 3) is there with F only.
        const absent = !known.has(number) || (number >= 1 && number <= 3);
        const refused = absent || mode < ((number >> 8) & 3) || (write && readOnly);
        const what = `${number.toString(16)} in mode ${mode}, write ${write}`;
        assertEquals(causes(program), refused ? [`2 0x${word.toString(16)}`] : [], what);
      }
    }
  }
});

hartTest("the registers of the other width are illegal", WIDTHS, (load, isa) => {
  const names = csrNames().filter((c) => c.rv32 === true && csrTable(32).has(c.number)).map((c) => c.name);
  assert(names.includes("mcycleh") && names.includes("pmpcfg1") && names.includes("mstatush"));
  const program = load(`
            la t0, trap
            csrw mtvec, t0
            ${names.map((n) => `csrr a0, ${n}`).join("\n")}
    done:   j done
    ${SKIPPING_HANDLER}
  `).run();
  assertEquals(program.traps.length, isa.xlen === 64 ? names.length : 0);
});

hartTest("a written counter counts from the next instruction on", WIDTHS, (load, isa) => {
  const high = isa.xlen === 32 ? "csrwi minstreth, 7" : "nop";
  const program = load(`
            ${high}
            li a0, 100
            csrw minstret, a0
            csrr a1, minstret               # the write itself did not count
            nop
            csrr a2, minstret
            csrwi mcycle, 0
            csrr a3, mcycle
            csrr a4, mcycle
            li a5, -1
            csrw minstret, a5
            nop
            csrr a5, minstret
            ${isa.xlen === 32 ? "csrr a6, minstreth" : "li a6, 8"}
    done:   j done
  `).run();
  // RV32: the carry goes from -1 into the high half, which held 7. RV64: it wraps.
  const names = ["a1", "a2", "a3", "a4", "a5", "a6"];
  assertEquals(names.map((n) => program.x(n)), [100n, 102n, 0n, 1n, 0n, 8n]);
});

hartTest("traps are steps, not retired instructions", WIDTHS, (load) => {
  const program = load(`
            la t0, trap
            csrw mtvec, t0
            csrwi minstret, 0
            csrwi mcycle, 0
            ecall
            csrr a0, minstret
            csrr a1, mcycle
    done:   j done
    .align 2
    trap:   csrr t1, mepc
            addi t1, t1, 4
            csrw mepc, t1
            mret
  `).run();
  // Retired after the write of minstret: csrwi mcycle, four of the handler.
  assertEquals(program.x("a0"), 5n);
  // After that of mcycle: the ecall, four of the handler, csrr.
  assertEquals(program.x("a1"), 6n);
});

hartTest("mcountinhibit stops a counter where it is, and lets it go on from there", WIDTHS, (load) => {
  const program = load(`
            csrwi mcountinhibit, 4
            csrr a0, minstret
            csrr a1, mcycle
            nop
            csrr a2, minstret
            csrr a3, mcycle
            csrwi minstret, 30
            nop
            csrr a4, minstret
            csrwi mcountinhibit, 1
            csrr a5, mcycle
            nop
            csrr a6, mcycle
            csrr a7, minstret
            nop
            csrr s0, minstret
    done:   j done
  `).run();
  assertEquals(program.x("a2"), program.x("a0"));
  assertEquals(program.x("a3") - program.x("a1"), 3n);
  assertEquals(program.x("a4"), 30n);
  assertEquals(program.x("a6"), program.x("a5"));
  // instret goes on where it was.
  assert(program.x("a7") >= 33n && program.x("a7") <= 34n, `${program.x("a7")}`);
  assertEquals(program.x("s0") - program.x("a7"), 2n);
});

hartTest(
  "counters are refused below M-mode unless mcounteren, and in U-mode scounteren, allow them",
  WIDTHS,
  (load) => {
    for (const [machine, supervisor] of [[0, 0], [0, 7], [7, 0], [7, 7], [1, 7], [7, 2]] as const) {
      for (const mode of [1, 0] as const) {
        const program = load(`
            la t0, trap
            csrw mtvec, t0
            csrwi mcounteren, ${machine}
            csrwi scounteren, ${supervisor}
            ${
          ["cycle", "time", "instret"].map((name, i) =>
            `${enter(mode, `in${i}`)}\n in${i}: csrr a${i}, ${name}\n ecall`
          ).join("\n")
        }
    done:   j done
    ${SKIPPING_HANDLER}
      `).run();
        const want = [0, 1, 2].flatMap((bit) => {
          const allowed = (machine >> bit) & 1 && (mode === 1 || (supervisor >> bit) & 1);
          return allowed ? [8 + mode] : [2, 11];
        });
        // A refused one traps and goes on in M-mode, where the ecall is another one.
        assertEquals(program.traps.map((t) => t.cause), want, `mode ${mode}: ${machine} ${supervisor}`);
      }
    }
  },
);

hartTest("the time CSR is the machine's time", WIDTHS, (load, isa) => {
  const program = load(`
            csrr a0, time
            ${isa.xlen === 32 ? "csrr a1, timeh" : "li a1, 5"}
    done:   j done
  `);
  // 100 steps are a tick.
  program.machine.clock.idle = (5 * 2 ** 32 + 77) * 100;
  program.run();
  assertEquals(program.x("a0"), isa.xlen === 32 ? 77n : (5n << 32n) + 77n);
  assertEquals(program.x("a1"), 5n);
});

hartTest("S-mode sees the interrupts that are delegated to it, and no others", WIDTHS, (load) => {
  const program = load(`
            li a0, 0x222
            csrw mie, a0
            csrw mip, a0
            li a1, 0x202
            csrw mideleg, a1
            csrr a2, sie
            csrr a3, sip
            csrw sie, zero
            csrr a4, mie                    # STIE is not S-mode's to clear
            csrw sip, zero
            csrr a5, mip                    # SSIP is all that S-mode may clear
            csrs sie, a0
            csrr a6, mie
            csrs sip, a0
            csrr a7, mip
    done:   j done
  `).run();
  const names = ["a2", "a3", "a4", "a5", "a6", "a7"];
  assertEquals(names.map((n) => hex(program.x(n))), ["0x202", "0x202", "0x20", "0x220", "0x222", "0x222"]);
});

hartTest("a read-modify-write of mip leaves alone what a line drives", WIDTHS, (load) => {
  const program = load(`
            csrrsi a0, mip, 2               # priv §3.1.9: SEIP reads 1, and is not written back as 1
            csrr a1, mip
    wait:   csrr a2, mip
            andi a3, a2, 0x200
            bnez a3, wait
    done:   j done
  `);
  program.hart.line(Interrupt.SEI).set(true);
  program.hart.line(Interrupt.MTI).set(true);
  program.machine.run(20);
  assertEquals([hex(program.x("a0")), hex(program.x("a1"))], ["0x280", "0x282"]);
  program.hart.line(Interrupt.SEI).set(false);
  program.run();
  assertEquals(hex(program.x("a2")), "0x82");
  // The bits of M-mode's interrupts cannot be written at all.
  assertEquals(program.hart.stored(csrNumber("mip")!), 2n);
});

hartTest("mstatus.TVM, TSR and TW take satp, sfence.vma, sret and wfi away from S-mode", WIDTHS, (load) => {
  const instructions = ["csrr a0, satp", "csrw satp, zero", "sfence.vma", "sret", "wfi"];
  for (const bits of [0, 1 << 20, 1 << 21, 1 << 22]) {
    const refusing = bits >> 20 & 1 ? [0, 1, 2] : bits >> 21 & 1 ? [4] : bits >> 22 & 1 ? [3] : [];
    instructions.forEach((instruction, i) => {
      const program = load(`
            la t0, trap
            csrw mtvec, t0
            li t0, ${bits}
            csrs mstatus, t0
            csrwi sie, 0
            csrsi mideleg, 2
            csrsi mie, 2
            csrsi mip, 2                    # pending: wfi does not wait
            li t0, 0x100
            csrs mstatus, t0                # SPP: sret stays in S-mode
            la t0, after
            csrw sepc, t0
            ${enter(1, "in")}
    in:     ${instruction}
    after:  ecall
    done:   j done
    ${SKIPPING_HANDLER}
      `).run();
      const want = refusing.includes(i) ? [2, 11] : [9];
      assertEquals(program.traps.map((t) => t.cause), want, `${instruction}, mstatus ${bits.toString(16)}`);
    });
  }
});
