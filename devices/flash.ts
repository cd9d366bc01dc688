import { hex } from "../vm/bits.ts";
import type { AccessSize, Device } from "../vm/bus/device.ts";
import type { RegisterDef } from "../vm/bus/register.ts";
import type { EventStream } from "../vm/events.ts";

/** Commands of the Intel command set (CFI primary algorithm 0001); the low byte of what is written. */
const FLASH_COMMAND = {
  LOCK: 0x01,
  PROGRAM_ALTERNATE: 0x10,
  ERASE: 0x20,
  PROGRAM: 0x40,
  CLEAR_STATUS: 0x50,
  LOCK_SETUP: 0x60,
  READ_STATUS: 0x70,
  READ_ID: 0x90,
  QUERY: 0x98,
  CONFIRM: 0xd0,
  WRITE_BUFFER: 0xe8,
  /** What drivers of the other command set (AMD) reset with. */
  RESET: 0xf0,
  READ_ARRAY: 0xff,
} as const;

/** Bits of a chip's status register. */
const FLASH_STATUS = { PROGRAM_ERROR: 0x10, ERASE_ERROR: 0x20, READY: 0x80 } as const;

/** Bytes of a chip's write buffer. */
const FLASH_WRITE_BUFFER = 2048;

/** Where the primary algorithm's own table begins. */
const EXTENDED = 0x31;

/**
 * The query table of one chip of `bytes` bytes in `blocks` erase blocks (JESD68.01 §4.3; what QEMU's says too). Times are
 * exponents of 2, in µs for programming and ms for erasing.
 */
function cfiTable(bytes: number, blocks: number): Uint8Array {
  const table = new Uint8Array(0x52);
  const block = bytes / blocks / 256;
  const put = (at: number, ...values: readonly number[]) => table.set(values, at);
  put(0x10, ...new TextEncoder().encode("QRY"));
  put(0x13, 0x01, 0x00); // primary command set: Intel
  put(0x15, EXTENDED, 0x00);
  put(0x1b, 0x45, 0x55); // Vcc: 4.5 to 5.5 V; no Vpp
  put(0x1f, 7, 7, 10, 0); // typical time: word, buffer, block erase, no chip erase
  put(0x23, 4, 4, 4, 0); // longest time, as multiples of the typical one
  put(0x27, Math.log2(bytes));
  put(0x28, 0x02, 0x00); // x8 and x16
  put(0x2a, Math.log2(FLASH_WRITE_BUFFER), 0x00);
  put(0x2c, 1); // one region of equal blocks
  put(0x2d, (blocks - 1) & 0xff, (blocks - 1) >>> 8, block & 0xff, block >>> 8);
  put(EXTENDED, ...new TextEncoder().encode("PRI10"));
  put(0x3f, 1); // one field of protection registers
  return table;
}

/** Bytes of an erase block: two chips of 128 KiB blocks side by side. */
export const FLASH_BLOCK: number = 256 * 1024;

/** Manufacturer and device code: Intel, and a part of 16 MiB. */
const MANUFACTURER = 0x89;
const DEVICE_CODE = 0x18;
const ERASED = 0xff;

/** What a read gives: memory, or one of the registers of the chips. */
type ReadMode = "array" | "status" | "id" | "query";

/** A command that has begun and what it still needs. */
type Pending =
  | { readonly command: "none" | "program" | "erase" | "lock" | "count" }
  | { readonly command: "fill"; readonly count: number }
  | { readonly command: "confirm" };

const IDLE: Pending = { command: "none" };

/** What a bank needs. */
export interface FlashOptions {
  readonly name: string;
  readonly events: EventStream;
  /** The bank's contents: a multiple of `FLASH_BLOCK` bytes. */
  readonly bytes: Uint8Array;
  /** Told when the bank begins or ends to read as memory. */
  readonly onArray: (array: boolean) => void;
  /** Told of bytes that have changed, when the bank reads as memory again. */
  readonly onChanged: (offset: number, length: number) => void;
}

