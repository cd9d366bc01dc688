/**
 * Repository hygiene, as rules over one file at a time: {@linkcode untidy} says what is wrong with a file.
 * `tests/tidy_test.ts` runs it over everything that is committed.
 *
 * @module
 */

/** A committed file. */
export interface TrackedFile {
  /** Path from the project's top. */
  readonly path: string;
  /** Its content. */
  readonly bytes: Uint8Array;
}

/** The only names there are at the top. */
const TOP_LEVEL: readonly string[] = [
  ".ci",
  ".gitignore",
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "deno.json",
  "deno.lock",
  "devices",
  "docs",
  "guest",
  "images",
  "tests",
  "tools",
  "vm",
  "web",
];

const MAX_BYTES = 400_000;
const MAX_LINES = 450;

/** Source files that may be longer than {@linkcode MAX_LINES} because they are one table. */
const LONG_TABLES: readonly string[] = ["vm/cli/options.ts"];

/** Recorded output and built files: kept byte for byte, whatever is in them. */
const RECORDED = /^(images|tests\/golden)\/|\/__snapshots__\/|^deno\.lock$/;

/** Tests that are about no single source file, and what they are about. */
const CROSS_CUTTING: Readonly<Record<string, string>> = {
  "tests/check/random_drivers_test.ts": "the driver checker on random drivers, right and with one mistake",
  "tests/check/gallery_test.ts": "the driver checker on the gallery of wrong drivers",
  "tests/check/images_test.ts": "the driver checker on every image, on every engine",
  "tests/check/real_drivers_test.ts": "what the driver checker tells existing drivers",
  "tests/cli/check_test.ts": "the driver checker from the command line",
  "tests/devices/host/failures_test.ts": "disks of every kind on a host that fails",
  "tests/devices/virtio/hostile_test.ts": "every virtio device type against guests that mean harm",
  "tests/devices/virtio/fuzz_test.ts": "every virtio device type against random guests",
  "tests/devices/virtio/ring_model_test.ts": "both ring formats against a model of the driver",
  "tests/devices/virtio/real_drivers_test.ts": "the access order of existing drivers",
  "tests/guest/chaos_test.ts": "images on hostile devices",
  "tests/guest/load_test.ts": "the images that tests/bench measures devices with",
  "tests/bench/report_test.ts": "how tests/bench/ prints figures",
  "tests/bench/warmup_test.ts": "what tests/bench/ makes of a run's progress",
  "tests/bench/statistics_test.ts": "what tests/bench/ makes of repeated measurements",
  "tests/devices/virtio/shared_memory_test.ts": "the device types without shared memory",
  "tests/devices/virtio/suspend_test.ts": "suspend and resume of every virtio device type",
  "tests/guest/feature_matrix_test.ts": "every image on legal combinations of virtio features",
  "tests/guest/support_matrix_test.ts": "what the README says is supported",
  "tests/guests/linux_virtio_test.ts": "Linux's virtio drivers",
  "tests/guests/linux_check_test.ts": "Linux's virtio drivers under the driver checker",
  "tests/tidy_test.ts": "everything that is committed",
  "tests/guests/edk2_test.ts": "EDK2 as Debian has it",
  "tests/guests/linux_test.ts": "Linux as Debian has it",
  "tests/guests/linux_lockstep_test.ts": "a Linux boot on all engines",
  "tests/guests/linux_qemu_test.ts": "what Linux finds here and on QEMU",
  "tests/guests/opensbi_test.ts": "OpenSBI as Debian has it",
  "tests/guests/u_boot_test.ts": "U-Boot as Debian has it",
  "tests/hart/image_traces_test.ts": "what images execute, against recordings",
  "tests/hart/riscv_tests_test.ts": "the riscv-tests programs on every engine",
  "tests/hart/spike_test.ts": "random programs on every engine and on Spike",
  "tests/isa/lockstep_test.ts": "every engine against the reference executor",
  "tests/isa/rows_test.ts": "every row of the instruction table",
  "tests/isa/semantics_test.ts": "what every row computes, on every engine",
  "tests/tools/std_bridge_test.ts": "the packages in tools/std",
  "tests/devices/virtio/tables_test.ts": "the tables of registers and features together",
};

const SNAKE_CASE = /^\.?[a-z0-9]+(_[a-z0-9]+)*(\.[a-z0-9]+(_[a-z0-9]+)*)*$/;
/** Names that are a convention of their own. */
const OTHER_NAMES =
  /(^|\/)(README\.md|CHANGELOG\.md|LICENSE|__snapshots__)$|^docs\/[A-Z][A-Z0-9_]*\.md$|\/[a-z0-9_]+\.S$/;

