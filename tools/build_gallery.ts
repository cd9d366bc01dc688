/**
 * Builds the gallery of wrong drivers: `images/gallery/NAME.elf` and `images/gallery/manifest.json`.
 *
 *     deno run -A tools/build_gallery.ts [--check] [NAME…]
 *
 * With `--check` nothing changes: images are compared as `tools/build_guest.ts` does it.
 */
import { compileFlags, inParallel, linkFlags, run, sha256, targetFlags, toolVersions } from "./build_guest.ts";
import { argumentsOf, type Base, baseOf, type Change, changed, type Mistake, shapeOf } from "./gallery/mistake.ts";
import { galleryNames, mistakes } from "./gallery/table.ts";
import { OPTIONS_SECTION } from "../vm/cli/settings.ts";
import { driverSources, libSources, virtioSources } from "./guest_images.ts";

const root = new URL("../", import.meta.url).pathname;
const folder = `${root}images/gallery/`;
const guest = `${root}guest/`;

/** Library files whose functions a finding can name: those have debug information. */
const TOLD: readonly string[] = ["lib/start.S", "lib/main.c", "lib/trap.c", "lib/plic.c", "lib/timer.c"];

/** One image as the manifest has it. */
export interface GalleryImage {
  readonly name: string;
  readonly base: string;
  /** What it asks of its machine. */
  readonly arguments: readonly string[];
  /** SHA-256 of the image, and of everything it is made from. */
  readonly sha256: string;
  readonly sources: string;
}

/** `images/gallery/manifest.json`. */
export interface GalleryManifest {
  readonly compiler: string;
  readonly linker: string;
  readonly images: readonly GalleryImage[];
}

/** A source as it is compiled: with its changes, and the flags for it. */
interface Source {
  readonly file: string;
  readonly text: string;
  readonly flags: readonly string[];
}

/** Debug information for lines, functions and callers only: an image is to be small. */
function flagsFor(file: string, base: Base): string[] {
  const told = !file.startsWith("lib/") || TOLD.includes(file);
  // The compiler sees through some mistakes: it is not asked for its opinion.
  const flags = compileFlags(64).filter((flag) => flag !== "-O2" && !/^-[gW]/.test(flag));
  const denied = file === base.main ? [`-DDENIED_FEATURES=(${base.denied})`] : [];
  return [...flags, "-w", "-Os", ...(told ? ["-gdwarf-4", "-g1"] : ["-g0"]), ...denied];
}

function read(file: string): string {
  return Deno.readTextFileSync(guest + file);
}

/** The sources of an image; a change for a file that it does not have is an error. */
export function gallerySources(base: Base, mistake: Mistake | undefined): Source[] {
  const files = [...libSources, ...virtioSources, ...driverSources(base.driver), base.main];
  const wrong = new Map<string, Change[]>(shapeOf(base).map(({ file, change }) => [file, [change]]));
  if (mistake !== undefined) wrong.set(mistake.file, [...wrong.get(mistake.file) ?? [], ...mistake.changes]);
  for (const file of wrong.keys()) if (!files.includes(file)) throw new Error(`gallery: no guest/${file} to change`);
  return files.map((file) => {
    return { file, text: changed(file, read(file), wrong.get(file) ?? []), flags: flagsFor(file, base) };
  });
}

/** A hash of everything that an image is made from; without a compiler it tells whether the image is of today. */
export async function sourcesHash(base: Base, mistake: Mistake | undefined): Promise<string> {
  const headers = ["lib", "virtio", "generated"].flatMap((room) =>
    [...Deno.readDirSync(guest + room)].filter(({ name }) => name.endsWith(".h")).map(({ name }) => `${room}/${name}`)
  );
  const parts = [
    ...gallerySources(base, mistake).map(({ file, text, flags }) => [file, text, ...flags]),
    ...[...headers.sort(), "lib/link.ld"].map((file) => [file, read(file)]),
    galleryLinkFlags(),
    small,
    argumentsOf(base, mistake),
  ];
  return await sha256(new TextEncoder().encode(JSON.stringify(parts)));
}

function galleryLinkFlags(): string[] {
  return [...linkFlags({}), "-Wl,--discard-locals"];
}

/** Compiles a source once; the same text with the same flags is the same object. */
class Objects {
  readonly #dir: string;
  readonly #made = new Map<string, Promise<string>>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  compile(source: Source): Promise<string> {
    const key = JSON.stringify(source);
    let made = this.#made.get(key);
    if (made === undefined) this.#made.set(key, made = this.#compile(source, `${this.#dir}/${this.#made.size}`));
    return made;
  }

  /** The text is compiled where its includes are found, under the name that it has in the repository. */
  async #compile({ file, text, flags }: Source, dir: string): Promise<string> {
    const path = `${dir}/guest/${file}`;
    const here = path.slice(0, path.lastIndexOf("/"));
    await Deno.mkdir(here, { recursive: true });
    await Deno.writeTextFile(path, text);
    const quoted = `guest/${file.slice(0, file.lastIndexOf("/"))}`;
    const map = [
      `-ffile-prefix-map=${dir}/=`,
      `-ffile-prefix-map=${root.replace(/\/$/, "")}=.`,
      `-Wa,--debug-prefix-map=${dir}/=`,
    ];
    await run("gcc", [
      ...flags,
      ...map,
      `-Wa,--debug-prefix-map=${root.replace(/\/$/, "")}=.`,
      "-iquote",
      quoted,
      "-I",
      quoted,
      "-c",
      "-o",
      `${path}.o`,
      path,
    ]);
    return `${path}.o`;
  }
}

