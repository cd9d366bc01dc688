/**
 * Real guests: software that people run on QEMU's `virt`, from a folder that `get_guests.sh` fills and the environment
 * variable GUESTS names.
 */
import { assertEquals } from "@std/assert";

const MAIN = decodeURIComponent(new URL("../../vm/main.ts", import.meta.url).pathname);

/** Folder of the guests; undefined where none is named. */
const folder: string | undefined = Deno.env.get("GUESTS");

/** Versions of virtio-mmio that every guest is run with: modern and legacy. */
export const VIRTIO_VERSIONS = [2, 1] as const;

/** Instruction set that distributions are built for, with what their kernels use if it is there. */
export const ISA = "rv64gc_sstc_svadu_zicntr_zihpm";

/** Longest time for one run, in seconds, on a slow and busy machine. */
const TIMEOUT = 1200;

/** The path of a guest's file. */
export function guestFile(name: string): string {
  return `${folder}/${name}`;
}

function missing(files: readonly string[]): string | undefined {
  if (folder === undefined) return "GUESTS names no folder";
  return files.find((file) => {
    try {
      return !Deno.statSync(guestFile(file)).isFile;
    } catch {
      return true;
    }
  });
}

/** A test that needs files of guests: its name tells which one is not there, and that it is skipped. */
export function withGuest(name: string, files: readonly string[], fn: () => Promise<void>): Deno.TestDefinition {
  const lacks = missing(files);
  const reason = lacks === undefined || lacks.startsWith("GUESTS") ? lacks : `${lacks} is not in ${folder}`;
  const suffix = reason === undefined ? "" : ` (skipped: ${reason})`;
  return { name: name + suffix, ignore: reason !== undefined, fn };
}

/** What a guest wrote, and how its run ended. */
export interface GuestRun {
  readonly status: number;
  /** The consoles' text, without terminal control sequences and carriage returns. */
  readonly console: string;
  readonly stderr: string;
}

/** Boots with the command line as a user does; with an empty `isa` on what a machine has by default. */
export async function runGuest(args: readonly string[], isa: string = ISA): Promise<GuestRun> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, ...(isa === "" ? [] : ["--isa", isa]), "--timeout", `${TIMEOUT}`, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  // deno-lint-ignore no-control-regex
  const console = text(stdout).replaceAll(/\x1b(\[[0-9;?=]*[A-Za-z]|[78])|\r/g, "");
  return { status: code, console, stderr: text(stderr) };
}

/** Fails with the end of what the guest wrote unless every text is in it. */
export function assertConsole({ console, stderr }: GuestRun, texts: readonly (string | RegExp)[]): void {
  const lacks = texts.filter((text) => typeof text === "string" ? !console.includes(text) : !text.test(console));
  assertEquals(lacks, [], `${stderr}\nthe end of the console:\n${console.slice(-3000)}`);
}

/** A script: each pair waits for a text and then types a line. */
export function typed(...steps: readonly (readonly [expect: string, send: string])[]): string[] {
  return steps.flatMap(([expect, send]) => ["--expect", expect, "--send", `${send}\\r`]);
}

/** Names of the rules that the driver check told of, in order. */
export function rulesTold({ stderr }: GuestRun): string[] {
  return [...stderr.matchAll(/^ {2}rule +\S+\/[\d.]+-([a-z\d-]+);/gm)].map(([, name]) => name!);
}
