import { assert, assertEquals, assertThrows } from "@std/assert";
import { isElf, readElf } from "../../vm/boot/elf.ts";
import { ImageError } from "../../vm/boot/error.ts";
import { buildElf, type ElfSpec } from "../support/elf_builder.ts";
import { runTool, toolVersion, withTool } from "../support/tools.ts";

const code = Uint8Array.of(0x13, 0, 0, 0, 0x6f, 0, 0, 0);
const spec: ElfSpec = {
  segments: [
    { paddr: 0x8000_0000n, data: code, memSize: 0x20n },
    { paddr: 0x8001_0000n, vaddr: 0xffff_ffff_8001_0000n, data: Uint8Array.of(1, 2) },
  ],
  symbols: [
    { name: "main", value: 0x8000_0000n, size: 4n },
    { name: "data", value: 0xffff_ffff_8001_0000n, size: 2n, type: 1, bind: 0 },
    { name: "label", value: 0x8000_0004n, type: 0, bind: 0 },
    { name: "$xrv64i2p1", value: 0x8000_0000n, type: 0, bind: 0 },
    { name: "$d", value: 0x8000_0004n, type: 0, bind: 0 },
    { name: ".L5", value: 0x8000_0004n, type: 0, bind: 0 },
    { name: "file.c", value: 0n, type: 4, bind: 0, section: 0xfff1 },
    { name: "__stack_size", value: 0x1000n, type: 0, section: 0xfff1 },
    { name: "elsewhere", value: 0n, section: 0 },
  ],
};

for (const xlen of [64, 32] as const) {
  Deno.test(`elf: a file of ${xlen} bits`, () => {
    const bytes = buildElf({ ...spec, xlen });
    assert(isElf(bytes));
    const elf = readElf(bytes, "a.elf");
    const data = xlen === 64 ? 0xffff_ffff_8001_0000n : 0x8001_0000n;
    assertEquals([elf.xlen, elf.entry, elf.flags], [xlen, 0x8000_0000n, 1]);
    assertEquals(elf.segments.map((s) => [s.index, s.vaddr, s.paddr, s.memSize, [...s.data]]), [
      [0, 0x8000_0000n, 0x8000_0000n, 0x20n, [...code]],
      [1, data, 0x8001_0000n, 2n, [1, 2]],
    ]);
    assertEquals(elf.sections.map((s) => [s.name, s.size, s.data.length]).slice(0, 2), [["", 0n, 0], [".text", 8n, 8]]);
    assertEquals(elf.symbols, [
      { name: "main", address: 0x8000_0000n, size: 4n, type: "FUNC", global: true },
      { name: "data", address: data, size: 2n, type: "OBJECT", global: false },
      { name: "label", address: 0x8000_0004n, size: 0n, type: "NOTYPE", global: false },
    ]);
  });
}

/** A copy with some bytes replaced. */
function patched(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
}

Deno.test("elf: what is wrong is said in one line", () => {
  const good = buildElf(spec);
  const cases: [Uint8Array, string][] = [
    [good.subarray(0, 19), "a.elf: ELF header is cut off: expected 52 or 64 bytes, got 19"],
    [good.subarray(0, 40), "a.elf: ELF header is cut off: expected 64 bytes, got 40"],
    [patched(good, 4, 3), "a.elf: ELF class is 3: expected 1 (32-bit) or 2 (64-bit)"],
    [patched(good, 5, 2), "a.elf: ELF byte order is 2: expected 1 (little-endian)"],
    [patched(good, 18, 62, 0), "a.elf: ELF is for x86-64 (62): expected RISC-V (243)"],
    [patched(good, 18, 1, 2), "a.elf: ELF is for another machine (513): expected RISC-V (243)"],
    [patched(good, 16, 1), "a.elf: ELF is a relocatable object (1): expected an executable (2)"],
    [patched(good, 54, 55), "a.elf: program header table has entries of 55 bytes: expected 56"],
    [
      patched(good, 56, 0xff),
      `a.elf: program header table is cut off: expected 0x37c8 bytes at file offset 0x40, the file has 0x${
        good.length.toString(16)
      }`,
    ],
    [
      patched(good, 64 + 8, 0, 0xff, 0xff),
      `a.elf: segment 0 (for 0x80000000) is cut off: expected 0x8 bytes at file offset 0xffff00, the file has 0x${
        good.length.toString(16)
      }`,
    ],
    [
      patched(good, 64 + 40, 7),
      "a.elf: segment 0 (for 0x80000000) has more bytes in the file (0x8) than in memory (0x7)",
    ],
  ];
  for (const [bytes, message] of cases) {
    assertEquals(assertThrows(() => readElf(bytes, "a.elf"), ImageError).message, message);
  }
});

