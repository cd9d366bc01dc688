/** Regions that go on in another page while addresses are translated, against the reference executor: pages that go elsewhere. */
import { assertEquals, assertGreater } from "@std/assert";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { hostRanges, PagedMap, straightMap } from "../../vm/translate/code_map.ts";
import { Interpreter } from "../../vm/translate/interpreter.ts";
import { BARE, BareMachine } from "../support/engine.ts";
import { enterPaging, leaf } from "../support/paged_program.ts";

Deno.test("offsets become host addresses page by page, and back", () => {
  const pages = new Map([[-1, 0x9000], [0, 0x4000], [1, 0x2000]]);
  const map = new PagedMap(0x4ff8, 1, (n) => pages.get(n) ?? -1);
  assertEquals([0, 6, 8, 0xffe, -0xff8, -0xffa, 0x1008].map((o) => map.host(o)), [
    0x4ff8,
    0x4ffe,
    0x2000,
    0x2ff6,
    0x4000,
    0x9ffe,
    -1,
  ]);
  assertEquals([0x4ffe, 0x2004, 0x9ffe, 0x6000].map((h) => map.offset(h)), [6, 12, -0xffa, undefined]);
  assertEquals(hostRanges(map, 0, 16), [[0x4ff8, 0x5000], [0x2000, 0x2008]]);
  const straight = straightMap(0x4ff8, 0x4000, 0x5004);
  assertEquals([straight.host(8), straight.host(12), straight.offset(0x5000)], [0x5000, -1, 8]);
  assertEquals(hostRanges(straight, 0, 12), [[0x4ff8, 0x5000], [0x5000, 0x5004]]);
});

/**
 * In S-mode, a loop that begins at the end of a page and goes on in the next one: which page that is changes every 40
 * turns, with a fence for its address or for all. `wide` is RV64 with three levels of page tables; else two.
 */
function program(wide: boolean, fence: string): string {
  const [store, load] = wide ? ["sd", "ld"] : ["sw", "lw"];
  return `
        ${enterPaging(wide)}
start:  li s3, 2
turn:   li s2, 40
        la s4, first
        jr s4
next:   xori s3, s3, 5
        slli t1, s3, 12
        li t0, ${BARE.ram}
        add t0, t0, t1
        ${leaf("t0")}
        ${store} t1, 0(s1)
        ${load} t2, 0(s1)
        li t0, ${BARE.ram + 0x2000}
        ${fence}
        j turn
        .align 12
        .zero 4080
first:  addi a0, a0, 1
        xor a1, a1, a0
        addi a2, a2, 3
        addi s2, s2, -1
        addi a3, a3, 5
        beqz s2, out
        j first
out:    la t0, next
        jr t0
        .align 12
  `;
}

for (const [name, wide] of [["rv64ima", true], ["rv32ima", false]] as const) {
  for (const fence of ["sfence.vma t0, zero", "sfence.vma zero, zero"]) {
    Deno.test(`${name}: a region obeys a page of its that goes elsewhere, after ${fence}`, () => {
      const isa = parseIsa(name);
      const origin = BigInt(BARE.ram);
      const { bytes, labels } = new Assembler(isa).program(program(wide, fence), origin);
      // The loop goes on in page 2; page 7 has other code in its place.
      const image = new Uint8Array(0xc000);
      image.set(bytes.subarray(0, image.length));
      const tail = Number(labels.get("first")! - origin);
      assertEquals(tail, 0x1ff0);
      image.copyWithin(0x7000, 0x2000, 0x2040);
      // addi a3, a3, 5 becomes addi a3, a3, 77.
      new DataView(image.buffer).setUint32(0x7000, (77 << 20) | 0x68693, true);
      const [auto, reference] = [new BareMachine("auto", isa, 0), new BareMachine("reference", isa, 0)];
      for (const machine of [auto, reference]) machine.load(image);
      for (let i = 0; i < 60; i++) {
        const stretch = i % 3 === 0 ? 7 : 300;
        for (const machine of [auto, reference]) machine.run(stretch);
        const states = [auto, reference].map(({ hart }) => [
          hart.steps,
          hart.pc,
          hart.privilege,
          ...Array.from({ length: 32 }, (_, n) => hart.x(n)),
        ]);
        assertEquals(states[0], states[1], `after ${reference.hart.steps} steps`);
      }
      assertEquals(reference.hart.privilege, 1);
      assertGreater(reference.hart.x(13), 500n * 5n, "the other page was never used");
      assertGreater((auto.engine as Interpreter).regions!.stats.made, 0);
    });
  }
}
