// The bridges in tools/std re-export JavaScript with declarations of our own: each declared name is used here for what
// it promises, and the `@ts-expect-error` lines hold the types (`deno check` fails on one that is not needed).

import {
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
} from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import * as cli from "@std/cli";
import { copy, copySync } from "@std/fs/copy";
import { emptyDir, emptyDirSync } from "@std/fs/empty-dir";
import { ensureDir, ensureDirSync } from "@std/fs/ensure-dir";
import { exists, existsSync } from "@std/fs/exists";
import { expandGlob, expandGlobSync } from "@std/fs/expand-glob";
import { walk, walkSync } from "@std/fs/walk";
import * as fs from "@std/fs";

/** Whether `claim` throws an `AssertionError`; any other error is passed on. */
function refuses(claim: () => void): boolean {
  try {
    claim();
  } catch (error) {
    if (error instanceof AssertionError) return true;
    throw error;
  }
  return false;
}

Deno.test("@std/assert accepts what holds and refuses what does not", () => {
  const same = { a: [1, 2n, "three"] };
  const claims: [string, holds: () => void, fails: () => void][] = [
    ["assert", () => assert(1), () => assert(0)],
    ["assertFalse", () => assertFalse(""), () => assertFalse("x")],
    ["assertExists", () => assertExists(0), () => assertExists(null)],
    ["assertEquals", () => assertEquals({ ...same }, same), () => assertEquals<unknown>({ a: [1, 2, "three"] }, same)],
    ["assertNotEquals", () => assertNotEquals(1, 2), () => assertNotEquals({ ...same }, same)],
    ["assertStrictEquals", () => assertStrictEquals(same, same), () => assertStrictEquals({ ...same }, same)],
    ["assertNotStrictEquals", () => assertNotStrictEquals({ ...same }, same), () => assertNotStrictEquals(same, same)],
    ["assertAlmostEquals", () => assertAlmostEquals(0.1 + 0.2, 0.3), () => assertAlmostEquals(0.3, 0.4, 0.05)],
    ["assertObjectMatch", () => assertObjectMatch({ a: 1, b: 2 }, { b: 2 }), () => assertObjectMatch({ a: 1 }, same)],
    ["assertGreater", () => assertGreater(2n, 1n), () => assertGreater(1, 1)],
    ["assertGreaterOrEqual", () => assertGreaterOrEqual(1, 1), () => assertGreaterOrEqual(0, 1)],
    ["assertLess", () => assertLess("a", "b"), () => assertLess(1, 1)],
    ["assertLessOrEqual", () => assertLessOrEqual(1, 1), () => assertLessOrEqual(2, 1)],
    ["assertStringIncludes", () => assertStringIncludes("abc", "b"), () => assertStringIncludes("abc", "d")],
    ["assertMatch", () => assertMatch("abc", /^a/), () => assertMatch("abc", /^b/)],
    ["assertNotMatch", () => assertNotMatch("abc", /^b/), () => assertNotMatch("abc", /^a/)],
    ["assertArrayIncludes", () => assertArrayIncludes([1, 2, 3], [3]), () => assertArrayIncludes([1], [1, 2])],
    ["assertInstanceOf", () => assertInstanceOf(new RangeError(), Error), () => assertInstanceOf({}, Error)],
    ["assertThrows", () => assertThrows(() => JSON.parse("{")), () => assertThrows(() => 1)],
    ["fail", () => {}, () => fail()],
    ["unreachable", () => {}, () => unreachable()],
  ];
  for (const [name, holds, fails] of claims) {
    holds();
    if (!refuses(fails)) throw new Error(`${name} accepts what does not hold`);
  }
  if (!equal(same, { ...same }) || equal(same, {})) throw new Error("equal is not equality");
});

Deno.test("assertThrows and assertRejects hand over the error they were asked for", async () => {
  const error = assertThrows(() => new Uint8Array(-1), RangeError, "length");
  assertStringIncludes(error.message, "length");
  assert(refuses(() => assertThrows(() => new Uint8Array(-1), TypeError)), "another class");
  assert(refuses(() => assertThrows(() => new Uint8Array(-1), RangeError, "no such words")), "another message");
  const reason = await assertRejects(() => Promise.reject(new RangeError("far away")), RangeError, "far");
  assertEquals(reason.message, "far away");
  await assertRejects(() => assertRejects(() => Promise.resolve(1)), AssertionError);
});

