/** `--stats` and `--dump-region`: what they say of a run. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CommandFolder } from "../support/command.ts";

/** Counts down from a million, then ends. */
const LOOP = `li a0, 1000000
loop: addi a0, a0, -1
addi a1, a1, 3
xor a2, a2, a1
bnez a0, loop
li t0, 0x100000
li t1, 0x5555
sw t1, 0(t0)
here: j here
`;

Deno.test("--stats tells who did the steps, and of regions", async () => {
  using folder = new CommandFolder();
  const { status, stderr } = await folder.run(["--stats", folder.program("image.bin", LOOP)]);
  assertEquals(status, 0);
  const [, all, translated] = /^steps: (\d+): (\d+\.\d) % translated/m.exec(stderr) ?? [];
  assert(Number(all) > 4_000_000 && Number(translated) > 80, stderr);
  assertMatch(stderr, /^regions: [1-9]\d* made, of [1-9]\d* instructions; [1-9]\d* live/m);
  assertMatch(stderr, /^regions ended: [1-9]\d* for the slice, /m);
  assertMatch(stderr, /^emitted code came back: \d+ for the slice, /m);
  assertMatch(stderr, /^time: \d+ ms: \d+ ms in emitted code, /m);
});

Deno.test("--stats without a translator tells what there is to tell", async () => {
  using folder = new CommandFolder();
  const image = folder.program("image.bin", LOOP.replace("1000000", "1000"));
  const interpreted = (await folder.run(["--stats", "--engine", "interpreter", image])).stderr;
  assertMatch(interpreted, /^steps: \d+: 0\.0 % translated, (9\d|100)\.\d % interpreted/m);
  assert(!interpreted.includes("regions:"));
  const { stderr } = await folder.run(["--stats", "--engine", "reference", image]);
  assertMatch(stderr, /^40\d\d steps by the reference executor$/m);
});

Deno.test("--dump-region shows guest instructions beside their WebAssembly", async () => {
  using folder = new CommandFolder();
  const image = folder.program("image.bin", LOOP);
  const { status, stderr } = await folder.run(["--dump-region", "0x80000008", image]);
  assertEquals(status, 0);
  assertMatch(stderr, /^region with entries 0x80000008.*; \d+ instructions$/m);
  assertMatch(stderr, /^0x8000000[0-9a-f] +addi? a1, a1, 3 +local\.get \d+$/m);
  assertStringIncludes(stderr, "i64.xor");
  assertMatch(stderr, /^ +loop$/m);
  const nowhere = await folder.run(["--dump-region", "0x90000000", image]);
  assertEquals([nowhere.status, nowhere.stderr], [0, "no region has 0x90000000\n"]);
  const unknown = await folder.run(["--dump-region", "nothing", image]);
  assertEquals(unknown.status, 2);
  assertStringIncludes(unknown.stderr, '--dump-region: expected an address or the name of a symbol, got "nothing"');
});
