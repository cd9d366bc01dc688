/** Follows queues as far as drawing needs it, and finds the field of a chain or ring that a rule was broken in. */
import type { DescriptorFact, VirtqueueEvent } from "../events.ts";
import type {
  ChainDrawing,
  DescriptorField,
  DescriptorMark,
  Drawing,
  EventDrawing,
  PackedDrawing,
  PackedEntry,
  RingDrawing,
} from "./drawing.ts";
import type { GuestView } from "./guest_view.ts";

/** What a rule is about. */
export type About = "chain" | "request" | "other";

/** What a finding shows. */
export interface Shown {
  /** Guest-physical address of the field at fault, where it is in a ring. */
  readonly field?: number | undefined;
  /** Draws it; undefined where there is nothing to see. Only right away: memory changes. */
  readonly draw: () => Drawing | undefined;
}

const NOTHING: Shown = { draw: () => undefined };

/** What the descriptor at fault is found by. */
type Judged = Pick<DescriptorFact, "table" | "index" | "length" | "flags"> & { readonly next?: number };

/** Of a rule on chains: the field that it is about. */
interface Fault {
  readonly field: DescriptorField;
  /** Finds the descriptor, which else is the last that was read; `parts` are those of buffers. */
  readonly is?: (descriptor: Judged, parts: readonly Judged[]) => boolean;
  /** It is the descriptor after those that were read. */
  readonly beyond?: boolean;
}

/** Bytes of a disk request's header, and of a sector (virtio 1.2 §5.2.6). */
const BLK_HEADER = 16;
const SECTOR = 512;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** By rule; of rules on requests those whose fault lies in a descriptor. */
const FAULTS: Readonly<Record<string, Fault>> = {
  "descriptor-loop": { field: "next" },
  "descriptor-next-range": { field: "next" },
  "descriptor-address": { field: "addr" },
  "descriptor-order": { field: "flags" },
  "descriptor-flags": { field: "flags", is: ({ flags }) => (flags & ~(NEXT | WRITE | INDIRECT)) !== 0 },
  "descriptor-empty": { field: "length", is: ({ length }) => length === 0 },
  "chain-length": { field: "length" },
  "indirect-not-negotiated": { field: "flags", is: ({ flags }) => (flags & INDIRECT) !== 0 },
  "indirect-nested": { field: "flags" },
  "indirect-next": { field: "flags" },
  "indirect-length": { field: "length" },
  "indirect-chain-length": { field: "length" },
  "in-order-next": { field: "next", is: ({ flags, index, next }) => (flags & NEXT) !== 0 && next !== index + 1 },
  "rng-direction": { field: "flags", is: ({ flags }) => (flags & (WRITE | INDIRECT)) === 0 },
  "dummy-direction": { field: "flags", is: ({ flags }) => (flags & (WRITE | INDIRECT)) === 0 },
  "blk-header": { field: "length", is: ({ flags }) => (flags & INDIRECT) === 0 },
  "blk-status": { field: "flags" },
  "blk-data-length": { field: "length", is: notWhole },
};

/** By rule and what was seen, where that says which field it is. */
const FAULTS_SEEN: Readonly<Record<string, readonly (readonly [RegExp, Fault])[]>> = {
  "descriptor-address": [[/the length is negative/, { field: "length" }]],
  "blk-direction": [
    [/device-writable/, { field: "flags", is: (one, parts) => (one.flags & WRITE) !== 0 && one !== parts.at(-1) }],
    [/device-readable/, { field: "flags", is: (one, parts) => (one.flags & WRITE) === 0 && one !== parts[0] }],
  ],
  "console-direction": [
    [/receiveq/, { field: "flags", is: ({ flags }) => (flags & (WRITE | INDIRECT)) === 0 }],
    [/transmitq/, { field: "flags", is: ({ flags }) => (flags & WRITE) !== 0 }],
  ],
};

/** Of a disk's request: the header is not 16 bytes, so that the data begins or ends elsewhere, or the data is not sectors. */
function notWhole(one: Judged, parts: readonly Judged[]): boolean {
  const [header, status] = [parts[0], parts.at(-1)];
  if (header !== undefined && header.length < BLK_HEADER) return one === header;
  return parts.includes(one) && one !== header && one !== status && one.length % SECTOR !== 0;
}

/** The same where a packed ring differs: the end of a list is in its flags, and its name in `id`. */
const PACKED_FAULTS: Readonly<Record<string, Fault>> = {
  "descriptor-loop": { field: "flags" },
  "packed-id-in-flight": { field: "id" },
  "packed-list-unavailable": { field: "flags", beyond: true },
  "packed-overcommitted": { field: "flags" },
};

/** Of a packed table's entries flags but WRITE are reserved (virtio 1.2 §2.8.19); only memory has them all. */
const TABLE_FLAGS: Fault = {
  field: "flags",
  is: ({ table, flags }) => table === "indirect" && (flags & ~WRITE) !== 0,
};

/** Told while the chain is still being read: it can be drawn only with the fact that follows. */
const EARLY: ReadonlySet<string> = new Set([
  "descriptor-empty",
  "indirect-not-negotiated",
  "indirect-chain-length",
  "in-order-next",
  "packed-indirect-flags",
]);

