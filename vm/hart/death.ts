import { Privilege } from "../events.ts";
import type { TrapEvent } from "../events.ts";

/** A trap, as told. */
type Trap = Omit<TrapEvent, "kind">;

/** Why a guest cannot go on: a trap that can only repeat for ever. */
export interface Death {
  /**
   * `no-handler`: nothing can be fetched where the handler should be; `trap-loop`: its first instruction traps again
   * and again.
   */
  readonly what: "no-handler" | "trap-loop";
  /** The trap that began it. */
  readonly trap: Omit<TrapEvent, "kind">;
}

/** Sees when a guest can only trap for ever. */
export class TrapWatch {
  /** The last trap taken. */
  last: Trap | undefined = undefined;
  /** The trap that entered the handler from elsewhere, and how often its first instruction has trapped since. */
  #entry: Trap | undefined = undefined;
  #repeats = 0;

  reset(): void {
    this.last = this.#entry = undefined;
    this.#repeats = 0;
  }

  /**
   * Takes note of a trap; gives the guest's death if it is that. `interruptible` says that M-mode interrupts are enabled in
   * mie, which may put right what S-mode cannot leave.
   */
  note(trap: Trap, interruptible: boolean): Death | undefined {
    this.last = trap;
    if (trap.interrupt || trap.epc !== trap.handler || trap.from !== trap.to) {
      this.#entry = trap;
      this.#repeats = 0;
      return undefined;
    }
    if (trap.to !== Privilege.M && interruptible) return undefined;
    // The handler's first instruction trapped into the same handler: what follows can only be the same again.
    const fetch = trap.cause === 0 || trap.cause === 1 || trap.cause === 12;
    if (!fetch && ++this.#repeats < 3) return undefined;
    return { what: fetch ? "no-handler" : "trap-loop", trap: this.#entry ?? trap };
  }
}
