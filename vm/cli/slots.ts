/** Makes the devices that the command line asks for. */
import { type BlockBackend, HostError } from "../../devices/block_backend.ts";
import type { CharPort } from "../../devices/char_port.ts";
import { MemoryDisk } from "../../devices/host/memory.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import type { BlkOptions } from "../../devices/virtio/blk_config.ts";
import { type ConsoleOptions, type ConsolePortOptions, VirtioConsole } from "../../devices/virtio/console.ts";
import type { VirtioDevice } from "../../devices/virtio/device.ts";
import { VirtioDummy } from "../../devices/virtio/dummy.ts";
import { featureSwitches, legacyHas } from "../../devices/virtio/offered.ts";
import { VirtioRng } from "../../devices/virtio/rng.ts";
import type { SlotOptions } from "../machine.ts";
import type { HostPort, PortHost } from "../../devices/host/ports.ts";
import type { Chaos } from "./chaos.ts";
import { type DeviceKind, type DeviceSpec, DISK_SIZE } from "./device_parameters.ts";
import { fileError, InputError, UsageError } from "./errors.ts";
import { type PortTarget, targetPlace } from "./port_target.ts";

/** What devices are made with. */
export interface SlotContext {
  readonly defaultVersion: 1 | 2;
  readonly seed: number;
  /** The terminal, for port `id` of the console in `slot`. */
  readonly port: (slot: number, id: number) => CharPort;
  /** Size of the terminal, where there is one. */
  readonly size: { readonly cols: number; readonly rows: number } | undefined;
  /** Makes devices hostile. */
  readonly chaos?: Chaos | undefined;
  /** For ports with something outside behind them; absent: nobody waits for input. */
  readonly host?: PortHost;
}

/** What fills the slots, with what has to be told or closed later. */
export interface Slots {
  readonly options: readonly (SlotOptions | undefined)[];
  readonly consoles: readonly VirtioConsole[];
  /** Flushes and closes the files of the disks. */
  readonly close: () => void;
}

