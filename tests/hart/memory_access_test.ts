/** Loads, stores, atomics and fetches: alignment, page and region boundaries, devices, ROM, nowhere, reservations. */
import { assertEquals } from "@std/assert";
import { BARE } from "../support/engine.ts";
import { causes, type HartTest, hartTests, SKIPPING_HANDLER, WIDTHS } from "../support/guest_program.ts";
import type { GuestProgram, Load } from "../support/guest_program.ts";

const hartTest = (...test: HartTest): void => hartTests(...test).forEach((t) => Deno.test(t));

const END = BARE.ram + BARE.ramSize;
/** Three pages from the start of RAM: nothing else uses it and the next one. */
const DATA = BARE.ram + 0x3000;

/** Runs `text` with a handler that skips what traps. */
function skipping(load: Load, text: string): GuestProgram {
  return load(`
            la t0, trap
            csrw mtvec, t0
            ${text}
    done:   j done
    ${SKIPPING_HANDLER}
  `).run();
}

const SIZES = { b: 1, h: 2, w: 4, d: 8 } as const;

function widths(xlen: 32 | 64): (keyof typeof SIZES)[] {
  return xlen === 64 ? ["b", "h", "w", "d"] : ["b", "h", "w"];
}

hartTest("memory is read and written at any alignment, over a page's end too", WIDTHS, (load, isa) => {
  const places = [0, 1, 2, 3, 5, 7, 63, 0xff9, 0xffc, 0xffd, 0xffe, 0xfff, 0x1000];
  for (const width of widths(isa.xlen)) {
    const size = SIZES[width];
    const unsigned = size * 8 < isa.xlen ? `l${width}u` : `l${width}`;
    const program = load(`
            li a1, ${DATA}
            ${
      places.map((at, i) => `
              li a2, ${DATA + at}
              li a3, ${0x4000 + 64 * i}
              add a3, a3, a1
              l${width} a4, 0(a2)
              ${unsigned} a5, 0(a2)
              s${isa.xlen === 64 ? "d" : "w"} a4, 0(a3)
              s${isa.xlen === 64 ? "d" : "w"} a5, 8(a3)
              not a6, a5
              s${width} a6, 0(a2)
              l${width} a7, 0(a2)
              s${isa.xlen === 64 ? "d" : "w"} a7, 16(a3)
            `).join("\n")
    }
    done:   j done
    `);
    for (let i = -8; i < 0x1010; i++) program.machine.ram[DATA - BARE.ram + i] = (i * 37 + 11) & 255;
    program.machine.memory.wrote(DATA - 8, 0x1018);
    // What memory must be: the same on a plain array.
    const model = program.machine.ram.slice(DATA - BARE.ram - 8, DATA - BARE.ram + 0x1010);
    program.run();
    assertEquals(program.traps, []);
    places.forEach((at, i) => {
      const old = model.slice(8 + at, 8 + at + size).reduceRight((v, b) => (v << 8n) | BigInt(b), 0n);
      const inverted = BigInt.asUintN(8 * size, ~old);
      for (let b = 0; b < size; b++) model[8 + at + b]! ^= 255;
      const signed = (v: bigint) => BigInt.asUintN(isa.xlen, BigInt.asIntN(8 * size, v));
      const result = (n: number) => program.memory(BigInt(DATA + 0x4000 + 64 * i + n), isa.xlen / 8);
      assertEquals([result(0), result(8), result(16)], [signed(old), old, signed(inverted)], `l${width} at ${at}`);
    });
    assertEquals(program.machine.ram.slice(DATA - BARE.ram - 8, DATA - BARE.ram + 0x1010), model);
  }
});

hartTest("an access over the end of memory faults at the first byte beyond, and moves nothing", WIDTHS, (load, isa) => {
  const wide = isa.xlen === 64 ? "d" : "w";
  const size = SIZES[wide];
  const program = skipping(
    load,
    `
            li a1, ${END}
            li a0, 0x5a5
            l${wide} a0, -1(a1)
            lh a0, -1(a1)
            lb a0, 0(a1)
            s${wide} a1, -2(a1)
            sb a1, 0(a1)
            l${wide} a2, ${-size}(a1)
            li a3, ${BARE.ram}
            lh a0, -1(a3)
            sb a3, -1(a3)
  `,
  );
  const end = END.toString(16);
  const before = (BARE.ram - 1).toString(16);
  assertEquals(causes(program), [
    ...[`5 0x${end}`, `5 0x${end}`, `5 0x${end}`, `7 0x${end}`, `7 0x${end}`],
    ...[`5 0x${before}`, `7 0x${before}`],
  ]);
  assertEquals(program.x("a0"), 0x5a5n);
  assertEquals(program.x("a2"), 0n);
});

