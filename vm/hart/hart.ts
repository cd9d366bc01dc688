/**
 * A hart: its registers (kept in the machine's Memory, where every engine finds them), its CSRs and modes, its lines and
 * its traps. What executes instructions is an engine beside it.
 */
import type { Bus } from "../bus/bus.ts";
import type { Clock } from "../bus/clock.ts";
import type { IrqLine } from "../bus/irq.ts";
import type { GuestMemory } from "../bus/memory.ts";
import { Privilege } from "../events.ts";
import type { EventStream, TrapEvent } from "../events.ts";
import { Decoder } from "../isa/decode.ts";
import { Rounding } from "../isa/rounding.ts";
import type { Xlen } from "../isa/row.ts";
import type { Isa } from "../isa/table.ts";
import { Addressing } from "./addressing.ts";
import { CsrTable, type Interrupt, MSTATUS, statusWidths } from "./csr.ts";
import type { CsrRow } from "./csr.ts";
import { CSR, storedAt, storedCsrs } from "./csr_numbers.ts";
import { Counters } from "./counters.ts";
import { type Death, TrapWatch } from "./death.ts";
import type { CodeWatch, Environment, HartOptions } from "./hart_options.ts";
import { Interrupts } from "./interrupts.ts";
import { HART, LEVEL, NO_RESERVATION, NO_ROUNDING } from "./layout.ts";
import { RecordRing } from "./record_ring.ts";
import { SupervisorTimer } from "./supervisor_timer.ts";
import type { Tlb } from "./tlb.ts";

/** Where stored CSRs are in a hart's state, by number. */
const SLOTS: ReadonlyMap<number, number> = new Map(storedCsrs.map((name) => [CSR[name], storedAt(name)]));

/** One hart. */
export class Hart {
  /** Hart id. */
  readonly index: number;
  /** Its instructions. */
  readonly isa: Isa;
  /** Width of its registers in bits. */
  readonly xlen: Xlen;
  /** All ones, XLEN wide. */
  readonly mask: bigint;
  /** The memory it shares with the other harts. */
  readonly memory: GuestMemory;
  /** Where accesses outside memory go. */
  readonly bus: Bus;
  /** Where it tells what happens. */
  readonly events: EventStream;
  /** Virtual time. */
  readonly clock: Clock;
  /**
   * Host address of its state, see `moveState`.
   *
   * @internal
   */
  base: number;
  /**
   * Where high-rate records go.
   *
   * @internal
   */
  readonly records: RecordRing;
  /**
   * Decoder of its instructions.
   *
   * @internal
   */
  readonly decoder: Decoder;
  /**
   * What emitted code may access directly.
   *
   * @internal
   */
  readonly addressing: Addressing;
  /**
   * The TLB of `addressing`.
   *
   * @internal
   */
  readonly tlb: Tlb;
  /**
   * The timer of S-mode (Sstc).
   *
   * @internal
   */
  readonly timer: SupervisorTimer;
  /**
   * cycle and instret.
   *
   * @internal
   */
  readonly counters: Counters = new Counters(this);
  /** `mtime`, what the time CSR reads. */
  readonly time: () => bigint;
  /**
   * Set by an engine that keeps decoded code.
   *
   * @internal
   */
  code: CodeWatch | undefined = undefined;
  /**
   * Set where S-mode runs without firmware in M-mode.
   *
   * @internal
   */
  environment: Environment | undefined = undefined;
  /** Something changed that may make an interrupt takeable; engines look before the next instruction. */
  attention = true;
  /** Waiting in wfi. */
  waiting = false;
  /** Set when the guest cannot go on. */
  death: Death | undefined = undefined;
  /** Instructions retired or trapped by this hart. */
  steps = 0;
  /** Of these, trapped. */
  trapped = 0;
  /** The whole Memory, by host address. */
  readonly view: DataView<ArrayBuffer>;
  readonly #resetPc: bigint;
  readonly #u64: BigUint64Array;
  readonly #u32: Uint32Array;
  readonly #csrs: CsrTable;
  readonly #interrupts: Interrupts;
  readonly #trapWatch = new TrapWatch();