Deno.test("the assertions narrow types", () => {
  const found: number | undefined = [1, 2].find((n) => n > 1);
  // @ts-expect-error `found` may be undefined
  void found.toFixed;
  assertExists(found);
  assertEquals(found.toFixed(1), "2.0");
  const thing: unknown = new Map([[1, "one"]]);
  assertInstanceOf(thing, Map);
  assertEquals(thing.size, 1);
  // @ts-expect-error two types that cannot be equal
  assert(refuses(() => assertEquals(1, "1")));
});

Deno.test("parseArgs splits a command line, and knows the types of what it was told", () => {
  const line = [
    "--memory=64M",
    "-v",
    "--drive",
    "a.img",
    "--drive",
    "b.img",
    "--no-reboot",
    "image.bin",
    "7",
    "--",
    "-x",
  ];
  const args = parseArgs(line, {
    boolean: ["verbose", "reboot"],
    string: ["memory", "drive", "bios", "_"],
    collect: ["drive", "device"],
    negatable: ["reboot"],
    alias: { v: "verbose" },
    default: { reboot: true, harts: 1 },
    "--": true,
  });
  const verbose: boolean = args.verbose;
  const memory: string | undefined = args.memory;
  const drives: string[] = args.drive;
  const positional: string[] = args._;
  const rest: string[] = args["--"];
  assertEquals({ verbose, memory, drives, positional, rest }, {
    verbose: true,
    memory: "64M",
    drives: ["a.img", "b.img"],
    positional: ["image.bin", "7"],
    rest: ["-x"],
  });
  assertEquals([args.reboot, args.harts, args.bios], [false, 1, undefined]);
  // @ts-expect-error an option may be absent
  const bios: string = args.bios;
  assertEquals(bios, undefined);
  // @ts-expect-error not a list of arguments
  assertThrows(() => parseArgs(3));
});

Deno.test("parseArgs asks about options it does not know, and may be refused them", () => {
  const asked: string[] = [];
  const unknown = (arg: string, key?: string): boolean => {
    if (key === undefined) return true;
    asked.push(arg);
    return false;
  };
  const args = parseArgs(["--memroy=64M", "image.bin"], { string: ["memory"], unknown });
  assertEquals(asked, ["--memroy=64M"]);
  assertEquals<unknown>(args, { _: ["image.bin"] });
  assertStrictEquals(cli.parseArgs, parseArgs);
});

Deno.test("@std/fs makes, finds, copies and empties folders", async () => {
  const root = await Deno.makeTempDir({ prefix: "std_bridge_" });
  try {
    await ensureDir(`${root}/a/b`);
    ensureDirSync(`${root}/a/b`);
    await Deno.writeTextFile(`${root}/a/one.txt`, "1");
    await Deno.writeTextFile(`${root}/a/b/two.bin`, "22");
    await assertRejects(() => ensureDir(`${root}/a/one.txt`));

    assertEquals([await exists(`${root}/a`, { isDirectory: true }), existsSync(`${root}/a`, { isFile: true })], [
      true,
      false,
    ]);
    assertEquals(existsSync(`${root}/missing`), false);

    const below = async (entries: AsyncIterable<fs.WalkEntry>): Promise<string[]> =>
      (await Array.fromAsync(entries, (entry) => entry.path.slice(root.length + 1))).sort();
    const files = ["a/b/two.bin", "a/one.txt"];
    assertEquals(await below(walk(root, { includeDirs: false })), files);
    assertEquals([...walkSync(root, { includeDirs: false })].length, 2);
    assertEquals(await below(walk(root, { exts: ["bin"] })), ["a/b/two.bin"]);
    assertEquals(await below(expandGlob("**/*.txt", { root })), ["a/one.txt"]);
    assertEquals([...expandGlobSync("a/*", { root, includeDirs: false })].map((entry) => entry.name), ["one.txt"]);

    await copy(`${root}/a`, `${root}/c`);
    assertEquals(await Deno.readTextFile(`${root}/c/b/two.bin`), "22");
    assertThrows(() => copySync(`${root}/a`, `${root}/c`), Deno.errors.AlreadyExists);
    copySync(`${root}/a`, `${root}/c`, { overwrite: true });

    await emptyDir(`${root}/c`);
    emptyDirSync(`${root}/d`);
    assertEquals(await below(walk(root, { maxDepth: 1, includeFiles: false })), ["", "a", "c", "d"]);
    assertStrictEquals(fs.walk, walk);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
