/** What the benchmarks are told on their command line, and what they tell while they run. */
import type { EngineName } from "../../vm/machine.ts";

export interface BenchSettings {
  /** Repetitions of everything that takes seconds. */
  readonly reps: number;
  readonly engine: EngineName;
  /** Kernels by name, without `bench_`. */
  readonly kernels: readonly string[];
  readonly widths: readonly (32 | 64)[];
  /** Where trace files go while they are measured. */
  readonly folder: string;
  /** Says what is being done; nobody listens where standard error is no terminal. */
  readonly progress: (text: string) => void;
}
