/** The machine that is measured on, and programs run on it. */
import { runTool } from "../support/tools.ts";

/** The project's top folder. */
export const TOP: string = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** What the figures depend on. */
export interface HostInfo {
  readonly cpu: string;
  readonly cores: number;
  /** The load of the last minute, where the system tells: above 0 others are at work. */
  readonly load: number | undefined;
  readonly os: string;
  readonly deno: string;
  readonly v8: string;
  /** Version, or undefined where it is not installed. */
  readonly qemu: string | undefined;
  readonly spike: string | undefined;
}

/** QEMU's command by XLEN. */
export const QEMU = { 32: "qemu-system-riscv32", 64: "qemu-system-riscv64" } as const;

/** Spike, where the environment names it. */
export function spikePath(): string | undefined {
  return Deno.env.get("SPIKE");
}

/** Asks the machine what it is. */
export async function hostInfo(): Promise<HostInfo> {
  const spike = spikePath();
  const help = spike === undefined ? undefined : await runTool(spike, ["--help"]);
  const qemu = (await runTool(QEMU[64], ["--version"]))?.stdout;
  return {
    cpu: field("/proc/cpuinfo", "model name") ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    load: Deno.build.os === "windows" ? undefined : Deno.loadavg()[0],
    os: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    qemu: qemu?.match(/version (\S+)/)?.[1],
    spike: help === undefined ? undefined : `${help.stdout}${help.stderr}`.match(/RISC-V ISA Simulator (\S+)/)?.[1],
  };
}

/** A line `name: value` of a file such as those in `/proc`; undefined where there is no such file or line. */
export function field(path: string, name: string): string | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const line = text.split("\n").find((l) => l.split(":")[0]!.trim() === name);
  return line?.slice(line.indexOf(":") + 1).trim();
}

/** How a program is run. */
export interface RunOptions {
  readonly stdin?: string;
  /** Default `wall`. */
  readonly clock?: ClockName;
  /** Exit status; default 0. */
  readonly expected?: number;
}

/** A program's run. */
export interface Run {
  /** From its start to its end, by the clock asked for. */
  readonly seconds: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/**
 * What time is measured by: the host's clock, or the processor time that the measured process used, which other
 * processes on the same machine disturb less (Linux only, in steps of 10 ms).
 */
export const clocks = ["wall", "cpu"] as const;
export type ClockName = typeof clocks[number];

/** Seconds so far of processor time: of this process, or of its children that have ended. */
export function processorSeconds(whose: "self" | "children"): number {
  // Linux's proc_pid_stat: fields 14 to 17, of which 1 and 2 may hold spaces but end with the last parenthesis.
  const stat = Deno.readTextFileSync("/proc/self/stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const at = whose === "self" ? 11 : 13;
  return (Number(fields[at]) + Number(fields[at + 1])) / TICKS_PER_SECOND;
}

/** Linux's USER_HZ, the same on every architecture that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** Reads the clock, for children that are waited for between two readings. */
function now(clock: ClockName): number {
  return clock === "cpu" ? processorSeconds("children") : performance.now() / 1000;
}

/** Runs a program to its end and times it. Throws if it is not there. */
export async function timed(
  command: string,
  args: readonly string[],
  { stdin = "", clock = "wall" }: RunOptions = {},
): Promise<Run> {
  const start = now(clock);
  const child = new Deno.Command(command, { args: [...args], stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  try {
    if (stdin !== "") await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  } catch (error) {
    // It ended without reading all of it.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
  const { code, stdout, stderr } = await output;
  const seconds = now(clock) - start;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { seconds, code, stdout: text(stdout), stderr: text(stderr) };
}

/** As {@linkcode timed}; throws an `Error` with the program's own words unless it ends with the status expected. */
export async function timedOk(command: string, args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const { expected = 0 } = options;
  const run = await timed(command, args, options);
  if (run.code !== expected) {
    const said = `${run.stdout}${run.stderr}`.trim().split("\n").slice(-8).join("\n  ");
    throw new Error(`${[command, ...args].join(" ")}: status ${run.code}, expected ${expected}:\n  ${said}`);
  }
  return run;
}

/** Arguments that make Deno run one of the project's scripts. */
export function denoRun(script: string, ...args: readonly string[]): string[] {
  return ["run", "-A", "--no-check", "--config", `${TOP}deno.json`, `${TOP}${script}`, ...args];
}
