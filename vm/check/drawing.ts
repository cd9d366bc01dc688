/** The chain or ring that a finding is about, with the field at fault, as a report draws it. */
import { hex } from "../bits.ts";
import type { DescriptorFact } from "../events.ts";

/** Fields of a descriptor: a split one has `next` where a packed one has `id`. */
export type DescriptorField = "addr" | "length" | "flags" | "next" | "id";

/** Which descriptor of a list is at fault, and in what. */
export interface DescriptorMark {
  readonly at: number;
  readonly field: DescriptorField;
}

/** A chain of descriptors as the device read them. */
export interface ChainDrawing {
  readonly kind: "chain";
  readonly format: "split" | "packed";
  readonly queue: number;
  /** Index of the first descriptor, or the Buffer ID. */
  readonly head: number;
  readonly descriptors: readonly DescriptorFact[];
  readonly marked: DescriptorMark | undefined;
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

/** An entry of a packed ring, or of the indirect table that one refers to, as it stands in memory (virtio 1.2 §2.8.13). */
export interface PackedEntry {
  readonly index: number;
  readonly table: "ring" | "indirect";
  readonly addr: number;
  readonly length: number;
  readonly id: number;
  readonly flags: number;
  /** The wrap counter that the device reads it with; undefined in a table. */
  readonly wrap: 0 | 1 | undefined;
}

/** The part of a packed ring where the device reads. */
export interface PackedDrawing {
  readonly kind: "packed";
  readonly queue: number;
  readonly address: number;
  readonly size: number;
  readonly entries: readonly PackedEntry[];
  readonly marked: DescriptorMark | undefined;
}

/** The Driver Event Suppression structure of a packed queue (virtio 1.2 §2.8.14). */
export interface EventDrawing {
  readonly kind: "event";
  readonly queue: number;
  readonly address: number;
  readonly offset: number;
  readonly wrap: number;
  readonly flags: number;
  readonly marked: "desc_event_off" | "desc_event_flags";
}

/** What is drawn. */
export type Drawing = ChainDrawing | RingDrawing | PackedDrawing | EventDrawing;

/** Descriptors of a chain that are drawn. */
export const DESCRIPTORS_MAX = 24;

/** A drawing in lines, the mark beneath what is at fault. */
export function drawingLines(drawing: Drawing): string[] {
  switch (drawing.kind) {
    case "chain":
      return chainLines(drawing);
    case "ring":
      return ringLines(drawing);
    case "packed":
      return packedLines(drawing);
    case "event":
      return eventLines(drawing);
  }
}

/** A column of a list of descriptors: how it is headed, and what stands there. */
interface Column<T> {
  readonly name: string;
  readonly field?: DescriptorField;
  readonly text: (descriptor: T) => string;
}

type Common = Pick<DescriptorFact, "index" | "table" | "addr" | "length" | "flags">;

type FlagName = readonly [bit: number, name: string];
const FLAGS: readonly FlagName[] = [[1, "NEXT"], [2, "WRITE"], [4, "INDIRECT"]];
/** Bits 7 and 15 of a packed descriptor's flags (virtio 1.2 §2.8.1). */
const PACKED_FLAGS: readonly FlagName[] = [...FLAGS, [0x80, "AVAIL"], [0x8000, "USED"]];

const index = ({ index, table }: Common): string => table === "ring" ? `${index}` : `  table ${index}`;
const place: readonly Column<Common>[] = [
  { name: "addr", field: "addr", text: ({ addr }) => hex(addr) },
  { name: "length", field: "length", text: ({ length }) => `${length}` },
];

const COLUMNS: readonly Column<DescriptorFact>[] = [
  { name: "descriptor", text: index },
  ...place,
  { name: "flags", field: "flags", text: ({ flags }) => flagsText(flags, FLAGS) },
  { name: "next", field: "next", text: ({ flags, next }) => (flags & 1) === 0 ? "-" : `${next}` },
];

const PACKED_COLUMNS: readonly Column<PackedEntry>[] = [
  { name: "entry", text: index },
  ...place,
  { name: "id", field: "id", text: ({ id, table }) => table === "ring" ? `${id}` : "-" },
  { name: "wrap", text: ({ wrap }) => `${wrap ?? "-"}` },
  { name: "flags", field: "flags", text: ({ flags }) => flagsText(flags, PACKED_FLAGS) },
];

function flagsText(flags: number, names: readonly FlagName[]): string {
  const known = names.flatMap(([bit, name]) => (flags & bit) !== 0 ? name : []);
  const rest = names.reduce((left, [bit]) => left & ~bit, flags);
  return [...known, ...(rest === 0 ? [] : [hex(rest)])].join(" ") || "0";
}

function chainLines({ format, queue, head, descriptors, marked }: ChainDrawing): string[] {
  const columns = format === "split" ? COLUMNS : COLUMNS.filter(({ field }) => field !== "next");
  const { lines, left } = table(columns, descriptors, marked);
  return [
    `${format === "split" ? "chain" : "buffer"} ${head} of queue ${queue} as the device read it${left}:`,
    ...lines,
  ];
}

function packedLines({ queue, address, size, entries, marked }: PackedDrawing): string[] {
  const { lines, left } = table(PACKED_COLUMNS, entries, marked);
  return [
    `packed ring of queue ${queue} at ${hex(address)}, ${size} entries, where the device reads${left}:`,
    ...lines,
    "(with wrap counter 1 an entry is available that has AVAIL and not USED, with 0 one that has USED",
    "and not AVAIL)",
  ];
}

/** Descriptors in columns; of a long list the part around what is at fault, and what to say of that. */
function table<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  marked: DescriptorMark | undefined,
): { lines: string[]; left: string } {
  const first = Math.max(0, Math.min((marked?.at ?? 0) - DESCRIPTORS_MAX / 2, rows.length - DESCRIPTORS_MAX));
  const shown = rows.slice(first, first + DESCRIPTORS_MAX);
  const cells = [columns.map(({ name }) => name), ...shown.map((row) => columns.map(({ text }) => text(row)))];
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const lines = cells.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd());
  if (marked !== undefined) {
    const column = columns.findIndex(({ field }) => field === marked.field);
    const before = widths.slice(0, column).reduce((sum, width) => sum + width + 2, 0);
    const row = marked.at - first + 1;
    lines.splice(row + 1, 0, " ".repeat(before) + "^".repeat(cells[row]![column]!.length));
  }
  const left = rows.length === shown.length ? "" : ` (${shown.length} of its ${rows.length} descriptors)`;
  return { lines: lines.map((line) => `  ${line}`), left };
}

function ringLines({ queue, address, size, flags, idx, next, entries, marked }: RingDrawing): string[] {
  const lines = [`available ring of queue ${queue} at ${hex(address)}, ${size} entries:`];
  const start = `  flags ${flags}  idx `;
  lines.push(`${start}${idx}  (the device has taken all before entry ${next})`);
  if (marked === "idx") lines.push(under(start, `${idx}`));
  for (const { position, head } of entries) {
    const entry = `  ring[${position % size}] = `;
    lines.push(`${entry}${head}`);
    if (marked === "entry" && position === next) lines.push(under(entry, `${head}`));
  }
  return lines;
}

function eventLines({ queue, address, offset, wrap, flags, marked }: EventDrawing): string[] {
  const start = "  desc_event_off ";
  const middle = `${start}${offset}  desc_event_wrap ${wrap}  desc_event_flags `;
  return [
    `driver event suppression of queue ${queue} at ${hex(address)}:`,
    `${middle}${flags}`,
    marked === "desc_event_off" ? under(start, `${offset}`) : under(middle, `${flags}`),
  ];
}

/** The mark beneath `text`, which stands behind `before`. */
function under(before: string, text: string): string {
  return " ".repeat(before.length) + "^".repeat(text.length);
}
