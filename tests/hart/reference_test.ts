/** What control flow does where it can go wrong, and the records that instructions leave. */
import { assertEquals } from "@std/assert";
import { RECORD, RecordFlag, RecordKind } from "../../vm/events.ts";
import { csrNumber } from "../../vm/isa/csr_names.ts";
import { causes, type GuestProgram, type HartTest, hartTests, WIDTHS } from "../support/guest_program.ts";

const hartTest = (...test: HartTest): void => hartTests(...test).forEach((t) => Deno.test(t));

const WITHOUT_C = ["rv64ima", "rv32ima"];

hartTest("without C a jump to a halfword traps on the jump, and rd is not written", WITHOUT_C, (load) => {
  for (
    const [text, target] of [
      ["jal a0, 0x80000402", 0x8000_0402n],
      ["jalr a0, 2(a1)", 0x8000_0402n],
      ["jalr a1, 3(a1)", 0x8000_0402n],
      ["beq zero, zero, 0x80000402", 0x8000_0402n],
      ["bne a0, zero, 0x80000406", 0x8000_0406n],
    ] as const
  ) {
    const program = load(`
            la t0, done
            csrw mtvec, t0
            li a0, 0x5a5
            li a1, 0x80000400
    here:   ${text}
    done:   j done
    `).run();
    // unpriv §2.5: the exception is the jump's, tval the target (priv §3.1.16).
    assertEquals(causes(program), [`0 0x${target.toString(16)}`], text);
    assertEquals(program.csr("mepc"), program.at("here"), text);
    assertEquals([program.x("a0"), program.x("a1")], [0x5a5n, 0x8000_0400n], text);
  }
});

hartTest("without C a branch that is not taken may have any target", WITHOUT_C, (load) => {
  const program = load(`
            la t0, done
            csrw mtvec, t0
            li a0, 1
            beq a0, zero, 0x80000402
            li a1, 1
    done:   j done
  `).run();
  assertEquals([program.traps.length, program.x("a1")], [0, 1n]);
});

hartTest("without C compressed words are illegal", WITHOUT_C, (load) => {
  const program = load(`
            la t0, done
            csrw mtvec, t0
    here:   .half 0x0505, 0x0505            # c.addi a0, 1
    done:   j done
  `).run();
  assertEquals(program.traps.map((t) => [t.cause, t.epc]), [[2, program.at("here")]]);
});

hartTest("jalr drops bit 0 of its target, and reads rs1 before it writes rd", WIDTHS, (load) => {
  const program = load(`
            la a1, there
            jalr a1, 1(a1)
    back:   li a2, 1
    there:  li a3, 1
    done:   j done
  `).run();
  assertEquals([program.x("a1"), program.x("a2"), program.x("a3")], [program.at("back"), 0n, 1n]);
});

hartTest("addresses wrap at the width", WIDTHS, (load, isa) => {
  const program = load(`
            la t0, done
            csrw mtvec, t0
            li a1, -2
            jalr a0, 6(a1)                  # to 4, where nothing is
            .align 2
    done:   j done
  `).run();
  assertEquals(causes(program), ["1 0x4"]);
  assertEquals(program.x("a0") < 1n << BigInt(isa.xlen), true);
});

hartTest("x0 stays zero whatever is written to it", WIDTHS, (load) => {
  const program = load(`
            li a0, 5
            add zero, a0, a0
            jal zero, next
    next:   auipc zero, 1
            lui zero, 1
            lw zero, 0(sp)
            csrrw zero, mscratch, a0
            la a2, next
            amoadd.w zero, zero, (a2)
            mul zero, a0, a0
            add a1, zero, zero
    done:   j done
  `);
  program.hart.setX(2, 0x8000_0000n);
  program.run();
  assertEquals([program.x("a1"), program.x("zero")], [0n, 0n]);
});

hartTest("fence and fence.i do nothing that can be seen", WIDTHS, (load) => {
  const program = load(`
            fence
            fence rw, w
            fence.i
            sfence.vma
            sfence.vma a0, a1
    done:   j done
  `).run();
  assertEquals(program.traps, []);
});

