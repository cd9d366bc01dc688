/**
 * Control and status registers (priv §2, §3.1, §10.1): one row per register a hart has, with how it reads and which bits
 * a write may change; its number is the one that `vm/isa/csr_names.ts` has for the name. A number without a row is
 * illegal; so is a write to a read-only number or an access from a privilege below the one that the number encodes.
 */
import { Privilege } from "../events.ts";
import { memoryCsrRows } from "./csr_memory.ts";
import { CSR, csrNamed, type StoredCsr } from "./csr_numbers.ts";
import type { Hart } from "./hart.ts";

/** A CSR's behaviour. Values are unsigned and XLEN wide. */
export interface CsrRow {
  readonly number: number;
  readonly name: string;
  readonly spec: string;
  /** Only on harts of this XLEN. */
  readonly xlen?: 32;
  /** Only on harts with this extension. */
  readonly extension?: string;
  read(hart: Hart): bigint;
  /** Absent: writes are ignored (the register is read-only zero or a constant, WARL). */
  write?(hart: Hart, value: bigint): void;
  /** The register whose bits this one shows, where it is only a view. */
  readonly partOf?: number;
  /** For read-modify-write, where the value to modify is not the value read (mip, priv §3.1.9). */
  modify?(hart: Hart): bigint;
  /** What emitted code may do without the hart; read and write do the same. */
  readonly bits?: CsrBits;
  /** Whether the access is refused now although the number allows it (counters, TVM). */
  refused?(hart: Hart, write: boolean): boolean;
}

/** A register that is bits of a stored one. */
export interface CsrBits {
  readonly of: StoredCsr;
  /** The bits that are read; where they are mstatus, as `Hart.statusFor` does. */
  readonly read: (hart: Hart) => bigint;
  /** The bits that a write changes. */
  readonly write: (hart: Hart) => bigint;
  /** mstatus only: of these, the ones whose change means nothing but that an interrupt may be taken now. */
  readonly free?: bigint;
  /** Of these, the ones that enable interrupts: one may be taken once they are set. */
  readonly enables?: bigint;
}

/** Bits of mstatus (priv §3.1.6). */
export const MSTATUS: Readonly<Record<StatusField, bigint>> = {
  SIE: 1n << 1n,
  MIE: 1n << 3n,
  SPIE: 1n << 5n,
  MPIE: 1n << 7n,
  SPP: 1n << 8n,
  MPP: 3n << 11n,
  FS: 3n << 13n,
  MPRV: 1n << 17n,
  SUM: 1n << 18n,
  MXR: 1n << 19n,
  TVM: 1n << 20n,
  TW: 1n << 21n,
  TSR: 1n << 22n,
  UXL: 3n << 32n,
  SXL: 3n << 34n,
};

type StatusField =
  | "SIE"
  | "MIE"
  | "SPIE"
  | "MPIE"
  | "SPP"
  | "MPP"
  | "FS"
  | "MPRV"
  | "SUM"
  | "MXR"
  | "TVM"
  | "TW"
  | "TSR"
  | "UXL"
  | "SXL";

/** Interrupt numbers: bits of mip and mie, and causes (priv §3.1.9). */
export const Interrupt = { SSI: 1, MSI: 3, STI: 5, MTI: 7, SEI: 9, MEI: 11 } as const;
export type Interrupt = typeof Interrupt[keyof typeof Interrupt];

const bit = (n: number): bigint => 1n << BigInt(n);
const S_INTERRUPTS = bit(Interrupt.SSI) | bit(Interrupt.STI) | bit(Interrupt.SEI);
const M_INTERRUPTS = bit(Interrupt.MSI) | bit(Interrupt.MTI) | bit(Interrupt.MEI);

/**
 * Exceptions that may be delegated: all but ecall from M, and a misaligned fetch only where instructions are 4-byte
 * aligned, as what cannot occur should be read-only zero (priv §3.1.8).
 */
const delegable = (hart: Hart): bigint => hart.isa.ialign === 4 ? 0xb3ffn : 0xb3fen;

const MSTATUS_WRITABLE = MSTATUS.SIE | MSTATUS.MIE | MSTATUS.SPIE | MSTATUS.MPIE | MSTATUS.SPP | MSTATUS.MPP |
  MSTATUS.MPRV | MSTATUS.SUM | MSTATUS.MXR | MSTATUS.TVM | MSTATUS.TW | MSTATUS.TSR;
