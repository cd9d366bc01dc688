import { assertEquals, assertThrows } from "@std/assert";
import { ImageError } from "../../vm/boot/error.ts";
import { kernelWidth, linuxHeader, readKernel } from "../../vm/boot/kernel.ts";

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

/** The same with the PE header of an EFI stub: for a machine, with one section that ends where `end` says. */
function efiImage(machine: number, end: number, length = end): Uint8Array {
  const bytes = linuxImage(0x2000n, 0n, Math.max(length, 0x100)).subarray(0, length);
  const view = new DataView(bytes.buffer, 0, length);
  bytes.set([0x4d, 0x5a]);
  view.setUint32(0x3c, 0x40, true);
  bytes.set([0x50, 0x45], 0x40);
  view.setUint16(0x44, machine, true);
  view.setUint16(0x46, 1, true);
  view.setUint16(0x54, 0x10, true); // the optional header
  view.setUint32(0x68 + 16, end - 0xa0, true);
  view.setUint32(0x68 + 20, 0xa0, true);
  return bytes;
}

Deno.test("kernel: an EFI stub says how long the file is, and for which width", () => {
  assertEquals(readKernel(efiImage(0x5064, 0x400), options).parts[0]?.size, 0x2000);
  assertEquals([0x5064, 0x5032, 0x8664].map((machine) => kernelWidth(efiImage(machine, 0x400), "")), [
    64,
    32,
    undefined,
  ]);
  assertEquals(kernelWidth(linuxImage(0x1000n), ""), undefined);
  assertThrows(
    () => readKernel(efiImage(0x5064, 0x400, 0x3ff), options),
    ImageError,
    "Image: is cut off: expected 0x400 bytes, the file has 0x3ff",
  );
  // Cut within its own table of sections.
  assertThrows(() => readKernel(efiImage(0x5064, 0x400, 0x400).subarray(0, 0x80), options), ImageError, "is cut off");
  assertThrows(
    () => readKernel(efiImage(0x5064, 0x400, 0x400).subarray(0, 0x14), options),
    ImageError,
    "64 bytes, got 20",
  );
  assertThrows(
    () => readKernel(efiImage(0x5064, 0x400), { ...options, xlen: 32 }),
    ImageError,
    "Image: the kernel is for RV64: expected RV32, which the ISA asks for",
  );
});
