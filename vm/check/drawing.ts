/** The chain or ring that a finding is about, with the field at fault: kept when it is found, drawn in a report. */
import { hex } from "../bits.ts";
import type { DescriptorFact, VirtqueueEvent } from "../events.ts";
import type { GuestView } from "./guest_view.ts";

/** Fields of a descriptor. */
export type DescriptorField = "addr" | "length" | "flags" | "next";

/** A chain of descriptors as the device read them. */
export interface ChainDrawing {
  readonly kind: "chain";
  readonly queue: number;
  readonly head: number;
  readonly descriptors: readonly DescriptorFact[];
  /** Which of them is at fault, and in what. */
  readonly marked: { readonly at: number; readonly field: DescriptorField } | undefined;
}

/** An available ring as the driver left it (virtio 1.2 §2.7.6). */
export interface RingDrawing {
  readonly kind: "ring";
  readonly queue: number;
  readonly address: number;
  readonly size: number;
  readonly flags: number;
  readonly idx: number;
  /** The entry that the device takes next. */
  readonly next: number;
  /** Entries by their positions. */
  readonly entries: readonly { readonly position: number; readonly head: number }[];
  readonly marked: "idx" | "entry";
}

/** What is drawn. */
export type Drawing = ChainDrawing | RingDrawing;

/** The field that a rule on chains is about; `is` finds the descriptor, which else is the last that was read. */
const FIELDS: Readonly<
  Record<string, { readonly field: DescriptorField; readonly is?: (d: DescriptorFact) => boolean }>
> = {
  "descriptor-loop": { field: "next" },
  "descriptor-next-range": { field: "next" },
  "descriptor-address": { field: "addr" },
  "descriptor-order": { field: "flags" },
  "descriptor-flags": { field: "flags", is: ({ flags }) => (flags & ~7) !== 0 },
  "descriptor-empty": { field: "length", is: ({ length }) => length === 0 },
  "chain-length": { field: "length" },
  "indirect-not-negotiated": { field: "flags", is: ({ flags }) => (flags & 4) !== 0 },
  "indirect-nested": { field: "flags" },
  "indirect-next": { field: "flags" },
  "indirect-length": { field: "length" },
  "indirect-chain-length": { field: "length" },
};

/** Told while the chain is still being read: it can be drawn only with the fact that follows. */
const EARLY: ReadonlySet<string> = new Set(["descriptor-empty", "indirect-not-negotiated", "indirect-chain-length"]);

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
/** Descriptors of a chain that are drawn. */
export const DESCRIPTORS_MAX = 24;

type Chain = Extract<VirtqueueEvent, { step: "chain" }>;
type Configured = Extract<VirtqueueEvent, { step: "configured" }>;

interface QueueSeen {
  readonly configured: Configured;
  /** The entry that the device takes next. */
  next: number;
}

/** Follows the queues of all devices as far as drawing needs it. */
export class Drawings {
  readonly #guest: GuestView | undefined;
  readonly #queues = new Map<string, QueueSeen>();
  /** By device: the queue it was last at, and the chain it last read. */
  readonly #at = new Map<string, number>();
  readonly #chains = new Map<string, Chain>();
  /** Chains that devices have not used yet, by device and head: of a request they speak later. */
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
    if (fact.step === "configured") this.#queues.set(key, { configured: fact, next: 0 });
    else if (fact.step === "stopped") this.#queues.delete(key);
    else if (fact.step === "available" && seen !== undefined) seen.next = fact.from;
    else if (fact.step === "used") this.#inFlight.delete(`${device} ${fact.head}`);
    else if (fact.step === "chain") {
      this.#chains.set(device, fact);
      if (this.#inFlight.size < IN_FLIGHT_MAX) this.#inFlight.set(`${device} ${fact.head}`, fact);
      if (seen !== undefined) seen.next = (fact.position + 1) & 0xffff;
    }
  }

  /** Whether the chain that a rule was broken in is told after the rule. */
  comesLater(rule: string): boolean {
    return EARLY.has(rule);
  }

  /**
   * What to draw for a rule that a device's driver has just broken; undefined where there is nothing to see. Devices say
   * `head N` of the request that they mean.
   */
  of(rule: string, device: string, what: string, about: "chain" | "request" | "other"): Drawing | undefined {
    const marked = RINGS[rule];
    if (marked !== undefined) return this.#ring(device, marked);
    if (about === "other") return undefined;
    const head = about === "request" ? /\bhead (\d+)/.exec(what)?.[1] : undefined;
    const chain = head === undefined ? this.#chains.get(device) : this.#inFlight.get(`${device} ${head}`);
    if (chain === undefined) return undefined;
    const { queue, descriptors } = chain;
    const mark = FIELDS[rule];
    const found = mark?.is === undefined ? descriptors.length - 1 : descriptors.findIndex(mark.is);
    const at = mark === undefined || found < 0 ? undefined : { at: found, field: mark.field };
    return { kind: "chain", queue, head: chain.head, descriptors, marked: at };
  }

