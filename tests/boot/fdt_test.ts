import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  cells,
  cells64,
  decodeFdt,
  encodeFdt,
  FdtError,
  type FdtNode,
  flag,
  formatFdt,
  nodeAt,
  property,
  strings,
} from "../../vm/boot/fdt.ts";

const tree: FdtNode = {
  name: "",
  properties: [cells("#address-cells", 2), strings("compatible", "a,b", "c"), flag("ranges")],
  children: [
    {
      name: "soc",
      properties: [{ name: "odd", value: Uint8Array.of(1, 2, 3) }, cells("reg", ...cells64(0x1_8000_0000))],
      children: [{ name: "uart@10000000", properties: [cells("#address-cells", 1)], children: [] }],
    },
    { name: "empty", properties: [], children: [] },
  ],
};

Deno.test("fdt: what is encoded is decoded", () => {
  const blob = encodeFdt(tree);
  assertEquals(decodeFdt(blob), tree);
  assertEquals(blob.length % 4, 0);
});

Deno.test("fdt: layout of the smallest tree, byte by byte (devicetree 0.4 §5)", () => {
  const blob = encodeFdt({ name: "", properties: [cells("a", 7)], children: [] });
  const header = [0xd00dfeed, 92, 56, 88, 40, 17, 16, 0, 2, 32];
  const words = [...header, 0, 0, 0, 0, 1, 0, 3, 4, 0, 7, 2, 9, 0x61000000];
  const view = new DataView(blob.buffer);
  assertEquals(Array.from({ length: blob.length / 4 }, (_, i) => view.getUint32(i * 4)), words);
});

Deno.test("fdt: a name used twice is stored once", () => {
  const text = new TextDecoder("latin1").decode(encodeFdt(tree));
  assertEquals(text.split("#address-cells").length, 2);
});

Deno.test("fdt: nodes and properties are found by path and name", () => {
  assertEquals(nodeAt(tree, "/"), tree);
  assertEquals(nodeAt(tree, "/soc/uart@10000000")?.properties.length, 1);
  assertEquals(nodeAt(tree, "/soc/uart"), undefined);
  assertEquals(property(tree, "ranges")?.value.length, 0);
  assertEquals(property(tree, "range"), undefined);
});

Deno.test("fdt: text form", () => {
  assertEquals(
    formatFdt(tree),
    `/ {
    #address-cells = <0x2>;
    compatible = "a,b", "c";
    ranges;
    soc {
        odd = [01 02 03];
        reg = <0x1 0x80000000>;
        uart@10000000 {
            #address-cells = <0x1>;
        };
    };
    empty {
    };
};
`,
  );
});

/** A blob with word `index` of the header replaced. */
function withWord(offset: number, value: number): Uint8Array {
  const blob = encodeFdt(tree);
  new DataView(blob.buffer).setUint32(offset, value);
  return blob;
}

Deno.test("fdt: wrong headers are refused with the reason", () => {
  const cases: [Uint8Array, string][] = [
    [new Uint8Array(0), "0 bytes are too few for a header of 40"],
    [new Uint8Array(39), "39 bytes are too few"],
    [new Uint8Array(64), "magic is 0x00000000, expected 0xd00dfeed"],
    [encodeFdt(tree).subarray(0, -4), "header says 268 bytes, there are 264"],
    [withWord(4, 39), "header says 39 bytes"],
    [withWord(20, 15), "version 15 (compatible to 16), expected 16 or 17"],
    [withWord(24, 18), "version 17 (compatible to 18), expected 16 or 17"],
    [withWord(8, 4), "structure block (168 bytes at 0x4) leaves the blob of 268"],
    [withWord(8, 0xffff_fff0), "leaves the blob of 268"],
    [withWord(12, 0xffff_ffff), "strings block (41 bytes at 0xffffffff) leaves the blob of 268"],
    [withWord(32, 0xffff_ffff), "strings block (4294967295 bytes at 0xe0) leaves"],
    [withWord(36, 164), "structure block ends where the end of the structure block is expected"],
    [withWord(8, 57), "structure block at 0x39 is not aligned to 4"],
  ];
  for (const [blob, message] of cases) assertThrows(() => decodeFdt(blob), FdtError, message);
});

Deno.test("fdt: wrong structure blocks are refused with the reason", () => {
  const cases: [Uint8Array, string][] = [
    [withWord(56, 2), "token 0x2 at 0x38 where the root node is expected"],
    [withWord(64, 5), 'token 0x5 at 0x40 where a property, a node or the end of node "" is expected'],
    [withWord(68, 0x7fff_ffff), 'property "#address-cells" of 2147483647 bytes leaves the structure block'],
    [withWord(72, 0x1000), "a property's name at 0x10e0 does not end inside its block"],
    [withWord(60, 0x61000000), 'the root node is called "a", expected no name'],
  ];
  for (const [blob, message] of cases) assertThrows(() => decodeFdt(blob), FdtError, message);
});

Deno.test("fdt: a blob within a larger buffer is read in place", () => {
  const blob = encodeFdt(tree);
  const buffer = new Uint8Array(blob.length + 13).fill(0xaa);
  buffer.set(blob, 5);
  assertEquals(decodeFdt(buffer.subarray(5)), tree);
});

Deno.test("fdt: NOPs and version 16 are read", () => {
  const blob = encodeFdt({ name: "", properties: [cells("a", 7)], children: [] });
  const view = new DataView(blob.buffer);
  // The property becomes five NOPs: length, name and value words are tokens too then.
  for (let at = 64; at < 80; at += 4) view.setUint32(at, 4);
  view.setUint32(20, 16);
  view.setUint32(36, 0);
  assertEquals(decodeFdt(blob), { name: "", properties: [], children: [] });
});

Deno.test("fdt: deep nesting is refused, not recursed into", () => {
  let node: FdtNode = { name: "n", properties: [], children: [] };
  for (let i = 0; i < 100; i++) node = { name: i === 99 ? "" : "n", properties: [], children: [node] };
  assertThrows(() => decodeFdt(encodeFdt(node)), FdtError, "nested deeper than 64");
});

Deno.test("fdt: names are bounded", () => {
  const blob = encodeFdt({ name: "", properties: [flag("x".repeat(256))], children: [] });
  assertThrows(() => decodeFdt(blob), FdtError, "longer than 255 bytes");
});

Deno.test("fdt: any blob ends in a tree or an FdtError", () => {
  const original = encodeFdt(tree);
  let refused = 0;
  for (let at = 0; at < original.length; at++) {
    for (const value of [0, 1, 3, 0x7f, 0xff]) {
      const blob = original.slice();
      blob[at] = value;
      try {
        decodeFdt(blob);
      } catch (error) {
        assert(error instanceof FdtError, `byte ${at} = ${value}: ${error}`);
        refused++;
      }
    }
  }
  for (let length = 0; length < original.length; length++) {
    assertThrows(() => decodeFdt(original.subarray(0, length)), FdtError);
  }
  assert(refused > 100);
});
