/**
 * A supervisor execution environment inside the VM, so that a kernel runs without firmware (SBI 2.0: base, TIME, IPI,
 * RFENCE, HSM, SRST, DBCN, and the legacy extension). It is not in guest memory: an environment call from S-mode is done
 * here, as one instruction.
 */
import type { GuestMemory } from "../bus/memory.ts";
import { CSR } from "../hart/csr_numbers.ts";
import type { Hart } from "../hart/hart.ts";
import type { Environment } from "../hart/hart_options.ts";
import { loadMemory } from "../hart/memory_access.ts";
import { hartSet } from "./hart_set.ts";
import { HartStates } from "./hart_states.ts";
import { Extension, Implementation, Reset, SbiError } from "./numbers.ts";
import { SbiTimer } from "./timer.ts";

/** mip.SSIP. */
const SSIP = 1n << 1n;
/** Bytes of one console call; a caller asks again for the rest (sbi §12.1). */
const CONSOLE_MAX = 1 << 16;

const NEVER = (1n << 64n) - 1n;

const REG = { a0: 10, a1: 11, a2: 12, a3: 13, a6: 16, a7: 17 } as const;

/** How a guest ended the run. */
export type SbiEnd = "pass" | "fail" | "reset";

/** What the environment needs of the machine. */
export interface SbiOptions {
  readonly harts: readonly Hart[];
  readonly memory: GuestMemory;
  /** The machine's console. */
  readonly console: {
    write(bytes: Uint8Array): void;
    /** Up to `max` bytes that have come; empty when there are none. */
    read(max: number): Uint8Array;
  };
  /** Called for a system reset. */
  readonly end: (how: SbiEnd, code: number) => void;
}

/** What a call gives back: an error code and a value (sbi §3); `next` is where the hart goes on, if not behind the call. */
interface Result {
  readonly error: number;
  readonly value?: bigint;
  readonly next?: bigint;
}

const OK: Result = { error: SbiError.SUCCESS };
const value = (value: bigint): Result => ({ error: SbiError.SUCCESS, value });
const failed = (error: SbiError): Result => ({ error });

/** One function of an extension, by its number. */
type Call = (hart: Hart) => Result;

/** The environment. */
export class Sbi implements Environment {
  readonly #options: SbiOptions;
  readonly #states: HartStates;
  #timers: readonly SbiTimer[] = [];
  /** Functions by number, by extension. */
  readonly #extensions: ReadonlyMap<number, readonly Call[]>;

