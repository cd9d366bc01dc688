import { Privilege } from "../events.ts";
import { MENVCFG } from "../hart/csr_memory.ts";
import { CSR, csrNamed } from "../hart/csr_numbers.ts";
import type { Hart } from "../hart/hart.ts";
import { HartState, SbiError, Suspend } from "./numbers.ts";

/** Interrupts that S-mode takes itself: software, timer, external (priv §3.1.9). */
const S_INTERRUPTS = (1n << 1n) | (1n << 5n) | (1n << 9n);
/** Every exception but the environment call from S-mode: nobody is in M-mode to take one. */
const S_EXCEPTIONS = 0xffff_ffffn & ~(1n << 9n);
/** One PMP entry that allows everything: NAPOT over all addresses (priv §3.7.1). */
const PMP_ALL = 0x1fn;
const ALL = (1n << 64n) - 1n;
/** mstatus.FS: dirty, as OpenSBI leaves it. */
const FS = 3n << 13n;

/** menvcfg: cache-block instructions, page-based memory types and the timer; not ADUE, which S-mode would have to ask for. */
const ENVIRONMENT = MENVCFG.CBIE | MENVCFG.CBCFE | MENVCFG.CBZE | MENVCFG.PBMTE | MENVCFG.STCE;

/** scounteren: cycle, time and instret, as OpenSBI allows U-mode. */
const USER_COUNTERS = 7n;

const REG = { a0: 10, a1: 11 } as const;

/** Writes a CSR as M-mode would: fields that the hart does not have stay as they are. */
function write(hart: Hart, name: string, value: bigint): void {
  const { number } = csrNamed(name);
  hart.csrRow(number)?.write?.(hart, value & hart.mask);
}

/** The harts as the HSM extension knows them (sbi §9): which of them run, and how one begins. */
export class HartStates {
  readonly #harts: readonly Hart[];
  readonly #states: HartState[];

  constructor(harts: readonly Hart[]) {
    this.#harts = harts;
    this.#states = harts.map(() => HartState.STOPPED);
  }

  /** Power-on: every hart is made ready for S-mode, and waits to be started. */
  reset(): void {
    this.#harts.forEach((hart, i) => {
      delegate(hart);
      this.#states[i] = HartState.STOPPED;
      park(hart);
    });
  }

  /** hart_start: the hart enters S-mode at `address`, with its id in a0 and `opaque` in a1. */
  start(id: bigint, address: bigint, opaque: bigint): SbiError {
    const hart = id < BigInt(this.#harts.length) ? this.#harts[Number(id)] : undefined;
    if (hart === undefined) return SbiError.INVALID_PARAM;
    if (this.#states[hart.index] !== HartState.STOPPED) return SbiError.ALREADY_AVAILABLE;
    if (!hart.memory.contains(Number(address), 2)) return SbiError.INVALID_ADDRESS;
    this.#states[hart.index] = HartState.STARTED;
    enter(hart, address, opaque);
    hart.waiting = false;
    hart.attention = true;
    return SbiError.SUCCESS;
  }

  /** hart_stop, by the hart itself. */
  stop(hart: Hart): void {
    this.#states[hart.index] = HartState.STOPPED;
    park(hart);
  }

  /** hart_get_status. */
  status(id: bigint): HartState | undefined {
    const hart = id < BigInt(this.#harts.length) ? this.#harts[Number(id)] : undefined;
    if (hart === undefined) return undefined;
    const state = this.#states[hart.index]!;
    return state === HartState.SUSPENDED && !hart.waiting ? HartState.STARTED : state;
  }

  /**
   * hart_suspend, by the hart itself: it waits for an interrupt as by wfi. Without retention it goes on at `address`; gives
   * that address, or undefined where it goes on behind the call.
   */
  suspend(hart: Hart, kind: number, address: bigint, opaque: bigint): SbiError | bigint | undefined {
    if (kind !== Suspend.RETENTIVE && kind !== Suspend.NON_RETENTIVE) return SbiError.INVALID_PARAM;
    const keeps = kind === Suspend.RETENTIVE;
    if (!keeps && !hart.memory.contains(Number(address), 2)) return SbiError.INVALID_ADDRESS;
    this.#states[hart.index] = HartState.SUSPENDED;
    if (!keeps) enter(hart, address, opaque);
    hart.wait();
    return keeps ? undefined : address;
  }
}

/** What M-mode firmware sets up once per hart, so that S-mode does everything itself. */
function delegate(hart: Hart): void {
  write(hart, "medeleg", S_EXCEPTIONS);
  write(hart, "mideleg", S_INTERRUPTS);
  write(hart, "mcounteren", ALL);
  // Kernels leave it as firmware does, and their programs read the time.
  write(hart, "scounteren", USER_COUNTERS);
  write(hart, "menvcfg", ENVIRONMENT);
  if (hart.xlen === 32) write(hart, "menvcfgh", ENVIRONMENT >> 32n);
  write(hart, "pmpaddr0", ALL);
  write(hart, "pmpcfg0", PMP_ALL);
  write(hart, "mstatus", hart.mstatus | FS);
}

/** S-mode begins: translation off, interrupts off (sbi §9.1). */
function enter(hart: Hart, address: bigint, opaque: bigint): void {
  write(hart, "satp", 0n);
  write(hart, "sstatus", hart.mstatus & ~2n);
  hart.privilege = Privilege.S;
  hart.modeChanged();
  hart.pc = address;
  hart.setX(REG.a0, BigInt(hart.index));
  hart.setX(REG.a1, opaque);
  hart.clearReservation();
}

/** The hart does nothing until it is started: no interrupt is enabled that would wake it. */
function park(hart: Hart): void {
  hart.store(CSR.mie, 0n);
  hart.waiting = true;
  hart.attention = false;
}