/** The part of the available ring that a rule is about. */
const RINGS: Readonly<Record<string, "idx" | "entry">> = {
  "avail-idx-jump": "idx",
  "avail-head-range": "entry",
  "avail-head-in-flight": "entry",
  "avail-overcommitted": "entry",
};

/** Chains in flight that are remembered. */
const IN_FLIGHT_MAX = 4096;
/** Entries of a ring that are drawn. */
const ENTRIES_MAX = 8;
/** Bytes of a descriptor, and where its fields are by format (virtio 1.2 §2.7.5, §2.8.13). */
const DESCRIPTOR = 16;
const OFFSETS: Readonly<Record<"split" | "packed", Readonly<Record<DescriptorField, number>>>> = {
  split: { addr: 0, length: 8, flags: 12, next: 14, id: 14 },
  packed: { addr: 0, length: 8, id: 12, flags: 14, next: 14 },
};

type Chain = Extract<VirtqueueEvent, { step: "chain" }>;
type Configured = Extract<VirtqueueEvent, { step: "configured" }>;

interface QueueSeen {
  readonly configured: Configured;
  /** Split: the entry that the device takes next, a 16-bit position. */
  next: number;
  /** Packed: the wrap counter at the chain that was last read, and at the next one. */
  wrap: 0 | 1;
  nextWrap: 0 | 1;
}

const other = (wrap: 0 | 1): 0 | 1 => wrap === 1 ? 0 : 1;

/** Follows the queues of all devices as far as drawing needs it. */
export class Drawings {
  readonly #guest: GuestView | undefined;
  readonly #queues = new Map<string, QueueSeen>();
  /** By device: the queue it was last at, and the chain it last read. */
  readonly #at = new Map<string, number>();
  readonly #chains = new Map<string, Chain>();
  /** Chains that devices have not used yet, by device, queue and head: of a request they speak later. */
  readonly #inFlight = new Map<string, Chain>();

  constructor(guest: GuestView | undefined) {
    this.#guest = guest;
  }

  /** One step of a queue. */
  step(fact: VirtqueueEvent): void {
    const { device, queue } = fact;
    const key = `${device}.${queue}`;
    this.#at.set(device, queue);
    const seen = this.#queues.get(key);
    if (fact.step === "configured") this.#queues.set(key, { configured: fact, next: 0, wrap: 1, nextWrap: 1 });
    else if (fact.step === "stopped") this.#queues.delete(key);
    else if (fact.step === "available" && seen !== undefined) seen.next = fact.from;
    else if (fact.step === "used") this.#inFlight.delete(`${key} ${fact.head}`);
    else if (fact.step === "chain") {
      this.#chains.set(device, fact);
      if (this.#inFlight.size < IN_FLIGHT_MAX) this.#inFlight.set(`${key} ${fact.head}`, fact);
      if (seen !== undefined) taken(seen, fact);
    }
  }

  /** Whether the chain that a rule was broken in is told after the rule. */
  comesLater(rule: string): boolean {
    return EARLY.has(rule);
  }

  /**
   * What to show for a rule that a device's driver has just broken. Devices say `queue Q, head N` of the request that they mean.
   */
  of(rule: string, device: string, what: string, about: About): Shown {
    const queue = this.#at.get(device);
    const seen = queue === undefined ? undefined : this.#queues.get(`${device}.${queue}`);
    const part = RINGS[rule];
    if (part !== undefined) return seen === undefined ? NOTHING : this.#ring(seen, part);
    if (rule === "packed-event") return seen === undefined ? NOTHING : this.#event(seen, what);
    if (about === "other") return NOTHING;
    const named = /\bqueue (\d+), head (\d+)/.exec(what);
    const chain = named === null ? this.#chains.get(device) : this.#inFlight.get(`${device}.${named[1]} ${named[2]}`);
    if (chain === undefined) return NOTHING;
    const from = this.#queues.get(`${device}.${chain.queue}`);
    const format = from?.configured.format ?? "split";
    const fault = FAULTS_SEEN[rule]?.find(([seen]) => seen.test(what))?.[1] ??
      (format === "packed" ? PACKED_FAULTS[rule] : undefined) ?? FAULTS[rule];
    const marked = markOf(fault, chain.descriptors);
    const drawing: ChainDrawing = {
      kind: "chain",
      format,
      queue: chain.queue,
      head: chain.head,
      descriptors: chain.descriptors,
      marked,
    };
    // A request's fault is in what the driver asks for, not in how it was put into the ring; and it is judged when it
    // is done, when the entries of a packed ring may be those of another one.
    if (about === "request" || from === undefined) return { draw: () => drawing };
    if (format === "split") return { field: fieldAddress(from, chain.descriptors, marked), draw: () => drawing };
    const ring = packedPlaces(from, chain, fault);
    return {
      field: fieldAddress(from, ring, markOf(fault, ring)),
      draw: () => this.#packed(from, ring, rule === "packed-indirect-flags" ? TABLE_FLAGS : fault) ?? drawing,
    };
  }

  #ring({ configured, next }: QueueSeen, marked: "idx" | "entry"): Shown {
    const { driver: address, size, queue } = configured;
    const draw = (): RingDrawing | undefined => {
      const view = this.#view(address, 4 + 2 * size);
      if (view === undefined) return undefined;
      const [flags, idx] = [view.getUint16(0, true), view.getUint16(2, true)];
      const count = Math.min(size, ENTRIES_MAX);
      const all = Array.from({ length: count }, (_, i) => {
        const position = (next + i) & 0xffff;
        return { position, head: view.getUint16(4 + 2 * (position % size), true) };
      });
      // With a wild idx nothing is new; else what lies between the device's place and the driver's.
      const entries = all.slice(0, marked === "idx" ? 0 : (idx - next) & 0xffff);
      return { kind: "ring", queue, address, size, flags, idx, next, entries, marked };
    };
    return { field: address + (marked === "idx" ? 2 : 4 + 2 * (next % size)), draw };
  }

