/**
 * The bench programs on every engine. Whole runs are some hundred million steps, minutes on the reference: there the
 * first steps must do. `tests/bench/` runs all of them whole, and `bench_test.ts` shows that the checksums are right.
 */
import { assertEquals } from "@std/assert";
import { guestPrograms, imageName } from "../../tools/guest_images.ts";
import { type EngineName, engineNames, type Machine } from "../../vm/machine.ts";
import { bootImage, expectedConsole } from "../support/boot_image.ts";

const STEPS = 200_000;
const MEMORY = 4 << 20;
const fastEngines = engineNames.filter((name) => name !== "reference");

/** Registers, pc and memory of an image after its first steps. */
async function state(image: string, xlen: 32 | 64, engine: EngineName): Promise<unknown> {
  let machine: Machine | undefined;
  const started = (one: Machine): void => void (machine = one);
  const result = await bootImage(`${image}.bin`, { xlen, engine, steps: STEPS, memorySize: MEMORY, started });
  assertEquals([result.reason, result.steps], ["limit", STEPS]);
  const hart = machine!.harts[0]!;
  const ram = machine!.memory.regions.find(({ name }) => name === "ram")!;
  const digest = await crypto.subtle.digest("SHA-256", machine!.memory.bytes(ram.base, ram.size)!);
  const registers = Array.from({ length: 32 }, (_, n) => hart.x(n));
  return { pc: hart.pc, registers, memory: new Uint8Array(digest).toHex() };
}

for (const program of guestPrograms.filter(({ kind }) => kind === "bench")) {
  for (const xlen of [64, 32] as const) {
    const image = imageName(program, xlen);
    Deno.test(`${image}: the same state on every engine after ${STEPS} steps (not whole: too long for the reference)`, async () => {
      const first = await state(image, xlen, "reference");
      for (const engine of fastEngines) assertEquals(await state(image, xlen, engine), first, engine);
    });
  }
}

// The shortest of them.
for (const xlen of [64, 32] as const) {
  for (const engine of fastEngines) {
    const image = imageName(guestPrograms.find(({ name }) => name === "bench_crc_state")!, xlen);
    Deno.test(`${image}: whole run on the ${engine}`, async () => {
      const result = await bootImage(`${image}.elf`, { xlen, engine, steps: 1e9 });
      assertEquals([result.console, result.reason], [await expectedConsole(image), "pass"]);
    });
  }
}
