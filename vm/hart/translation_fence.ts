/** sfence.vma and sinval.vma: what the hart forgets of page tables. */
import type { Hart } from "./hart.ts";

/** A register's value in two halves. */
export interface Halves {
  readonly low: number;
  readonly high: number;
}

/**
 * Forgets translations: all, or those of one address (priv §10.6.1). The TLB holds those of the address space in satp only,
 * so that a fence for another one has nothing to do.
 */
export function fenceTranslation(hart: Hart, address: Halves | undefined, asid: number | undefined): void {
  const { tlb, mmu } = hart.addressing;
  if (asid !== undefined && !mmu.inAddressSpace(asid)) return;
  if (address === undefined) tlb.flushTranslated();
  else tlb.flushAddress(address.low, address.high);
}
