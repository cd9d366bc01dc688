/** The built-in SBI as S-mode sees it: short kernels that make its calls, on every engine. */
import { assertEquals } from "@std/assert";
import { planBoot } from "../../vm/boot/plan.ts";
import { Assembler, type EngineName, engineNames, Machine, type MachineOptions, parseIsa } from "../../vm/mod.ts";
import { TestPort } from "../support/char_port.ts";

const XLENS = [64, 32] as const;

/** A kernel's text runs on the built-in SBI; `s0` and up are looked at afterwards. */
async function boot(
  engine: EngineName,
  text: string,
  { xlen = 64, type = "", ...options }: Partial<MachineOptions> & { xlen?: 32 | 64; type?: string } = {},
) {
  const isa = options.isa ?? parseIsa(`rv${xlen}imac_sstc`);
  const uart = new TestPort();
  const machine = new Machine({ isa, memorySize: 16 << 20, uart, slots: [], engine, ...options });
  const base = xlen === 64 ? 0x8020_0000n : 0x8040_0000n;
  const kernel = { name: "kernel", bytes: new Assembler(isa).program(text, base).bytes };
  machine.load(planBoot({ bios: "builtin", kernel }, { xlen, memorySize: 16 << 20 }));
  if (type !== "") uart.type(type);
  const stop = await machine.run({ steps: 2_000_000 });
  /** A saved register, signed. */
  const s = (n: number, hart = 0) => Number(BigInt.asIntN(xlen, machine.harts[hart]!.x(n < 2 ? 8 + n : 16 + n)));
  return { machine, stop: `${stop.reason} ${stop.code}`, output: uart.output, s };
}

const call = (extension: number, fid: number): string => `li a7, ${extension}; li a6, ${fid}; ecall`;
const BASE = 0x10, TIME = 0x54494d45, IPI = 0x735049, RFENCE = 0x52464e43, HSM = 0x48534d, SRST = 0x53525354;
const DBCN = 0x4442434e;
const OFF = `li a0, 0; li a1, 0; ${call(SRST, 0)}`;
/** Saves a0 and a1. */
const save = (n: number): string => `mv s${n}, a0; mv s${n + 1}, a1`;

function onEngines(name: string, run: (engine: EngineName) => Promise<void>): void {
  for (const engine of engineNames) Deno.test(`${name} (${engine})`, () => run(engine));
}

onEngines("sbi: hart 0 begins in S-mode with its id and the device tree, everything delegated", async (engine) => {
  for (const xlen of XLENS) {
    const { machine, stop, s } = await boot(
      engine,
      `${save(0)}; csrr s2, satp; csrr s3, sstatus; lw s4, 0(a1); rdtime s5; ${OFF}`,
      { xlen },
    );
    assertEquals([stop, s(0), s(2), s(3) & 2], ["pass 0", 0, 0, 0]);
    assertEquals(s(4) >>> 0, 0xedfe_0dd0, "the device tree's magic, big endian");
    const hart = machine.harts[0]!;
    assertEquals([hart.csr(0x302), hart.csr(0x303)], [0xb1fen, 0x222n], "medeleg without ecall from S-mode, mideleg");
  }
});

onEngines("sbi: programs in U-mode read time, cycle and instret, and their calls are the kernel's", async (engine) => {
  for (const xlen of XLENS) {
    const { stop, s } = await boot(
      engine,
      `
      la t0, kernel; csrw stvec, t0; la t0, user; csrw sepc, t0; li t0, 0x100; csrc sstatus, t0; sret
      user: rdtime s0; rdcycle s1; rdinstret s2; li s3, 1; ecall
      .align 2
      kernel: csrr s4, scause; ${OFF}`,
      { xlen, isa: parseIsa(`rv${xlen}imac_zicntr_sstc`) },
    );
    assertEquals([stop, s(3), s(4), s(1) > 0, s(2) > 0], ["pass 0", 1, 8, true, true], `rv${xlen}`);
  }
});

