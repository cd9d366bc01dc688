/** Random pages of RAM to watch in machines that run the same program, and what their listeners are told. */
import { fenceOrders, WatchKind, type WatchRange } from "../../vm/watches.ts";
import { BARE, type BareMachine } from "./engine.ts";
import { Random } from "./random.ts";

/** One machine's listener. */
class Listener {
  readonly told: string[] = [];
  readonly end: () => void;

  constructor(machine: BareMachine) {
    this.end = machine.events.watches.on(({ write, addr, size, value }) => {
      const { hart, clock } = machine;
      const fences = fenceOrders.map((order) => machine.events.watches.fences(order)).join();
      const place = `${hart.pc.toString(16)} step ${clock.steps + clock.inSlice}`;
      this.told.push(
        `${write ? "store" : "load"} ${size} ${addr.toString(16)} ${value.toString(16)} ${place} ${fences}`,
      );
    });
  }
}

/** Watches the same pages of several machines. */
export class RandomWatches {
  readonly #random: Random;
  readonly #machines: readonly BareMachine[];
  readonly #listeners: Listener[];
  #ranges: WatchRange[] = [];

  constructor(seed: number, machines: readonly BareMachine[]) {
    this.#random = new Random(seed ^ 0x3c3c);
    this.#machines = machines;
    this.#listeners = machines.map((machine) => new Listener(machine));
    this.#choose();
  }

  /** Between stretches: sometimes other pages are watched, and sometimes nobody listens for a while. */
  change(): void {
    const random = this.#random;
    if (random.chance(10)) this.#choose();
    if (!random.chance(3)) return;
    this.end();
    this.#ranges = [];
    this.#machines.forEach((machine, i) => this.#listeners[i] = new Listener(machine));
    this.#choose();
  }

  #choose(): void {
    const random = this.#random;
    const ranges = Array.from({ length: random.below(4) }, () => ({
      addr: BARE.ram + random.below(BARE.ramSize),
      length: random.between(1, 0x3000),
      kind: random.pick(Object.values(WatchKind)),
    }));
    for (const { events: { watches } } of this.#machines) {
      watches.unwatch(this.#ranges);
      watches.watch(ranges);
    }
    this.#ranges = ranges;
  }

  /** How often each machine's fences were counted, and what its listener was told since the last call. */
  told(machine: number): { readonly fences: string; readonly accesses: string } {
    const { watches } = this.#machines[machine]!.events;
    const fences = fenceOrders.map((order) => watches.fences(order)).join();
    return { fences, accesses: this.#listeners[machine]!.told.splice(0).join("; ") };
  }

  end(): void {
    this.#listeners.forEach((listener) => listener.end());
  }
}
