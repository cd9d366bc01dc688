/** Hexadecimal digits by table: the inner loop of every byte-level trace writer. */

const DIGITS = "0123456789abcdef";

/** The four digits of every 16-bit number as characters, the highest digit in the lowest byte: ready to store. */
export const HEX4: Int32Array = Int32Array.from({ length: 0x1_0000 }, (_, n) => {
  let word = 0;
  for (let shift = 12, byte = 0; shift >= 0; shift -= 4, byte += 8) {
    word |= DIGITS.charCodeAt((n >> shift) & 15) << byte;
  }
  return word;
});
