/**
 * What an instruction is: one row with its encoding, its assembly text, where it is defined, and what it does. Decoder,
 * disassembler, assembler, every engine and the tests' generators are users of the same rows.
 */
import type { BitSem } from "./bit_sem.ts";
import type { FloatSem } from "./float_sem.ts";
import type { Format, Operands } from "./format.ts";

/** Width of the integer registers in bits. */
export type Xlen = 32 | 64;

/** Width of a memory access in bytes. */
export type MemorySize = 1 | 2 | 4 | 8;

/** What only the privileged architecture can do; engines leave it to the hart. */
export type SystemOperation =
  | "ecall"
  | "ebreak"
  | "mret"
  | "sret"
  | "wfi"
  | "fence.i"
  | "sfence.vma"
  | "sinval.vma"
  | "sfence.w.inval"
  | "sfence.inval.ir"
  | "wrs.nto"
  | "wrs.sto"
  | CacheBlockOperation;

/** What may be done to the cache block whose address is in rs1. */
export type CacheBlockOperation = "cbo.inval" | "cbo.clean" | "cbo.flush" | "cbo.zero";

/**
 * The alphabet that instructions are written in. `V` is a value of XLEN bits and `B` a truth value; what they are is
 * the user's affair: bigints for the reference executor, WebAssembly code for the engines.
 *
 * Two rules make one text serve both: every value is used exactly once and in the order in which it was made (an
 * emitter writes stack code as it goes); what is needed twice goes through `let`. Effects (`rd`, `store`, `branch`,
 * ...) come after every operand has been read. An effect that traps ends the instruction: what follows has no effect.
 */
export interface Sem<V, B> extends FloatSem<V, B> {
  readonly xlen: Xlen;
  /** Letters of bit manipulation. */
  readonly bits: BitSem<V>;

  rs1(): V;
  rs2(): V;
  /** The immediate, sign-extended as its format says. */
  imm(): V;
  /** Address of this instruction. */
  pc(): V;
  constant(value: number): V;

  add(a: V, b: V): V;
  sub(a: V, b: V): V;
  and(a: V, b: V): V;
  or(a: V, b: V): V;
  xor(a: V, b: V): V;
  /** Shifts; the amount counts modulo XLEN. */
  sll(a: V, amount: V): V;
  srl(a: V, amount: V): V;
  sra(a: V, amount: V): V;
  mul(a: V, b: V): V;
  /** High half of the product: signed, signed × unsigned, unsigned. */
  mulh(a: V, b: V): V;
  mulhsu(a: V, b: V): V;
  mulhu(a: V, b: V): V;
  /** Division as RISC-V defines it, by zero and on overflow too (unpriv §M). */
  div(a: V, b: V): V;
  divu(a: V, b: V): V;
  rem(a: V, b: V): V;
  remu(a: V, b: V): V;
  /** The low `bits` bits, sign- or zero-extended to XLEN. */
  sext(a: V, bits: 8 | 16 | 32): V;
  zext(a: V, bits: 8 | 16 | 32): V;

  eq(a: V, b: V): B;
  ne(a: V, b: V): B;
  lt(a: V, b: V): B;
  ltu(a: V, b: V): B;
  ge(a: V, b: V): B;
  geu(a: V, b: V): B;
  /** 1 or 0. */
  flag(condition: B): V;
  /** `a` if the condition holds, else `b`. */
  select(a: V, b: V, condition: B): V;
  /** Names a value so that it can be used more than once. */
  let(value: V): () => V;

  /** Writes the destination register. */
  rd(value: V): void;
  load(addr: V, size: MemorySize, extend: "signed" | "unsigned"): V;
  store(addr: V, value: V, size: MemorySize): void;
  /** Load-reserved; sign-extended. */
  loadReserved(addr: V, size: 4 | 8): V;
  /** Store-conditional; 0 if it stored, 1 if not. */
  storeConditional(addr: V, value: V, size: 4 | 8): V;
  /** Reads memory, writes what `combine` makes of it (old value sign-extended), and puts the old value into rd. */
  amo(addr: V, size: 4 | 8, combine: (old: () => V) => V): void;

  /** Goes to pc + imm if the condition holds. */
  branch(condition: B): void;
  /** Goes to pc + imm, and puts the next instruction's address into rd. */
  jumpRelative(): void;
  /** Goes to `target`, and puts the next instruction's address into rd. */
  jump(target: V): void;

  /** Reads the CSR named by the immediate into rd and changes it; no write for set or clear with x0 or a zero immediate. */
  csr(operation: "write" | "set" | "clear", source: "rs1" | "uimm"): void;
  /** Orders memory accesses; engines execute in order, so that only listeners notice. */
  fence(): void;
  /** Advice that nobody takes. */
  hint(): void;
  system(operation: SystemOperation): void;
}

/** What kind of work an instruction does: trace filters and statistics go by it. */
export type InstructionClass =
  | "alu"
  | "muldiv"
  | "load"
  | "store"
  | "branch"
  | "jump"
  | "atomic"
  | "float"
  | "csr"
  | "fence"
  | "system";

/** All classes, for option parsing and help. */
export const instructionClasses: readonly InstructionClass[] = [
  "alu",
  "muldiv",
  "load",
  "store",
  "branch",
  "jump",
  "atomic",
  "float",
  "csr",
  "fence",
  "system",
];

/** One instruction. */
export interface Row {
  readonly name: string;
  /** The word from its highest bit down, as the manual draws it: `0`, `1`, and `.` for operand bits; blanks are free. */
  readonly bits: string;
  readonly format: Format;
  /** Operands in assembly text; see `disassemble.ts` for the words. */
  readonly asm: string;
  readonly class: InstructionClass;
  /** Where it is defined, e.g. `unpriv §2.4.1`. */
  readonly spec: string;
  /** Only for this XLEN; absent means both. */
  readonly xlen?: Xlen;
  /** Only where the ISA has this extension too. */
  readonly needs?: string;
  /** True for operands that mean another instruction or a reserved encoding. */
  readonly except?: (operands: Operands, xlen: Xlen) => boolean;
  /** A compressed instruction does what this one does with the same operands. */
  readonly as?: string;
  /** What it does; absent only where `as` says it. */
  run?<V, B>(s: Sem<V, B>): void;
}

/** Rows that belong together, by the name under which an ISA string asks for them. */
export interface Extension {
  readonly name: string;
  readonly rows: readonly Row[];
  /** What the words of its rows end in, see {@linkcode opcodeOf}, where its rows are made only when they are needed. */
  readonly opcodes?: readonly string[];
}

/** An extension whose rows are made when the first of them is: hardly one before a guest's first instruction. */
export function extension(name: string, opcodes: readonly string[], make: () => readonly Row[]): Extension {
  let rows: readonly Row[] | undefined;
  return {
    name,
    opcodes,
    get rows(): readonly Row[] {
      return rows ??= make();
    },
  };
}

/** What the words of a row end in: bits 6..0 of 32-bit ones, 1..0 of compressed ones (unpriv §1.5). */
export function opcodeOf({ bits }: Row): string {
  return bits.slice(bits.endsWith("11") ? -7 : -2);
}

/** Opcodes of what is loaded, stored, computed and fused in floating point (unpriv §34). */
export const FLOAT_OPCODES: readonly string[] = [
  "0000111",
  "0100111",
  "1010011",
  "1000011",
  "1000111",
  "1001011",
  "1001111",
];

/** Opcodes of compressed instructions (unpriv §26.8). */
export const QUADRANTS = ["00", "01", "10"] as const;