  constructor(options: SbiOptions) {
    this.#options = options;
    this.#states = new HartStates(options.harts);
    this.#extensions = new Map([
      [Extension.BASE, this.#base()],
      [Extension.TIME, [(hart) => this.#setTimer(hart)]],
      [Extension.IPI, [(hart) => this.#sendIpi(this.#set(hart, REG.a0))]],
      [Extension.RFENCE, this.#fences()],
      [Extension.HSM, this.#hsm()],
      [Extension.SRST, [(hart) => this.#reset(Number(low(hart, REG.a0)), Number(low(hart, REG.a1)))]],
      [Extension.DBCN, this.#console()],
    ]);
  }

  /** Power-on: hart 0 enters S-mode at `entry` with the device tree's address in a1; the others wait for hart_start. */
  start(entry: number, fdt: number): void {
    this.#timers = this.#options.harts.map((hart) => new SbiTimer(hart));
    for (const hart of this.#options.harts) hart.environment = this;
    this.#states.reset();
    // Nobody has asked for an interrupt yet.
    for (const timer of this.#timers) timer.set(NEVER);
    const error = this.#states.start(0n, BigInt(entry), BigInt(fdt));
    if (error !== SbiError.SUCCESS) throw new Error(`sbi: hart 0 cannot start at ${entry}: error ${error}`);
  }

  /** Does the call that a hart makes from S-mode; gives where it goes on, if not behind the call. */
  call(hart: Hart): bigint | undefined {
    const extension = Number(low(hart, REG.a7));
    if (extension <= Extension.LEGACY_SHUTDOWN) {
      const result = this.#legacy(hart, extension);
      if (result !== undefined) hart.setX(REG.a0, BigInt.asUintN(hart.xlen, result));
      return undefined;
    }
    const found = this.#extensions.get(extension)?.[Number(low(hart, REG.a6))];
    const { error, value, next } = found === undefined ? failed(SbiError.NOT_SUPPORTED) : found(hart);
    if (next === undefined) {
      hart.setX(REG.a0, BigInt.asUintN(hart.xlen, BigInt(error)));
      hart.setX(REG.a1, value ?? 0n);
    }
    return next;
  }

  // --- base (sbi §4) -------------------------------------------------------------------------------------------------

  #base(): readonly Call[] {
    const csr = (number: number): Call => (hart) => value(hart.csr(number) ?? 0n);
    return [
      () => value(BigInt(Implementation.SPEC_VERSION)),
      () => value(BigInt(Implementation.ID)),
      () => value(BigInt(Implementation.VERSION)),
      (hart) => {
        const id = Number(low(hart, REG.a0));
        return value(id <= Extension.LEGACY_SHUTDOWN || this.#extensions.has(id) ? 1n : 0n);
      },
      csr(0xf11), // mvendorid
      csr(0xf12), // marchid
      csr(0xf13), // mimpid
    ];
  }

  // --- timer, interrupts, fences (sbi §6 to §8) ----------------------------------------------------------------------

  /** A 64-bit argument: in two registers on RV32 (sbi §3). */
  #setTimer(hart: Hart): Result {
    const when = hart.xlen === 64 ? hart.x(REG.a0) : hart.x(REG.a0) | (hart.x(REG.a1) << 32n);
    this.#timers[hart.index]!.set(when);
    return OK;
  }

  #set(hart: Hart, mask: number): readonly Hart[] | undefined {
    return hartSet(this.#options.harts, hart.x(mask), hart.x(mask + 1), hart.xlen);
  }

  #sendIpi(harts: readonly Hart[] | undefined): Result {
    if (harts === undefined) return failed(SbiError.INVALID_PARAM);
    for (const hart of harts) {
      hart.store(CSR.mip, hart.stored(CSR.mip) | SSIP);
      hart.attention = true;
    }
    return OK;
  }

  /** fence.i needs nothing: decoded code follows memory. A TLB is small enough to forget all of it. */
  #fences(): readonly Call[] {
    const fence: Call = (hart) => this.#fenceTranslation(this.#set(hart, REG.a0));
    return [(hart) => this.#set(hart, REG.a0) === undefined ? failed(SbiError.INVALID_PARAM) : OK, fence, fence];
  }

  #fenceTranslation(harts: readonly Hart[] | undefined): Result {
    if (harts === undefined) return failed(SbiError.INVALID_PARAM);
    for (const hart of harts) hart.addressing.tlb.flushTranslated();
    return OK;
  }

  // --- harts (sbi §9) ------------------------------------------------------------------------------------------------

  #hsm(): readonly Call[] {
    const states = this.#states;
    return [
      (hart) => ({ error: states.start(hart.x(REG.a0), hart.x(REG.a1), hart.x(REG.a2)) }),
      (hart) => {
        states.stop(hart);
        return OK;
      },
      (hart) => {
        const state = states.status(hart.x(REG.a0));
        return state === undefined ? failed(SbiError.INVALID_PARAM) : value(BigInt(state));
      },
      (hart) => {
        const next = states.suspend(hart, Number(low(hart, REG.a0)), hart.x(REG.a1), hart.x(REG.a2));
        if (next === undefined) return OK;
        return typeof next === "bigint" ? { error: SbiError.SUCCESS, next } : failed(next);
      },
    ];
  }

  // --- reset, console (sbi §10, §12) -----------------------------------------------------------------------------------

  #reset(type: number, reason: number): Result {
    const known = type <= Reset.WARM_REBOOT && reason <= Reset.SYSTEM_FAILURE;
    if (!known) return failed(SbiError.INVALID_PARAM);
    if (type !== Reset.SHUTDOWN) this.#options.end("reset", 0);
    else if (reason === Reset.NO_REASON) this.#options.end("pass", 0);
    else this.#options.end("fail", 1);
    return OK;
  }

  #console(): readonly Call[] {
    const { memory, console } = this.#options;
    /** The buffer of a call, by its length and its physical address. */
    const buffer = (hart: Hart, write: boolean): Uint8Array | undefined => {
      const length = hart.x(REG.a0);
      const addr = hart.x(REG.a1) + (hart.xlen === 32 ? hart.x(REG.a2) << 32n : 0n);
      if (hart.xlen === 64 && hart.x(REG.a2) !== 0n) return undefined;
      if (!memory.contains(Number(addr), Number(length), write)) return undefined;
      return memory.bytes(Number(addr), Math.min(Number(length), CONSOLE_MAX), write);
    };
    return [
      (hart) => {
        const bytes = buffer(hart, false);
        if (bytes === undefined) return failed(SbiError.INVALID_PARAM);
        if (bytes.length > 0) console.write(bytes.slice());
        return value(BigInt(bytes.length));
      },
      (hart) => {
        const bytes = buffer(hart, true);
        if (bytes === undefined) return failed(SbiError.INVALID_PARAM);
        const read = console.read(bytes.length);
        bytes.set(read);
        memory.wrote(Number(hart.x(REG.a1)), read.length);
        return value(BigInt(read.length));
      },
      (hart) => {
        console.write(Uint8Array.of(Number(low(hart, REG.a0) & 0xffn)));
        return OK;
      },
    ];
  }

  // --- legacy (sbi §5) -------------------------------------------------------------------------------------------------

  /** What goes to a0; undefined where nothing does. */
  #legacy(hart: Hart, call: number): bigint | undefined {
    const { console, end } = this.#options;
    switch (call) {
      case Extension.LEGACY_SET_TIMER:
        this.#setTimer(hart);
        return 0n;
      case Extension.LEGACY_CONSOLE_PUTCHAR:
        console.write(Uint8Array.of(Number(hart.x(REG.a0) & 0xffn)));
        return 0n;
      case Extension.LEGACY_CONSOLE_GETCHAR:
        return BigInt(console.read(1)[0] ?? -1);
      case Extension.LEGACY_CLEAR_IPI:
        hart.store(CSR.mip, hart.stored(CSR.mip) & ~SSIP);
        return 0n;
      case Extension.LEGACY_SEND_IPI:
        return this.#legacyMask(hart, (harts) => this.#sendIpi(harts));
      case Extension.LEGACY_REMOTE_FENCE_I:
        return this.#legacyMask(hart, () => OK);
      case Extension.LEGACY_REMOTE_SFENCE_VMA:
      case Extension.LEGACY_REMOTE_SFENCE_VMA_ASID:
        return this.#legacyMask(hart, (harts) => this.#fenceTranslation(harts));
      default:
        end("pass", 0);
        return undefined;
    }
  }

  /** Legacy calls find the mask of harts at a virtual address; 0 stands for all of them. */
  #legacyMask(hart: Hart, act: (harts: readonly Hart[]) => Result): bigint {
    const addr = hart.x(REG.a0);
    if (addr === 0n) return BigInt(act(this.#options.harts).error);
    const mask = loadMemory(hart, addr, hart.xlen === 64 ? 8 : 4);
    const harts = typeof mask === "bigint" ? hartSet(this.#options.harts, mask, 0n, hart.xlen) : undefined;
    return BigInt(harts === undefined ? SbiError.INVALID_PARAM : act(harts).error);
  }
}

/** The low word of a register: numbers of calls and types are 32 bits wide. */
function low(hart: Hart, register: number): bigint {
  return hart.x(register) & 0xffff_ffffn;
}
