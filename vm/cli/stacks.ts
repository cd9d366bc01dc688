/** The stack of a hart, taken from a machine that stands still. */
import { CapturedStack } from "../debug/captured_stack.ts";
import { peek } from "../hart/peek.ts";
import type { Machine } from "../machine.ts";

/** Registers and stack of a hart that is, or was last, at `pc`. */
export function stackOf(machine: Machine, index: number, pc: bigint): CapturedStack {
  const hart = machine.harts[index]!;
  const { xlen } = hart;
  return new CapturedStack({ xlen, x: (n) => hart.x(n), peek: (addr, target) => peek(hart, addr, target) }, pc);
}
