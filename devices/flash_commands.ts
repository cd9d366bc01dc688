/** Commands of the Intel command set (CFI primary algorithm 0001); the low byte of what is written. */
export const FLASH_COMMAND = {
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
export const FLASH_STATUS = { PROGRAM_ERROR: 0x10, ERASE_ERROR: 0x20, READY: 0x80 } as const;

/** Bytes of a chip's write buffer. */
export const FLASH_WRITE_BUFFER = 2048;

/** Where the primary algorithm's own table begins. */
const EXTENDED = 0x31;

/**
 * The query table of one chip of `bytes` bytes in `blocks` erase blocks (JESD68.01 §4.3; what QEMU's says too). Times are
 * exponents of 2, in µs for programming and ms for erasing.
 */
export function cfiTable(bytes: number, blocks: number): Uint8Array {
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
