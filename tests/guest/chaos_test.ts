/**
 * Images with drivers on hostile devices: under every seed they pass, and a seed repeats. A handful here; a hundred with
 * `deno task test:chaos`, which sets CHAOS_SEEDS.
 */
import { assert, assertEquals, fail } from "@std/assert";
import { type GuestProgram, guestPrograms, imageName } from "../../tools/guest_images.ts";
import { bootImage, bootOptions, type BootResult } from "../support/boot_image.ts";
import { brokenOnPurpose } from "../support/feature_matrix.ts";
import { factLine, onEveryFact } from "../support/facts.ts";
import { Tally } from "../support/tally.ts";

const ORDINARY_SEEDS = 3;
const SEEDS = Number(Deno.env.get("CHAOS_SEEDS") ?? ORDINARY_SEEDS);

const programs = guestPrograms.filter((program) =>
  program.kind === "firmware" && program.drivers !== undefined && (SEEDS > ORDINARY_SEEDS || !program.long)
);

/** A device gives up between two instructions of a driver, which notifies it before it can know. */
const UNAVOIDABLE = ["notify-dead-device"];

const tally = new Tally("test:chaos", SEEDS > ORDINARY_SEEDS);

/** What is wrong with a run under `seed`, and how to see it again; undefined if nothing is. */
async function wrongOf(program: GuestProgram, seed: number, kinds: Set<string>): Promise<string | undefined> {
  // Both widths in turn: what devices do does not depend on it.
  const xlen = seed % 2 === 1 ? 64 : 32;
  const violations = new Set<string>();
  const result = await bootImage(`${imageName(program, xlen)}.elf`, {
    ...bootOptions(program, xlen),
    engine: "auto",
    chaos: `seed=${seed}`,
    steps: 1_000_000_000,
    started: (machine) => {
      machine.events.on("virtio", (fact) => {
        if (fact.step === "needs-reset") tally.add("devices that gave up");
        if (fact.step !== "chaos") return;
        kinds.add(fact.chaos);
        tally.add("acts of chaos");
      });
      machine.events.on("violation", ({ id }) => violations.add(id));
    },
  });
  tally.add("runs");
  tally.add("instructions", result.steps);
  const devices = (program.options ?? []).map((option) => ` --device ${option}`).join("");
  const replay = `deno run -A vm/main.ts --chaos seed=${seed}${devices} images/${imageName(program, xlen)}.elf`;
  // What a driver does wrong only now and then is wrong all the same.
  const allowed = [...brokenOnPurpose(program.name), ...UNAVOIDABLE];
  const broken = [...violations].filter((id) => !allowed.includes(id));
  if (result.reason === "pass" && result.code === 0 && broken.length === 0) return undefined;
  const ending = result.reason === "pass" && result.code === 0 ? "" : `\n${result.console}`;
  return `${replay}\n${result.reason} ${result.code}, rules broken: ${broken.join(", ") || "none"}${ending}`;
}

for (const program of programs) {
  Deno.test(`${program.name}: passes on hostile devices, seeds 1 to ${SEEDS}`, async () => {
    const kinds = new Set<string>();
    const wrong: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const what = await wrongOf(program, seed, kinds);
      if (what !== undefined) wrong.push(what);
    }
    if (wrong.length > 0) fail(`${wrong.length} of ${SEEDS} seeds:\n\n${wrong.join("\n\n")}`);
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
      chaos: "seed=5",
      started: (machine) => onEveryFact(machine, (fact, where) => lines.push(factLine(fact, where))),
    });
    return { lines, result };
  };
  const first = await run("interpreter");
  assertEquals(await run("interpreter"), first);
  assertEquals(await run("auto"), first);
  assert(first.lines.some((line) => line.includes("chaos")));
});
