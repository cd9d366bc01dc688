/** Peak memory of runs. */
import { guestPrograms } from "../../tools/guest_images.ts";
import { denoRun, field, timedOk, TOP } from "./host.ts";
import { digits, type Section } from "./report.ts";
import type { BenchSettings } from "./settings.ts";

const MIB = 2 ** 20;

/** Measures the resident memory of the whole process at its peak. */
export async function memory({ folder, progress }: BenchSettings): Promise<Section> {
  const columns = ["run", "guest RAM", "peak MiB", "over empty"];
  const base = { name: "memory", title: "Peak resident memory of the process, MiB", columns };
  if (field("/proc/self/status", "VmHWM") === undefined) {
    return { ...base, notes: ["Not measured: it needs Linux's /proc/self/status."], rows: [], figures: {} };
  }
  const image = (name: string) => `${TOP}images/${name}.elf`;
  const log = `${folder}/trace`;
  const limit = ["--timeout-insns", "3000000"];
  const cases: [name: string, ram: number, status: number, args: readonly string[]][] = [
    ["empty script", 0, 0, []],
    ["uart_hello", 128, 0, [image("uart_hello")]],
    ["demo", 128, 0, [image("demo")]],
    ["demo, --engine reference", 128, 0, ["--engine", "reference", image("demo")]],
    ["demo, --memory 2G", 2048, 0, ["--memory", "2G", image("demo")]],
    ["copy_sort", 128, 0, [image("bench_copy_sort")]],
    ["copy_sort, commit trace", 128, 124, [
      `--trace=${log}`,
      "--trace-format",
      "commit",
      ...limit,
      image("bench_copy_sort"),
    ]],
  ];
  const figures: Record<string, number> = {};
  const rows: string[][] = [];
  let empty = 0;
  for (const [name, ram, status, args] of cases) {
    progress(`memory of ${name}`);
    const output = `${folder}/peak`;
    const input = guestPrograms.find((program) => program.name === "demo")?.input ?? "";
    await timedOk(Deno.execPath(), denoRun("tests/bench/peak_memory.ts", output, ...args), {
      expected: status,
      stdin: input,
    });
    const peak = Number(await Deno.readTextFile(output)) / MIB;
    if (args.length === 0) empty = peak;
    figures[`${name.replaceAll(/\W+/g, "_")}.mib`] = peak;
    rows.push([name, ram === 0 ? "" : String(ram), digits(peak), args.length === 0 ? "" : digits(peak - empty)]);
  }
  return {
    ...base,
    notes: [
      "The peak holds Deno itself and the pages of guest RAM that were touched: it is an upper bound of what a run needs",
      "beyond its guest's RAM.",
    ],
    rows,
    figures,
  };
}