onEngines("sbi: base says what there is", async (engine) => {
  const { s } = await boot(
    engine,
    `
    ${call(BASE, 0)}; ${save(0)}
    ${call(BASE, 1)}; mv s2, a1
    li a0, ${HSM}; ${call(BASE, 3)}; mv s3, a1
    li a0, 0x12345; ${call(BASE, 3)}; mv s4, a1
    ${call(BASE, 99)}; mv s5, a0
    ${call(0x1234_5678, 0)}; mv s6, a0
    ${OFF}`,
  );
  assertEquals([0, 1, 2, 3, 4, 5, 6].map((n) => s(n)), [0, 0x0200_0000, 0x5249_4e47, 1, 0, -2, -2]);
});

onEngines("sbi: reset powers off, fails or resets, and refuses what it does not know", async (engine) => {
  const reset = (type: number, reason: number) =>
    `li a0, ${type}; li a1, ${reason}; ${call(SRST, 0)}; mv s0, a0; ${OFF}`;
  assertEquals((await boot(engine, reset(0, 0))).stop, "pass 0");
  assertEquals((await boot(engine, reset(0, 1))).stop, "fail 1");
  assertEquals((await boot(engine, reset(1, 0))).stop, "reset 0");
  const { stop, s } = await boot(engine, reset(7, 0));
  assertEquals([stop, s(0)], ["pass 0", -3]);
  const legacy = await boot(engine, "li a7, 8; ecall; j .");
  assertEquals(legacy.stop, "pass 0");
});

for (const isa of ["sstc", "zicntr"]) {
  onEngines(`sbi: the timer interrupts S-mode when its time has come, with ${isa}`, async (engine) => {
    for (const xlen of XLENS) {
      const { stop, s } = await boot(
        engine,
        `
        la t0, handler; csrw stvec, t0; li t0, 0x20; csrw sie, t0; csrsi sstatus, 2
        rdtime s0; addi a0, s0, 1000; li a1, 0; ${call(TIME, 0)}
        mv s2, a0
        1: wfi; j 1b
        .align 2
        handler: rdtime s1; csrr s3, scause; andi s3, s3, 0xff; li a0, -1; li a1, -1; ${call(TIME, 0)}; csrr s4, sip
        ${OFF}`,
        { xlen, isa: parseIsa(`rv${xlen}imac_${isa}`) },
      );
      assertEquals([stop, s(2), s(3), s(4)], ["pass 0", 0, 5, 0], `rv${xlen}`);
      assertEquals(s(1) >= s(0) + 1000 && s(1) < s(0) + 1010, true, `rv${xlen}: asked at ${s(0)}, came at ${s(1)}`);
    }
  });
}

onEngines("sbi: the debug console writes, reads and refuses what is not memory", async (engine) => {
  const { output, s } = await boot(
    engine,
    `
    li a0, 5; la a1, text; li a2, 0; ${call(DBCN, 0)}; ${save(0)}
    li a0, 0x21; ${call(DBCN, 2)}
    li a0, 8; la a1, buffer; li a2, 0; ${call(DBCN, 1)}; ${save(2)}
    li a0, 5; li a1, 0x1000000; li a2, 0; ${call(DBCN, 0)}; mv s4, a0
    li a0, -1; la a1, text; li a2, 0; ${call(DBCN, 0)}; mv s5, a0
    la t0, buffer; lw s6, 0(t0)
    ${OFF}
    .align 3
    text: .byte 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0, 0, 0
    buffer: .dword 0`,
    { type: "hi" },
  );
  assertEquals(output, "hello!");
  assertEquals([0, 1, 2, 3, 4, 5, 6].map((n) => s(n)), [0, 5, 0, 2, -3, -3, 0x6968]);
});

onEngines("sbi: the legacy console", async (engine) => {
  const { output, s } = await boot(
    engine,
    `
    li a0, 0x41; li a1, 77; li a7, 1; ecall; ${save(0)}
    li a7, 2; ecall; mv s2, a0
    li a7, 2; ecall; mv s3, a0
    ${OFF}`,
    { type: "k" },
  );
  assertEquals([output, s(0), s(1), s(2), s(3)], ["A", 0, 77, 0x6b, -1]);
});

