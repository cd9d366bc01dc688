/** Cache-block instructions (Zicbom, Zicboz, Zicbop): which mode may do them, where, and what they do there. */
import { assertEquals } from "@std/assert";
import { causes, enter, type HartTest, hartTests, type Load, SKIPPING_HANDLER } from "../support/guest_program.ts";
import { BARE } from "../support/engine.ts";

const hartTest = (...test: HartTest): void => hartTests(...test).forEach((t) => Deno.test(t));

const ISAS = ["rv64imac_zicbom_zicbop_zicboz", "rv32imac_zicbom_zicbop_zicboz"] as const;
const OPERATIONS = ["cbo.inval", "cbo.clean", "cbo.flush", "cbo.zero"] as const;
type Operation = typeof OPERATIONS[number];

const BLOCK = BigInt(BARE.ram) + 0x4000n;
/** Where the programs put the root of a page table. */
const ROOT = BigInt(BARE.ram) + 0x8000n;

/** The trap, if any, that `text` takes in M-mode after `setup`. */
function trapOf(load: Load, setup: string, text: string): string | undefined {
  const program = load(`
            la t0, done
            csrw mtvec, t0
            ${setup}
            ${text}
            .align 2
    done:   j done
  `).run();
  return causes(program)[0];
}

hartTest("cbo.zero clears the 64 bytes around its address and no others", ISAS, (load) => {
  for (const offset of [0n, 1n, 63n]) {
    const program = load(`
            li a0, ${BLOCK + offset}
            cbo.zero (a0)
    done:   j done
    `);
    const from = Number(BLOCK) - 64;
    program.machine.memory.copyIn(from, new Uint8Array(192).fill(0xa5));
    program.run();
    const bytes = [...program.machine.memory.bytes(from, 192)!];
    assertEquals(bytes.map((b) => b === 0xa5 ? 1 : b), bytes.map((_, i) => i < 64 || i >= 128 ? 1 : 0), `${offset}`);
    assertEquals(program.traps, []);
  }
});

hartTest("managing a block leaves memory as it is", ISAS, (load) => {
  const program = load(`
            li a0, ${BLOCK + 5n}
            cbo.clean (a0)
            cbo.flush (a0)
            cbo.inval (a0)
            prefetch.r 0(a0)
            prefetch.w 32(a0)
            prefetch.i -32(a0)
    done:   j done
  `);
  program.machine.memory.copyIn(Number(BLOCK), new Uint8Array(64).fill(0xa5));
  program.run();
  assertEquals([...program.machine.memory.bytes(Number(BLOCK), 64)!], new Array(64).fill(0xa5));
  assertEquals(program.traps, []);
});

hartTest("code that cbo.zero clears is no longer executed", ISAS, (load) => {
  const program = load(`
            la t0, trap
            csrw mtvec, t0
            li t1, 2
            la a0, block
    again:  jal block
            cbo.zero (a0)
            fence.i
            addi t1, t1, -1
            bnez t1, again
            .align 2
    trap:   csrr s1, mepc
            csrr s2, mcause
    done:   j done
            .align 6
    block:  addi s0, s0, 1
            ret
            .align 6
  `).run();
  assertEquals([program.x("s0"), program.x("s1"), program.x("s2")], [1n, program.at("block"), 2n]);
});

/** By menvcfg and senvcfg: how many of the four operations trap in a mode. */
function refused(load: Load, mode: 0 | 1, menvcfg: number, senvcfg: number): Operation[] {
  const program = load(`
            la t0, trap
            csrw mtvec, t0
            li t0, ${menvcfg}
            csrw menvcfg, t0
            li t0, ${senvcfg}
            csrw senvcfg, t0
            li a0, ${BLOCK}
            ${OPERATIONS.map((name, i) => `${enter(mode, `in${i}`)}\n.align 2\nin${i}: ${name} (a0)\necall`).join("\n")}
    done:   j done
    ${SKIPPING_HANDLER}
  `).run();
  const illegal = program.traps.filter((t) => t.cause === 2);
  return OPERATIONS.filter((_, i) => illegal.some((t) => t.epc === program.at(`in${i}`)));
}