  /**
   * A hart at power-on.
   *
   * @internal
   */
  constructor(options: HartOptions) {
    this.index = options.index;
    this.isa = options.isa;
    this.xlen = options.isa.xlen;
    this.mask = (1n << BigInt(this.xlen)) - 1n;
    this.memory = options.memory;
    this.bus = options.bus;
    this.events = options.events;
    this.clock = options.clock;
    this.base = options.base;
    this.records = options.records;
    this.time = options.time;
    this.decoder = new Decoder(options.isa);
    this.#resetPc = options.resetPc;
    this.view = new DataView(options.memory.buffer);
    this.#u64 = new BigUint64Array(options.memory.buffer);
    this.#u32 = new Uint32Array(options.memory.buffer);
    this.#csrs = new CsrTable(this.xlen, this.isa.extensions);
    this.addressing = new Addressing({ ...options, updated: (host) => this.code?.written(host, 4) });
    this.tlb = this.addressing.tlb;
    this.timer = new SupervisorTimer(this);
    this.#interrupts = new Interrupts(this);
    options.memory.onWrite((addr, length) => this.#memoryWritten(addr, length));
    options.memory.onMap(() => this.tlb.flush());
    this.reset();
  }

  /** Power-on state (priv §3.4). */
  reset(): void {
    this.#u64.fill(0n, this.base / 8, (this.base + HART.bytes) / 8);
    this.#u32[(this.base + HART.index) / 4] = this.index;
    this.addressing.reset();
    this.timer.reset();
    this.privilege = Privilege.M;
    this.pc = this.#resetPc;
    this.attention = true;
    this.waiting = false;
    this.death = undefined;
    this.steps = this.trapped = 0;
    this.counters.reset();
    this.#trapWatch.reset();
    this.clearReservation();
    this.modeChanged();
    this.#floatChanged();
  }

  /**
   * Moves its state to another host address: to where emitted code, which serves all harts, expects the one that runs, and
   * back to its own place.
   *
   * @internal
   */
  moveState(to: number): void {
    if (to === this.base) return;
    this.#u32.copyWithin(to / 4, this.base / 4, (this.base + HART.bytes) / 4);
    this.base = to;
    this.tlb.state = to;
  }

  // --- registers -----------------------------------------------------------------------------------------------

  /** Register `n`, unsigned. */
  x(n: number): bigint {
    return this.#u64[(this.base + HART.x) / 8 + n]! & this.mask;
  }

  /** Writes register `n`; x0 stays 0. */
  setX(n: number, value: bigint): void {
    if (n !== 0) this.#u64[(this.base + HART.x) / 8 + n] = value & this.mask;
  }

  /** Floating-point register `n`: 64 bits, a narrower value NaN-boxed. */
  f(n: number): bigint {
    return this.#u64[(this.base + HART.f) / 8 + n]!;
  }

  /** Writes floating-point register `n`; whoever does this for the guest says `dirtyFloat` too. */
  setF(n: number, value: bigint): void {
    this.#u64[(this.base + HART.f) / 8 + n] = value;
  }

  /** Address of the next instruction. */
  get pc(): bigint {
    return this.#u64[(this.base + HART.pc) / 8]!;
  }
  set pc(value: bigint) {
    this.#u64[(this.base + HART.pc) / 8] = value & this.mask;
  }

  /**
   * Goes on behind an instruction of `length` bytes, without a BigInt.
   *
   * @internal
   */
  advance(length: number): void {
    const at = (this.base + HART.pc) >>> 2;
    const next = this.#u32[at]! + length;
    this.#u32[at] = next;
    if (next > 0xffff_ffff && this.xlen === 64) this.#u32[at + 1]!++;
  }

  /** The privilege mode it is in. */
  get privilege(): Privilege {
    return this.#u32[(this.base + HART.privilege) / 4] as Privilege;
  }
  set privilege(value: Privilege) {
    this.#u32[(this.base + HART.privilege) / 4] = value;
  }

  // --- floating-point state ----------------------------------------------------------------------------------------

  /** Accrued exceptions, `FFlag`s. */
  get fflags(): number {
    return this.#u32[(this.base + HART.fflags) / 4]!;
  }
  set fflags(flags: number) {
    this.#u32[(this.base + HART.fflags) / 4] = flags;
  }

  /** Dynamic rounding mode; 5 to 7 are reserved (unpriv §20.2). */
  get frm(): number {
    return this.#u32[(this.base + HART.frm) / 4]!;
  }
  set frm(mode: number) {
    this.#u32[(this.base + HART.frm) / 4] = mode;
    this.#floatChanged();
  }

  /** Whether floating-point instructions and CSRs may be used: the hart has them and FS is not Off (priv §3.1.6.6). */
  get floatOn(): boolean {
    return (this.mstatus & MSTATUS.FS) !== 0n;
  }

  /** Floating-point state has been written: FS becomes Dirty. False if it was. */
  dirtyFloat(): boolean {
    if ((this.mstatus & MSTATUS.FS) === MSTATUS.FS) return false;
    this.mstatus |= MSTATUS.FS;
    return true;
  }

  /** Tells emitted code by which mode to round, and whether it may compute at all. */
  #floatChanged(): void {
    const ready = (this.mstatus & MSTATUS.FS) === MSTATUS.FS;
    for (let rm = 0; rm < 8; rm++) {
      const mode = rm === Rounding.Dynamic ? this.frm : rm;
      const usable = ready && mode <= Rounding.NearestMax;
      this.view.setUint8(this.base + HART.rounding + rm, usable ? mode : NO_ROUNDING);
    }
  }

