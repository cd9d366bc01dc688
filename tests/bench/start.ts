/** From the command to the first guest instruction, over what Deno needs for an empty script. */
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { denoRun, processorSeconds, TOP } from "./host.ts";
import { digits, type Section } from "./report.ts";
import type { BenchSettings } from "./settings.ts";
import { median, quantile } from "./statistics.ts";

/** Starts are short: they can be repeated often. */
const REPS = 20;

/** A guest that prints one byte and ends the run: its first instructions can be seen from outside. */
const TINY = `
  lui t0, 0x10000      # uart
  sb t0, 0(t0)
  lui t0, 0x100        # finisher
  lui t1, 0x5
  addi t1, t1, 0x555   # pass
  sw t1, 0(t0)
  1: j 1b
`;

/** The case whose first byte of output is timed too. */
const FIRST = "tiny image";

const HAS_PROCESSOR_TIME = Deno.build.os === "linux";

/** Seconds of processor time that ended processes have used; 0 where the system does not tell. */
function processorTime(): number {
  return HAS_PROCESSOR_TIME ? processorSeconds("children") : 0;
}

/** Runs Deno; seconds until it has printed its first byte, or ended without one, and until it has ended. */
async function timedOutput(args: readonly string[]): Promise<{ readonly first: number; readonly end: number }> {
  const before = performance.now();
  const child = new Deno.Command(Deno.execPath(), { args: [...args], stdin: "null", stdout: "piped", stderr: "null" })
    .spawn();
  const reader = child.stdout.getReader();
  let { done } = await reader.read();
  const first = performance.now() - before;
  while (!done) ({ done } = await reader.read());
  const { code } = await child.status;
  if (code !== 0) throw new Error(`deno ${args.join(" ")}: status ${code}, expected 0`);
  return { first: first / 1000, end: (performance.now() - before) / 1000 };
}

/** Measures starts. */
export async function start({ folder, progress }: BenchSettings): Promise<Section> {
  const empty = `${folder}/empty.ts`;
  const tiny = `${folder}/tiny.bin`;
  await Deno.writeTextFile(empty, "");
  await Deno.writeFile(tiny, new Assembler(parseIsa("rv64imac")).program(TINY, 0x8000_0000n).bytes);
  const cases: [name: string, args: readonly string[]][] = [
    ["empty script", ["run", "-A", "--no-check", empty]],
    [FIRST, denoRun("vm/main.ts", tiny)],
    ["uart_hello", denoRun("vm/main.ts", `${TOP}images/uart_hello.bin`)],
    ["--version", denoRun("vm/main.ts", "--version")],
  ];
  const times = cases.map((): number[] => []);
  const firsts: number[] = [];
  // Its clock is coarse: only the sum of all repetitions means something.
  const used = cases.map(() => 0);
  // The first round fills Deno's and the system's caches; it does not count.
  for (let rep = -1; rep < REPS; rep++) {
    progress(`start-up, repetition ${rep + 1} of ${REPS}`);
    for (const [i, [name, args]] of cases.entries()) {
      const before = processorTime();
      const { first, end } = await timedOutput(args);
      if (rep < 0) continue;
      times[i]!.push(end * 1000);
      if (name === FIRST) firsts.push(first * 1000 - times[0]!.at(-1)!);
      used[i] = used[i]! + processorTime() - before;
    }
  }
  const figures: Record<string, number> = { "first_instruction.over_empty_ms": median(firsts) };
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
      `The first byte that the tiny image prints, with its second instruction, came ${
        digits(median(firsts))
      } ms after an empty`,
      `script would have ended (${digits(quantile(firsts, 0.25))}..${
        digits(quantile(firsts, 0.75))
      }): that is the start to the first guest instruction.`,
      "The table has whole processes. CPU: processor time, which others on the machine disturb less.",
    ],
    columns: ["what", "ms", "over empty", "quartiles", "over empty, CPU"],
    rows,
    figures,
  };
}