hartTest("menvcfg and senvcfg allow the operations below M-mode, each on its own", ISAS, (load) => {
  const [cbie, cbcfe, cbze] = [0x10, 0x40, 0x80];
  const all = cbie | cbcfe | cbze;
  assertEquals(refused(load, 1, 0, all), [...OPERATIONS]);
  assertEquals(refused(load, 1, all, 0), []);
  assertEquals(refused(load, 1, cbie, 0), ["cbo.clean", "cbo.flush", "cbo.zero"]);
  assertEquals(refused(load, 1, 3 * cbie, 0), ["cbo.clean", "cbo.flush", "cbo.zero"]);
  assertEquals(refused(load, 1, cbcfe, 0), ["cbo.inval", "cbo.zero"]);
  assertEquals(refused(load, 1, cbze, 0), ["cbo.inval", "cbo.clean", "cbo.flush"]);
  assertEquals(refused(load, 0, all, 0), [...OPERATIONS]);
  assertEquals(refused(load, 0, 0, all), [...OPERATIONS]);
  assertEquals(refused(load, 0, all, all), []);
  assertEquals(refused(load, 0, all, cbze), ["cbo.inval", "cbo.clean", "cbo.flush"]);
});

hartTest("faults are those of stores and name the address in rs1, or the block that was to be zeroed", ISAS, (load) => {
  const at = (address: bigint, operation: Operation) => trapOf(load, `li a0, ${address}`, `${operation} (a0)`);
  const [rom, device, nowhere] = [BigInt(BARE.rom) + 7n, BigInt(BARE.device) + 3n, 0x5000_0021n];
  assertEquals(OPERATIONS.map((o) => at(nowhere, o)), [
    ...Array.from({ length: 3 }, () => "7 0x50000021"),
    "7 0x50000000",
  ]);
  // What can be read can be managed, but only memory that can be written can be cleared.
  assertEquals(OPERATIONS.map((o) => at(rom, o)), [undefined, undefined, undefined, "7 0x1000"]);
  assertEquals(OPERATIONS.map((o) => at(device, o)), [undefined, undefined, undefined, "7 0x10000000"]);
});

/** The page table's one leaf is where RAM is; loads and stores go through it in M-mode by mstatus.MPRV. */
function mapped(xlen: 32 | 64, flags: number): string {
  return `
            li t0, ${0x2000_0000 | flags}
            li t1, ${ROOT + (xlen === 64 ? 16n : 0x800n)}
            ${xlen === 64 ? "sd" : "sw"} t0, 0(t1)
            li t0, ${(xlen === 64 ? 8n << 60n : 1n << 31n) | (ROOT >> 12n)}
            csrw satp, t0
            li t0, 0x1800
            csrc mstatus, t0
            li t0, 0x20800
            csrs mstatus, t0
            li a0, ${BLOCK + 9n}
  `;
}

hartTest("page tables decide about blocks as about loads and stores", ISAS, (load, isa) => {
  const [read, write, execute] = [0x43, 0xc7, 0x49];
  const [fault, zeroFault] = [BLOCK + 9n, BLOCK].map((address) => `15 0x${address.toString(16)}`);
  const results = (flags: number) => OPERATIONS.map((o) => trapOf(load, mapped(isa.xlen, flags), `${o} (a0)`));
  assertEquals(results(write), [undefined, undefined, undefined, undefined]);
  assertEquals(results(read), [undefined, undefined, undefined, zeroFault]);
  assertEquals(results(execute), [fault, fault, fault, zeroFault]);
});

hartTest("prefetches never trap", ISAS, (load) => {
  for (const text of ["prefetch.i 0(a0)", "prefetch.r 0(a0)", "prefetch.w 0(a0)"]) {
    assertEquals(trapOf(load, "li a0, 0x50000021", text), undefined);
  }
});

hartTest("without the extensions the operations are illegal", ["rv64imac", "rv32imac"], (load) => {
  for (const funct12 of [0, 1, 2, 4]) {
    const word = ((funct12 << 20) | (10 << 15) | (2 << 12) | 0x0f) >>> 0;
    assertEquals(trapOf(load, "", `.word ${word}`), `2 0x${word.toString(16)}`);
  }
});
