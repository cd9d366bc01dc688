/** Loads, or stores, of a block that go by the same base register, so that one comparison can allow them all. */
import type { FlowInstruction } from "./flow.ts";
import { writtenRegister } from "./register_homes.ts";

/** Accesses from `base` + `low` to `base` + `high`, exclusive, with the base unchanged from the first to the last. */
export interface AccessGroup {
  readonly base: number;
  low: number;
  high: number;
  /** How many there are, and the place of the first one in the block. */
  count: number;
  readonly first: number;
}

/** More than any of them reads or writes. */
const LONGEST = 8;

/** The group of each load and store that is in one with others of its kind, by its place in the block. */
export function accessGroups(instructions: readonly FlowInstruction[]): readonly (AccessGroup | undefined)[] {
  const open: { readonly [kind: string]: (AccessGroup | undefined)[] } = { load: [], store: [] };
  const found = instructions.map(({ decoded }, place) => {
    const { base: { class: kind }, operands: { rs1, imm } } = decoded;
    const groups = open[kind];
    let group: AccessGroup | undefined;
    if (groups !== undefined && rs1 !== 0) {
      group = groups[rs1] ??= { base: rs1, low: imm, high: imm, count: 0, first: place };
      group.count++;
      group.low = Math.min(group.low, imm);
      group.high = Math.max(group.high, imm + LONGEST);
    }
    const written = writtenRegister(decoded);
    open.load![written] = open.store![written] = undefined;
    return group;
  });
  return found.map((group) => group !== undefined && group.count > 1 ? group : undefined);
}
