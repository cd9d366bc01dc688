/** Opens the disks that the command line asks for, and writes overlays out. */
import { type BlockBackend, HostError } from "../../devices/block_backend.ts";
import { MemoryDisk } from "../../devices/host/memory.ts";
import { type DeviceSpec, DISK_SIZE } from "./device_parameters.ts";
import { fileError, InputError, UsageError } from "./errors.ts";

/** A disk's file that is open. */
export interface OpenDisk {
  readonly name: string;
  readonly disk: { close(): void };
}

/** Closes a disk; what the guest wrote and the host cannot keep is an error of the run. */
export function closeDisk({ name, disk }: OpenDisk): void {
  try {
    disk.close();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new InputError(name, `cannot be closed: ${error.message}`);
  }
}

/** The disks of all block devices, those with files added to `files`; the host side of files is loaded only then. */
export async function openDisks(
  specs: readonly (DeviceSpec | undefined)[],
  files: OpenDisk[],
): Promise<ReadonlyMap<DeviceSpec, BlockBackend>> {
  const disks = new Map<DeviceSpec, BlockBackend>();
  const users = new Map<string, { readonly spec: DeviceSpec; readonly writes: boolean }>();
  for (const spec of specs) {
    if (spec?.kind !== "blk") continue;
    if (spec.file === undefined) {
      const readOnly = spec.readOnly ?? false;
      disks.set(spec, new MemoryDisk(spec.size ?? DISK_SIZE, { readOnly }));
      continue;
    }
    const writes = spec.readOnly !== true && spec.overlay === undefined && spec.snapshot !== true;
    for (const [name, writing] of [[spec.file, writes], [spec.overlay, true]] as const) {
      if (name === undefined) continue;
      const identity = identityOf(name);
      const other = identity === undefined ? undefined : users.get(identity);
      if (other !== undefined && (writing || other.writes)) {
        const what = `${other.spec.written} and ${spec.written} are the same file`;
        throw new UsageError(`${what}: only drives that do not write it may share it`);
      }
      if (identity !== undefined) users.set(identity, { spec, writes: writing });
    }
    disks.set(spec, await openFile(spec, spec.file, writes, files));
  }
  return disks;
}

/** What tells files apart; undefined for one that is not there. */
function identityOf(name: string): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(name);
    return `${dev}:${ino}`;
  } catch (error) {
    // Opening it says what is wrong with it.
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}

async function openFile(spec: DeviceSpec, file: string, writes: boolean, files: OpenDisk[]): Promise<BlockBackend> {
  const { DiskFileError, FileDisk } = await import("../../devices/host/file.ts");
  let opening = file;
  try {
    if (spec.overlay !== undefined) {
      // Says what is wrong with the file before an overlay for it is made.
      Deno.statSync(file);
      opening = spec.overlay;
      const { openOverlay } = await import("../../devices/host/overlay_file.ts");
      const overlay = openOverlay(spec.overlay, file);
      files.push({ name: spec.overlay, disk: overlay });
      return overlay.disk;
    }
    const disk = FileDisk.open(file, { readOnly: !writes });
    files.push({ name: file, disk });
    if (spec.snapshot !== true) return disk;
    const { memoryOverlay } = await import("../../devices/host/overlay_file.ts");
    return memoryOverlay(disk);
  } catch (error) {
    if (error instanceof DiskFileError) throw new InputError(file, `cannot be a disk: ${error.message}`);
    if (error instanceof HostError) throw new InputError(opening, `cannot be used: ${error.message}`);
    const hint = writes ? "opened for reading and writing (,ro opens it for reading only)" : "read";
    fileError(opening, opening === file ? hint : "opened for reading and writing", error);
  }
}

/** Writes the overlay of `spec` to the file it lies over, and removes it; says so in a line. */
export async function commitDrive(spec: DeviceSpec): Promise<string> {
  const { DiskFileError } = await import("../../devices/host/file.ts");
  const { commitOverlay } = await import("../../devices/host/overlay_file.ts");
  const { file = "", overlay = "" } = spec;
  try {
    const bytes = commitOverlay(overlay, file);
    return `${overlay}: ${bytes} bytes were written to ${file}, and the overlay was removed`;
  } catch (error) {
    if (error instanceof DiskFileError) {
      throw new InputError(file, `the overlay cannot be written out: ${error.message}`);
    }
    if (error instanceof HostError) {
      throw new InputError(file, `${error.message}; the overlay is as it was, and can be written out again`);
    }
    fileError(error instanceof Deno.errors.NotFound && identityOf(file) !== undefined ? overlay : file, "read", error);
  }
}
