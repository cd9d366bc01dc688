import type { Engine, Run } from "./engine.ts";
import type { Hart } from "./hart.ts";
import { Reference } from "./reference.ts";

/** How many instructions are remembered for the report on a guest's death. */
const RECENT = 64;

/** `--engine reference`: nothing but the reference executor. */
export class ReferenceEngine implements Engine {
  readonly name = "reference";
  readonly #hart: Hart;
  readonly #reference: Reference;
  readonly #recent: bigint[] = [];
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
      this.#recent[this.#oldest] = hart.pc;
      this.#oldest = (this.#oldest + 1) % RECENT;
      this.#reference.step();
      clock.inSlice++;
      if (hart.waiting) return;
    }
  }

  recentRuns(): readonly Run[] {
    const filled = this.#recent.length === RECENT ? this.#oldest : 0;
    const inOrder = [...this.#recent.slice(filled), ...this.#recent.slice(0, filled)];
    return inOrder.map((pc) => ({ from: pc, to: pc, done: true }));
  }

  specialise(): void {}
  reset(): void {
    this.#recent.length = 0;
    this.#oldest = 0;
  }
}
