/**
 * Builds the images of `guest/` with a stock bare-metal RISC-V GCC and writes `images/NAME.bin`, `images/NAME.elf` and
 * `images/manifest.json`.
 *
 *     deno run -A tools/build_guest.ts [--check] [NAME…]
 *
 * With `--check` nothing in `images/` changes: everything is built into a temporary directory and compared byte for
 * byte if the compiler is the manifest's; any other compiler has to build them, that is all. Names restrict either
 * to those programs. Where the compiler is called differently, set `RISCV_PREFIX` (default `riscv64-unknown-elf-`).
 */

import { type GuestProgram, guestPrograms, imageName, programSources } from "./guest_images.ts";
import { RAM_BASE } from "../vm/board.ts";

const root = new URL("../", import.meta.url).pathname;
const prefix = Deno.env.get("RISCV_PREFIX") ?? "riscv64-unknown-elf-";

/** Flags that do not name a place on this machine, by register width. */
export function compileFlags(xlen: 32 | 64): string[] {
  return [
    `-march=${isa(xlen)}_zicsr_zifencei`,
    `-mabi=${abi(xlen)}`,
    "-mcmodel=medany",
    "-std=gnu11",
    "-O2",
    "-g",
    "-gdwarf-4",
    "-ffreestanding",
    "-fno-tree-loop-distribute-patterns",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-Wall",
    "-Wextra",
    "-Werror",
  ];
}

const commonLinkFlags: readonly string[] = [
  "-nostdlib",
  "-T",
  "guest/lib/link.ld",
  `-Wl,--defsym=BOARD_ENTRY=0x${RAM_BASE.toString(16)}`,
  "-Wl,--gc-sections",
  "-Wl,--build-id=none",
];

/** Flags of the link. */
export function linkFlags(program: Pick<GuestProgram, "symbolsOnly">): string[] {
  return program.symbolsOnly ? [...commonLinkFlags, "-Wl,--strip-debug"] : [...commonLinkFlags];
}

/** One image as the manifest records it. */
export interface ManifestImage {
  readonly name: string;
  readonly what: string;
  readonly kind: GuestProgram["kind"];
  readonly xlen: 32 | 64;
  readonly sources: readonly string[];
  readonly flags: readonly string[];
  /** SHA-256 in hexadecimal. */
  readonly bin: { readonly bytes: number; readonly sha256: string };
  readonly elf: { readonly bytes: number; readonly sha256: string };
  /** Exit status of the run. */
  readonly status: number;
  readonly memory: number;
  readonly devices: readonly string[];
  /** `--device` values that `images/expected/NAME.txt` was recorded with. */
  readonly options?: readonly string[];
  readonly virtioVersion?: 1 | 2;
  /** Standard input that `images/expected/NAME.txt` was recorded with. */
  readonly input?: string;
}

/** `images/manifest.json`. */
export interface Manifest {
  /** First line of the compiler's `--version`. */
  readonly compiler: string;
  readonly linker: string;
  readonly images: readonly ManifestImage[];
}

/** A program for one register width, built. */
export interface BuiltImage {
  readonly name: string;
  readonly program: GuestProgram;
  readonly xlen: 32 | 64;
  readonly bin: Uint8Array<ArrayBuffer>;
  readonly elf: Uint8Array<ArrayBuffer>;
}

function isa(xlen: 32 | 64): string {
  return `rv${xlen}imac`;
}

function abi(xlen: 32 | 64): string {
  return xlen === 64 ? "lp64" : "ilp32";
}

/** Flags that pick GCC's own libgcc: with the extensions spelled out it would not be found. */
export function targetFlags(xlen: 32 | 64): string[] {
  return [`-march=${isa(xlen)}`, `-mabi=${abi(xlen)}`];
}

