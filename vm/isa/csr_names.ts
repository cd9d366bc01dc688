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

/** Consecutive numbers: from which on, the names (`-` leaves one out), and whether they are RV32's high halves. */
type Run = readonly [first: number, names: string | (() => string), rv32?: true];

/** `count` names: `prefix3 prefix4 ...`, each with `suffix`. They are many, and made when one of them is looked for. */
function numbered(prefix: string, from: number, count: number, suffix = ""): () => string {
  return () => Array.from({ length: count }, (_, i) => `${prefix}${from + i}${suffix}`).join(" ");
}

/** pmpcfg0 to pmpcfg15: RV64 has the even ones (priv §3.7.1). */
function pmpcfg(): Run[] {
  return Array.from(
    { length: 16 },
    (_, i): Run => i % 2 === 0 ? [0x3a0 + i, `pmpcfg${i}`] : [0x3a0 + i, `pmpcfg${i}`, true],
  );
}

const runs: readonly Run[] = [
  // Unprivileged: floating point, vector, entropy, table jump.
  [0x001, "fflags frm fcsr"],
  [0x008, "vstart vxsat vxrm - - - - vcsr"],
  [0x011, "ssp - - - seed - jvt"],
  // Unprivileged counters.
  [0xc00, "cycle time instret"],
  [0xc03, numbered("hpmcounter", 3, 29)],
  [0xc20, "vl vtype vlenb"],
  [0xc80, "cycleh timeh instreth", true],
  [0xc83, numbered("hpmcounter", 3, 29, "h"), true],
  // Supervisor.
  [0x100, "sstatus"],
  [0x104, "sie stvec scounteren - - - senvcfg - sstateen0 sstateen1 sstateen2 sstateen3"],
  [0x120, "scountinhibit"],
  [0x140, "sscratch sepc scause stval sip"],
  [0x14d, "stimecmp"],
  [0x15d, "stimecmph", true],
  [0x150, "siselect sireg sireg2 sireg3 - sireg4 sireg5 sireg6"],
  [0x180, "satp srmcfg"],
  [0x114, "sieh", true],
  [0x154, "siph", true],
  [0x15c, "stopei"],
  [0x5a8, "scontext"],
  [0xda0, "scountovf"],
  [0xdb0, "stopi"],
  // Hypervisor and virtual supervisor.
  [0x200, "vsstatus - - - vsie vstvec"],
  [0x240, "vsscratch vsepc vscause vstval vsip"],
  [0x24d, "vstimecmp"],
  [0x25d, "vstimecmph", true],
  [0x214, "vsieh", true],
  [0x250, "vsiselect vsireg vsireg2 vsireg3 - vsireg4 vsireg5 vsireg6"],
  [0x254, "vsiph", true],
  [0x25c, "vstopei"],
  [0x280, "vsatp"],
  [0x600, "hstatus - hedeleg hideleg hie htimedelta hcounteren hgeie hvien hvictl henvcfg"],
  [0x60c, "hstateen0 hstateen1 hstateen2 hstateen3"],
  [0x612, "hedelegh hidelegh", true],
  [0x618, "hvienh", true],
  [0x615, "htimedeltah", true],
  [0x61a, "henvcfgh", true],
  [0x61c, "hstateen0h hstateen1h hstateen2h hstateen3h", true],
  [0x643, "htval hip hvip hviprio1 hviprio2"],
  [0x655, "hviph hviprio1h hviprio2h", true],
  [0x64a, "htinst"],
  [0x680, "hgatp"],
  [0x6a8, "hcontext"],
  [0xe12, "hgeip"],
  [0xeb0, "vstopi"],
  // Machine.
  [0x300, "mstatus misa medeleg mideleg mie mtvec mcounteren - mvien mvip menvcfg"],
  [0x30c, "mstateen0 mstateen1 mstateen2 mstateen3"],
  [0x310, "mstatush - medelegh midelegh mieh", true],
  [0x318, "mvienh mviph", true],
  [0x31a, "menvcfgh", true],
  [0x31c, "mstateen0h mstateen1h mstateen2h mstateen3h", true],
  [0x320, "mcountinhibit mcyclecfg minstretcfg"],
  [0x323, numbered("mhpmevent", 3, 29)],
  [0x340, "mscratch mepc mcause mtval mip"],
  [0x34a, "mtinst mtval2"],
  [0x350, "miselect mireg mireg2 mireg3 - mireg4 mireg5 mireg6"],
  [0x354, "miph", true],
  [0x35c, "mtopei"],
  ...pmpcfg(),
  [0x3b0, numbered("pmpaddr", 0, 64)],
  [0x721, "mcyclecfgh minstretcfgh", true],
  [0x723, numbered("mhpmevent", 3, 29, "h"), true],
  [0x740, "mnscratch mnepc mncause - mnstatus"],
  [0x747, "mseccfg"],
  [0x757, "mseccfgh", true],
  // Machine counters: number 1 is left out, `time` has no machine-level twin.
  [0xb00, "mcycle - minstret"],
  [0xb03, numbered("mhpmcounter", 3, 29)],
  [0xb80, "mcycleh - minstreth", true],
  [0xb83, numbered("mhpmcounter", 3, 29, "h"), true],
  // Debug and trace, readable in machine mode and in debug mode.
  [0x7a0, "tselect tdata1 tdata2 tdata3 tinfo tcontrol - - mcontext - mscontext"],
  [0x7b0, "dcsr dpc dscratch0 dscratch1"],
  [0xf11, "mvendorid marchid mimpid mhartid mconfigptr"],
  [0xfb0, "mtopi"],
];

// Every start waits for these two, in code that V8 has never seen before: hence the plain loops.
function namesOf(some: readonly Run[]): CsrName[] {
  const list: CsrName[] = [];
  for (const [first, names, rv32] of some) {
    let number = first;
    for (const name of (typeof names === "string" ? names : names()).split(" ")) {
      if (name !== "-") list.push(rv32 ? { number, name, rv32 } : { number, name });
      number++;
    }
  }
  return list;
}
function byName(some: readonly CsrName[]): ReadonlyMap<string, CsrName> {
  const map = new Map<string, CsrName>();
  for (const csr of some) map.set(csr.name, csr);
  return map;
}

/** The names that are not numbered. */
const single: ReadonlyMap<string, CsrName> = byName(namesOf(runs.filter(([, names]) => typeof names === "string")));
/** All names; made when they are first asked for. */
let every: { readonly list: readonly CsrName[]; readonly byName: ReadonlyMap<string, CsrName> } | undefined;
function all(): NonNullable<typeof every> {
  if (every === undefined) {
    const list = namesOf(runs);
    every = { list, byName: byName(list) };
  }
  return every;
}
/** Made when it is first asked for: only what shows CSRs to people needs it. */
let byNumber: ReadonlyMap<number, string> | undefined;

/** All names, by rising number. */
export function csrNames(): readonly CsrName[] {
  return all().list.toSorted((a, b) => a.number - b.number);
}

/** Name of CSR `number`; undefined if it has none here. */
export function csrName(number: number): string | undefined {
  byNumber ??= new Map(all().list.map((c) => [c.number, c.name]));
  return byNumber.get(number);
}

/** The CSR called `name`; undefined if there is none. */
export function csrByName(name: string): CsrName | undefined {
  return single.get(name) ?? all().byName.get(name);
}

/** Number of the CSR called `name`; undefined if there is none. */
export function csrNumber(name: string): number | undefined {
  return csrByName(name)?.number;
}
