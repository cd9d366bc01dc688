/** The CSRs that a hart keeps as plain storage, by name. Their numbers stand in `vm/isa/csr_names.ts`. */
import { csrByName, type CsrName } from "../isa/csr_names.ts";
import { HART } from "./layout.ts";

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

/** The CSR called `name`; throws for a name that is not in the table (a mistake of ours). */
export function csrNamed(name: string): CsrName {
  const found = csrByName(name);
  if (found === undefined) throw new Error(`CSRs: no register is called ${name}`);
  return found;
}

/** A CSR that is plain storage. */
export type StoredCsr = typeof NAMES[number];

/** Numbers by name: `CSR.mepc`. */
export const CSR: Readonly<Record<StoredCsr, number>> = Object.fromEntries(
  NAMES.map((name) => [name, csrNamed(name).number]),
) as Record<StoredCsr, number>;

/** Where a register is stored, from the start of the hart's state on. */
export function storedAt(name: StoredCsr): number {
  return HART.csr + 8 * NAMES.indexOf(name);
}

/** Names of all of them. */
export const storedCsrs: readonly StoredCsr[] = NAMES;
