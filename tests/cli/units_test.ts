import { assertEquals, assertThrows } from "@std/assert";
import { formatSize, parseCount, parseInteger, parseSize, parseTime } from "../../vm/cli/units.ts";

const SIZE = { min: 64 * 1024, max: 3 * 2 ** 30 };

/** Checks that every text is refused, and that the message begins with what was expected. */
function refuses(parse: (text: string) => number, message: string, ...texts: string[]): void {
  for (const text of texts) assertThrows(() => parse(text), RangeError, message, text);
}

Deno.test("sizes are whole numbers with a power of 1024", () => {
  assertEquals(parseSize("128M", SIZE), 128 * 2 ** 20);
  assertEquals(parseSize("3G", SIZE), 3 * 2 ** 30);
  assertEquals(parseSize("64k", SIZE), 65536);
  assertEquals(parseSize("1GiB", SIZE), 2 ** 30);
  assertEquals(parseSize("0x100000", SIZE), 2 ** 20);
  assertEquals(parseSize("65536", SIZE), 65536);
  refuses(
    (t) => parseSize(t, SIZE),
    "a size from 64K to 3G, such as 1M",
    "",
    "M",
    "1.5G",
    "-1M",
    "1T",
    "4G",
    "128",
    "1 M",
  );
  refuses((t) => parseSize(t, SIZE, 4096), "a multiple of 4K bytes", "65537");
});

Deno.test("a size is shown as it would be typed", () => {
  for (const text of ["128M", "1G", "1000", "3K", "0"]) {
    assertEquals(formatSize(parseSize(text, { min: 0, max: 2 ** 40 })), text);
  }
  assertEquals(formatSize(2 ** 30 + 2 ** 20), "1025M");
});

Deno.test("whole numbers are decimal or hexadecimal, inside their bounds", () => {
  assertEquals(parseInteger("8", { min: 1, max: 8 }), 8);
  assertEquals(parseInteger("0xff"), 255);
  assertEquals(parseInteger("1_000"), 1000);
  refuses(
    (t) => parseInteger(t, { min: 1, max: 8 }),
    "a whole number from 1 to 8",
    "0",
    "9",
    "1.0",
    "1e0",
    "x",
    "",
    "+1",
    " 1",
  );
  refuses((t) => parseInteger(t), "a whole number from 0 up", "9007199254740993", "0x", "-0");
});

Deno.test("counts are whole numbers with a power of 1000", () => {
  assertEquals(parseCount("10M"), 10_000_000);
  assertEquals(parseCount("2k"), 2000);
  assertEquals(parseCount("1_000"), 1000);
  refuses((t) => parseCount(t), "a whole number from 1 up", "0", "1.5M", "M", "9007199254740993", "10T");
});

Deno.test("times are in nanoseconds whatever their unit", () => {
  assertEquals(parseTime("1.5", "s"), 1_500_000_000);
  assertEquals(parseTime("500ms", "s"), 500_000_000);
  assertEquals(parseTime("2m", "s"), 120e9);
  assertEquals(parseTime(".5us", "ns"), 500);
  assertEquals(parseTime("100", "ns"), 100);
  assertEquals(parseTime("0", "ns"), 0);
  refuses(
    (t) => parseTime(t, "s", 1),
    "a time above 0 in s",
    "0",
    "-1",
    "1d",
    "",
    "s",
    "1e3",
    "1.",
    "Infinity",
    "99999h",
  );
});
