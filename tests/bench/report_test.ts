import { assertEquals } from "@std/assert";
import { digits, sectionText } from "./report.ts";

Deno.test("a section's columns stand under their heads, numbers to the right", () => {
  const section = {
    name: "s",
    title: "Speed",
    notes: ["quiet"],
    columns: ["kernel", "MIPS"],
    rows: [["sieve", "209"], ["a", "1204"]],
    figures: {},
  };
  assertEquals(sectionText(section), "Speed\n  kernel  MIPS\n  sieve    209\n  a       1204\n  quiet\n");
});

Deno.test("a section without rows has no heads either", () => {
  const section = { name: "s", title: "QEMU", notes: ["not installed"], columns: ["kernel"], rows: [], figures: {} };
  assertEquals(sectionText(section), "QEMU\n  not installed\n");
});

Deno.test("numbers have three digits", () => {
  assertEquals([0.1234, 1.2, 12.345, 123.9, 1234].map(digits), ["0.12", "1.20", "12.3", "124", "1234"]);
});
