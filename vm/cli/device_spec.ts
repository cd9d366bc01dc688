/**
 * What can be put on the virtio slots, and how `--device` and `--drive` say it. Kinds and parameters are two tables:
 * the parser, `--device help`, did-you-mean and the documentation read them.
 */
import { SECTOR_SIZE } from "../../devices/block_backend.ts";
import { featureSwitches, type FeatureSwitchName } from "../../devices/virtio/offered.ts";
import { QUEUE_SIZE_MAX } from "../../devices/virtio/ring.ts";
import { isPowerOfTwo } from "../bits.ts";
import { VIRTIO_SLOTS } from "../board.ts";
import { UsageError } from "./errors.ts";
import { didYouMean } from "./nearest.ts";
import { formatSize, parseInteger, parseSize, parseTime } from "./units.ts";

/** A kind of device, by the name `--device` takes. */
export interface KindRow {
  readonly name: DeviceKind;
  readonly what: string;
  /** Names that others give it, for did-you-mean. */
  readonly also: readonly string[];
  /** Whether a machine has one without being asked. */
  readonly byDefault: boolean;
}
export type DeviceKind = "console" | "blk" | "rng" | "dummy";

/** Every kind. Slots are filled in this order. */
export const deviceKinds: readonly KindRow[] = [
  { name: "console", what: "console on standard input and output", also: ["serial", "tty"], byDefault: true },
  { name: "blk", what: "disk in memory (--drive gives it a file)", also: ["block", "disk"], byDefault: true },
  { name: "rng", what: "source of entropy, seeded by --seed", also: ["entropy", "random"], byDefault: true },
  {
    name: "dummy",
    what: "test device, DeviceID 63: fills the buffers it is given with numbers",
    also: ["test"],
    byDefault: false,
  },
];

/** A device asked for, or there by default. */
export interface DeviceSpec {
  readonly kind: DeviceKind;
  /** As the user wrote it, for messages: `--drive disk.img`; `default blk` for a default device. */
  readonly written: string;
  slot?: number;
  /** Version of the virtio-mmio interface; absent: what `--virtio-version` says. */
  version?: 1 | 2;
  latencyNs?: number;
  strict?: boolean;
  /** Most entries of each of its queues; absent: what the device type has. */
  queueSize?: number;
  /** Features switched on or off. */
  switches?: Partial<Record<FeatureSwitchName, boolean>>;
  /** blk: the file behind it; absent: memory. */
  file?: string;
  readOnly?: boolean;
  /** blk: offer DISCARD and WRITE_ZEROES. */
  discard?: boolean;
  /** blk in memory: bytes. */
  size?: number;
}

/** Size of a disk in memory when nothing is said, in bytes. */
export const DISK_SIZE: number = 1 << 20;

/** A parameter after the comma. */
export interface ParameterRow {
  readonly name: string;
  /** Name of its value in help; absent for one that takes none. */
  readonly value?: string;
  /** Where it is understood: kinds, or `file` for a disk with a file; absent: everywhere. */
  readonly only?: readonly (DeviceKind | "file")[];
  readonly help: string;
  readonly set: (spec: DeviceSpec, text: string) => void;
}

/** Every parameter of `--device` and `--drive`. */
export const parameters: readonly ParameterRow[] = [
  {
    name: "slot",
    value: "N",
    help: `virtio-mmio slot, 0 to ${VIRTIO_SLOTS - 1} (default: the first free one)`,
    set: (spec, text) => spec.slot = parseInteger(text, { min: 0, max: VIRTIO_SLOTS - 1 }),
  },
  {
    name: "version",
    value: "1|2",
    help: "virtio-mmio version: 1 is the legacy interface, 2 the modern one (default: --virtio-version)",
    set: (spec, text) => spec.version = parseInteger(text, { min: 1, max: 2 }) as 1 | 2,
  },
  {
    name: "latency",
    value: "TIME",
    help: "virtual time from notification to completion, such as 50us (default 10us)",
    set: (spec, text) => spec.latencyNs = parseTime(text, "ns"),
  },
  {
    name: "strict",
    help: "refuse what drivers should not do but devices usually tolerate",
    set: (spec) => spec.strict = true,
  },
  ...featureSwitches.map((row): ParameterRow => ({
    name: row.name,
    value: "on|off",
    help: `offers ${row.feature}: ${row.what} (default ${row.default ? "on" : "off"})`,
    set: (spec, text) => spec.switches = { ...spec.switches, [row.name]: parseOnOff(text) },
  })),
  {
    name: "queue-size",
    value: "N",
    help: "most entries of each of its queues: a power of two, with packed=on any number " +
      `(default: the kind's; up to ${QUEUE_SIZE_MAX})`,
    set: (spec, text) => spec.queueSize = parseInteger(text, { min: 1, max: QUEUE_SIZE_MAX }),
  },
  {
    name: "ro",
    only: ["blk", "file"],
    help: "the disk cannot be written; its file is opened for reading only",
    set: (spec) => spec.readOnly = true,
  },
  {
    name: "discard",
    value: "on|off",
    only: ["blk", "file"],
    help: "offers VIRTIO_BLK_F_DISCARD and VIRTIO_BLK_F_WRITE_ZEROES (default off)",
    set: (spec, text) => spec.discard = parseOnOff(text),
  },
  {
    name: "size",
    value: "SIZE",
    only: ["blk"],
    help: `size of a disk in memory, in sectors of ${SECTOR_SIZE} bytes (default ${formatSize(DISK_SIZE)})`,
    set: (spec, text) => spec.size = parseSize(text, { min: SECTOR_SIZE, max: 2 ** 30 }, SECTOR_SIZE),
  },
];

/** `on` or `off`; a RangeError says so. */
export function parseOnOff(text: string): boolean {
  if (text !== "on" && text !== "off") throw new RangeError("on or off");
  return text === "on";
}

/** Parses the value of `--device`. */
export function parseDevice(text: string): DeviceSpec {
  const [kind = "", ...rest] = text.split(",");
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
  // A file's name has no NUL: it can stand for the doubled commas while the single ones are split at.
  const [file = "", ...rest] = text.replaceAll(",,", "\0").split(",").map((part) => part.replaceAll("\0", ","));
  if (file === "") throw new UsageError(`--drive: expected FILE[,ro][,slot=N]…, got "${text}"`);
  const spec: DeviceSpec = { kind: "blk", written: `--drive ${text}`, file };
  setParameters("--drive", spec, "file", rest);
  return spec;
}

function setParameters(option: string, spec: DeviceSpec, where: DeviceKind | "file", texts: readonly string[]): void {
  const known = parameters.filter((row) => row.only?.includes(where) ?? true);
  const seen = new Set<string>();
  for (const text of texts) {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    const row = known.find((one) => one.name === name);
    const what = where === "file" ? "a drive" : where;
    if (row === undefined) {
      const names = known.map((one) => one.name);
      const hint = didYouMean(name, names);
      throw new UsageError(`${option}: unknown parameter "${name}" of ${what}; expected ${names.join(", ")}${hint}`);
    }
    if (seen.has(name)) throw new UsageError(`${option}: ${name} is given twice in "${spec.written}"`);
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
