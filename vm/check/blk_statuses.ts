/** Whether a disk driver reads the status byte of the requests that come back (virtio 1.2 §5.2.6). */
import { hex } from "../bits.ts";
import type { DescriptorFact, Where } from "../events.ts";
import { WatchKind } from "../watches.ts";
import type { Queue, Watched } from "./watched_queue.ts";

/** DeviceID of disks. */
const BLK = 2;
const WRITE = 2;
/** How many bytes are watched at a time: a driver may never come back to some. */
const STATUSES_MAX = 64;

/** Tells that a rule was broken in a queue. */
type Tell = (queue: Queue, rule: string, what: string, where: Where) => void;

/** Begins and ends a watch. */
export interface Watching {
  begin(watched: Watched): void;
  end(watched: Watched): void;
}

/** A status that was not read yet. */
interface Unread {
  readonly queue: Queue;
  readonly watched: Watched;
}

/** Watches the status bytes of all disks. */
export class BlkStatuses {
  readonly #watching: Watching;
  readonly #tell: Tell;
  readonly #unread = new Map<number, Unread>();

  constructor(watching: Watching, tell: Tell) {
    this.#watching = watching;
    this.#tell = tell;
  }

  /** Where the status of a request to a device of this type is: its last device-writable byte; undefined for none. */
  static of(type: number | undefined, descriptors: readonly DescriptorFact[]): number | undefined {
    if (type !== BLK) return undefined;
    const last = descriptors.findLast(({ flags, length }) => (flags & WRITE) !== 0 && length > 0);
    return last === undefined ? undefined : last.addr + last.length - 1;
  }

  /** A request came back. */
  used(queue: Queue, status: number): void {
    this.#forget(status);
    const oldest = this.#unread.keys().next().value;
    if (this.#unread.size >= STATUSES_MAX && oldest !== undefined) this.#forget(oldest);
    const touched = ({ write }: { write: boolean }, where: Where): void => {
      if (write) this.#missed(status, "was written again", where);
      else this.#forget(status);
    };
    const watched = {
      ranges: [{ addr: status, length: 1, kind: WatchKind.Both }],
      // The byte is the driver's again: to hand it over anew is no overlap.
      stretches: [{ start: status, end: status + 1, touched, buffer: { kind: "read" as const, what: "a status" } }],
    };
    this.#unread.set(status, { queue, watched });
    this.#watching.begin(watched);
  }

  /** A request was taken whose status is to be at `status`. */
  taken(status: number, where: Where): void {
    this.#missed(status, "is another request's now", where);
  }

  /** A queue was stopped. */
  stopped(queue: Queue): void {
    for (const [status, unread] of this.#unread) if (unread.queue === queue) this.#forget(status);
  }

  #missed(status: number, what: string, where: Where): void {
    const unread = this.#unread.get(status);
    if (unread === undefined) return;
    this.#forget(status);
    const text = `the status at ${hex(status)} of a request in queue ${unread.queue.index} ${what}, and was never read`;
    this.#tell(unread.queue, "blk-status-unread", text, where);
  }

  #forget(status: number): void {
    const unread = this.#unread.get(status);
    if (unread === undefined) return;
    this.#unread.delete(status);
    this.#watching.end(unread.watched);
  }
}
