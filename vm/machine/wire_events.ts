import { RAM_BASE } from "../board.ts";
import type { Clock } from "../bus/clock.ts";
import type { EventStream } from "../events.ts";
import type { Hart } from "../hart/hart.ts";
import type { RecordRing } from "../hart/record_ring.ts";
import { fenceCount } from "../hart/watching.ts";

/** What an event stream must know of the machine whose facts it tells. */
export interface EventSource {
  readonly clock: Clock;
  readonly records: RecordRing;
  /** The hart that runs now. */
  readonly hart: () => Hart;
  /** Has engines make their code anew: for what listeners want to know, and nothing else. */
  readonly specialise: (records: boolean) => void;
  /** Bytes of RAM. */
  readonly memorySize: number;
}

/** Lets a stream say where the run stands, and engines follow its listeners. */
export function wireEvents(events: EventStream, { clock, records, hart, specialise, memorySize }: EventSource): void {
  events.where = () => {
    const { index, pc, privilege } = hart();
    return { hart: index, pc, privilege, steps: clock.steps + clock.inSlice, now: clock.now };
  };
  events.drainRecords = () => records.drain();
  events.onSpecialise = (active) => {
    records.active = active;
    specialise(active);
  };
  const { watches } = events;
  watches.base = RAM_BASE;
  watches.size = memorySize;
  watches.fences = (order) => fenceCount(hart(), order);
  watches.onSpecialise = () => specialise(records.active);
}
