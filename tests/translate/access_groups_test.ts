/** Which accesses one comparison allows. That the values are right is tested by running regions. */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { accessGroups } from "../../vm/translate/access_groups.ts";
import { structureOf } from "../support/structure_of.ts";

function groupsOf(text: string) {
  return accessGroups(structureOf(text, 0).root.block.instructions);
}

Deno.test("loads and stores off one base are groups of their own, from the lowest byte to after the highest", () => {
  const groups = groupsOf("ld a0, 16(sp)\nsd a1, 8(sp)\nlw a2, -4(sp)\nsd a3, 32(sp)\nlbu a4, 0(a5)\nret");
  assertEquals(groups[0], { base: 2, low: -4, high: 24, count: 2, first: 0 });
  assertStrictEquals(groups[2], groups[0]);
  assertEquals(groups[1], { base: 2, low: 8, high: 40, count: 2, first: 1 });
  assertStrictEquals(groups[3], groups[1]);
  assertEquals(groups[4], undefined);
});

Deno.test("a group ends where its base is written, by a load too", () => {
  const groups = groupsOf("ld a1, 0(a0)\nld a0, 8(a0)\nld a2, 16(a0)\naddi a0, a0, 8\nld a3, 24(a0)\nret");
  assertStrictEquals(groups[1], groups[0]);
  assertEquals(groups[0], { base: 10, low: 0, high: 16, count: 2, first: 0 });
  assertEquals([groups[2], groups[4]], [undefined, undefined]);
});
