/** What a region is made of. What the code does is tested by running it. */
import { assertEquals } from "@std/assert";
import { blocksOf } from "../support/structure_of.ts";

Deno.test("what control was never seen to come to is left out, where functions return to as well", () => {
  const text = `
    call: jal twice
          addi a0, a0, 1
          ret
    twice: slli a0, a0, 1
          ret
  `;
  assertEquals(blocksOf(text, 0).map(({ offset }) => offset), [0, 12, 4]);
  // Where the call comes back to is not known otherwise, and asked for once.
  assertEquals(blocksOf(text, 0, (offset) => offset !== 4).map(({ offset }) => offset), [0, 12]);
});
