/** Traps: causes, how one is taken, how a handler returns, and which interrupt goes first (priv §3.1, §3.3.2, §10.1). */
import { Privilege } from "../events.ts";
export { Cause } from "./cause.ts";
import { Interrupt, MSTATUS } from "./csr.ts";
import { CSR } from "./csr_numbers.ts";
import type { Hart } from "./hart.ts";

/** Taken in this order when several wait (priv §3.1.9). */
const PRIORITY: readonly Interrupt[] = [
  Interrupt.MEI,
  Interrupt.MSI,
  Interrupt.MTI,
  Interrupt.SEI,
  Interrupt.SSI,
  Interrupt.STI,
];

/** Where mstatus enables interrupts, in its low word. */
const MIE = Number(MSTATUS.MIE);
const SIE = Number(MSTATUS.SIE);

/** Of the interrupts that wait and that mie enables, bits of mip, the one to take now; undefined if none may be. */
export function nextInterrupt(hart: Hart, ready: number): Interrupt | undefined {
  const delegated = hart.low(CSR.mideleg);
  const status = hart.low(CSR.mstatus);
  const { privilege } = hart;
  const machine = privilege < Privilege.M || (status & MIE) !== 0;
  const supervisor = privilege < Privilege.S || (privilege === Privilege.S && (status & SIE) !== 0);
  const enabled = (machine ? ready & ~delegated : 0) || (supervisor ? ready & delegated : 0);
  if (enabled === 0) return undefined;
  return PRIORITY.find((i) => (enabled >>> i) & 1);
}

/**
 * Takes a trap at the hart's pc: saves state, changes mode, goes to the handler. `tval` is what mtval or stval gets.
 * A trap that can only repeat for ever is the guest's death, see `Hart.noteTrap`.
 */
export function takeTrap(hart: Hart, interrupt: boolean, cause: number, tval: bigint): void {
  const from = hart.privilege;
  const epc = hart.pc;
  const delegation = hart.stored(interrupt ? CSR.mideleg : CSR.medeleg);
  const to = from <= Privilege.S && (delegation >> BigInt(cause)) & 1n ? Privilege.S : Privilege.M;
  const supervisor = to === Privilege.S;
  const code = (interrupt ? 1n << BigInt(hart.xlen - 1) : 0n) | BigInt(cause);
  hart.store(supervisor ? CSR.sepc : CSR.mepc, epc & hart.mask);
  hart.store(supervisor ? CSR.scause : CSR.mcause, code);
  hart.store(supervisor ? CSR.stval : CSR.mtval, tval & hart.mask);
  hart.mstatus = supervisor ? stackSupervisor(hart.mstatus, from) : stackMachine(hart.mstatus, from);
  const vector = hart.stored(supervisor ? CSR.stvec : CSR.mtvec);
  const base = vector & ~3n;
  const handler = (interrupt && (vector & 1n) !== 0n ? base + 4n * BigInt(cause) : base) & hart.mask;
  hart.privilege = to;
  hart.modeChanged();
  hart.clearReservation();
  hart.pc = handler;
  hart.attention = true;
  hart.noteTrap({ interrupt, cause, tval, epc, from, to, handler });
}

/** mstatus on a trap into M-mode (priv §3.1.6.1). */
function stackMachine(status: bigint, from: Privilege): bigint {
  const next = status & ~(MSTATUS.MPP | MSTATUS.MPIE | MSTATUS.MIE);
  return next | (BigInt(from) << 11n) | ((status & MSTATUS.MIE) !== 0n ? MSTATUS.MPIE : 0n);
}

/** mstatus on a trap into S-mode (priv §10.1.1). */
function stackSupervisor(status: bigint, from: Privilege): bigint {
  const next = status & ~(MSTATUS.SPP | MSTATUS.SPIE | MSTATUS.SIE);
  return next | (from === Privilege.S ? MSTATUS.SPP : 0n) | ((status & MSTATUS.SIE) !== 0n ? MSTATUS.SPIE : 0n);
}

/** mret or sret; false if it is illegal here (priv §3.3.2). */
export function returnFromTrap(hart: Hart, instruction: "mret" | "sret"): boolean {
  const status = hart.mstatus;
  if (instruction === "mret") {
    if (hart.privilege < Privilege.M) return false;
    const to = Number((status & MSTATUS.MPP) >> 11n) as Privilege;
    let next = status & ~(MSTATUS.MIE | MSTATUS.MPP) | MSTATUS.MPIE;
    if ((status & MSTATUS.MPIE) !== 0n) next |= MSTATUS.MIE;
    if (to !== Privilege.M) next &= ~MSTATUS.MPRV;
    finishReturn(hart, instruction, next, to, hart.stored(CSR.mepc));
    return true;
  }
  if (hart.privilege < Privilege.S) return false;
  if (hart.privilege === Privilege.S && (status & MSTATUS.TSR) !== 0n) return false;
  const to = (status & MSTATUS.SPP) !== 0n ? Privilege.S : Privilege.U;
  let next = status & ~(MSTATUS.SIE | MSTATUS.SPP | MSTATUS.MPRV) | MSTATUS.SPIE;
  if ((status & MSTATUS.SPIE) !== 0n) next |= MSTATUS.SIE;
  finishReturn(hart, instruction, next, to, hart.stored(CSR.sepc));
  return true;
}

function finishReturn(hart: Hart, instruction: "mret" | "sret", status: bigint, to: Privilege, target: bigint): void {
  if (hart.events.wants("trap-return")) hart.events.emit({ kind: "trap-return", instruction, target, to });
  hart.mstatus = status;
  hart.privilege = to;
  hart.modeChanged();
  hart.pc = target;
  hart.attention = true;
}
