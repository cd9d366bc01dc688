/**
 * What can be put on the virtio slots, and what can be said of it. Kinds and parameters are two tables: the parser,
 * `--device help`, `--device KIND,help`, did-you-mean and the documentation read them.
 */
import { SECTOR_SIZE } from "../../devices/block_backend.ts";
import { BLK_QUEUES_MAX, type BlkLifetime, blkSwitches, type BlkSwitchName } from "../../devices/virtio/blk_config.ts";
import { CONSOLE_PORTS_MAX, consoleSwitches, type ConsoleSwitchName } from "../../devices/virtio/console.ts";
import { type FeatureSwitch, featureSwitches, type FeatureSwitchName } from "../../devices/virtio/offered.ts";
import { QUEUE_SIZE_MAX } from "../../devices/virtio/ring.ts";
import { isPowerOfTwo } from "../bits.ts";
import { SHARED_MEMORY_SIZE, VIRTIO_SLOTS } from "../board.ts";
import { parseTarget, type PortTarget, targetHelp } from "./port_target.ts";
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
  {
    name: "console",
    what: "console on standard input and output, with further ports if asked for",
    also: ["serial", "tty"],
    byDefault: true,
  },
  { name: "blk", what: "disk in memory (--drive gives it a file)", also: ["block", "disk"], byDefault: true },
  { name: "rng", what: "source of entropy, seeded by --seed", also: ["entropy", "random"], byDefault: true },
  {
    name: "dummy",
    what: "test device, DeviceID 63: fills the buffers it is given with numbers",
    also: ["test"],
    byDefault: false,
  },
];

/** A port of a console beside port 0. */
export interface PortSpec {
  /** What the guest finds it by. */
  readonly name?: string;
  readonly target: PortTarget;
  /** Whether it is for a text console. */
  readonly console: boolean;
}

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
  /** Features of transport and virtqueues switched on or off. */
  switches?: Partial<Record<FeatureSwitchName, boolean>>;
  /** Features of the device type switched on or off. */
  features?: Partial<Record<BlkSwitchName | ConsoleSwitchName, boolean>>;
  /** blk: the file behind it; absent: memory. */
  file?: string;
  readOnly?: boolean;
  /** blk with a file: where changes go instead; or to memory, where they are gone after the run. */
  overlay?: string;
  snapshot?: boolean;
  /** blk in memory: bytes. */
  size?: number;
  numQueues?: number;
  segMax?: number;
  sizeMax?: number;
  blockSize?: number;
  physicalBlockSize?: number;
  serial?: string;
  lifetime?: BlkLifetime;
  /** console: where port 0 goes; absent: the terminal. */
  target?: PortTarget;
  ports?: PortSpec[];
  maxPorts?: number;
  resizeOrder?: "rows" | "columns";
  /** rng: entropy of the host. */
  hostEntropy?: boolean;
  /** dummy: bytes of shared memory. */
  sharedMemory?: number;
}

/** Size of a disk in memory when nothing is said, in bytes. */
export const DISK_SIZE: number = 1 << 20;

/** Where a parameter is understood: a kind, or `file` for a disk with a file. */
export type Place = DeviceKind | "file";

/** A parameter after the comma. */
export interface ParameterRow {
  readonly name: string;
  /** Name of its value in help; absent for one that takes none. */
  readonly value?: string;
  /** Where it is understood; absent: everywhere. */
  readonly only?: readonly Place[];
  /** May be given several times. */
  readonly repeated?: true;
  /** Switches a feature. */
  readonly feature?: true;
  readonly help: string;
  readonly set: (spec: DeviceSpec, text: string) => void;
}

/** A switch of a feature. */
function switchRow<Name extends string>(
  row: FeatureSwitch<Name>,
  set: (spec: DeviceSpec, on: Partial<Record<Name, boolean>>) => void,
  only?: readonly Place[],
): ParameterRow {
  return {
    name: row.name,
    value: "on|off",
    ...(only !== undefined && { only }),
    feature: true,
    help: `offers ${row.feature}: ${row.what} (default ${row.default ? "on" : "off"})`,
    set: (spec, text) => set(spec, { [row.name]: parseOnOff(text) } as Partial<Record<Name, boolean>>),
  };
}

