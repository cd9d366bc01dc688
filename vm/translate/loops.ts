/** The loops of a region: which blocks each repeats, and which ways back to a header belong to which of several loops. */
import { nextWalk, redirect, successors } from "./flow.ts";
import type { Edge, EnterCase, FlowBlock } from "./flow.ts";

/** Most loops that one header is parted into. */
const NESTED = 4;
/** Most loops at which a region may be entered. */
const ENTRIES = 12;

/** Loops by the position of their header in the order; -1 for none. */
export interface Loops {
  /** The innermost loop that each block is in; of a header, its own. */
  readonly innermost: Int32Array;
  /** The loop around each loop. */
  readonly parent: Int32Array;
}

/** Where control comes from to each block, by order. */
export type Predecessors = readonly (readonly number[])[];

/** Finds it. */
export function predecessors(order: readonly FlowBlock[]): number[][] {
  const preds: number[][] = [];
  for (let i = 0; i < order.length; i++) preds.push([]);
  for (let i = 0; i < order.length; i++) {
    for (const to of successors(order[i]!)) preds[to.order]!.push(i);
  }
  return preds;
}

/** Finds the loops of blocks in reverse postorder, by where control comes to each from, of which every back edge goes to a block that dominates its source. */
export function loopsOf(preds: Predecessors): Loops {
  const innermost = new Int32Array(preds.length).fill(-1);
  const parent = new Int32Array(preds.length).fill(-1);
  const work: number[] = [];
  for (let header = preds.length - 1; header >= 0; header--) {
    for (const p of preds[header]!) if (p >= header) work.push(p);
    if (work.length === 0) continue;
    innermost[header] = header;
    while (work.length > 0) {
      // A block in a loop that was found stands for the outermost one of these.
      let at = work.pop()!;
      if (innermost[at]! >= 0) at = innermost[at]!;
      while (parent[at]! >= 0) at = parent[at]!;
      if (at === header) continue;
      if (innermost[at] === at) parent[at] = header;
      else innermost[at] = header;
      for (const p of preds[at]!) work.push(p);
    }
  }
  return { innermost, parent };
}

/**
 * Parts a header that several loops of the program share, because the region begins in the inner one: its code alone is
 * then a loop, around which another one, with a header without instructions, holds the rest. V8 keeps what an inner loop
 * does not change in registers only if no other way leads back to its header. The program's loops are told apart by where
 * they begin; the inner one is the shortest. Returns what the parted header became; undefined if there was nothing to part.
 */
export function partHeaders(
  order: readonly FlowBlock[],
  preds: Predecessors,
): { readonly header: FlowBlock; readonly outer: FlowBlock } | undefined {
  for (let i = order.length - 1; i >= 0; i--) {
    const sources = preds[i]!.filter((p) => p >= i);
    if (sources.length < 2) continue;
    const bodies = sources.map((s) => bodyOf(order, preds, i, s));
    const first = bodies.map((body) => body.first);
    let begins = 0;
    let shortest = bodies[0]!;
    for (let k = 0; k < first.length; k++) {
      if (first.indexOf(first[k]!) === k) begins++;
      if (bodies[k]!.length < shortest.length) shortest = bodies[k]!;
    }
    const inner = shortest.first;
    if (begins < 2 || begins > NESTED) continue;
    const header = order[i]!;
    const outer = header.before({ kind: "goto", to: { block: header } });
    const away = (edge: Edge): Edge => "block" in edge && edge.block === header ? { block: outer } : edge;
    for (const p of preds[i]!) {
      const source = sources.indexOf(p);
      if (source < 0 || first[source] !== inner) redirect(order[p]!, away);
    }
    return { header, outer };
  }
  return undefined;
}

/** Where the loop begins in the program that one back edge makes, and how many instructions it has. */
function bodyOf(
  order: readonly FlowBlock[],
  preds: Predecessors,
  header: number,
  source: number,
): { readonly first: number; readonly length: number } {
  const walk = nextWalk();
  let { position: first, instructions: { length } } = order[header]!;
  order[header]!.walk = walk;
  const work = [source];
  while (work.length > 0) {
    const at = work.pop()!;
    const block = order[at]!;
    if (block.walk === walk) continue;
    block.walk = walk;
    first = Math.min(first, block.position);
    length += block.instructions.length;
    for (const p of preds[at]!) work.push(p);
  }
  return { first, length };
}

/**
 * Makes loops entries of the region too: one that is left at a loop's header, because the slice is over, goes on there
 * the next time, and no other region need be made of the same code. From the new root, which is returned with the entries,
 * the way to an entry goes through the headers of the loops that it is in: each of these gets a block before it that
 * passes control on, so that loops still have one way in. Edges that were cut go to the root, and from there to the entry
 * that their target is: `again`.
 */
export function addEntries(
  order: readonly FlowBlock[],
  { innermost, parent }: Loops,
  again: Iterable<FlowBlock>,
): { readonly root: FlowBlock; readonly entries: readonly FlowBlock[] } {
  const first = order[0]!;
  // Not in functions that were inlined: these stand for themselves elsewhere.
  const places: number[] = [];
  for (let i = 0; i < order.length && places.length < ENTRIES; i++) {
    const { instructions, offset, position } = order[i]!;
    if (innermost[i] === i && instructions.length > 0 && offset !== first.offset && position === offset) places.push(i);
  }
  for (const { order: i } of again) if (!places.includes(i)) places.push(i);
  if (places.length === 0) return { root: first, entries: [first] };
  // What stands before each loop's header, and before everything (-1).
  const gates = new Map<number, { readonly block: FlowBlock; readonly cases: EnterCase[] }>();
  const gate = (loop: number): EnterCase[] => {
    let found = gates.get(loop);
    if (found === undefined) {
      const cases: EnterCase[] = [];
      const block = order[Math.max(loop, 0)]!;
      found = { block: block.before({ kind: "enter", cases, next: { block } }), cases };
      gates.set(loop, found);
    }
    return found.cases;
  };
  places.forEach((place, i) => {
    const entry = i + 1;
    let inner = place;
    const around = innermost[place] === place ? parent[place]! : innermost[place]!;
    for (let loop = around; loop >= 0; loop = parent[loop]!) {
      gate(loop).push({ entry, last: inner === place, to: { block: order[inner]! } });
      inner = loop;
    }
    gate(-1).push({ entry, last: inner === place, to: { block: order[inner]! } });
  });
  const before = new Map([...gates].flatMap(([loop, { block }]) => loop < 0 ? [] : [[order[loop]!, block]]));
  const root = gates.get(-1)!.block;
  const toGate = (edge: Edge): Edge => {
    if ("exit" in edge && edge.again !== undefined) return { block: root, entry: places.indexOf(edge.again.order) + 1 };
    const found = "block" in edge ? before.get(edge.block) : undefined;
    return found === undefined ? edge : { block: found };
  };
  for (const block of order) redirect(block, toGate);
  for (const [loop, { block }] of gates) {
    // A gate goes on to its own header.
    const { end } = block;
    block.successors = undefined;
    if (end.kind !== "enter") continue;
    for (const way of end.cases) way.to = toGate(way.to);
    if (loop < 0) end.next = toGate(end.next);
  }
  return {
    root,
    entries: [first, ...places.map((i) => order[i]!)].map((block) => before.get(block) ?? block),
  };
}
