/**
 * Overlays in files: what a guest wrote over a disk that stays as it is.
 *
 * The file is a header of a block, and then groups: a block of the map, a bit for each of the 32768 blocks that follow
 * at their places. It is sparse. A bit is written only after the block that it stands for is on stable storage, and a
 * flush returns after both; so a run that is killed at any point, or a host that loses power, leaves everything that
 * was flushed, and of the rest any part.
 */
import { type BlockBackend, SECTOR_SIZE } from "../block_backend.ts";
import { DiskFileError, FileDisk } from "./file.ts";
import { HostFile } from "./host_file.ts";
import { MemoryDisk } from "./memory.ts";
import { mapBytes, OVERLAY_BLOCK, OverlayDisk, type OverlayStore } from "./overlay.ts";

const MAGIC = "ringside overlay";
const VERSION = 1;

/** Bytes of the map in one block of it, and of the disk they stand for. */
const GROUP_MAP = OVERLAY_BLOCK;
const GROUP_DATA = GROUP_MAP * 8 * OVERLAY_BLOCK;

/** Bytes moved at once when an overlay is written out. */
const COMMIT_CHUNK = 1 << 20;

/** What the header says, each a number of 8 bytes from byte 16 on. */
interface Header {
  version: number;
  sizeBytes: number;
  /** Bytes of the base that show. */
  baseBytes: number;
  /** The base as it was: its size, and when it was changed last, in milliseconds since 1970. */
  baseSize: number;
  baseTime: number;
  /** 1 while the base is being written: what it was no longer counts. */
  committing: number;
}

const FIELDS = ["version", "sizeBytes", "baseBytes", "baseSize", "baseTime", "committing"] as const;

/** Blocks of the disk at their places in the file. */
class FileStore implements OverlayStore {
  readonly #file: HostFile;
  readonly #header: Header;

  constructor(file: HostFile, header: Header) {
    this.#file = file;
    this.#header = header;
  }

  read(offset: number, target: Uint8Array): void {
    this.#each(offset, target.length, (at, from, to) => this.#file.read(at, target.subarray(from, to), true));
  }

  write(offset: number, source: Uint8Array): void {
    this.#each(offset, source.length, (at, from, to) => this.#file.write(at, source.subarray(from, to)));
  }

  zero(offset: number, length: number): void {
    this.#each(offset, length, (at, from, to) => this.#file.zero(at, to - from, true));
  }

  flush(map: Uint8Array, changed: ReadonlySet<number>): void {
    this.#file.sync();
    if (changed.size === 0) return;
    // Neighbours together: bits are independent of each other, so any part of this is right.
    const order = [...changed].sort((a, b) => a - b);
    for (let i = 0; i < order.length;) {
      const first = order[i]!;
      let last = first;
      while (++i < order.length && order[i]! <= last + 16 && groupOf(order[i]!) === groupOf(first)) last = order[i]!;
      this.#file.write(placeOfMap(first), map.subarray(first, last + 1));
    }
    this.#file.sync();
  }

