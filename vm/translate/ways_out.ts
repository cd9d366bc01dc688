/** How control leaves a region, by host address: what is asked when it comes somewhere after one. */
import type { CodeMap } from "./code_map.ts";
import { isReturn } from "./flow.ts";
import type { Node } from "./structure.ts";

/** Where a region's blocks are, and how it is left. */
export interface WaysOut {
  /** Where blocks begin. */
  readonly blocks: ReadonlySet<number>;
  /** Its `jalr`, but for returns; its returns; and what these may return to. */
  readonly jumps: readonly number[];
  readonly rets: readonly number[];
  readonly returns: ReadonlySet<number>;
  /** Where it may be left otherwise. */
  readonly exits: ReadonlySet<number>;
}

/** Finds them. */
export function waysOut(nodes: readonly Node[], map: CodeMap): WaysOut {
  const jumps = new Set<number>();
  const rets = new Set<number>();
  const returns = new Set<number>();
  const exits = new Set<number>();
  const blocks = new Set<number>();
  for (const { block: { instructions, end, offset }, header } of nodes) {
    blocks.add(map.host(offset));
    if (header) exits.add(map.host(offset));
    const last = instructions.at(-1);
    if (last?.decoded.base.class === "jump" && last.decoded.operands.rd === 1) {
      returns.add(map.host(last.offset + last.decoded.length));
    }
    if (end.kind === "leave") exits.add(map.host(end.at));
    else if (end.kind === "jump") (isReturn(last!.decoded) ? rets : jumps).add(map.host(last!.offset));
    const edges = end.kind === "branch" ? [end.taken, end.next] : end.kind === "goto" ? [end.to] : [];
    for (const edge of edges) if ("exit" in edge) exits.add(map.host(edge.exit));
  }
  return { jumps: [...jumps], rets: [...rets], returns, exits, blocks };
}
