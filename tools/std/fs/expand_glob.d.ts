import type { WalkEntry } from "./walk.d.ts";

/** How {@linkcode expandGlob} reads the pattern. */
export interface ExpandGlobOptions {
  /** The folder a relative pattern starts from (default: the working folder). */
  root?: string;
  /** Patterns of what to leave out. */
  exclude?: string[];
  /** Yield folders too (default true). */
  includeDirs?: boolean;
  /** Look behind links (default false). */
  followSymlinks?: boolean;
  /** Give the real path of what a followed link names (default true). */
  canonicalize?: boolean;
  /** `?(…)`, `*(…)`, `+(…)`, `@(…)`, `!(…)` are patterns (default true). */
  extended?: boolean;
  /** `**` matches any number of folders (default true). */
  globstar?: boolean;
  /** Letters match in either case (default false). */
  caseInsensitive?: boolean;
}

/** The files and folders a pattern matches, with absolute paths, in the order they are found. */
export function expandGlob(glob: string | URL, options?: ExpandGlobOptions): AsyncIterableIterator<WalkEntry>;
/** {@linkcode expandGlob}, at once. */
export function expandGlobSync(glob: string | URL, options?: ExpandGlobOptions): IterableIterator<WalkEntry>;