Deno.test("elf: a file without sections is fine", () => {
  const bytes = patched(buildElf(spec), 40, 0, 0, 0, 0, 0, 0, 0, 0, ...[1, 0, 0, 0], ...[
    64,
    0,
    56,
    0,
    2,
    0,
    0,
    0,
    0,
    0,
  ]);
  const elf = readElf(bytes, "a.elf");
  assertEquals([elf.sections.length, elf.symbols.length, elf.segments.length], [0, 0, 2]);
});

Deno.test("elf: any file ends in an ElfFile or an ImageError", () => {
  let refused = 0;
  for (const xlen of [32, 64] as const) {
    const good = buildElf({ ...spec, xlen });
    for (let at = 4; at < good.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        try {
          readElf(patched(good, at, value), "a.elf");
        } catch (error) {
          assert(error instanceof ImageError, `byte ${at} = ${value}: ${error}`);
          refused++;
        }
      }
    }
    for (let length = 0; length < good.length; length++) {
      assertThrows(() => readElf(good.subarray(0, length), "a.elf"), ImageError);
    }
  }
  assert(refused > 100);
});

Deno.test("elf: names cannot cost more than a multiple of the file", () => {
  const long = "x".repeat(20_000);
  const symbols = Array.from({ length: 50 }, () => ({ name: "", value: 0n }));
  const bytes = buildElf({ ...spec, symbols: [...symbols, { name: long, value: 0n }] });
  // Every symbol's name becomes the long one.
  const names = 64 + 2 * 56 + 10 + 24;
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 50; i++) view.setUint32(names + i * 24, 51, true);
  assertThrows(() => readElf(bytes, "a.elf"), ImageError, "ELF names are longer in sum than 16 times the file");
});

const READELF = "riscv64-unknown-elf-readelf";
const readelf = { command: READELF, version: await toolVersion(READELF) };
const images = new URL("../../images/", import.meta.url);

Deno.test(withTool("elf: sees in our images what readelf sees", readelf, async () => {
  let seen = 0;
  for await (const { name } of Deno.readDir(images)) {
    if (!name.endsWith(".elf")) continue;
    seen++;
    const path = new URL(name, images).pathname;
    const elf = readElf(await Deno.readFile(path), name);
    const text = async (flag: string) => (await runTool(READELF, [flag, "-W", path]))!.stdout;
    const loads = [...(await text("-l")).matchAll(/^ +LOAD +\S+ +(\S+) +(\S+) +(\S+) +(\S+)/gm)];
    assertEquals(
      elf.segments.map((s) => [s.vaddr, s.paddr, BigInt(s.data.length), s.memSize]),
      loads.map((m) => m.slice(1, 5).map((w) => BigInt(w!))),
      name,
    );
    const sections = [
      ...(await text("-S")).matchAll(/^ +\[ *\d+\] (\S*) +[A-Z_]+ +([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)/gm),
    ];
    assertEquals(
      elf.sections.slice(1).map((s) => [s.name, s.addr, s.size]),
      sections.map((m) => [m[1]!, BigInt(`0x${m[2]}`), BigInt(`0x${m[3]}`)]).filter(([n]) => n !== ""),
      name,
    );
    const symbols = [
      ...(await text("-s")).matchAll(
        /^ +\d+: ([0-9a-f]+) +(\d+|0x[0-9a-f]+) (FUNC|OBJECT|NOTYPE) +(\w+) +\w+ +\d+ (\S+)$/gm,
      ),
    ].filter((m) => !/^(\$[xd]|\.L)/.test(m[5]!));
    assert(symbols.length > 10, name);
    assertEquals(
      elf.symbols.map((s) => [s.address, s.size, s.type, s.global, s.name]),
      symbols.map((m) => [BigInt(`0x${m[1]}`), BigInt(m[2]!), m[3], m[4] !== "LOCAL", m[5]]),
      name,
    );
  }
  assert(seen >= 2);
}));