/** FS can be written where there is a floating-point unit (priv §3.1.6.6). */
const fs = (hart: Hart): bigint => hart.isa.extensions.includes("f") ? MSTATUS.FS : 0n;
/** Where interrupts are enabled, and what traps stack of that: no field that decides about addresses. */
const INTERRUPT_STACK = MSTATUS.SIE | MSTATUS.MIE | MSTATUS.SPIE | MSTATUS.MPIE | MSTATUS.SPP;
const SSTATUS = MSTATUS.SIE | MSTATUS.SPIE | MSTATUS.SPP | MSTATUS.SUM | MSTATUS.MXR;

/** Fields of mstatus that are constants: UXL and SXL are 64 bits. */
export function statusWidths(xlen: 32 | 64): bigint {
  return xlen === 64 ? (2n << 32n) | (2n << 34n) : 0n;
}

/** Changes mstatus within `mask`; an MPP that names no mode keeps its old value (WARL). */
function writeStatus(hart: Hart, value: bigint, mask: bigint): void {
  let next = (hart.mstatus & ~mask) | (value & mask);
  if ((next & MSTATUS.MPP) >> 11n === 2n) next = (next & ~MSTATUS.MPP) | (hart.mstatus & MSTATUS.MPP);
  hart.mstatus = next;
  hart.modeChanged();
}

type Behaviour = Omit<CsrRow, "number" | "name" | "spec" | "xlen">;

/** The row of the register called `name`. */
function row(name: string, spec: string, behaviour: Behaviour): CsrRow {
  const { number, rv32 } = csrNamed(name);
  return { number, name, spec, ...(rv32 && { xlen: 32 }), ...behaviour };
}

/** A register that keeps the bits of `mask` and nothing else. */
function stored(name: StoredCsr, spec: string, mask: (hart: Hart) => bigint): CsrRow {
  const number = CSR[name];
  return row(name, spec, {
    read: (hart) => hart.stored(number),
    write: (hart, value) => hart.store(number, value & mask(hart)),
    bits: { of: name, read: mask, write: mask },
  });
}

/** mstatus, or what it shows as sstatus: the fields in `read`, of which those in `write` can be written. */
function status(name: string, spec: string, read: (hart: Hart) => bigint, write: bigint): CsrRow {
  const mask = (hart: Hart) => write | fs(hart);
  return row(name, spec, {
    partOf: CSR.mstatus,
    read: (hart) => hart.statusFor(read(hart)),
    write: (hart, value) => writeStatus(hart, value, mask(hart)),
    bits: { of: "mstatus", read, write: mask, free: INTERRUPT_STACK, enables: MSTATUS.SIE | MSTATUS.MIE },
  });
}

/** A register that always reads the same; writes are ignored where the number allows them. */
function constant(name: string, spec: string, value: (hart: Hart) => bigint): CsrRow {
  return row(name, spec, { read: value });
}

const all = (hart: Hart): bigint => hart.mask;
/** Program counters in CSRs: bit 0 is always 0, bit 1 too where instructions are 4-byte aligned (priv §3.1.14). */
const epc = (hart: Hart): bigint => hart.mask & ~BigInt(hart.isa.ialign - 1);
/** Trap vectors: direct or vectored mode only (priv §3.1.7). */
const tvec = (hart: Hart): bigint => hart.mask & ~2n;

/** Whether a counter may be read here (priv §3.1.11, §10.1.5). */
function counterRefused(index: number): (hart: Hart) => boolean {
  return (hart) => {
    const allowed = (csr: number) => (hart.stored(csr) >> BigInt(index)) & 1n;
    if (hart.privilege < Privilege.M && allowed(CSR.mcounteren) === 0n) return true;
    return hart.privilege === Privilege.U && allowed(CSR.scounteren) === 0n;
  };
}

const LOW = 0xffff_ffffn;

function machineCounter(name: "cycle" | "instret"): CsrRow[] {
  return [
    row(`m${name}`, "priv §3.1.10", {
      read: (hart) => hart.counters.value(name) & hart.mask,
      write: (hart, value) =>
        hart.counters.set(name, hart.xlen === 32 ? (hart.counters.value(name) & ~LOW) | value : value),
    }),
    row(`m${name}h`, "priv §3.1.10", {
      read: (hart) => hart.counters.value(name) >> 32n,
      write: (hart, value) => hart.counters.set(name, (hart.counters.value(name) & LOW) | (value << 32n)),
    }),
  ];
}

