/** Figures of a long test, for the person who waited for them. */

/** Counts by name, in the order in which they were first named. */
export class Tally {
  readonly #what: string;
  readonly #counts = new Map<string, number>();

  /** Figures of `what`; if `told`, they are printed when the tests of the file are over. */
  constructor(what: string, told: boolean) {
    this.#what = what;
    if (told) Deno.test.afterAll(() => console.log(this.text));
  }

  /** Adds to the count called `name`. */
  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  /** All of it in one line: `test:chaos: 1,900 runs, 12,345 interrupts`. */
  get text(): string {
    const parts = [...this.#counts].map(([name, count]) => `${grouped(count)} ${name}`);
    return `${this.#what}: ${parts.length === 0 ? "nothing ran" : parts.join(", ")}`;
  }
}

/** A whole number in groups of three digits, as prose writes it: `65,536`. */
export function grouped(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** The parts of `from` to `to`, none longer than `length`: what a long test does step by step. */
export function* parts(from: number, to: number, length: number): Generator<[number, number]> {
  for (let start = from; start < to; start += length) yield [start, Math.min(start + length, to)];
}
