/**
 * Accesses to CSRs that are bits of a stored one (`CsrRow.bits`), as WebAssembly: what an interrupt handler or a critical
 * section does all the time stays in translated code. The number of the register is known when the code is emitted, so
 * that what cannot be needed is not there. See `docs/decisions/0007_csrs_in_translated_code.md`.
 */
import { csrPrivilege, csrReadOnly, MSTATUS, statusWidths } from "../hart/csr.ts";
import { CSR } from "../hart/csr_numbers.ts";
import type { Hart } from "../hart/hart.ts";
import { HART } from "../hart/layout.ts";
import type { Decoded } from "../isa/decode.ts";
import type { Xlen } from "../isa/row.ts";
import { type FunctionBody, Op } from "./wasm.ts";

/** A register as emitted code sees it: values are XLEN wide. */
export interface CsrCode {
  /** Host address of the stored register. */
  readonly at: number;
  /** What is read: these bits of it, and these that are always set. */
  readonly read: bigint;
  readonly constant: bigint;
  /** What a write changes. */
  readonly write: bigint;
  /** mstatus only: the bits that emitted code may change; and reading needs SD. */
  readonly free?: bigint;
  /** Bits that enable interrupts. */
  readonly enables?: bigint;
  /** The lowest privilege mode that may access it. */
  readonly privilege: number;
}

/** How emitted code does this access to a CSR; undefined where only the hart can. */
export function csrCode(hart: Hart, { base, operands }: Decoded): CsrCode | undefined {
  const number = operands.imm;
  const bits = base.class === "csr" ? hart.csrRow(number)?.bits : undefined;
  if (bits === undefined || csrReadOnly(number)) return undefined;
  const read = bits.read(hart);
  const code = {
    at: hart.slotOf(CSR[bits.of]),
    read,
    constant: bits.free === undefined ? 0n : statusWidths(hart.xlen) & read,
    write: bits.write(hart),
    privilege: csrPrivilege(number),
  };
  return {
    ...code,
    ...(bits.free !== undefined && { free: bits.free }),
    ...(bits.enables !== undefined && { enables: bits.enables }),
  };
}

/** What an emitter must have for it. */
export interface CsrEmitter {
  readonly f: FunctionBody;
  readonly xlen: Xlen;
  /** Host address of the hart's state. */
  readonly hart: number;
  /** Two locals of XLEN bits that are free. */
  readonly old: number;
  readonly next: number;
  /** Puts rs1 on the stack. */
  rs1(): void;
  /** Takes the value on the stack as rd. */
  rd(): void;
  /** Leaves if the i32 on the stack is not 0, before anything of the instruction has been done. */
  leaveIf(): void;
  /** An interrupt may be due after the instruction if the i32 on the stack is not 0: leaves, or has the hart look. */
  dueIf(): void;
}

/** Emits one access. `immediate` is the operand of csrrwi and the like, `rd` whether the register is read. */
export function emitCsr(
  e: CsrEmitter,
  code: CsrCode,
  operation: "write" | "set" | "clear",
  { immediate, writes, rd }: { readonly immediate: number | undefined; readonly writes: boolean; readonly rd: boolean },
): void {
  const { f, xlen } = e;
  const wide = xlen === 64;
  const constant = (value: bigint) => wide ? f.i64(BigInt.asIntN(64, value)) : f.i32(Number(BigInt.asIntN(32, value)));
  const op = (name: "And" | "Or" | "Xor") => f.op(wide ? Op[`I64${name}`] : Op[`I32${name}`]);
  const test = () => wide && f.op(Op.I32WrapI64);
  f.i32(0).memory(wide ? Op.I64Load : Op.I32Load, code.at).set(e.old);
  if (writes) {
    // What is written of the operand; the rest of the register stays.
    if (immediate === undefined) {
      e.rs1();
      constant(code.write);
      op("And");
    } else constant(BigInt(immediate) & code.write);
    if (operation === "set") {
      f.get(e.old);
      op("Or");
    } else if (operation === "clear") {
      constant(-1n);
      op("Xor");
      f.get(e.old);
      op("And");
    } else {
      f.get(e.old);
      constant(~code.write);
      op("And");
      op("Or");
    }
    f.set(e.next);
    if (code.free !== undefined) statusCheck(code.free);
    if (code.enables !== undefined && operation !== "clear") interruptCheck(code.enables);
    f.i32(0).get(e.next).memory(wide ? Op.I64Store : Op.I32Store, code.at);
  }
  if (rd) {
    f.get(e.old);
    constant(code.read);
    op("And");
    if (code.free !== undefined) statusConstants();
    e.rd();
  }

  /** Leaves where more changes than where interrupts are enabled. */
  function statusCheck(free: bigint): void {
    const operand = BigInt(immediate ?? -1) & code.write;
    if (operation !== "write" && (operand & ~free) === 0n) return;
    f.get(e.old).get(e.next);
    op("Xor");
    constant(~free);
    op("And");
    // Bits above 31 are constants, so that their change is no change.
    test();
    e.leaveIf();
  }

  /** An interrupt may be due where a bit is set that was not: of mstatus if one is ready, of mie whichever it is. */
  function interruptCheck(enables: bigint): void {
    f.get(e.next).get(e.old);
    constant(-1n);
    op("Xor");
    op("And");
    constant(enables);
    op("And");
    test();
    if (code.free !== undefined) f.i32(0).i32(0).memory(Op.I32Load, e.hart + HART.ready).op(Op.Select);
    e.dueIf();
  }

  /** The constant fields, and SD: FS is Dirty. */
  function statusConstants(): void {
    constant(code.constant);
    op("Or");
    f.get(e.old);
    constant(MSTATUS.FS);
    op("And");
    constant(MSTATUS.FS);
    f.op(wide ? Op.I64Eq : Op.I32Eq);
    if (wide) f.op(Op.I64ExtendI32U).i64(63).op(Op.I64Shl);
    else f.i32(31).op(Op.I32Shl);
    op("Or");
  }
}