/** `index` is the counter's bit in mcounteren. */
function userCounter(name: string, index: number, value: (hart: Hart) => bigint): CsrRow[] {
  const refused = counterRefused(index);
  return [
    row(name, "unpriv §8.1", { read: (hart) => value(hart) & hart.mask, refused }),
    row(`${name}h`, "unpriv §8.1", { read: (hart) => value(hart) >> 32n, refused }),
  ];
}

/** Floating-point state (unpriv §20.2): illegal while FS is Off, as it always is without F; a write makes FS Dirty. */
function floatState(name: string, read: (hart: Hart) => number, write: (hart: Hart, value: number) => void): CsrRow {
  return row(name, "unpriv §20.2", {
    refused: (hart) => !hart.floatOn,
    read: (hart) => BigInt(read(hart)),
    write: (hart, value) => {
      write(hart, Number(value & 0xffn));
      hart.dirtyFloat();
    },
  });
}

const zero = (): bigint => 0n;

/** Counters 3..31 exist and count nothing (priv §3.1.10). */
function idleCounters(): CsrRow[] {
  return Array.from({ length: 29 }, (_, i) => i + 3).flatMap((n): CsrRow[] => [
    constant(`mhpmcounter${n}`, "priv §3.1.10", zero),
    constant(`mhpmcounter${n}h`, "priv §3.1.10", zero),
    constant(`mhpmevent${n}`, "priv §3.1.10", zero),
    ...userCounter(`hpmcounter${n}`, n, zero),
  ]);
}

/** mie and mideleg: what they change decides about interrupts at once. */
function interruptMask(name: "mie" | "mideleg", spec: string, mask: bigint): CsrRow {
  const number = CSR[name];
  return row(name, spec, {
    read: (hart) => hart.stored(number),
    write: (hart, value) => {
      hart.store(number, value & mask);
      hart.attention = true;
    },
    // What is not delegated any more is M-mode's: clearing a bit of mideleg enables too.
    ...(name === "mie" && { bits: { of: name, read: () => mask, write: () => mask, enables: mask } }),
  });
}

/** The many registers that a program's first instructions hardly use: their rows are made when one is looked for. */
let seldom: readonly CsrRow[] | undefined;
const seldomRows = (): readonly CsrRow[] => seldom ??= [...memoryCsrRows(), ...idleCounters()];

let often: readonly CsrRow[] | undefined;
const oftenRows = (): readonly CsrRow[] => often ??= makeOftenRows();

/** Every CSR of a hart. */
export function csrRows(): readonly CsrRow[] {
  return [...oftenRows(), ...seldomRows()];
}

