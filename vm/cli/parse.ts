/** Turns the command line into {@linkcode Settings} by the table of options. */
import { parseArgs } from "@std/cli/parse-args";
import { FLASH_BANKS } from "../board.ts";
import { boots } from "./boot_files.ts";
import { assignSlots } from "./device_spec.ts";
import { UsageError } from "./errors.ts";
import { didYouMean } from "./nearest.ts";
import { defaultSettings, type OptionRow, options, type Settings } from "./options.ts";

/** What the command line says; UsageError where it is wrong. */
export function parseCommandLine(args: readonly string[]): Settings {
  const given = sorted(normalise(args));
  const settings = defaultSettings();
  const done = new Set<string>();
  for (const row of options) {
    const value = given[key(row)];
    if (row.value === undefined) {
      if (value === true) row.set(settings, "");
    } else if (row.series === undefined) {
      for (const text of value as string[] ?? []) apply(row, settings, text);
    } else if (!done.has(row.series)) {
      done.add(row.series);
      for (const text of value as string[] ?? []) {
        const [name, rest] = cut(text, "=");
        apply(find(name)!, settings, rest!);
      }
    }
  }
  if (settings.show === undefined) {
    const images = given._.map(String);
    if (settings.commit !== undefined) {
      if (images.length > 0) {
        throw new UsageError(`--commit-overlay runs nothing: expected no image, got "${images[0]}"`);
      }
      return settings;
    }
    if (images.length > 0 || (settings.dumpDtb === undefined && settings.bios === undefined && !boots(settings))) {
      settings.image = oneImage(images);
    }
    check(settings);
  }
  return settings;
}

/** What `parseArgs` makes of normal arguments: values by name, and what is no option under `_`. */
function sorted(args: readonly string[]): Readonly<Record<string, unknown>> & { readonly _: readonly unknown[] } {
  // Without an option there is nothing to sort, and code that need not be compiled.
  if (args[0] === "--") return { _: args.slice(1) };
  return parseArgs([...args], {
    boolean: options.filter((row) => row.value === undefined).map((row) => row.name),
    string: ["_", ...options.filter((row) => row.value !== undefined).map(key)],
    collect: options.filter((row) => row.value !== undefined).map(key),
  });
}

/** Name under which `parseArgs` keeps a row's values: options whose order matters share one. */
function key(row: OptionRow): string {
  return row.series === undefined ? row.name : `series-${row.series}`;
}

function find(name: string): OptionRow | undefined {
  return options.find((row) => row.name === name);
}

/** `text` up to the first `separator`, and what follows it; undefined if there is none. */
function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/**
 * Writes every option as `--name=value` or `--name` and moves the rest behind `--`, so that `parseArgs` has nothing
 * left to guess: by itself it would give `--trace image.bin` the image as its value, accept unknown options, and lose
 * the order of `--expect` and `--send`.
 */
export function normalise(args: readonly string[]): string[] {
  const out: string[] = [];
  const rest: string[] = [];
  const seen = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") {
      rest.push(...args.slice(i + 1));
      break;
    }
    if (arg === "-" || !arg.startsWith("-")) {
      rest.push(arg);
      continue;
    }
    const row = recognise(arg);
    let [, value] = cut(arg, "=");
    if (row.series === undefined && seen.has(row.name)) throw new UsageError(`--${row.name} is given twice`);
    seen.add(row.name);
    if (row.value === undefined) {
      if (value !== undefined) throw new UsageError(`--${row.name} takes no value, got "${value}"`);
      out.push(`--${row.name}`);
      continue;
    }
    if (value === undefined && row.optional) {
      out.push(`--${row.name}`);
      continue;
    }
    if (value === undefined && args[i + 1]?.startsWith("--") === false) value = args[++i];
    if (value === undefined || value === "") {
      throw new UsageError(`--${row.name} needs a value: --${row.name}=${row.value}`);
    }
    out.push(`--${key(row)}=${row.series === undefined ? "" : `${row.name}=`}${value}`);
  }
  return [...out, "--", ...rest];
}

