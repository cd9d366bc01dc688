import { assertEquals, assertThrows } from "@std/assert";
import { deviceTree } from "../../vm/boot/device_tree.ts";
import { ImageError } from "../../vm/boot/error.ts";
import { encodeFdt } from "../../vm/boot/fdt.ts";
import { placeFdt, resetVector } from "../../vm/boot/reset_vector.ts";
import { runTool, toolVersion, withTool } from "../support/tools.ts";

const MIB = 0x10_0000;
const RAM = 0x8000_0000;
const ENTRY = 0x8000_0000;
const FDT = 0x87e0_0000;

const words = (bytes: Uint8Array) =>
  Array.from(
    { length: bytes.length / 4 },
    (_, i) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(i * 4, true),
  );

// Recorded from QEMU 7.2.22, `-M virt -bios none -m 128M`: the words from 0x1000 on.
const RECORDED = {
  // deno-fmt-ignore
  64: [
    0x00000297, 0x02828613, 0xf1402573, 0x0202b583, 0x0182b283, 0x00028067, 0x80000000, 0,
    0x87e00000, 0, 0x4942534f, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0,
  ],
  // deno-fmt-ignore
  32: [
    0x00000297, 0x02828613, 0xf1402573, 0x0202a583, 0x0182a283, 0x00028067, 0x80000000, 0,
    0x87e00000, 0, 0x4942534f, 2, 0, 1, 0, 0,
  ],
} as const;

for (const xlen of [64, 32] as const) {
  Deno.test(`reset vector: the words QEMU 7.2.22 was recorded to have, RV${xlen}`, () => {
    assertEquals(words(resetVector({ xlen, entry: ENTRY, fdt: FDT })), [...RECORDED[xlen]]);
  });

  Deno.test(`reset vector: entry, device tree and next stage are where the code loads them, RV${xlen}`, () => {
    const rom = words(resetVector({ xlen, entry: 0x8020_0000, fdt: 0xbfe0_0000, next: 0x8040_0000 }));
    assertEquals([rom[6], rom[8], rom[10 + 2 * (xlen / 32)]], [0x8020_0000, 0xbfe0_0000, 0x8040_0000]);
  });
}

const OBJDUMP = "riscv64-unknown-elf-objdump";
Deno.test(withTool(
  "reset vector: objdump reads the code as meant",
  { command: OBJDUMP, version: await toolVersion(OBJDUMP) },
  async () => {
    const text = async (xlen: 32 | 64) => {
      const file = await Deno.makeTempFile();
      try {
        await Deno.writeFile(file, resetVector({ xlen, entry: ENTRY, fdt: FDT }).subarray(0, 24));
        const args = ["-b", "binary", "-m", `riscv:rv${xlen}`, "-D", "-M", "no-aliases", file];
        const out = (await runTool(OBJDUMP, args))!.stdout;
        return [...out.matchAll(/^ +[0-9a-f]+:\t\w+ +\t(.*)$/gm)].map((m) =>
          m[1]!.replaceAll("\t", " ").replace(/ #.*/, "")
        );
      } finally {
        await Deno.remove(file);
      }
    };
    const expected = (load: string) => [
      "auipc t0,0x0",
      "addi a2,t0,40",
      "csrrs a0,mhartid,zero",
      `${load} a1,32(t0)`,
      `${load} t0,24(t0)`,
      "jalr zero,0(t0)",
    ];
    assertEquals(await text(64), expected("ld"));
    assertEquals(await text(32), expected("lw"));
  },
));

/** The ROM of a QEMU that was just started, through its monitor. */
async function qemuRom(xlen: 32 | 64, megabytes: number, count: number): Promise<number[]> {
  const args = ["-M", "virt", "-bios", "none", "-S", "-display", "none", "-monitor", "stdio", "-m", `${megabytes}M`];
  const result = await runTool(`qemu-system-riscv${xlen}`, args, `xp /${count}xw 0x1000\nquit\n`);
  const rows = [...result!.stdout.matchAll(/^[0-9a-f]{16}:((?: 0x[0-9a-f]{8})+)/gm)];
  return rows.flatMap((m) => m[1]!.trim().split(" ").map(Number));
}

for (const xlen of [64, 32] as const) {
  const command = `qemu-system-riscv${xlen}`;
  const tool = { command, version: await toolVersion(command), accepts: /version 7\.2\./ };
  for (const megabytes of xlen === 64 ? [128, 129, 256, 1023, 1024, 1025, 2048] : [128, 1024]) {
    Deno.test(
      withTool(`reset vector and device tree's place: as in QEMU, RV${xlen}, ${megabytes} MiB`, tool, async () => {
        const size = megabytes * MIB;
        const fdtSize = encodeFdt(deviceTree({ harts: 1, memory: size, isa: `rv${xlen}imac` })).length;
        const fdt = placeFdt({ ram: { base: RAM, size }, fdtSize, ranges: [] });
        const ours = words(resetVector({ xlen, entry: ENTRY, fdt }));
        assertEquals(ours, await qemuRom(xlen, megabytes, ours.length));
      }),
    );
  }
}

const place = (size: number, fdtSize = 4000, ...ranges: [number, number][]) =>
  placeFdt({
    ram: { base: RAM, size },
    fdtSize,
    ranges: ranges.map(([start, end]) => ({ name: "a.bin", start, end })),
  });

Deno.test("device tree's place: 2 MiB aligned near the end of RAM, below 3 GiB", () => {
  assertEquals(place(128 * MIB), 0x87e0_0000);
  assertEquals(place(128 * MIB, 2 * MIB), 0x87e0_0000);
  assertEquals(place(128 * MIB, 2 * MIB + 1), 0x87c0_0000);
  assertEquals(place(129 * MIB), 0x8800_0000);
  assertEquals(place(3072 * MIB), 0xbfe0_0000);
});

Deno.test("device tree's place: the end of RAM where QEMU's place is taken", () => {
  assertEquals(place(MIB, 4000, [RAM, RAM + 1]), 0x800f_f000);
  assertEquals(place(2 * MIB, 4097, [RAM, RAM + MIB]), 0x801f_e000);
  assertEquals(place(4 * MIB, 4000, [0x8020_0000, 0x8020_0001]), 0x803f_f000);
});

Deno.test("device tree's place: refused where an image or RAM's size leaves none", () => {
  const message = (run: () => unknown) => assertThrows(run, ImageError).message;
  assertEquals(
    message(() => place(MIB, 4000, [RAM, RAM + MIB])),
    "a.bin: 0x80000000 to 0x80100000 leaves no place for the device tree: expected the last 4096 bytes below " +
      "0x80100000 to be free; more memory may help",
  );
  assertEquals(
    message(() => place(4096, 4097)),
    "device tree: 8192 bytes are needed, RAM has 4096: expected more memory",
  );
  assertEquals(place(MIB, 4000, [RAM, RAM + MIB - 4096]), 0x800f_f000);
});
