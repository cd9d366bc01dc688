/** The CSRs that a hart keeps as plain storage, by name. Their numbers stand in `vm/isa/csr_names.ts`. */
import { type CsrName, csrNames } from "../isa/csr_names.ts";

/** In the order of their slots in the hart's state. */
const NAMES = [
  "mstatus",
  "medeleg",
  "mideleg",
  "mie",
  "mtvec",
  "mcounteren",
  "menvcfg",
  "mcountinhibit",
  "mscratch",
  "mepc",
  "mcause",
  "mtval",
  "mip",
  "stvec",
  "scounteren",
  "senvcfg",
  "sscratch",
  "sepc",
  "scause",
  "stval",
  "satp",
  "stimecmp",
] as const;

const byName: ReadonlyMap<string, CsrName> = new Map(csrNames.map((c) => [c.name, c]));

/** The CSR called `name`; throws for a name that is not in the table (a mistake of ours). */
export function csrNamed(name: string): CsrName {
  const found = byName.get(name);
  if (found === undefined) throw new Error(`CSRs: no register is called ${name}`);
  return found;
}

/** A CSR that is plain storage. */
export type StoredCsr = typeof NAMES[number];

/** Numbers by name: `CSR.mepc`. */
export const CSR: Readonly<Record<StoredCsr, number>> = Object.fromEntries(
  NAMES.map((name) => [name, csrNamed(name).number]),
) as Record<StoredCsr, number>;
