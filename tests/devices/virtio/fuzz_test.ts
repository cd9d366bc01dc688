/**
 * Fuzzing: random guests against every virtio device type, by registers, rings, descriptors and time, and random
 * accesses to every device of the board. No exception, no hang, no memory of the host, no access outside RAM.
 *
 * A few thousand cases here; `deno task test:fuzz` sets FUZZ_CASES to a million. FUZZ_SEED gives another sequence.
 * `fuzz_corpus.jsonl` keeps the shortest case found for each rule that a guest can break, and cases that once went wrong;
 * `deno test -A tests/devices/virtio/fuzz_test.ts -- --update` looks for those of rules that have none.
 */
import { assert, assertEquals } from "@std/assert";
import { virtioRules } from "../../../devices/virtio/rules.ts";
import { virtBoard } from "../../../vm/board.ts";
import { parseIsa } from "../../../vm/isa/table.ts";
import { Machine } from "../../../vm/machine.ts";
import { fuzzCase } from "../../support/fuzz_guest.ts";
import { type FuzzCase, FuzzRig, subjects } from "../../support/fuzz_rig.ts";
import { TestPort } from "../../support/char_port.ts";
import { Random } from "../../support/random.ts";
import { shrink } from "../../support/shrink.ts";
import { grouped, parts, Tally } from "../../support/tally.ts";

const CASES = Number(Deno.env.get("FUZZ_CASES") ?? 3000);
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? 1);
const MIB = 2 ** 20;

/** Rules that these guests cannot break: what they take is another device, or more memory. */
const OUT_OF_REACH = new Set(["slot-empty", "feature-dependency", "feature-refused", "chain-length"]);
const reachable = Object.keys(virtioRules).filter((rule) => !OUT_OF_REACH.has(rule));

/** Whether this is the long task, which is also to say that guests reach everything. */
const LONG = CASES >= 100_000;

/** A case that is kept: what it is kept for is a rule that it breaks, or what once went wrong. */
interface Kept {
  readonly rule?: string;
  readonly wrong?: string;
  readonly case: FuzzCase;
}

const corpusFile = new URL("fuzz_corpus.jsonl", import.meta.url);
const rig = new FuzzRig();

