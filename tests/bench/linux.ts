/** A Linux boot from start to power-off, beside QEMU in the same minutes. */
import { denoRun, QEMU, timedOk } from "./host.ts";
import { digits, type Section } from "./report.ts";
import type { BenchSettings } from "./settings.ts";
import { median, ratios } from "./statistics.ts";

const MIB = 2 ** 20;
const MEMORY = "256M";
const APPEND = "console=ttyS0 guest=off";

/** Measures whole processes, Deno's start among it. `withQemu` is false where QEMU is not installed. */
export async function linux(settings: BenchSettings, withQemu: boolean): Promise<Section> {
  const { reps, engines, clock, folder, progress } = settings;
  const base = {
    name: "linux",
    title: `Linux to its power-off (guest=off, ${MEMORY}): seconds, medians of ${reps}`,
    columns: ["what", "seconds", "/ QEMU", "M insns", "M insns/s", "peak MiB"],
  };
  const guests = Deno.env.get("GUESTS");
  if (guests === undefined) {
    return { ...base, notes: ["Not measured: GUESTS names no folder."], rows: [], figures: {} };
  }
  const files = ["--kernel", `${guests}/linux/Image`, "--initrd", `${guests}/linux/initramfs.gz`, "--append", APPEND];
  const seconds = new Map<string, number[]>();
  const note = (name: string, value: number) => seconds.set(name, [...seconds.get(name) ?? [], value]);
  const peaks = new Map<string, number>();
  let steps = 0;
  for (let rep = 0; rep < reps; rep++) {
    for (const engine of engines) {
      progress(`Linux, ${engine}, repetition ${rep + 1} of ${reps}`);
      const output = `${folder}/peak`;
      const args = denoRun("tests/bench/peak_memory.ts", output, "--stats", "--engine", engine, "--memory", MEMORY);
      const run = await timedOk(Deno.execPath(), [...args, ...files], { clock });
      note(engine, run.seconds);
      steps = Number(run.stderr.match(/^steps: (\d+)/m)?.[1]);
      peaks.set(engine, Math.max(peaks.get(engine) ?? 0, Number(await Deno.readTextFile(output)) / MIB));
    }
    if (!withQemu) continue;
    progress(`Linux, QEMU, repetition ${rep + 1} of ${reps}`);
    const own = files.map((word) => word.replace(/^--/, "-"));
    const args = ["-M", "virt", "-m", MEMORY, "-nographic", "-no-reboot", ...own];
    note("QEMU", (await timedOk(QEMU[64], args, { clock })).seconds);
  }
  const figures: Record<string, number> = {};
  const rows = [...seconds].map(([name, values]) => {
    const ours = name !== "QEMU";
    const ratio = withQemu && ours ? median(ratios(values, seconds.get("QEMU")!)) : undefined;
    figures[`${name}.seconds`] = median(values);
    if (ratio !== undefined) figures[`${name}.ratio`] = ratio;
    return [
      name,
      digits(median(values)),
      ratio?.toFixed(2) ?? "",
      ours ? digits(steps / 1e6) : "",
      ours ? digits(steps / 1e6 / median(values)) : "",
      ours ? digits(peaks.get(name)!) : "",
    ];
  });
  const notes = withQemu
    ? ['"/ QEMU": medians of the ratios of times; below 1 is faster.']
    : ["QEMU is not installed."];
  return { ...base, notes, rows, figures };
}
