/**
 * What stands around a random program: it sets up registers and CSRs, and its trap handlers see to it that a run goes on
 * after whatever the program does. A handler skips an instruction that trapped; after a jump to nowhere it goes to where
 * `RECOVER` points; an interrupt it answers by disabling all of them. Trap handlers change t5 and t6.
 */
import { Assembler } from "../../vm/isa/assemble.ts";
import { registerName } from "../../vm/isa/names.ts";
import type { Isa } from "../../vm/isa/table.ts";

/** Where to go on after a jump to an address that cannot be fetched. */
export const RECOVER = 25;
/** Points to the middle of the scratch memory, a page boundary. */
export const SCRATCH = 26;
/** Counts down with each trap and each jump backwards; the program ends when it is used up. */
export const FUEL = 27;

/** Offsets from the start of RAM. The code lies below the scratch memory. */
export const FRAME = { scratch: 0x9000, codeMax: 0x6000, scratchBytes: 4096 } as const;

/** What varies from one frame to the next. */
export interface FrameOptions {
  readonly origin: bigint;
  /** x1..x31; those with a task of their own and t5, t6 are left out. */
  readonly registers: readonly bigint[];
  /** f0..f31 as far as an integer register can give them, where the ISA has them and FS lets the frame write them. */
  readonly floats: readonly bigint[];
  readonly fuel: number;
  /** Values of the CSRs that decide about traps. */
  readonly csrs: Readonly<Record<string, bigint>>;
  readonly vectored: boolean;
  /** How many bytes before the end of a page the program begins. */
  readonly beforePageEnd: number;
}

/** Code that runs before the program, and what its ends are. */
export interface Frame {
  /** Ends where the program begins. */
  readonly bytes: Uint8Array;
  /** An endless loop: the program has ended when pc is here. */
  readonly end: bigint;
}

/** Direct mode and vectored mode in one: entry 0 sorts, the others are interrupts (priv §3.1.7). */
function vector(name: string, trap: string, interrupt: string): string {
  return [`${name}:`, `j ${trap}`, ...Array.from({ length: 15 }, () => `j ${interrupt}`)].join("\n");
}

/** The handlers of one mode; `x` is `m` or `s`. */
function handlers(x: "m" | "s", onEcall: string): string {
  return `
    ${x}trap:   csrr t6, ${x}cause
            bltz t6, ${x}interrupt
            addi s11, s11, -1
            bltz s11, end
            addi t5, t6, -1
            beqz t5, ${x}recover        # instruction access fault
            addi t5, t6, -12
            beqz t5, ${x}recover        # instruction page fault
            ${onEcall}
    1:      csrr t5, ${x}epc
            lhu t6, 0(t5)
            andi t6, t6, 3
            addi t6, t6, -3
            addi t5, t5, 2
            bnez t6, 2f
            addi t5, t5, 2
    2:      csrw ${x}epc, t5
            ${x}ret
            j end                       # ${x}ret itself was skipped
    ${x}recover:
            csrw ${x}epc, s9
            ${x}ret
            j end
    ${x}interrupt:
            csrw ${x}ie, zero
            ${x}ret
            j end
  `;
}

/** An environment call from a lower mode comes back in M-mode. */
const ECALL_RAISES = `
            addi t5, t6, -8
            sltiu t5, t5, 2
            beqz t5, 1f
            li t5, 0x1800
            csrs mstatus, t5
`;

/** Makes a frame. */
export function programFrame(isa: Isa, options: FrameOptions): Frame {
  const assembler = new Assembler(isa);
  const set = options.registers.map((value, i) => ({ n: i + 1, value }))
    .filter(({ n }) => n < 30 && n !== RECOVER && n !== SCRATCH && n !== FUEL)
    .map(({ n, value }) => `li ${registerName(n)}, ${value}`);
  const move = isa.xlen === 64 && isa.extensions.includes("d") ? "fmv.d.x" : "fmv.w.x";
  const floats = options.floats.map((value, n) => `li t6, ${BigInt.asIntN(isa.xlen, value)}\n${move} f${n}, t6`);
  const csrs = Object.entries(options.csrs).map(([name, value]) => `li t6, ${value}\ncsrw ${name}, t6`);
  const text = `
            j start
            .align 6
    ${vector("mvector", "mtrap", "minterrupt")}
    ${vector("svector", "strap", "sinterrupt")}
    ${handlers("m", ECALL_RAISES)}
    ${handlers("s", "")}
    end:    j end
    start:  la t6, mvector
            addi t6, t6, ${options.vectored ? 1 : 0}
            csrw mtvec, t6
            la t6, svector
            addi t6, t6, ${options.vectored ? 1 : 0}
            csrw stvec, t6
            ${csrs.join("\n")}
            ${floats.join("\n")}
            la s9, end
            li s10, ${options.origin + BigInt(FRAME.scratch)}
            li s11, ${options.fuel}
            ${set.join("\n")}
            j body
            .align 2
    rest:
  `;
  const { bytes: { length } } = assembler.program(text + "\nbody:", options.origin);
  const pageEnd = Math.ceil((length + options.beforePageEnd) / 4096) * 4096;
  const { bytes, labels } = assembler.program(
    `${text}\n.zero ${pageEnd - options.beforePageEnd - length}\nbody:`,
    options.origin,
  );
  return { bytes, end: labels.get("end")! };
}