/**
 * A bank of NOR flash with the Intel command set (CFI primary algorithm 0001): two 16-bit chips on a 32-bit bus, driven
 * together, as on QEMU's `virt`. Commands are written to any address of the block they are about; each chip takes the
 * half of the bus it is on. While the bank reads as an array, code runs from it; commands take no time, but the bank
 * answers with its status until it is told to read the array again.
 *
 * Programming can only clear bits, as in real flash (QEMU's overwrites): what must become 1 is erased first.
 *
 * ```ts
 * import { EventStream } from "../vm/events.ts";
 *
 * const bytes = new Uint8Array(FLASH_BLOCK);
 * const flash = new Flash({ name: "flash0", events: new EventStream(), bytes, onArray() {}, onChanged() {} });
 * flash.write(0, 4, 0x70); // read status
 * flash.read(0, 4); // 0x800080
 * ```
 */
export class Flash implements Device {
  readonly name: string;
  readonly registers: readonly RegisterDef[] = [];
  readonly #events: EventStream;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #onArray: (array: boolean) => void;
  readonly #onChanged: (offset: number, length: number) => void;
  readonly #query: Uint8Array;
  #mode: ReadMode = "array";
  #pending: Pending = IDLE;
  #status: number = FLASH_STATUS.READY;
  /** Words waiting to be programmed, by offset in the bank. */
  readonly #buffer = new Map<number, readonly [size: AccessSize, value: number]>();
  #changedFrom = Infinity;
  #changedTo = 0;

  constructor({ name, events, bytes, onArray, onChanged }: FlashOptions) {
    if (bytes.length === 0 || bytes.length % FLASH_BLOCK !== 0) {
      throw new RangeError(`${name}: expected a multiple of ${FLASH_BLOCK} bytes, got ${bytes.length}`);
    }
    this.name = name;
    this.#events = events;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#onArray = onArray;
    this.#onChanged = onChanged;
    this.#query = cfiTable(bytes.length / 2, bytes.length / FLASH_BLOCK);
  }

  read(offset: number, size: AccessSize): number {
    if (this.#mode === "array") return this.#array(offset, size);
    // Both chips answer alike; an access narrower than the bus gets its part.
    const answer = this.#answer(offset >>> 2);
    const word = (answer | (answer << 16)) >>> ((offset & 3) * 8);
    return size === 4 ? word >>> 0 : word & (size === 2 ? 0xffff : 0xff);
  }

  write(offset: number, size: AccessSize, value: number): number {
    switch (this.#pending.command) {
      case "none":
        this.#command(offset, value & 0xff);
        break;
      case "program":
        this.#program(offset, size, value);
        this.#done();
        break;
      case "erase":
        if (this.#confirmed(value, FLASH_COMMAND.CONFIRM)) this.#erase(offset - offset % FLASH_BLOCK);
        break;
      case "lock":
        // Blocks are never locked; that they should be is no error.
        this.#confirmed(value, FLASH_COMMAND.CONFIRM, FLASH_COMMAND.LOCK);
        break;
      case "count":
        this.#count(value & 0xffff);
        break;
      case "fill": {
        this.#buffer.set(offset, [size, value]);
        const count = this.#pending.count - 1;
        this.#pending = count === 0 ? { command: "confirm" } : { command: "fill", count };
        break;
      }
      case "confirm":
        if (this.#confirmed(value, FLASH_COMMAND.CONFIRM)) {
          for (const [at, [width, word]] of this.#buffer) this.#program(at, width, word);
        }
        this.#buffer.clear();
        break;
    }
    return 0;
  }

  /** Power-on: reads as an array; contents stay. */
  reset(): void {
    this.#status = FLASH_STATUS.READY;
    this.#buffer.clear();
    this.#done("array");
  }

  /** First write of a command. */
  #command(offset: number, command: number): void {
    switch (command) {
      case FLASH_COMMAND.READ_ARRAY:
      case FLASH_COMMAND.RESET:
        return this.#done("array");
      case FLASH_COMMAND.PROGRAM:
      case FLASH_COMMAND.PROGRAM_ALTERNATE:
        return this.#begin({ command: "program" });
      case FLASH_COMMAND.ERASE:
        return this.#begin({ command: "erase" });
      case FLASH_COMMAND.CLEAR_STATUS:
        this.#status = FLASH_STATUS.READY;
        return;
      case FLASH_COMMAND.LOCK_SETUP:
        return this.#begin({ command: "lock" });
      case FLASH_COMMAND.READ_STATUS:
        return this.#done("status");
      case FLASH_COMMAND.READ_ID:
        return this.#done("id");
      case FLASH_COMMAND.QUERY:
        return this.#done("query");
      case FLASH_COMMAND.WRITE_BUFFER:
        return this.#begin({ command: "count" });
      default:
        this.#refuse("flash-command", `${hex(command, 2)} written to ${hex(offset)} is no command`);
        return this.#done("array");
    }
  }

  #begin(pending: Pending): void {
    this.#pending = pending;
    this.#read("status");
  }

  #done(mode: ReadMode = "status"): void {
    this.#pending = IDLE;
    this.#read(mode);
  }

