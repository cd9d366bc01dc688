import { assertEquals } from "@std/assert";
import { type ElfFile, readElf } from "../../vm/boot/elf.ts";
import { archOf, flagExtensions } from "../../vm/boot/riscv_attributes.ts";
import { Random } from "../support/random.ts";

const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];
const u32 = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24];
/** A part with its tag and length; a vendor's part has its name in place of the tag. */
const scope = (tag: number, tags: readonly number[]): number[] => [tag, ...u32(tags.length + 5), ...tags];
const vendor = (name: string, scopes: readonly number[]): number[] => {
  const named = [...ascii(`${name}\0`), ...scopes];
  return [...u32(named.length + 4), ...named];
};
const section = (...vendors: readonly number[][]): Uint8Array => Uint8Array.from([0x41, ...vendors.flat()]);

/** A file with nothing but an attributes section. */
function fileWith(data: Uint8Array, flags = 0): ElfFile {
  const attributes = { name: ".riscv.attributes", type: 0x7000_0003, flags: 0n, addr: 0n, size: 0n, link: 0, data };
  return { xlen: 64, entry: 0n, flags, segments: [], sections: [attributes], symbols: [] };
}

Deno.test("attributes: the ISA of files that GCC has built, without versions", async () => {
  for (
    const [image, arch] of [["demo", "rv64i_m_a_c_zicsr_zifencei_zmmul"], [
      "demo_rv32",
      "rv32i_m_a_c_zicsr_zifencei_zmmul",
    ]]
  ) {
    const bytes = await Deno.readFile(new URL(`../../images/${image}.elf`, import.meta.url));
    assertEquals(archOf(readElf(bytes, "demo")), arch);
  }
});

Deno.test("attributes: numbers, other vendors and other scopes are passed over", () => {
  const arch = [5, ...ascii("RV32I2p1_zba1p0\0")];
  const file = scope(1, [4, 0x90, 0x01, 6, 1, 7, ...ascii("text\0"), ...arch]);
  assertEquals(archOf(fileWith(section(vendor("riscv", file)))), "rv32i_zba");
  assertEquals(
    archOf(fileWith(section(vendor("other", file), vendor("riscv", [...scope(2, arch), ...file])))),
    "rv32i_zba",
  );
  assertEquals(archOf(fileWith(section(vendor("other", file)))), undefined);
  assertEquals(archOf(fileWith(section(vendor("riscv", scope(1, [4, 16]))))), undefined);
  assertEquals(archOf({ ...fileWith(section()), sections: [] }), undefined);
});

Deno.test("attributes: whatever is in the section, reading it ends", () => {
  const whole = section(vendor("riscv", scope(1, [4, 16, 5, ...ascii("rv64i2p1\0")])));
  for (let length = 0; length < whole.length; length++) archOf(fileWith(whole.slice(0, length)));
  const random = new Random(1);
  for (let i = 0; i < 5000; i++) {
    const bytes = whole.slice();
    for (let n = 0; n < 3; n++) bytes[random.below(bytes.length)] = random.below(256);
    archOf(fileWith(bytes));
  }
});

Deno.test("attributes: float ABI and E in the header's flags", () => {
  const of = (flags: number) => flagExtensions(fileWith(section(), flags)).join("");
  assertEquals([0, 1, 2, 4, 5, 6, 8, 0xd].map(of), ["", "", "f", "fd", "fd", "fdq", "e", "fde"]);
});