  // --- CSRs ----------------------------------------------------------------------------------------------------

  /**
   * The row of a CSR this hart has.
   *
   * @internal
   */
  csrRow(number: number): CsrRow | undefined {
    return this.#csrs.get(number);
  }

  /** What a CSR holds, without access checks; undefined if the hart has no such CSR. */
  csr(number: number): bigint | undefined {
    return this.csrRow(number)?.read(this);
  }

  /**
   * Host address of a CSR kept as plain storage, by its number.
   *
   * @internal
   */
  slotOf(number: number): number {
    return this.base + SLOTS.get(number)!;
  }

  /** A CSR kept as plain storage, by its number: one of `CSR`. */
  stored(number: number): bigint {
    return this.#u64[this.slotOf(number) / 8]!;
  }

  /** The low word of such a CSR, unsigned. */
  low(number: number): number {
    return this.#u32[this.slotOf(number) / 4]!;
  }

  /** Sets a CSR kept as plain storage, to exactly this value. */
  store(number: number, value: bigint): void {
    this.#u64[this.slotOf(number) / 8] = value;
  }

  /** mstatus without its constant fields. */
  get mstatus(): bigint {
    return this.stored(CSR.mstatus);
  }
  set mstatus(value: bigint) {
    const changed = (value ^ this.stored(CSR.mstatus)) & MSTATUS.FS;
    this.store(CSR.mstatus, value);
    if (changed !== 0n) this.#floatChanged();
  }

  /** mstatus as it reads through `mask`: the fields that are constants added, and SD. */
  statusFor(mask: bigint): bigint {
    const widths = statusWidths(this.xlen);
    const dirty = (this.mstatus & MSTATUS.FS) === MSTATUS.FS ? 1n << BigInt(this.xlen - 1) : 0n;
    return ((this.mstatus | widths) & mask | dirty) & this.mask;
  }

