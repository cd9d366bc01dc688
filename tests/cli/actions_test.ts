import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseAction, parseTimedAction } from "../../vm/cli/actions.ts";
import { UsageError } from "../../vm/cli/errors.ts";
import { CommandFolder } from "../support/command.ts";

const DEMO = decodeURIComponent(new URL("../../images/demo.bin", import.meta.url).pathname);

Deno.test("an action says what is done to the device in which slot", () => {
  const parsed = (text: string): unknown => {
    const { written, ...rest } = parseAction(text);
    assertEquals(written, text);
    return rest;
  };
  assertEquals(parsed("resize=1:2M"), { slot: 1, action: "resize", sizeBytes: 2 << 20 });
  assertEquals(parsed("remove-port=0:3"), { slot: 0, action: "remove-port", id: 3 });
  assertEquals(parsed("console-size=0:132x43"), { slot: 0, action: "console-size", cols: 132, rows: 43 });
  assertEquals(parsed("needs-reset=7"), { slot: 7, action: "needs-reset" });
  assertEquals(parsed("add-port=0:log@tcp:localhost:80"), {
    slot: 0,
    action: "add-port",
    port: { name: "log", target: { kind: "tcp", hostname: "localhost", port: 80 }, console: false },
  });
  assertEquals(parseTimedAction("50us,needs-reset=1").timeNs, 50_000);
});

Deno.test("what is wrong with an action is told", () => {
  const wrong: [string, typeof UsageError | typeof RangeError, string][] = [
    ["resiz=1:2M", UsageError, `unknown action "resiz=1:2M"; did you mean resize?`],
    ["explode", UsageError, "expected one of resize=SLOT:SIZE"],
    ["resize=8:2M", RangeError, "resize=SLOT with a whole number from 0 to 7"],
    ["resize=1", RangeError, "resize=SLOT:SIZE"],
    ["resize=1:1000", RangeError, "a multiple of 512 bytes"],
    ["needs-reset=1:now", RangeError, "needs-reset=SLOT"],
    ["console-size=0:132", RangeError, "COLSxROWS"],
    ["console-size=0:99999x1", RangeError, "COLSxROWS"],
    ["add-port=0:nowhere", RangeError, "one of terminal"],
  ];
  for (const [text, kind, message] of wrong) assertThrows(() => parseAction(text), kind, message, text);
  assertThrows(() => parseTimedAction("resize=1:2M"), RangeError, "TIME,ACTION");
  assertThrows(() => parseTimedAction("soon,resize=1:2M"), RangeError, "TIME with a time in ns");
});

Deno.test("--at changes a disk's size at its time, and a driver that looks again sees it", async () => {
  using folder = new CommandFolder();
  const run = await folder.run(["--at", "300us,resize=1:3M", DEMO]);
  assertEquals([run.status, run.stderr], [0, ""]);
  assertStringIncludes(run.stdout, "second probe: 6144 sectors");
  const wrong = await folder.run(["--at", "1ms,resize=0:3M", DEMO]);
  assertEquals([wrong.status, wrong.stderr], [2, "ringside: resize=0:3M: the device in slot 0 is a console\n"]);
  const refused = await folder.run(["--at", "1us,remove-port=0:1", DEMO]);
  assertEquals([refused.status, refused.stderr], [
    0,
    "ringside: remove-port=0:1: virtio console: there is no port 1\n",
  ]);
});

Deno.test("--do is a step of a script", async () => {
  using folder = new CommandFolder();
  const run = await folder.run(["--expect", "sectors", "--do", "needs-reset=1", "--expect", "never said", DEMO]);
  assertStringIncludes(run.stderr, `still waiting for "never said" (--expect 2 of 2)`);
});

Deno.test("an overlay takes what a guest writes, and is written out", async () => {
  using folder = new CommandFolder();
  folder.write("disk", 1 << 20);
  const first = await folder.run(["--drive", "disk,overlay=changes", DEMO]);
  assertEquals([first.status, first.stderr], [0, ""]);
  assertEquals(folder.list().some((name) => name.startsWith("changes:")), true);
  const commit = await folder.run(["--commit-overlay", "disk,overlay=changes"]);
  assertEquals(commit.status, 0);
  assertStringIncludes(commit.stderr, "bytes were written to disk, and the overlay was removed");
  assertEquals(folder.list(), ["disk:1048576"]);
  const again = await folder.run(["--commit-overlay", "disk,overlay=changes"]);
  assertEquals([again.status, again.stderr], [66, "ringside: changes: cannot be read: no such file\n"]);
  const both = await folder.run(["--drive", "disk,overlay=changes,ro", DEMO]);
  assertEquals(both.status, 2);
  assertStringIncludes(both.stderr, "ro and overlay cannot both be");
  const none = await folder.run(["--drive", "missing,overlay=changes", DEMO]);
  assertEquals([none.status, none.stderr], [66, "ringside: missing: cannot be read: no such file\n"]);
  assertEquals(folder.list(), ["disk:1048576"]);
});

Deno.test({
  name: "a host file system that is full is an I/O error for the guest, not an end of the run",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using folder = new CommandFolder();
    folder.write("disk", 1 << 20);
    // No file may become larger than 8 KiB: the overlay has room for its header and map only.
    const main = decodeURIComponent(new URL("../../vm/main.ts", import.meta.url).pathname);
    const script = `trap '' XFSZ; ulimit -f 16; exec "${Deno.execPath()}" run -A "${main}" "$@"`;
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", script, "bash", "--drive", "disk,overlay=changes", DEMO],
      cwd: folder.path,
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals(code, 1, text);
    assertStringIncludes(text, "check failed: disk");
  },
});
