import { hex, join64 } from "../vm/bits.ts";
import { type AccessSize, BUS_FAULT, type Device } from "../vm/bus/device.ts";
import type { GuestMemory } from "../vm/bus/memory.ts";
import type { RegisterDef } from "../vm/bus/register.ts";
import type { EventStream } from "../vm/events.ts";
import { FW_CFG, FW_CFG_REGISTERS } from "./fw_cfg_registers.ts";

/** Keys of the items that have one of their own; files have keys from `FILE_FIRST` on. */
export const FwCfgKey = {
  SIGNATURE: 0x00,
  ID: 0x01,
  RAM_SIZE: 0x03,
  NB_CPUS: 0x05,
  KERNEL_SIZE: 0x08,
  INITRD_SIZE: 0x0b,
  MAX_CPUS: 0x0f,
  KERNEL_DATA: 0x11,
  INITRD_DATA: 0x12,
  CMDLINE_SIZE: 0x14,
  CMDLINE_DATA: 0x15,
  KERNEL_SETUP_SIZE: 0x17,
  KERNEL_SETUP_DATA: 0x18,
  FILE_DIR: 0x19,
  FILE_FIRST: 0x20,
} as const;

/** ID item: the data register works, and so does DMA. */
const FEATURES = 3;
/** What reading the DMA register gives. */
const DMA_SIGNATURE = "QEMU CFG";
/** Bits of a DMA request's control word; with SELECT the key is in its upper half. */
const CONTROL = { ERROR: 1, READ: 2, SKIP: 4, SELECT: 8, WRITE: 16 } as const;
/** Bytes of a DMA request. */
const REQUEST_BYTES = 16;
/** Bytes of a directory entry, and of the name in it. */
const ENTRY_BYTES = 64;
const NAME_BYTES = 56;

/** A file that firmware can ask for by name. */
export interface FwCfgFile {
  readonly name: string;
  readonly data: Uint8Array;
}

/** What a firmware configuration device needs. */
export interface FwCfgOptions {
  readonly memory: GuestMemory;
  readonly events: EventStream;
  readonly files?: readonly FwCfgFile[];
}

/** `value` as an item of 2, 4 or 8 little-endian bytes. */
export function fwCfgNumber(value: number, bytes: 2 | 4 | 8): Uint8Array {
  const item = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) item[i] = Math.floor(value / 2 ** (8 * i)) & 0xff;
  return item;
}

/**
 * The firmware configuration device (QEMU's fw_cfg): named pieces of data that the host gives to firmware. The guest
 * selects an item and reads it byte after byte, or has it copied to memory. Items are read-only. Reads past an item's end,
 * and of a key that has none, give zeros.
 *
 * ```ts
 * import { EventStream } from "../vm/events.ts";
 * import { GuestMemory } from "../vm/bus/memory.ts";
 *
 * const memory = new GuestMemory(new ArrayBuffer(0), []);
 * const config = new FwCfg({ memory, events: new EventStream() });
 * config.write(8, 2, 0); // select the signature
 * String.fromCharCode(config.read(0, 1)); // "Q"
 * ```
 */
export class FwCfg implements Device {
  readonly name = "fw-cfg";
  readonly registers: readonly RegisterDef[] = FW_CFG_REGISTERS;
  readonly #memory: GuestMemory;
  readonly #events: EventStream;
  readonly #items: Map<number, Uint8Array>;
  #item = new Uint8Array(0);
  #at = 0;
  /** Upper half of the address of the next DMA request. */
  #high = 0;

