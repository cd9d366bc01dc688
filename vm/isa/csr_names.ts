/**
 * Names of the control and status registers: the one table of CSR numbers. Data only; what a register does, and which
 * of them a hart has, is the hart's affair. Numbers as in priv §2.2; the
 * debug registers as in RISC-V Debug §5, those of the advanced interrupt architecture as in AIA §2.
 */

/** One CSR. */
export interface CsrName {
  /** 0..4095; bits 11..10 = 3 means read-only, bits 9..8 are the lowest privilege that may use it (priv §2.1). */
  readonly number: number;
  readonly name: string;
  /** Exists only when XLEN is 32: the high half of a 64-bit register. */
  readonly rv32?: true;
}

/** `"mstatus misa - mie"` from `first`: consecutive numbers, `-` leaves one out. */
function run(first: number, names: string): CsrName[] {
  return names.split(" ").map((name, i) => ({ number: first + i, name })).filter((c) => c.name !== "-");
}

/** `count` consecutive registers `prefix3`, `prefix4`, … with `suffix`. */
function numbered(first: number, prefix: string, from: number, count: number, suffix = ""): CsrName[] {
  return Array.from({ length: count }, (_, i) => ({ number: first + i, name: `${prefix}${from + i}${suffix}` }));
}

function rv32(names: CsrName[]): CsrName[] {
  return names.map((c) => ({ ...c, rv32: true }));
}

/** All names, by rising number. */
export const csrNames: readonly CsrName[] = [
  // Unprivileged: floating point, vector, entropy, table jump.
  ...run(0x001, "fflags frm fcsr"),
  ...run(0x008, "vstart vxsat vxrm - - - - vcsr"),
  ...run(0x011, "ssp - - - seed - jvt"),
  // Unprivileged counters.
  ...run(0xc00, "cycle time instret"),
  ...numbered(0xc03, "hpmcounter", 3, 29),
  ...run(0xc20, "vl vtype vlenb"),
  ...rv32(run(0xc80, "cycleh timeh instreth")),
  ...rv32(numbered(0xc83, "hpmcounter", 3, 29, "h")),
  // Supervisor.
  ...run(0x100, "sstatus"),
  ...run(0x104, "sie stvec scounteren - - - senvcfg - sstateen0 sstateen1 sstateen2 sstateen3"),
  ...run(0x120, "scountinhibit"),
  ...run(0x140, "sscratch sepc scause stval sip"),
  ...run(0x14d, "stimecmp"),
  ...rv32(run(0x15d, "stimecmph")),
  ...run(0x150, "siselect sireg sireg2 sireg3 - sireg4 sireg5 sireg6"),
  ...run(0x180, "satp srmcfg"),
  ...rv32(run(0x114, "sieh")),
  ...rv32(run(0x154, "siph")),
  ...run(0x15c, "stopei"),
  ...run(0x5a8, "scontext"),
  ...run(0xda0, "scountovf"),
  ...run(0xdb0, "stopi"),
  // Hypervisor and virtual supervisor.
  ...run(0x200, "vsstatus - - - vsie vstvec"),
  ...run(0x240, "vsscratch vsepc vscause vstval vsip"),
  ...run(0x24d, "vstimecmp"),
  ...rv32(run(0x25d, "vstimecmph")),
  ...rv32(run(0x214, "vsieh")),
  ...run(0x250, "vsiselect vsireg vsireg2 vsireg3 - vsireg4 vsireg5 vsireg6"),
  ...rv32(run(0x254, "vsiph")),
  ...run(0x25c, "vstopei"),
  ...run(0x280, "vsatp"),
  ...run(0x600, "hstatus - hedeleg hideleg hie htimedelta hcounteren hgeie hvien hvictl henvcfg"),
  ...run(0x60c, "hstateen0 hstateen1 hstateen2 hstateen3"),
  ...rv32(run(0x612, "hedelegh hidelegh")),
  ...rv32(run(0x618, "hvienh")),
  ...rv32(run(0x615, "htimedeltah")),
  ...rv32(run(0x61a, "henvcfgh")),
  ...rv32(run(0x61c, "hstateen0h hstateen1h hstateen2h hstateen3h")),
  ...run(0x643, "htval hip hvip hviprio1 hviprio2"),
  ...rv32(run(0x655, "hviph hviprio1h hviprio2h")),
  ...run(0x64a, "htinst"),
  ...run(0x680, "hgatp"),
  ...run(0x6a8, "hcontext"),
  ...run(0xe12, "hgeip"),
  ...run(0xeb0, "vstopi"),
  // Machine.
  ...run(0x300, "mstatus misa medeleg mideleg mie mtvec mcounteren - mvien mvip menvcfg"),
  ...run(0x30c, "mstateen0 mstateen1 mstateen2 mstateen3"),
  ...rv32(run(0x310, "mstatush - medelegh midelegh mieh")),
  ...rv32(run(0x318, "mvienh mviph")),
  ...rv32(run(0x31a, "menvcfgh")),
  ...rv32(run(0x31c, "mstateen0h mstateen1h mstateen2h mstateen3h")),
  ...run(0x320, "mcountinhibit mcyclecfg minstretcfg"),
  ...numbered(0x323, "mhpmevent", 3, 29),
  ...run(0x340, "mscratch mepc mcause mtval mip"),
  ...run(0x34a, "mtinst mtval2"),
  ...run(0x350, "miselect mireg mireg2 mireg3 - mireg4 mireg5 mireg6"),
  ...rv32(run(0x354, "miph")),
  ...run(0x35c, "mtopei"),
  ...numbered(0x3a0, "pmpcfg", 0, 16).map((c): CsrName => c.number % 2 === 0 ? c : { ...c, rv32: true }),
  ...numbered(0x3b0, "pmpaddr", 0, 64),
  ...rv32(run(0x721, "mcyclecfgh minstretcfgh")),
  ...rv32(numbered(0x723, "mhpmevent", 3, 29, "h")),
  ...run(0x740, "mnscratch mnepc mncause - mnstatus"),
  ...run(0x747, "mseccfg"),
  ...rv32(run(0x757, "mseccfgh")),
  // Machine counters: number 1 is left out, `time` has no machine-level twin.
  ...run(0xb00, "mcycle - minstret"),
  ...numbered(0xb03, "mhpmcounter", 3, 29),
  ...rv32(run(0xb80, "mcycleh - minstreth")),
  ...rv32(numbered(0xb83, "mhpmcounter", 3, 29, "h")),
  // Debug and trace, readable in machine mode and in debug mode.
  ...run(0x7a0, "tselect tdata1 tdata2 tdata3 tinfo tcontrol - - mcontext - mscontext"),
  ...run(0x7b0, "dcsr dpc dscratch0 dscratch1"),
  ...run(0xf11, "mvendorid marchid mimpid mhartid mconfigptr"),
  ...run(0xfb0, "mtopi"),
].sort((a, b) => a.number - b.number);

const byNumber: ReadonlyMap<number, string> = new Map(csrNames.map((c) => [c.number, c.name]));
const byName: ReadonlyMap<string, number> = new Map(csrNames.map((c) => [c.name, c.number]));

/** Name of CSR `number`; undefined if it has none here. */
export function csrName(number: number): string | undefined {
  return byNumber.get(number);
}

/** Number of the CSR called `name`; undefined if there is none. */
export function csrNumber(name: string): number | undefined {
  return byName.get(name);
}
