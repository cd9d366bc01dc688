/** Makes the devices that the command line asks for. */
import type { BlockBackend } from "../../devices/block_backend.ts";
import type { CharPort } from "../../devices/char_port.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import type { BlkOptions } from "../../devices/virtio/blk_config.ts";
import { type ConsoleOptions, type ConsolePortOptions, VirtioConsole } from "../../devices/virtio/console.ts";
import type { VirtioDevice } from "../../devices/virtio/device.ts";
import { featureSwitches, legacyHas } from "../../devices/virtio/offered.ts";
import { VirtioRng } from "../../devices/virtio/rng.ts";
import type { SlotOptions } from "../machine.ts";
import type { HostPort, PortHost } from "../../devices/host/ports.ts";
import type { Chaos } from "./chaos.ts";
import { openPorts } from "./console_ports.ts";
import type { DeviceKind, DeviceSpec } from "./device_parameters.ts";
import { closeDisk, type OpenDisk, openDisks } from "./disks.ts";
import { UsageError } from "./errors.ts";

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
  /** Gives what the guest sent last a moment to leave its ports. */
  readonly flush: () => Promise<void>;
  /** Flushes and closes the files of the disks, and closes the ports. */
  readonly close: () => void;
}

/** How long the other ends of ports may take to read what the guest sent last, in milliseconds. */
const FLUSH_MS = 1000;

/** A host that waits for nothing. */
const NOBODY: PortHost = { wake: () => {}, hold: () => () => {}, report: () => {} };

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
  const flush = async (): Promise<void> => {
    const flushed = Promise.all(ports.flatMap((port) => port.flush?.() ?? []));
    if (ports.length > 0) await Promise.race([flushed, new Promise((resolve) => setTimeout(resolve, FLUSH_MS))]);
  };
  try {
    const disks = await openDisks(specs, files);
    const opened = await openPorts(specs, { terminal: context.port, host: context.host ?? NOBODY, opened: ports });
    const test = specs.some((spec) => spec?.kind === "dummy")
      ? await import("../../devices/virtio/dummy.ts")
      : undefined;
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
      dummy: (spec) => new test!.VirtioDummy({ ...queueSize(spec), ...given({ sharedMemory: spec.sharedMemory }) }),
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
    return { options, consoles, flush, close };
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
