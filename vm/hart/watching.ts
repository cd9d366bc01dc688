/** A hart's side of watched memory: telling of accesses to it, and counting fences. */
import { PAGE_SIZE } from "../bus/memory.ts";
import { FENCE_BITS, type FenceOrder } from "../watches.ts";
import type { Hart } from "./hart.ts";
import { HART } from "./layout.ts";
import type { Access } from "./tlb.ts";

/** Predecessor set of a fence above its successor set. */
const BEFORE_SHIFT = 4;

/** How often a fence like this one has been done by a hart, of those that were counted. */
export function fenceCount(hart: Hart, order: FenceOrder): number {
  return hart.view.getUint32(hart.base + HART.fences + 4 * order, true);
}

/** Whether a fence with these sets in its immediate keeps accesses in an order. */
export function fenceKeeps(imm: number, order: FenceOrder): boolean {
  const [before, after] = FENCE_BITS[order]!;
  return (imm >>> BEFORE_SHIFT & before) !== 0 && (imm & after) !== 0;
}

/** Counts a fence. */
export function countFence(hart: Hart, imm: number): void {
  for (let order = 0; order < FENCE_BITS.length; order++) {
    if (fenceKeeps(imm, order as FenceOrder)) count(hart, order);
  }
}

/** Counts an atomic operation that acquires or releases, as a fence of every kind: it may be meant as one. */
export function countOrdered(hart: Hart, aqrl: number): void {
  if (aqrl === 0) return;
  for (let order = 0; order < FENCE_BITS.length; order++) count(hart, order);
}

function count({ base, view }: Hart, order: number): void {
  const at = base + HART.fences + 4 * order;
  view.setUint32(at, view.getUint32(at, true) + 1, true);
}

/** Tells of an access that has been done to memory at a host address, if its page is watched. It lies in one page. */
export function noteWatched(hart: Hart, host: number, size: number, value: bigint, access: 0 | 1): void {
  const { watches } = hart.events;
  const page = (host - hart.memory.host(watches.base, 1)) / PAGE_SIZE >>> 0;
  if (page >= watches.flags.length || (watches.flags[page]! & (1 << access)) === 0) return;
  const addr = watches.base + host - hart.memory.host(watches.base, 1);
  watches.emit({ write: access === 1, addr, size, value: BigInt.asUintN(8 * size, value) });
}

/** Whether emitted code may not access a page, named by its number, by itself: because somebody wants to be told. */
export function isWatched({ events }: Hart, frame: number, access: Access): boolean {
  return access < 2 && events.watches.active && events.watches.covers(frame * PAGE_SIZE, access as 0 | 1);
}