/** Runs a program of the toolchain in the repository and gives its output. */
export async function run(tool: string, args: readonly string[]): Promise<string> {
  const command = new Deno.Command(prefix + tool, { args: [...args], cwd: root, stdout: "piped", stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(`${prefix}${tool} ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** The compiler's and linker's first version lines; undefined where there is no such compiler. */
export async function toolVersions(): Promise<{ compiler: string; linker: string } | undefined> {
  const first = async (tool: string): Promise<string> => (await run(tool, ["--version"])).split("\n")[0] ?? "";
  try {
    return { compiler: await first("gcc"), linker: await first("ld") };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Reads `images/manifest.json`. */
export async function readManifest(): Promise<Manifest> {
  return JSON.parse(await Deno.readTextFile(`${root}images/manifest.json`));
}

/** Compiles `source` once per width into `dir`; the object's name stands for the path. */
async function compile(source: string, xlen: 32 | 64, dir: string): Promise<string> {
  const object = `${dir}/${source.replaceAll("/", "-").replace(/\.[cS]$/, "")}-${xlen}.o`;
  // Paths in debug information are relative to the repository, wherever that is.
  const here = root.replace(/\/$/, "");
  const map = [`-ffile-prefix-map=${here}=.`, `-Wa,--debug-prefix-map=${here}=.`];
  await run("gcc", [...compileFlags(xlen), ...map, "-c", "-o", object, source]);
  return object;
}

/** Runs `jobs` with as many at once as there are processors. */
export async function inParallel<T>(jobs: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < jobs.length) {
      const index = next++;
      results[index] = await jobs[index]!();
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, worker));
  return results;
}

/** Builds `programs` for both widths in `dir`. */
export async function buildGuest(programs: readonly GuestProgram[], dir: string): Promise<BuiltImage[]> {
  const widths = [64, 32] as const;
  const sources = [...new Set(programs.flatMap(programSources))];
  const objects = new Map<string, string>();
  await inParallel(sources.flatMap((source) =>
    widths.map((xlen) => async () => {
      objects.set(`${source} ${xlen}`, await compile(source, xlen, dir));
    })
  ));
  return await inParallel(programs.flatMap((program) =>
    widths.map((xlen) => async () => {
      const name = imageName(program, xlen);
      const inputs = programSources(program).map((source) => objects.get(`${source} ${xlen}`)!);
      await run("gcc", [
        ...targetFlags(xlen),
        ...linkFlags(program),
        "-o",
        `${dir}/${name}.elf`,
        ...inputs,
        "-lgcc",
      ]);
      await run("objcopy", ["-O", "binary", `${dir}/${name}.elf`, `${dir}/${name}.bin`]);
      const bin = await Deno.readFile(`${dir}/${name}.bin`);
      const elf = await Deno.readFile(`${dir}/${name}.elf`);
      return { name, program, xlen, bin, elf };
    })
  ));
}

/** SHA-256 in hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function manifestImage(image: BuiltImage): Promise<ManifestImage> {
  const { program, xlen } = image;
  return {
    name: image.name,
    what: program.what,
    kind: program.kind,
    xlen,
    sources: programSources(program),
    flags: [...compileFlags(xlen), ...linkFlags(program)],
    bin: { bytes: image.bin.length, sha256: await sha256(image.bin) },
    elf: { bytes: image.elf.length, sha256: await sha256(image.elf) },
    status: program.status,
    memory: program.memory,
    devices: program.devices,
    ...(program.options === undefined || program.options.length === 0 ? {} : { options: program.options }),
    ...(program.virtioVersion === undefined ? {} : { virtioVersion: program.virtioVersion }),
    ...(program.input === undefined ? {} : { input: program.input }),
  };
}

/**
 * Compares built images with the ones in `images/`. Returns a line for each difference; nothing is compared (and the
 * list is empty) when the manifest was made by another compiler.
 */
export async function compareGuest(built: readonly BuiltImage[]): Promise<string[]> {
  const manifest = await readManifest();
  const versions = await toolVersions();
  if (versions?.compiler !== manifest.compiler || versions.linker !== manifest.linker) return [];
  const differences: string[] = [];
  for (const image of built) {
    const recorded = manifest.images.find((entry) => entry.name === image.name);
    if (JSON.stringify(recorded) !== JSON.stringify(await manifestImage(image))) {
      differences.push(`images/manifest.json: ${image.name} is not what guest/ builds now; run deno task guest`);
    }
    for (const kind of ["bin", "elf"] as const) {
      const path = `${root}images/${image.name}.${kind}`;
      const file = await Deno.readFile(path).catch(() => new Uint8Array());
      if (await sha256(file) !== await sha256(image[kind])) {
        differences.push(`images/${image.name}.${kind}: differs from what guest/ builds now; run deno task guest`);
      }
    }
  }
  return differences;
}

async function write(built: readonly BuiltImage[]): Promise<void> {
  const versions = await toolVersions();
  if (versions === undefined) throw new Error(`${prefix}gcc: not found`);
  await Deno.mkdir(`${root}images`, { recursive: true });
  const old = await readManifest().catch(() => undefined);
  const entries = new Map(old?.images.map((entry) => [entry.name, entry]));
  for (const image of built) {
    entries.set(image.name, await manifestImage(image));
    await Deno.writeFile(`${root}images/${image.name}.bin`, image.bin);
    await Deno.writeFile(`${root}images/${image.name}.elf`, image.elf);
  }
  const names = guestPrograms.flatMap((program) => [imageName(program, 64), imageName(program, 32)]);
  const images = names.flatMap((name) => entries.get(name) ?? []);
  const manifest: Manifest = { ...versions, images };
  await Deno.writeTextFile(`${root}images/manifest.json`, JSON.stringify(manifest, undefined, 2) + "\n");
  const total = images.reduce((sum, image) => sum + image.bin.bytes + image.elf.bytes, 0);
  console.log(`wrote ${built.length} of ${images.length} images, ${(total / 1024).toFixed(0)} KiB in all`);
}

async function main(args: readonly string[]): Promise<number> {
  const check = args.includes("--check");
  const names = args.filter((arg) => arg !== "--check");
  const unknown = names.find((name) => !guestPrograms.some((program) => program.name === name));
  if (unknown !== undefined) {
    console.error(
      `build_guest: no program called ${unknown}; there are ${guestPrograms.map((p) => p.name).join(", ")}`,
    );
    return 2;
  }
  if (await toolVersions() === undefined) {
    console.error(`build_guest: ${prefix}gcc not found (Debian: gcc-riscv64-unknown-elf; or set RISCV_PREFIX)`);
    return 1;
  }
  const programs = names.length === 0 ? guestPrograms : guestPrograms.filter((p) => names.includes(p.name));
  const dir = await Deno.makeTempDir({ prefix: "ringside-guest-" });
  try {
    const built = await buildGuest(programs, dir);
    if (!check) {
      await write(built);
      return 0;
    }
    const differences = await compareGuest(built);
    for (const line of differences) console.error(line);
    if (differences.length === 0) console.log(`${built.length} images: as built`);
    return differences.length === 0 ? 0 : 1;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
