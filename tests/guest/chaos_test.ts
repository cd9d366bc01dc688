/**
 * Images with drivers on hostile devices: under every seed they pass, and a seed repeats. A handful here; a hundred with
 * `deno task test:chaos`, which sets CHAOS_SEEDS.
 */
import { assert, assertEquals } from "@std/assert";
import { type GuestProgram, guestPrograms, imageName } from "../../tools/guest_images.ts";
import { bootImage, bootOptions, type BootResult } from "../support/boot_image.ts";
import { factLine, onEveryFact } from "../support/facts.ts";

const ORDINARY_SEEDS = 3;
const SEEDS = Number(Deno.env.get("CHAOS_SEEDS") ?? ORDINARY_SEEDS);

/** Kinds that an image cannot bear because of what it is about. */
const WITHOUT: Readonly<Record<string, string>> = {
  // It fills queues of the usual sizes.
  block: ",queue_size=off",
  // It counts interrupts.
  late_callback: ",spurious=off",
  event_idx: ",spurious=off",
  // It wants room for so many buffers.
  dummy: ",queue_size=off",
};

const programs = guestPrograms.filter((program) =>
  program.kind === "firmware" && program.drivers !== undefined && (SEEDS > ORDINARY_SEEDS || !program.long)
);

/** Drivers that recover from DEVICE_NEEDS_RESET; an image with another drives its queues by itself and gives up. */
const RECOVERS: ReadonlySet<string> = new Set(["virtio_blk", "virtio_console", "virtio_rng"]);

function chaosOf({ name, drivers = [] }: GuestProgram, seed: number): string {
  const recovers = drivers.length > 0 && drivers.every((driver) => RECOVERS.has(driver));
  return `seed=${seed}${recovers ? "" : ",needs_reset=off"}${WITHOUT[name] ?? ""}`;
}

for (const program of programs) {
  Deno.test(`${program.name}: passes on hostile devices, seeds 1 to ${SEEDS}`, async () => {
    const kinds = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      // Both widths in turn: what devices do does not depend on it.
      const xlen = seed % 2 === 1 ? 64 : 32;
      const result = await bootImage(`${imageName(program, xlen)}.elf`, {
        ...bootOptions(program, xlen),
        engine: "auto",
        chaos: chaosOf(program, seed),
        steps: 1_000_000_000,
        started: (machine) =>
          machine.events.on("virtio", (fact) => {
            if (fact.step === "chaos") kinds.add(fact.chaos);
          }),
      });
      const replay = `deno run -A vm/main.ts --chaos ${chaosOf(program, seed)} images/${imageName(program, xlen)}.elf`;
      assertEquals([result.reason, result.code], ["pass", 0], `${replay}\n${result.console}`);
    }
    assert(kinds.size > 2, `only ${[...kinds].join()} happened`);
  });
}

Deno.test("a seed gives the same run again, fact by fact, on every engine", async () => {
  const run = async (engine: "auto" | "interpreter"): Promise<{ lines: string[]; result: BootResult }> => {
    const lines: string[] = [];
    const demo = programs.find(({ name }) => name === "demo")!;
    const result = await bootImage("demo.elf", {
      ...bootOptions(demo, 64),
      engine,
      chaos: chaosOf(demo, 5),
      started: (machine) => onEveryFact(machine, (fact, where) => lines.push(factLine(fact, where))),
    });
    return { lines, result };
  };
  const first = await run("interpreter");
  assertEquals(await run("interpreter"), first);
  assertEquals(await run("auto"), first);
  assert(first.lines.some((line) => line.includes("chaos")));
});
