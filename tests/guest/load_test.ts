/** The images that tests/bench measures devices with: here with little to do, on every engine. */
import { assertEquals } from "@std/assert";
import { guestPrograms, imageName } from "../../tools/guest_images.ts";
import { engineNames } from "../../vm/machine.ts";
import { bootImage } from "../support/boot_image.ts";

/** What each says it has done, with a disk of 128 KiB and 2 MiB of RAM. */
const SAID: Readonly<Record<string, string>> = {
  bench_disk_read: `disk_read: ${16 * 128 * 1024} bytes`,
  bench_disk_random: `disk_random: ${4 * 32} reads`,
  bench_console_write: `console_write: ${1 << 20} bytes`,
};

for (const program of guestPrograms.filter(({ kind }) => kind === "load")) {
  for (const xlen of [64, 32] as const) {
    const image = imageName(program, xlen);
    Deno.test(`${image}: does what it says, in the same steps on every engine`, async () => {
      let steps: number | undefined;
      for (const engine of engineNames) {
        const result = await bootImage(`${image}.elf`, {
          engine,
          xlen,
          devices: program.devices.includes("blk") ? ["blk,size=128K"] : [],
          memorySize: program.name === "bench_console_write" ? 2 << 20 : program.memory,
        });
        const [said, verdict] = result.console.trimEnd().split("\n").slice(-2);
        assertEquals([said, verdict, result.reason], [SAID[program.name], "PASS", "pass"], engine);
        steps ??= result.steps;
        assertEquals(result.steps, steps, engine);
      }
    });
  }
}
