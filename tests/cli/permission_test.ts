import { assertEquals } from "@std/assert";
import { parseCommandLine } from "../../vm/cli/parse.ts";
import { filesOf, mainPath, permittedCommand, shellQuote } from "../../vm/cli/permission.ts";

Deno.test("the files of a run are those it names, each once", () => {
  const settings = parseCommandLine(
    [
      "--drive",
      "disk.img",
      "--drive",
      "cd.img,ro",
      "--trace=t.log",
      "--trace-devices",
      "--symbols",
      "fw.elf",
      "fw.elf",
    ],
  );
  assertEquals(filesOf(settings), { read: ["fw.elf", "disk.img", "cd.img"], write: ["t.log", "disk.img"], net: [] });
  const system = parseCommandLine(["--bios=b", "--kernel=k", "--initrd=r", "--dtb=t", "--flash=f"]);
  assertEquals(filesOf(system), { read: ["b", "k", "r", "t", "f"], write: [], net: [] });
  assertEquals(filesOf(parseCommandLine(["--bios=builtin", "--kernel=k"])), { read: ["k"], write: [], net: [] });
  assertEquals(filesOf(parseCommandLine(["-"])), { read: [], write: [], net: [] });
});

Deno.test("the command has the permissions needed and no others, quoted for a shell", () => {
  const command = (...args: string[]): string => permittedCommand(parseCommandLine(args), "vm/main.ts", args);
  assertEquals(command("a.bin"), "deno run --allow-read=a.bin vm/main.ts a.bin");
  assertEquals(
    command("--drive", "my disk.img", "it's.bin"),
    `deno run '--allow-read=it'\\''s.bin,my disk.img' '--allow-write=my disk.img' vm/main.ts --drive 'my disk.img' 'it'\\''s.bin'`,
  );
  assertEquals(command("a,b.bin"), "deno run --allow-read vm/main.ts a,b.bin");
});

Deno.test("plain words are not quoted", () => {
  assertEquals(["a.bin", "", "a b", "$x", "a=b,c"].map(shellQuote), ["a.bin", "''", "'a b'", "'$x'", "a=b,c"]);
});

Deno.test("the program is named from the working directory where that is above it", () => {
  assertEquals(mainPath("file:///a/b/vm/main.ts", "/a/b"), "vm/main.ts");
  assertEquals(mainPath("file:///a/b/vm/main.ts", "/a/bc"), "/a/b/vm/main.ts");
  assertEquals(mainPath("file:///a/my%20vm/main.ts", "/"), "a/my vm/main.ts");
});
