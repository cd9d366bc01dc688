/**
 * `@std/assert` for machines that reach the npm registry and not JSR: the same code, republished on npm, with types for
 * the functions this project uses. Removing `links` from the project's `deno.json` gives the package from JSR.
 *
 * @module
 */

// @ts-types="./mod.d.ts"
export {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "npm:deno-std@1.3.1/assert/mod.js";
