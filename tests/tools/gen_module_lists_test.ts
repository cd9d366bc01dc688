/** Modules are listed for Deno as they are, and a run without options does not come to need ever more of them. */

import { assert, assertEquals } from "@std/assert";
import { LISTED, listPath, listText, loadedWith, type Module, modules } from "../../tools/gen_module_lists.ts";

const TOP = new URL("../../", import.meta.url);
const all: ReadonlyMap<string, Module> = await modules();

for (const listed of LISTED) {
  const path = listPath(listed);
  Deno.test(`${path} is the list of its modules (deno run -A tools/gen_module_lists.ts)`, async () => {
    assertEquals(await Deno.readTextFile(new URL(path, TOP)), listText(listed, all));
  });
}

// What Deno needs for a module, an import and a byte is in docs/PERFORMANCE.md.
Deno.test("what every run loads before its guest's first instruction stays small", () => {
  const loaded = [...loadedWith(["vm/main.ts"], all)];
  const bytes = loaded.reduce((sum, path) => sum + (all.get(path)?.size ?? 0), 0);
  assert(loaded.length <= 142, `${loaded.length} modules, expected 142 at most: import() what few runs need`);
  assert(bytes <= 820_000, `${bytes} bytes of modules, expected 820,000 at most: import() what few runs need`);
});

// V8 keeps a text with any other character in two bytes each, and copies them all when it first collects garbage, which
// is before a guest's first instruction. Strings can have them as escapes.
Deno.test("what every run loads has no characters beyond Latin-1", async () => {
  const found: string[] = [];
  for (const path of loadedWith(["vm/main.ts"], all)) {
    if (!path.endsWith(".ts")) continue;
    const text = await Deno.readTextFile(new URL(path, TOP));
    text.split("\n").forEach((line, i) => /[^\0-\xff]/.test(line) && found.push(`${path}:${i + 1}: ${line.trim()}`));
  }
  assertEquals(found, []);
});

// It reads them all at the start, those too that only an import() names: 0.05 ms each.
Deno.test("what an import() may load stays small", () => {
  const found = new Set(["vm/main.ts"]);
  for (const path of found) {
    for (const name of [...all.get(path)?.imports ?? [], ...all.get(path)?.named ?? []]) found.add(name);
  }
  assert(found.size <= 330, `${found.size} modules, expected 330 at most`);
});

Deno.test("what is loaded with a module is found over others, packages too, import() left out", () => {
  const small = new Map<string, Module>([
    ["a/a.ts", { size: 1, imports: ["a/b.ts"], named: ["a/d.ts"] }],
    ["a/b.ts", { size: 1, imports: ["b/c.ts", "@std/cli/parse-args"], named: [] }],
    ["b/c.ts", { size: 1, imports: [], named: [] }],
    ["a/d.ts", { size: 1, imports: ["b/c.ts", "b/e/f.ts"], named: [] }],
    ["b/e/f.ts", { size: 1, imports: [], named: [] }],
  ]);
  assertEquals([...loadedWith(["a/a.ts"], small)], ["a/a.ts", "a/b.ts", "b/c.ts", "@std/cli/parse-args"]);
  const imports = (text: string): string[] =>
    [...text.matchAll(/^(?:import|export \* from) "(.*)";$/gm)].map((m) => m[1]!);
  assertEquals(imports(listText({ path: "a/a.ts", after: [] }, small)), [
    "@std/cli/parse-args",
    "./b.ts",
    "../b/c.ts",
    "./a.ts",
  ]);
  assertEquals(imports(listText({ path: "a/d.ts", after: ["a/a.ts"] }, small)), ["../b/e/f.ts", "./d.ts"]);
});