  #ring(device: string, marked: "idx" | "entry"): RingDrawing | undefined {
    const queue = this.#at.get(device);
    const seen = queue === undefined ? undefined : this.#queues.get(`${device}.${queue}`);
    if (queue === undefined || seen === undefined) return undefined;
    const { driver: address, size } = seen.configured;
    const bytes = this.#guest?.memory(address, 4 + 2 * size);
    if (bytes === undefined) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [flags, idx] = [view.getUint16(0, true), view.getUint16(2, true)];
    const count = Math.min(size, ENTRIES_MAX);
    const entries = Array.from({ length: count }, (_, i) => {
      const position = (seen.next + i) & 0xffff;
      return { position, head: view.getUint16(4 + 2 * (position % size), true) };
    });
    // With a wild idx nothing is new; else what lies between the device's place and the driver's.
    const fresh = marked === "idx" ? 0 : (idx - seen.next) & 0xffff;
    return {
      kind: "ring",
      queue,
      address,
      size,
      flags,
      idx,
      next: seen.next,
      entries: entries.slice(0, fresh),
      marked,
    };
  }
}

/** A drawing in lines, the mark beneath what is at fault. */
export function drawingLines(drawing: Drawing): string[] {
  return drawing.kind === "chain" ? chainLines(drawing) : ringLines(drawing);
}

/** Columns of a chain: how wide, and what stands there. */
const COLUMNS: readonly {
  readonly name: string;
  readonly field?: DescriptorField;
  readonly text: (d: DescriptorFact) => string;
}[] = [
  { name: "descriptor", text: ({ index, table }) => table === "ring" ? `${index}` : `  table ${index}` },
  { name: "addr", field: "addr", text: ({ addr }) => hex(addr) },
  { name: "length", field: "length", text: ({ length }) => `${length}` },
  { name: "flags", field: "flags", text: ({ flags }) => flagsText(flags) },
  { name: "next", field: "next", text: ({ flags, next }) => (flags & 1) === 0 ? "-" : `${next}` },
];

function flagsText(flags: number): string {
  const names = ["NEXT", "WRITE", "INDIRECT"].filter((_, bit) => (flags & (1 << bit)) !== 0);
  const rest = flags & ~7;
  return [...names, ...(rest === 0 ? [] : [hex(rest)])].join(" ") || "0";
}

function chainLines({ queue, head, descriptors, marked }: ChainDrawing): string[] {
  // Of a long chain the part around what is at fault.
  const first = Math.max(0, Math.min((marked?.at ?? 0) - DESCRIPTORS_MAX / 2, descriptors.length - DESCRIPTORS_MAX));
  const shown = descriptors.slice(first, first + DESCRIPTORS_MAX);
  const cells = [COLUMNS.map(({ name }) => name), ...shown.map((d) => COLUMNS.map(({ text }) => text(d)))];
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const lines = cells.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd());
  if (marked !== undefined) {
    const column = COLUMNS.findIndex(({ field }) => field === marked.field);
    const left = widths.slice(0, column).reduce((sum, width) => sum + width + 2, 0);
    const row = marked.at - first + 1;
    lines.splice(row + 1, 0, " ".repeat(left) + "^".repeat(cells[row]![column]!.length));
  }
  const left = descriptors.length - shown.length;
  const of = left === 0 ? "" : ` (${shown.length} of its ${descriptors.length} descriptors)`;
  return [`chain ${head} of queue ${queue} as the device read it${of}:`, ...lines.map((line) => `  ${line}`)];
}

function ringLines({ queue, address, size, flags, idx, next, entries, marked }: RingDrawing): string[] {
  const lines = [`available ring of queue ${queue} at ${hex(address)}, ${size} entries:`];
  const start = `  flags ${flags}  idx `;
  lines.push(`${start}${idx}  (the device has taken all before entry ${next})`);
  if (marked === "idx") lines.push(" ".repeat(start.length) + "^".repeat(`${idx}`.length));
  for (const { position, head } of entries) {
    const entry = `  ring[${position % size}] = `;
    lines.push(`${entry}${head}`);
    if (marked === "entry" && position === next) lines.push(" ".repeat(entry.length) + "^".repeat(`${head}`.length));
  }
  return lines;
}
