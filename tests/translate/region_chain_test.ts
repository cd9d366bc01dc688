/** Regions that run one after the other, against the reference executor: each way from one to the next may be closed. */
import { assertEquals, assertGreater } from "@std/assert";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { Interpreter } from "../../vm/translate/interpreter.ts";
import { BARE } from "../support/engine.ts";
import { enterPaging, leaf } from "../support/paged_program.ts";
import { compareEngines, twoEngines } from "../support/two_engines.ts";

/** A function too long to be taken into its callers, which sums up where it runs. */
function long(name: string, register: string): string {
  return `${name}: auipc a6, 0\nadd a5, a5, a6\n${
    `addi ${register}, ${register}, 3\nxor a7, a7, ${register}\n`.repeat(25)
  } ret\n`;
}

for (const name of ["rv64imac", "rv32imac", "rv64ima"]) {
  Deno.test(`${name}: functions called through pointers by turns, and the code that calls them`, () => {
    const text = `
            li s0, 0
    again:  la t0, one
            jalr t0
            addi s0, s0, 1
            andi t1, s0, 7
            bnez t1, skip
            la t0, two
            jalr t0
    skip:   la t0, three
            jalr t0
            j again
            ${long("one", "a1")}
            ${long("two", "a2")}
    three:  mv s2, ra
            la t0, one
            jalr t0
            addi a3, a3, 1
            jr s2
    `;
    const { bytes } = new Assembler(parseIsa(name)).program(text, BigInt(BARE.ram));
    const both = twoEngines(bytes, name);
    compareEngines(both, 60_000);
    const { regions, steps } = both[0].engine.statistics!();
    assertGreater(regions!.ends.jump + regions!.ends.code, 100);
    assertGreater(steps.translated, steps.interpreted / 3);
  });
}

/**
 * In S-mode, calls a function in page 2 forty times, where it is and in page 3, where it is too; then maps another page in
 * both places, with a fence for them or for all.
 */
function pagedCalls(wide: boolean, fence: string): string {
  const [store, load] = wide ? ["sd", "ld"] : ["sw", "lw"];
  return `
        ${enterPaging(wide)}
start:  li s3, 7
turn:   xori s3, s3, 5
        slli t1, s3, 12
        li t0, ${BARE.ram}
        add t0, t0, t1
        ${leaf("t0")}
        ${store} t1, 0(s1)
        ${store} t1, ${wide ? 8 : 4}(s1)
        ${load} t2, 0(s1)
        li t0, ${BARE.ram + 0x2000}
        ${fence}
        li t0, ${BARE.ram + 0x3000}
        ${fence}
        li s2, 40
calls:  la s4, called
        jalr s4
        addi a0, a0, 1
        addi s2, s2, -1
        li t1, 4096
        add s4, s4, t1
        jalr s4
        bnez s2, calls
        j turn
        .align 12
        .zero 4096
        ${long("called", "a1")}
        .align 12
  `;
}

for (const [name, wide] of [["rv64ima", true], ["rv32ima", false]] as const) {
  for (const fence of ["sfence.vma t0, zero", "sfence.vma zero, zero"]) {
    Deno.test(`${name}: a call goes to the page that is mapped now, after ${fence}`, () => {
      const origin = BigInt(BARE.ram);
      const { bytes, labels } = new Assembler(parseIsa(name)).program(pagedCalls(wide, fence), origin);
      const image = new Uint8Array(0xc000);
      image.set(bytes.subarray(0, image.length));
      assertEquals(labels.get("called")! - origin, 0x2000n);
      image.copyWithin(0x7000, 0x2000, 0x2800);
      // addi a1, a1, 3 becomes addi a1, a1, 77.
      new DataView(image.buffer).setUint32(0x7008, (77 << 20) | 0x58593, true);
      const both = twoEngines(image, name);
      compareEngines(both, 40_000);
      const [auto, reference] = both;
      assertEquals(reference.hart.privilege, 1);
      assertGreater(reference.hart.x(11), reference.hart.x(10) * 2n * 76n, "the other page was never used");
      assertGreater((auto.engine as Interpreter).regions!.stats.made, 1);
    });
  }
}

Deno.test("a way that never ran is not in a region, and is taken when its time comes", () => {
  const seldom = "addi a3, a3, 1\nxor a4, a4, a3\n".repeat(40);
  const { bytes } = new Assembler(parseIsa("rv64imac")).program(
    `
            li s0, 6000
    loop:   addi a1, a1, 1
            beqz s0, seldom
    back:   addi s0, s0, -1
            bgtz s0, loop
            li s0, 0
            j loop
    seldom: ${seldom}
            li s0, 50
            j back
    `,
    BigInt(BARE.ram),
  );
  const both = twoEngines(bytes, "rv64imac");
  compareEngines(both, 20_000);
  const { made, instructions } = (both[0].engine as Interpreter).regions!.stats;
  assertGreater(made, 0);
  assertGreater(40, instructions, "what never ran was translated");
  compareEngines(both, 20_000);
  assertGreater(both[1].hart.x(13), 1000n);
  assertGreater((both[0].engine as Interpreter).regions!.stats.instructions, 80);
});
