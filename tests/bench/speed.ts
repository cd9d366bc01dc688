/** Instructions per second of the bench kernels, beside QEMU in the same minutes. */
import { guestPrograms } from "../../tools/guest_images.ts";
import { type ClockName, denoRun, QEMU, timedOk, TOP } from "./host.ts";
import { digits, type Section } from "./report.ts";
import type { BenchSettings } from "./settings.ts";
import { geomean, median, ratios, spread } from "./statistics.ts";

const PREFIX = "bench_";

/** The kernels there are, by name. */
export const kernels: readonly string[] = guestPrograms.filter(({ kind }) => kind === "bench")
  .map(({ name }) => name.slice(PREFIX.length));

/** Path of a program's ELF image. */
export function imageOf(program: string, xlen: 32 | 64): string {
  return `${TOP}images/${program}${xlen === 32 ? "_rv32" : ""}.elf`;
}

/** Path of a kernel's image. */
export function kernelImage({ built }: BenchSettings, kernel: string, xlen: 32 | 64): string {
  return built.get(`${kernel} ${xlen}`) ?? imageOf(PREFIX + kernel, xlen);
}

/** Millions of instructions per second by repetition, under the name of what ran the kernel. */
type Speeds = Map<string, number[]>;

/** What QEMU's speeds are kept under. */
const OTHER = "QEMU";

/** What is measured: one width, with addresses translated or not. */
export interface SpeedCase {
  readonly xlen: 32 | 64;
  /** In S-mode behind an identity map of superpages, instead of in M-mode. */
  readonly paged: boolean;
  /** Whether QEMU is installed. */
  readonly withQemu: boolean;
}

/** Measures all kernels of one case. */
export async function speed(settings: BenchSettings, what: SpeedCase): Promise<Section> {
  const { xlen, paged, withQemu } = what;
  const found = new Map(settings.kernels.map((kernel) => [kernel, { steps: 0, speeds: new Map() as Speeds }]));
  const starts: number[] = [];
  const append = (times: number): string => `repeat=${times}${paged ? " paging" : ""}`;
  for (let rep = 0; rep < settings.reps; rep++) {
    // One after the other within a repetition: whatever else the machine does then, it does to all of them.
    for (const [kernel, result] of found) {
      settings.progress(`RV${xlen}${paged ? " paged" : ""} ${kernel}, repetition ${rep + 1} of ${settings.reps}`);
      const image = kernelImage(settings, kernel, xlen);
      const note = (name: string, mips: number) => result.speeds.set(name, [...result.speeds.get(name) ?? [], mips]);
      let once = 0;
      for (const engine of settings.engines) {
        const times = engine === "auto" ? settings.repeat : 1;
        const { steps, seconds } = await ringside(image, engine, append(times), settings.clock);
        if (times === settings.repeat) result.steps = steps;
        once = Math.max(once, steps / times);
        note(engine, steps / seconds / 1e6);
      }
      if (result.steps === 0) result.steps = Math.round(once * settings.repeat);
      if (!withQemu) continue;
      const start = await qemu(imageOf("uart_hello", xlen), xlen, "", settings.clock);
      starts.push(start);
      const seconds = await qemu(image, xlen, append(settings.repeat), settings.clock);
      note(OTHER, result.steps / Math.max(seconds - start, 1e-3) / 1e6);
    }
  }
  return section(settings, what, found, withQemu ? median(starts) : undefined);
}

async function ringside(
  image: string,
  engine: string,
  append: string,
  clock: ClockName,
): Promise<{ readonly steps: number; readonly seconds: number }> {
  const { stdout } = await timedOk(Deno.execPath(), denoRun("tests/bench/run_image.ts", image, engine, append));
  const { steps, reason, ...times } = JSON.parse(stdout) as Record<ClockName | "steps", number> & { reason: string };
  if (reason !== "pass") throw new Error(`${image}: ended with "${reason}", expected "pass"`);
  return { steps, seconds: times[clock] };
}

async function qemu(image: string, xlen: 32 | 64, append: string, clock: ClockName): Promise<number> {
  const args = ["-M", "virt", "-m", "128M", "-bios", "none", "-nographic", "-no-reboot", "-kernel", image];
  if (append !== "") args.push("-append", append);
  return (await timedOk(QEMU[xlen], args, { clock })).seconds;
}

/** The table: per engine its speed, its noise, and its ratio to QEMU. */
function section(
  { reps, repeat, engines, clock }: BenchSettings,
  { xlen, paged }: SpeedCase,
  found: ReadonlyMap<string, { readonly steps: number; readonly speeds: Speeds }>,
  qemuStart: number | undefined,
): Section {
  const kernels = [...found.keys()];
  const figures: Record<string, number> = {};
  const columns = ["kernel", "M insns"];
  const rows = [...found].map(([kernel, { steps }]) => [kernel, digits(steps / 1e6)]);
  const last = ["geomean", ""];
  const mipsOf = (name: string): number[][] => [...found.values()].map(({ speeds }) => speeds.get(name)!);
  const put = (column: string, key: string, values: readonly number[], text: (value: number) => string) => {
    columns.push(column);
    values.forEach((value, i) => {
      rows[i]!.push(text(value));
      figures[`${kernels[i]}.${key}`] = value;
    });
    figures[`geomean.${key}`] = geomean(values);
    last.push(text(geomean(values)));
  };
  for (const name of qemuStart === undefined ? engines : [...engines, OTHER]) {
    const mips = mipsOf(name);
    put(name, `${name}.mips`, mips.map(median), digits);
    columns.push("spread");
    mips.forEach((values, i) => rows[i]!.push(percent(spread(values))));
    last.push("");
    if (name === OTHER || qemuStart === undefined) continue;
    const others = mipsOf(OTHER);
    put(
      `/ ${OTHER}`,
      `${name}.ratio`,
      mips.map((values, i) => median(ratios(values, others[i]!))),
      (r) => r.toFixed(2),
    );
  }
  const unit = `million instructions per second${clock === "cpu" ? " of processor time" : ""}`;
  return {
    name: `${paged ? "paged" : "speed"}${xlen}`,
    title: `Speed${
      paged ? " in S-mode, paged" : ""
    }, RV${xlen}: ${unit}, kernels run ${repeat} times, medians of ${reps}`,
    notes: qemuStart === undefined
      ? [`QEMU is not compared: ${QEMU[xlen]} is not installed.`]
      : [`QEMU's times are less its start-up (${(qemuStart * 1000).toFixed(0)} ms); "/ QEMU": medians of ratios.`],
    columns,
    rows: [...rows, last],
    figures,
  };
}

/** A share as text. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(0)}%`;
}
