/** Something found below a folder. */
export interface WalkEntry extends Deno.DirEntry {
  /** Its path, starting with the folder that was walked. */
  path: string;
}

/** What {@linkcode walk} yields. */
export interface WalkOptions {
  /** How many folders deep (default: all; 0 is the root alone). */
  maxDepth?: number;
  /** Yield files (default true). */
  includeFiles?: boolean;
  /** Yield folders, the root among them (default true). */
  includeDirs?: boolean;
  /** Yield links that are not followed (default true). */
  includeSymlinks?: boolean;
  /** Look behind links (default false). */
  followSymlinks?: boolean;
  /** Give the real path of what a followed link names (default true). */
  canonicalize?: boolean;
  /** Only names that end so, with or without the dot. */
  exts?: string[];
  /** Only paths that one of these matches. */
  match?: RegExp[];
  /** No path that one of these matches, nor anything below it. */
  skip?: RegExp[];
}

/** Everything below a folder, depth first, in the order the system lists it. */
export function walk(root: string | URL, options?: WalkOptions): AsyncIterableIterator<WalkEntry>;
/** {@linkcode walk}, at once. */
export function walkSync(root: string | URL, options?: WalkOptions): IterableIterator<WalkEntry>;
