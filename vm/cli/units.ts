/** Numbers, sizes and times as people write them on a command line. Errors are `RangeError`s that say what was expected. */

/** Bounds of a number; both ends belong to it. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** `text` as a whole number: decimal, or hexadecimal behind `0x`, with `_` between digits if wished; RangeError otherwise. */
export function parseInteger(text: string, bounds: Bounds = { min: 0, max: Number.MAX_SAFE_INTEGER }): number {
  const plain = /^(?:0x[0-9a-f]+(?:_[0-9a-f]+)*|[0-9]+(?:_[0-9]+)*)$/i.test(text) ? text.replaceAll("_", "") : "";
  const value = plain === "" ? NaN : Number(plain);
  if (!Number.isSafeInteger(value) || value < bounds.min || value > bounds.max) {
    throw new RangeError(`a whole number ${range(bounds, String)}`);
  }
  return value;
}

const SIZES: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** `text` as a size in bytes: a whole number with K, M or G for powers of 1024 (`128M`, `64K`, `4096`). */
export function parseSize(text: string, bounds: Bounds, multiple = 1): number {
  const match = /^(0x[0-9a-f]+|[0-9]+)([kmg]?)(?:i?b)?$/i.exec(text);
  const value = match === null ? NaN : Number(match[1]) * SIZES[match[2]!.toUpperCase()]!;
  if (!Number.isSafeInteger(value) || value < bounds.min || value > bounds.max || value % multiple !== 0) {
    const what = multiple === 1 ? "" : `, a multiple of ${formatSize(multiple)} bytes`;
    throw new RangeError(`a size ${range(bounds, formatSize)}${what}, such as ${formatSize(example(bounds))}`);
  }
  return value;
}

/** A power of two inside the bounds, for messages: not the smallest, that would look like a limit. */
function example({ min, max }: Bounds): number {
  let size = 2 ** 20;
  while (size < min) size *= 2;
  while (size > max) size /= 2;
  return size;
}

/** A size in bytes as it would be typed: `128M`, `1000`. */
export function formatSize(bytes: number): string {
  for (const suffix of ["G", "M", "K"]) {
    const unit = SIZES[suffix]!;
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${suffix}`;
  }
  return `${bytes}`;
}

const COUNTS: Readonly<Record<string, number>> = { "": 1, K: 1e3, M: 1e6, G: 1e9 };

/** `text` as a number of things: whole, with K, M or G for powers of 1000 (`10M` is ten million). */
export function parseCount(text: string, bounds: Bounds = { min: 1, max: Number.MAX_SAFE_INTEGER }): number {
  const match = /^([0-9]+(?:_[0-9]+)*)([kmg]?)$/i.exec(text);
  const value = match === null ? NaN : Number(match[1]!.replaceAll("_", "")) * COUNTS[match[2]!.toUpperCase()]!;
  if (!Number.isSafeInteger(value) || value < bounds.min || value > bounds.max) {
    throw new RangeError(`a whole number ${range(bounds, String)} (K, M and G stand for thousands), such as 10M`);
  }
  return value;
}

/** Nanoseconds in a unit of time. */
const TIMES: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** The longest time that makes sense anywhere: a year, in nanoseconds. */
const YEAR = 365 * 24 * 3600e9;

/** `text` as a time in nanoseconds: a number with `ns`, `us`, `ms`, `s`, `m` or `h`; a bare one is in `unit`. */
export function parseTime(text: string, unit: string, min = 0): number {
  const match = /^([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(ns|us|ms|s|m|h)?$/.exec(text);
  const value = match === null ? NaN : Math.round(Number(match[1]) * TIMES[match[2] ?? unit]!);
  if (!(value >= min && value <= YEAR)) {
    const positive = min > 0 ? " above 0" : "";
    throw new RangeError(`a time${positive} in ${unit}, or with one of ${Object.keys(TIMES).join(", ")}, such as 10ms`);
  }
  return value;
}

/** `text` as a date with or without a time, in UTC, in milliseconds since 1970. */
export function parseDate(text: string): number {
  const match = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?)?Z?$/.exec(text);
  const [day, time = "00:00"] = text.replace(/Z$/, "").split("T");
  const value = match === null ? NaN : Date.parse(`${day}T${time}Z`);
  if (!(value >= 0)) throw new RangeError("host or a date from 1970 on, such as 2026-01-01 or 2026-01-01T12:00:00");
  return value;
}

function range({ min, max }: Bounds, format: (n: number) => string): string {
  return max === Number.MAX_SAFE_INTEGER ? `from ${format(min)} up` : `from ${format(min)} to ${format(max)}`;
}
