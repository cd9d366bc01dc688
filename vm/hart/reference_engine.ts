import type { Engine } from "./engine.ts";
import type { Hart } from "./hart.ts";
import { Reference } from "./reference.ts";

/** `--engine reference`: nothing but the reference executor. */
export class ReferenceEngine implements Engine {
  readonly name = "reference";
  readonly #hart: Hart;
  readonly #reference: Reference;

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
      this.#reference.step();
      clock.inSlice++;
      if (hart.waiting) return;
    }
  }

  specialise(): void {}
  reset(): void {}
}