onEngines("sbi: harts are started, interrupted, stopped and asked about", async (engine) => {
  const { stop, s, machine } = await boot(
    engine,
    `
    li a0, 1; ${call(HSM, 2)}; mv s0, a1                       # stopped
    li a0, 1; la a1, second; li a2, 1234; ${call(HSM, 0)}; mv s1, a0
    li a0, 1; la a1, second; ${call(HSM, 0)}; mv s2, a0        # already
    li a0, 9; ${call(HSM, 0)}; mv s3, a0
    li a0, 2; li a1, 64; ${call(HSM, 0)}; mv s4, a0            # nothing to execute there
    la s6, flag
    1: lw t0, 0(s6); beqz t0, 1b
    li a0, 2; li a1, 0; ${call(IPI, 0)}; mv s5, a0
    1: li a0, 1; ${call(HSM, 2)}; li t0, 1; bne a1, t0, 1b     # until it has stopped itself
    li a0, 8; li a1, 0; ${call(IPI, 0)}; mv s7, a0
    ${OFF}
    second: ${save(0)}
    li t0, 2; csrw sie, t0; la t1, flag; li t0, 1; sw t0, 0(t1)
    1: wfi; csrr s2, sip; andi t0, s2, 2; beqz t0, 1b
    ${call(HSM, 1)}; j .
    .align 3
    flag: .dword 0`,
    { harts: 3 },
  );
  assertEquals([stop, s(0), s(1), s(2), s(3), s(4), s(5), s(7)], ["pass 0", 1, 0, -6, -3, -5, 0, -3]);
  assertEquals([s(0, 1), s(1, 1), s(2, 1) & 2], [1, 1234, 2]);
  assertEquals(machine.harts.map((hart) => hart.waiting), [false, true, true]);
});

onEngines("sbi: a hart suspends until an interrupt, and goes on behind the call or elsewhere", async (engine) => {
  const { stop, s } = await boot(
    engine,
    `
    li t0, 0x20; csrw sie, t0
    rdtime t0; addi a0, t0, 500; ${call(TIME, 0)}
    li a0, 0; ${call(HSM, 3)}; mv s0, a0
    rdtime t0; addi a0, t0, 500; ${call(TIME, 0)}
    li a0, 0x70000000; ${call(HSM, 3)}; mv s1, a0
    li a0, 0x80000000; la a1, resumed; li a2, 55; ${call(HSM, 3)}
    j .
    resumed: mv s2, a0; mv s3, a1
    ${OFF}`,
  );
  assertEquals([stop, s(0), s(1), s(2), s(3)], ["pass 0", 0, -3, 0, 55]);
});

onEngines("sbi: after a remote fence a mapping that was taken away is gone; harts must be there", async (engine) => {
  // A page table of 1 GiB pages maps RAM twice; the second mapping is taken away.
  const { stop, s } = await boot(
    engine,
    `
    la t0, root; li t2, 0x200000cf; sd t2, 16(t0); sd t2, 8(t0)
    srli t0, t0, 12; li t3, 8; slli t3, t3, 60; or t0, t0, t3; csrw satp, t0
    sfence.vma
    li t0, 0x40200000; lw s0, 0(t0)
    la t1, root; sd zero, 8(t1)
    li a0, 1; li a1, 0; li a2, 0; li a3, -1; ${call(RFENCE, 1)}; mv s1, a0
    la t1, handler; csrw stvec, t1
    li t0, 0x40200000; lw s2, 0(t0); j .
    .align 2
    handler: csrr s3, scause
    li a0, 1; li a1, 5; ${call(RFENCE, 0)}; mv s4, a0
    li a0, -1; li a1, -1; ${call(RFENCE, 2)}; mv s5, a0
    ${OFF}
    .align 12
    root: .zero 4096`,
  );
  assertEquals([stop, s(1), s(2), s(3), s(4), s(5)], ["pass 0", 0, 0, 13, -3, 0]);
});

onEngines("sbi: a machine reset begins anew", async (engine) => {
  const first = await boot(engine, `li s0, 5; li a0, 1; li a1, 0; ${call(SRST, 0)}; j .`, { harts: 2 });
  assertEquals(first.stop, "reset 0");
  first.machine.reset();
  assertEquals([first.s(0), first.machine.harts[0]!.pc, first.machine.harts[1]!.waiting], [0, 0x8020_0000n, true]);
  assertEquals((await first.machine.run()).reason, "reset");
});
