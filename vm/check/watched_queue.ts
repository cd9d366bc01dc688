/** What is remembered of a queue whose memory is watched, and of the fences between accesses to it. */
import type { VirtqueueEvent, Where } from "../events.ts";
import { FenceOrder, type WatchedAccess, type Watches, type WatchRange } from "../watches.ts";
import type { Kick, Peek } from "./kick.ts";

/** Tells that a rule of a device was broken. */
export type MemoryReport = (device: string, rule: string, what: string, where: Where) => void;

/** What is known of a device beside its queues. */
export interface DeviceState {
  /** DeviceID, once the driver has read it. */
  readonly type: number | undefined;
  /** VIRTIO_F_EVENT_IDX is in force. */
  readonly eventIdx: boolean;
  /** The driver has set DRIVER_OK. */
  readonly live: boolean;
  /** The driver has set SUSPEND, and not gone on since. */
  readonly suspended: boolean;
  /** Where the driver last notified the device. */
  readonly notified: Where | undefined;
}

/** What a watch of memory looks at beside the facts. */
export interface MemorySight {
  readonly peek: Peek;
  /** What is known of the device called `name`. */
  state(name: string): DeviceState;
}

/** A stretch of memory, and what an access there means. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly touched: (access: WatchedAccess, where: Where) => void;
  /** What of a chain in flight it is; absent for parts of rings and what else is watched. */
  readonly buffer?: { readonly kind: "descriptor" | "read" | "written"; readonly what: string };
}

/** What is watched together. */
export interface Watched {
  readonly ranges: readonly WatchRange[];
  readonly stretches: readonly Stretch[];
}

/** What a driver has not read of what its device has used. */
export interface Unread {
  /** How many used buffers. */
  readonly unread: number;
  /** It has looked whether there is something, since the device used the last one. */
  readonly looked: boolean;
}

/** A chain in flight. */
export interface WatchedChain extends Watched {
  /** How many descriptors of the ring it has. */
  readonly slots: number;
  /** Where a disk writes the status of the request. */
  readonly status: number | undefined;
}

/** Where the parts of a queue are. */
export type Layout = Extract<VirtqueueEvent, { step: "configured" }>;

/** One queue while it is handed over. */
export interface Queue {
  readonly device: string;
  readonly index: number;
  readonly layout: Layout;
  readonly areas: Watched;
  /** Chains in flight, by head. */
  readonly chains: Map<number, WatchedChain>;
  /** The available idx as the driver stored it last. */
  idx: number | undefined;
  /** Where the device takes next: split, a 16-bit index; packed, a place in the ring. */
  taken: number;
  /** Where the driver of a packed ring makes the next buffer available. */
  next: number;
  /** How many used elements the device has written. */
  used: number;
  /** The driver's last store to a descriptor or an entry, to idx, and its last load of the used idx. */
  filled: Mark | undefined;
  exposed: Mark | undefined;
  looked: Mark | undefined;
  readonly kick: Kick;
  /** Descriptors of the ring in all chains in flight. */
  slots: number;
  /** By place in the used ring, or in a packed one: the device has written what the driver has not read yet. */
  readonly unread: Uint8Array;
  /** The driver has read the used idx, or flags of a packed ring, since the device used something last. */
  lookedSince: boolean;
  /** flags of the available ring, as the driver stored them last. */
  flags: number;
  /** The driver asked for notifications again, and has not looked at the used idx since. */
  reenabled: Where | undefined;
  /** It has looked there since it claimed the device's interrupt. */
  handling: boolean;
  /** It acknowledged the interrupt after it looked, and has not looked since. */
  acknowledged: Where | undefined;
}

/** A store or load, and how many fences there had been. */
export interface Mark {
  readonly hart: number;
  readonly fences: readonly number[];
}

/** Tells whether there was a fence between two moments. */
export class Fences {
  readonly #watches: Watches;

  constructor(watches: Watches) {
    this.#watches = watches;
  }

  /** This moment. */
  mark({ hart }: Where): Mark {
    return { hart, fences: Object.values(FenceOrder).map((order) => this.#watches.fences(order)) };
  }

  /** Whether its hart has done a fence of this order since. */
  since({ fences }: Mark, order: FenceOrder): boolean {
    return fences[order] !== this.#watches.fences(order);
  }
}

/** Accesses that a hart made and that are to be seen in order: whether `where` is that hart, with no fence since. */
export function unfenced(mark: Mark | undefined, where: Where, order: FenceOrder, fences: Fences): mark is Mark {
  return mark !== undefined && mark.hart === where.hart && !fences.since(mark, order);
}

/** What a buffer that the device writes lies on: something else that it writes, or a ring; undefined if on nothing. */
export function overlapOf(stretch: Stretch, others: ReadonlySet<Stretch>): string | undefined {
  for (const other of others) {
    if (other.start >= stretch.end || stretch.start >= other.end) continue;
    const { kind, what } = other.buffer ?? { kind: "written", what: "a part of a ring" };
    // Two requests may be for the same buffer on purpose.
    const same = kind === "written" && other.start === stretch.start;
    if (kind !== "read" && !same) return `${stretch.buffer!.what}, lies on ${what}`;
  }
  return undefined;
}

/** NEXT among a descriptor's flags. */
const NEXT = 1;

/** How many entries of a packed ring a list takes whose first has these flags; those behind it are there (§2.8.6). */
export function listLength({ desc, size }: Layout, first: number, flags: number, peek: Peek): number {
  let length = 1;
  while ((flags & NEXT) !== 0 && length < size) {
    flags = peek(desc + 16 * ((first + length) % size) + 14) ?? 0;
    length++;
  }
  return length;
}
