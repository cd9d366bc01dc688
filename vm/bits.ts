/** Small number helpers that every room may use: no state, no imports. */

/** `n` as `0x` and at least `digits` hexadecimal digits; negative numbers are shown as unsigned 32-bit. */
export function hex(n: number | bigint, digits = 1): string {
  const value = typeof n === "number" && n < 0 ? n >>> 0 : n;
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

/** Whether `n` is 1, 2, 4, 8 and so on (up to 2^31). */
export function isPowerOfTwo(n: number): boolean {
  return n > 0 && (n & (n - 1)) === 0;
}

/** `n` rounded up to a multiple of `align` (a power of two); works beyond 32 bits. */
export function alignUp(n: number, align: number): number {
  return Math.ceil(n / align) * align;
}

/** Two unsigned 32-bit halves as one number; exact up to 2^53, and above that still far beyond any RAM. */
export function join64(low: number, high: number): number {
  return (low >>> 0) + (high >>> 0) * 0x1_0000_0000;
}