const DISKS = ["blk", "file"] as const;

/** Bounds of a block of a disk, in bytes. */
const BLOCKS = { min: SECTOR_SIZE, max: 1 << 20 };

let rows: readonly ParameterRow[] | undefined;

/** Every parameter of `--device` and `--drive`. The table is made for the first of these: most runs have none. */
export function parameters(): readonly ParameterRow[] {
  return rows ??= allParameters();
}

const allParameters = (): ParameterRow[] => [
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
  {
    name: "queue-size",
    value: "N",
    help: "most entries of each of its queues: a power of two, with packed=on any number " +
      `(default: the kind's; up to ${QUEUE_SIZE_MAX})`,
    set: (spec, text) => spec.queueSize = parseInteger(text, { min: 1, max: QUEUE_SIZE_MAX }),
  },
  ...featureSwitches.map((row) => switchRow(row, (spec, on) => spec.switches = { ...spec.switches, ...on })),
  {
    name: "ro",
    only: DISKS,
    help: "the disk cannot be written; its file is opened for reading only",
    set: (spec) => spec.readOnly = true,
  },
  {
    name: "overlay",
    value: "FILE",
    only: ["file"],
    help: "what is written goes to FILE, which is made if it is not there, and the disk's file is left as it is; " +
      "--commit-overlay writes it out",
    set: (spec, text) => {
      if (text === "") throw new RangeError("the name of a file");
      spec.overlay = text;
    },
  },
  {
    name: "snapshot",
    only: ["file"],
    help: "what is written is kept in memory and gone after the run; the disk's file is left as it is",
    set: (spec) => spec.snapshot = true,
  },
  {
    name: "size",
    value: "SIZE",
    only: ["blk"],
    help: `size of a disk in memory, in sectors of ${SECTOR_SIZE} bytes (default ${formatSize(DISK_SIZE)})`,
    set: (spec, text) => spec.size = parseSize(text, { min: SECTOR_SIZE, max: 2 ** 30 }, SECTOR_SIZE),
  },
  {
    name: "serial",
    value: "TEXT",
    only: DISKS,
    help: "what GET_ID tells, at most 20 characters of ASCII (default ringside)",
    set: (spec, text) => spec.serial = parseSerial(text),
  },
  {
    name: "num-queues",
    value: "N",
    only: DISKS,
    help: `request queues, 1 to ${BLK_QUEUES_MAX} (default 1)`,
    set: (spec, text) => spec.numQueues = parseInteger(text, { min: 1, max: BLK_QUEUES_MAX }),
  },
  {
    name: "seg-max",
    value: "N",
    only: DISKS,
    help: "most segments of a request (default: 2 less than the queue size)",
    set: (spec, text) => spec.segMax = parseInteger(text, { min: 1, max: QUEUE_SIZE_MAX }),
  },
  {
    name: "size-max",
    value: "SIZE",
    only: DISKS,
    help: "largest segment; offers VIRTIO_BLK_F_SIZE_MAX (default 64K with size_max=on)",
    set: (spec, text) => {
      spec.sizeMax = parseSize(text, { min: 1, max: 2 ** 31 }, 1);
      spec.features = { size_max: true, ...spec.features };
    },
  },
  {
    name: "block-size",
    value: "SIZE",
    only: DISKS,
    help: `block size, a power of two (default ${SECTOR_SIZE})`,
    set: (spec, text) => spec.blockSize = parseBlock(text),
  },
  {
    name: "physical-block-size",
    value: "SIZE",
    only: DISKS,
    help: "size of a physical block, a power of two (default: block-size)",
    set: (spec, text) => spec.physicalBlockSize = parseBlock(text),
  },
  {
    name: "wear",
    value: "EOL:A:B",
    only: DISKS,
    help: "what GET_LIFETIME tells: pre_eol_info, 0 to 3, and the wear of both kinds of cells, 0 to 11 (default 1:1:1)",
    set: (spec, text) => spec.lifetime = parseWear(text),
  },
  ...blkSwitches.map((row) => switchRow(row, (spec, on) => spec.features = { ...spec.features, ...on }, DISKS)),
  {
    name: "to",
    value: "TARGET",
    only: ["console"],
    help: `where port 0 goes: ${targetHelp} (default terminal)`,
    set: (spec, text) => spec.target = parseTarget(text),
  },
  {
    name: "port",
    value: "[NAME@]TARGET",
    only: ["console"],
    repeated: true,
    help: "a further port, and what the guest finds it by; given again, another one",
    set: (spec, text) => spec.ports = [...spec.ports ?? [], parsePort(text, false)],
  },
  {
    name: "console-port",
    value: "[NAME@]TARGET",
    only: ["console"],
    repeated: true,
    help: "a further port that is for a text console",
    set: (spec, text) => spec.ports = [...spec.ports ?? [], parsePort(text, true)],
  },
  {
    name: "max-ports",
    value: "N",
    only: ["console"],
    help: `most ports at a time, 1 to ${CONSOLE_PORTS_MAX} (default: those that are there)`,
    set: (spec, text) => spec.maxPorts = parseInteger(text, { min: 1, max: CONSOLE_PORTS_MAX }),
  },
  {
    name: "resize-order",
    value: "rows|columns",
    only: ["console"],
    help: "what comes first in a RESIZE message: rows as Linux has it, or columns as the text of virtio 1.2 " +
      "(default rows)",
    set: (spec, text) => {
      if (text !== "rows" && text !== "columns") throw new RangeError("rows or columns");
      spec.resizeOrder = text;
    },
  },
  ...consoleSwitches.map((row) =>
    switchRow(row, (spec, on) => spec.features = { ...spec.features, ...on }, ["console"])
  ),
  {
    name: "shared-memory",
    value: "SIZE",
    only: ["dummy"],
    help: `a shared memory region, up to ${formatSize(SHARED_MEMORY_SIZE)}, in which it counts the buffers it fills ` +
      "(default none)",
    set: (spec, text) => spec.sharedMemory = parseSize(text, { min: 4, max: SHARED_MEMORY_SIZE }, 4),
  },
  {
    name: "source",
    value: "seed|host",
    only: ["rng"],
    help: "where entropy comes from: seed gives the same bytes in every run, host the host's own (default seed)",
    set: (spec, text) => {
      if (text !== "seed" && text !== "host") throw new RangeError("seed or host");
      spec.hostEntropy = text === "host";
    },
  },
];

