/** The host's clock for a machine: idle time passes with it while input may come, and in no time otherwise. */
import type { Pacing } from "../machine.ts";

/** How long the machine runs before the event loop gets a turn, in milliseconds: a turn costs 2. */
const TURN_MS = 100;

/** The same while somebody is typing, and for how long that is assumed after a key. */
const TYPING_TURN_MS = 20;
const TYPING_MS = 2000;

/** How long news of a pipe is waited for, in milliseconds, before idle time begins to count. */
const SETTLE_MS = 20;

/** Nanoseconds that virtual time may run ahead: sleeping for less is not worth a timer, which is late by a millisecond. */
const AHEAD_NS = 4e6;

/** The longest that one `setTimeout` can sleep. */
const SLEEP_MAX_MS = 2 ** 31 - 1;

/**
 * Paces a machine whose input is a terminal or a pipe: while it is open, an idle guest waits as long as its timers say,
 * and the host sleeps. A pipe that is just being written or closed is given a moment first in which no virtual time
 * passes, so that a run with a file or nothing on standard input does not depend on the host's speed.
 */
export class HostPacing implements Pacing {
  readonly #settles: boolean;
  #ended: boolean;
  /** Other sources that input may come from. */
  #sources = 0;
  /** When the event loop had its last turn. */
  #turn: number = performance.now();
  /** When input came last. */
  #input = -Infinity;
  /** The pipe has said something since it was last given a moment. */
  #news = true;
  /** Virtual nanoseconds that have passed without sleeping; negative where a sleep was too long. */
  #ahead = 0;
  #wake: (() => void) | undefined;

  constructor(input: "terminal" | "pipe" | "none") {
    this.#settles = input === "pipe";
    this.#ended = input === "none";
  }

  /** Input came: ends a sleep. */
  input(): void {
    this.#news = true;
    this.#input = performance.now();
    this.wake();
  }

  /** The input is at its end. */
  end(): void {
    this.#ended = true;
    this.wake();
  }

  /** Input may come from another source until the returned function is called. */
  hold(): () => void {
    this.#sources++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#sources--;
      this.wake();
    };
  }

  /** Ends a sleep. */
  wake(): void {
    this.#wake?.();
  }

  turnDue(): boolean {
    const now = performance.now();
    if (now - this.#turn < (now - this.#input < TYPING_MS ? TYPING_TURN_MS : TURN_MS)) return false;
    this.#turn = now;
    return true;
  }

  live(): boolean {
    return !this.#ended || this.#sources > 0;
  }

  async sleep(nanoseconds: number): Promise<number> {
    if (this.#settles && this.#news) {
      this.#news = false;
      if (await this.#wait(SETTLE_MS)) return 0;
    }
    this.#ahead += nanoseconds;
    if (this.#ahead < AHEAD_NS) return nanoseconds;
    const start = performance.now();
    const woken = await this.#wait(this.#ahead / 1e6);
    const passed = (performance.now() - start) * 1e6;
    if (nanoseconds === Infinity) {
      this.#ahead = 0;
      return this.live() ? passed : 0;
    }
    this.#ahead -= passed;
    if (!woken || this.#ahead <= 0) {
      this.#ahead = Math.max(this.#ahead, -AHEAD_NS);
      return nanoseconds;
    }
    const left = Math.min(this.#ahead, nanoseconds);
    this.#ahead -= left;
    return nanoseconds - left;
  }

  /** Waits for a wake-up or so many milliseconds; whether it was the wake-up. */
  #wait(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (woken: boolean): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(woken);
      };
      const timer = setTimeout(() => done(false), Math.min(Math.ceil(milliseconds), SLEEP_MAX_MS));
      this.#wake = () => done(true);
    });
  }
}