  #event({ configured: { driver: address, queue } }: QueueSeen, what: string): Shown {
    const marked = what.includes("desc_event_off") ? "desc_event_off" : "desc_event_flags";
    const draw = (): EventDrawing | undefined => {
      const view = this.#view(address, 4);
      if (view === undefined) return undefined;
      const word = view.getUint16(0, true);
      const [offset, wrap, flags] = [word & 0x7fff, word >>> 15, view.getUint16(2, true)];
      return { kind: "event", queue, address, offset, wrap, flags, marked };
    };
    return { field: address + (marked === "desc_event_off" ? 0 : 2), draw };
  }

  /** The entries of the ring that the device has just read, as they are in memory, and the table they refer to. */
  #packed({ configured }: QueueSeen, places: readonly PackedPlace[], fault: Fault | undefined): Drawing | undefined {
    const { desc: address, size, queue } = configured;
    const entries: PackedEntry[] = [];
    let table = 0;
    for (const { index, table: kind, wrap } of places) {
      const view = this.#view((kind === "ring" ? address : table) + DESCRIPTOR * index, DESCRIPTOR);
      if (view === undefined) return undefined;
      const addr = Number(view.getBigUint64(0, true));
      if (kind === "ring") table = addr;
      const [length, id, flags] = [view.getUint32(8, true), view.getUint16(12, true), view.getUint16(14, true)];
      entries.push({ index, table: kind, addr, length, id, flags, wrap });
    }
    const drawing: PackedDrawing = { kind: "packed", queue, address, size, entries, marked: markOf(fault, entries) };
    return drawing;
  }

  #view(addr: number, size: number): DataView | undefined {
    const bytes = this.#guest?.memory(addr, size);
    return bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

/** The device has read a chain: where it goes on. */
function taken(seen: QueueSeen, { position, descriptors }: Chain): void {
  const { format, size } = seen.configured;
  if (format === "split") {
    seen.next = (position + 1) & 0xffff;
    return;
  }
  seen.wrap = seen.nextWrap;
  const slots = descriptors.filter(({ table }) => table === "ring").length;
  if (position + slots >= size) seen.nextWrap = other(seen.wrap);
}

/** A descriptor that the device read, and the wrap counter that it read it with if that is in the ring. */
type PackedPlace = Omit<DescriptorFact, "addr"> & { readonly wrap: 0 | 1 | undefined };

/** What the device read of a packed ring, with the entry it stopped at where a rule is about that one. */
function packedPlaces(
  { configured: { size }, wrap: first }: QueueSeen,
  { position, descriptors }: Chain,
  fault: Fault | undefined,
): PackedPlace[] {
  let [index, wrap] = [position, first];
  const step = (): 0 | 1 => {
    const now = wrap;
    if (++index === size) [index, wrap] = [0, other(wrap)];
    return now;
  };
  const places: PackedPlace[] = descriptors.map((fact) => ({
    ...fact,
    wrap: fact.table === "ring" ? step() : undefined,
  }));
  if (fault?.beyond === true || places.length === 0) {
    places.push({ index, table: "ring", length: 0, flags: 0, next: 0, wrap });
  }
  return places;
}

/** Which of these descriptors is at fault. */
function markOf(fault: Fault | undefined, descriptors: readonly Judged[]): DescriptorMark | undefined {
  if (fault === undefined) return undefined;
  const { field, is } = fault;
  const parts = descriptors.filter(({ flags }) => (flags & INDIRECT) === 0);
  const at = is === undefined ? descriptors.length - 1 : descriptors.findIndex((one) => is(one, parts));
  return at < 0 ? undefined : { at, field };
}

/** Where the marked field is; undefined where it is not in a ring. */
function fieldAddress(
  { configured: { format, desc } }: QueueSeen,
  descriptors: readonly Pick<DescriptorFact, "index" | "table">[],
  marked: DescriptorMark | undefined,
): number | undefined {
  const descriptor = marked && descriptors[marked.at];
  if (marked === undefined || descriptor?.table !== "ring") return undefined;
  return desc + DESCRIPTOR * descriptor.index + OFFSETS[format][marked.field];
}