/** What goes wrong in a case, if anything does. */
function wrongOf(one: FuzzCase): string | undefined {
  try {
    rig.run(one);
    return undefined;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

/** The shortest case found that still does what `holds` says. */
function shrunk(one: FuzzCase, holds: (some: FuzzCase) => boolean): FuzzCase {
  return { ...one, ops: shrink(one.ops, (ops) => holds({ ...one, ops })) };
}

/** Runs the cases from `from` up to `to`; fails with the shortest form of the first one that goes wrong. */
function runCases(from: number, to: number, rules: Set<string>): number {
  let used = 0;
  for (let number = from; number < to; number++) {
    const one = fuzzCase(SEED, number);
    try {
      const result = rig.run(one);
      used += result.used;
      for (const rule of result.rules) rules.add(rule);
    } catch (error) {
      const wrong = wrongOf(one)!;
      // The numbers in a message may change with the case.
      const kind = wrong.replace(/\d+/g, "");
      const least = shrunk(one, (some) => wrongOf(some)?.replace(/\d+/g, "") === kind);
      throw new Error(`case ${number} of seed ${SEED}: ${wrong}\n${JSON.stringify({ wrong, case: least })}`, {
        cause: error,
      });
    }
  }
  return used;
}

/** Collects what is garbage, where the collector can be asked: the long task can. */
const { gc } = globalThis as { gc?: () => void };

/** What is kept in memory. */
async function heapBytes(): Promise<number> {
  gc?.();
  // Buffers that are garbage are given back beside the program: megabytes of them would count, by chance.
  await new Promise((resolve) => setTimeout(resolve, 50));
  gc?.();
  // Not the resident size: tests that run beside this one are in the same process.
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

const tally = new Tally(`test:fuzz, seed ${SEED}`, LONG);

Deno.test(`${grouped(CASES)} random guests break nothing`, async (t) => {
  const rules = new Set<string>();
  let used = 0;
  let before = 0;
  for (const [from, to] of parts(0, CASES, Math.ceil(CASES / 10))) {
    const run = (): void => void (used += runCases(from, to, rules));
    if (!LONG) run();
    else if (!await t.step(`cases ${grouped(from)} to ${grouped(to)}`, run)) return;
    // The first tenth is to get warm.
    if (from === 0) before = await heapBytes();
  }
  const grown = await heapBytes() - before;
  tally.add("cases", CASES);
  tally.add("buffers used", used);
  tally.add("rules broken", rules.size);
  tally.add("KiB of memory kept", Math.max(0, Math.round(grown / 1024)));
  assert(
    grown < (gc === undefined ? 128 : 4) * MIB,
    `${Math.round(grown / MIB)} MiB more after nine tenths of the cases`,
  );
  assert(used > CASES, `only ${used} buffers were used: guests go wrong too early`);
  if (LONG) assertEquals(reachable.filter((rule) => !rules.has(rule)), [], "rules that no guest broke");
});

Deno.test("cases that are kept break what they are kept for, and nothing else", async () => {
  if (Deno.args.includes("--update")) await updateCorpus();
  const corpus = await readCorpus();
  for (const kept of corpus) {
    const what = JSON.stringify(kept);
    assert(kept.case.device in subjects, what);
    const { rules } = rig.run(kept.case);
    if (kept.rule !== undefined) {
      assert(rules.has(kept.rule), `no ${kept.rule} any more (if that is meant: -- --update): ${what}`);
    }
  }
  const without = reachable.filter((rule) => !corpus.some((kept) => kept.rule === rule));
  assertEquals(without, [], "rules without a case: -- --update looks for them");
});

async function readCorpus(): Promise<readonly Kept[]> {
  const text = await Deno.readTextFile(corpusFile);
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** Finds the shortest case for every rule that none of those kept breaks any more; keeps those that once went wrong. */
async function updateCorpus(): Promise<void> {
  const old = await readCorpus();
  const found = new Map<string, FuzzCase>();
  for (const { rule, case: one } of old) {
    if (rule !== undefined && rule in virtioRules && rig.run(one).rules.has(rule)) found.set(rule, one);
  }
  for (let number = 0; !reachable.every((rule) => found.has(rule)) && number < 200_000; number++) {
    const one = fuzzCase(SEED, number);
    for (const rule of rig.run(one).rules) {
      if (!found.has(rule)) found.set(rule, shrunk(one, (some) => rig.run(some).rules.has(rule)));
    }
  }
  const kept: Kept[] = [
    ...Object.keys(virtioRules).flatMap((rule) => found.has(rule) ? [{ rule, case: found.get(rule)! }] : []),
    ...old.filter(({ wrong }) => wrong !== undefined),
  ];
  await Deno.writeTextFile(corpusFile, kept.map((one) => `${JSON.stringify(one)}\n`).join(""));
}

Deno.test("random accesses to every device of the board break nothing", () => {
  const machine = new Machine({
    isa: parseIsa("rv64imac"),
    memorySize: 64 << 10,
    uart: new TestPort(),
    slots: [],
    engine: "reference",
  });
  const random = new Random(SEED);
  const edges = [0, 1, 2, 4, 8, 0x10, 0x80, 0xff, 0xffff, 0x8000_0000, 0x8000_ff00, 0xffff_fff8, 0xffff_ffff];
  const devices = virtBoard.filter(({ name }) => name !== "ram" && name !== "rom");
  for (let episode = 0; episode < Math.ceil(CASES / 30); episode++) {
    // Guests find the fw_cfg's DMA and the flash's commands among the values.
    const entry = random.pick(devices);
    for (let n = 0; n < 100; n++) {
      const size = random.pick([1, 2, 4, 8] as const);
      const span = random.pick([0x20, 0x100, 0x1000, entry.size]);
      const addr = entry.base + random.below(Math.max(1, Math.min(span, entry.size) - size));
      const at = random.chance(90) ? addr - addr % size : addr;
      const value = random.chance(50) ? random.pick(edges) : random.bits() >>> 0;
      if (random.chance(40)) machine.bus.read(at, size === 8 ? 4 : size);
      else machine.bus.write(at, size === 8 ? 4 : size, value % 2 ** (8 * Math.min(size, 4)));
      if (random.chance(5)) {
        machine.clock.idle += random.below(100_000);
        machine.clock.runDue();
      }
    }
    machine.reset();
  }
});
