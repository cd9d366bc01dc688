import { assertEquals } from "@std/assert";
import { readImage } from "../../vm/boot/image.ts";
import { DEFAULT_ISA, defaultIsa } from "../../vm/cli/default_isa.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { buildElf } from "../support/elf_builder.ts";

/** An image whose attributes say that it was built for `arch`. */
function builtFor(arch: string, flags = 0) {
  const segments = [{ paddr: 0x8000_0000n, data: Uint8Array.of(0x13, 0, 0, 0) }];
  const image = readImage(buildElf({ segments, flags }), { name: "image" });
  const text = [...new TextEncoder().encode(`${arch}\0`)];
  const data = Uint8Array.from([
    0x41,
    16 + text.length,
    0,
    0,
    0,
    ...new TextEncoder().encode("riscv\0"),
    1,
    6 + text.length,
    0,
    0,
    0,
    5,
    ...text,
  ]);
  const section = { name: "", type: 0x7000_0003, flags: 0n, addr: 0n, size: 0n, link: 0, data };
  return { ...image, elf: { ...image.elf!, sections: [section] } };
}

const extensionsOf = (...images: Parameters<typeof defaultIsa>[1] & unknown[]) =>
  parseIsa(defaultIsa(64, images)).extensions;

Deno.test("default ISA: what QEMU's virt has, for either width", () => {
  assertEquals([defaultIsa(64), defaultIsa(32)], [DEFAULT_ISA[64], DEFAULT_ISA[32]]);
  for (const xlen of [32, 64] as const) assertEquals(parseIsa(defaultIsa(xlen)).xlen, xlen);
});

Deno.test("default ISA: an ELF file adds what it was built for, as far as it is there", () => {
  assertEquals(extensionsOf(builtFor("rv64i2p1_m2p0_zicsr2p0_zmmul1p0")), parseIsa(DEFAULT_ISA[64]).extensions);
  const plain = extensionsOf();
  const more = extensionsOf(builtFor("rv64imafdcv1p0_zfh1p0_zicond1p0_zvl128b1p0"), builtFor("rv64i_zbkb1p0"));
  assertEquals(more.filter((name) => !plain.includes(name)), ["zfhmin", "zfh", "zbkb", "zicond"]);
});

Deno.test("default ISA: an ABI that nothing here has changes nothing", () => {
  assertEquals(extensionsOf(builtFor("rv64i", 6)), extensionsOf());
});
