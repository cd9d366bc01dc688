import type { StraightRun } from "../events.ts";
import type { EngineObserver, EngineStatistics } from "./engine_statistics.ts";

/** Engines by the name that `--engine` takes, slowest first. */
export const engineNames = ["reference", "interpreter", "auto"] as const;
/** Name of an engine. */
export type EngineName = typeof engineNames[number];

/** What executes a hart's instructions. Engines are interchangeable: all of them do the same, step by step. */
export interface Engine {
  readonly name: string;
  /**
   * Runs the hart until virtual time reaches `clock.sliceEnd`, or the hart waits, or its guest has died. Counts every
   * step in `hart.steps` and `clock.inSlice`.
   */
  run(): void;
  /** Emits or drops the code that records retired instructions. */
  specialise(records: boolean): void;
  /** What the hart executed last, oldest run first: at least the last 32 instructions, where there were as many. */
  recentRuns(): readonly StraightRun[];
  /** Forgets everything derived from memory. */
  reset(): void;
  /** Tells somebody what it does from now on. */
  observe?(observer: EngineObserver): void;
  /** What it has done; undefined for an engine of one kind of code. */
  statistics?(): EngineStatistics;
}
