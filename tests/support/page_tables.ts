/** A bare hart under page tables that a test writes entry by entry, and single accesses in any mode. */
import { csrNumber } from "../../vm/isa/csr_names.ts";
import { encode } from "../../vm/isa/encode.ts";
import { completeOperands } from "../../vm/isa/operand_text.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import type { PmpEntries } from "../../vm/hart/pmp.ts";
import { Privilege } from "../../vm/events.ts";
import { BARE, BareMachine, type EngineName } from "./engine.ts";

export const PAGE = 4096n;
const RAM = BigInt(BARE.ram);

/** Bits of a page-table entry (priv §10.3.1). */
export const PTE = { V: 1n, R: 2n, W: 4n, X: 8n, U: 16n, G: 32n, A: 64n, D: 128n } as const;
export const RWX: bigint = PTE.R | PTE.W | PTE.X;

/** A translation mode: its number in satp, its levels, and the bits of a virtual address that each level translates. */
export interface PagingMode {
  readonly name: "Sv32" | "Sv39" | "Sv48" | "Sv57";
  readonly xlen: 32 | 64;
  readonly satp: bigint;
  readonly levels: number;
  readonly bits: number;
}

/** All of them (priv §10.3 to §10.6). */
export const pagingModes: readonly PagingMode[] = [
  { name: "Sv32", xlen: 32, satp: 1n << 31n, levels: 2, bits: 10 },
  { name: "Sv39", xlen: 64, satp: 8n << 60n, levels: 3, bits: 9 },
  { name: "Sv48", xlen: 64, satp: 9n << 60n, levels: 4, bits: 9 },
  { name: "Sv57", xlen: 64, satp: 10n << 60n, levels: 5, bits: 9 },
];

/** What an access is done with. */
export type AccessName = "load" | "store" | "fetch" | "lr" | "sc" | "amo";

const INSTRUCTION: Readonly<Record<Exclude<AccessName, "fetch">, readonly [row: string, operands: object]>> = {
  load: ["lw", { rd: 10, rs1: 11, imm: 0 }],
  store: ["sw", { rs1: 11, rs2: 12, imm: 0 }],
  lr: ["lr.w", { rd: 10, rs1: 11 }],
  sc: ["sc.w", { rd: 10, rs1: 11, rs2: 12 }],
  amo: ["amoadd.w", { rd: 10, rs1: 11, rs2: 12 }],
};

/** Instruction access fault and page fault. */
const FETCH_FAULTS: readonly (number | undefined)[] = [1, 12];

/** In which mode an access is done. */
export interface Mode {
  readonly privilege: Privilege;
  readonly sum?: boolean;
  readonly mxr?: boolean;
  /** M-mode only: loads and stores are done in this mode (mstatus.MPRV). */
  readonly as?: Privilege;
}

/** What came of an access: the trap's cause and tval, or neither. */
export interface Outcome {
  readonly cause?: number;
  readonly tval?: bigint;
}

/** RAM pages with a fixed use; the rest is for page tables, from the end down. */
export const FRAMES: Readonly<Record<"code" | "data" | "other" | "free", bigint>> = {
  code: RAM,
  data: RAM + PAGE,
  other: RAM + 2n * PAGE,
  free: RAM + 3n * PAGE,
};

/** One hart under page tables. */
export class PagedHart {
  readonly machine: BareMachine;
  readonly mode: PagingMode;
  readonly root: bigint;
  #next: bigint = RAM + BigInt(BARE.ramSize);
  #trap: Outcome = {};

