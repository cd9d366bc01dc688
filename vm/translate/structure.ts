/**
 * From blocks to WebAssembly's nested control: dominator tree, loops, merges. The method is Ramsey's "Beyond Relooper"
 * (ICFP 2022): a loop header becomes a loop, a block with several forward ways into it becomes the end of a block, and
 * every other block stands where its one predecessor goes to it.
 */
import { nextWalk, redirect, successors } from "./flow.ts";
import type { Edge, FlowBlock } from "./flow.ts";
import { addEntries, loopsOf, partHeaders, predecessors } from "./loops.ts";
import type { Loops, Predecessors } from "./loops.ts";
import { unroll, type Unrolling } from "./unroll.ts";

/** A block's place in the structure. */
export interface Node {
  readonly block: FlowBlock;
  /** Position in reverse postorder. */
  readonly order: number;
  /** Some back edge goes here. */
  header: boolean;
  /** Control is sent here: several forward edges come here, or the one that does leaves a loop. */
  merge: boolean;
  /** Merge nodes that this one immediately dominates and that are in all its loops, latest first. */
  readonly merges: Node[];
  /** Of a header: the nodes after its loop, latest first: no loop holds code that it does not repeat. */
  readonly after: Node[];
  /** Longest way, in instructions, from here to a back edge or out of the region. */
  longest: number;
  /** The header of the innermost loop that it is in, by order, its own if it is one; -1 for none. */
  readonly loop: number;
  /** Of a header: the same of the loop around its own. */
  readonly around: number;
}

/** The structured region. */
export interface Structure {
  /** Where the function begins. */
  readonly root: Node;
  /** Where the region may be entered: at the place that it was made for, and at loops. */
  readonly entries: readonly Node[];
  /** All of them, in the order that their blocks say. */
  readonly nodes: readonly Node[];
}

/**
 * Structures a region, with its short loops unrolled where that is asked for. Edges that would make it irreducible are
 * cut: their target becomes an entry of the region, as does the block where the region was to begin, if that is not where
 * its outermost loop does.
 */
export function structure(block: FlowBlock, unrolling?: Unrolling): Structure {
  let entry = outermost(block);
  for (let cuts = 0;;) {
    const order = reversePostorder(entry);
    const preds = predecessors(order);
    const idom = dominators(preds);
    if (cutIrreducible(order, preds, idom)) {
      cuts++;
      continue;
    }
    const parted = partHeaders(order, preds);
    if (parted === undefined) {
      const unrolled = unrolling !== undefined && unroll(order, preds, loopsOf(preds), unrolling);
      const again = cuts === 0 ? new Set<FlowBlock>() : cutTargets(order);
      if (entry.offset !== block.offset) again.add(block);
      return withEntries(unrolled ? reversePostorder(entry) : order, again);
    }
    if (parted.header === entry) entry = parted.outer;
  }
}

/**
 * Where the loop begins that is around all others in which a region does, or where the region does. Seen from the middle
 * of an inner loop, with which regions begin that are hot, outer loops look like inner ones.
 */
function outermost(block: FlowBlock): FlowBlock {
  const order = reversePostorder(block);
  const preds = predecessors(order);
  let first = block;
  const seen = new Uint8Array(order.length);
  const work = [0];
  while (work.length > 0) {
    const at = work.pop()!;
    const { offset, position } = order[at]!;
    if (offset === position && offset < first.offset) first = order[at]!;
    for (const p of preds[at]!) {
      if (seen[p] === 1) continue;
      seen[p] = 1;
      work.push(p);
    }
  }
  return first;
}

/** Structures blocks that have one way into each loop, with entries at loops and at the blocks `again`. */
function withEntries(order: readonly FlowBlock[], again: ReadonlySet<FlowBlock>): Structure {
  const preds = predecessors(order);
  const loops = loopsOf(preds);
  const { root, entries } = addEntries(order, loops, again);
  if (root === order[0]) return build(order, preds, dominators(preds), loops, entries);
  const all = reversePostorder(root);
  const allPreds = predecessors(all);
  return build(all, allPreds, dominators(allPreds), loopsOf(allPreds), entries);
}

/** Where edges that were cut would go. */
function cutTargets(order: readonly FlowBlock[]): Set<FlowBlock> {
  const targets = new Set<FlowBlock>();
  const note = (edge: Edge): Edge => {
    if ("exit" in edge && edge.again !== undefined) targets.add(edge.again);
    return edge;
  };
  for (const block of order) redirect(block, note);
  return targets;
}

function reversePostorder(entry: FlowBlock): FlowBlock[] {
  const walk = nextWalk();
  const order: FlowBlock[] = [];
  // The blocks on the way to the one that is looked at, and how many of the successors of each are left.
  const path = [entry];
  const left = [successors(entry).length];
  entry.walk = walk;
  while (path.length > 0) {
    const top = path.length - 1;
    const block = path[top]!;
    const rest = --left[top]!;
    if (rest < 0) {
      order.push(block);
      path.pop();
      left.pop();
      continue;
    }
    const next = successors(block)[rest]!;
    if (next.walk === walk) continue;
    next.walk = walk;
    path.push(next);
    left.push(successors(next).length);
  }
  order.reverse();
  for (let i = 0; i < order.length; i++) order[i]!.order = i;
  return order;
}