/** The row of an argument that begins with a dash. */
function recognise(arg: string): OptionRow {
  const [name] = cut(arg, "=");
  const row = options.find((one) => name === `--${one.name}` || (one.short !== undefined && name === `-${one.short}`));
  if (row !== undefined) return row;
  const hint = didYouMean(name.replace(/^-+/, ""), options.map((one) => one.name), (one) => `--${one}`);
  throw new UsageError(`unknown option ${name}${hint === "" ? "; --help lists them" : hint}`);
}

function apply(row: OptionRow, settings: Settings, text: string): void {
  const bare = row.optional === true && text === "";
  if (row.values !== undefined && !bare && !row.values.includes(text)) {
    const hint = didYouMean(text, row.values);
    throw new UsageError(`--${row.name}: expected ${alternatives(row.values)}, got "${text}"${hint}`);
  }
  try {
    row.set(settings, text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`--${row.name}: expected ${error.message}, got "${text}"`);
  }
}

function oneImage(images: readonly string[]): string {
  const [image, second] = images;
  if (image === undefined || image === "") {
    throw new UsageError(
      "no image: expected the name of a flat binary or ELF file, or - for standard input; see --help",
    );
  }
  if (second !== undefined) throw new UsageError(`one image expected, got "${image}" and "${second}"`);
  return image;
}

/** Refuses what each option allows but all of them together do not. */
function check(settings: Settings): void {
  const slots = assignSlots(settings.devices, settings.defaultDevices);
  if (settings.stdin === "virtio" && !slots.some((spec) => spec?.kind === "console")) {
    throw new UsageError("--stdin virtio: the machine has no virtio console");
  }
  checkBoot(settings);
  checkOfCheck(settings);
  checkOfTimeline(settings);
  const { trace, traceDevices, traceFormat, traceFilters } = settings;
  if (trace === undefined && traceFilters.length > 0) throw new UsageError("--trace-filter needs --trace");
  if (trace === undefined && traceFormat !== undefined && (traceDevices === undefined || traceFormat === "commit")) {
    throw new UsageError(`--trace-format ${traceFormat} needs --trace`);
  }
  if (trace !== undefined && trace !== "" && trace === traceDevices) {
    throw new UsageError(`--trace and --trace-devices would both write ${trace}`);
  }
}

/** Refuses a time line in a file that something else goes to. */
function checkOfTimeline({ timeline, trace, traceDevices, checkOutput }: Settings): void {
  if (timeline !== undefined && [trace, traceDevices, checkOutput].includes(timeline)) {
    throw new UsageError(`--timeline and another output would both write ${timeline}`);
  }
}

/** Refuses options of the driver checker without it, or that write where a trace does. */
function checkOfCheck(settings: Settings): void {
  const { check, checkOutput, trace, traceDevices } = settings;
  const options = { level: "checkLevel", suppress: "checkSuppress", format: "checkFormat", fail: "checkFail" } as const;
  for (const [name, setting] of Object.entries({ ...options, output: "checkOutput" as const })) {
    if (check === undefined && settings[setting] !== undefined) throw new UsageError(`--check-${name} needs --check`);
  }
  if (checkOutput !== undefined && (checkOutput === trace || checkOutput === traceDevices)) {
    throw new UsageError(`--check-output and a trace would both write ${checkOutput}`);
  }
}

/** `a, b or c`. */
function alternatives(values: readonly string[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}

/** Refuses options of the boot that do not go together. */
function checkBoot({ image, bios, kernel, initrd, flash }: Settings): void {
  const other = bios !== undefined ? "--bios" : kernel !== undefined ? "--kernel" : flash.length > 0 ? "--flash" : "";
  if (image !== undefined && other !== "") {
    const instead = other === "--bios" ? "give one of them" : `give it as --bios ${image}`;
    throw new UsageError(`${image} and ${other}: an image is what runs first; ${instead}`);
  }
  if ((bios === "builtin" || bios === "none") && kernel === undefined && flash.length === 0) {
    throw new UsageError(`--bios ${bios} has nothing to start: expected --kernel or --flash`);
  }
  if (initrd !== undefined && kernel === undefined) throw new UsageError("--initrd needs --kernel");
  if (flash.length > FLASH_BANKS) {
    throw new UsageError(`--flash is given ${flash.length} times: there are ${FLASH_BANKS} banks`);
  }
}
