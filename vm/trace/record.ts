/**
 * High-rate records read as 32-bit words: what every reader in this room shares. The words come in the host's byte
 * order, which is little endian wherever Deno or a browser runs.
 */
import { RECORD, RecordKind } from "../events.ts";
import type { Privilege } from "../events.ts";

/** Words per record. */
export const RECORD_WORDS: number = RECORD.bytes / 4;

/** Word indexes of the fields that begin on a word; a u64 is two words, the low one first. */
export const WORD: Readonly<Record<"pc" | "insn" | "head" | "value" | "addr" | "data" | "step" | "tail", number>> = {
  pc: RECORD.pc / 4,
  insn: RECORD.insn / 4,
  /** kind, flags, privilege and rd, one byte each from the lowest. */
  head: RECORD.kind / 4,
  value: RECORD.value / 4,
  addr: RECORD.addr / 4,
  data: RECORD.data / 4,
  step: RECORD.step / 4,
  /** size and hart, a byte each, and csr above them. */
  tail: RECORD.size / 4,
};

/** Shifts of the parts of the words `head` and `tail`. */
export const SHIFT: Readonly<Record<"flags" | "privilege" | "rd" | "hart" | "csr", number>> = {
  flags: (RECORD.flags - RECORD.kind) * 8,
  privilege: (RECORD.privilege - RECORD.kind) * 8,
  rd: (RECORD.rd - RECORD.kind) * 8,
  hart: (RECORD.hart - RECORD.size) * 8,
  csr: (RECORD.csr - RECORD.size) * 8,
};

/** Bit of a trapped record's `csr` field that marks an interrupt; the rest is the cause code. */
export const TRAP_INTERRUPT = 0x8000;

/** Whether the record at word `at` is an interrupt taken. */
export function isInterrupt(words: Int32Array, at: number): boolean {
  const trapped = (words[at + WORD.head]! & 0xff) === RecordKind.Trapped;
  return trapped && ((words[at + WORD.tail]! >>> SHIFT.csr) & TRAP_INTERRUPT) !== 0;
}

/** Code of the illegal-instruction exception (priv §3.1.15). */
const ILLEGAL_INSTRUCTION = 2;

/**
 * Whether the record at word `at` has an instruction: not an interrupt, nor a fetch that faulted. A word of 0 is one
 * where it was tried: 16 zero bits are a defined illegal instruction (unpriv §26.5).
 */
export function hasInstruction(words: Int32Array, at: number): boolean {
  if ((words[at + WORD.head]! & 0xff) === RecordKind.Retired) return true;
  if (isInterrupt(words, at)) return false;
  return words[at + WORD.insn] !== 0 || words[at + WORD.tail]! >>> SHIFT.csr === ILLEGAL_INSTRUCTION;
}

/** Letters of the privilege modes by number (priv §1.2). */
export const PRIVILEGE_LETTERS = "USHM";

/** Name of a privilege mode: `M`, `S`, `U`. */
export function privilegeName(privilege: Privilege): string {
  return PRIVILEGE_LETTERS[privilege]!;
}

/** The records of a batch as words. */
export function recordWords(view: DataView<ArrayBuffer>, count: number): Int32Array<ArrayBuffer> {
  return new Int32Array(view.buffer, view.byteOffset, count * RECORD_WORDS);
}

/** A u64 field as an unsigned bigint; for slow paths. */
export function wordPair(words: Int32Array, at: number): bigint {
  return BigInt(words[at]! >>> 0) | (BigInt(words[at + 1]! >>> 0) << 32n);
}

/** A u64 field as a number: exact below 2^53, which steps never reach. */
export function wordNumber(words: Int32Array, at: number): number {
  return (words[at]! >>> 0) + (words[at + 1]! >>> 0) * 0x1_0000_0000;
}

/** Thrown for a batch that begins inside an instruction: the emitter broke the layout's promise. */
export function refuseTornBatch(): never {
  throw new Error("trace: a batch begins with a CSR record, expected the record of the instruction it belongs to");
}
