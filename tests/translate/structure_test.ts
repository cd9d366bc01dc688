/** How regions are put into WebAssembly's loops and blocks. What the code does is tested by running it. */
import { assert, assertEquals } from "@std/assert";
import type { Node } from "../../vm/translate/structure.ts";
import { nodeAt as at, structureOf } from "../support/structure_of.ts";

Deno.test("what follows a loop does not stand in it", () => {
  const shape = structureOf(
    `
        li a0, 9
  loop: addi a0, a0, -1
        beqz a1, out
        bnez a0, loop
  out:  addi a2, a2, 1
        ret
  `,
    0,
  );
  const loop = at(shape, 4);
  assert(loop.header);
  assertEquals(loop.after.map(({ block }) => block.offset), [16]);
  assertEquals(loop.merges, []);
});

Deno.test("a region that is wanted in an inner loop begins with the outer one, and may be entered there", () => {
  const nested = `
  outer: li a0, 9
  inner: addi a0, a0, -1
         addi a2, a2, 1
         bnez a0, inner
         addi a1, a1, -1
         bnez a1, outer
         ret
  `;
  const shape = structureOf(nested, 4);
  assertEquals([shape.root.block.offset, shape.entries.map(({ block }) => block.offset)], [-4, [-4, 0]]);
  const inner = at(shape, 0);
  assert(inner.header);
  assertEquals(inner.after.map(({ block }) => block.offset), [12]);
  assertEquals(shape.nodes[inner.around]!.block.offset, -4);
});

Deno.test("a place in the middle of a loop that the region is wanted for is an entry", () => {
  const shape = structureOf(
    `
  outer: li a0, 9
  inner: addi a0, a0, -1
         beqz a2, other
         addi a2, a2, 1
  other: addi a3, a3, 1
         bnez a0, inner
         bnez a1, outer
         ret
  `,
    16,
  );
  assertEquals(shape.entries.map(({ block }) => block.offset), [-16, -12, 0]);
});

Deno.test("of loops that share a header the shortest is the inner one", () => {
  const shape = structureOf(
    `
        j into
  next: addi t1, t1, 1
        beq a6, t6, out
  into: lbu a5, 0(t1)
        addi a6, a6, 1
        bne a5, t0, next
        addi a0, a0, 1
        addi a1, a1, 1
        addi a2, a2, 1
        bne a6, t6, into
  out:  ret
  `,
    0,
  );
  const [into, next, rest] = [at(shape, 12), at(shape, 4), at(shape, 24)];
  assertEquals([into.header, next.loop], [true, into.order]);
  const outer = shape.nodes[into.around]!;
  assertEquals([outer.block.offset, outer.block.instructions.length, rest.loop], [12, 0, outer.order]);
});

Deno.test("the way to an entry goes through the loops around it", () => {
  const shape = structureOf(
    `
         addi a0, a0, 1
  outer: addi a1, a1, 1
  middle: addi a2, a2, 1
  inner: addi a3, a3, -1
         bnez a3, inner
         bnez a2, middle
         bnez a1, outer
         ret
  `,
    0,
  );
  assertEquals(shape.entries.map(({ block }) => block.offset), [0, 4, 8, 12]);
  const ways = shape.nodes.flatMap(({ block: { offset, end } }) =>
    end.kind === "enter" ? [[offset, ...end.cases.map(({ entry, last }) => `${entry}${last ? "!" : ""}`)]] : []
  );
  assertEquals(ways, [[0, "1!", "2", "3"], [4, "2!", "3"], [8, "3!"]]);
});

Deno.test("several ways to go on with a loop are one loop", () => {
  const shape = structureOf(
    `
  loop: addi a0, a0, -1
        andi a2, a0, 1
        beqz a2, loop
        addi a1, a1, 1
        bnez a0, loop
        ret
  `,
    0,
  );
  assertEquals(shape.nodes.filter((node) => node.header).length, 1);
});

Deno.test("loops in loops: code after an inner one that the outer one repeats stays in the outer one", () => {
  const shape = structureOf(
    `
  outer: addi a0, a0, 1
  inner: addi a1, a1, -1
         bnez a1, inner
         addi a2, a2, 1
         bnez a2, outer
         addi a3, a3, 1
         ret
  `,
    0,
  );
  const [outer, inner] = shape.entries as [Node, Node];
  assertEquals(outer.after.map(({ block }) => block.offset), [20]);
  assertEquals(inner.after.map(({ block }) => block.offset), [12]);
});

Deno.test("a loop that is come to in two places keeps the way to its start, and turns without going to the root", () => {
  const shape = structureOf(
    `
         beqz a5, into
  outer: addi a2, a2, 1
         bnez a4, outer
  inner: addi a3, a3, 1
         beqz a1, outer
  into:  addi a0, a0, -1
         bnez a0, inner
         ret
  `,
    0,
  );
  const ways = shape.nodes.flatMap(({ block: { offset, end } }) => {
    const edges = end.kind === "branch" ? [end.taken, end.next] : [];
    return edges.flatMap((edge) => "block" in edge && edge.entry !== undefined ? [offset] : []);
  });
  assertEquals(ways, [0]);
});
