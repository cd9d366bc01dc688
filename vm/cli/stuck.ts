/** Why a guest is stuck, for the command line: what its harts did last, looked at when the run ends or when asked. */
import { explainStall, stallLines } from "../check/stall/explain.ts";
import { Sampler } from "../check/stall/sample.ts";
import { wordLines, wordsIn } from "../check/words.ts";
import type { Machine } from "../machine.ts";
import { stallView, type UnreadOf } from "../machine/stall_view.ts";
import type { Symbolizer } from "../trace/symbolizer.ts";

/** Follows what the harts do. */
export interface Watch {
  /** What keeps them, in lines. */
  lines(): string[];
  /** Follows no more. */
  end(): void;
}

/**
 * Begins to follow the harts of `machine`; `unread` is what a checker knows of its queues, `known` the words that need no
 * explanation any more.
 */
export function watchHarts(
  machine: Machine,
  symbolize: Symbolizer | undefined,
  unread: UnreadOf | undefined,
  known: () => ReadonlySet<string> | undefined,
): Watch {
  const sampler = new Sampler();
  const end = machine.events.onRecords((view, count) => sampler.records(view, count));
  return {
    lines: () => {
      machine.events.drainRecords();
      const samples = machine.harts.map(({ index }) => sampler.sample(index));
      const stall = explainStall(stallView(machine, symbolize, unread), samples);
      const words = wordLines(wordsIn([stall.why, stall.next, ...stall.seen], known()));
      // The explanation at the end, where a reader looks first.
      return [...words, ...(words.length === 0 ? [] : [""]), ...stallLines(stall)];
    },
    end,
  };
}