hartTest("addresses that no machine has fault, up to the last one", WIDTHS, (load, isa) => {
  const far = isa.xlen === 64 ? ["0x10000000000000", "0x8000000080000000", "-8", "0x180000000"] : ["-8", "0x7ffffff0"];
  const program = skipping(
    load,
    `
            li a0, 0x5a5
            ${far.map((at) => `li a1, ${at}\nlw a0, 0(a1)\nsw a0, 0(a1)`).join("\n")}
            li a1, -2
            lw a0, 0(a1)                    # over the end of the address space
            sw a0, 0(a1)
  `,
  );
  const mask = program.hart.mask;
  const address = (text: string) => `0x${(BigInt(text) & mask).toString(16)}`;
  const want = [...far, "-2"].flatMap((at) => [`5 ${address(at)}`, `7 ${address(at)}`]);
  assertEquals(causes(program), want);
  assertEquals(program.x("a0"), 0x5a5n);
});

hartTest("ROM is read and executed, and a store to it faults", WIDTHS, (load) => {
  const program = load(`
            la t0, trap
            csrw mtvec, t0
            li a1, ${BARE.rom}
            lw a0, 0(a1)
            sw a1, 0(a1)
            sb a1, 1(a1)
            amoadd.w a2, a1, (a1)
            lr.w a3, (a1)
            sc.w a4, a1, (a1)
            la ra, done
            jr a1
    done:   j done
    ${SKIPPING_HANDLER}
  `);
  // addi a5, zero, 7; ret
  program.machine.memory.load(BARE.rom, Uint8Array.of(0x93, 0x07, 0x70, 0, 0x67, 0x80, 0, 0));
  program.run();
  assertEquals(causes(program), ["7 0x1000", "7 0x1001", "7 0x1000", "7 0x1000"]);
  assertEquals([program.x("a0"), program.x("a3"), program.x("a5")], [0x0070_0793n, 0x0070_0793n, 7n]);
  assertEquals(program.memory(BigInt(BARE.rom), 4), 0x0070_0793n);
});

hartTest("a device takes naturally aligned accesses, in words", WIDTHS, (load, isa) => {
  const program = skipping(
    load,
    `
            li a1, ${BARE.device}
            li a0, 0x12345678
            sw a0, 8(a1)
            sh a0, 4(a1)
            sb a0, 1(a1)
            lw a2, 8(a1)
            lhu a3, 10(a1)
            lb a4, 8(a1)
            ${isa.xlen === 64 ? "sd a0, 16(a1)\nld a5, 16(a1)" : "nop"}
  `,
  );
  assertEquals(program.traps, []);
  assertEquals([program.x("a2"), program.x("a3"), program.x("a4")], [0x12345678n, 0x1234n, 0x78n]);
  assertEquals(program.machine.device.log, [
    ...["write 4 at 8: 305419896", "write 2 at 4: 22136", "write 1 at 1: 120"],
    ...["read 4 at 8", "read 2 at 10", "read 1 at 8"],
    ...(isa.xlen === 64 ? ["write 4 at 16: 305419896", "write 4 at 20: 0", "read 4 at 16", "read 4 at 20"] : []),
  ]);
});

hartTest("a misaligned access to a device traps and does not reach it", WIDTHS, (load, isa) => {
  const program = skipping(
    load,
    `
            li a1, ${BARE.device}
            li a0, 0x5a5
            lw a0, 2(a1)
            lh a0, 1(a1)
            sw a0, 1(a1)
            sh a0, 3(a1)
            ${isa.xlen === 64 ? "ld a0, 4(a1)\nsd a0, 12(a1)" : "nop"}
  `,
  );
  assertEquals(causes(program), [
    ...["4 0x10000002", "4 0x10000001", "6 0x10000001", "6 0x10000003"],
    ...(isa.xlen === 64 ? ["4 0x10000004", "6 0x1000000c"] : []),
  ]);
  assertEquals([program.x("a0"), program.machine.device.log.length], [0x5a5n, 0]);
});

