/** What the benchmarks are told on their command line, and what they tell while they run. */
import type { EngineName } from "../../vm/machine.ts";
import type { ClockName } from "./host.ts";

export interface BenchSettings {
  /** Repetitions of everything that takes seconds. */
  readonly reps: number;
  readonly engines: readonly EngineName[];
  /** Kernels by name, without `bench_`. */
  readonly kernels: readonly string[];
  /** How often a kernel is run in one process, except by the interpreter, whose speed is the same from the start. */
  readonly repeat: number;
  /** Where the image of a kernel is that is none of `images/`, by its name and width. */
  readonly built: ReadonlyMap<string, string>;
  readonly widths: readonly (32 | 64)[];
  /** What speeds are measured by. */
  readonly clock: ClockName;
  /** Where trace files go while they are measured. */
  readonly folder: string;
  /** Says what is being done; nobody listens where standard error is no terminal. */
  readonly progress: (text: string) => void;
}