const makeOftenRows = (): CsrRow[] => [
  floatState("fflags", (hart) => hart.fflags, (hart, value) => hart.fflags = value & 31),
  floatState("frm", (hart) => hart.frm, (hart, value) => hart.frm = value & 7),
  floatState("fcsr", (hart) => hart.frm << 5 | hart.fflags, (hart, value) => {
    hart.fflags = value & 31;
    hart.frm = value >> 5;
  }),
  ...userCounter("cycle", 0, (hart) => hart.counters.value("cycle")),
  ...userCounter("time", 1, (hart) => hart.time()),
  ...userCounter("instret", 2, (hart) => hart.counters.value("instret")),
  status("sstatus", "priv §10.1.1", () => SSTATUS | MSTATUS.FS | MSTATUS.UXL, SSTATUS),
  row("sie", "priv §10.1.3", {
    partOf: CSR.mie,
    read: (hart) => hart.stored(CSR.mie) & hart.stored(CSR.mideleg),
    write: (hart, value) => {
      const delegated = hart.stored(CSR.mideleg);
      hart.store(CSR.mie, (hart.stored(CSR.mie) & ~delegated) | (value & delegated & S_INTERRUPTS));
      hart.attention = true;
    },
  }),
  stored("stvec", "priv §10.1.2", tvec),
  stored("scounteren", "priv §10.1.5", () => LOW),
  stored("sscratch", "priv §10.1.6", all),
  stored("sepc", "priv §10.1.7", epc),
  stored("scause", "priv §10.1.8", all),
  stored("stval", "priv §10.1.9", all),
  row("sip", "priv §10.1.3", {
    partOf: CSR.mip,
    read: (hart) => hart.pending() & hart.stored(CSR.mideleg),
    modify: (hart) => hart.stored(CSR.mip) & hart.stored(CSR.mideleg),
    write: (hart, value) => {
      const mask = hart.stored(CSR.mideleg) & bit(Interrupt.SSI);
      hart.store(CSR.mip, (hart.stored(CSR.mip) & ~mask) | (value & mask));
      hart.attention = true;
    },
  }),
  constant("mvendorid", "priv §3.1.2", zero),
  constant("marchid", "priv §3.1.3", zero),
  constant("mimpid", "priv §3.1.4", zero),
  constant("mhartid", "priv §3.1.5", (hart) => BigInt(hart.index)),
  constant("mconfigptr", "priv §3.1.17", zero),
  status("mstatus", "priv §3.1.6", (hart) => hart.mask, MSTATUS_WRITABLE),
  constant("mstatush", "priv §3.1.6", zero),
  constant("misa", "priv §3.1.1", (hart) => hart.misa),
  stored("medeleg", "priv §3.1.8", delegable),
  interruptMask("mideleg", "priv §3.1.8", S_INTERRUPTS),
  interruptMask("mie", "priv §3.1.9", S_INTERRUPTS | M_INTERRUPTS),
  stored("mtvec", "priv §3.1.7", tvec),
  stored("mcounteren", "priv §3.1.11", () => LOW),
  row("mcountinhibit", "priv §3.1.12", {
    read: (hart) => hart.stored(CSR.mcountinhibit),
    write: (hart, value) => hart.counters.inhibit(value & 5n),
  }),
  stored("mscratch", "priv §3.1.13", all),
  stored("mepc", "priv §3.1.14", epc),
  stored("mcause", "priv §3.1.15", all),
  stored("mtval", "priv §3.1.16", all),
  row("mip", "priv §3.1.9", {
    read: (hart) => hart.pending(),
    modify: (hart) => hart.stored(CSR.mip),
    write: (hart, value) => {
      // STIP is the timer's where Sstc is on: read-only (Sstc §2.3).
      hart.store(CSR.mip, value & (hart.timer.enabled ? S_INTERRUPTS & ~bit(Interrupt.STI) : S_INTERRUPTS));
      hart.attention = true;
    },
  }),
  ...machineCounter("cycle"),
  ...machineCounter("instret"),
  // No trigger: tselect reads 0 and tdata1 says that trigger 0 does not exist (debug §5.7).
  ...["tselect", "tdata1", "tdata2", "tdata3"].map((name) => constant(name, "debug §5.7", zero)),
];

/** Rows by number for one XLEN and what there is of the extensions that some of them need. */
export function csrTable(xlen: 32 | 64, extensions: readonly string[] = []): ReadonlyMap<number, CsrRow> {
  return tableOf(csrRows(), xlen, extensions);
}

function tableOf(rows: readonly CsrRow[], xlen: 32 | 64, extensions: readonly string[]): ReadonlyMap<number, CsrRow> {
  const table = new Map<number, CsrRow>();
  for (const row of rows) {
    if (row.xlen !== undefined && row.xlen !== xlen) continue;
    if (row.extension === undefined || extensions.includes(row.extension)) table.set(row.number, row);
  }
  return table;
}

/** What `csrTable` gives, made no sooner than it is needed: every start waits for the first register. */
export class CsrTable {
  readonly #xlen: 32 | 64;
  readonly #extensions: readonly string[];
  #often: ReadonlyMap<number, CsrRow> | undefined;
  #seldom: ReadonlyMap<number, CsrRow> | undefined;

  constructor(xlen: 32 | 64, extensions: readonly string[]) {
    this.#xlen = xlen;
    this.#extensions = extensions;
  }

  /** The row of a register; undefined if there is none. */
  get(number: number): CsrRow | undefined {
    this.#often ??= tableOf(oftenRows(), this.#xlen, this.#extensions);
    const row = this.#often.get(number);
    if (row !== undefined) return row;
    this.#seldom ??= tableOf(seldomRows(), this.#xlen, this.#extensions);
    return this.#seldom.get(number);
  }
}

/** The privilege a CSR number asks for (priv §2.1). */
export function csrPrivilege(number: number): number {
  return (number >> 8) & 3;
}

/** Whether a CSR number is read-only (priv §2.1). */
export function csrReadOnly(number: number): boolean {
  return (number >> 10) === 3;
}
