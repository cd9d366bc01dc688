/**
 * `@std/fs` for machines that reach the npm registry and not JSR (see `tools/std/assert/mod.ts`): what this project
 * uses of it. The entry points (`@std/fs/walk`, …) load only what they need.
 *
 * @module
 */

export { copy, copySync } from "./copy.ts";
export { emptyDir, emptyDirSync } from "./empty_dir.ts";
export { ensureDir, ensureDirSync } from "./ensure_dir.ts";
export { exists, existsSync } from "./exists.ts";
export { expandGlob, expandGlobSync } from "./expand_glob.ts";
export { walk, walkSync } from "./walk.ts";
export type { WalkEntry } from "./walk.d.ts";
