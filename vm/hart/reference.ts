/**
 * The reference executor: every instruction done by its row, with BigInt, one at a time. Slow and obvious; every other
 * engine is compared with it, and leaves to it what emitted code cannot do.
 */
import { Privilege, RECORD, RecordFlag, RecordKind } from "../events.ts";
import type { Operands } from "../isa/format.ts";
import type { MemorySize, Sem, SystemOperation, Xlen } from "../isa/row.ts";
import { BitValues } from "./bit_values.ts";
import { CACHE_BLOCK } from "../isa/rv_zicbo.ts";
import { cacheBlock } from "./cache_block.ts";
import { csrPrivilege, csrReadOnly, MSTATUS } from "./csr.ts";
import { CSR, csrNamed } from "./csr_numbers.ts";
import { FloatLetters } from "./float_letters.ts";
import type { Hart } from "./hart.ts";
import { atomicPlace, fetchInstruction, loadHost, loadMemory, storeHost, storeMemory } from "./memory_access.ts";
import type { Fault } from "./memory_access.ts";
import { Access } from "./tlb.ts";
import { fenceTranslation } from "./translation_fence.ts";
import { Cause, returnFromTrap, takeTrap } from "./trap.ts";
import { countFence, countOrdered } from "./watching.ts";

const SIE = csrNamed("sie").number;
const FCSR = csrNamed("fcsr").number;
const FCSR_PARTS = ["fflags", "frm"].map((name) => csrNamed(name).number);
const FLOAT_STATE = [FCSR, ...FCSR_PARTS];

/** Does one instruction of one hart at a time. */
export class Reference extends FloatLetters implements Sem<bigint, boolean> {
  readonly xlen: Xlen;
  readonly bits: BitValues;
  readonly #hart: Hart;
  readonly #mask: bigint;
  #operands: Operands = { rd: 0, rs1: 0, rs2: 0, imm: 0 };
  #word = 0;
  #pc = 0n;
  #next = 0n;
  #trapped = false;
  /** CSRs that the running instruction has written; kept only while records are made. */
  readonly #written: number[] = [];

  constructor(hart: Hart) {
    super(hart);
    this.#hart = hart;
    this.xlen = hart.xlen;
    this.bits = new BitValues(hart.xlen);
    this.#mask = hart.mask;
  }

