/** Which loops are written out more than once, and how. That they still do what they did is tested by running them. */
import { assertEquals } from "@std/assert";
import type { Edge } from "../../vm/translate/flow.ts";
import { structureOf } from "../support/structure_of.ts";

const UNROLLING = { longest: 4, times: 3, total: 8 };
const NESTED = `
  outer: addi a0, a0, 1
  inner: addi a1, a1, -1
         beqz a2, over
         addi a3, a3, 1
  over:  bnez a1, inner
         bnez a0, outer
         ret
`;

const target = (edge: Edge): number | undefined => "block" in edge ? edge.block.order : undefined;

Deno.test("an inner loop stands once before itself, and in itself as often as there is room", () => {
  const { nodes } = structureOf(NESTED, 0, UNROLLING);
  const inner = nodes.filter(({ block }) => block.offset === 4);
  // In order: the first turn, which is in the outer loop, and a loop of two turns.
  const [outer, loop] = nodes.filter(({ header }) => header).map(({ order }) => order);
  assertEquals(inner.map((node) => node.loop), [outer, loop, loop]);
  assertEquals(inner.map((node) => node.header), [false, true, false]);
  // Where each of them goes on.
  const ends = nodes.filter(({ block }) => block.offset === 16).map(({ block: { end } }) => end);
  const [, first, second] = inner.map(({ order }) => order);
  assertEquals(ends.map((end) => end.kind === "branch" ? target(end.taken) : undefined), [first, second, first]);
  assertEquals(new Set(ends.map((end) => end.kind === "branch" ? target(end.next) : undefined)).size, 1);
});

Deno.test("longer loops, and loops around others, stay as they are", () => {
  const { nodes } = structureOf(NESTED, 0, { ...UNROLLING, longest: 3 });
  const offsets = nodes.filter(({ block }) => block.instructions.length > 0).map(({ block }) => block.offset);
  assertEquals(offsets, [0, 4, 12, 16, 20, 24]);
});

Deno.test("where the region begins in the loop, there is no way into it to send elsewhere", () => {
  const { nodes } = structureOf("loop: addi a0, a0, -1\nbnez a0, loop\nret", 0, UNROLLING);
  const turns = nodes.filter(({ block }) => block.offset === 0);
  assertEquals(turns.map(({ header, loop }) => [header, loop]), [[true, 0], [false, 0], [false, 0]]);
  assertEquals(turns.map(({ longest }) => longest), [7, 5, 3]);
});
