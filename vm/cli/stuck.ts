/** Why a guest is stuck, for the command line: what its harts did last, looked at when the run ends or when asked. */
import { explainStall, stallLines } from "../check/stall/explain.ts";
import { Sampler } from "../check/stall/sample.ts";
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

/** Begins to follow the harts of `machine`; `unread` is what a checker knows of its queues. */
export function watchHarts(
  machine: Machine,
  symbolize: Symbolizer | undefined,
  unread: UnreadOf | undefined,
): Watch {
  const sampler = new Sampler();
  const end = machine.events.onRecords((view, count) => sampler.records(view, count));
  return {
    lines: () => {
      machine.events.drainRecords();
      const samples = machine.harts.map(({ index }) => sampler.sample(index));
      return stallLines(explainStall(stallView(machine, symbolize, unread), samples));
    },
    end,
  };
}
