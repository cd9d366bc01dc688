/** From the command to the first guest instruction, over what Deno needs for an empty script. */
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { denoRun, processorSeconds, timedOk, TOP } from "./host.ts";
import { digits, type Section } from "./report.ts";
import type { BenchSettings } from "./settings.ts";
import { median, quantile } from "./statistics.ts";

/** Starts are short: they can be repeated often. */
const REPS = 20;

/** A guest whose only act is to end the run. */
const TINY = `
  lui t0, 0x100        # finisher
  lui t1, 0x5
  addi t1, t1, 0x555   # pass
  sw t1, 0(t0)
  j .
`;

const HAS_PROCESSOR_TIME = Deno.build.os === "linux";

/** Seconds of processor time that ended processes have used; 0 where the system does not tell. */
function processorTime(): number {
  return HAS_PROCESSOR_TIME ? processorSeconds("children") : 0;
}

/** Measures starts. */
export async function start({ folder, progress }: BenchSettings): Promise<Section> {
  const empty = `${folder}/empty.ts`;
  const tiny = `${folder}/tiny.bin`;
  await Deno.writeTextFile(empty, "");
  const text = TINY.replaceAll("j .", "1: j 1b");
  await Deno.writeFile(tiny, new Assembler(parseIsa("rv64imac")).program(text, 0x8000_0000n).bytes);
  const cases: [name: string, args: readonly string[]][] = [
    ["empty script", ["run", "-A", "--no-check", empty]],
    ["tiny image", denoRun("vm/main.ts", tiny)],
    ["uart_hello", denoRun("vm/main.ts", `${TOP}images/uart_hello.bin`)],
    ["--version", denoRun("vm/main.ts", "--version")],
  ];
  const times = cases.map((): number[] => []);
  // Its clock is coarse: only the sum of all repetitions means something.
  const used = cases.map(() => 0);
  // The first round fills Deno's and the system's caches; it does not count.
  for (let rep = -1; rep < REPS; rep++) {
    progress(`start-up, repetition ${rep + 1} of ${REPS}`);
    for (const [i, [, args]] of cases.entries()) {
      const before = processorTime();
      const { seconds } = await timedOk(Deno.execPath(), args);
      if (rep < 0) continue;
      times[i]!.push(seconds * 1000);
      used[i] = used[i]! + processorTime() - before;
    }
  }
  const figures: Record<string, number> = {};
  const rows = cases.map(([name], i) => {
    const ms = times[i]!;
    const over = ms.map((value, rep) => value - times[0]![rep]!);
    const key = name.replaceAll(/\W+/g, "_").replace(/^_/, "");
    figures[`${key}.ms`] = median(ms);
    figures[`${key}.over_empty_ms`] = median(over);
    const cpu = (used[i]! - used[0]!) / REPS * 1000;
    if (HAS_PROCESSOR_TIME) figures[`${key}.over_empty_cpu_ms`] = cpu;
    const quartiles = `${digits(quantile(over, 0.25))}..${digits(quantile(over, 0.75))}`;
    return [
      name,
      digits(median(ms)),
      i === 0 ? "" : digits(median(over)),
      i === 0 ? "" : quartiles,
      i === 0 || !HAS_PROCESSOR_TIME ? "" : digits(cpu),
    ];
  });
  return {
    name: "start",
    title: `Start-up: whole processes, milliseconds, medians of ${REPS}`,
    notes: [
      "The tiny image ends the run with its fourth instruction, so its line is the time to the first guest instruction",
      "and to the end of the process again. CPU: processor time, which others on the machine disturb less.",
    ],
    columns: ["what", "ms", "over empty", "quartiles", "over empty, CPU"],
    rows,
    figures,
  };
}
