/** Makes the devices that the command line asks for. */
import { type BlockBackend, HostError } from "../../devices/block_backend.ts";
import type { CharPort } from "../../devices/char_port.ts";
import { MemoryDisk } from "../../devices/host/memory.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import { VirtioConsole } from "../../devices/virtio/console.ts";
import type { VirtioDevice } from "../../devices/virtio/device.ts";
import { VirtioDummy } from "../../devices/virtio/dummy.ts";
import { featureSwitches, legacyHas } from "../../devices/virtio/offered.ts";
import { VirtioRng } from "../../devices/virtio/rng.ts";
import type { SlotOptions } from "../machine.ts";
import type { Chaos } from "./chaos.ts";
import { type DeviceKind, type DeviceSpec, DISK_SIZE } from "./device_spec.ts";
import { fileError, InputError, UsageError } from "./errors.ts";

/** What devices are made with. */
export interface SlotContext {
  readonly defaultVersion: 1 | 2;
  readonly seed: number;
  /** The console port of a slot. */
  readonly port: (slot: number) => CharPort;
  /** Size of the terminal, where there is one. */
  readonly size: { readonly cols: number; readonly rows: number } | undefined;
  /** Makes devices hostile. */
  readonly chaos?: Chaos | undefined;
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
  const disks = await openDisks(specs, files);
  const make: Readonly<Record<DeviceKind, (spec: DeviceSpec, slot: number) => VirtioDevice>> = {
    console: (spec, slot) => {
      const device = new VirtioConsole({ port: context.port(slot), ...context.size, ...queueSize(spec) });
      consoles.push(device);
      return device;
    },
    blk: (spec) => new VirtioBlk({ backend: disks.get(spec)!, discard: spec.discard ?? false, ...queueSize(spec) }),
    rng: (spec, slot) => new VirtioRng({ seed: context.seed + slot, ...queueSize(spec) }),
    dummy: (spec) => new VirtioDummy(queueSize(spec)),
  };
  const options = specs.map((spec, slot): SlotOptions | undefined =>
    spec && {
      device: make[spec.kind](spec, slot),
      version: spec.version ?? context.defaultVersion,
      ...(spec.latencyNs !== undefined && { latencyNs: spec.latencyNs }),
      ...(spec.strict !== undefined && { strict: spec.strict }),
      ...(spec.switches !== undefined && { switches: spec.switches }),
      ...(chaos !== undefined && { transport: chaos.transport(slot) }),
    }
  );
  return { options, consoles, close: () => files.forEach(closeDisk) };
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
