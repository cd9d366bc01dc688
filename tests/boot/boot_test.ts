import { assertEquals, assertThrows } from "@std/assert";
import { type Boot, type BootFile, type BootFiles, checkOverlap, fileDeviceTree } from "../../vm/boot/boot.ts";
import { planBoot } from "../../vm/boot/plan.ts";
import { ImageError } from "../../vm/boot/error.ts";
import { cells, decodeFdt, encodeFdt, nodeAt, property, strings } from "../../vm/boot/fdt.ts";

const MIB = 2 ** 20;
const file = (name: string, size: number): BootFile => ({ name, bytes: new Uint8Array(size).fill(0x13) });
const machine = { xlen: 64, memorySize: 256 * MIB } as const;
const plan = (files: BootFiles, memory = 256): ReturnType<typeof planBoot> =>
  planBoot(files, { ...machine, memorySize: memory * MIB });

/** The mode that it begins in. */
const mode = ({ environment }: Boot): string => environment === undefined ? "machine" : "supervisor";

Deno.test("boot: firmware at the start of RAM, the kernel behind it, entered by fw_dynamic", () => {
  const boot = plan({ bios: file("fw", 0x4_2000), kernel: file("k", 4096) });
  assertEquals(boot.images.map((image) => image.entry), [0x8000_0000, 0x8020_0000]);
  assertEquals([boot.entry, mode(boot), boot.next], [0x8000_0000, "machine", 0x8020_0000]);
});

Deno.test("boot: the built-in SBI enters the kernel where it would be behind OpenSBI, in S-mode", () => {
  const boot = plan({ bios: "builtin", kernel: file("k", 4096) });
  assertEquals([boot.entry, mode(boot), boot.next], [0x8020_0000, "supervisor", 0]);
  const rv32 = planBoot({ bios: "builtin", kernel: file("k", 4096) }, { xlen: 32, memorySize: 64 * MIB });
  assertEquals(rv32.entry, 0x8040_0000);
});

Deno.test("boot: without firmware the kernel is at the start of RAM, in M-mode", () => {
  const boot = plan({ bios: "none", kernel: file("k", 4096) });
  assertEquals([boot.entry, mode(boot)], [0x8000_0000, "machine"]);
});

Deno.test("boot: flash is entered in M-mode, or started in place of the kernel it is offered", () => {
  const flash = [file("code.fd", 4096)];
  assertEquals(plan({ bios: "none", flash }).entry, 0x2000_0000);
  const firmware = plan({ bios: file("fw", 4096), flash });
  assertEquals([firmware.entry, firmware.next], [0x8000_0000, 0x2000_0000]);
  const builtin = plan({ bios: "builtin", flash, kernel: file("k", 4096), initrd: file("i", 10) });
  assertEquals([builtin.entry, mode(builtin), builtin.images.length], [0x2000_0000, "supervisor", 0]);
  assertEquals([builtin.offered?.kernel.name, builtin.offered?.initrd?.name], ["k", "i"]);
});

Deno.test("boot: the initial RAM disk lies half of RAM behind the kernel, at most 128 MiB (QEMU 7.2)", () => {
  const files = { bios: "builtin", kernel: file("k", 4096), initrd: file("i", 1000) } as const;
  assertEquals(plan(files, 1024).initrd?.range, { name: "i", start: 0x8820_0000, end: 0x8820_03e8 });
  assertEquals(plan(files, 64).initrd?.range.start, 0x8220_0000);
  assertThrows(
    () => plan({ ...files, initrd: file("big", 31 * MIB) }, 64),
    ImageError,
    "big: 0x82200000 to 0x84100000 does not fit into RAM, 0x80000000 to 0x84000000",
  );
  assertThrows(() => plan({ bios: file("fw", 1), initrd: file("i", 1) }), ImageError, "i: an initial RAM disk is for");
});

Deno.test("boot: overlapping ranges are told, both of them", () => {
  const range = (name: string, start: number, end: number) => ({ name, start, end });
  checkOverlap([range("a", 0, 10), range("b", 10, 20), range("a", 5, 9)]);
  assertThrows(
    () => checkOverlap([range("initrd", 0x8120_0000, 0x8130_0000), range("Image", 0x8020_0000, 0x8200_0000)]),
    ImageError,
    "initrd: 0x81200000 to 0x81300000 overlaps Image: 0x80200000 to 0x82000000",
  );
});

Deno.test("boot: a device tree from a file gets command line and initial RAM disk, or is left as it is", () => {
  const chosen = { name: "chosen", properties: [strings("bootargs", "old"), strings("kept", "x")], children: [] };
  const dtb = { name: "t.dtb", bytes: encodeFdt({ name: "", properties: [cells("a", 1)], children: [chosen] }) };
  assertEquals(fileDeviceTree(plan({ bios: "none", kernel: file("k", 1) })), undefined);
  assertEquals(fileDeviceTree(plan({ bios: "none", kernel: file("k", 1), dtb })), dtb.bytes);
  const files = { bios: "builtin", kernel: file("k", 4096), initrd: file("i", 16), append: "new", dtb } as const;
  const node = nodeAt(decodeFdt(fileDeviceTree(plan(files))!), "/chosen")!;
  assertEquals(node.properties.map((p) => p.name), ["kept", "bootargs", "linux,initrd-start", "linux,initrd-end"]);
  assertEquals(new TextDecoder().decode(property(node, "bootargs")!.value), "new\0");
  const bad = { name: "t.dtb", bytes: dtb.bytes.subarray(0, 50) };
  assertThrows(() => fileDeviceTree(plan({ ...files, dtb: bad })), ImageError, "t.dtb: device tree: header says");
  const reserved = dtb.bytes.slice();
  reserved[40 + 15] = 1;
  const withReservation = { name: "t.dtb", bytes: reserved };
  assertThrows(
    () => fileDeviceTree(plan({ ...files, dtb: withReservation })),
    ImageError,
    "t.dtb: memory reservations",
  );
});
