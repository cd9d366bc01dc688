/** The stack of a hart, taken from a machine that stands still, and what else a finding shows of one. */
import type { GuestView } from "../check/guest_view.ts";
import { VirtioMmio } from "../../devices/virtio/mmio.ts";
import { boardEntry } from "../board.ts";
import { CapturedStack } from "../debug/captured_stack.ts";
import { peek } from "../hart/peek.ts";
import type { Machine } from "../machine.ts";

/** Registers and stack of a hart that is, or was last, at `pc`. */
export function stackOf(machine: Machine, index: number, pc: bigint): CapturedStack {
  const hart = machine.harts[index]!;
  const { xlen } = hart;
  return new CapturedStack({ xlen, x: (n) => hart.x(n), peek: (addr, target) => peek(hart, addr, target) }, pc);
}

/** What the checker sees of a machine. */
export function guestView(machine: Machine): GuestView {
  return {
    stack: ({ hart, pc }) => stackOf(machine, hart, pc),
    memory: (addr, size) => machine.memory.bytes(addr, size)?.slice(),
    hart: (index) => machine.harts[index],
    slots: () =>
      machine.slots.map((slot) => ({
        name: slot.name,
        base: boardEntry(slot.name).base,
        id: slot instanceof VirtioMmio ? slot.core.device.id : 0,
      })),
  };
}
