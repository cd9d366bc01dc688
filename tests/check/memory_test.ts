/** The rules on memory, with programs on whole machines: every engine sees the same. */
import { assertEquals } from "@std/assert";
import { Checker } from "../../vm/check/checker.ts";
import { type EngineName, engineNames } from "../../vm/machine.ts";
import { rngMachine } from "../support/rng_machine.ts";
import { load, RNG, rngProgram, store } from "../support/rng_program.ts";

/** Names of the rules that a program breaks, in order, each with the step at which it is first seen. */
async function found(text: string, engine: EngineName): Promise<string[]> {
  const machine = rngMachine(text, engine);
  const checker = new Checker();
  checker.attach(machine.events);
  await machine.run({ steps: 20_000 });
  return checker.findings.list.map(({ rule, where }) => `${rule.name} ${where.steps}`);
}

const late = store(RNG.avail + 2, 1, "sh") + "fence w, w\n" + store(RNG.avail + 4, 0, "sh");
/** A step of the entropy driver, what is done in its place, and what the checker says of it. */
const PROGRAMS: readonly (readonly [changes: Record<string, string>, rules: string[]])[] = [
  [{}, []],
  [{ barrier: "" }, ["barrier-available"]],
  [{ barrier: "fence r, r\n" }, ["barrier-available"]],
  [{ barrier: "li t0, 0x80014000\n amoadd.w.rl t1, t1, (t0)\n" }, []],
  [{ notifyBarrier: "" }, ["barrier-notify"]],
  [{ notifyBarrier: "fence w, o\n" }, []],
  [{ readBarrier: "" }, ["barrier-used"]],
  [{ ring: "", index: late }, ["avail-entry-late"]],
  [{ wait: load(RNG.buffer) + load(RNG.used + 2, "lhu") }, ["buffer-read-in-flight", "used-read-early"]],
  [{ wait: store(RNG.buffer, 1) + `waiting: ${load(RNG.used + 2, "lhu")} beqz t1, waiting\n` }, [
    "buffer-written-in-flight",
  ]],
  [{ wait: store(RNG.desc + 8, 4) + `waiting: ${load(RNG.used + 2, "lhu")} beqz t1, waiting\n` }, [
    "descriptor-written-in-flight",
  ]],
];

for (const [changes, rules] of PROGRAMS) {
  const name = Object.keys(changes).join(", ") || "nothing";
  Deno.test(`an entropy driver with another ${name}: ${rules.join(", ") || "no finding"}`, async () => {
    const text = rngProgram("poll", changes);
    const results = await Promise.all(engineNames.map((engine) => found(text, engine)));
    assertEquals(results[0]!.map((line) => line.split(" ")[0]!).slice(0, rules.length || 1), rules);
    for (const other of results.slice(1)) assertEquals(other, results[0]);
  });
}
