import { assert, assertEquals, assertThrows } from "@std/assert";
import { ImageError } from "../../vm/boot/error.ts";
import { loadImage, readImage } from "../../vm/boot/image.ts";
import { GuestMemory } from "../../vm/bus/memory.ts";
import { buildElf } from "../support/elf_builder.ts";
import { runTool, toolVersion, withTool } from "../support/tools.ts";

const RAM = 0x8000_0000;
const SIZE = 0x10_0000;
const LARGE = 8 * SIZE;

function memory(size = SIZE): GuestMemory {
  return new GuestMemory(new ArrayBuffer(size + 0x2000), [
    { name: "rom", base: 0x1000, size: 0x1000, host: 0x1000, writable: false },
    { name: "ram", base: RAM, size, host: 0x2000, writable: true },
  ]);
}

const bytesAt = (m: GuestMemory, addr: number, n: number) => [...m.bytes(addr, n)!];
const message = (run: () => unknown) => assertThrows(run, ImageError).message;

Deno.test("image: a flat binary goes to the start of RAM and is entered there", () => {
  const m = memory();
  const image = readImage(Uint8Array.of(0x13, 0, 0, 0), { name: "a.bin" });
  assertEquals([image.format, image.xlen, image.entry, image.elf], ["flat", undefined, RAM, undefined]);
  assertEquals(loadImage(m, image), [{ name: "a.bin", start: RAM, end: RAM + 4 }]);
  assertEquals(bytesAt(m, RAM, 5), [0x13, 0, 0, 0, 0]);
});

Deno.test("image: a flat binary goes where it is told to go", () => {
  const image = readImage(Uint8Array.of(1, 2), { name: "kernel", base: RAM + 0x1000 });
  assertEquals([image.entry, loadImage(memory(), image)[0]!.start], [RAM + 0x1000, RAM + 0x1000]);
});

Deno.test("image: one that fills RAM fits, one byte more does not", () => {
  loadImage(memory(), readImage(new Uint8Array(SIZE).fill(1), { name: "a.bin" }));
  const m = memory();
  assertEquals(
    message(() => loadImage(m, readImage(new Uint8Array(SIZE + 1).fill(1), { name: "a.bin" }))),
    "a.bin: image of 0x100001 bytes at 0x80000000 does not fit into RAM (0x80000000 to 0x80100000): expected an image " +
      "linked for it, or more memory",
  );
  assertEquals(bytesAt(m, RAM, 4), [0, 0, 0, 0]);
});

Deno.test("image: what cannot be an image is refused", () => {
  assertEquals(
    message(() => readImage(new Uint8Array(0), { name: "a.bin" })),
    "a.bin: image is empty: expected an ELF file or a flat binary",
  );
  assertEquals(
    message(() => readImage(Uint8Array.of(0x1f, 0x8b, 8, 0), { name: "a.gz" })),
    "a.gz: image is compressed with gzip: expected an ELF file or a flat binary",
  );
});

for (const xlen of [32, 64] as const) {
  Deno.test(`image: an ELF of ${xlen} bits goes to its physical addresses, zeros and all, again after a reset`, () => {
    const m = memory();
    const bytes = buildElf({
      xlen,
      entry: 0x8000_0102n,
      segments: [
        { paddr: 0x8000_0100n, data: Uint8Array.of(1, 2, 3, 4) },
        { paddr: 0x8000_0200n, data: Uint8Array.of(5), memSize: 8n },
      ],
      symbols: [{ name: "start", value: 0x8000_0100n, size: 4n }],
    });
    const image = readImage(bytes, { name: "a.elf", xlen });
    assertEquals([image.format, image.xlen, image.entry], ["elf", xlen, RAM + 0x102]);
    assertEquals(image.symbols.format(0x8000_0102n), "start+0x2");
    const wrote: number[][] = [];
    m.onWrite((addr, length) => wrote.push([addr, length]));
    m.bytes(RAM, SIZE, true)!.fill(0xff);
    const ranges = [[RAM + 0x100, RAM + 0x104], [RAM + 0x200, RAM + 0x208]] as const;
    assertEquals(loadImage(m, image), ranges.map(([start, end]) => ({ name: "a.elf", start, end })));
    assertEquals(bytesAt(m, RAM + 0x0ff, 6), [0xff, 1, 2, 3, 4, 0xff]);
    assertEquals(bytesAt(m, RAM + 0x200, 9), [5, 0, 0, 0, 0, 0, 0, 0, 0xff]);
    assertEquals(wrote, [[RAM + 0x100, 4], [RAM + 0x200, 8]]);
  });
}

