/** The loops of a region: which blocks each repeats, and which ways back to a header belong to which of several loops. */
import { redirect, successors } from "./flow.ts";
import type { Edge, FlowBlock } from "./flow.ts";

/** Most loops that one header is parted into. */
const NESTED = 4;

/** Loops by the position of their header in the order; -1 for none. */
export interface Loops {
  /** The innermost loop that each block is in; of a header, its own. */
  readonly innermost: Int32Array;
  /** The loop around each loop. */
  readonly parent: Int32Array;
}

/** Where control comes from to each block. */
export function predecessors(order: readonly FlowBlock[]): number[][] {
  const place = new Map(order.map((b, i) => [b, i]));
  const preds: number[][] = order.map(() => []);
  order.forEach((b, i) => successors(b).forEach((s) => preds[place.get(s)!]!.push(i)));
  return preds;
}

/** Finds the loops of blocks in reverse postorder, of which every back edge goes to a block that dominates its source. */
export function loopsOf(order: readonly FlowBlock[]): Loops {
  const preds = predecessors(order);
  const innermost = new Int32Array(order.length).fill(-1);
  const parent = new Int32Array(order.length).fill(-1);
  // A block in a loop that was found stands for the outermost one of these.
  const whole = (block: number): number => {
    let at = innermost[block]! < 0 ? block : innermost[block]!;
    while (parent[at]! >= 0) at = parent[at]!;
    return at;
  };
  for (let header = order.length - 1; header >= 0; header--) {
    const work = preds[header]!.filter((p) => p >= header);
    if (work.length === 0) continue;
    innermost[header] = header;
    while (work.length > 0) {
      const at = whole(work.pop()!);
      if (at === header) continue;
      if (innermost[at] === at) parent[at] = header;
      else innermost[at] = header;
      work.push(...preds[at]!);
    }
  }
  return { innermost, parent };
}

/**
 * Parts a header that several loops of the program share, because the region begins in the inner one: its code alone is
 * then a loop, around which another one, with a header without instructions, holds the rest. V8 keeps what an inner loop
 * does not change in registers only if no other way leads back to its header. The program's loops are told apart by where
 * they begin: outer ones do earlier. Returns what each parted header became; undefined if there was nothing to part.
 */
export function partHeaders(order: readonly FlowBlock[]): Map<FlowBlock, FlowBlock> | undefined {
  const preds = predecessors(order);
  for (let i = order.length - 1; i >= 0; i--) {
    const sources = preds[i]!.filter((p) => p >= i);
    if (sources.length < 2) continue;
    const first = new Map(sources.map((s) => [s, firstOf(order, preds, i, s)]));
    const begins = new Set(first.values());
    if (begins.size < 2 || begins.size > NESTED) continue;
    const inner = Math.max(...begins);
    const header = order[i]!;
    const outer: FlowBlock = { ...header, instructions: [], end: { kind: "goto", to: { block: header } } };
    const away = (edge: Edge): Edge => "block" in edge && edge.block === header ? { block: outer } : edge;
    for (const p of preds[i]!) if (first.get(p) !== inner) redirect(order[p]!, away);
    return new Map([[header, outer]]);
  }
  return undefined;
}

/** Where the loop begins in the program that one back edge makes. */
function firstOf(order: readonly FlowBlock[], preds: readonly number[][], header: number, source: number): number {
  const seen = new Set([header]);
  const work = [source];
  while (work.length > 0) {
    const at = work.pop()!;
    if (seen.has(at)) continue;
    seen.add(at);
    work.push(...preds[at]!);
  }
  return Math.min(...[...seen].map((at) => order[at]!.position));
}
