/** The timer of S-mode (Sstc), on every engine. */
import { assert, assertEquals } from "@std/assert";
import { Privilege } from "../../vm/events.ts";
import { engineNames } from "../support/engine.ts";
import { causes, enter, GuestProgram, SKIPPING_HANDLER } from "../support/guest_program.ts";
import { parseIsa } from "../../vm/isa/table.ts";

/** Sets or clears menvcfg.STCE, bit 63: on RV32 it is in menvcfgh. Uses t6. */
function enable(xlen: 32 | 64, on = true): string {
  const [name, value] = xlen === 64 ? ["menvcfg", 1n << 63n] : ["menvcfgh", 1n << 31n];
  return `li t6, ${value}\n${on ? "csrs" : "csrc"} ${name}, t6`;
}

/** Writes stimecmp: all 64 bits, high half first so that it does not fire early. */
function compare(xlen: 32 | 64, low: string): string {
  return xlen === 64 ? `csrw stimecmp, ${low}` : `csrw stimecmph, zero\ncsrw stimecmp, ${low}`;
}

for (const engine of engineNames) {
  for (const xlen of [32, 64] as const) {
    const isa = parseIsa(`rv${xlen}imac_sstc`);
    const load = (text: string) => new GuestProgram(engine, isa, text);
    const each = (name: string, body: () => void) => Deno.test(`${name} (RV${xlen}, ${engine})`, body);

    each("stimecmp: an interrupt once time has reached it, until it is moved on", () => {
      const program = load(`
            ${enable(xlen)}
            csrwi mcounteren, 2
            li t0, 0x20
            csrw mideleg, t0
            la t0, handler
            csrw stvec, t0
            ${enter(1, "in")}
    in:     li s0, 37
            ${compare(xlen, "s0")}
            li t0, 0x20
            csrw sie, t0
            csrsi sstatus, 2
    wait:   addi s1, s1, 1
            j wait
            .align 2
    handler: csrr s2, time
            csrr s3, sip
            li t0, -1
            ${xlen === 64 ? "csrw stimecmp, t0" : "csrw stimecmph, t0"}
            csrr s4, sip
    done:   j done
      `);
      // Ends at the deadline, which the machine would run.
      program.machine.run(50_000);
      assertEquals(program.machine.clock.now, 3700);
      program.machine.clock.runDue();
      program.run();
      assertEquals(causes(program), ["interrupt 5 0x0"]);
      assertEquals([program.x("s2"), program.x("s3"), program.x("s4")], [37n, 0x20n, 0n]);
      assert(program.x("s1") > 1000n);
    });

    each("a waiting hart is woken by it", () => {
      const program = load(`
            ${enable(xlen)}
            li s0, 50
            ${compare(xlen, "s0")}
            li t0, 0x20
            csrw mie, t0
            wfi
            csrr s1, time
            csrr s2, mip
    done:   j done
      `);
      program.machine.run(100);
      assert(program.hart.waiting);
      const { clock } = program.machine;
      assertEquals(clock.next, 5000);
      clock.idle += clock.next - clock.now;
      clock.runDue();
      program.run();
      assertEquals([program.x("s1"), program.x("s2")], [50n, 0x20n]);
    });

    each("mip.STIP is the timer's while STCE is set, and software's while it is not", () => {
      const program = load(`
            li t0, 0x20
            csrs mip, t0
            csrr s0, mip
            ${enable(xlen)}
            li t1, -1
            ${xlen === 64 ? "csrw stimecmp, t1" : "csrw stimecmph, t1"}
            csrr s1, mip
            csrs mip, t0
            csrr s2, mip
            ${compare(xlen, "zero")}
            csrr s3, mip
            csrc mip, t0
            csrr s4, mip
            ${enable(xlen, false)}
            csrr s5, mip
    done:   j done
      `).run();
      const seen = ["s0", "s1", "s2", "s3", "s4", "s5"].map((name) => program.x(name));
      assertEquals(seen, [0x20n, 0n, 0n, 0x20n, 0x20n, 0n]);
    });

    each("S-mode has stimecmp only with mcounteren.TM and STCE, M-mode always", () => {
      for (const [on, counteren] of [[true, 2], [true, 5], [false, 7]] as const) {
        const program = load(`
            la t0, trap
            csrw mtvec, t0
            ${on ? enable(xlen) : ""}
            csrwi mcounteren, ${counteren}
            li a0, 9
            csrw stimecmp, a0
            csrr a1, stimecmp
            ${enter(1, "in")}
    in:     csrr a2, stimecmp
            ecall
    done:   j done
    ${SKIPPING_HANDLER}
        `).run();
        assertEquals(program.x("a1"), 9n);
        const fine = on && (counteren & 2) !== 0;
        assertEquals(
          program.traps.map((t) => [t.cause, t.from]),
          fine ? [[9, Privilege.S]] : [[2, Privilege.S], [11, Privilege.M]],
        );
      }
    });
  }

  Deno.test(`without Sstc there is no stimecmp, and STCE reads zero (${engine})`, () => {
    const program = new GuestProgram(
      engine,
      parseIsa("rv64imac"),
      `
            la t0, trap
            csrw mtvec, t0
            ${enable(64)}
            csrr s4, menvcfg
            csrr a0, stimecmp
    done:   j done
    ${SKIPPING_HANDLER}
    `,
    ).run();
    assertEquals([program.x("s4"), causes(program)[0]?.split(" ")[0]], [0n, "2"]);
  });
}
