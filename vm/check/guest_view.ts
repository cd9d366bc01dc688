/** What a finding keeps of the guest beside the facts: who called, and what stood in a ring. */
import type { CapturedStack } from "../debug/captured_stack.ts";
import type { Where } from "../events.ts";

/** A look at the guest at the moment of a fact; nothing is changed by it. */
export interface GuestView {
  /** Registers and stack of the hart that the fact is about. */
  stack(where: Where): CapturedStack;
  /** A copy of guest-physical memory; undefined where there is none. */
  memory(addr: number, size: number): Uint8Array | undefined;
}
