import { isPowerOfTwo } from "../bits.ts";

/** Size of a page, and the unit in which writes to memory are watched. */
export const PAGE_SIZE = 4096;

/** A stretch of guest-physical memory backed by host bytes. */
export interface MemoryRegion {
  /** Name on the board. */
  readonly name: string;
  /** Guest-physical address of its first byte; a multiple of `PAGE_SIZE`. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** Byte offset of the region in the machine's one `WebAssembly.Memory`. */
  readonly host: number;
  /** Whether the guest may write it. */
  readonly writable: boolean;
  /**
   * A device of the bus stands behind it: stores go there, and so does everything while the device has taken the memory
   * away with `map`.
   */
  readonly device?: true;
}

/** Told about every write that did not come from a hart's own fast path: devices and loaders. */
export type WriteListener = (addr: number, length: number) => void;

/**
 * Guest-physical memory as devices and loaders see it: every address is checked, nothing throws on a wild one.
 * Addresses are numbers (guest addresses above 2^53 lose bits but are outside every region all the same).
 */
export class GuestMemory {
  /** All host bytes there are: those of the `WebAssembly.Memory`. */
  readonly buffer: ArrayBuffer;
  /** What there is; regions do not overlap. */
  readonly regions: readonly MemoryRegion[];
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  readonly #listeners: WriteListener[] = [];
  readonly #mapListeners: (() => void)[] = [];
  /** The regions that are there now. */
  #mapped: readonly MemoryRegion[];

  /** Throws a `RangeError` if a region does not begin on a page. */
  constructor(buffer: ArrayBuffer, regions: readonly MemoryRegion[]) {
    for (const r of regions) {
      if (r.base % PAGE_SIZE !== 0 || r.host % PAGE_SIZE !== 0) {
        throw new RangeError(`memory region ${r.name}: base and host offset must be page-aligned`);
      }
    }
    if (!isPowerOfTwo(PAGE_SIZE)) throw new RangeError("page size must be a power of two");
    this.buffer = buffer;
    this.regions = this.#mapped = regions;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** Adds a listener for writes by devices and loaders. */
  onWrite(listener: WriteListener): void {
    this.#listeners.push(listener);
  }

  /** Adds a listener for regions that come and go: what is known of their addresses no longer holds. */
  onMap(listener: () => void): void {
    this.#mapListeners.push(listener);
  }

  /** Lets memory be seen where a region of a device is, or takes it away. Throws for a name that no region has. */
  map(name: string, mapped: boolean): void {
    const region = this.regions.find((r) => r.name === name);
    if (region === undefined) throw new Error(`memory: no region called ${name}`);
    if (this.#mapped.includes(region) === mapped) return;
    this.#mapped = this.regions.filter((r) => r === region ? mapped : this.#mapped.includes(r));
    for (const listener of this.#mapListeners) listener();
  }

  /** Whether `length` bytes at `addr` are memory that nothing can write: neither a hart nor a device behind it. */
  readOnly(addr: number, length: number): boolean {
    const region = this.#mapped.find((r) => addr >= r.base && addr + length <= r.base + r.size);
    return region !== undefined && !region.writable && region.device === undefined;
  }

  /** Host offset of `length` bytes at `addr`, or -1 unless all of them lie in one region (writable if `write`). */
  host(addr: number, length: number, write = false): number {
    const frame = Math.floor(addr / PAGE_SIZE);
    return this.#find(frame, addr - frame * PAGE_SIZE, length, write);
  }

  /** Host offset of a whole page by its number, or -1 as {@linkcode host}: V8 allocates no number for this one. */
  hostPage(frame: number, write = false): number {
    return this.#find(frame, 0, PAGE_SIZE, write);
  }

  /** As {@linkcode host}, at byte `within` of a page. */
  #find(frame: number, within: number, length: number, write: boolean): number {
    const addr = frame * PAGE_SIZE + within;
    for (const r of this.#mapped) {
      const offset = addr - r.base;
      if (offset >= 0 && offset < r.size) {
        return length <= r.size - offset && (r.writable || !write) ? r.host + offset : -1;
      }
    }
    return -1;
  }

  /** Whether `length` bytes at `addr` can be read (and written, if `write`). */
  contains(addr: number, length: number, write = false): boolean {
    return this.host(addr, length, write) >= 0;
  }

  /**
   * A view of guest bytes, or undefined if they are not all in one region. Valid until the machine is dropped.
   * Who writes through it must call `wrote` afterwards.
   */
  bytes(addr: number, length: number, write = false): Uint8Array<ArrayBuffer> | undefined {
    const host = this.host(addr, length, write);
    return host < 0 ? undefined : this.#bytes.subarray(host, host + length);
  }

  /** Unsigned little-endian number of 1, 2 or 4 bytes at `addr`; -1 if it is outside memory. */
  read(addr: number, size: 1 | 2 | 4): number {
    const host = this.host(addr, size);
    if (host < 0) return -1;
    if (size === 4) return this.#view.getUint32(host, true);
    return size === 2 ? this.#view.getUint16(host, true) : this.#view.getUint8(host);
  }

  /** Writes a little-endian number; false if it is outside writable memory. */
  write(addr: number, size: 1 | 2 | 4, value: number): boolean {
    const host = this.host(addr, size, true);
    if (host < 0) return false;
    if (size === 4) this.#view.setUint32(host, value, true);
    else if (size === 2) this.#view.setUint16(host, value, true);
    else this.#view.setUint8(host, value);
    this.wrote(addr, size);
    return true;
  }

  /** Copies `source` to `addr`; false (and nothing written) if it does not fit in one writable region. */
  copyIn(addr: number, source: Uint8Array): boolean {
    const target = this.bytes(addr, source.length, true);
    if (target === undefined) return false;
    target.set(source);
    this.wrote(addr, source.length);
    return true;
  }

  /** Copies `source` to `addr` even where the guest may not write (ROM, flash); for loaders. */
  load(addr: number, source: Uint8Array): boolean {
    const target = this.bytes(addr, source.length);
    if (target === undefined) return false;
    target.set(source);
    this.wrote(addr, source.length);
    return true;
  }

  /** Says that `length` bytes at `addr` have changed, so that decoded code and reservations there are dropped. */
  wrote(addr: number, length: number): void {
    for (const listener of this.#listeners) listener(addr, length);
  }
}
