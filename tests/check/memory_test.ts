/** The rules on memory, with programs on whole machines: every engine sees the same. */
import { assertEquals } from "@std/assert";
import { Checker } from "../../vm/check/checker.ts";
import { guestView } from "../../vm/cli/stacks.ts";
import { type EngineName, engineNames } from "../../vm/machine.ts";
import { drive } from "./rule_case.ts";
import { BUFFER, packedDriver, use } from "./packed_cases.ts";
import { rngMachine } from "../support/rng_machine.ts";
import { type Format, load, RNG, rngProgram, rngSteps, store } from "../support/rng_program.ts";

/** Names of the rules that a program breaks, in order, each with the step at which it is first seen. */
async function found(text: string, engine: EngineName, format: Format): Promise<string[]> {
  const machine = rngMachine(text, engine, format);
  const checker = new Checker("spec", guestView(machine));
  checker.attach(machine.events);
  await machine.run({ steps: 20_000 });
  return checker.findings.list.map(({ rule, where }) => `${rule.name} ${where.steps}`);
}

const late = store(RNG.avail + 2, 1, "sh") + "fence w, w\n" + store(RNG.avail + 4, 0, "sh");
/** Steps of the entropy driver, what is done in their place, and what the checker says of it. */
type Program = readonly [changes: Record<string, string>, rules: string[]];

const SPLIT: readonly Program[] = [
  [{}, []],
  [{ barrier: "" }, ["barrier-available"]],
  [{ barrier: "fence r, r\n" }, ["barrier-available"]],
  [{ barrier: "li t0, 0x80014000\n amoadd.w.rl t1, t1, (t0)\n" }, []],
  [{ notifyBarrier: "" }, ["barrier-notify"]],
  [{ notifyBarrier: "fence w, o\n" }, []],
  [{ readBarrier: "" }, ["barrier-used"]],
  [{ notify: "" }, ["notify-missing"]],
  [{ ring: "", index: late }, ["avail-entry-late"]],
  [{ wait: load(RNG.buffer) + load(RNG.used + 2, "lhu") }, ["buffer-read-in-flight", "used-read-early"]],
  [{ wait: store(RNG.buffer, 1) + `waiting: ${load(RNG.used + 2, "lhu")} beqz t1, waiting\n` }, [
    "buffer-written-in-flight",
  ]],
  [{ wait: store(RNG.desc + 8, 4) + `waiting: ${load(RNG.used + 2, "lhu")} beqz t1, waiting\n` }, [
    "descriptor-written-in-flight",
  ]],
];

/** VIRTIO_F_EVENT_IDX is accepted, too. */
const features = rngSteps("poll", "packed").features! + store(RNG.slot + 0x20, 0x2000_0000);
const poll = `waiting: ${load(RNG.desc + 14, "lhu")} srli t1, t1, 15\n beqz t1, waiting\n`;

const PACKED: readonly Program[] = [
  [{}, []],
  [{ features }, []],
  [{ barrier: "" }, ["barrier-available"]],
  [{ notifyBarrier: "" }, ["barrier-notify"]],
  [{ readBarrier: "" }, ["barrier-used"]],
  // Who reads id and flags at once needs no barrier between them.
  [{ readBarrier: "", read: load(RNG.desc + 12) + load(RNG.buffer) }, []],
  [{ notify: "" }, ["notify-missing"]],
  [{ features, notify: "" }, ["notify-missing"]],
  [{ wait: load(RNG.buffer) + poll }, ["buffer-read-in-flight"]],
  [{ wait: store(RNG.desc + 8, 4) + poll }, ["descriptor-written-in-flight"]],
];

for (const [format, programs] of [["split", SPLIT], ["packed", PACKED]] as const) {
  for (const [changes, rules] of programs) {
    const name = Object.keys(changes).join(", ") || "nothing";
    Deno.test(`${format}: an entropy driver with another ${name}: ${rules.join(", ") || "no finding"}`, async () => {
      const text = rngProgram("poll", changes, format);
      const results = await Promise.all(engineNames.map((engine) => found(text, engine, format)));
      assertEquals(results[0]!.map((line) => line.split(" ")[0]!).slice(0, rules.length || 1), rules);
      for (const other of results.slice(1)) assertEquals(other, results[0]);
    });
  }
}

Deno.test("packed: used descriptors that are never read are told of once the ring comes around", () => {
  for (const [reads, told] of [[true, []], [false, ["used-unread"]]] as const) {
    const rig = drive(
      packedDriver((queue, rig) => {
        for (let n = 0; n < 2 * queue.size; n++) {
          queue.post([BUFFER]);
          use(rig);
          queue.collect();
          if (!reads) continue;
          const entry = queue.ring + 16 * (n % queue.size);
          rig.access(false, entry + 14, 2).access(false, entry + 12, 2, 0, 1);
        }
      }),
      { switches: { packed: true } },
    );
    assertEquals([...new Set(rig.found)], [...told]);
  }
});
