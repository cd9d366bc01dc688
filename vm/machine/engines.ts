import type { StraightRun } from "../events.ts";
import type { Engine, EngineName } from "../hart/engine.ts";
import type { EngineObserver } from "../hart/engine_statistics.ts";
import { ReferenceEngine } from "../hart/reference_engine.ts";
import type { EnginesOptions } from "./emitted_engines.ts";

/**
 * Steps that `auto` leaves to the reference executor before it loads and emits anything: a guest that ends within them,
 * or fails in its first instructions, has its answer sooner.
 */
const FIRST_STEPS = 200;

/** What executes the harts, which may become another engine while they run; nothing but speed changes then. */
export class Engines {
  /** By hart id. */
  current: readonly Engine[];
  readonly #name: EngineName;
  readonly #options: EnginesOptions;
  /** The reference executor's part, once it is over: what is remembered of it may still be asked for. */
  #first: readonly Engine[] = [];
  /** Whether these are the engines that were asked for. */
  #final: boolean;
  #observer: EngineObserver | undefined;

  constructor(name: EngineName, options: EnginesOptions) {
    this.#name = name;
    this.#options = options;
    this.#final = name === "reference";
    this.current = options.harts.map((hart) => new ReferenceEngine(hart));
  }

  /**
   * How many more steps the present engines should do before {@linkcode next} is called; Infinity for as many as there
   * are. With `sliced`, turns have a fixed length, which is far too long for the reference executor.
   */
  stepsLeft(steps: number, sliced: boolean): number {
    if (this.#final) return Infinity;
    return this.#name === "auto" && !sliced ? Math.max(0, FIRST_STEPS - steps) : 0;
  }

  /** Goes on with the engines that were asked for. */
  async next(): Promise<void> {
    if (this.#final || this.#name === "reference") return;
    const { emittedEngines } = await import("./emitted_engines_modules.ts");
    this.#first = this.current;
    this.current = emittedEngines(this.#name, this.#options);
    this.#final = true;
    if (this.#observer !== undefined) { for (const engine of this.current) engine.observe?.(this.#observer); }
    if (this.#options.harts[0]!.records.active) this.specialise(true);
  }

  /** As {@linkcode Engine.observe}, for all of them; before they run. */
  observe(observer: EngineObserver): void {
    this.#observer = observer;
    for (const engine of this.current) engine.observe?.(observer);
  }

  /** As {@linkcode Engine.specialise}. */
  specialise(records: boolean): void {
    for (const engine of this.current) engine.specialise(records);
  }

  /** As {@linkcode Engine.recentRuns}, of one hart. */
  recentRuns(hart: number): readonly StraightRun[] {
    return [...this.#first[hart]?.recentRuns() ?? [], ...this.current[hart]!.recentRuns()];
  }

  /** Forgets everything derived from memory. */
  reset(): void {
    this.#first = [];
    for (const engine of this.current) engine.reset();
  }
}
