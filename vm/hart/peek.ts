/** A look at guest memory by virtual address, as the hart sees it now, that changes nothing: for reports and debuggers. */
import { PAGE_SIZE } from "../bus/memory.ts";
import type { Hart } from "./hart.ts";
import { TRANSLATED } from "./mmu.ts";
import { Access } from "./tlb.ts";

/**
 * Copies the bytes at `addr` to `target` and returns how many: fewer than fit where the next page is not memory.
 * Protection does not matter, and neither accessed bits nor what the page-table walker last found change.
 */
export function peek(hart: Hart, addr: bigint, target: Uint8Array): number {
  const size = target.length;
  for (let done = 0; done < size;) {
    const at = BigInt.asUintN(hart.xlen, addr + BigInt(done));
    const length = Math.min(size - done, PAGE_SIZE - Number(at & BigInt(PAGE_SIZE - 1)));
    const physical = physicalOf(hart, at);
    const found = physical < 0 ? undefined : hart.memory.bytes(physical, length);
    if (found === undefined) return done;
    target.set(found, done);
    done += length;
  }
  return size;
}

/** The physical address of a virtual one; -1 if it has none. */
function physicalOf(hart: Hart, addr: bigint): number {
  const { mmu, privilege } = hart.addressing;
  const { frame, pages, storeToo, looking } = mmu;
  mmu.looking = true;
  const found = mmu.translate(Number(addr & 0xffff_ffffn), Number(addr >> 32n), Access.Load, privilege, true, true);
  const physical = found === TRANSLATED ? mmu.frame * PAGE_SIZE + Number(addr & BigInt(PAGE_SIZE - 1)) : -1;
  Object.assign(mmu, { frame, pages, storeToo, looking });
  return physical;
}
