/**
 * A Linux boot on the interpreter and on the translator: the same state at the same steps, and the reference executor in
 * the interpreter's place in a hundred windows. The first 400 million steps; `LINUX_LOCKSTEP=all` compares a whole boot,
 * `LINUX_LOCKSTEP_SEED=n` at other places.
 */
import { assertEquals, assertGreaterOrEqual, assertStringIncludes } from "@std/assert";
import { compareTwins, type TwinOptions } from "../support/twin_machines.ts";
import { guestFile, withGuest } from "./guest.ts";

const FILES = ["linux/Image", "linux/initramfs.gz"];
const ALL = Deno.env.get("LINUX_LOCKSTEP") === "all";
const STEPS = 400_000_000;
const SEED = Number(Deno.env.get("LINUX_LOCKSTEP_SEED") ?? 1);

async function linux(steps: number): Promise<TwinOptions> {
  const read = async (name: string) => ({ name, bytes: await Deno.readFile(guestFile(name)) });
  const files = {
    bios: "builtin",
    kernel: await read(FILES[0]!),
    initrd: await read(FILES[1]!),
    append: "console=ttyS0 guest=off",
  } as const;
  return { files, memorySize: 256 << 20, engine: "auto", seed: SEED, steps, stretches: 200, windows: 100 };
}

Deno.test(withGuest("Linux: translator, interpreter and reference executor agree step by step", FILES, async () => {
  const run = await compareTwins(await linux(ALL ? 2_500_000_000 : STEPS));
  assertEquals(run.difference, undefined);
  assertGreaterOrEqual(run.compared, 200);
  assertGreaterOrEqual(run.windows, 95);
  if (ALL) assertStringIncludes(run.console, "reboot: Power down");
  else assertEquals(run.steps, STEPS);
}));

Deno.test(withGuest("Linux: a difference between engines is found, and where it came about", FILES, async () => {
  const run = await compareTwins({
    ...await linux(30_000_000),
    stretches: 30,
    windows: 3,
    at: (steps, [, machine]) => {
      if (steps < 12_345_678) return;
      machine.memory.bytes(0x8100_0000, 1)![0]! ^= 1;
    },
  });
  assertStringIncludes(run.difference ?? "", `seed ${SEED}: between steps `);
  assertStringIncludes(run.difference!, "RAM at 0x81000000 is ");
  const [from, to] = [...run.difference!.matchAll(/steps (\d+) and (\d+)/g)].map((
    [, a, b],
  ) => [Number(a), Number(b)])[0]!;
  // Spoiled where the machines are compared: at the first such place behind the step that the test names.
  assertGreaterOrEqual(12_345_678, from!);
  assertGreaterOrEqual(to!, 12_345_678);
  assertGreaterOrEqual(20_000, to! - from!);
}));
