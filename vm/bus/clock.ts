/**
 * Virtual time. The unit is the step: one instruction retired or trapped, plus what the machine skipped while idle.
 * Everything that happens later in a run (timer, completion of a request, timeout) is a deadline here, so that a run
 * is a function of its inputs.
 */
export class Clock {
  /** Steps per tick of `mtime` (10 MHz): 100 makes a step one virtual nanosecond. */
  readonly stepsPerTick: number;
  /** Instructions retired or trapped up to the start of the running slice, over all rounds. */
  steps = 0;
  /** Steps skipped by idling (`wfi`). */
  idle = 0;
  /** Steps of the running slice that are done; set by the hart before any code outside the engine runs. */
  inSlice = 0;
  /** Deadline of the running slice; moved earlier when a new deadline is set inside it. */
  sliceEnd: number = Infinity;
  #queue: Deadline[] = [];
  #order = 0;

  /** Time zero, without deadlines. */
  constructor(stepsPerTick = 100) {
    this.stepsPerTick = stepsPerTick;
  }

  /** Virtual time now, in steps. */
  get now(): number {
    return this.steps + this.idle + this.inSlice;
  }

  /** `mtime` now, in ticks of 10 MHz. */
  get ticks(): number {
    return Math.floor(this.now / this.stepsPerTick);
  }

  /** Nanoseconds of virtual time as steps. */
  stepsOf(nanoseconds: number): number {
    return Math.ceil((nanoseconds * this.stepsPerTick) / 100);
  }

  /** Calls `run` when virtual time reaches `when` (steps); deadlines at the same time run in the order they were set. */
  at(when: number, run: () => void): Deadline {
    const deadline: Deadline = { when: Math.max(when, this.now), order: this.#order++, run };
    let i = this.#queue.length;
    while (i > 0 && this.#queue[i - 1]!.when > deadline.when) i--;
    this.#queue.splice(i, 0, deadline);
    if (deadline.when < this.sliceEnd) this.sliceEnd = deadline.when;
    return deadline;
  }

  /** Calls `run` `nanoseconds` of virtual time from now. */
  after(nanoseconds: number, run: () => void): Deadline {
    return this.at(this.now + this.stepsOf(nanoseconds), run);
  }

  /** Forgets a deadline; nothing happens if it has run already. */
  cancel(deadline: Deadline): void {
    const i = this.#queue.indexOf(deadline);
    if (i >= 0) this.#queue.splice(i, 1);
  }

  /** When the next deadline is due, in steps; `Infinity` if there is none. */
  get next(): number {
    return this.#queue[0]?.when ?? Infinity;
  }

  /** Runs every deadline that is due; returns how many ran. */
  runDue(): number {
    let ran = 0;
    while (this.#queue.length > 0 && this.#queue[0]!.when <= this.now) {
      this.#queue.shift()!.run();
      ran++;
    }
    return ran;
  }

  /** Forgets all deadlines and starts time at zero. */
  reset(): void {
    this.#queue = [];
    this.#order = 0;
    this.steps = this.idle = this.inSlice = 0;
    this.sliceEnd = Infinity;
  }
}

/** A moment at which something happens. */
export interface Deadline {
  /** In steps of virtual time. */
  readonly when: number;
  /** Tells deadlines at the same time apart. */
  readonly order: number;
  /** What happens. */
  readonly run: () => void;
}
