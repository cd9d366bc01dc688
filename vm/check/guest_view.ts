/** What a finding keeps of the guest beside the facts: who called, and what stood in a ring. */
import type { CapturedStack } from "../debug/captured_stack.ts";
import type { Where } from "../events.ts";
import type { SlotView } from "./slot_search.ts";
import type { HartView } from "../trace/hart_view.ts";

/** A look at the guest at the moment of a fact; nothing is changed by it. */
export interface GuestView {
  /** Registers and stack of the hart that the fact is about. */
  stack(where: Where): CapturedStack;
  /** A copy of guest-physical memory; undefined where there is none. */
  memory(addr: number, size: number): Uint8Array | undefined;
  /** The hart with that number; undefined where there is none. */
  hart(index: number): HartView | undefined;
  /** The machine's virtio slots. */
  slots(): readonly SlotView[];
}
