/**
 * What a virtual address means to a hart now: translation, protection, the TLB, and which of its contexts is in use.
 */
import { type GuestMemory, PAGE_SIZE } from "../bus/memory.ts";
import { Privilege } from "../events.ts";
import type { Isa } from "../isa/table.ts";
import { MSTATUS } from "./csr.ts";
import { MENVCFG } from "./csr_memory.ts";
import { Mmu } from "./mmu.ts";
import { Pmp, type PmpEntries } from "./pmp.ts";
import { Access, Context, Tlb } from "./tlb.ts";

/** Fields of mstatus that decide about addresses, in its low word. */
const STATUS = {
  MPRV: Number(MSTATUS.MPRV),
  SUM: Number(MSTATUS.SUM),
  MXR: Number(MSTATUS.MXR),
  MPP_SHIFT: 11,
} as const;

/** What it needs to know of its hart. */
export interface AddressingOptions {
  readonly isa: Isa;
  readonly memory: GuestMemory;
  /** Host address of the hart's state. */
  readonly base: number;
  /** Default 16. */
  readonly pmpEntries?: PmpEntries;
  /** Told the host address of a page-table entry that hardware changed. */
  readonly updated: (host: number) => void;
}

/** One hart's. */
export class Addressing {
  readonly tlb: Tlb;
  readonly mmu: Mmu;
  readonly pmp: Pmp;
  /** The TLB context in use. */
  context: Context = Context.M;
  /** The mode that instructions run in, and the one that loads and stores are done in: MPP under mstatus.MPRV. */
  privilege: Privilege = Privilege.M;
  dataPrivilege: Privilege = Privilege.M;
  /** mstatus.SUM and MXR. */
  sum = false;
  mxr = false;

  constructor(options: AddressingOptions) {
    const { isa, memory, base, pmpEntries = 16, updated } = options;
    this.tlb = new Tlb(memory.buffer, base);
    this.pmp = new Pmp(isa.xlen, pmpEntries);
    this.mmu = new Mmu(isa, memory, this.pmp, updated);
  }

  /** Power-on: no translation, every PMP entry off. */
  reset(): void {
    this.pmp.reset();
    this.translateBy(0n, 0n);
    this.protectionChanged();
  }

  /**
   * Follows a change of privilege or of mstatus, of which `status` is the low word (priv §3.1.6.3): gives the host address
   * of the TLB context to use from now on.
   */
  enter(privilege: Privilege, status: number): number {
    this.privilege = privilege;
    this.sum = (status & STATUS.SUM) !== 0;
    this.mxr = (status & STATUS.MXR) !== 0;
    const machine = privilege === Privilege.M;
    const previous = ((status >>> STATUS.MPP_SHIFT) & 3) as Privilege;
    this.dataPrivilege = machine && (status & STATUS.MPRV) !== 0 ? previous : privilege;
    if (machine && this.dataPrivilege === Privilege.M) this.context = Context.M;
    else if (machine) this.context = Context.MPRV;
    else if (privilege === Privilege.U) this.context = Context.U;
    else this.context = this.sum ? Context.SUM : Context.S;
    return this.tlb.enter(this.context, this.#key());
  }

  /** What a context's entries depend on beside its name: MXR, and under MPRV the mode and SUM. */
  #key(): number {
    if (this.context === Context.M) return 0;
    const loose = this.context === Context.MPRV ? this.dataPrivilege * 4 + (this.sum ? 2 : 0) : 0;
    return loose + (this.mxr ? 1 : 0);
  }

  /** Follows satp and menvcfg: what page tables say is read anew. */
  translateBy(satp: bigint, menvcfg: bigint): void {
    this.mmu.setSatp(Number(satp & 0xffff_ffffn), Number(satp >> 32n));
    this.mmu.hardwareUpdates = (menvcfg & MENVCFG.ADUE) !== 0n;
    this.mmu.memoryTypes = (menvcfg & MENVCFG.PBMTE) !== 0n;
    this.tlb.flushTranslated();
  }

  /** Whether addresses are physical, and all memory may be accessed: the TLB would know nothing else. */
  get flat(): boolean {
    return this.context === Context.M && this.pmp.machineFree;
  }

  /** Must follow every change of the PMP registers: nothing that is known of addresses holds. */
  protectionChanged(): void {
    this.tlb.flush();
  }

  /** Translates a virtual address for an access now, see `Mmu.translate`. */
  translate(low: number, high: number, access: Access): number {
    const privilege = access === Access.Fetch ? this.privilege : this.dataPrivilege;
    return this.mmu.translate(low, high, access, privilege, this.sum, this.mxr);
  }

  /** Whether PMP allows the access to `size` bytes of physical memory now. */
  allows(physical: number, size: number, access: Access): boolean {
    return this.pmp.allows(physical, size, access, access === Access.Fetch ? this.privilege : this.dataPrivilege);
  }

  /** The same for a whole page, by its number. */
  allowsPage(frame: number, access: Access): boolean {
    const privilege = access === Access.Fetch ? this.privilege : this.dataPrivilege;
    return this.pmp.allowsIn(frame, 0, PAGE_SIZE, access, privilege);
  }
}
