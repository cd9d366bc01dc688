/** Throughput of devices as guest firmware has it: bytes and blocks of a disk, and bytes of a console, beside QEMU. */
import { denoRun, QEMU, type Run, timedOk } from "./host.ts";
import { digits, type Section } from "./report.ts";
import type { BenchSettings } from "./settings.ts";
import { imageOf, percent } from "./speed.ts";
import { median, ratios, spread } from "./statistics.ts";

/** What one guest run does, on either machine. */
interface Load {
  readonly name: string;
  readonly image: string;
  /** What is counted, and how many of them a unit of the table is. */
  readonly unit: string;
  readonly per: number;
  readonly ringside: readonly string[];
  readonly qemu: readonly string[];
}

const DISK_MIB = 64;
const QEMU_DISK = ["-device", "virtio-blk-device,drive=d", "-drive"];

/** A disk that is read from memory: QEMU has no memory of its own for it, but a driver that makes up zeroes. */
const inMemory = {
  ringside: ["--device", `blk,size=${DISK_MIB}M`],
  qemu: [...QEMU_DISK, `driver=null-co,read-zeroes=on,size=${DISK_MIB}M,if=none,id=d`],
};

function inFile(file: string): Pick<Load, "ringside" | "qemu"> {
  return { ringside: ["--drive", file], qemu: [...QEMU_DISK, `file=${file},format=raw,if=none,id=d`] };
}

function blockLoads(file: string): Load[] {
  return [
    ["memory", inMemory],
    ["file", inFile(file)],
  ].flatMap(([where, disk]) => {
    const args = disk as Pick<Load, "ringside" | "qemu">;
    return [
      { name: `sequential read, ${where}`, image: "bench_disk_read", unit: "MB/s", per: 1e6, ...args },
      { name: `4 KiB random reads, ${where}`, image: "bench_disk_random", unit: "thousand/s", per: 1000, ...args },
    ];
  });
}

const consoleLoads: readonly Load[] = [{
  name: "console output",
  image: "bench_console_write",
  unit: "MB/s",
  per: 1e6,
  ringside: [],
  qemu: ["-device", "virtio-serial-device", "-device", "virtconsole,chardev=c", "-chardev", "file,id=c,path=/dev/null"],
}];

/** The block section. */
export async function block(settings: BenchSettings, withQemu: boolean): Promise<Section> {
  const file = `${settings.folder}/disk.img`;
  const bytes = new Uint8Array(DISK_MIB << 20);
  for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  await Deno.writeFile(file, bytes);
  try {
    return await section("block", "Disk, read by guest firmware", blockLoads(file), settings, withQemu);
  } finally {
    await Deno.remove(file);
  }
}

/** The console section. */
export async function consoleOutput(settings: BenchSettings, withQemu: boolean): Promise<Section> {
  return await section("console", "Console, written by guest firmware to a pipe", consoleLoads, settings, withQemu);
}

async function ringside({ clock }: BenchSettings, image: string, args: readonly string[]): Promise<Run> {
  return await timedOk(Deno.execPath(), denoRun("vm/main.ts", ...args, imageOf(image, 64)), { clock });
}

async function qemu({ clock }: BenchSettings, image: string, args: readonly string[]): Promise<Run> {
  const machine = ["-M", "virt", "-m", "128M", "-bios", "none", "-display", "none", "-monitor", "none", "-no-reboot"];
  const modern = ["-global", "virtio-mmio.force-legacy=false", "-serial", "stdio"];
  return await timedOk(QEMU[64], [...machine, ...modern, ...args, "-kernel", imageOf(image, 64)], { clock });
}

/** How many bytes or reads a guest says it has done; it says so on whatever console it has. */
function amountIn(text: string): number {
  const amount = /: (\d+) (?:bytes|reads)/.exec(text)?.[1];
  if (amount === undefined) throw new Error(`the guest did not say what it did: ${text.slice(-200)}`);
  return Number(amount);
}

async function section(
  name: string,
  title: string,
  loads: readonly Load[],
  settings: BenchSettings,
  withQemu: boolean,
): Promise<Section> {
  const starts: Record<"ringside" | "qemu", number[]> = { ringside: [], qemu: [] };
  const found = loads.map((load) => ({ load, amount: 0, ringside: [] as number[], qemu: [] as number[] }));
  for (let rep = 0; rep < settings.reps; rep++) {
    starts.ringside.push((await ringside(settings, "uart_hello", [])).seconds);
    if (withQemu) starts.qemu.push((await qemu(settings, "uart_hello", [])).seconds);
    for (const one of found) {
      settings.progress(`${one.load.name}, repetition ${rep + 1} of ${settings.reps}`);
      const run = await ringside(settings, one.load.image, one.load.ringside);
      one.amount = amountIn(run.stdout);
      one.ringside.push(run.seconds);
      if (withQemu) one.qemu.push((await qemu(settings, one.load.image, one.load.qemu)).seconds);
    }
  }
  const figures: Record<string, number> = {};
  const rows = found.map(({ load, amount, ...seconds }) => {
    const rates = (who: "ringside" | "qemu"): number[] =>
      seconds[who].map((s) => amount / load.per / Math.max(s - median(starts[who]), 1e-3));
    const own = rates("ringside");
    figures[`${load.name}.ringside`] = median(own);
    const cells = [load.name, load.unit, digits(median(own)), percent(spread(own))];
    if (!withQemu) return cells;
    const others = rates("qemu");
    figures[`${load.name}.qemu`] = median(others);
    figures[`${load.name}.ratio`] = median(ratios(own, others));
    return [...cells, digits(median(others)), percent(spread(others)), figures[`${load.name}.ratio`]!.toFixed(2)];
  });
  const clock = settings.clock === "cpu" ? ", by processor time" : "";
  return {
    name,
    title: `${title}, medians of ${settings.reps}${clock}`,
    notes: ["Times are those of whole processes less the median start-up with images/uart_hello.elf."],
    columns: ["what", "unit", "Ringside", "spread", ...(withQemu ? ["QEMU", "spread", "/ QEMU"] : [])],
    rows,
    figures,
  };
}