  constructor({ memory, events, files = [] }: FwCfgOptions) {
    this.#memory = memory;
    this.#events = events;
    // Sorted by name, as QEMU's directory is.
    const sorted = files.toSorted((a, b) => a.name < b.name ? -1 : 1);
    this.#items = new Map<number, Uint8Array>([
      [FwCfgKey.SIGNATURE, new TextEncoder().encode("QEMU")],
      [FwCfgKey.ID, fwCfgNumber(FEATURES, 4)],
      [FwCfgKey.FILE_DIR, directory(sorted)],
      ...sorted.map(({ data }, i): [number, Uint8Array] => [FwCfgKey.FILE_FIRST + i, data]),
    ]);
    this.reset();
  }

  /** Sets an item, before the guest asks for it. */
  provide(key: number, data: Uint8Array): void {
    this.#items.set(key, data);
  }

  read(offset: number, size: AccessSize): number {
    // Data has no order of bytes of its own: what comes first goes to the lowest address.
    if (offset >= FW_CFG.DATA && offset < FW_CFG.SELECTOR) {
      let value = 0;
      for (let i = 0; i < size; i++) value += (this.#item[this.#at + i] ?? 0) * 2 ** (8 * i);
      this.#at = Math.min(this.#at + size, this.#item.length);
      return value;
    }
    if (offset < FW_CFG.DMA || offset + size > FW_CFG.END) return BUS_FAULT;
    let value = 0;
    for (let i = 0; i < size; i++) value += DMA_SIGNATURE.charCodeAt(offset - FW_CFG.DMA + i) * 2 ** (8 * i);
    return value;
  }

  write(offset: number, size: AccessSize, value: number): number {
    if (offset === FW_CFG.SELECTOR && size === 2) {
      this.#select(((value & 0xff) << 8) | (value >>> 8));
      return 0;
    }
    // Data was writable once; QEMU ignores such writes since 2.4.
    if (offset >= FW_CFG.DATA && offset < FW_CFG.SELECTOR) return 0;
    if (size !== 4 || (offset !== FW_CFG.DMA && offset !== FW_CFG.DMA + 4)) return BUS_FAULT;
    const word = swap32(value);
    if (offset === FW_CFG.DMA) this.#high = word;
    else this.#transfer(join64(word, this.#high));
    return 0;
  }

  reset(): void {
    this.#high = 0;
    this.#select(FwCfgKey.SIGNATURE);
  }

  #select(key: number): void {
    this.#item = (this.#items.get(key) ?? new Uint8Array(0)) as Uint8Array<ArrayBuffer>;
    this.#at = 0;
  }

  /** Does the request at `addr` and writes into its control word how it went. */
  #transfer(addr: number): void {
    this.#high = 0;
    const bytes = this.#memory.bytes(addr, REQUEST_BYTES, true);
    if (bytes === undefined) return this.#refuse(`the request's ${REQUEST_BYTES} bytes at ${hex(addr)} are not in RAM`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, REQUEST_BYTES);
    const control = view.getUint32(0);
    const ok = this.#do(control, view.getUint32(4), join64(view.getUint32(12), view.getUint32(8)));
    view.setUint32(0, ok ? 0 : CONTROL.ERROR);
    this.#memory.wrote(addr, 4);
  }

  #do(control: number, length: number, addr: number): boolean {
    if ((control & CONTROL.SELECT) !== 0) this.#select(control >>> 16);
    if ((control & CONTROL.READ) !== 0) {
      const target = this.#memory.bytes(addr, length, true);
      if (target === undefined) {
        this.#refuse(`${length} bytes are to go to ${hex(addr)}, which is not in RAM`);
        return false;
      }
      const data = this.#item.subarray(this.#at, this.#at + length);
      target.set(data);
      target.fill(0, data.length);
      this.#memory.wrote(addr, length);
    } else if ((control & CONTROL.WRITE) !== 0) {
      this.#refuse("a write is asked for, and no item can be written");
      return false;
    } else if ((control & CONTROL.SKIP) === 0) {
      return true;
    }
    this.#at = Math.min(this.#at + length, this.#item.length);
    return true;
  }

  #refuse(what: string): void {
    if (!this.#events.wants("violation")) return;
    this.#events.emit({ kind: "violation", device: this.name, spec: "QEMU fw_cfg", id: "fw-cfg-dma", what });
  }
}

function swap32(value: number): number {
  return ((value & 0xff) << 24 | (value & 0xff00) << 8 | (value >>> 8 & 0xff00) | value >>> 24) >>> 0;
}

/** The directory: a count, then size, key and name of every file, numbers big endian. */
function directory(files: readonly FwCfgFile[]): Uint8Array {
  const item = new Uint8Array(4 + files.length * ENTRY_BYTES);
  const view = new DataView(item.buffer);
  view.setUint32(0, files.length);
  files.forEach(({ name, data }, i) => {
    const text = new TextEncoder().encode(name);
    if (text.length >= NAME_BYTES) {
      throw new RangeError(`fw_cfg: file name ${name} has more than ${NAME_BYTES - 1} bytes`);
    }
    const at = 4 + i * ENTRY_BYTES;
    view.setUint32(at, data.length);
    view.setUint16(at + 4, FwCfgKey.FILE_FIRST + i);
    item.set(text, at + 8);
  });
  return item;
}
