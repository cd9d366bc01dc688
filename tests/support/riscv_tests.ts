/**
 * The riscv-tests programs (https://github.com/riscv-software-src/riscv-tests, `isa/`), built, in a directory: which there
 * are, and how one is run to its verdict.
 */
import { readImage } from "../../vm/boot/image.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { type EngineName, Machine } from "../../vm/machine.ts";
import { TestPort } from "./char_port.ts";

/**
 * Suites: unprivileged ones by extension, `si`, `mi` and `mzicbo` are about the modes. `isas` is what comes after `rv32`
 * or `rv64` in the ISAs that a program is run with: with and without C where it does not need it, as jumps trap differently.
 */
const SUITES = {
  ui: { isas: ["imac", "ima"] },
  um: { isas: ["imac", "ima"] },
  ua: { isas: ["imac", "ima"] },
  uc: { isas: ["imac"] },
  uf: { isas: ["imafdc", "imaf"] },
  ud: { isas: ["imafdc", "imafd"] },
  uzba: { isas: ["imac_zba", "ima_zba"] },
  uzbb: { isas: ["imac_zbb", "ima_zbb"] },
  uzbc: { isas: ["imac_zbc", "ima_zbc"] },
  uzbkb: { isas: ["imac_zbkb", "ima_zbkb"] },
  uzbkx: { isas: ["imac_zbkx", "ima_zbkx"] },
  uzbs: { isas: ["imac_zbs", "ima_zbs"] },
  si: { isas: ["imac", "ima", "imafdc"] },
  mi: { isas: ["imac", "ima", "imafdc"] },
  mzicbo: { isas: ["imac_zicboz", "ima_zicboz"] },
} as const;
export type Suite = keyof typeof SUITES;
export const suites: readonly Suite[] = Object.keys(SUITES) as Suite[];

/** One program: `rv64ui-p-add`. Those with `-p-` run in physical memory, those with `-v-` in virtual memory. */
export interface RiscvTest {
  readonly name: string;
  readonly xlen: 32 | 64;
  readonly suite: Suite;
}

/** What one run found. */
export interface Verdict {
  readonly passed: boolean;
  /** `pass`, or what happened instead. */
  readonly text: string;
}

/** Longest run: those in virtual memory copy themselves page by page. */
const MOST_STEPS = 10_000_000;

/** The programs of all suites in a directory, by name. */
export function riscvTests(dir: string): RiscvTest[] {
  const found: RiscvTest[] = [];
  for (const { name, isFile } of Deno.readDirSync(dir)) {
    const match = /^rv(32|64)([a-z]+)-[pv]-[a-z0-9_-]+$/.exec(name);
    const suite = suites.find((s) => s === match?.[2]);
    if (!isFile || match === null || suite === undefined) continue;
    found.push({ name, xlen: match[1] === "32" ? 32 : 64, suite });
  }
  return found.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** ISAs a program is run with. */
export function isasOf(test: RiscvTest): readonly string[] {
  return SUITES[test.suite].isas.map((letters) => `rv${test.xlen}${letters}`);
}

/** Runs a program until it writes its verdict to `tohost`: a pass, or the number of the failed case. */
export async function runRiscvTest(dir: string, test: RiscvTest, isa: string, engine: EngineName): Promise<Verdict> {
  const image = readImage(Deno.readFileSync(`${dir}/${test.name}`), { name: test.name, xlen: test.xlen });
  const machine = new Machine({ isa: parseIsa(isa), memorySize: 1 << 20, engine, uart: new TestPort(), slots: [] });
  machine.load(image);
  const { reason, code, by, death } = await machine.run({ steps: MOST_STEPS });
  if (by === "htif") return { passed: code === 0, text: code === 0 ? "pass" : `case ${code}` };
  if (reason === "limit") return { passed: false, text: `no verdict after ${MOST_STEPS} steps` };
  return { passed: false, text: `${reason}${death === undefined ? "" : `: ${death.what}, cause ${death.trap.cause}`}` };
}