hartTest("what a device refuses, and what is no device, is an access fault", WIDTHS, (load) => {
  const program = skipping(
    load,
    `
            li a1, ${BARE.device + BARE.deviceSize - 4}
            li a2, ${BARE.device + BARE.deviceSize}
            lw a0, 0(a1)
            sw a0, 0(a1)
            lw a0, 0(a2)
            sw a0, 0(a2)
            sb a0, 1(a2)
            amoswap.w a0, a0, (a2)
            lr.w a0, (a2)
            lw a0, 2(a2)                    # misaligned too, but that is not what is wrong with it
            sh a0, 3(a2)
  `,
  );
  assertEquals(causes(program), [
    ...["5 0x100000fc", "7 0x100000fc", "5 0x10000100", "7 0x10000100", "7 0x10000101"],
    ...["7 0x10000100", "5 0x10000100", "5 0x10000102", "7 0x10000103"],
  ]);
});

hartTest("atomics want memory and their natural alignment", WIDTHS, (load, isa) => {
  const double = isa.xlen === 64 ? "amoor.d a0, a0, (a2)\nlr.d a0, (a2)\nsc.d a0, a0, (a2)" : "";
  const program = skipping(
    load,
    `
            li a0, 0x5a5
            li a1, ${BARE.device}
            amoadd.w a0, a0, (a1)
            lr.w a0, (a1)
            sc.w a0, a0, (a1)
            li a1, ${DATA + 2}
            amoadd.w a0, a0, (a1)
            lr.w a0, (a1)
            sc.w a0, a0, (a1)
            li a2, ${DATA + 4}
            ${double}
            li a1, ${DATA + 0xffe}
            amoadd.w a0, a0, (a1)
  `,
  );
  const at = (n: number) => `0x${(DATA + n).toString(16)}`;
  assertEquals(causes(program), [
    ...["7 0x10000000", "5 0x10000000", "7 0x10000000", `6 ${at(2)}`, `4 ${at(2)}`, `6 ${at(2)}`],
    ...(double === "" ? [] : [`6 ${at(4)}`, `4 ${at(4)}`, `6 ${at(4)}`]),
    `6 ${at(0xffe)}`,
  ]);
  assertEquals([program.x("a0"), program.machine.device.log.length], [0x5a5n, 0]);
});

/** Success code (0 or 1) of a store-conditional to `DATA` after `between`. */
function conditional(load: Load, between: string): bigint {
  const program = load(`
            la t0, trap
            csrw mtvec, t0
            li a1, ${DATA}
            li a2, 77
            ${between}
            sc.w a0, a2, (a1)
    done:   j done
    ${SKIPPING_HANDLER}
  `).run();
  assertEquals(program.memory(BigInt(DATA), 4), program.x("a0") === 0n ? 77n : 0n);
  return program.x("a0");
}

hartTest("a store-conditional stores if the line is reserved", WIDTHS, (load) => {
  const reserve = "lr.w a3, (a1)";
  const other = (at: number) => `li a4, ${DATA + at}\nlr.w a3, (a4)`;
  assertEquals(conditional(load, ""), 1n);
  assertEquals(conditional(load, reserve), 0n);
  // Any load and any arithmetic may stand between.
  assertEquals(conditional(load, `${reserve}\nlw a5, 0(a1)\nadd a5, a5, a5\nbnez a5, done`), 0n);
  // The reservation is a line of 64 bytes, and the last one made.
  assertEquals(conditional(load, other(60)), 0n);
  assertEquals(conditional(load, other(64)), 1n);
  assertEquals(conditional(load, other(-4)), 1n);
  assertEquals(conditional(load, `${reserve}\n${other(64)}`), 1n);
  assertEquals(conditional(load, `${other(64)}\n${reserve}`), 0n);
  // Every store-conditional ends it, whether it stores or not (unpriv §13.2).
  assertEquals(conditional(load, `${reserve}\nli a4, ${DATA + 64}\nsc.w a5, a2, (a4)`), 1n);
  assertEquals(conditional(load, `${reserve}\nsc.w a5, zero, (a1)`), 1n);
  // So does a trap, and with it a return.
  assertEquals(conditional(load, `${reserve}\necall`), 1n);
  assertEquals(conditional(load, `${reserve}\nlw a5, 0(zero)`), 1n);
});

