import { assertEquals } from "@std/assert";
import type { Hart } from "../../vm/hart/hart.ts";
import { hartSet } from "../../vm/sbi/hart_set.ts";

// The function only picks from the list.
const harts = [0, 1, 2, 3].map((index) => ({ index })) as unknown as readonly Hart[];
const ids = (mask: bigint, base: bigint, xlen: 32 | 64 = 64) => hartSet(harts, mask, base, xlen)?.map((h) => h.index);

Deno.test("hart set: a mask counts from its base, all ones are all harts, others must exist (sbi §3.1)", () => {
  assertEquals(ids(0b101n, 0n), [0, 2]);
  assertEquals(ids(0b11n, 2n), [2, 3]);
  assertEquals(ids(0n, 0n), []);
  assertEquals(ids(0n, 2n ** 64n - 1n), [0, 1, 2, 3]);
  assertEquals(ids(0n, 2n ** 32n - 1n, 32), [0, 1, 2, 3]);
  assertEquals(ids(0b100n, 2n), undefined);
  assertEquals(ids(1n, 2n ** 32n - 1n), undefined);
  assertEquals(ids(1n << 63n, 0n), undefined);
});
