/**
 * `@std/cli` for machines that reach the npm registry and not JSR (see `tools/std/assert/mod.ts`): what this project
 * uses of it. Import `@std/cli/parse-args`, which loads nothing else.
 *
 * @module
 */

export { parseArgs } from "./parse_args.ts";
