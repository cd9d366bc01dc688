import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CommandFolder } from "../support/command.ts";

const PROGRAM = `
  li t0, 0x10000000
  li t1, 0x41
  sb t1, 0(t0)
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)`;

/** Runs the program with trace options; the trace is what was written to `file`, or to standard error. */
async function trace(args: readonly string[], file?: string): Promise<string[]> {
  using folder = new CommandFolder();
  const { status, stdout, stderr } = await folder.run([...args, folder.program("a.bin", PROGRAM)]);
  assertEquals([status, stdout], [0, "A"], stderr);
  if (file !== undefined) assertEquals(stderr, "");
  const text = file === undefined ? stderr : Deno.readTextFileSync(folder.file(file));
  assert(text.endsWith("\n"));
  return text.slice(0, -1).split("\n");
}

Deno.test("the commit log goes to a file, whole", async () => {
  const lines = await trace(
    ["--trace=t.log", "--trace-format", "commit", "--trace-filter", "pc=0x80000000-0x800000ff"],
    "t.log",
  );
  assertEquals(lines, [
    "core   0: 3 0x0000000080000000 (0x100002b7) x5  0x0000000010000000",
    "core   0: 3 0x0000000080000004 (0x04100313) x6  0x0000000000000041",
    "core   0: 3 0x0000000080000008 (0x00628023) mem 0x0000000010000000 0x41",
    "core   0: 3 0x000000008000000c (0x001002b7) x5  0x0000000000100000",
    "core   0: 3 0x0000000080000010 (0x00005337) x6  0x0000000000005000",
    "core   0: 3 0x0000000080000014 (0x5553031b) x6  0x0000000000005555",
    "core   0: 3 0x0000000080000018 (0x0062a023) mem 0x0000000000100000 0x00005555",
  ]);
});

Deno.test("filters together must all hold", async () => {
  const args = [
    "--trace=t.log",
    "--trace-format",
    "commit",
    "--trace-filter",
    "class=store",
    "--trace-filter",
    "steps=0-9",
  ];
  const lines = await trace(args, "t.log");
  assertEquals(lines, ["core   0: 3 0x0000000080000008 (0x00628023) mem 0x0000000010000000 0x41"]);
});

Deno.test("JSON lines: instructions and device facts, each in its file", async () => {
  using folder = new CommandFolder();
  const image = folder.program("a.bin", PROGRAM);
  const { status, stderr } = await folder.run([
    "--trace=i.jsonl",
    "--trace-devices=d.jsonl",
    "--trace-format=jsonl",
    image,
  ]);
  assertEquals([status, stderr], [0, ""]);
  const read = (name: string): Record<string, unknown>[] =>
    Deno.readTextFileSync(folder.file(name)).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert(read("i.jsonl").every((line) => line.type === "insn"));
  assertEquals(read("i.jsonl").length, 13);
  const facts = read("d.jsonl").map(({ type, register, value, step }) => [type, register ?? step, value]);
  assertEquals(facts, [["mmio", "THR", 0x41], ["mmio", "finish", 0x5555], ["machine", "pass", undefined]]);
});

Deno.test("both traces on standard error stand in the order in which things happened", async () => {
  const lines = (await trace(["--trace", "--trace-devices"])).filter((line) => !line.startsWith("#"));
  const store = lines.findIndex((line) => line.includes("THR"));
  assert(store > 0);
  assertStringIncludes(lines[store - 1]!, "li      t1, 65");
  assertStringIncludes(lines[store + 1]!, "sb      t1, 0(t0)");
});

Deno.test("symbols of an ELF file name the places of a flat image", async () => {
  using folder = new CommandFolder();
  for (const name of ["uart_hello.bin", "uart_hello.elf"]) {
    Deno.copyFileSync(new URL(`../../images/${name}`, import.meta.url), folder.file(name));
  }
  const args = ["--trace=t.log", "--trace-filter=pc=main", "--symbols", "uart_hello.elf", "uart_hello.bin"];
  const { status, stderr } = await folder.run(args);
  assertEquals([status, stderr], [0, ""]);
  const lines = Deno.readTextFileSync(folder.file("t.log")).split("\n").slice(1, -1);
  assert(lines.length > 3);
  for (const line of lines) assertMatch(line, / main(\+0x[0-9a-f]+)? /);
});

Deno.test("a host that does not take a trace is told as such, and ends the run", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  using folder = new CommandFolder();
  const image = folder.program("a.bin", "1: j 1b");
  const { status, stderr } = await folder.run(["--trace=/dev/full", image]);
  assertEquals([status, stderr], [66, "ringside: /dev/full: cannot be written: No space left on device\n"]);
});
