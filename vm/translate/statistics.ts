/** Counts and times of emitted code, for `EngineStatistics`. */
import type { LeaveCause, RegionEndCause } from "../hart/engine_statistics.ts";
import { Exit, RegionEnd } from "./exit.ts";

const LEAVE_CAUSES: Readonly<Record<keyof typeof Exit, LeaveCause>> = {
  Budget: "budget",
  Slow: "slow",
  Undecoded: "undecoded",
  Page: "page",
  LoadMiss: "load-miss",
  StoreMiss: "store-miss",
  Stale: "stale",
};
const END_CAUSES: Readonly<Record<keyof typeof RegionEnd, RegionEndCause>> = {
  Budget: "budget",
  Code: "code",
  Jump: "jump",
  Instruction: "instruction",
  Miss: "miss",
};

/** How often emitted code came back, from counts by `Exit`. */
export function leaveCounts(counts: ArrayLike<number>): Record<LeaveCause, number> {
  return namedCounts(Exit, counts, LEAVE_CAUSES);
}

/** How often regions were left, from counts by `RegionEnd`. */
export function endCounts(counts: ArrayLike<number>): Record<RegionEndCause, number> {
  return namedCounts(RegionEnd, counts, END_CAUSES);
}

/** Counts by number as counts by the name that a cause has outside. */
function namedCounts<N extends string, C extends string>(
  numbers: Readonly<Record<N, number>>,
  counts: ArrayLike<number>,
  names: Readonly<Record<N, C>>,
): Record<C, number> {
  const all = (Object.keys(names) as N[]).map((name) => [names[name], counts[numbers[name]] ?? 0]);
  return Object.fromEntries(all) as Record<C, number>;
}