/** What a debugger can do without is left out, and the rest compressed. */
const small: readonly string[] = [
  "-R",
  ".debug_aranges",
  "-R",
  ".riscv.attributes",
  "--compress-debug-sections=zlib-gabi",
];

/** Builds images by name. */
export async function buildGallery(
  names: readonly string[],
  dir: string,
): Promise<{ readonly name: string; readonly elf: Uint8Array<ArrayBuffer> }[]> {
  const objects = new Objects(dir);
  // A change that no longer fits is told before anything is compiled.
  const images = names.map((name) => {
    const { base, mistake } = galleryEntry(name);
    return { name, sources: gallerySources(base, mistake), options: argumentsOf(base, mistake) };
  });
  return await inParallel(images.map(({ name, sources, options }) => async () => {
    const made = await Promise.all(sources.map((source) => objects.compile(source)));
    const path = `${dir}/${name}.elf`;
    await run("gcc", [...targetFlags(64), ...galleryLinkFlags(), "-o", path, ...made, "-lgcc"]);
    await Deno.writeTextFile(`${path}.options`, options.join(" "));
    const section = options.length === 0 ? [] : ["--add-section", `${OPTIONS_SECTION}=${path}.options`];
    await run("objcopy", [...small, ...section, path]);
    return { name, elf: await Deno.readFile(path) };
  }));
}

/** What an image's name stands for. */
export function galleryEntry(name: string): { readonly base: Base; readonly mistake: Mistake | undefined } {
  const mistake = mistakes.find((one) => one.name === name);
  return { base: baseOf(mistake?.base ?? name.replace(/^correct_/, "")), mistake };
}

/** Reads the manifest; with nothing in it where there is none. */
export function readGalleryManifest(): GalleryManifest {
  try {
    return JSON.parse(Deno.readTextFileSync(`${folder}manifest.json`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { compiler: "", linker: "", images: [] };
    throw error;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const check = args.includes("--check");
  const asked = args.filter((arg) => arg !== "--check");
  const unknown = asked.find((name) => !galleryNames.includes(name));
  const versions = await toolVersions();
  if (unknown !== undefined || versions === undefined) {
    console.error(unknown === undefined ? "build_gallery: no RISC-V GCC" : `build_gallery: no image ${unknown}`);
    return 1;
  }
  const names = asked.length > 0 ? asked : galleryNames;
  const dir = await Deno.makeTempDir({ prefix: "ringside-gallery-" });
  try {
    const built = await buildGallery(names, dir);
    return check ? await compare(built) : await write(built, versions);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

type Built = Awaited<ReturnType<typeof buildGallery>>;

async function compare(built: Built): Promise<number> {
  const recorded = new Map(readGalleryManifest().images.map((image) => [image.name, image.sha256]));
  let different = 0;
  for (const { name, elf } of built) {
    if (recorded.get(name) === await sha256(elf)) continue;
    console.error(`images/gallery/${name}.elf: differs from what guest/ builds now; run deno task guest`);
    different++;
  }
  return different === 0 ? 0 : 1;
}

async function write(built: Built, versions: { compiler: string; linker: string }): Promise<number> {
  await Deno.mkdir(folder, { recursive: true });
  const entries = new Map(readGalleryManifest().images.map((image) => [image.name, image]));
  for (const { name, elf } of built) {
    await Deno.writeFile(`${folder}${name}.elf`, elf);
    const { base, mistake } = galleryEntry(name);
    const hashes = { sha256: await sha256(elf), sources: await sourcesHash(base, mistake) };
    entries.set(name, { name, base: base.name, arguments: argumentsOf(base, mistake), ...hashes });
  }
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".elf") && !galleryNames.includes(name.slice(0, -4))) await Deno.remove(folder + name);
  }
  const images = galleryNames.flatMap((name) => entries.get(name) ?? []);
  const manifest: GalleryManifest = { ...versions, images };
  await Deno.writeTextFile(`${folder}manifest.json`, `${JSON.stringify(manifest, undefined, 2)}\n`);
  const bytes = built.reduce((sum, { elf }) => sum + elf.length, 0);
  console.log(
    `wrote ${built.length} of ${galleryNames.length} images of the gallery, ${(bytes / 1024).toFixed(0)} KiB`,
  );
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