/** Makes the device of every slot; the files of disks are opened, nothing in them is changed. */
export async function makeSlots(asked: readonly (DeviceSpec | undefined)[], context: SlotContext): Promise<Slots> {
  const { chaos } = context;
  const specs = chaos?.offers(asked, context.defaultVersion) ?? asked;
  for (const spec of specs) if (spec !== undefined) checkVersion(spec, spec.version ?? context.defaultVersion);
  const consoles: VirtioConsole[] = [];
  const files: OpenDisk[] = [];
  const ports: HostPort[] = [];
  const close = (): void => {
    for (const port of ports.splice(0)) port.close();
    files.splice(0).forEach(closeDisk);
  };
  try {
    const disks = await openDisks(specs, files);
    const opened = await openPorts(specs, context, ports);
    const make: Readonly<Record<DeviceKind, (spec: DeviceSpec, slot: number) => VirtioDevice>> = {
      console: (spec, slot) => {
        const onTerminal = (spec.target?.kind ?? "terminal") === "terminal";
        const device = new VirtioConsole({ ...consoleOptions(spec, opened[slot]!), ...(onTerminal && context.size) });
        if (onTerminal) consoles.push(device);
        return device;
      },
      blk: (spec) => new VirtioBlk(blkOptions(spec, disks.get(spec)!)),
      rng: (spec, slot) => {
        const source = (target: Uint8Array): void => void crypto.getRandomValues(target as Uint8Array<ArrayBuffer>);
        return new VirtioRng({ seed: context.seed + slot, ...(spec.hostEntropy && { source }), ...queueSize(spec) });
      },
      dummy: (spec) => new VirtioDummy(queueSize(spec)),
    };
    const options = specs.map((spec, slot): SlotOptions | undefined =>
      spec && {
        device: made(spec, () => make[spec.kind](spec, slot)),
        version: spec.version ?? context.defaultVersion,
        ...(spec.latencyNs !== undefined && { latencyNs: spec.latencyNs }),
        ...(spec.strict !== undefined && { strict: spec.strict }),
        ...(spec.switches !== undefined && { switches: spec.switches }),
        ...(chaos !== undefined && { transport: chaos.transport(slot) }),
      }
    );
    return { options, consoles, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Makes a device; what the device type refuses of the parameters is the user's mistake. */
function made(spec: DeviceSpec, make: () => VirtioDevice): VirtioDevice {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${spec.written}: ${error.message.replace(/^virtio \w+: /, "")}`);
  }
}

function blkOptions(spec: DeviceSpec, backend: BlockBackend): BlkOptions {
  const { numQueues: queues, segMax, sizeMax, blockSize, physicalBlockSize, serial, lifetime, features } = spec;
  return {
    backend,
    ...queueSize(spec),
    ...given({ queues, segMax, sizeMax, blockSize, physicalBlockSize }),
    ...given({ serial, lifetime, features }),
  };
}

/** Options of a console whose ports, 0 first, are `ports`. */
function consoleOptions(spec: DeviceSpec, [port, ...others]: readonly CharPort[]): ConsoleOptions {
  const { maxPorts, resizeOrder, features } = spec;
  const ports = spec.ports?.map(({ name, console }, i): ConsolePortOptions => ({
    port: others[i]!,
    console,
    ...given({ name }),
  }));
  return { port: port!, ...queueSize(spec), ...given({ ports, maxPorts, resizeOrder, features }) };
}

/** The properties that have a value. */
function given<T extends Readonly<Record<string, unknown>>>(all: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as typeof all as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** By slot, the host's ends of a console's ports; those that are to be closed are added to `opened`. */
async function openPorts(
  specs: readonly (DeviceSpec | undefined)[],
  context: SlotContext,
  opened: HostPort[],
): Promise<readonly (readonly CharPort[] | undefined)[]> {
  const host = context.host ?? { wake: () => {}, hold: () => () => {}, report: () => {} };
  const open = async (target: PortTarget, slot: number, id: number): Promise<CharPort> => {
    if (target.kind === "terminal") return context.port(slot, id);
    const { openPort } = await import("../../devices/host/open_port.ts");
    try {
      const port = await openPort(target, host);
      opened.push(port);
      return port;
    } catch (error) {
      const { name, doing } = targetPlace(target);
      // A name that nobody knows is no error of the system's.
      if (error instanceof Error && /^failed to lookup/.test(error.message)) {
        throw new InputError(name, `cannot be ${doing}: there is no such host`);
      }
      fileError(name, doing, error);
    }
  };
  const all: (readonly CharPort[] | undefined)[] = [];
  for (const [slot, spec] of specs.entries()) {
    if (spec?.kind !== "console") continue;
    const ports: CharPort[] = [];
    for (const target of [spec.target ?? TERMINAL, ...spec.ports?.map((port) => port.target) ?? []]) {
      ports.push(await open(target, slot, ports.length));
    }
    all[slot] = ports;
  }
  return all;
}

const TERMINAL: PortTarget = { kind: "terminal" };

/** What the legacy interface has no feature bit for cannot be switched on there. */
function checkVersion(spec: DeviceSpec, version: 1 | 2): void {
  if (version === 2) return;
  for (const { name, feature } of featureSwitches) {
    if (spec.switches?.[name] !== true || legacyHas(name)) continue;
    throw new UsageError(`${spec.written}: ${name}=on needs version 2: version 1 has no ${feature}`);
  }
}

function queueSize({ queueSize }: DeviceSpec): { queueSize?: number } {
  return queueSize === undefined ? {} : { queueSize };
}

/** A disk's file that is open. */
interface OpenDisk {
  readonly name: string;
  readonly disk: { close(): void };
}

/** Closes a disk; what the guest wrote and the host cannot keep is an error of the run. */
function closeDisk({ name, disk }: OpenDisk): void {
  try {
    disk.close();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new InputError(name, `cannot be closed: ${error.message}`);
  }
}

/** The disks of all block devices; the host side of files is loaded only if there is one. */
async function openDisks(
  specs: readonly (DeviceSpec | undefined)[],
  files: OpenDisk[],
): Promise<ReadonlyMap<DeviceSpec, BlockBackend>> {
  const disks = new Map<DeviceSpec, BlockBackend>();
  const names = new Map<string, DeviceSpec>();
  for (const spec of specs) {
    if (spec?.kind !== "blk") continue;
    const readOnly = spec.readOnly ?? false;
    if (spec.file === undefined) {
      disks.set(spec, new MemoryDisk(spec.size ?? DISK_SIZE, { readOnly }));
      continue;
    }
    const { DiskFileError, FileDisk } = await import("../../devices/host/file.ts");
    try {
      const { dev, ino } = Deno.statSync(spec.file);
      const other = names.get(`${dev}:${ino}`);
      if (other !== undefined && !(readOnly && other.readOnly)) {
        throw new UsageError(
          `${other.written} and ${spec.written} are the same file: only read-only drives may share it`,
        );
      }
      names.set(`${dev}:${ino}`, spec);
      const disk = FileDisk.open(spec.file, { readOnly });
      files.push({ name: spec.file, disk });
      disks.set(spec, disk);
    } catch (error) {
      if (error instanceof DiskFileError) throw new InputError(spec.file, `cannot be a disk: ${error.message}`);
      fileError(spec.file, readOnly ? "read" : "opened for reading and writing (,ro opens it for reading only)", error);
    }
  }
  return disks;
}
