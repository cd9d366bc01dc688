import { assert, assertEquals, assertMatch } from "@std/assert";
import { staleExceptions, type TrackedFile, untidy } from "../tools/tidy.ts";

const TOP = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** Runs git in the project; undefined where there is no git, or no repository. */
function git(...args: string[]): string | undefined {
  try {
    const { success, stdout } = new Deno.Command("git", {
      args: ["-c", `safe.directory=${TOP.slice(0, -1)}`, "-C", TOP, ...args],
      stderr: "null",
    }).outputSync();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const listed = git("ls-files", "-z")?.split("\0").filter((path) => path !== "");
const withoutGit = listed === undefined;

/** The committed files, as they stand in the work tree. */
function* trackedFiles(paths: readonly string[]): Generator<TrackedFile> {
  for (const path of paths) {
    try {
      yield { path, bytes: Deno.readFileSync(`${TOP}${path}`) };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // deleted, and the deletion not committed yet
    }
  }
}

/** What is said of a text file in that place. */
function said(path: string, text: string, ...others: string[]): string[] {
  return untidy({ path, bytes: new TextEncoder().encode(text) }, [path, ...others]);
}

Deno.test({
  name: "the repository is tidy",
  ignore: withoutGit, // only what git lists is looked at
  fn(): void {
    assert(listed !== undefined && listed.length > 0);
    const found = [...trackedFiles(listed)].flatMap((file) =>
      untidy(file, listed).map((what) => `${file.path}: ${what}`)
    );
    assertEquals(found, []);
    assertEquals(staleExceptions(listed), []);
  },
});

Deno.test({
  name: "the CI script can be executed, and nothing else pretends to be a program",
  ignore: withoutGit,
  fn(): void {
    const executable = (git("ls-files", "-s") ?? "").split("\n").filter((line) => line.startsWith("100755"));
    assertEquals(executable.map((line) => line.split("\t")[1]), [".ci/run"]);
  },
});

Deno.test("the CHANGELOG has a place for what is not released", () => {
  assertMatch(Deno.readTextFileSync(`${TOP}CHANGELOG.md`), /^## \[Unreleased\]$/m);
});

Deno.test("tidy: a tidy file has nothing to say about", () => {
  assertEquals(said("vm/isa/rv_m.ts", "export {};\n"), []);
  assertEquals(said("docs/ADDING_A_DEVICE.md", "# A device\n"), []);
  assertEquals(said("guest/lib/start.S", "\tnop\n"), []);
  assertEquals(said(".ci/run", ""), []);
  assertEquals(untidy({ path: "images/demo.bin", bytes: new Uint8Array(4096) }, []), []);
  assertEquals(said("tests/golden/demo.txt", "kept as it was  "), []);
});

Deno.test("tidy: names are snake_case and in their places", () => {
  assertEquals(said("vm/isa/rvM.ts", "\n"), ["rvM.ts is not snake_case"]);
  assertEquals(said("vm/my-isa/rv_m.ts", "\n"), ["my-isa is not snake_case"]);
  assertEquals(said("vm/NOTES.md", "\n"), ["NOTES.md is not snake_case"]);
  assertEquals(said("notes/a.md", "\n"), ["notes is not one of the names at the top"]);
});

Deno.test("tidy: text ends with one newline and has no space at line ends", () => {
  assertEquals(said("vm/a.ts", "a;"), ["no newline at the end"]);
  assertEquals(said("vm/a.ts", "a;\n\n"), ["empty lines at the end"]);
  assertEquals(said("vm/a.ts", "a; \nb;\t\nc;\r\nd;\n"), [1, 2, 3].map((line) => `line ${line}: space at the end`));
  assertEquals(said("vm/a.ts", "\ufeffa;\n"), ["byte order mark"]);
});

Deno.test("tidy: no conflict of a merge is committed, in recorded files either", () => {
  const mark = (c: string): string => c.repeat(7);
  const text = `a\n${mark("<")} HEAD\nb\n${mark("=")}\nc\n${mark(">")} d\n`;
  for (const path of ["docs/A.md", "images/manifest.json"]) {
    assertEquals(said(path, text), [`a conflict that nobody settled: ${mark("<")} `]);
  }
  assertEquals(said("docs/A.md", "Title\n=====\n"), []);
});

Deno.test("tidy: files stay small", () => {
  assertEquals(said("vm/a.ts", "a;\n".repeat(450)), []);
  assertEquals(said("guest/a.c", "a;\n".repeat(451)), ["451 lines; over 450 only tables listed in tools/tidy.ts"]);
  assertEquals(said("docs/A.md", "a\n".repeat(451)), []);
  const blob = { path: "images/linux.bin", bytes: new Uint8Array(400_001) };
  assertEquals(untidy(blob, []), ["400001 bytes; over 400000 does not belong here"]);
  assertEquals(untidy({ path: "vm/a.bin", bytes: new Uint8Array(1) }, []), ["binary, or not UTF-8"]);
});

Deno.test("tidy: no machine's paths, no registry's host, no unfinished work", () => {
  // Put together here, so that this file is tidy itself.
  const join = (...parts: string[]): string => parts.join("");
  const someones = "line 1: a path of somebody's machine: ";
  for (const top of ["home", "root", "Users", "work", "opt"]) {
    assertEquals(said("docs/A.md", join("see `/", top, "/x`\n")), [join(someones, "/", top, "/x")]);
    assertEquals(said("docs/A.md", join("../", top, "/y devices/", top, "/z $" + "{dir}/", top, "/x\n")), []);
  }
  const host = join("registry", ".example.org");
  assertEquals(said("deno.json", `https://${host}/x\n`), [`line 1: a registry's host: ${host}`]);
  const note = join("TO", "DO");
  assertEquals(said("vm/a.ts", `\n// ${note}: all of it\n`), [`line 2: a note about unfinished work: ${note}`]);
  assertEquals(said("vm/a.ts", "// registry.get(todo)\n"), []);
});

Deno.test("tidy: a test mirrors a source file", () => {
  const mirrors = "mirrors no source file, and is not listed as cross-cutting in tools/tidy.ts";
  assertEquals(said("tests/isa/rv_m_test.ts", "\n", "vm/isa/rv_m.ts"), []);
  assertEquals(said("tests/vm/isa/rv_m_test.ts", "\n", "vm/isa/rv_m.ts"), []);
  assertEquals(said("tests/isa/rv_m_overflow_test.ts", "\n", "vm/isa/rv_m.ts"), []);
  assertEquals(said("tests/virtio/split_test.ts", "\n", "devices/virtio/split.ts"), []);
  assertEquals(said("tests/machine_test.ts", "\n", "vm/machine/run.ts"), []);
  assertEquals(said("tests/isa/rv_m_test.ts", "\n", "vm/isa/rv_i.ts"), [mirrors]);
  assertEquals(said("tests/isa/rv_m_test.ts", "\n", "vm/hart/rv_m.ts"), [mirrors]);
  assertEquals(said("tests/isa/rv_m_test.ts", "\n", "tests/support/isa/rv_m.ts"), [mirrors]);
});

Deno.test("tidy: tests stand where they are run, and all of them are", () => {
  assertEquals(said("tests/support/driver.ts", "export {};\n"), []);
  assertEquals(said("tests/support/driver.ts", `Deno.test("x", () => {});\n`), [
    "holds tests, but only files named _test.ts are run",
  ]);
});
