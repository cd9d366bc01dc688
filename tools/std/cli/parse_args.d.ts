/** One name or several; a literal stays a literal, so that the result's keys are known. */
type Names<N extends string> = N | readonly N[];

/** What {@linkcode parseArgs} is told. `B`, `S`, `C` name the boolean, string and repeatable options; `D` is the defaults. */
export interface ParseOptions<B extends string, S extends string, C extends string, D, DD extends boolean> {
  /** Options that take no value; false when absent. */
  boolean?: Names<B>;
  /** Options whose value stays a string: without this "10" becomes 10. `_` keeps the positional arguments strings. */
  string?: Names<S>;
  /** Options given any number of times: their value is an array, empty when absent. */
  collect?: Names<C>;
  /** Options that `--no-NAME` sets to false. */
  negatable?: Names<B | S | C>;
  /** Values of options that were not given. */
  default?: D;
  /** Further names of an option: all of them appear in the result. */
  alias?: Readonly<Record<string, string | readonly string[]>>;
  /** Treat everything after the first positional argument as positional. */
  stopEarly?: boolean;
  /** Put what follows `--` under the key `"--"` instead of `_`. */
  "--"?: DD;
  /**
   * Called for an option that no list names, and for each positional argument (then with `arg` alone). Returning false
   * leaves it out of the result.
   */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** An option's value: an array for a repeatable one; never undefined where a default stands. */
type Value<N extends string, V, Absent, C extends string, D> = N extends C ? V[]
  : N extends keyof D ? V | D[N]
  : V | Absent;

/** What {@linkcode parseArgs} returns. An option in no list appears, as a number, string or boolean, under its own name. */
export type Args<B extends string, S extends string, C extends string, D, DD extends boolean> =
  & { [N in B]: Value<N, boolean, never, C, D> }
  & { [N in Exclude<S, "_">]: Value<N, string, undefined, C, D> }
  & { [N in Exclude<keyof D, B | S>]: unknown }
  & { _: "_" extends S ? string[] : (string | number)[] }
  & (DD extends true ? { "--": string[] } : unknown)
  & { [other: string]: unknown };

/**
 * Splits command-line arguments into options and positional ones. It never fails: an unknown option is a key of the
 * result unless `unknown` refuses it, and an option named by `string` at the end of the line has the value "".
 */
export function parseArgs<
  const B extends string = never,
  const S extends string = never,
  const C extends string = never,
  const D extends Readonly<Record<string, unknown>> = Readonly<Record<never, never>>,
  const DD extends boolean = false,
>(args: readonly string[], options?: ParseOptions<B, S, C, D, DD>): Args<B, S, C, D, DD>;
