/**
 * Random programs on every engine and on Spike: they must commit the same, line by line of the commit log. Runs where `SPIKE` names
 * the program; `SPIKE_COUNT=n` takes that many random programs per ISA instead of a few, from `SPIKE_FIRST=n` on,
 * `SPIKE_SEED=n` only that one. docs/SPIKE.md has what was compared.
 */
import { assert } from "@std/assert";
import { type Isa, parseIsa } from "../../vm/isa/table.ts";
import { BareMachine, engineNames } from "../support/engine.ts";
import { type RandomProgram, randomProgram } from "../support/random_program.ts";
import { bareCommits, compareLines, portable, spikeCommits } from "../support/spike.ts";

const SPIKE = Deno.env.get("SPIKE");
const COUNT = Number(Deno.env.get("SPIKE_COUNT") ?? 20);
const FIRST = Number(Deno.env.get("SPIKE_FIRST") ?? 1);
const ONLY = Deno.env.get("SPIKE_SEED");
/** Most steps of one program. */
const STEPS = 3000;

/** What comparing one program gave. */
interface Result {
  /** Lines that were the same. */
  readonly same: number;
  /** Lines that could have been compared. */
  readonly of: number;
  readonly difference?: string;
}

async function compare(isa: Isa, machines: readonly BareMachine[], random: RandomProgram): Promise<Result> {
  const [reference, ...others] = machines;
  const commits = portable(reference!, isa, random, STEPS);
  if (commits === undefined) return { same: 0, of: 0 };
  const ours = commits.lines;
  const difference = (where: string, i: number, other: string | undefined) =>
    `line ${i}, after\n${ours.slice(Math.max(0, i - 8), i).join("\n")}\nreference ${ours[i]}\n${where} ${other}`;
  for (const machine of others) {
    const { lines } = bareCommits(machine, isa, commits.program, STEPS, 1000);
    const i = ours.findIndex((line, n) => line !== lines[n]);
    if (i >= 0) return { same: i, of: ours.length, difference: difference(machine.name, i, lines[i]) };
  }
  const spike = await spikeCommits(SPIKE!, isa, commits);
  const i = ours.findIndex((line, n) => spike[n] === undefined || compareLines(spike[n], line) !== "same");
  if (i < 0) return { same: ours.length, of: ours.length };
  const allowed = spike[i] !== undefined && compareLines(spike[i], ours[i]!) === "allowed";
  return { same: i, of: ours.length, ...(!allowed && { difference: difference("spike", i, spike[i]) }) };
}

/** Everything about integers. */
const INTEGER = "imacb_zbc_zbkb_zbkc_zbkx_zcb_zcmop_zicond_zimop_zawrs_zicbop_zicboz";

const FLOAT = ["rv64gc_zfh", "rv32gc_zfh", "rv32imafc"];

for (const name of ["rv64imac", "rv32imac", "rv64ima", "rv32ima", `rv64${INTEGER}`, `rv32${INTEGER}`, ...FLOAT]) {
  const title = `${name}: random programs commit what Spike commits`;
  if (SPIKE === undefined) {
    Deno.test({ name: `${title} (skipped: SPIKE does not name it)`, ignore: true, fn() {} });
    continue;
  }
  Deno.test(title, async () => {
    const isa = parseIsa(name);
    const machines = engineNames.map((engine) => new BareMachine(engine, isa));
    const seeds = ONLY === undefined ? Array.from({ length: COUNT }, (_, i) => FIRST + i) : [Number(ONLY)];
    let [same, of] = [0, 0];
    for (const seed of seeds) {
      const result = await compare(isa, machines, randomProgram(seed, isa));
      same += result.same;
      of += result.of;
      if (result.difference === undefined) continue;
      throw new Error(`SPIKE_SEED=${seed}: ${result.difference}`);
    }
    if (COUNT !== 20) console.log(`${name}: ${seeds.length} programs, ${same} of ${of} instructions compared`);
    assert(same > 0.7 * of, `only ${same} of ${of} instructions could be compared`);
  });
}
