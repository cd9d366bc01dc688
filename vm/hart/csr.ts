/**
 * Control and status registers (priv §2, §3.1, §10.1): one row per register with its number, how it reads and which
 * bits a write may change. A number without a row is illegal; so is a write to a read-only number or an access from a
 * privilege below the one that the number encodes.
 */
import { Privilege } from "../events.ts";
import type { Hart } from "./hart.ts";

/** A CSR's behaviour. Values are unsigned and XLEN wide. */
export interface CsrRow {
  readonly number: number;
  readonly name: string;
  readonly spec: string;
  /** Only on harts of this XLEN. */
  readonly xlen?: 32;
  read(hart: Hart): bigint;
  /** Absent: writes are ignored (the register is read-only zero or a constant, WARL). */
  write?(hart: Hart, value: bigint): void;
  /** The register whose bits this one shows, where it is only a view. */
  readonly partOf?: number;
  /** For read-modify-write, where the value to modify is not the value read (mip, priv §3.1.9). */
  modify?(hart: Hart): bigint;
  /** Whether the access is refused now although the number allows it (counters, TVM). */
  refused?(hart: Hart, write: boolean): boolean;
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

/** Exceptions that may be delegated: all but ecall from M (priv §3.1.8). */
const DELEGABLE = 0xb3ffn;

const MSTATUS_WRITABLE = MSTATUS.SIE | MSTATUS.MIE | MSTATUS.SPIE | MSTATUS.MPIE | MSTATUS.SPP | MSTATUS.MPP |
  MSTATUS.MPRV | MSTATUS.SUM | MSTATUS.MXR | MSTATUS.TVM | MSTATUS.TW | MSTATUS.TSR;
const SSTATUS = MSTATUS.SIE | MSTATUS.SPIE | MSTATUS.SPP | MSTATUS.SUM | MSTATUS.MXR;

/** Changes mstatus within `mask`; an MPP that names no mode keeps its old value (WARL). */
function writeStatus(hart: Hart, value: bigint, mask: bigint): void {
  let next = (hart.mstatus & ~mask) | (value & mask);
  if ((next & MSTATUS.MPP) >> 11n === 2n) next = (next & ~MSTATUS.MPP) | (hart.mstatus & MSTATUS.MPP);
  hart.mstatus = next;
  hart.modeChanged();
}

/** A register that keeps the bits of `mask` and nothing else. */
function stored(number: number, name: string, spec: string, mask: (hart: Hart) => bigint): CsrRow {
  return {
    number,
    name,
    spec,
    read: (hart) => hart.stored(number),
    write: (hart, value) => hart.store(number, value & mask(hart)),
  };
}

/** A register that always reads the same; writes are ignored where the number allows them. */
function constant(number: number, name: string, spec: string, value: (hart: Hart) => bigint): CsrRow {
  return { number, name, spec, read: value };
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
    if (hart.privilege < Privilege.M && allowed(MCOUNTEREN) === 0n) return true;
    return hart.privilege === Privilege.U && allowed(SCOUNTEREN) === 0n;
  };
}

const MCOUNTEREN = 0x306;
const SCOUNTEREN = 0x106;
const MCOUNTINHIBIT = 0x320;
const LOW = 0xffff_ffffn;

type CounterName = "cycle" | "instret";

function machineCounter(number: number, name: CounterName): CsrRow[] {
  const low: CsrRow = {
    number,
    name: `m${name}`,
    spec: "priv §3.1.10",
    read: (hart) => hart.counter(name) & hart.mask,
    write: (hart, value) => hart.setCounter(name, hart.xlen === 32 ? (hart.counter(name) & ~LOW) | value : value),
  };
  const high: CsrRow = {
    number: number + 0x80,
    name: `m${name}h`,
    spec: "priv §3.1.10",
    xlen: 32,
    read: (hart) => hart.counter(name) >> 32n,
    write: (hart, value) => hart.setCounter(name, (hart.counter(name) & LOW) | (value << 32n)),
  };
  return [low, high];
}

