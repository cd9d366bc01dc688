/** Instructions per second of the bench kernels, beside QEMU in the same minutes. */
import { guestPrograms } from "../../tools/guest_images.ts";
import { denoRun, QEMU, timedOk, TOP } from "./host.ts";
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

/** Times of one kernel, by repetition. */
interface Times {
  steps: number;
  readonly ringside: number[];
  readonly qemu: number[];
}

/** Measures all kernels of one width. `withQemu` is false where QEMU is not installed. */
export async function speed(settings: BenchSettings, xlen: 32 | 64, withQemu: boolean): Promise<Section> {
  const times = new Map<string, Times>();
  const starts: number[] = [];
  for (let rep = 0; rep < settings.reps; rep++) {
    // One after the other within a repetition: whatever else the machine does then, it does to both.
    for (const kernel of settings.kernels) {
      settings.progress(`RV${xlen} ${kernel}, repetition ${rep + 1} of ${settings.reps}`);
      const image = imageOf(PREFIX + kernel, xlen);
      const found = times.get(kernel) ?? { steps: 0, ringside: [], qemu: [] };
      times.set(kernel, found);
      const { steps, seconds } = await ringside(image, settings.engine);
      found.steps = steps;
      found.ringside.push(seconds);
      if (!withQemu) continue;
      starts.push(await qemu(imageOf("uart_hello", xlen), xlen));
      found.qemu.push(await qemu(image, xlen));
    }
  }
  return section(settings, xlen, times, withQemu ? median(starts) : undefined);
}

async function ringside(image: string, engine: string): Promise<{ steps: number; seconds: number }> {
  const { stdout } = await timedOk(Deno.execPath(), denoRun("tests/bench/run_image.ts", image, engine));
  const { steps, seconds, reason } = JSON.parse(stdout) as { steps: number; seconds: number; reason: string };
  if (reason !== "pass") throw new Error(`${image}: ended with "${reason}", expected "pass"`);
  return { steps, seconds };
}

async function qemu(image: string, xlen: 32 | 64): Promise<number> {
  const args = ["-M", "virt", "-m", "128M", "-bios", "none", "-nographic", "-no-reboot", "-kernel", image];
  return (await timedOk(QEMU[xlen], args)).seconds;
}

function section(
  { reps, engine }: BenchSettings,
  xlen: 32 | 64,
  times: ReadonlyMap<string, Times>,
  qemuStart: number | undefined,
): Section {
  const rows: string[][] = [];
  const figures: Record<string, number> = {};
  const speeds: number[] = [];
  const shares: number[] = [];
  for (const [kernel, { steps, ringside, qemu }] of times) {
    const mips = ringside.map((s) => steps / s / 1e6);
    speeds.push(median(mips));
    figures[`${kernel}.instructions`] = steps;
    figures[`${kernel}.ringside_mips`] = median(mips);
    const row = [kernel, digits(steps / 1e6), digits(median(mips)), digits(Math.max(...mips)), percent(spread(mips))];
    if (qemuStart !== undefined) {
      const others = qemu.map((s) => steps / Math.max(s - qemuStart, 1e-3) / 1e6);
      const share = median(ratios(mips, others));
      shares.push(share);
      figures[`${kernel}.qemu_mips`] = median(others);
      figures[`${kernel}.ratio`] = share;
      row.push(digits(median(others)), percent(spread(others)), share.toFixed(3));
    }
    rows.push(row);
  }
  figures["geomean.ringside_mips"] = geomean(speeds);
  const last = ["geomean", "", digits(geomean(speeds)), "", ""];
  if (qemuStart !== undefined) {
    figures["geomean.ratio"] = geomean(shares);
    last.push("", "", geomean(shares).toFixed(3));
  }
  rows.push(last);
  const columns = ["kernel", "M insns", "MIPS", "best", "spread"];
  if (qemuStart !== undefined) columns.push("QEMU MIPS", "spread", "ratio");
  return {
    name: `speed${xlen}`,
    title: `Speed, RV${xlen}, engine ${engine}: million instructions per second, medians of ${reps}`,
    notes: qemuStart === undefined ? [`QEMU is not compared: ${QEMU[xlen]} is not installed.`] : [
      `QEMU's times are less its start-up (${(qemuStart * 1000).toFixed(0)} ms); ratio: median of Ringside over QEMU.`,
    ],
    columns,
    rows,
    figures,
  };
}

/** A share as text. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(0)}%`;
}
