/**
 * Short inner loops are written out several times, and once more before the loop: at a loop's head V8 asks whether it
 * should stop, the region asks for its budget, and V8 moves registers about for the next turn. Many inner loops turn
 * once or twice for each turn of the one around them: these then never come to such a head.
 */
import { FlowBlock, type FlowEnd, redirect } from "./flow.ts";
import type { Loops, Predecessors } from "./loops.ts";

/** How far it goes, in instructions of the loop. */
export interface Unrolling {
  /** Longest loop that it is done for. */
  readonly longest: number;
  /** How often the loop holds its code at most, and how long it may become. */
  readonly times: number;
  readonly total: number;
}

/** Does it for all innermost loops of blocks in reverse postorder; whether there was one. */
export function unroll(
  order: readonly FlowBlock[],
  preds: Predecessors,
  { innermost, parent }: Loops,
  { longest, times, total }: Unrolling,
): boolean {
  const outer = new Set(parent);
  const bodies = new Map<number, FlowBlock[]>();
  for (let i = 0; i < order.length; i++) {
    const loop = innermost[i]!;
    if (loop < 0 || outer.has(loop)) continue;
    const body = bodies.get(loop);
    if (body === undefined) bodies.set(loop, [order[i]!]);
    else body.push(order[i]!);
  }
  let done = false;
  for (const [loop, body] of bodies) {
    const length = body.reduce((sum, { instructions }) => sum + instructions.length, 0);
    if (length === 0 || length > longest) continue;
    done = true;
    const header = order[loop]!;
    const before = preds[loop]!.filter((p) => innermost[p] !== loop).map((p) => order[p]!);
    // Before anything is sent elsewhere. Where the region begins in the loop, there is no way in to send.
    const firstTurn = before.length > 0 && loop > 0 ? copyOf(body, header) : undefined;
    const copies: FlowBlock[][] = [];
    for (let turn = 1; turn < Math.min(times, Math.floor(total / length)); turn++) copies.push(copyOf(body, header));
    if (firstTurn !== undefined) send(before, header, firstTurn[body.indexOf(header)]!);
    // Each goes on to the next one, and the last one goes back.
    let last: readonly FlowBlock[] = body;
    for (const copy of copies) {
      send(last, header, copy[body.indexOf(header)]!);
      last = copy;
    }
  }
  return done;
}

/** Makes blocks that go to one block go to another. */
function send(blocks: readonly FlowBlock[], from: FlowBlock, to: FlowBlock): void {
  for (const block of blocks) redirect(block, (edge) => "block" in edge && edge.block === from ? { block: to } : edge);
}

/** A loop's blocks once more, in the same order, going to each other, but back to the loop's own header. */
function copyOf(blocks: readonly FlowBlock[], header: FlowBlock): FlowBlock[] {
  const copies = new Map<FlowBlock, FlowBlock>();
  for (const block of blocks) {
    const { offset, position, instructions, end } = block;
    copies.set(block, new FlowBlock(offset, position, instructions, copyEnd(end)));
  }
  for (const copy of copies.values()) {
    redirect(copy, (edge) => {
      const inside = "block" in edge && edge.block !== header ? copies.get(edge.block) : undefined;
      return inside === undefined ? edge : { block: inside };
    });
  }
  return [...copies.values()];
}

function copyEnd(end: FlowEnd): FlowEnd {
  return end.kind === "jump" ? { kind: "jump", targets: end.targets.map((target) => ({ ...target })) } : { ...end };
}