  constructor(engine: EngineName, mode: PagingMode, extensions: readonly string[] = [], pmpEntries: PmpEntries = 0) {
    const isa = parseIsa([`rv${mode.xlen}imac`, ...extensions].join("_"));
    this.machine = new BareMachine(engine, isa, pmpEntries);
    this.machine.load(new Uint8Array(0));
    this.machine.events.on("trap", ({ cause, tval }) => this.#trap = { cause, tval });
    this.mode = mode;
    this.root = this.#table();
    this.csr("satp", mode.satp | (this.root / PAGE));
    // The page that instructions run from, for U-mode and for the others.
    this.map(this.codeAt(Privilege.U), FRAMES.code, PTE.X | PTE.U | PTE.A);
    this.map(this.codeAt(Privilege.S), FRAMES.code, PTE.X | PTE.A);
  }

  #table(): bigint {
    this.#next -= PAGE;
    if (this.#next <= FRAMES.free) throw new RangeError("page tables: RAM is used up");
    return this.#next;
  }

  /** Virtual address of the instructions for a mode. */
  codeAt(privilege: Privilege): bigint {
    return privilege === Privilege.M ? FRAMES.code : privilege === Privilege.U ? 0x10_0000n : 0x10_1000n;
  }

  /** Reads or writes a CSR; what follows from a write does. */
  csr(name: string, value?: bigint): bigint {
    const row = this.machine.hart.csrRow(csrNumber(name)!)!;
    if (value !== undefined) row.write!(this.machine.hart, value);
    return row.read(this.machine.hart);
  }

  /** Physical address of the entry that translates a virtual address at a level; tables above it are made. */
  entry(virtual: bigint, level = 0): bigint {
    const { levels, bits, xlen } = this.mode;
    let table = this.root;
    for (let at = levels - 1;; at--) {
      const index = (virtual >> BigInt(12 + bits * at)) & ((1n << BigInt(bits)) - 1n);
      const place = table + index * BigInt(xlen / 8);
      if (at === level) return place;
      const pte = this.read(place);
      if ((pte & PTE.V) === 0n) {
        table = this.#table();
        this.write(place, (table / PAGE << 10n) | PTE.V);
      } else table = (pte >> 10n & ((1n << 44n) - 1n)) * PAGE;
    }
  }

  /** Maps a page, or a larger one at a level above 0; V is added, `top` are bits of the high end. */
  map(virtual: bigint, physical: bigint, flags: bigint, level = 0, top = 0n): void {
    this.write(this.entry(virtual, level), (physical / PAGE << 10n) | flags | PTE.V | top);
  }

  /** An XLEN-wide word of memory. */
  read(physical: bigint): bigint {
    const at = Number(physical);
    const low = BigInt(this.machine.memory.read(at, 4));
    return this.mode.xlen === 32 ? low : low | (BigInt(this.machine.memory.read(at + 4, 4)) << 32n);
  }
  write(physical: bigint, value: bigint): void {
    const { memory } = this.machine;
    memory.write(Number(physical), 4, Number(value & 0xffff_ffffn));
    if (this.mode.xlen === 64) memory.write(Number(physical) + 4, 4, Number(value >> 32n));
  }

  /** Forgets translations, as sfence.vma without operands does. */
  fence(): void {
    this.machine.hart.translationChanged();
  }

  /** Does one access; a store stores 0x12345678. With `instruction`, that one, with a1 = `virtual` and a2 the value. */
  access(mode: Mode, access: AccessName, virtual: bigint, instruction?: number): Outcome {
    const { machine } = this;
    const { hart } = machine;
    this.#enter(mode);
    hart.pc = virtual;
    if (access !== "fetch") {
      const [name, operands] = INSTRUCTION[access];
      const row = hart.isa.rows.find((r) => r.name === name)!;
      const word = instruction ?? encode(row, completeOperands(row.format, operands), hart.xlen).word;
      machine.memory.write(Number(FRAMES.code), 4, word);
      hart.pc = this.codeAt(mode.privilege);
      hart.setX(11, virtual);
      hart.setX(12, 0x1234_5678n);
    }
    this.#trap = {};
    machine.run(1);
    // What was fetched may be anything: only that it was fetched counts.
    if (access === "fetch" && !FETCH_FAULTS.includes(this.#trap.cause)) return {};
    return this.#trap;
  }

  #enter({ privilege, sum = false, mxr = false, as = Privilege.M }: Mode): void {
    const { hart } = this.machine;
    hart.privilege = privilege;
    const bits = (sum ? 1n << 18n : 0n) | (mxr ? 1n << 19n : 0n);
    const previous = privilege === Privilege.M ? (BigInt(as) << 11n) | (1n << 17n) : 0n;
    this.csr("mstatus", bits | previous);
  }
}
