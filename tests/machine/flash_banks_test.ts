/** Flash as guests see it: code runs from it, stores are commands, and what they change is executed anew. */
import { assertEquals } from "@std/assert";
import { FLASH_BANK } from "../../vm/machine/flash_banks.ts";
import { Assembler, type EngineName, engineNames, Machine, parseIsa, readImage } from "../../vm/mod.ts";
import { TestPort } from "../support/char_port.ts";

const isa = parseIsa("rv64imac");
const FLASH = 0x2000_0000;

async function run(engine: EngineName, ram: string, flash = ""): Promise<{ machine: Machine; code: number }> {
  const machine = new Machine({ isa, memorySize: 1 << 20, uart: new TestPort(), slots: [], engine });
  const assembler = new Assembler(isa);
  machine.load(readImage(assembler.program(ram, 0x8000_0000n).bytes, { name: "program" }));
  machine.memory.load(FLASH, assembler.program(flash, BigInt(FLASH)).bytes);
  const { reason, code } = await machine.run({ steps: 10_000 });
  assertEquals([reason, code === 0 ? "" : "code"], ["fail", "code"], `${engine}: ended by ${reason} with ${code}`);
  return { machine, code };
}

/** Ends the run with the value of a register as the finisher's code. */
const finish = (register: string): string =>
  `slli ${register}, ${register}, 16; li t5, 0x3333; or t5, t5, ${register}; li t6, 0x100000; sw t5, 0(t6)`;

for (const engine of engineNames) {
  Deno.test(`flash: code runs from it and reads it, a store is a command (${engine})`, async () => {
    const { machine, code } = await run(
      engine,
      "li t0, 0x20000000; jr t0",
      `
      li s0, ${FLASH + FLASH_BANK}
      lw a0, 0(s0)            # erased by nobody: 0
      li t0, 0x70; sw t0, 0(s0)
      lhu a1, 0(s0)           # the other bank's status, while this one runs code
      li t0, 0xff; sw t0, 0(s0)
      lw a2, 0(s0)
      add a0, a0, a1; slli a2, a2, 8; add a0, a0, a2
      ${finish("a0")}
      `,
    );
    assertEquals(code, 0x80);
    assertEquals(machine.memory.contains(FLASH + FLASH_BANK, 4), true);
  });

  Deno.test(`flash: code that was programmed while it was decoded is the new code (${engine})`, async () => {
    const { code } = await run(
      engine,
      `
      li s0, ${FLASH}
      jalr s0                 # a0 = 3
      mv s1, a0
      li t0, 0x40; sw t0, 0(s0)
      la t1, new; lw t1, 0(t1); sw t1, 0(s0)
      li t0, 0xff; sw t0, 0(s0)
      jalr s0                 # a0 = 2
      slli s1, s1, 4; add a0, a0, s1
      ${finish("a0")}
      .align 2
      new: .word 0x00200513     # li a0, 2, which only clears bits
      `,
      ".word 0x00300513; ret # li a0, 3, in 32 bits",
    );
    assertEquals(code, 0x32);
  });

  Deno.test(`flash: fetching while a bank gives its status is an access fault (${engine})`, async () => {
    const { code } = await run(
      engine,
      `
      la t0, handler; csrw mtvec, t0
      li s0, ${FLASH}; li t0, 0x70; sw t0, 0(s0); jr s0
      .align 2
      handler: csrr a0, mcause; ${finish("a0")}
      `,
    );
    assertEquals(code, 1);
  });

  Deno.test(`flash: a reset ends commands and keeps what was programmed (${engine})`, async () => {
    const { machine } = await run(
      engine,
      `
      li s0, ${FLASH}; li t0, 0x20; sw t0, 0(s0); li t0, 0xd0; sw t0, 0(s0)
      li t0, 0x40; sw t0, 0(s0); li t1, 0x12345678; sw t1, 0(s0)
      li a0, 1; ${finish("a0")}
      `,
    );
    assertEquals(machine.memory.contains(FLASH, 4), false);
    machine.reset();
    assertEquals(machine.memory.read(FLASH, 4), 0x1234_5678);
  });
}
