import { assertEquals, assertThrows } from "@std/assert";
import { ImageError } from "../../vm/boot/error.ts";
import { linuxHeader, readKernel } from "../../vm/boot/kernel.ts";

/** A file with a Linux Image header. */
function linuxImage(imageSize: bigint, flags = 0n, length = 0x100): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, 0x20_0000n, true);
  view.setBigUint64(16, imageSize, true);
  view.setBigUint64(24, flags, true);
  bytes.set(new TextEncoder().encode("RISCV\0\0\0RSC\x05"), 0x30);
  return bytes;
}

const options = { name: "Image", xlen: 64, after: 0x8004_2000 } as const;

Deno.test("kernel: a Linux Image goes to the next aligned address and takes what its header says", () => {
  const image = readKernel(linuxImage(0x123_4000n), options);
  assertEquals(image.entry, 0x8020_0000);
  assertEquals(image.parts.map(({ addr, size }) => [addr, size]), [[0x8020_0000, 0x123_4000]]);
  assertEquals(readKernel(linuxImage(0x1000n), { ...options, xlen: 32 }).entry, 0x8040_0000);
  assertEquals(readKernel(linuxImage(0x1000n), { ...options, after: 0x8000_0000 }).entry, 0x8000_0000);
  assertEquals(readKernel(linuxImage(0x1000n), { ...options, after: 0x8020_0001 }).entry, 0x8040_0000);
});

Deno.test("kernel: one that says less than it has takes what it has; one without a header too", () => {
  assertEquals(readKernel(linuxImage(0n), options).parts[0]?.size, 0x100);
  assertEquals(readKernel(new Uint8Array(0x300).fill(1), options).parts[0]?.size, 0x300);
  assertEquals(linuxHeader(new Uint8Array(0x300)), undefined);
  assertEquals(linuxHeader(linuxImage(5n)), { textOffset: 0x20_0000, imageSize: 5 });
});

Deno.test("kernel: big-endian ones, compressed EFI programs and impossible sizes are refused", () => {
  const zboot = new Uint8Array(0x100);
  zboot.set(new TextEncoder().encode("MZ\0\0zimg"));
  const cases: [Uint8Array, string][] = [
    [linuxImage(0x1000n, 1n), "Image: is a big-endian kernel"],
    [zboot, "Image: is an EFI program with a compressed kernel in it"],
    [linuxImage(1n << 60n), "Image: the Image header says 0x1000000000000000 bytes, more than there can be"],
    [new Uint8Array(0), "Image: image is empty"],
  ];
  for (const [bytes, message] of cases) assertThrows(() => readKernel(bytes, options), ImageError, message);
});