/** `on` or `off`; a RangeError says so. */
export function parseOnOff(text: string): boolean {
  if (text !== "on" && text !== "off") throw new RangeError("on or off");
  return text === "on";
}

function parseBlock(text: string): number {
  const size = parseSize(text, BLOCKS, 1);
  if (!isPowerOfTwo(size)) throw new RangeError(`a power of two from ${BLOCKS.min} to ${BLOCKS.max}`);
  return size;
}

function parseSerial(text: string): string {
  if (!/^[\x20-\x7e]{1,20}$/.test(text)) throw new RangeError("1 to 20 characters of ASCII");
  return text;
}

/** `1:2:3`; values that virtio 1.2 §5.2.6 reserves are refused. */
function parseWear(text: string): BlkLifetime {
  const [preEolInfo = -1, typA = -1, typB = -1, ...more] = text.split(":").map((part) =>
    /^\d+$/.test(part) ? +part : -1
  );
  const inside = (value: number, max: number): boolean => value >= 0 && value <= max;
  if (more.length > 0 || !inside(preEolInfo, 3) || !inside(typA, 11) || !inside(typB, 11)) {
    throw new RangeError("three numbers, 0 to 3, 0 to 11 and 0 to 11, such as 1:2:3");
  }
  return { preEolInfo, typA, typB };
}

/** `name@target`, or a target alone. */
export function parsePort(text: string, console: boolean): PortSpec {
  const match = /^([^@:]+)@(.*)$/.exec(text);
  const target = parseTarget(match === null ? text : match[2]!);
  return match === null ? { target, console } : { name: match[1]!, target, console };
}
