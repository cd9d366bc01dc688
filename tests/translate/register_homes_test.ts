/** Which registers regions keep in locals. That values are right wherever they are is tested by running regions. */
import { assertEquals } from "@std/assert";
import { registerHomes } from "../../vm/translate/register_homes.ts";
import { nodeAt, structureOf } from "../support/structure_of.ts";

const set = (...registers: number[]) => registers.reduce((all, n) => all | 1 << n, 0);

Deno.test("a loop has what it uses in locals, and what the loop around it changed goes to the hart's state first", () => {
  // The outer loop uses s2 to s9 (x18 to x25) twice; the inner one uses a0 to a5 (x10 to x15) twice and more.
  const outer = Array.from({ length: 8 }, (_, i) => `addi s${i + 2}, s${i + 2}, 1`).join("\n");
  const shape = structureOf(
    `
  outer: ${outer}
  inner: add a0, a0, a1
         add a2, a2, a3
         add a4, a4, a5
         sub a1, a1, a3
         addi a5, a5, -1
         bnez a5, inner
         addi s2, s2, -1
         bnez s2, outer
         ret
    `,
    0,
  );
  const homes = registerHomes(shape);
  const inner = homes[nodeAt(shape, 32).order]!;
  assertEquals(inner.locals, set(10, 11, 12, 13, 14, 15));
  // Only what the inner loop changes differs from the state while it runs.
  assertEquals(inner.dirty, set(10, 11, 12, 14, 15));
  // s2 is used most in the outer loop; what the inner loop has stays where it is, if there is room.
  const { locals } = homes[nodeAt(shape, 0).order]!;
  assertEquals(locals & set(18), set(18));
});

Deno.test("a register that is used once stays in the hart's state, x0 is never in a local", () => {
  const shape = structureOf("add a0, a1, zero\nadd a2, a0, zero\nadd a0, a0, a2\nret", 0);
  const [home] = registerHomes(shape);
  assertEquals(home, { locals: set(10, 12), dirty: set(10, 12) });
});
