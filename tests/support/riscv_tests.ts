/**
 * The riscv-tests programs (https://github.com/riscv-software-src/riscv-tests, `isa/`), built, in a directory: which of
 * them a machine without address translation, PMP, F and D can run, and how one is run to its verdict.
 */
import { readImage } from "../../vm/boot/image.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { type EngineName, Machine } from "../../vm/machine.ts";
import { TestPort } from "./char_port.ts";

/** Suites: `ui`, `um`, `ua`, `uc` are the unprivileged ones by extension, `si` and `mi` are about the modes. */
export const suites = ["ui", "um", "ua", "uc", "si", "mi"] as const;
export type Suite = typeof suites[number];

/** One program: `rv64ui-p-add`. */
export interface RiscvTest {
  readonly name: string;
  readonly xlen: 32 | 64;
  readonly suite: Suite;
  /** Why it cannot pass here; undefined if it must. */
  readonly skip: string | undefined;
}

/** What one run found. */
export interface Verdict {
  readonly passed: boolean;
  /** `pass`, or what happened instead. */
  readonly text: string;
}

/** Programs that ask for what this machine does not have. */
const SKIPPED: Readonly<Record<string, string>> = {
  "si-p-dirty": "needs Sv32 or Sv39 address translation",
  "si-p-icache-alias": "needs Sv39 address translation",
  "mi-p-pmpaddr": "needs a PMP entry; its text says that it cannot be passed without",
};

/** Longest run there is takes a few thousand steps. */
const MOST_STEPS = 1_000_000;
/** How often `tohost` is looked at. */
const STRETCH = 2000;

/** The `-p-` programs of `suites` in a directory, by name. */
export function riscvTests(dir: string): RiscvTest[] {
  const found: RiscvTest[] = [];
  for (const { name, isFile } of Deno.readDirSync(dir)) {
    const match = /^rv(32|64)([a-z]+)-p-[a-z0-9_-]+$/.exec(name);
    const suite = suites.find((s) => s === match?.[2]);
    if (!isFile || match === null || suite === undefined) continue;
    found.push({ name, xlen: match[1] === "32" ? 32 : 64, suite, skip: SKIPPED[name.slice(4)] });
  }
  return found.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** ISAs a program is run on: with and without C where it does not need it, as trap behaviour differs. */
export function isasOf(test: RiscvTest): readonly string[] {
  return test.suite === "uc" ? [`rv${test.xlen}imac`] : [`rv${test.xlen}imac`, `rv${test.xlen}ima`];
}

/** Runs a program until it writes its verdict to `tohost`: 1 for a pass, else the failed case shifted left by one. */
export async function runRiscvTest(dir: string, test: RiscvTest, isa: string, engine: EngineName): Promise<Verdict> {
  const image = readImage(Deno.readFileSync(`${dir}/${test.name}`), { name: test.name, xlen: test.xlen });
  const tohost = image.symbols.addressOf("tohost");
  if (tohost === undefined) throw new Error(`${test.name}: no symbol tohost: is this a riscv-tests program?`);
  const machine = new Machine({ isa: parseIsa(isa), memorySize: 1 << 20, engine, uart: new TestPort(), slots: [] });
  machine.load(image);
  for (let steps = STRETCH; steps <= MOST_STEPS; steps += STRETCH) {
    const stop = await machine.run({ steps });
    const verdict = machine.memory.read(Number(tohost), 4);
    if (verdict === 1) return { passed: true, text: "pass" };
    if (verdict !== 0) return { passed: false, text: `case ${verdict >>> 1}` };
    if (stop.reason !== "limit") {
      const death = stop.death === undefined ? "" : `: ${stop.death.what}, cause ${stop.death.trap.cause}`;
      return { passed: false, text: `${stop.reason}${death}` };
    }
  }
  return { passed: false, text: `no verdict after ${MOST_STEPS} steps` };
}