/** Immediate dominators by position (Cooper, Harvey, Kennedy). */
function dominators(preds: Predecessors): Int32Array {
  const idom = new Int32Array(preds.length).fill(-1);
  idom[0] = 0;
  for (let changed = true; changed;) {
    changed = false;
    for (let i = 1; i < preds.length; i++) {
      let best = -1;
      for (const p of preds[i]!) {
        if (idom[p] === -1) continue;
        best = best === -1 ? p : meet(idom, p, best);
      }
      if (idom[i] !== best) {
        idom[i] = best;
        changed = true;
      }
    }
  }
  return idom;
}

function meet(idom: Int32Array, a: number, b: number): number {
  let x = a;
  let y = b;
  while (x !== y) {
    while (x > y) x = idom[x]!;
    while (y > x) y = idom[y]!;
  }
  return x;
}

function dominates(idom: Int32Array, a: number, b: number): boolean {
  let x = b;
  while (x > a) x = idom[x]!;
  return x === a;
}

/**
 * Where a loop is come to in several places, keeps the one that is first in the program and cuts the ways to the others;
 * whether there was such a loop.
 */
function cutIrreducible(order: readonly FlowBlock[], preds: Predecessors, idom: Int32Array): boolean {
  for (let from = 0; from < order.length; from++) {
    for (const { order: to } of successors(order[from]!)) {
      if (to > from || dominates(idom, to, from)) continue;
      const loop = loopOf(order, preds, to, from, meet(idom, to, from));
      const outside = (at: number) => preds[at]!.some((p) => !loop.has(p));
      const entries = [...loop].filter(outside);
      const header = entries.reduce((a, b) => order[b]!.position < order[a]!.position ? b : a);
      const keep = (edge: Edge): Edge =>
        "block" in edge && edge.block.order !== header && loop.has(edge.block.order)
          ? { exit: edge.block.offset, again: edge.block }
          : edge;
      for (const block of order) if (!loop.has(block.order)) redirect(block, keep);
      return true;
    }
  }
  return false;
}

/** The blocks on ways from `first` to `last` and back that do not go through `around`, which dominates both. */
function loopOf(
  order: readonly FlowBlock[],
  preds: Predecessors,
  first: number,
  last: number,
  around: number,
): Set<number> {
  const reach = (from: number, next: (at: number) => readonly number[]) => {
    const seen = new Set<number>();
    const work = [from];
    while (work.length > 0) {
      const at = work.pop()!;
      if (at === around || seen.has(at)) continue;
      seen.add(at);
      work.push(...next(at));
    }
    return seen;
  };
  const before = reach(last, (at) => preds[at]!);
  return reach(first, (at) => successors(order[at]!).map((b) => b.order)).intersection(before);
}

function build(
  order: readonly FlowBlock[],
  preds: Predecessors,
  idom: Int32Array,
  loops: Loops,
  entries: readonly FlowBlock[],
): Structure {
  const nodes: Node[] = [];
  for (let i = 0; i < order.length; i++) {
    let ways = 0;
    let header = false;
    for (const p of preds[i]!) {
      if (p < i) ways++;
      else header = true;
    }
    nodes.push({
      block: order[i]!,
      order: i,
      header,
      merge: ways > 1,
      merges: [],
      after: [],
      longest: 0,
      loop: loops.innermost[i]!,
      around: loops.parent[i]!,
    });
  }
  place(nodes, idom, loops);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const { block, block: { end } } = node;
    let after = 0;
    // Ways in from outside have their own budget.
    if (end.kind === "enter") { if ("block" in end.next) after = longestFrom(nodes, end.next.block, i); }
    else for (const next of successors(block)) after = Math.max(after, longestFrom(nodes, next, i));
    node.longest = block.instructions.length + after;
  }
  return { root: nodes[0]!, entries: entries.map((e) => nodes[e.order]!), nodes };
}

/** Longest way from a block that the one at `from` goes on to; 0 for one that it goes back to. */
function longestFrom(nodes: readonly Node[], { order }: FlowBlock, from: number): number {
  return order > from ? nodes[order]!.longest : 0;
}

/** Says where merge nodes stand: at the node that dominates them, or after the outermost loop that they are not in. */
function place(nodes: readonly Node[], idom: Int32Array, { innermost, parent }: Loops): void {
  for (let i = nodes.length - 1; i > 0; i--) {
    const node = nodes[i]!;
    let left = -1;
    for (let loop = innermost[idom[i]!]!; loop >= 0 && !isIn(innermost[i]!, loop, parent); loop = parent[loop]!) {
      left = loop;
    }
    if (left >= 0) {
      node.merge = true;
      nodes[left]!.after.push(node);
    } else if (node.merge) nodes[idom[i]!]!.merges.push(node);
  }
}

/** Whether a loop is another one, or in it. */
function isIn(inner: number, outer: number, parent: Int32Array): boolean {
  let loop = inner;
  while (loop > outer) loop = parent[loop]!;
  return loop === outer;
}
