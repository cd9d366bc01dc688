/** Lines per second of instruction traces written to a file, and of Spike's commit log. */
import { denoRun, spikePath, timed, timedOk } from "./host.ts";
import { digits, type Section } from "./report.ts";
import type { BenchSettings } from "./settings.ts";
import { imageOf, percent } from "./speed.ts";
import { median, ratios, spread } from "./statistics.ts";

/** The kernel that is traced: loads, stores, branches and calls in every form. */
const KERNEL = "bench_copy_sort";

/**
 * Instructions of the two runs whose difference is the measurement: start-up and warm-up are in both.
 */
const SHORT = 500_000;
const LONG = 5_500_000;

/** Exit status of a run that `--timeout-insns` ended. */
const LIMIT_STATUS = 124;

type Measure = (instructions: number) => Promise<{ readonly seconds: number; readonly bytes: number }>;

/** Measures the formats. */
export async function trace({ reps, clock, folder, progress }: BenchSettings): Promise<Section> {
  const file = `${folder}/trace`;
  const image = imageOf(KERNEL, 64);
  const spike = spikePath();
  const measures: [name: string, measure: Measure][] = ["commit", "text", "jsonl"].map((format) => [
    format,
    (count) => {
      const options = ["--trace-format", format, `--trace=${file}`, "--timeout-insns", String(count)];
      const run = timedOk(Deno.execPath(), denoRun("vm/main.ts", ...options, image), { clock, expected: LIMIT_STATUS });
      return measured(run, file);
    },
  ]);
  if (spike !== undefined) {
    // The kernels' start-up code wants the device tree of the board that they are for.
    const tree = `${folder}/board.dtb`;
    await timedOk(Deno.execPath(), denoRun("vm/main.ts", "--dump-dtb", tree));
    measures.push(["Spike --log-commits", (count) => {
      const options = ["--isa=rv64imac_zicntr", `--dtb=${tree}`, "--log-commits", `--log=${file}`];
      return measured(timed(spike, [...options, `--instructions=${count}`, image], { clock }), file);
    }]);
  }
  const rates = measures.map((): number[] => []);
  const bytes = measures.map(() => 0);
  for (let rep = 0; rep < reps; rep++) {
    for (const [i, [name, measure]] of measures.entries()) {
      progress(`trace ${name}, repetition ${rep + 1} of ${reps}`);
      const short = await measure(SHORT);
      const long = await measure(LONG);
      rates[i]!.push((LONG - SHORT) / Math.max(long.seconds - short.seconds, 1e-3) / 1e6);
      bytes[i] = (long.bytes - short.bytes) / (LONG - SHORT);
    }
  }
  const figures: Record<string, number> = {};
  const rows = measures.map(([name], i) => {
    const key = i < 3 ? name : "spike_commit";
    figures[`${key}.million_lines_per_second`] = median(rates[i]!);
    const cells = [name, digits(median(rates[i]!)), percent(spread(rates[i]!))];
    return [...cells, digits(bytes[i]!), digits(median(rates[i]!) * bytes[i]!)];
  });
  const notes = ["One line per instruction. Rates are between a short and a long run, so without start-up."];
  if (spike === undefined) notes.push("Spike is not compared: SPIKE=PATH does not name it.");
  else {
    const ratio = median(ratios(rates[0]!, rates[3]!));
    figures["ratio.commit_over_spike"] = ratio;
    notes.push(`commit over Spike's --log-commits: ${digits(ratio)} (median of ratios).`);
  }
  return {
    name: "trace",
    title: `Instruction trace to a file, RV64 ${KERNEL}: million lines per second${
      clock === "cpu" ? " of processor time" : ""
    }, medians of ${reps}`,
    notes,
    columns: ["format", "M lines/s", "spread", "bytes/line", "MB/s"],
    rows,
    figures,
  };
}

/** A run's time and what it wrote. */
async function measured(run: ReturnType<typeof timed>, file: string): Promise<{ seconds: number; bytes: number }> {
  const { seconds, code, stderr } = await run;
  let bytes: number;
  try {
    bytes = (await Deno.stat(file)).size;
    await Deno.remove(file);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`no trace was written (status ${code}): ${stderr.trim()}`);
  }
  return { seconds, bytes };
}
