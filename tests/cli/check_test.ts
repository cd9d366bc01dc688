import { assertEquals, assertMatch } from "@std/assert";
import { rules } from "../../vm/check/rules.ts";
import { CommandFolder } from "../support/command.ts";

// Reads DeviceID alone, then writes DRIVER to the status of slot 0; ends well.
const PROGRAM = `
  li t0, 0x10001000
  lw t1, 8(t0)
  li t1, 2
  sw t1, 0x70(t0)
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)`;

Deno.test("--check tells on standard error what the driver did wrong, and does not change how the run ends", async () => {
  using folder = new CommandFolder();
  const image = folder.program("a.bin", PROGRAM);
  const { status, stdout, stderr } = await folder.run(["--check", image]);
  assertEquals([status, stdout], [0, ""]);
  const rules = [...stderr.matchAll(/^ {2}rule {3}(\S+);/gm)].map(([, id]) => id);
  assertEquals(rules, [
    "virtio-1.2/4.2.3.1.1-probe-order",
    "virtio-1.2/3.1.1-status-not-reset",
    "virtio-1.2/3.1.1-status-order",
  ]);
  assertMatch(stderr, /^ {2}where {2}0x8000000c; M mode, hart 0, after \d+ instructions$/m);
  assertMatch(stderr, /^driver check: 3 errors; of \d+ rules \d+ exercised: \d+ passed, 3 broken; \d+ not reached$/m);
});

Deno.test("--check=qemu leaves out what works there; another profile is refused", async () => {
  using folder = new CommandFolder();
  const image = folder.program("a.bin", PROGRAM);
  assertMatch((await folder.run(["--check=qemu", image])).stderr, /^driver check: no findings; of /);
  const { status, stderr } = await folder.run(["--check=bochs", image]);
  assertEquals([status, stderr], [2, 'ringside: --check: expected spec, qemu, firecracker or legacy, got "bochs"\n']);
});

Deno.test("--check-fail tells of findings by the exit status, as far as the guest ended well", async () => {
  using folder = new CommandFolder();
  const image = folder.program("a.bin", PROGRAM);
  assertEquals((await folder.run(["--check", "--check-fail", image])).status, 97);
  assertEquals((await folder.run(["--check=qemu", "--check-fail=advice", image])).status, 0);
  const failing = folder.program("b.bin", PROGRAM.replace("0x5555", "0x33333"));
  assertEquals((await folder.run(["--check", "--check-fail", failing])).status, 3);
});

Deno.test("--check-output writes a file in each format; --check-suppress and --check-level leave findings out", async () => {
  using folder = new CommandFolder();
  const image = folder.program("a.bin", PROGRAM);
  const out = folder.file("out");
  for (const [format, start] of [["json", "{"], ["sarif", "{"], ["junit", "<?xml"], ["text", "error: "]] as const) {
    const { status, stderr } = await folder.run(["--check", "--check-format", format, "--check-output", out, image]);
    assertEquals(status, 0);
    assertMatch(stderr, /^driver check: 3 errors; [^\n]*\n$/);
    assertEquals(Deno.readTextFileSync(out).startsWith(start), true, format);
  }
  const known = folder.write("known", "probe-order\nblk-range nowhere\n");
  const { stderr } = await folder.run(["--check", "--check-suppress", known, image]);
  assertMatch(stderr, /^suppression of line 2 was not needed: blk-range nowhere$/m);
  assertMatch(stderr, /^driver check: 2 errors \(1 suppressed\); /m);
});

Deno.test("options of the check that make no sense are refused, and a wrong line of a file is named", async () => {
  using folder = new CommandFolder();
  const image = folder.program("a.bin", PROGRAM);
  const refused = async (...args: string[]) => {
    const { status, stderr } = await folder.run([...args, image]);
    return [status, stderr];
  };
  assertEquals(await refused("--check-level", "error"), [2, "ringside: --check-level needs --check\n"]);
  const known = folder.write("known", "\nno-such-rule\n");
  assertEquals(await refused("--check", "--check-suppress", known), [
    66,
    `ringside: ${known}: line 2: no rule is called "no-such-rule"; docs/RULES.md has them all\n`,
  ]);
  const near = folder.write("near", "queue-misalined # why\n");
  assertMatch((await refused("--check", "--check-suppress", near))[1] as string, /; did you mean queue-misaligned\?$/m);
});

Deno.test("explain prints a rule's page, and the nearest rules for what is none", async () => {
  using folder = new CommandFolder();
  const page = await folder.run(["explain", "queue-size"]);
  assertEquals([page.status, page.stderr], [0, ""]);
  assertMatch(page.stdout, /^virtio-1.2\/2.7-queue-size\n\nerror: /);
  const wrong = await folder.run(["explain", "queue-sise"]);
  assertEquals([wrong.status, wrong.stderr], [
    2,
    'ringside: no rule is called "queue-sise"; did you mean queue-size?\n',
  ]);
  const list = await folder.run(["explain"]);
  assertEquals(list.status, 0);
  for (const { name } of rules) assertMatch(list.stdout, new RegExp(`^  ${name} +(error|warning|advice): `, "m"));
});

Deno.test("where a finding is: by lines, by symbols alone, by --symbols of another file, or by its address", async () => {
  using folder = new CommandFolder();
  const elf = Deno.readFileSync("images/gallery/queue_misaligned.elf");
  const whole = folder.write("whole.elf", elf);
  // A file whose debug sections have other names has none; one without section headers has no symbols either.
  const noDebug = elf.slice();
  const name = new TextEncoder().encode(".debug_");
  for (let at = 0; at < noDebug.length; at++) {
    if (name.every((byte, i) => noDebug[at + i] === byte)) noDebug[at + 1] = "x".charCodeAt(0);
  }
  const stripped = elf.slice();
  stripped.fill(0, 40, 48);
  stripped.fill(0, 60, 64);
  const where = async (...args: string[]) => {
    const { stderr } = await folder.run(["--check", ...args]);
    const calls = stderr.split("the last call first:\n")[1]?.split("\n") ?? [];
    return [/^ {2}where {2}(.*?);/m.exec(stderr)?.[1], calls.filter((line) => line.startsWith("    ")).length > 2];
  };
  const lines = await where(whole);
  assertMatch(lines[0] as string, /^vm_activate, guest\/virtio\/virtio_mmio\.c:\d+, 0x8000[0-9a-f]{4}$/);
  assertEquals(lines[1], true, "calls by .debug_frame");
  const [symbol] = await where(folder.write("symbols.elf", noDebug));
  assertMatch(symbol as string, /^vm_activate\+0x[0-9a-f]+ \(0x8000[0-9a-f]{4}\)$/);
  const { stderr } = await folder.run(["--check", "symbols.elf"]);
  assertMatch(stderr, /the last call first:\n {4}vm_activate +0x\w+\n {4}vm_find_vqs +0x\w+\n {2}what/, "by ra alone");
  assertMatch((await where(folder.write("stripped.elf", stripped)))[0] as string, /^0x8000[0-9a-f]{4}$/);
  assertEquals(await where("--symbols", whole, "stripped.elf"), lines);
});
