/** What a driver did with one device's registers since it reset the device: the beginning and the end, and no more. */
import type { MmioEvent, Where } from "../events.ts";

/** One access, with where it came from. */
export interface Access {
  readonly fact: MmioEvent;
  readonly where: Where;
}

/** Accesses in order; `left` are missing between `first` and `last`. */
export interface HistoryView {
  readonly first: readonly Access[];
  readonly left: number;
  readonly last: readonly Access[];
}

/** Set-up stands at the beginning, and what went wrong at the end. */
const FIRST = 48;
const LAST = 16;

/** Keeps the accesses of one device. */
export class History {
  #first: Access[] = [];
  #last: Access[] = [];
  #count = 0;

  /** The access told last. */
  get latest(): Access | undefined {
    return this.#last.at(-1) ?? this.#first.at(-1);
  }

  /** Forgets everything: the device was reset. */
  clear(): void {
    this.#first = [];
    this.#last = [];
    this.#count = 0;
  }

  /** Adds an access. */
  push(access: Access): void {
    this.#count++;
    if (this.#first.length < FIRST) this.#first.push(access);
    else {
      this.#last.push(access);
      if (this.#last.length > LAST) this.#last.shift();
    }
  }

  /** How it is now. */
  view(): HistoryView {
    const first = [...this.#first];
    const last = [...this.#last];
    return { first, left: this.#count - first.length - last.length, last };
  }
}
