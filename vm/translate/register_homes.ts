/**
 * Which guest registers a region keeps in locals, loop by loop; the others stay in the hart's state. The host has few
 * registers, and V8 does not know which loops run often: with all of a region's registers in locals, it spills and moves
 * some in the inner loops for the sake of code around them that hardly runs.
 */
import { isFloat } from "../isa/format.ts";
import type { Decoded } from "../isa/decode.ts";
import { successors } from "./flow.ts";
import type { Node, Structure } from "./structure.ts";

/** A set of registers: bit n is register n. */
export type RegisterSet = number;

/** What a node does with registers. */
export interface Homes {
  /** Those that it has in locals. */
  readonly locals: RegisterSet;
  /** Of these, the ones that may differ from the hart's state when it is left. */
  readonly dirty: RegisterSet;
}

/** Everything is in the hart's state. */
export const NO_LOCALS: Homes = { locals: 0, dirty: 0 };

/** Most registers in locals at a time: in loops, and in code that is not repeated in the region. */
const IN_LOOP = 8;
const OUTSIDE = 12;
/** How many uses it is worth that a register stays in its local when a loop begins or ends. */
const KEPT = 2;
/** A register that is used less often is not worth a local. */
const FEWEST = 2;

/** The lowest register of a set that is not empty. */
export function firstOf(set: RegisterSet): number {
  return 31 - Math.clz32(set & -set);
}

/** Integer registers that an instruction reads. */
export function readRegisters({ base: { format }, operands }: Decoded): RegisterSet {
  let set = 0;
  if (!isFloat(format.rs1)) set |= 1 << operands.rs1;
  if (!isFloat(format.rs2)) set |= 1 << operands.rs2;
  return set & ~1;
}

/** The integer register that an instruction writes; 0 for none. */
export function writtenRegister({ row, base, operands }: Decoded): number {
  const none = (row.format.rd === undefined && base.format.rd === undefined) || isFloat(base.format.rd);
  return none ? 0 : operands.rd;
}

/** Says for each node of a region, by its order, where registers are. */
export function registerHomes({ nodes }: Structure): readonly Homes[] {
  /** The registers that each node writes. */
  const written = new Int32Array(nodes.length);
  const byLoop = localsByLoop(nodes, written);
  const locals = new Int32Array(nodes.length);
  for (const { order, loop, block: { end } } of nodes) {
    locals[order] = loop < 0 && end.kind === "enter" ? 0 : byLoop[loop + 1]!;
  }
  return dirtySets(nodes, locals, written);
}

/** The registers in locals by loop, one later: first those of code that is in none. Fills `written`. */
function localsByLoop(nodes: readonly Node[], written: Int32Array): readonly RegisterSet[] {
  const uses: (Int32Array | undefined)[] = [new Int32Array(32)];
  for (const { header } of nodes) uses.push(header ? new Int32Array(32) : undefined);
  for (let i = 0; i < nodes.length; i++) {
    const { block: { instructions }, loop } = nodes[i]!;
    const counts = uses[loop + 1]!;
    for (let k = 0; k < instructions.length; k++) {
      const { decoded } = instructions[k]!;
      for (let rest = readRegisters(decoded); rest !== 0; rest &= rest - 1) counts[firstOf(rest)]!++;
      const n = writtenRegister(decoded);
      counts[n]!++;
      written[i]! |= 1 << n;
    }
  }
  const found: RegisterSet[] = new Array(uses.length).fill(0);
  // Inner loops first: their headers come later.
  for (let loop = uses.length - 2; loop >= -1; loop--) {
    const counts = uses[loop + 1];
    if (counts === undefined) continue;
    const set = mostUsed(counts, loop < 0 ? OUTSIDE : IN_LOOP);
    found[loop + 1] = set;
    if (loop < 0) break;
    const outer = uses[nodes[loop]!.around + 1]!;
    for (let rest = set; rest !== 0; rest &= rest - 1) outer[firstOf(rest)]! += KEPT;
  }
  return found;
}

function mostUsed(counts: Int32Array, most: number): RegisterSet {
  const order: number[] = [];
  for (let n = 1; n < 32; n++) if (counts[n]! >= FEWEST) order.push(n);
  order.sort((a, b) => counts[b]! - counts[a]! || a - b);
  let set = 0;
  for (const n of order.slice(0, most)) set |= 1 << n;
  return set;
}

/** A local is dirty from where it is written until the register is put into the hart's state. */
function dirtySets(nodes: readonly Node[], locals: Int32Array, written: Int32Array): Homes[] {
  const dirty = written.map((set, i) => set & locals[i]! & ~1);
  for (let changed = true; changed;) {
    changed = false;
    for (let i = 0; i < nodes.length; i++) {
      for (const { order: to } of successors(nodes[i]!.block)) {
        const now = dirty[to]! | (dirty[i]! & locals[to]!);
        if (now === dirty[to]) continue;
        dirty[to] = now;
        changed = true;
      }
    }
  }
  return nodes.map((_, i) => ({ locals: locals[i]!, dirty: dirty[i]! }));
}
