/** Short assembly programs on a bare hart: what most tests of harts are made of. */
import { assertEquals } from "@std/assert";
import type { TrapEvent } from "../../vm/events.ts";
import type { Hart } from "../../vm/hart/hart.ts";
import { Assembler, type Program } from "../../vm/isa/assemble.ts";
import { csrNumber } from "../../vm/isa/csr_names.ts";
import { registerNumber } from "../../vm/isa/names.ts";
import { type Isa, parseIsa } from "../../vm/isa/table.ts";
import { BARE, BareMachine, type EngineName, engineNames } from "./engine.ts";

/** A trap as tests compare it. */
export type Trap = Omit<TrapEvent, "kind">;

/** A program that ends in a loop at its label `done`, on a machine. */
export class GuestProgram {
  readonly isa: Isa;
  readonly machine: BareMachine;
  readonly hart: Hart;
  /** Every trap taken. */
  readonly traps: Trap[] = [];
  readonly #program: Program;

  /** Assembles `text` to the start of RAM. */
  constructor(engine: EngineName, isa: Isa, text: string) {
    this.isa = isa;
    this.machine = new BareMachine(engine, isa);
    this.hart = this.machine.hart;
    this.#program = new Assembler(isa).program(text, BigInt(BARE.ram));
    this.machine.load(this.#program.bytes);
    this.machine.events.on("trap", ({ kind: _, ...trap }) => this.traps.push(trap));
  }

  /** Address of a label. */
  at(label: string): bigint {
    const address = this.#program.labels.get(label);
    if (address === undefined) throw new RangeError(`the program has no label ${label}`);
    return address;
  }

  /** A register by its name. */
  x(name: string): bigint {
    return this.hart.x(registerNumber(name)!);
  }

  /** A CSR by its name. */
  csr(name: string): bigint {
    return this.hart.csr(csrNumber(name)!)!;
  }

  /** Bytes of memory as a little-endian number. */
  memory(address: bigint, size: number): bigint {
    const bytes = this.machine.memory.bytes(Number(address), size)!;
    return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  /** Runs to `done`; fails if it is not there after `steps`. */
  run(steps = 2000): this {
    this.machine.run(steps);
    assertEquals(`0x${this.hart.pc.toString(16)}`, `0x${this.at("done").toString(16)}`, "pc is not at done");
    return this;
  }
}

/** Makes programs for one engine and ISA. */
export type Load = (text: string) => GuestProgram;

/** Both widths, with compressed instructions. */
export const WIDTHS = ["rv64imac", "rv32imac"] as const;

/** What a test of harts is made of: its name, the ISAs, and what to do with each of them and each engine. */
export type HartTest = readonly [name: string, isas: readonly string[], body: (load: Load, isa: Isa) => void];

/** The tests that a `HartTest` stands for. */
export function hartTests(...[name, isas, body]: HartTest): Deno.TestDefinition[] {
  return isas.flatMap((isaName) => {
    const isa = parseIsa(isaName);
    return engineNames.map((engine) => ({
      name: `${name} (${isaName}, ${engine})`,
      fn: () => body((text) => new GuestProgram(engine, isa, text), isa),
    }));
  });
}

/** The exceptions a program took, as `cause tval`, with labels for known addresses. */
export function causes(program: GuestProgram): string[] {
  return program.traps.map((t) => `${t.interrupt ? "interrupt " : ""}${t.cause} 0x${t.tval.toString(16)}`);
}

/**
 * A trap handler in M-mode that counts in s0, keeps mcause, mepc and mtval of the last trap in s1, s2 and s3, and goes on
 * after the instruction; `trap_init` sets it up. It uses t5 and t6.
 */
export const SKIPPING_HANDLER = `
            .align 2
    trap:   addi s0, s0, 1
            csrr s1, mcause
            csrr s2, mepc
            csrr s3, mtval
            lhu t5, 0(s2)
            andi t5, t5, 3
            addi t5, t5, -3
            addi t6, s2, 2
            bnez t5, 1f
            addi t6, t6, 2
    1:      csrw mepc, t6
            li t5, 0x1800               # back to M-mode
            csrs mstatus, t5
            mret
`;

/** Enters a mode at the label `to`: 0 is U, 1 is S. Uses t6. */
export function enter(mode: 0 | 1, to: string): string {
  return `
            li t6, 0x1800
            csrc mstatus, t6
            li t6, ${mode << 11}
            csrs mstatus, t6
            la t6, ${to}
            csrw mepc, t6
            mret
  `;
}
