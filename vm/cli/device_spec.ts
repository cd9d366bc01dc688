/** How `--device` and `--drive` say what is on the virtio slots. */
import { isPowerOfTwo } from "../bits.ts";
import { VIRTIO_SLOTS } from "../board.ts";
import { deviceKinds, type DeviceSpec, parameters, type Place } from "./device_parameters.ts";
import { UsageError } from "./errors.ts";
import { didYouMean } from "./nearest.ts";

/** Parts of a device's text: what is between commas. A comma in a part is written twice. */
function partsOf(text: string): string[] {
  // No name has a NUL: it can stand for the doubled commas while the single ones are split at.
  return text.replaceAll(",,", "\0").split(",").map((part) => part.replaceAll("\0", ","));
}

/** What `text` asks for help on, if it does: `help`, `blk,help`, `disk.img,help`. */
export function helpAskedFor(option: "device" | "drive", text: string): "kinds" | Place | undefined {
  const [first, second] = partsOf(text);
  if (option === "device" && first === "help") return "kinds";
  if (second !== "help") return undefined;
  return option === "drive" ? "file" : deviceKinds.find((row) => row.name === first)?.name;
}

/** Parses the value of `--commit-overlay`: a drive with an overlay. */
export function parseCommit(text: string): DeviceSpec {
  const spec = parseDrive(text);
  if (spec.overlay === undefined) throw new RangeError("FILE,overlay=FILE");
  return spec;
}

/** Parses the value of `--device`. */
export function parseDevice(text: string): DeviceSpec {
  const [kind = "", ...rest] = partsOf(text);
  const names = deviceKinds.map((row) => row.name);
  const row = deviceKinds.find((one) => one.name === kind);
  if (row === undefined) {
    const meant = deviceKinds.find((one) => one.also.includes(kind.toLowerCase()))?.name;
    const hint = meant === undefined ? didYouMean(kind, [...names, "help"]) : didYouMean(meant, names);
    throw new UsageError(`--device: unknown kind "${kind}"; expected one of ${names.join(", ")}${hint}`);
  }
  const spec: DeviceSpec = { kind: row.name, written: `--device ${text}` };
  setParameters("--device", spec, row.name, rest);
  return spec;
}

/** Parses the value of `--drive`. A comma in the file's name is written twice. */
export function parseDrive(text: string): DeviceSpec {
  const [file = "", ...rest] = partsOf(text);
  if (file === "") throw new UsageError(`--drive: expected FILE[,ro][,slot=N]\u2026, got "${text}"`);
  const spec: DeviceSpec = { kind: "blk", written: `--drive ${text}`, file };
  setParameters("--drive", spec, "file", rest);
  return spec;
}

function setParameters(option: string, spec: DeviceSpec, where: Place, texts: readonly string[]): void {
  const known = parameters().filter((row) => row.only?.includes(where) ?? true);
  const seen = new Set<string>();
  for (const text of texts) {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    const row = known.find((one) => one.name === name);
    const what = where === "file" ? "a drive" : where;
    if (row === undefined) {
      const hint = didYouMean(name, known.map((one) => one.name));
      const all = `; ${option} ${where === "file" ? "FILE" : where},help lists them`;
      throw new UsageError(`${option}: unknown parameter "${name}" of ${what}${hint === "" ? all : hint}`);
    }
    if (seen.has(name) && row.repeated !== true) {
      throw new UsageError(`${option}: ${name} is given twice in "${spec.written}"`);
    }
    seen.add(name);
    if (row.value === undefined && equals >= 0) {
      throw new UsageError(`${option}: ${name} takes no value, got "${text}"`);
    }
    if (row.value !== undefined && equals < 0) {
      throw new UsageError(`${option}: expected ${name}=${row.value}, got "${text}"`);
    }
    try {
      row.set(spec, text.slice(equals + 1));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new UsageError(`${option}: ${name}: expected ${error.message}, got "${text.slice(equals + 1)}"`);
    }
  }
  const modes = [spec.readOnly && "ro", spec.overlay !== undefined && "overlay", spec.snapshot && "snapshot"];
  const [mode, second] = modes.filter((one) => typeof one === "string");
  if (second !== undefined) {
    throw new UsageError(`${option}: ${mode} and ${second} cannot both be in "${spec.written}"`);
  }
  const { queueSize, switches } = spec;
  if (queueSize !== undefined && !isPowerOfTwo(queueSize) && switches?.packed !== true) {
    throw new UsageError(`${option}: queue-size: ${queueSize} is not a power of two, which only packed=on allows`);
  }
}

/**
 * The devices of a machine by slot: those asked for, and the default of every kind that none was asked of. What names
 * no slot gets the first free one, in the order of the kinds' table and then of the command line; `reversed`: the last.
 */
export function assignSlots(
  asked: readonly DeviceSpec[],
  defaults: boolean,
  reversed = false,
): (DeviceSpec | undefined)[] {
  const all = deviceKinds.flatMap(({ name, byDefault }): DeviceSpec[] => {
    const own = asked.filter((spec) => spec.kind === name);
    return own.length > 0 || !byDefault || !defaults ? own : [{ kind: name, written: `default ${name}` }];
  });
  const slots: (DeviceSpec | undefined)[] = Array.from({ length: VIRTIO_SLOTS }, () => undefined);
  for (const spec of all) {
    if (spec.slot === undefined) continue;
    const other = slots[spec.slot];
    if (other !== undefined) {
      throw new UsageError(`slot ${spec.slot} is taken twice: by ${other.written} and by ${spec.written}`);
    }
    slots[spec.slot] = spec;
  }
  for (const spec of all) {
    if (spec.slot !== undefined) continue;
    const free = reversed ? slots.lastIndexOf(undefined) : slots.indexOf(undefined);
    if (free < 0) {
      throw new UsageError(`${all.length} devices, but only ${VIRTIO_SLOTS} slots: no room for ${spec.written}`);
    }
    slots[free] = spec;
  }
  return slots;
}