/** The records of a run, in words. */
function records(program: GuestProgram): string[] {
  const lines: string[] = [];
  program.machine.events.onRecords((view, count) => {
    for (let i = 0; i < count; i++) {
      const at = i * RECORD.bytes;
      const wide = (field: number) => view.getBigUint64(at + field, true).toString(16);
      const kind = view.getUint8(at + RECORD.kind);
      const flags = view.getUint8(at + RECORD.flags);
      const size = view.getUint8(at + RECORD.size);
      const csr = view.getUint16(at + RECORD.csr, true);
      const parts = [wide(RECORD.pc).slice(-3)];
      if (kind === RecordKind.Csr) parts.push(`csr ${csr.toString(16)} = ${wide(RECORD.value)}`);
      if (kind === RecordKind.Trapped) parts.push(`trap ${csr} ${wide(RECORD.addr)}`);
      if (kind === RecordKind.Retired) {
        const rd = view.getUint8(at + RECORD.rd);
        // A write to x0 may be recorded: readers leave it out.
        if (flags & RecordFlag.Rd && rd !== 0) parts.push(`x${rd} = ${wide(RECORD.value)}`);
        if (flags & RecordFlag.Load) parts.push(`load ${size} ${wide(RECORD.addr)}`);
        if (flags & RecordFlag.Store) parts.push(`store ${size} ${wide(RECORD.addr)} ${wide(RECORD.data)}`);
      }
      parts.push(`step ${wide(RECORD.step)}`);
      lines.push(parts.join(", "));
    }
  });
  program.machine.record(true);
  program.run(40);
  program.machine.records.drain();
  return lines.filter((line) => !line.startsWith(program.at("done").toString(16).slice(-3)));
}

hartTest("each instruction leaves a record of what it wrote, a trap one of its own", ["rv32ima"], (load) => {
  const program = load(`
            auipc t0, 0
            addi t0, t0, 64
            csrw mtvec, t0
            sw t0, 512(t0)
            lbu a0, 513(t0)
            lw zero, 512(t0)
            addi a2, t0, 512
            amoadd.w a1, a0, (a2)
            lr.w a1, (a2)
            sc.w a1, zero, (a2)
            sc.w a1, zero, (a2)
            csrrs a3, mstatus, zero
            csrrsi a3, sstatus, 2
            ecall
            nop
            nop
            csrrci a3, mscratch, 1
    done:   j done
  `);
  assertEquals(records(program), [
    ...["000, x5 = 80000000, step 0", "004, x5 = 80000040, step 1", "008, step 2"],
    ...[`008, csr ${csrNumber("mtvec")!.toString(16)} = 80000040, step 2`],
    ...["00c, store 4 80000240 80000040, step 3", "010, x10 = 0, load 1 80000241, step 4"],
    ...["014, load 4 80000240, step 5", "018, x12 = 80000240, step 6"],
    ...["01c, x11 = 80000040, load 4 80000240, store 4 80000240 80000040, step 7"],
    ...["020, x11 = 80000040, load 4 80000240, step 8", "024, x11 = 0, store 4 80000240 0, step 9"],
    ...["028, x11 = 1, step a", "02c, x13 = 0, step b", "030, x13 = 0, step c"],
    ...[`030, csr ${csrNumber("mstatus")!.toString(16)} = 2, step c`, "034, trap 11 0, step d"],
    ...["040, x13 = 0, step e", `040, csr ${csrNumber("mscratch")!.toString(16)} = 0, step e`],
  ]);
});

hartTest("the record of a written counter has the value that is read next", WIDTHS, (load) => {
  const program = load(`
            li a0, 40
            csrw minstret, a0
            csrr a1, minstret
            csrw mcycle, a0
    done:   j done
  `);
  assertEquals(records(program).filter((line) => line.includes("csr")), [
    `004, csr ${csrNumber("minstret")!.toString(16)} = 28, step 1`,
    `00c, csr ${csrNumber("mcycle")!.toString(16)} = 28, step 3`,
  ]);
  assertEquals(program.x("a1"), 40n);
});