Deno.test("image: a virtual entry point is entered where its segment is loaded", () => {
  const bytes = buildElf({
    entry: 0xffff_ffff_8000_0004n,
    segments: [{ paddr: 0x8000_1000n, vaddr: 0xffff_ffff_8000_0000n, data: new Uint8Array(8) }],
  });
  assertEquals(readImage(bytes, { name: "a.elf" }).entry, RAM + 0x1004);
});

Deno.test("image: an ELF that cannot be loaded is refused with the reason, and nothing is written", () => {
  const one = { paddr: 0x8000_0000n, data: Uint8Array.of(1, 2, 3, 4) };
  const cases: [Parameters<typeof buildElf>[0], string][] = [
    [
      { segments: [one, { paddr: 0x8000_0002n, data: Uint8Array.of(1) }] },
      "a.elf: segments 0 and 1 overlap: 0x80000000 to 0x80000004 and 0x80000002 to 0x80000003",
    ],
    [{ segments: [one], xlen: 32 }, "a.elf: ELF is for RV32: expected RV64, which the ISA asks for"],
    [{ segments: [] }, "a.elf: ELF has nothing to load: expected a PT_LOAD segment"],
    [
      { segments: [one, { paddr: 0x1000n, data: Uint8Array.of(1) }] },
      "a.elf: segment of 0x1 bytes at 0x1000 does not fit into RAM (0x80000000 to 0x80100000): expected an image linked " +
      "for it, or more memory",
    ],
    [
      { segments: [one, { paddr: 0x800f_ffffn, data: Uint8Array.of(1, 2) }] },
      "a.elf: segment of 0x2 bytes at 0x800fffff does not fit into RAM (0x80000000 to 0x80100000): expected an image " +
      "linked for it, or more memory",
    ],
    [
      { segments: [one, { paddr: 0x8001_0000n, data: Uint8Array.of(1), memSize: 1n << 60n }] },
      "a.elf: segment of 0x1000000000000000 bytes at 0x80010000 does not fit into RAM (0x80000000 to 0x80100000): " +
      "expected an image linked for it, or more memory",
    ],
    [
      { segments: [one], entry: 0x4000_0000n },
      "a.elf: entry point 0x40000000 is outside RAM (0x80000000 to 0x80100000)",
    ],
  ];
  for (const [spec, expected] of cases) {
    const m = memory();
    assertEquals(message(() => loadImage(m, readImage(buildElf(spec), { name: "a.elf", xlen: 64 }))), expected);
    assertEquals(bytesAt(m, RAM, 4), [0, 0, 0, 0]);
  }
});

function same(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

Deno.test("image: each of our images is the same loaded as ELF and as flat binary", async () => {
  const images = new URL("../../images/", import.meta.url);
  let seen = 0;
  for await (const { name } of Deno.readDir(images)) {
    if (!name.endsWith(".elf")) continue;
    seen++;
    const elf = readImage(await Deno.readFile(new URL(name, images)), { name });
    const flatName = name.replace(/elf$/, "bin");
    const flat = readImage(await Deno.readFile(new URL(flatName, images)), { name: flatName });
    assertEquals([elf.xlen, elf.entry], [name.includes("rv32") ? 32 : 64, flat.entry]);
    const [a, b] = [memory(LARGE), memory(LARGE)];
    loadImage(a, elf);
    loadImage(b, flat);
    const inFlat = b.bytes(RAM, LARGE)!;
    assert(bytesAt(a, RAM, 16).some((byte) => byte !== 0));
    assert(same(a.bytes(RAM, LARGE)!, inFlat), name);
    assertEquals(elf.symbols.find(BigInt(elf.entry)), { name: "_start", offset: 0 }, name);
  }
  assert(seen > 0);
});

const GCC = "riscv64-unknown-elf-gcc";
const gcc = { command: GCC, version: await toolVersion(GCC) };
Deno.test(withTool("image: file headers that the linker puts before RAM are left out", gcc, async () => {
  const dir = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${dir}/a.s`, ".globl _start\n_start: li a0, 5\n");
    const flags = ["-march=rv64imac", "-mabi=lp64", "-nostdlib", "-Wl,-Ttext=0x80000000", "-Wl,--no-gc-sections"];
    const built = await runTool(GCC, [...flags, `${dir}/a.s`, "-o", `${dir}/a.elf`]);
    assert(built?.ok, built?.stderr);
    const image = readImage(Deno.readFileSync(`${dir}/a.elf`), { name: "a.elf" });
    assertEquals(image.parts[0]!.addr, RAM - 0x1000);
    const m = memory();
    assertEquals(loadImage(m, image)[0]!.start, RAM);
    assertEquals(bytesAt(m, RAM, 2), [0x15, 0x45]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}));
