import { PAGE_SIZE } from "../bus/memory.ts";
import type { StraightRun } from "../events.ts";
import type { Engine } from "./engine.ts";
import type { Hart } from "./hart.ts";
import { fetchablePage } from "./memory_access.ts";
import { Reference } from "./reference.ts";

/** How many steps are remembered for the report on a guest's death. */
const RECENT = 64;

/** `--engine reference`: nothing but the reference executor. */
export class ReferenceEngine implements Engine {
  readonly name = "reference";
  readonly #hart: Hart;
  readonly #reference: Reference;
  /** Oldest at `#oldest` once it is full. */
  readonly #recent: StraightRun[] = [];
  #oldest = 0;

  constructor(hart: Hart) {
    this.#hart = hart;
    this.#reference = new Reference(hart);
  }

  run(): void {
    const hart = this.#hart;
    const clock = hart.clock;
    while (clock.now < clock.sliceEnd && hart.death === undefined) {
      if (hart.attention) {
        hart.takeInterrupt();
        if (hart.waiting) return;
      }
      const at = this.#fetchAddress();
      const trapped = hart.trapped;
      this.#reference.step();
      clock.inSlice++;
      if (at !== undefined) this.#note(at, hart.trapped === trapped);
      if (hart.waiting) return;
    }
  }

  /** Guest-physical address of the instruction at pc; undefined where nothing can be fetched. */
  #fetchAddress(): bigint | undefined {
    const { pc, addressing } = this.#hart;
    const low = Number(pc & 0xffff_ffffn);
    if (fetchablePage(this.#hart, low, Number(pc >> 32n), true) < 0) return undefined;
    return BigInt(addressing.mmu.frame * PAGE_SIZE + low % PAGE_SIZE);
  }

  #note(at: bigint, done: boolean): void {
    this.#recent[this.#oldest] = { from: at, to: at, done };
    this.#oldest = (this.#oldest + 1) % RECENT;
  }

  recentRuns(): readonly StraightRun[] {
    const filled = this.#recent.length === RECENT ? this.#oldest : 0;
    return [...this.#recent.slice(filled), ...this.#recent.slice(0, filled)];
  }

  specialise(): void {}
  reset(): void {
    this.#recent.length = 0;
    this.#oldest = 0;
  }
}
