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

/** A program's run. */
export interface Run {
  /** From its start to its end, by the host's clock. */
  readonly seconds: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** Runs a program to its end and times it. Throws if it is not there. */
export async function timed(command: string, args: readonly string[], stdin = ""): Promise<Run> {
  const start = performance.now();
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
  const seconds = (performance.now() - start) / 1000;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { seconds, code, stdout: text(stdout), stderr: text(stderr) };
}

/** As {@linkcode timed}; throws an `Error` with the program's own words unless it ends with the status `expected`. */
export async function timedOk(command: string, args: readonly string[], expected = 0, stdin = ""): Promise<Run> {
  const run = await timed(command, args, stdin);
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
