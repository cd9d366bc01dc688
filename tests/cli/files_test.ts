import { assertEquals, assertThrows } from "@std/assert";
import { InputError, UsageError } from "../../vm/cli/errors.ts";
import { OutputFile, readInput } from "../../vm/cli/files.ts";

/** Runs `test` in a folder of its own, which is gone afterwards. */
function inFolder(test: (path: (name: string) => string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    test((name) => `${folder}/${name}`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a file is read as a whole, up to a limit", () =>
  inFolder((path) => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    Deno.writeFileSync(path("a"), bytes);
    assertEquals(readInput(path("a"), 60_000), bytes);
    assertThrows(() => readInput(path("a"), 59_999), InputError, `${path("a")}: too large: at most 59999 are read`);
    Deno.writeFileSync(path("empty"), new Uint8Array(0));
    assertEquals(readInput(path("empty")).length, 0);
    // A device that never ends is refused at the limit; it does not tell its length.
    assertThrows(() => readInput("/dev/zero", 200_000), InputError, "/dev/zero: too large");
  }));

Deno.test("what cannot be read is told by name", () =>
  inFolder((path) => {
    assertThrows(() => readInput(path("none")), InputError, `${path("none")}: cannot be read: no such file`);
    assertThrows(() => readInput(path("")), InputError, "cannot be read: it is a directory");
    Deno.writeTextFileSync(path("a"), "");
    assertThrows(() => readInput(path("a/b")), InputError, "cannot be read: a part of its path is not a directory");
  }));

Deno.test("an output is emptied and written", () =>
  inFolder((path) => {
    Deno.writeTextFileSync(path("log"), "something older and longer");
    const output = OutputFile.open(path("log"), [], []);
    output.write(new TextEncoder().encode("ab"));
    output.write(new TextEncoder().encode("c"));
    assertEquals(Deno.readTextFileSync(path("log")), "abc");
  }));

Deno.test("an output is never a file that the run reads, nor another output, by whatever name", () =>
  inFolder((path) => {
    Deno.writeTextFileSync(path("image"), "image");
    Deno.symlinkSync(path("image"), path("link"));
    Deno.linkSync(path("image"), path("hard"));
    for (const name of ["image", "link", "hard"]) {
      const message = `a trace cannot be written to ${path(name)}: it is the same file as ${path("image")}`;
      assertThrows(() => OutputFile.open(path(name), [path("image")], []), UsageError, message);
    }
    assertEquals(Deno.readTextFileSync(path("image")), "image");
    const first = OutputFile.open(path("log"), [path("image")], []);
    assertThrows(() => OutputFile.open(path("log"), [], [first]), UsageError, `the same file as ${path("log")}`);
  }));

Deno.test("an output that cannot be written is told by name", () =>
  inFolder((path) => {
    assertThrows(
      () => OutputFile.open(path("none/log"), [], []),
      InputError,
      "none/log: cannot be written: no such file",
    );
    assertThrows(() => OutputFile.open(path(""), [], []), InputError, "cannot be written: it is a directory");
    if (Deno.build.os !== "linux") return;
    // A full device takes nothing.
    const full = OutputFile.open("/dev/full", [], []);
    assertThrows(
      () => full.write(new Uint8Array(1)),
      InputError,
      "/dev/full: cannot be written: No space left on device",
    );
  }));
