/**
 * Every firmware image on every engine, `.elf` and `.bin`: the console says what `images/expected/NAME.txt` says, the
 * finisher gives the manifest's status, and every fact of the run is the same on all engines, at the same step. A second
 * run is the same again, and so is one that nobody watches.
 *
 * `deno test -A tests/guest/firmware_test.ts -- --update` records the texts anew; read the difference before believing it.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { guestPrograms, imageName } from "../../tools/guest_images.ts";
import { engineNames, type Machine } from "../../vm/machine.ts";
import { bootImage, bootOptions, expectedConsole } from "../support/boot_image.ts";
import { assertSameLines, factLine, onEveryFact } from "../support/facts.ts";

const expectedDir = new URL("../../images/expected/", import.meta.url);
const update = Deno.args.includes("--update");
const firmware = guestPrograms.filter((program) => program.kind === "firmware");
/** Those of which every fact can be kept, several times over. */
const short = firmware.filter((program) => !program.long);

/** Exit status as the command line would give it. */
function statusOf(result: { readonly reason: string; readonly code: number }): number | string {
  return result.reason === "pass" ? 0 : result.reason === "fail" ? Math.max(1, result.code) : result.reason;
}

for (const program of short) {
  for (const xlen of [64, 32] as const) {
    const name = imageName(program, xlen);
    const options = bootOptions(program, xlen);
    const expectedFile = new URL(`${name}.txt`, expectedDir);

    Deno.test(`${name}: expected console on every engine, with the same facts at the same steps`, async () => {
      const first: string[] = [];
      let steps: number | undefined;
      for (const engine of engineNames) {
        const lines: string[] = [];
        const result = await bootImage(`${name}.elf`, {
          ...options,
          engine,
          started: (machine) => onEveryFact(machine, (fact, where) => lines.push(factLine(fact, where))),
        });
        if (update && steps === undefined) {
          await Deno.mkdir(expectedDir, { recursive: true });
          await Deno.writeTextFile(expectedFile, result.console);
        }
        assertEquals(result.console, await expectedConsole(name), engine);
        assertEquals(statusOf(result), program.status, engine);
        steps ??= result.steps;
        assertEquals(result.steps, steps, engine);
        if (first.length === 0) first.push(...lines);
        assertSameLines(lines, first, engine);
      }
      assert(first.length > 0);
    });
  }
}

// Images for single features run on what the others show to be the same again.
for (const program of short.filter((program) => !program.symbolsOnly)) {
  for (const xlen of [64, 32] as const) {
    const name = imageName(program, xlen);
    const options = bootOptions(program, xlen);

    Deno.test(`${name}: the same run again, whether anybody listens or not`, async () => {
      const run = async (listening: boolean) => {
        const lines: string[] = [];
        const started = (machine: Machine): void => {
          if (listening) onEveryFact(machine, (fact, where) => lines.push(factLine(fact, where)));
        };
        return { lines, result: await bootImage(`${name}.elf`, { ...options, engine: "interpreter", started }) };
      };
      const first = await run(true);
      const second = await run(true);
      assertSameLines(second.lines, first.lines, "second run");
      assertEquals(second.result, first.result);
      assertEquals((await run(false)).result, first.result);
    });

    Deno.test(`${name}: the flat image and little memory give the same console`, async () => {
      const few = { ...options, engine: "interpreter", memorySize: program.memory } as const;
      const result = await bootImage(`${name}.bin`, few);
      const memory = (text: string): string => text.replace(/\d+ MiB/, "? MiB");
      assertEquals(memory(result.console), memory(await expectedConsole(name)));
    });
  }
}

for (const program of firmware.filter((program) => program.long)) {
  for (const xlen of [64, 32] as const) {
    const name = imageName(program, xlen);
    Deno.test(`${name}: expected console, with as many steps on both fast engines`, async () => {
      const [first, second] = [
        await bootImage(`${name}.elf`, { ...bootOptions(program, xlen), engine: "auto" }),
        await bootImage(`${name}.bin`, { ...bootOptions(program, xlen), engine: "interpreter" }),
      ];
      if (update) await Deno.writeTextFile(new URL(`${name}.txt`, expectedDir), first.console);
      assertEquals(first.console, await expectedConsole(name));
      assertEquals(statusOf(first), program.status);
      assertEquals(second, first);
    });
  }
}

for (const program of firmware.filter((p) => p.devices.length > 0 && p.virtioVersion === undefined)) {
  Deno.test(`${program.name}: passes with version 1 devices`, async () => {
    const result = await bootImage(`${program.name}.elf`, {
      ...bootOptions(program, 64, 1),
      engine: "interpreter",
    });
    assertMatch(result.console, /^PASS$/m);
    assertEquals(statusOf(result), 0);
  });
}

Deno.test("legacy: refuses version 2 devices", async () => {
  const result = await bootImage("legacy.elf", { xlen: 64, engine: "interpreter" });
  assertMatch(result.console, /virtio0 is version 2; this image wants legacy devices\nFAIL 1\n$/);
  assertEquals(statusOf(result), 1);
});

Deno.test("dummy: says so where its device is missing", async () => {
  const result = await bootImage("dummy.elf", { xlen: 64, engine: "interpreter" });
  assertEquals(result.console, "dummy: RV64\ndummy: not present\nPASS\n");
});

for (const [image, xlen, says] of [["demo.bin", 32, "RV64"], ["demo_rv32.bin", 64, "RV32"]] as const) {
  Deno.test(`${image} on RV${xlen} says that it is the wrong width`, async () => {
    const result = await bootImage(image, { xlen, engine: "interpreter" });
    assertMatch(result.console, new RegExp(`^this image is for ${says}, and this hart is RV${xlen}`));
    assertEquals(statusOf(result), 1);
  });
}

for (const image of ["demo", "console_echo", "uart_echo"]) {
  Deno.test(`${image}: ends by itself without any input`, async () => {
    const result = await bootImage(`${image}.elf`, { xlen: 64, engine: "interpreter" });
    assertMatch(result.console, /no (more )?input/);
    assertEquals(statusOf(result), 0);
  });
}

Deno.test("timer: several harts, the others parked", async () => {
  const result = await bootImage("timer.elf", { xlen: 64, engine: "interpreter", harts: 3 });
  assertEquals(statusOf(result), 0);
});
