/** Loads, or stores, that go by the same base register, so that one comparison can allow them all. */
import type { Decoded } from "../isa/decode.ts";
import { predecessors } from "./loops.ts";
import { writtenRegister } from "./register_homes.ts";
import type { Node } from "./structure.ts";

/** Accesses from `low` to `high`, exclusive, counted from what the base is at the first one. */
export interface AccessGroup {
  readonly base: number;
  low: number;
  high: number;
  /** How many there are. */
  count: number;
  /** Which is the first one: its node, by order, and its place there. */
  readonly node: number;
  readonly place: number;
}

/** One of them. */
export interface GroupedAccess {
  readonly group: AccessGroup;
  /** Where it begins, counted as the group does. */
  readonly at: number;
}

/** More than any of them reads or writes. */
const LONGEST = 8;
/** How far a group that goes on in another block may reach: what is not come to is asked for too. */
const SPAN = 256;

/** A group that may go on, and by how much the base has grown since its first access. */
type Open = GroupedAccess;
interface State {
  readonly load: (Open | undefined)[];
  readonly store: (Open | undefined)[];
}

/**
 * The group of each load and store that is in one with others of its kind, by the order of its node and its place there.
 * With `across` groups go on in blocks that control comes to from one other only, as in loops that were unrolled.
 */
export function accessGroups(
  nodes: readonly Node[],
  across: boolean,
): readonly (readonly (GroupedAccess | undefined)[])[] {
  const preds = across ? predecessors(nodes.map(({ block }) => block)) : [];
  const ends: State[] = [];
  const found = nodes.map(({ order, block: { instructions } }) => {
    const from = preds[order]?.length === 1 ? ends[preds[order][0]!] : undefined;
    // A way back has a header behind it, which is come to from elsewhere too.
    const state = from === undefined ? { load: [], store: [] } : { load: [...from.load], store: [...from.store] };
    ends.push(state);
    return instructions.map(({ decoded }, place) => {
      const access = groupAccess(state, decoded, order, place);
      follow(state, decoded);
      return access;
    });
  });
  return found.map((block) =>
    block.map((access) => access !== undefined && access.group.count > 1 ? access : undefined)
  );
}

/** Puts an access into a group. */
function groupAccess(state: State, decoded: Decoded, node: number, place: number): GroupedAccess | undefined {
  const { base: { class: kind }, operands: { rs1, imm } } = decoded;
  if ((kind !== "load" && kind !== "store") || rs1 === 0) return undefined;
  const open = state[kind][rs1];
  if (open !== undefined) {
    const { group } = open;
    const at = open.at + imm;
    const low = Math.min(group.low, at);
    const high = Math.max(group.high, at + LONGEST);
    if (group.node === node || high - low <= SPAN) {
      group.low = low;
      group.high = high;
      group.count++;
      return { group, at };
    }
  }
  const group = { base: rs1, low: imm, high: imm + LONGEST, count: 1, node, place };
  state[kind][rs1] = { group, at: 0 };
  return { group, at: imm };
}

/** What becomes of the groups off the register that an instruction writes. */
function follow({ load, store }: State, decoded: Decoded): void {
  const written = writtenRegister(decoded);
  if (written === 0) return;
  const { base: { name }, operands: { rs1, imm } } = decoded;
  const grows = name === "addi" && rs1 === written;
  for (const open of [load, store]) {
    const { group, at } = open[written] ?? {};
    open[written] = grows && group !== undefined ? { group, at: at! + imm } : undefined;
  }
}
