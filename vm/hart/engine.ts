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
  /** Forgets everything derived from memory. */
  reset(): void;
}
