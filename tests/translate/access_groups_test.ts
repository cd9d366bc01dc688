/** Which accesses one comparison allows. That the values are right is tested by running regions. */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { accessGroups, type GroupedAccess } from "../../vm/translate/access_groups.ts";
import { nodeAt, structureOf } from "../support/structure_of.ts";

function accessesOf(text: string) {
  return accessGroups(structureOf(text, 0).nodes, false)[0]!;
}
const ends = (access: GroupedAccess | undefined) => access && [access.group.low, access.group.high, access.at];

Deno.test("loads and stores off one base are groups of their own, from the lowest byte to after the highest", () => {
  const found = accessesOf("ld a0, 16(sp)\nsd a1, 8(sp)\nlw a2, -4(sp)\nsd a3, 32(sp)\nlbu a4, 0(a5)\nret");
  assertEquals(found[0], { group: { base: 2, low: -4, high: 24, count: 2, node: 0, place: 0 }, at: 16 });
  assertStrictEquals(found[2]!.group, found[0]!.group);
  assertEquals(found[1], { group: { base: 2, low: 8, high: 40, count: 2, node: 0, place: 1 }, at: 8 });
  assertStrictEquals(found[3]!.group, found[1]!.group);
  assertEquals(found[4], undefined);
});

Deno.test("a group ends where its base is written, by a load too, and goes on where a constant is added", () => {
  const found = accessesOf("ld a1, 0(a0)\nld a0, 8(a0)\nld a2, 16(a0)\naddi a0, a0, -8\nld a3, 24(a0)\nret");
  assertStrictEquals(found[1]!.group, found[0]!.group);
  assertEquals([ends(found[0]), ends(found[1])], [[0, 16, 0], [0, 16, 8]]);
  // Both are at the same place.
  assertEquals([ends(found[2]), ends(found[4])], [[16, 24, 16], [16, 24, 16]]);
  const other = accessesOf("ld a1, 0(a0)\naddi a0, a2, 8\nld a2, 16(a0)\nret");
  assertEquals(other, [undefined, undefined, undefined, undefined]);
});

const BRANCHES = `
        lbu a1, 0(a0)
        addi a0, a0, 1
        beqz a1, both
        lbu a2, 0(a0)
        beqz a2, far
        lbu a3, 1(a0)
  both: lbu a4, 2(a0)
        ret
  far:  lbu a3, 300(a0)
        ret
`;

Deno.test("a group goes on where control can come from in one way only, as far as it is not too long", () => {
  const shape = structureOf(BRANCHES, 0);
  const found = accessGroups(shape.nodes, true);
  const at = (offset: number) => found[nodeAt(shape, offset).order]!;
  const [first, second, third] = [at(0)[0]!, at(12)[0]!, at(20)[0]!];
  assertEquals(first.group, { base: 10, low: 0, high: 10, count: 3, node: 0, place: 0 });
  assertStrictEquals(second.group, first.group);
  assertStrictEquals(third.group, first.group);
  assertEquals([first.at, second.at, third.at], [0, 1, 2]);
  assertEquals([at(24)[0], at(32)[0]], [undefined, undefined]);
});

Deno.test("turns of a loop that is unrolled are one group each time that it comes to its head", () => {
  const unrolling = { longest: 8, times: 4, total: 16 };
  const { nodes } = structureOf("loop: lbu a1, 0(a0)\naddi a0, a0, 1\nbnez a1, loop\nret", 0, unrolling);
  const found = accessGroups(nodes, true).flatMap(([access]) => ends(access) ?? []);
  assertEquals(found, [0, 11, 0, 0, 11, 1, 0, 11, 2, 0, 11, 3]);
});