  resized(sizeBytes: number, baseBytes: number): void {
    Object.assign(this.#header, { sizeBytes, baseBytes });
    writeHeader(this.#file, this.#header);
    this.#file.sync();
  }

  close(): void {
    this.#file.close();
  }

  /** Calls `move` for every part of a range that lies together in the file. */
  #each(offset: number, length: number, move: (at: number, from: number, to: number) => void): void {
    for (let done = 0; done < length;) {
      const group = Math.floor((offset + done) / GROUP_DATA);
      const inside = offset + done - group * GROUP_DATA;
      const count = Math.min(GROUP_DATA - inside, length - done);
      move(OVERLAY_BLOCK + group * (GROUP_MAP + GROUP_DATA) + GROUP_MAP + inside, done, done + count);
      done += count;
    }
  }
}

function groupOf(mapByte: number): number {
  return Math.floor(mapByte / GROUP_MAP);
}

/** Where byte `mapByte` of the map is in the file. */
function placeOfMap(mapByte: number): number {
  return OVERLAY_BLOCK + groupOf(mapByte) * (GROUP_MAP + GROUP_DATA) + mapByte % GROUP_MAP;
}

/** A disk over `base` whose changes are kept in memory, and are gone after the run. */
export function memoryOverlay(base: BlockBackend): OverlayDisk {
  let disk = new MemoryDisk(base.sizeBytes);
  const store: OverlayStore = {
    read: (offset, target) => disk.read(offset, target),
    write: (offset, source) => disk.write(offset, source),
    zero: (offset, length) => disk.zero(offset, length),
    flush: () => {},
    resized: (sizeBytes) => disk.resize(sizeBytes),
    close: () => disk = new MemoryDisk(0),
  };
  const { sizeBytes } = base;
  return new OverlayDisk(base, store, { sizeBytes, baseBytes: sizeBytes, map: new Uint8Array(mapBytes(sizeBytes)) });
}

/** An overlay with the file it lies over. */
export interface OpenOverlay {
  readonly disk: OverlayDisk;
  readonly base: FileDisk;
  /** Closes both. */
  close(): void;
}

/**
 * Opens the overlay file `name` over `baseName`, which is opened for reading only; a file that is not there, or is
 * empty, becomes an overlay without changes.
 *
 * @throws {DiskFileError} if it is no overlay, belongs to another base, or another run has it
 */
export function openOverlay(name: string, baseName: string): OpenOverlay {
  const base = FileDisk.open(baseName, { readOnly: true });
  try {
    const { file, header } = openFile(name, baseName, base.sizeBytes);
    const { sizeBytes, baseBytes } = header;
    const disk = new OverlayDisk(base, new FileStore(file, header), {
      sizeBytes,
      baseBytes,
      map: readMap(file, sizeBytes),
    });
    return {
      disk,
      base,
      close: () => {
        try {
          disk.close();
        } finally {
          base.close();
        }
      },
    };
  } catch (error) {
    base.close();
    throw error;
  }
}

/**
 * Writes what the overlay `name` holds to its base `baseName`, and removes the overlay. Killed at any point, it can be
 * done again; the overlay shows the same disk meanwhile.
 *
 * @returns bytes written
 * @throws {DiskFileError} as `openOverlay`, and if there is no overlay
 * @throws {HostError} if the host cannot
 */
export function commitOverlay(name: string, baseName: string): number {
  Deno.statSync(name);
  const target = FileDisk.open(baseName);
  let written = 0;
  try {
    const { file, header } = openFile(name, baseName, target.sizeBytes);
    const store = new FileStore(file, header);
    const { sizeBytes, baseBytes } = header;
    const disk = new OverlayDisk(target, store, { sizeBytes, baseBytes, map: readMap(file, sizeBytes) });
    try {
      // From here on the base is not what it was; what shows is the same, as the overlay lies over all that changes.
      header.committing = 1;
      writeHeader(file, header);
      file.sync();
      if (baseBytes < target.sizeBytes) target.resize(baseBytes);
      if (target.sizeBytes !== sizeBytes) target.resize(sizeBytes);
      const buffer = new Uint8Array(COMMIT_CHUNK);
      for (const { offset, length } of disk.stretches(COMMIT_CHUNK)) {
        const part = buffer.subarray(0, length);
        store.read(offset, part);
        target.write(offset, part);
        written += length;
      }
      target.flush();
    } finally {
      store.close();
    }
  } finally {
    target.close();
  }
  Deno.removeSync(name);
  return written;
}

/** Opens or makes the file, alone, and checks that it belongs to the base. */
function openFile(name: string, baseName: string, baseSize: number): { file: HostFile; header: Header } {
  const opened = Deno.openSync(name, { read: true, write: true, create: true });
  const file = new HostFile(opened, `overlay ${name}`);
  try {
    if (!opened.statSync().isFile) throw new DiskFileError(`the overlay ${name} is not a file`);
    if (!file.lock()) throw new DiskFileError(`the overlay ${name} is in use by another run`);
    const baseTime = Deno.statSync(baseName).mtime?.getTime() ?? 0;
    if (opened.statSync().size === 0) {
      const fresh = { version: VERSION, sizeBytes: baseSize, baseBytes: baseSize, baseSize, baseTime, committing: 0 };
      writeHeader(file, fresh);
      file.sync();
      return { file, header: fresh };
    }
    const header = readHeader(file, name);
    if (header.committing === 0 && (header.baseSize !== baseSize || header.baseTime !== baseTime)) {
      const time = new Date(header.baseTime).toISOString();
      const was = `${header.baseSize} bytes, changed at ${time}`;
      throw new DiskFileError(`it has changed since the overlay ${name} was made of it (it was ${was})`);
    }
    return { file, header };
  } catch (error) {
    file.close();
    throw error;
  }
}

function writeHeader(file: HostFile, header: Header): void {
  const bytes = new Uint8Array(16 + 8 * FIELDS.length);
  bytes.set(new TextEncoder().encode(MAGIC));
  const view = new DataView(bytes.buffer);
  FIELDS.forEach((name, i) => view.setFloat64(16 + 8 * i, header[name], true));
  file.write(0, bytes);
}

function readHeader(file: HostFile, name: string): Header {
  const bytes = new Uint8Array(16 + 8 * FIELDS.length);
  file.read(0, bytes, true);
  const view = new DataView(bytes.buffer);
  const header = Object.fromEntries(FIELDS.map((field, i) => [field, view.getFloat64(16 + 8 * i, true)])) as Record<
    typeof FIELDS[number],
    number
  >;
  const { version, sizeBytes, baseBytes } = header;
  const sound = Number.isSafeInteger(sizeBytes) && sizeBytes > 0 && sizeBytes % SECTOR_SIZE === 0 &&
    baseBytes <= sizeBytes;
  if (new TextDecoder().decode(bytes.subarray(0, 16)) !== MAGIC) throw new DiskFileError(`${name} is no overlay`);
  if (version !== VERSION || !sound) throw new DiskFileError(`the overlay ${name} is of another version, or damaged`);
  return header;
}

/** The whole map; bits beyond the end of the disk are not believed. */
function readMap(file: HostFile, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const map = new Uint8Array(mapBytes(sizeBytes));
  for (let at = 0; at < map.length; at += GROUP_MAP) {
    file.read(placeOfMap(at), map.subarray(at, Math.min(at + GROUP_MAP, map.length)), true);
  }
  const blocks = Math.ceil(sizeBytes / OVERLAY_BLOCK);
  for (let block = blocks; block < map.length * 8; block++) {
    map[Math.floor(block / 8)] = map[Math.floor(block / 8)]! & ~(1 << (block % 8));
  }
  return map;
}
