/**
 * Speed and size of Ringside on this machine, as figures to read: never part of the tests. See docs/PERFORMANCE.md.
 *
 *     deno task bench [OPTIONS] [SECTION...]
 */
import { parseArgs } from "@std/cli/parse-args";
import { type EngineName, engineNames } from "../../vm/machine.ts";
import { buildCoremark, COREMARK } from "./coremark.ts";
import { block, consoleOutput } from "./devices.ts";
import { clocks, type HostInfo, hostInfo } from "./host.ts";
import { linux } from "./linux.ts";
import { memory } from "./memory.ts";
import { type Section, sectionText } from "./report.ts";
import type { BenchSettings } from "./settings.ts";
import { kernels, speed } from "./speed.ts";
import { start } from "./start.ts";
import { trace } from "./trace.ts";
import { warmup } from "./warmup.ts";

const sectionNames = ["speed", "paged", "warmup", "block", "console", "start", "trace", "memory", "linux"] as const;
type SectionName = typeof sectionNames[number];

/** All engines but the one that is slow on purpose. */
const engines: readonly EngineName[] = engineNames.filter((name) => name !== "reference");

/** CoreMark's sources. */
const coremark = Deno.env.get("COREMARK") || undefined;
/** The kernels there are here. */
const allKernels = coremark === undefined ? kernels : [...kernels, COREMARK];

const HELP = `Usage: deno task bench [OPTIONS] [SECTION...]

Sections: ${sectionNames.join(", ")}; all of them by default.

  --reps N          repetitions; default 5
  --engines A,B     of ${engineNames.join(", ")}; default ${engines.join(",")}
  --kernels A,B     of ${allKernels.join(", ")}; default all
  --repeat N        runs of a kernel in one process; default 8, for the speed that lasts; 1 shows the warm-up
  --xlen 32|64      one width only
  --clock wall|cpu  by the host's clock (the default), or by processor time, which others disturb less
  --folder DIR      where trace files go while they are measured; default a temporary folder
  --json            figures for a program
  --help

QEMU is compared where it is installed, Spike where SPIKE=PATH names it;
CoreMark is one more kernel where COREMARK=DIR names its sources (RISC-V GCC builds it);
Linux is booted from the folder that GUESTS names (tests/guests/get_guests.sh fills one).`;

/** What the command line asks for. */
interface Asked extends Omit<BenchSettings, "folder" | "progress" | "built"> {
  readonly sections: readonly SectionName[];
  readonly folder: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

/** Ends the program with a line on what is wrong with its arguments. */
function usage(problem: string): never {
  console.error(`bench: ${problem}; see --help`);
  Deno.exit(2);
}

/** The one of `allowed` that `text` names. */
function choice<const T extends string>(what: string, text: string, allowed: readonly T[]): T {
  return allowed.find((one) => one === text) ?? usage(`${what} must be one of ${allowed.join(", ")}, got ${text}`);
}

function parse(args: readonly string[]): Asked {
  const parsed = parseArgs(args, {
    boolean: ["json", "help"],
    string: ["reps", "repeat", "engines", "kernels", "xlen", "clock", "folder", "_"],
    default: { reps: "5", repeat: "8", engines: engines.join(","), kernels: allKernels.join(","), clock: "wall" },
    unknown: (arg, key) => key === undefined ? true : usage(`there is no option ${arg}`),
  });
  const reps = Number(parsed.reps);
  if (!Number.isInteger(reps) || reps < 1) usage(`--reps must be a positive number, got ${parsed.reps}`);
  const repeat = Number(parsed.repeat);
  if (!Number.isInteger(repeat) || repeat < 1) usage(`--repeat must be a positive number, got ${parsed.repeat}`);
  const xlen = parsed.xlen === undefined ? undefined : choice("--xlen", parsed.xlen, ["32", "64"]);
  const sections = parsed._.map((name) => choice("a section", name, sectionNames));
  return {
    reps,
    repeat,
    engines: parsed.engines.split(",").map((name) => choice("an engine", name, engineNames)),
    clock: choice("--clock", parsed.clock, clocks),
    kernels: parsed.kernels.split(",").map((name) => choice("a kernel", name, allKernels)),
    widths: xlen === undefined ? [64, 32] : [xlen === "64" ? 64 : 32],
    sections: sections.length === 0 ? sectionNames : sections,
    folder: parsed.folder,
    json: parsed.json,
    help: parsed.help,
  };
}

function headText(host: HostInfo): string {
  const load = host.load === undefined ? "" : `, load ${host.load.toFixed(2)}`;
  return [
    `${host.cpu}, ${host.cores} cores, ${host.os}${load}`,
    `Deno ${host.deno}, V8 ${host.v8}; QEMU ${host.qemu ?? "not installed"}; Spike ${host.spike ?? "not named"}`,
    "",
  ].join("\n");
}

/** Measures the sections one after the other. */
async function* measure(asked: Asked, settings: BenchSettings, host: HostInfo): AsyncGenerator<Section> {
  for (const name of asked.sections) {
    switch (name) {
      case "speed":
      case "paged":
        for (const xlen of asked.widths) {
          yield await speed(settings, { xlen, paged: name === "paged", withQemu: host.qemu !== undefined });
        }
        break;
      case "warmup":
        for (const xlen of asked.widths) yield await warmup(settings, xlen);
        break;
      case "block":
        yield await block(settings, host.qemu !== undefined);
        break;
      case "console":
        yield await consoleOutput(settings, host.qemu !== undefined);
        break;
      case "start":
        yield await start(settings);
        break;
      case "trace":
        yield await trace(settings);
        break;
      case "linux":
        yield await linux(settings, host.qemu !== undefined);
        break;
      case "memory":
        yield await memory(settings);
        break;
    }
  }
}

/** What is being measured, on a terminal only, in a line that the next one overwrites. */
function progress(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

/** Builds what is measured and is none of the images. */
async function build({ kernels, widths }: Asked, folder: string): Promise<ReadonlyMap<string, string>> {
  const built = new Map<string, string>();
  if (coremark === undefined || !kernels.includes(COREMARK)) return built;
  for (const xlen of widths) built.set(`${COREMARK} ${xlen}`, await buildCoremark(coremark, xlen, folder));
  return built;
}

async function main(asked: Asked): Promise<void> {
  const temporary = asked.folder === undefined ? await Deno.makeTempDir({ prefix: "ringside_bench_" }) : undefined;
  try {
    const host = await hostInfo();
    const sections: Section[] = [];
    if (!asked.json) console.log(headText(host));
    const folder = asked.folder ?? temporary!;
    const settings = { ...asked, folder, progress, built: await build(asked, folder) };
    for await (const section of measure(asked, settings, host)) {
      progress("");
      sections.push(section);
      if (!asked.json) console.log(sectionText(section));
    }
    if (asked.json) {
      const figures = sections.map(({ name, figures }) => [name, figures] as const);
      console.log(JSON.stringify({ host, ...Object.fromEntries(figures) }, undefined, 2));
    }
  } finally {
    if (temporary !== undefined) await Deno.remove(temporary, { recursive: true });
  }
}

if (import.meta.main) {
  const asked = parse(Deno.args);
  if (asked.help) console.log(HELP);
  else await main(asked);
}
