/**
 * From blocks to WebAssembly's nested control: dominator tree, loops, merges. The method is Ramsey's "Beyond Relooper"
 * (ICFP 2022): a loop header becomes a loop, a block with several forward ways into it becomes the end of a block, and
 * every other block stands where its one predecessor goes to it.
 */
import { redirect, successors } from "./flow.ts";
import type { Edge, FlowBlock } from "./flow.ts";
import { addEntries, loopsOf, partHeaders, predecessors } from "./loops.ts";
import type { Loops } from "./loops.ts";

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

/** Where control comes from to each block, by order. */
type Predecessors = readonly (readonly number[])[];

/** Structures a region. Edges that would make it irreducible are cut: their target becomes an entry of the region. */
export function structure(block: FlowBlock): Structure {
  let entry = block;
  for (;;) {
    const order = reversePostorder(entry);
    const preds = predecessors(order);
    if (cutIrreducible(order, preds, dominators(preds))) continue;
    const outer = partHeaders(order, preds);
    if (outer === undefined) {
      const { root, entries } = addEntries(order, loopsOf(preds));
      return build(root, entries);
    }
    entry = outer.get(entry) ?? entry;
  }
}

function reversePostorder(entry: FlowBlock): FlowBlock[] {
  const order: FlowBlock[] = [];
  const seen = new Set([entry]);
  const stack = [{ block: entry, rest: successors(entry) }];
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    const next = top.rest.pop();
    if (next === undefined) {
      order.push(top.block);
      stack.pop();
    } else if (!seen.has(next)) {
      seen.add(next);
      stack.push({ block: next, rest: successors(next) });
    }
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
  let [x, y] = [a, b];
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

function build(root: FlowBlock, entries: readonly FlowBlock[]): Structure {
  const order = reversePostorder(root);
  const preds = predecessors(order);
  const idom = dominators(preds);
  const nodes = order.map((block, i): Node => ({
    block,
    order: i,
    header: false,
    merge: false,
    merges: [],
    after: [],
    longest: 0,
  }));
  const forward = new Int32Array(nodes.length);
  for (const node of nodes) {
    for (const s of successors(node.block)) {
      const to = nodes[s.order]!;
      if (to.order <= node.order) to.header = true;
      else if (++forward[to.order]! > 1) to.merge = true;
    }
  }
  place(nodes, idom, loopsOf(preds));
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const { block } = node;
    // Ways in from outside have their own budget.
    const next = block.end.kind === "enter"
      ? [block.end.next].flatMap((e) => "block" in e ? [e.block] : [])
      : successors(block);
    const after = next.map((s) => nodes[s.order]!).filter((n) => n.order > i).map((n) => n.longest);
    node.longest = node.block.instructions.length + Math.max(0, ...after);
  }
  return { root: nodes[0]!, entries: entries.map((e) => nodes[e.order]!), nodes };
}

/** Says where merge nodes stand: at the node that dominates them, or after the outermost loop that they are not in. */
function place(nodes: readonly Node[], idom: Int32Array, { innermost, parent }: Loops): void {
  for (let i = nodes.length - 1; i > 0; i--) {
    const node = nodes[i]!;
    const around = new Set<number>();
    for (let loop = innermost[i]!; loop >= 0; loop = parent[loop]!) around.add(loop);
    let left = -1;
    for (let loop = innermost[idom[i]!]!; loop >= 0 && !around.has(loop); loop = parent[loop]!) left = loop;
    if (left >= 0) {
      node.merge = true;
      nodes[left]!.after.push(node);
    } else if (node.merge) nodes[idom[i]!]!.merges.push(node);
  }
}
