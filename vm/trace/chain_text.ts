/** Descriptor chains drawn with lines. */
import { hex } from "../bits.ts";
import type { DescriptorFact } from "../events.ts";

/** Flags of a descriptor (virtio 1.2 §2.7.5). */
const FLAGS: readonly (readonly [bit: number, name: string])[] = [[1, "NEXT"], [2, "WRITE"], [4, "INDIRECT"]];
const WRITE = 2;
const INDIRECT = 4;
const DESCRIPTOR_BYTES = 16;

/** More descriptors than this are counted, not drawn. */
const DRAWN = 64;

/** `1 byte`, `512 bytes`. */
export function byteCount(n: number): string {
  return n === 1 ? "1 byte" : `${n} bytes`;
}

/** What the device may read and write of a chain in all: `device reads 16 bytes and writes 513 bytes`. */
export function chainTotals(descriptors: readonly DescriptorFact[]): string {
  const buffers = descriptors.filter((d) => (d.flags & INDIRECT) === 0);
  const total = (writable: boolean) =>
    buffers.filter((d) => ((d.flags & WRITE) !== 0) === writable).reduce((sum, d) => sum + d.length, 0);
  const parts = [
    ...(total(false) > 0 ? [`reads ${byteCount(total(false))}`] : []),
    ...(total(true) > 0 ? [`writes ${byteCount(total(true))}`] : []),
  ];
  return parts.length === 0 ? "no bytes" : `device ${parts.join(" and ")}`;
}

/**
 * One line per descriptor:
 *
 * ```text
 * ┌ [0] device reads      16 bytes at 0x80012340  NEXT
 * ├ [1] device writes    512 bytes at 0x80013000  NEXT|WRITE
 * └ [2] device writes      1 byte  at 0x80014000  WRITE
 * ```
 *
 * An indirect table hangs under the descriptor that names it.
 */
export function chainLines(descriptors: readonly DescriptorFact[]): string[] {
  const shown = descriptors.slice(0, DRAWN);
  const width = Math.max(...shown.map((d) => `[${d.index}]`.length));
  const digits = Math.max(...shown.map((d) => String(d.length).length));
  const lines = shown.map((d, i) => {
    const previous = shown[i - 1]?.table === d.table;
    const next = shown[i + 1]?.table === d.table;
    const more = i === DRAWN - 1 && descriptors.length > DRAWN;
    const corner = shown.length === 1 && !more ? "─" : next || more ? (previous ? "├" : "┌") : previous ? "└" : "─";
    const index = `[${d.index}]`.padEnd(width);
    const flags = flagNames(d.flags);
    const inner = d.table === "indirect" ? "   " : "";
    const bytes = `${String(d.length).padStart(digits)} ${d.length === 1 ? "byte " : "bytes"}`;
    const does = (d.flags & INDIRECT) !== 0
      ? d.length % DESCRIPTOR_BYTES === 0 ? `table of ${d.length / DESCRIPTOR_BYTES} descriptors` : `table of ${bytes}`
      : `device ${(d.flags & WRITE) !== 0 ? "writes" : "reads "} ${bytes}`;
    return `${inner}${corner} ${index} ${does} at ${hex(d.addr, 8)}${flags === "" ? "" : `  ${flags}`}`;
  });
  if (descriptors.length > DRAWN) lines.push(`└ ${descriptors.length - DRAWN} more`);
  return lines;
}

function flagNames(flags: number): string {
  const names = FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  const rest = FLAGS.reduce((left, [bit]) => left & ~bit, flags);
  return [...names, ...(rest === 0 ? [] : [hex(rest)])].join("|");
}