function userCounter(number: number, name: string, index: number, value: (hart: Hart) => bigint): CsrRow[] {
  const refused = counterRefused(index);
  return [
    { number, name, spec: "unpriv §8.1", read: (hart) => value(hart) & hart.mask, refused },
    { number: number + 0x80, name: `${name}h`, spec: "unpriv §8.1", xlen: 32, read: (hart) => value(hart) >> 32n, refused },
  ];
}

/** Counters 3..31 exist and count nothing (priv §3.1.10). */
function idleCounters(): CsrRow[] {
  const zero = () => 0n;
  return Array.from({ length: 29 }, (_, i) => i + 3).flatMap((n): CsrRow[] => [
    constant(0xb00 + n, `mhpmcounter${n}`, "priv §3.1.10", zero),
    { ...constant(0xb80 + n, `mhpmcounter${n}h`, "priv §3.1.10", zero), xlen: 32 },
    constant(0x320 + n, `mhpmevent${n}`, "priv §3.1.10", zero),
    ...userCounter(0xc00 + n, `hpmcounter${n}`, n, zero),
  ]);
}

/** No PMP entry is implemented: all of them read 0. On RV64 the odd pmpcfg registers are illegal (priv §3.7.1). */
function pmp(): CsrRow[] {
  const zero = () => 0n;
  return [
    ...Array.from({ length: 16 }, (_, i): CsrRow => {
      const row = constant(0x3a0 + i, `pmpcfg${i}`, "priv §3.7.1", zero);
      return i % 2 === 0 ? row : { ...row, xlen: 32 };
    }),
    ...Array.from({ length: 64 }, (_, i) => constant(0x3b0 + i, `pmpaddr${i}`, "priv §3.7.1", zero)),
  ];
}