/** What no committed text says, and what it would be. */
const FORBIDDEN: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/(?<![\w.)}/-])\/(home|root|Users|work|opt)\/[\w.-]/, "a path of somebody's machine"],
  [/\bregistry[.][a-z]+[.](org|com|io|dev)\b|\bnpmjs[.]|\bjsr[.]io\b/, "a registry's host"],
  [/\b(TO[D]O|FIX[M]E)\b/, "a note about unfinished work"],
];

/** The file as text; undefined if it is binary. */
function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** What is wrong with a path: its place at the top, or a name in it. */
function untidyName(path: string): string[] {
  const found: string[] = [];
  const names = path.split("/");
  if (!TOP_LEVEL.includes(names[0] ?? "")) found.push(`${names[0]} is not one of the names at the top`);
  names.forEach((name, depth) => {
    const upTo = names.slice(0, depth + 1).join("/");
    if (!SNAKE_CASE.test(name) && !OTHER_NAMES.test(upTo)) found.push(`${name} is not snake_case`);
  });
  return found;
}

/** What a merge leaves behind where it could not decide. */
const CONFLICT = /^(<{7}|={7}|>{7})( |$)/m;

/** What is wrong with a text as text. */
function untidyText(path: string, text: string): string[] {
  const found: string[] = [];
  const lines = text.split("\n");
  if (text.startsWith("\ufeff")) found.push("byte order mark");
  if (text !== "" && !text.endsWith("\n")) found.push("no newline at the end");
  if (text.endsWith("\n\n")) found.push("empty lines at the end");
  lines.forEach((line, index) => {
    if (/\s$/.test(line)) found.push(`line ${index + 1}: space at the end`);
    for (const [pattern, what] of FORBIDDEN) {
      const said = pattern.exec(line)?.[0];
      if (said !== undefined) found.push(`line ${index + 1}: ${what}: ${said}`);
    }
  });
  if (/\.(ts|c|h|S)$/.test(path) && lines.length - 1 > MAX_LINES && !LONG_TABLES.includes(path)) {
    found.push(`${lines.length - 1} lines; over ${MAX_LINES} only tables listed in tools/tidy.ts`);
  }
  return found;
}

/**
 * The source files a test may be about: `tests/isa/rv_m_test.ts` mirrors `vm/isa/rv_m.ts`, and
 * `tests/isa/rv_m_overflow_test.ts`, about one side of it, does too.
 */
function mirrored(path: string): RegExp {
  const stem = path.slice("tests/".length, -"_test.ts".length);
  const slash = stem.lastIndexOf("/") + 1;
  const words = stem.slice(slash).split("_");
  const names = words.map((_, count) => words.slice(0, count + 1).join("_"));
  return new RegExp(`^((vm|devices|guest|web)/)?${stem.slice(0, slash)}(${names.join("|")})(\\.(ts|c)$|/)`);
}

/** What is wrong with a test's place and name. */
function untidyTest(path: string, text: string, paths: readonly string[]): string[] {
  if (!path.startsWith("tests/") || !path.endsWith(".ts")) return [];
  if (!path.endsWith("_test.ts")) {
    return /^\s*Deno\.test\(/m.test(text) ? ["holds tests, but only files named _test.ts are run"] : [];
  }
  const source = mirrored(path);
  const mirrors = paths.some((other) => !other.startsWith("tests/") && source.test(other));
  if (mirrors || CROSS_CUTTING[path] !== undefined) return [];
  return ["mirrors no source file, and is not listed as cross-cutting in tools/tidy.ts"];
}

/**
 * What is wrong with a file, each in a few words; empty if nothing is.
 *
 * @param file the file
 * @param paths paths of all committed files, to see what a test mirrors
 *
 * @example
 * ```ts
 * import { untidy } from "./tidy.ts";
 *
 * const bytes = new TextEncoder().encode("no newline");
 * if (untidy({ path: "docs/NOTES.md", bytes }, [])[0] !== "no newline at the end") throw new Error();
 * ```
 */
export function untidy(file: TrackedFile, paths: readonly string[]): string[] {
  const { path, bytes } = file;
  const found = untidyName(path);
  if (bytes.length > MAX_BYTES) found.push(`${bytes.length} bytes; over ${MAX_BYTES} does not belong here`);
  const text = textOf(bytes);
  if (text === undefined) {
    if (!RECORDED.test(path)) found.push("binary, or not UTF-8");
    return found;
  }
  if (CONFLICT.test(text)) found.push(`a conflict that nobody settled: ${CONFLICT.exec(text)![0]}`);
  if (!RECORDED.test(path)) found.push(...untidyText(path, text));
  found.push(...untidyTest(path, text, paths));
  return found;
}

/** What is listed in the exceptions above without being committed: a list must not outlive its files. */
export function staleExceptions(paths: readonly string[]): string[] {
  return [...LONG_TABLES, ...Object.keys(CROSS_CUTTING)].filter((path) => !paths.includes(path));
}