  /** misa: the width and the extensions as letters (priv §3.1.1). */
  get misa(): bigint {
    const letters = [...this.isa.extensions.filter((e) => e.length === 1), "s", "u"];
    const bits = letters.reduce((m, c) => m | (1n << BigInt(c.charCodeAt(0) - 97)), 0n);
    return ((this.xlen === 64 ? 2n : 1n) << BigInt(this.xlen - 2)) | bits;
  }

  // --- modes, interrupts, traps -----------------------------------------------------------------------------------

  /** Must follow every change of privilege or of the fields of mstatus that decide about addresses. */
  modeChanged(): void {
    this.#u32[(this.base + HART.tlb) / 4] = this.addressing.enter(this.privilege, this.low(CSR.mstatus));
    this.#u32[(this.base + HART.level) / 4] = this.addressing.flat ? LEVEL.flat : this.privilege;
    this.attention = true;
  }

  /** Must follow every change of satp and menvcfg. */
  translationChanged(): void {
    this.addressing.translateBy(this.stored(CSR.satp), this.stored(CSR.menvcfg));
  }

  /** Must follow every change of the PMP registers. */
  protectionChanged(): void {
    this.addressing.protectionChanged();
    this.modeChanged();
  }

  /** Whether mstatus.TVM keeps S-mode away from the registers and fences of address translation (priv §3.1.6.6). */
  get virtualMemoryTrapped(): boolean {
    return this.privilege === Privilege.S && (this.mstatus & MSTATUS.TVM) !== 0n;
  }

  /** mip as the guest reads it. */
  pending(): bigint {
    return BigInt(this.#interrupts.pending);
  }

  /**
   * The line that drives an interrupt-pending bit.
   *
   * @internal
   */
  line(interrupt: Interrupt): IrqLine {
    return this.#interrupts.line(interrupt);
  }

  /** Takes the interrupt that is due, if one is. Engines call it when `attention` is set, before an instruction. */
  takeInterrupt(): void {
    this.#interrupts.take();
  }

  /** Begins to wait for an interrupt (priv §3.3.3). */
  wait(): void {
    if (this.#interrupts.enabled !== 0) return;
    this.waiting = true;
    if (this.events.wants("wfi")) this.events.emit({ kind: "wfi", step: "wait" });
  }

  /** Ends waiting: an interrupt that mie enables is pending, whether or not it can be taken. */
  wake(): void {
    if (!this.waiting) return;
    this.waiting = false;
    if (this.events.wants("wfi")) this.events.emit({ kind: "wfi", step: "wake" });
  }

  /** Called for every trap taken: tells listeners, and sees when the guest can only trap for ever. */
  noteTrap(trap: Omit<TrapEvent, "kind">): void {
    if (this.events.wants("trap")) this.events.emit({ kind: "trap", ...trap });
    const mayBeSaved = (this.stored(CSR.mie) & ~this.stored(CSR.mideleg)) !== 0n;
    this.death ??= this.#trapWatch.note(trap, mayBeSaved);
  }

  /** The last trap taken. */
  get lastTrap(): Omit<TrapEvent, "kind"> | undefined {
    return this.#trapWatch.last;
  }

  // --- reservation, decoded code ------------------------------------------------------------------------------------

  /** Host address of the reserved line, or `NO_RESERVATION`. */
  get reservation(): number {
    return this.#u32[(this.base + HART.reservation) / 4]!;
  }
  set reservation(line: number) {
    this.#u32[(this.base + HART.reservation) / 4] = line;
  }

  /** Forgets the reserved line: the next store-conditional fails. */
  clearReservation(): void {
    this.reservation = NO_RESERVATION;
  }

  /** A device or loader wrote guest memory: what was decoded there, or reserved, is no more. */
  #memoryWritten(addr: number, length: number): void {
    const host = this.memory.host(addr, length);
    if (host < 0 || length === 0) return;
    this.code?.written(host, length);
    const line = this.reservation;
    if (line !== NO_RESERVATION && line < host + length && line + 64 > host) this.clearReservation();
  }
}
