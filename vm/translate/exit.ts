/** What emitted code and the TypeScript around it tell each other. */

/** Why emitted code came back. */
export const Exit = {
  /** The budget is used up. */
  Budget: 0,
  /** The instruction at pc is not for emitted code. */
  Slow: 1,
  /** The entry at pc is not decoded yet. */
  Undecoded: 2,
  /** The page at pc is not in the TLB. */
  Page: 3,
  /** The TLB does not allow the load or store at `HART.miss`, which the instruction at pc does. */
  LoadMiss: 4,
  StoreMiss: 5,
  /** At pc begins a region of several pages, of which it is not known whether they are where they were. */
  Stale: 6,
} as const;

/** How a translated region ended: it is over, or the instruction at pc is for somebody else, see `Exit`. */
export const RegionExit = { Continue: 0, Slow: 1, LoadMiss: 2, StoreMiss: 3 } as const;

/** How regions are left, for who wants to know; numbers of counters at `HART.regionEnds`. */
export const RegionEnd = {
  /** The slice might end before the next look at it. */
  Budget: 0,
  /** The code goes on where the region does not. */
  Code: 1,
  /** A jump to a place that was not expected. */
  Jump: 2,
  /** An instruction that emitted code leaves to the hart, or an access that it does not know how to do. */
  Instruction: 3,
  /** An access to a page that the TLB does not have. */
  Miss: 4,
} as const;

/** Bits of the first half of an entry in the ring of taken branches; entries' addresses leave them free. */
export const EdgeMark = {
  /** The instruction there was not done. */
  NotDone: 1,
  /** Translated code ran from there, of which the ring knows nothing. */
  Translated: 2,
  all: 3,
} as const;

/** Set in an entry's handler number where a translated region begins; its number is in the entry's `word` then. */
export const REGION_MARK = 0x8000;