/** Every CSR of a hart. */
export const csrRows: readonly CsrRow[] = [
  ...userCounter(0xc00, "cycle", 0, (hart) => hart.counter("cycle")),
  ...userCounter(0xc01, "time", 1, (hart) => hart.time()),
  ...userCounter(0xc02, "instret", 2, (hart) => hart.counter("instret")),
  {
    number: 0x100,
    name: "sstatus",
    partOf: 0x300,
    spec: "priv §10.1.1",
    read: (hart) => hart.statusFor(SSTATUS | MSTATUS.FS | MSTATUS.UXL),
    write: (hart, value) => writeStatus(hart, value, SSTATUS),
  },
  {
    number: 0x104,
    name: "sie",
    partOf: 0x304,
    spec: "priv §10.1.3",
    read: (hart) => hart.stored(0x304) & hart.stored(0x303),
    write: (hart, value) => {
      const delegated = hart.stored(0x303);
      hart.store(0x304, (hart.stored(0x304) & ~delegated) | (value & delegated & S_INTERRUPTS));
      hart.attention = true;
    },
  },
  stored(0x105, "stvec", "priv §10.1.2", tvec),
  stored(SCOUNTEREN, "scounteren", "priv §10.1.5", () => LOW),
  stored(0x10a, "senvcfg", "priv §10.1.10", () => 1n),
  stored(0x140, "sscratch", "priv §10.1.6", all),
  stored(0x141, "sepc", "priv §10.1.7", epc),
  stored(0x142, "scause", "priv §10.1.8", all),
  stored(0x143, "stval", "priv §10.1.9", all),
  {
    number: 0x144,
    name: "sip",
    partOf: 0x344,
    spec: "priv §10.1.3",
    read: (hart) => hart.pending() & hart.stored(0x303),
    modify: (hart) => hart.stored(0x344) & hart.stored(0x303),
    write: (hart, value) => {
      const mask = hart.stored(0x303) & bit(Interrupt.SSI);
      hart.store(0x344, (hart.stored(0x344) & ~mask) | (value & mask));
      hart.attention = true;
    },
  },
  {
    // Only Bare until address translation is built: every other mode is unsupported, so writes change nothing.
    ...constant(0x180, "satp", "priv §10.1.11", () => 0n),
    refused: (hart) => hart.privilege === Privilege.S && (hart.mstatus & MSTATUS.TVM) !== 0n,
  },
  constant(0xf11, "mvendorid", "priv §3.1.2", () => 0n),
  constant(0xf12, "marchid", "priv §3.1.3", () => 0n),
  constant(0xf13, "mimpid", "priv §3.1.4", () => 0n),
  constant(0xf14, "mhartid", "priv §3.1.5", (hart) => BigInt(hart.index)),
  constant(0xf15, "mconfigptr", "priv §3.1.17", () => 0n),
  {
    number: 0x300,
    name: "mstatus",
    spec: "priv §3.1.6",
    read: (hart) => hart.statusFor(hart.mask),
    write: (hart, value) => writeStatus(hart, value, MSTATUS_WRITABLE),
  },
  { ...constant(0x310, "mstatush", "priv §3.1.6", () => 0n), xlen: 32 },
  constant(0x301, "misa", "priv §3.1.1", (hart) => hart.misa),
  stored(0x302, "medeleg", "priv §3.1.8", () => DELEGABLE),
  {
    ...stored(0x303, "mideleg", "priv §3.1.8", () => S_INTERRUPTS),
    write: (hart, value) => {
      hart.store(0x303, value & S_INTERRUPTS);
      hart.attention = true;
    },
  },
  {
    ...stored(0x304, "mie", "priv §3.1.9", () => S_INTERRUPTS | M_INTERRUPTS),
    write: (hart, value) => {
      hart.store(0x304, value & (S_INTERRUPTS | M_INTERRUPTS));
      hart.attention = true;
    },
  },
  stored(0x305, "mtvec", "priv §3.1.7", tvec),
  stored(MCOUNTEREN, "mcounteren", "priv §3.1.11", () => LOW),
  {
    number: MCOUNTINHIBIT,
    name: "mcountinhibit",
    spec: "priv §3.1.12",
    read: (hart) => hart.stored(MCOUNTINHIBIT),
    write: (hart, value) => hart.inhibitCounters(value & 5n),
  },
  stored(0x30a, "menvcfg", "priv §3.1.18", () => 1n),
  { ...constant(0x31a, "menvcfgh", "priv §3.1.18", () => 0n), xlen: 32 },
  stored(0x340, "mscratch", "priv §3.1.13", all),
  stored(0x341, "mepc", "priv §3.1.14", epc),
  stored(0x342, "mcause", "priv §3.1.15", all),
  stored(0x343, "mtval", "priv §3.1.16", all),
  {
    number: 0x344,
    name: "mip",
    spec: "priv §3.1.9",
    read: (hart) => hart.pending(),
    modify: (hart) => hart.stored(0x344),
    write: (hart, value) => {
      hart.store(0x344, value & S_INTERRUPTS);
      hart.attention = true;
    },
  },
  ...pmp(),
  ...machineCounter(0xb00, "cycle"),
  ...machineCounter(0xb02, "instret"),
  ...idleCounters(),
  // No trigger: tselect reads 0 and tdata1 says that trigger 0 does not exist (debug §5.7).
  ...[0x7a0, 0x7a1, 0x7a2, 0x7a3].map((n, i) =>
    constant(n, ["tselect", "tdata1", "tdata2", "tdata3"][i]!, "debug §5.7", () => 0n)
  ),
];

/** Rows by number for one XLEN. */
export function csrTable(xlen: 32 | 64): ReadonlyMap<number, CsrRow> {
  return new Map(csrRows.filter((r) => r.xlen === undefined || r.xlen === xlen).map((r) => [r.number, r]));
}

/** The privilege a CSR number asks for (priv §2.1). */
export function csrPrivilege(number: number): number {
  return (number >> 8) & 3;
}

/** Whether a CSR number is read-only (priv §2.1). */
export function csrReadOnly(number: number): boolean {
  return (number >> 10) === 3;
}
