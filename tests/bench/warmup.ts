/** How long it takes until code runs at its full speed, and whether programs that are over before gain or lose. */
import { denoRun, timedOk } from "./host.ts";
import { digits, type Section } from "./report.ts";
import type { BenchSettings } from "./settings.ts";
import { kernelImage } from "./speed.ts";
import { geomean, median } from "./statistics.ts";
import type { WarmUp } from "./warmup_run.ts";

/** Milliseconds of the interpreter that short firmware is taken to run. */
const SHORT = 50;
/** Milliseconds over which a speed is taken. */
const SLICE = 50;
/** The share of the speed that lasts which counts as steady. */
const STEADY = 0.9;

type Samples = WarmUp["samples"];

/** Steps done after so many milliseconds. */
export function stepsAt(samples: Samples, milliseconds: number): number {
  return between(samples, milliseconds, 0, 1);
}

/** Milliseconds after which so many steps were done. */
export function timeOf(samples: Samples, steps: number): number {
  return between(samples, steps, 1, 0);
}

/** The other half of a sample whose one half is `value`, on straight lines between those that there are. */
function between(samples: Samples, value: number, known: 0 | 1, wanted: 0 | 1): number {
  const i = samples.findIndex((sample) => sample[known] >= value);
  if (i < 0) return samples.at(-1)![wanted];
  const [before, after] = [samples[i - 1] ?? [0, 0], samples[i]!];
  const share = after[known] === before[known] ? 1 : (value - before[known]) / (after[known] - before[known]);
  return before[wanted] + share * (after[wanted] - before[wanted]);
}

/** Milliseconds until the first slice as fast as the run's second half, nearly. */
export function steadyFrom(samples: Samples): number {
  const end = samples.at(-1)![0];
  const speeds: number[] = [];
  for (let at = 0; at + SLICE <= end; at += SLICE / 5) {
    speeds.push(stepsAt(samples, at + SLICE) - stepsAt(samples, at));
  }
  const steady = median(speeds.slice(Math.floor(speeds.length / 2)));
  return speeds.findIndex((speed) => speed >= STEADY * steady) * (SLICE / 5);
}

/** Measures the kernels. */
export async function warmup(settings: BenchSettings, xlen: 32 | 64): Promise<Section> {
  const { reps, repeat, kernels, progress } = settings;
  const columns = ["kernel", "short: ms", `/ interpreter's ${SHORT} ms`, "steady after ms", "longest pause ms"];
  const figures: Record<string, number> = {};
  const ratios: number[] = [];
  const rows: string[][] = [];
  for (const kernel of kernels) {
    const found: [short: number, steady: number, pause: number][] = [];
    for (let rep = 0; rep < reps; rep++) {
      progress(`RV${xlen} warm-up of ${kernel}, repetition ${rep + 1} of ${reps}`);
      const run = async (engine: string): Promise<WarmUp> => {
        const image = kernelImage(settings, kernel, xlen);
        const args = denoRun("tests/bench/warmup_run.ts", image, engine, `repeat=${engine === "auto" ? repeat : 1}`);
        return JSON.parse((await timedOk(Deno.execPath(), args)).stdout);
      };
      const [interpreter, auto] = [await run("interpreter"), await run("auto")];
      const short = timeOf(auto.samples, stepsAt(interpreter.samples, SHORT));
      found.push([short, steadyFrom(auto.samples), auto.pause]);
    }
    const [short, steady, pause] = [0, 1, 2].map((i) => median(found.map((each) => each[i]!))) as [
      number,
      number,
      number,
    ];
    ratios.push(short / SHORT);
    figures[`${kernel}.short`] = short / SHORT;
    figures[`${kernel}.steady`] = steady;
    figures[`${kernel}.pause`] = pause;
    rows.push([kernel, digits(short), (short / SHORT).toFixed(2), steady.toFixed(0), digits(pause)]);
  }
  return {
    name: `warmup${xlen}`,
    title: `Warm-up of auto, RV${xlen}: kernels run ${repeat} times, medians of ${reps}`,
    notes: [
      `"short": until as much is done as the interpreter does in its first ${SHORT} ms; below 1 is faster.`,
      `"steady": when the first ${SLICE} ms begin that are ${STEADY} times as fast as the second half of the run.`,
    ],
    columns,
    rows: [...rows, ["geomean", "", geomean(ratios).toFixed(2), "", ""]],
    figures,
  };
}