hartTest("a doubleword reservation serves a word of it, and the other way round", ["rv64imac"], (load) => {
  const program = load(`
            li a1, ${DATA}
            li a2, -3
            lr.d a0, (a1)
            sc.w a3, a2, (a1)
            lr.w a0, (a1)
            sc.d a4, a2, (a1)
            lr.w a5, (a1)                   # sign-extended
    done:   j done
  `).run();
  assertEquals([program.x("a3"), program.x("a4")], [0n, 0n]);
  assertEquals(program.x("a5"), program.hart.mask - 2n);
});

hartTest("a write by a device ends the reservation of its line, and of no other", WIDTHS, (load) => {
  for (const [at, length, code] of [[0, 1, 1n], [63, 1, 1n], [-3, 4, 1n], [64, 8, 0n], [-8, 8, 0n]] as const) {
    const program = load(`
            li a1, ${DATA}
            lr.w a3, (a1)
    wait:   beqz s1, wait
            sc.w a0, a1, (a1)
    done:   j done
    `);
    program.machine.run(20);
    program.machine.memory.copyIn(DATA + at, new Uint8Array(length));
    program.hart.setX(9, 1n);
    program.run();
    assertEquals(program.x("a0"), code, `${length} bytes at ${at}`);
  }
});

hartTest(
  "an instruction may lie over a page's end; a fetch fault is where its second half would be",
  WIDTHS,
  (load) => {
    const program = load(`
            la t0, done
            csrw mtvec, t0
            li a1, ${DATA + 0xffe}
            jalr a1                         # addi a0, zero, 7 there, then c.jr ra
            li a1, ${END - 2}
            jr a1
            .align 2
    done:   j done
  `);
    program.machine.memory.copyIn(DATA + 0xffe, Uint8Array.of(0x13, 0x05, 0x70, 0x00, 0x82, 0x80));
    program.machine.memory.copyIn(END - 2, Uint8Array.of(0x13, 0x05));
    program.run();
    assertEquals(program.x("a0"), 7n);
    // priv §3.1.16: tval is the portion that faulted, epc the instruction's begin.
    assertEquals(causes(program), [`1 0x${END.toString(16)}`]);
    assertEquals(program.csr("mepc"), BigInt(END - 2));
  },
);

hartTest("code cannot be fetched from devices or from nowhere", WIDTHS, (load) => {
  for (const at of [0, BARE.device, END, 0x7fff_fffc]) {
    const program = load(`
            la t0, done
            csrw mtvec, t0
            li a1, ${at}
            jr a1
            .align 2
    done:   j done
    `).run();
    assertEquals(causes(program), [`1 0x${at.toString(16)}`]);
    assertEquals(program.csr("mepc"), BigInt(at));
    assertEquals(program.machine.device.log, []);
  }
});

hartTest("code that was executed before is executed as it was last written", WIDTHS, (load) => {
  const program = load(`
            la s1, patched
            li s2, 0x00150513               # addi a0, a0, 1
            li s3, 0x06450513               # addi a0, a0, 100
            li s4, 3
            li s5, 0x55
    again:  sw s2, 0(s1)
            fence.i
            call sub
            sw s3, 0(s1)
            fence.i
            call sub
            sb zero, 3(s1)                  # addi a0, a0, 5, byte by byte
            sb s5, 2(s1)
            fence.i
            call sub
            addi s4, s4, -1
            bnez s4, again
    done:   j done
            .align 2
    sub:    nop
    patched: .word 0
            ret
  `).run();
  assertEquals(program.x("a0"), 3n * (1n + 100n + 5n));
});

hartTest("a device's write to code is seen by the next instruction", WIDTHS, (load) => {
  const program = load(`
    again:  addi a0, zero, 1
            beqz s1, again
    done:   j done
  `);
  program.machine.run(50);
  assertEquals(program.x("a0"), 1n);
  program.machine.memory.copyIn(BARE.ram, Uint8Array.of(0x13, 0x05, 0x20, 0x00)); // addi a0, zero, 2
  program.machine.run(2);
  assertEquals(program.x("a0"), 2n);
  program.hart.setX(9, 1n);
  program.run();
});