  /**
   * Does the instruction at the hart's pc; afterwards it has retired or trapped, and counts as one step. `fetched` is what
   * is there, if that is known.
   */
  step(fetched?: number): void {
    const hart = this.#hart;
    this.#trapped = false;
    this.#pc = hart.pc;
    const word = fetched ?? fetchInstruction(hart, this.#pc);
    this.#word = typeof word === "number" ? word : 0;
    const records = hart.records;
    if (records.active) {
      const step = hart.clock.steps + hart.clock.inSlice;
      records.openAt = records.begin(RecordKind.Retired, this.#pc, hart.privilege, hart.index, step);
      records.view.setUint32(records.openAt + RECORD.insn, this.#word, true);
    }
    if (typeof word === "number") this.#execute(word);
    else this.#fault(word);
    if (this.#trapped) hart.trapped++;
    else hart.pc = this.#next;
    hart.steps++;
    // After the step, as a counter that was written has its new value only then.
    for (const number of this.#written) this.#noteCsr(number);
    this.#written.length = 0;
    records.openAt = -1;
  }

  #execute(word: number): void {
    const decoded = this.#hart.decoder.decode(word);
    if (decoded === undefined) return this.#illegal();
    this.#operands = decoded.operands;
    this.#next = (this.#pc + BigInt(decoded.length)) & this.#mask;
    if (this.#record >= 0) this.#hart.records.view.setUint8(this.#record + RECORD.rd, decoded.operands.rd);
    decoded.base.run!(this);
  }

  // --- values ----------------------------------------------------------------------------------------------------

  rs1(): bigint {
    return this.#hart.x(this.#operands.rs1);
  }
  rs2(): bigint {
    return this.#hart.x(this.#operands.rs2);
  }
  imm(): bigint {
    return this.#wrap(BigInt(this.#operands.imm));
  }
  pc(): bigint {
    return this.#pc;
  }
  constant(value: number): bigint {
    return this.#wrap(BigInt(value));
  }
  #wrap(value: bigint): bigint {
    return value & this.#mask;
  }
  #signed(value: bigint): bigint {
    return BigInt.asIntN(this.xlen, value);
  }
  #amount(value: bigint): bigint {
    return value & BigInt(this.xlen - 1);
  }

  add(a: bigint, b: bigint): bigint {
    return this.#wrap(a + b);
  }
  sub(a: bigint, b: bigint): bigint {
    return this.#wrap(a - b);
  }
  and(a: bigint, b: bigint): bigint {
    return a & b;
  }
  or(a: bigint, b: bigint): bigint {
    return a | b;
  }
  xor(a: bigint, b: bigint): bigint {
    return a ^ b;
  }
  sll(a: bigint, amount: bigint): bigint {
    return this.#wrap(a << this.#amount(amount));
  }
  srl(a: bigint, amount: bigint): bigint {
    return a >> this.#amount(amount);
  }
  sra(a: bigint, amount: bigint): bigint {
    return this.#wrap(this.#signed(a) >> this.#amount(amount));
  }
  mul(a: bigint, b: bigint): bigint {
    return this.#wrap(a * b);
  }
  mulh(a: bigint, b: bigint): bigint {
    return this.#wrap((this.#signed(a) * this.#signed(b)) >> BigInt(this.xlen));
  }
  mulhsu(a: bigint, b: bigint): bigint {
    return this.#wrap((this.#signed(a) * b) >> BigInt(this.xlen));
  }
  mulhu(a: bigint, b: bigint): bigint {
    return (a * b) >> BigInt(this.xlen);
  }
  div(a: bigint, b: bigint): bigint {
    return b === 0n ? this.#mask : this.#wrap(this.#signed(a) / this.#signed(b));
  }
  divu(a: bigint, b: bigint): bigint {
    return b === 0n ? this.#mask : a / b;
  }
  rem(a: bigint, b: bigint): bigint {
    return b === 0n ? a : this.#wrap(this.#signed(a) % this.#signed(b));
  }
  remu(a: bigint, b: bigint): bigint {
    return b === 0n ? a : a % b;
  }
  sext(a: bigint, bits: 8 | 16 | 32): bigint {
    return this.#wrap(BigInt.asIntN(bits, a));
  }
  zext(a: bigint, bits: 8 | 16 | 32): bigint {
    return BigInt.asUintN(bits, a);
  }

  eq(a: bigint, b: bigint): boolean {
    return a === b;
  }
  ne(a: bigint, b: bigint): boolean {
    return a !== b;
  }
  lt(a: bigint, b: bigint): boolean {
    return this.#signed(a) < this.#signed(b);
  }
  ltu(a: bigint, b: bigint): boolean {
    return a < b;
  }
  ge(a: bigint, b: bigint): boolean {
    return this.#signed(a) >= this.#signed(b);
  }
  geu(a: bigint, b: bigint): boolean {
    return a >= b;
  }
  flag(condition: boolean): bigint {
    return condition ? 1n : 0n;
  }
  select(a: bigint, b: bigint, condition: boolean): bigint {
    return condition ? a : b;
  }
  let(value: bigint): () => bigint {
    return () => value;
  }

  // --- effects ---------------------------------------------------------------------------------------------------

  rd(value: bigint): void {
    if (this.#trapped) return;
    this.#hart.setX(this.#operands.rd, value);
    if (this.#record >= 0) {
      this.#hart.records.view.setBigUint64(this.#record + RECORD.value, value, true);
      this.#flag(RecordFlag.Rd);
    }
  }

  load(addr: bigint, size: MemorySize, extend: "signed" | "unsigned"): bigint {
    if (this.#trapped) return 0n;
    const value = loadMemory(this.#hart, addr, size);
    if (typeof value !== "bigint") {
      this.#fault(value);
      return 0n;
    }
    this.#noteAccess(RecordFlag.Load, addr, value, size);
    return extend === "signed" ? this.#wrap(BigInt.asIntN(size * 8, value)) : value;
  }

  store(addr: bigint, value: bigint, size: MemorySize): void {
    if (this.#trapped) return;
    const fault = storeMemory(this.#hart, addr, value, size);
    if (fault !== undefined) this.#fault(fault);
    else this.#noteAccess(RecordFlag.Store, addr, BigInt.asUintN(size * 8, value), size);
  }

  loadReserved(addr: bigint, size: 4 | 8): bigint {
    const host = atomicPlace(this.#hart, addr, size, Access.Load);
    if (typeof host !== "number") {
      this.#fault(host);
      return 0n;
    }
    this.#hart.reservation = lineOf(host);
    this.#order();
    const value = loadHost(this.#hart, host, size);
    this.#noteAccess(RecordFlag.Load, addr, value, size);
    return this.#wrap(BigInt.asIntN(size * 8, value));
  }

  storeConditional(addr: bigint, value: bigint, size: 4 | 8): bigint {
    const host = atomicPlace(this.#hart, addr, size, Access.Store);
    if (typeof host !== "number") {
      this.#fault(host);
      return 0n;
    }
    const holds = this.#hart.reservation === lineOf(host);
    this.#hart.clearReservation();
    this.#order();
    if (!holds) return 1n;
    storeHost(this.#hart, host, value, size);
    this.#noteAccess(RecordFlag.Store, addr, BigInt.asUintN(size * 8, value), size);
    return 0n;
  }

  amo(addr: bigint, size: 4 | 8, combine: (old: () => bigint) => bigint): void {
    const host = atomicPlace(this.#hart, addr, size, Access.Store);
    if (typeof host !== "number") return this.#fault(host);
    this.#order();
    const old = this.#wrap(BigInt.asIntN(size * 8, loadHost(this.#hart, host, size)));
    const value = combine(() => old);
    storeHost(this.#hart, host, value, size);
    this.#noteAccess(RecordFlag.Load | RecordFlag.Store, addr, BigInt.asUintN(size * 8, value), size);
    this.rd(old);
  }

  branch(condition: boolean): void {
    if (condition) this.#goTo(this.#wrap(this.#pc + this.imm()), false);
  }
  jumpRelative(): void {
    this.#goTo(this.#wrap(this.#pc + this.imm()), true);
  }
  jump(target: bigint): void {
    this.#goTo(target, true);
  }

  #goTo(target: bigint, link: boolean): void {
    if (target % BigInt(this.#hart.isa.ialign) !== 0n) {
      return this.#fault({ cause: Cause.InstructionMisaligned, tval: target });
    }
    if (link) this.rd(this.#next);
    this.#next = target;
  }

  fence(): void {
    if (this.#hart.events.watches.active) countFence(this.#hart, this.#operands.imm);
  }
  /** An atomic operation may order others. */
  #order(): void {
    if (this.#hart.events.watches.active) countOrdered(this.#hart, this.#operands.imm);
  }
  hint(): void {}

  csr(operation: "write" | "set" | "clear", source: "rs1" | "uimm"): void {
    const hart = this.#hart;
    const { rd, rs1, imm: number } = this.#operands;
    const row = hart.csrRow(number);
    const write = operation === "write" || rs1 !== 0;
    if (row === undefined || hart.privilege < csrPrivilege(number) || (write && csrReadOnly(number))) {
      return this.#illegal();
    }
    if (row.refused?.(hart, write)) return this.#illegal();
    const operand = source === "rs1" ? hart.x(rs1) : BigInt(rs1);
    const old = operation === "write" && rd === 0 ? 0n : row.read(hart);
    const status = hart.mstatus;
    if (write) {
      const current = operation === "write" ? 0n : row.modify?.(hart) ?? old;
      row.write?.(hart, operation === "clear" ? current & ~operand : current | operand);
    }
    this.rd(old);
    if (write && this.#record >= 0) {
      // A write through sie is told of both, as in Spike's commit log; one through sstatus only of mstatus.
      if (number === SIE) this.#written.push(number);
      // fcsr is its two parts; and what a write to them makes Dirty is told too.
      if (number === FCSR) this.#written.push(...FCSR_PARTS);
      else this.#written.push(row.partOf ?? number);
      if (FLOAT_STATE.includes(number) && hart.mstatus !== status) this.#written.push(CSR.mstatus);
    }
  }

  system(operation: SystemOperation): void {
    const hart = this.#hart;
    const below = hart.privilege < Privilege.M;
    switch (operation) {
      case "ecall":
        if (hart.privilege === Privilege.S && hart.environment !== undefined) {
          this.#next = hart.environment.call(hart) ?? this.#next;
          return;
        }
        return this.#trap(Cause.EcallFromU + hart.privilege, 0n);
      case "ebreak":
        return this.#trap(Cause.Breakpoint, this.#pc);
      case "mret":
      case "sret":
        if (!returnFromTrap(hart, operation)) return this.#illegal();
        this.#next = hart.pc;
        if (this.#record >= 0) this.#written.push(CSR.mstatus);
        return;
      case "wfi":
        if (hart.privilege === Privilege.U || (below && (hart.mstatus & MSTATUS.TW) !== 0n)) return this.#illegal();
        return hart.wait();
      case "wrs.nto":
        if (below && (hart.mstatus & MSTATUS.TW) !== 0n) return this.#illegal();
        return;
      case "wrs.sto":
        // Neither has to stall; a loop that polls goes on to be one.
        return;
      case "cbo.inval":
      case "cbo.clean":
      case "cbo.flush":
      case "cbo.zero": {
        const fault = cacheBlock(hart, operation, this.rs1());
        if (fault === "illegal") this.#illegal();
        else if (fault !== undefined) this.#fault(fault);
        else if (operation === "cbo.zero") {
          this.#noteAccess(RecordFlag.Store, this.rs1() & ~BigInt(CACHE_BLOCK - 1), 0n, CACHE_BLOCK);
        }
        return;
      }
      case "fence.i":
        // Decoded code follows memory at once, so there is nothing to forget (unpriv §6).
        return;
      case "sfence.vma":
      case "sinval.vma":
        if (hart.privilege === Privilege.U || hart.virtualMemoryTrapped) return this.#illegal();
        return this.#fenceTranslation();
      case "sfence.w.inval":
      case "sfence.inval.ir":
        // Each sinval.vma takes effect at once, so that there is nothing to order (Svinval).
        if (hart.privilege === Privilege.U) return this.#illegal();
    }
  }

  #fenceTranslation(): void {
    const { rs1, rs2 } = this.#operands;
    const virtual = this.rs1();
    const address = { low: Number(virtual & 0xffff_ffffn), high: Number(virtual >> 32n) };
    fenceTranslation(this.#hart, rs1 === 0 ? undefined : address, rs2 === 0 ? undefined : Number(this.rs2() & 0xffffn));
  }

  // --- what the floating-point letters ask ---------------------------------------------------------------------------

  protected override get operands(): Operands {
    return this.#operands;
  }
  protected override get trapped(): boolean {
    return this.#trapped;
  }
  protected override illegal(): void {
    this.#illegal();
  }
  protected override noteFloat(value: bigint): void {
    if (this.#record < 0) return;
    this.#hart.records.view.setBigUint64(this.#record + RECORD.value, value, true);
    this.#flag(RecordFlag.Rd | RecordFlag.Float);
  }
  protected override noteCsrs(numbers: readonly number[]): void {
    if (this.#record >= 0) this.#written.push(...numbers);
  }

  #illegal(): void {
    this.#trap(Cause.IllegalInstruction, BigInt(this.#word));
  }
  #fault(fault: Fault): void {
    this.#trap(fault.cause, fault.tval);
  }

  #trap(cause: number, tval: bigint): void {
    if (this.#trapped) return;
    this.#trapped = true;
    takeTrap(this.#hart, false, cause, tval);
    if (this.#record >= 0) this.#hart.records.trapped(this.#record, this.#hart, cause, tval);
  }

  // --- records ---------------------------------------------------------------------------------------------------

  /** Offset of the running instruction's record, or -1 when nobody reads records. */
  get #record(): number {
    return this.#hart.records.openAt;
  }

  #flag(flag: number): void {
    const view = this.#hart.records.view;
    const at = this.#record + RECORD.flags;
    view.setUint8(at, view.getUint8(at) | flag);
  }

  #noteAccess(flag: number, addr: bigint, data: bigint, size: MemorySize | typeof CACHE_BLOCK): void {
    if (this.#record < 0 || this.#trapped) return;
    const view = this.#hart.records.view;
    view.setBigUint64(this.#record + RECORD.addr, addr, true);
    view.setBigUint64(this.#record + RECORD.data, data, true);
    view.setUint8(this.#record + RECORD.size, size);
    this.#flag(flag);
  }

  #noteCsr(number: number): void {
    const hart = this.#hart;
    const step = hart.clock.steps + hart.clock.inSlice;
    const at = hart.records.begin(RecordKind.Csr, this.#pc, hart.privilege, hart.index, step);
    hart.records.view.setUint16(at + RECORD.csr, number, true);
    hart.records.view.setBigUint64(at + RECORD.value, hart.csr(number)!, true);
  }
}

function lineOf(host: number): number {
  return Math.floor(host / 64) * 64;
}
