import { assertEquals } from "@std/assert";
import { type SymbolSource, SymbolTable } from "../../vm/boot/symbols.ts";
import { Random } from "../support/random.ts";

const f = (name: string, address: number, size: number, type: SymbolSource["type"] = "FUNC"): SymbolSource => ({
  name,
  address: BigInt(address),
  size: BigInt(size),
  type: type!,
  global: true,
});

Deno.test("symbols: addresses inside, between and outside", () => {
  const table = new SymbolTable([f("b", 0x200, 0x10), f("a", 0x100, 0x10)]);
  const at = (n: number) => table.format(BigInt(n));
  assertEquals([0, 0xff, 0x100, 0x10f, 0x110, 0x1ff, 0x200, 0x20f, 0x210].map(at), [
    undefined,
    undefined,
    "a",
    "a+0xf",
    undefined,
    undefined,
    "b",
    "b+0xf",
    undefined,
  ]);
  assertEquals(table.find(0x104n), { name: "a", offset: 4 });
});

Deno.test("symbols: a label without size reaches to the next symbol, not farther than 64 KiB", () => {
  const table = new SymbolTable([f("_start", 0x100, 0, "NOTYPE"), f("loop", 0x120, 0, "NOTYPE"), f("main", 0x200, 8)]);
  assertEquals(table.format(0x11cn), "_start+0x1c");
  assertEquals(table.format(0x1ffn), "loop+0xdf");
  assertEquals(table.format(0x208n), undefined);
  const lone = new SymbolTable([f("trap", 0x100, 0, "NOTYPE")]);
  assertEquals([lone.format(0x100ffn), lone.format(0x10100n)], ["trap+0xffff", undefined]);
});

Deno.test("symbols: a label inside a function does not take its name", () => {
  const table = new SymbolTable([f("copy", 0x100, 0x40), f("again", 0x110, 0, "NOTYPE")]);
  assertEquals([table.format(0x118n), table.addressOf("again")], ["copy+0x18", 0x110n]);
});

Deno.test("symbols: nested objects name what they cover, then the outer one again", () => {
  const table = new SymbolTable([f("outer", 0x100, 0x100), f("inner", 0x140, 0x10), f("innermost", 0x144, 4)]);
  assertEquals(
    [0x13f, 0x140, 0x144, 0x147, 0x148, 0x150, 0x1ff, 0x200].map((n) => table.format(BigInt(n))),
    ["outer+0x3f", "inner", "innermost", "innermost+0x3", "inner+0x8", "outer+0x50", "outer+0xff", undefined],
  );
});

Deno.test("symbols: of several at one address the function, the larger, the global one is told", () => {
  const table = new SymbolTable([
    f("label", 0x100, 0, "NOTYPE"),
    f("object", 0x100, 0x20, "OBJECT"),
    { ...f("local", 0x100, 0x10), global: false },
    f("function", 0x100, 0x10),
  ]);
  assertEquals(table.format(0x104n), "function+0x4");
  assertEquals(["label", "object", "local"].map((n) => table.addressOf(n)), [0x100n, 0x100n, 0x100n]);
});

Deno.test("symbols: the highest addresses", () => {
  const table = new SymbolTable([{ name: "top", address: 0xffff_ffff_ffff_fff0n, size: 0x10n }, f("low", 0, 1)]);
  assertEquals(table.format(0xffff_ffff_ffff_ffffn), "top+0xf");
  assertEquals(table.format(0n), "low");
});

Deno.test("symbols: by name", () => {
  const table = new SymbolTable([f("main", 0x100, 0x10), f("label", 0x200, 0, "NOTYPE")]);
  assertEquals(table.rangeOf("main"), { start: 0x100n, end: 0x110n });
  assertEquals(table.rangeOf("label"), { start: 0x200n, end: 0x201n });
  assertEquals([table.rangeOf("none"), table.addressOf("none"), table.size], [undefined, undefined, 2]);
  assertEquals(table.names().sort(), ["label", "main"]);
  assertEquals(new SymbolTable([]).find(0x100n), undefined);
});

Deno.test("symbols: agrees with a search through the list, on any list", () => {
  const random = new Random(7);
  for (let round = 0; round < 200; round++) {
    const list = Array.from(
      { length: random.between(1, 12) },
      (_, i) => f(`s${i}`, random.below(64), random.between(1, 20)),
    );
    const table = new SymbolTable(list);
    for (let address = 0; address < 90; address++) {
      const inside = list.filter((s) => Number(s.address) <= address && address < Number(s.address + s.size));
      const found = table.find(BigInt(address));
      // Which of several is a matter of taste where they overlap without being nested; that there is one is not.
      assertEquals(found !== undefined, inside.length > 0, `round ${round}, address ${address}`);
      if (found !== undefined) assertEquals(inside.some((s) => s.name === found.name), true);
    }
  }
});
