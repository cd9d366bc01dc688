/**
 * What an ELF image asks of its machine: options in a section `.ringside`, as they are written on the command line. Only
 * those that shape the machine, and none that reaches the host; what the command line says itself goes before them.
 */
import type { Image } from "../boot/image.ts";
import { InputError, UsageError } from "./errors.ts";
import { parseCommandLine } from "./parse.ts";
import { filesOf } from "./permission.ts";
import { defaultSettings, OPTIONS_SECTION, type Settings } from "./settings.ts";

/** How many bytes of the section are read. */
const BYTES_MAX = 1024;

/** Options that an image may ask for. */
const ALLOWED: readonly string[] = ["device", "virtio-version", "timeout-insns"];

/** Settings with what an image asks for, and that in words; undefined if nothing of it is left to be done. */
export interface AskedFor {
  readonly settings: Settings;
  /** `--device blk,packed=on` */
  readonly words: string;
}

/** `given` with the options of `image`'s section `.ringside`. InputError for a section that asks for anything else. */
export function withImageOptions(given: Settings, image: Image): AskedFor | undefined {
  const section = image.elf?.sections.find(({ name }) => name === OPTIONS_SECTION);
  if (section === undefined) return undefined;
  const asked = parsed(new TextDecoder().decode(section.data.subarray(0, BYTES_MAX)), image.name);
  const own = new Set(given.devices.map(({ kind }) => kind));
  const devices = given.defaultDevices ? asked.devices.filter(({ kind }) => !own.has(kind)) : [];
  const version = given.virtioVersion === undefined ? asked.virtioVersion : undefined;
  const limited = given.timeoutInsns !== undefined || given.timeout !== undefined;
  const steps = limited ? undefined : asked.timeoutInsns;
  const words = [
    ...(version === undefined ? [] : [`--virtio-version ${version}`]),
    ...devices.map(({ written }) => written),
    ...(steps === undefined ? [] : [`--timeout-insns ${steps}`]),
  ];
  if (words.length === 0) return undefined;
  const settings: Settings = { ...given, devices: [...given.devices, ...devices] };
  if (version !== undefined) settings.virtioVersion = version;
  if (steps !== undefined) settings.timeoutInsns = steps;
  return { settings, words: words.join(" ") };
}

function parsed(text: string, name: string): Settings {
  const words = text.replace(/\0.*/s, "").split(/\s+/).filter((word) => word !== "");
  const wrong = words.find((word) => word.startsWith("-") && !ALLOWED.includes(word.replace(/^--|=.*$/gs, "")));
  if (wrong !== undefined) {
    const known = ALLOWED.map((option) => `--${option}`).join(", ");
    throw new InputError(name, `section ${OPTIONS_SECTION}: expected only ${known}, got "${wrong}"`);
  }
  try {
    const settings = parseCommandLine([...words, "--", name]);
    const { read, write, net } = filesOf({ ...defaultSettings(), devices: settings.devices });
    const host = [...read, ...write, ...net][0];
    if (host !== undefined) throw new UsageError(`an image cannot reach the host, got "${host}"`);
    return settings;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new InputError(name, `section ${OPTIONS_SECTION}: ${error.message}`);
  }
}
