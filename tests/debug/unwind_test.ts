/** Callers found by call frame information against a stack of calls that was kept while the program ran. */
import { assert, assertEquals } from "@std/assert";
import { readElf } from "../../vm/boot/elf.ts";
import { CapturedStack } from "../../vm/debug/captured_stack.ts";
import { DebugInfo } from "../../vm/debug/debug_info.ts";
import { RECORD, RecordKind } from "../../vm/events.ts";
import { peek } from "../../vm/hart/peek.ts";
import type { Machine } from "../../vm/machine.ts";
import { bootImage } from "../support/boot_image.ts";

const RA = 1n;

/** Follows calls and returns in the stream of instructions. */
class ShadowStack {
  /** Return addresses, the outermost first; undefined for a trap. */
  calls: (bigint | undefined)[] = [];
  #pending: bigint | undefined;

  batch(view: DataView, count: number): void {
    for (let at = 0; at < count * RECORD.bytes; at += RECORD.bytes) this.#record(view, at);
  }

  #record(view: DataView, at: number): void {
    const kind = view.getUint8(at + RECORD.kind);
    const pc = view.getBigUint64(at + RECORD.pc, true);
    if (kind === RecordKind.Csr) return;
    // A return is one only if control came to where the call would have gone on.
    if (this.#pending !== undefined && this.calls.at(-1) === pc) this.calls.pop();
    this.#pending = undefined;
    if (kind === RecordKind.Trapped) return void this.calls.push(undefined);
    const insn = view.getUint32(at + RECORD.insn, true);
    const wide = (insn & 3) === 3;
    const [opcode, rd, rs1] = [insn & 0x7f, (insn >>> 7) & 31, (insn >>> 15) & 31];
    if (insn === 0x3020_0073) this.calls.pop();
    else if (wide && (opcode === 0x6f || opcode === 0x67)) {
      if (BigInt(rd) === RA) this.calls.push(pc + 4n);
      else if (opcode === 0x67 && BigInt(rs1) === RA) this.#pending = pc;
    } else if (!wide && (insn & 0xf07f) === 0x9002 && rd !== 0) this.calls.push(pc + 2n); // c.jalr
    else if (!wide && (insn & 0xffff) === 0x8082) this.#pending = pc; // c.jr ra
    else if (!wide && this.rv32 && (insn & 0xe003) === 0x2001) this.calls.push(pc + 2n); // c.jal
  }

  readonly rv32: boolean;
  constructor(rv32: boolean) {
    this.rv32 = rv32;
  }
}

for (const [xlen, file] of [[64, "demo.elf"], [32, "late_callback_rv32.elf"]] as const) {
  Deno.test(`the callers of every device access of ${file} are those that called`, async () => {
    const elf = readElf(Deno.readFileSync(new URL(`../../images/${file}`, import.meta.url)), file);
    const debug = new DebugInfo(elf.sections, elf.xlen);
    const code = elf.segments[0]!;
    const known = (pc: bigint): boolean => pc >= code.vaddr && pc < code.vaddr + code.memSize;
    const shadow = new ShadowStack(xlen === 32);
    const seen = new Set<string>();
    let deepest = 0;
    let whole = 0;
    const watch = (machine: Machine): void => {
      const hart = machine.harts[0]!;
      machine.events.onRecords((view, count) => shadow.batch(view, count));
      machine.events.on("mmio", (fact, { pc }) => {
        const key = `${pc} ${shadow.calls.length}`;
        if (fact.device?.name.startsWith("virtio") !== true || seen.has(key)) return;
        seen.add(key);
        const source = {
          xlen,
          x: (n: number) => hart.x(n),
          peek: (at: bigint, target: Uint8Array) => peek(hart, at, target),
        };
        const callers = debug.callers(new CapturedStack(source, pc), known);
        // Up to the trap that interrupted the rest: its handler is assembly without frame information.
        const expected = shadow.calls.slice(shadow.calls.lastIndexOf(undefined) + 1).reverse();
        assertEquals(callers.map(String), expected.slice(0, callers.length).map(String), `at ${pc.toString(16)}`);
        // lib_main is called by the first instructions, which nobody called.
        assert(callers.length >= expected.length, `${callers.length} of ${expected.length} at ${pc.toString(16)}`);
        deepest = Math.max(deepest, callers.length);
        whole++;
      });
    };
    const { reason } = await bootImage(file, { engine: "interpreter", xlen, started: watch });
    assertEquals(reason, "pass");
    assert(deepest >= 5 && whole > 30, `${deepest} deep, ${whole} places`);
  });
}