  #read(mode: ReadMode): void {
    if ((mode === "array") !== (this.#mode === "array")) this.#onArray(mode === "array");
    this.#mode = mode;
    if (mode !== "array" || this.#changedFrom > this.#changedTo) return;
    this.#onChanged(this.#changedFrom, this.#changedTo - this.#changedFrom);
    this.#changedFrom = Infinity;
    this.#changedTo = 0;
  }

  /** Second write of a command: whether it is one of `expected`. If not, the command is given up (READ_ARRAY) or wrong. */
  #confirmed(value: number, ...expected: readonly number[]): boolean {
    const byte = value & 0xff;
    const command = this.#pending.command;
    const ok = expected.includes(byte);
    if (!ok && byte !== FLASH_COMMAND.READ_ARRAY) {
      this.#status |= FLASH_STATUS.ERASE_ERROR | FLASH_STATUS.PROGRAM_ERROR;
      this.#refuse("flash-sequence", `${hex(byte, 2)} written where ${command} expects ${hex(expected[0]!, 2)}`);
    }
    this.#done(byte === FLASH_COMMAND.READ_ARRAY ? "array" : "status");
    return ok;
  }

  /** The number of words, less one, that the write buffer is to take. */
  #count(less: number): void {
    const count = less + 1;
    if (count * 4 > FLASH_WRITE_BUFFER * 2) {
      this.#status |= FLASH_STATUS.PROGRAM_ERROR;
      this.#refuse("flash-buffer", `${count} words are more than the write buffer's ${FLASH_WRITE_BUFFER / 2}`);
      return this.#done();
    }
    this.#begin({ command: "fill", count });
  }

  #program(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size && offset + i < this.#bytes.length; i++) {
      this.#bytes[offset + i] = this.#bytes[offset + i]! & (value >>> (8 * i));
    }
    this.#changed(offset, size);
  }

  #erase(block: number): void {
    this.#bytes.fill(ERASED, block, block + FLASH_BLOCK);
    this.#changed(block, FLASH_BLOCK);
  }

  #changed(offset: number, length: number): void {
    this.#changedFrom = Math.min(this.#changedFrom, offset);
    this.#changedTo = Math.max(this.#changedTo, offset + length);
  }

  #array(offset: number, size: AccessSize): number {
    if (offset + size > this.#bytes.length) return 0;
    if (size === 4) return this.#view.getUint32(offset, true);
    return size === 2 ? this.#view.getUint16(offset, true) : this.#view.getUint8(offset);
  }

  /** What one chip says at one of its addresses. */
  #answer(address: number): number {
    switch (this.#mode) {
      case "id":
        return [MANUFACTURER, DEVICE_CODE][address & 0xff] ?? 0;
      case "query":
        return this.#query[address & 0xff] ?? 0;
      default:
        return this.#status;
    }
  }

  #refuse(id: string, what: string): void {
    if (!this.#events.wants("violation")) return;
    this.#events.emit({ kind: "violation", device: this.name, spec: "CFI 0001", id, what });
  }
}
