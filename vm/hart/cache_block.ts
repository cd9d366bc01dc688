/**
 * Cache-block instructions (unpriv "CMO"): who may do them, and where. There is no cache, so that managing a block changes
 * nothing; zeroing it is a store of all its bytes.
 */
import { Privilege } from "../events.ts";
import type { CacheBlockOperation } from "../isa/row.ts";
import { CACHE_BLOCK } from "../isa/rv_zicbo.ts";
import { MENVCFG } from "./csr_memory.ts";
import { CSR } from "./csr_numbers.ts";
import type { Hart } from "./hart.ts";
import { type Fault, type Place, place, storeHost } from "./memory_access.ts";
import { Access } from "./tlb.ts";
import { Cause } from "./trap.ts";

/** The fields of menvcfg and senvcfg that allow each (priv §3.1.18, §10.1.10). */
const ENABLE: Readonly<Record<CacheBlockOperation, bigint>> = {
  "cbo.inval": MENVCFG.CBIE,
  "cbo.clean": MENVCFG.CBCFE,
  "cbo.flush": MENVCFG.CBCFE,
  "cbo.zero": MENVCFG.CBZE,
};

/** Whether the mode may do it: M-mode always, S-mode by menvcfg, U-mode by both registers. */
function enabled(hart: Hart, operation: CacheBlockOperation): boolean {
  const field = ENABLE[operation];
  if (hart.privilege < Privilege.M && (hart.stored(CSR.menvcfg) & field) === 0n) return false;
  return hart.privilege > Privilege.U || (hart.stored(CSR.senvcfg) & field) !== 0n;
}

/**
 * Does an instruction on the block that the byte at `virtual` is in; what the mode may not do is illegal. A fault is that of
 * a store. Its tval is what was accessed: the first byte that was to be zeroed, or `virtual` itself, which is all that
 * managing a block names (priv §3.1.16 asks for the part of an access that faults; Spike does the same).
 */
export function cacheBlock(hart: Hart, operation: CacheBlockOperation, virtual: bigint): Fault | "illegal" | undefined {
  if (!enabled(hart, operation)) return "illegal";
  const block = virtual & ~BigInt(CACHE_BLOCK - 1);
  const stored = place(hart, block, CACHE_BLOCK, Access.Store);
  if (operation === "cbo.zero") {
    if ("cause" in stored) return { cause: stored.cause, tval: block };
    // Only memory can be zeroed by the block: devices do not take such stores.
    if (stored.host < 0) return { cause: Cause.StoreAccessFault, tval: block };
    for (let at = 0; at < CACHE_BLOCK; at += 8) storeHost(hart, stored.host + at, 0n, 8);
    return undefined;
  }
  // A block that may be read or written may be managed.
  if (reached(hart, stored) || reached(hart, place(hart, block, CACHE_BLOCK, Access.Load))) return undefined;
  return { cause: "cause" in stored ? stored.cause : Cause.StoreAccessFault, tval: virtual };
}

/** Whether an access to the place would find something there. */
function reached(hart: Hart, found: Place | Fault): boolean {
  return !("cause" in found) && (found.host >= 0 || hart.bus.find(found.addr) !== undefined);
}
