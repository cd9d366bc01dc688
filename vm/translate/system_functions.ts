/**
 * CSR instructions, returns from traps, waits and fences that the interpreter meets again and again. Where regions have
 * code for it, each is a WebAssembly function of its own with that code: kernels switch interrupts off and on in code too
 * cold to be translated.
 * Kernels also read `time` and patch their text, with a fence for each page, a hundred thousand times before they run:
 * these are functions that know the instruction's operands, and need no numbers of 64 bits but the register's own.
 */
import { Privilege } from "../events.ts";
import { csrPrivilege, MSTATUS } from "../hart/csr.ts";
import { CSR } from "../hart/csr_numbers.ts";
import type { Hart } from "../hart/hart.ts";
import { HART } from "../hart/layout.ts";
import { fenceTranslation } from "../hart/translation_fence.ts";
import { returnFromTrap } from "../hart/trap.ts";
import type { Decoded } from "../isa/decode.ts";
import type { Sem } from "../isa/row.ts";
import { csrCode, emitCsr } from "./csr_code.ts";
import { FunctionBody, I32, I64, ModuleWriter, Op } from "./wasm.ts";

/** How often an instruction is met before it is worth a function. */
const WORTH = 32;
/** Most instructions remembered; a guest that has more begins again. */
const MOST = 1024;

/** What a function for an instruction has done: nothing; all of it; all but looking whether an interrupt is due. */
const Done = { Nothing: 0, All: 1, Due: 3 } as const;

/** A function for one instruction word. */
interface SystemFunction {
  /** The lowest privilege mode that may do it. */
  readonly privilege: number;
  /** How far pc goes on: none where the instruction has set it. */
  readonly length: 0 | 4;
  /** Does it, and gives one of `Done`. */
  readonly run: () => number;
}

/** What one hart needs for it. */
export class SystemFunctions {
  readonly #hart: Hart;
  readonly #memory: WebAssembly.Memory;
  readonly #u32: Uint32Array;
  /** By instruction word: its function, how often it was met so far, or -1 if it can have none. */
  readonly #known = new Map<number, SystemFunction | number>();

  constructor(hart: Hart, memory: WebAssembly.Memory) {
    this.#hart = hart;
    this.#memory = memory;
    this.#u32 = new Uint32Array(memory.buffer);
  }

  /** Does the instruction `word` at the hart's pc, and counts it as one step. False: the reference executor has to. */
  run(word: number): boolean {
    const known = this.#known.get(word);
    if (typeof known !== "object") return this.#meet(word, known);
    const hart = this.#hart;
    if (hart.privilege < known.privilege || hart.records.active) return false;
    const done = known.run();
    if (done === Done.Nothing) return false;
    if (done === Done.Due) hart.attention = true;
    if (known.length !== 0) hart.advance(known.length);
    hart.steps++;
    return true;
  }

  #meet(word: number, times: number = 0): false {
    if (times < 0) return false;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(word, times < WORTH ? times + 1 : this.#function(word) ?? -1);
    return false;
  }

  #function(word: number): SystemFunction | undefined {
    const hart = this.#hart;
    const decoded = hart.decoder.decode(word);
    if (decoded === undefined) return undefined;
    const plain = csrCode(hart, decoded);
    if (plain === undefined) return decoded.base.class === "csr" ? this.#read(decoded) : this.#other(decoded);
    // A kernel's copies to and from a process change SUM around them. Regions cannot: another TLB is used then.
    const code = plain.free === undefined ? plain : { ...plain, free: plain.free | MSTATUS.SUM };
    const { base, operands: { rd, rs1 } } = decoded;
    const wide = hart.xlen === 64;
    const type = wide ? I64 : I32;
    const f = new FunctionBody([], [I32]);
    const [old, next, value, done, due] = [f.local(type), f.local(type), f.local(type), f.local(I32), f.local(I32)];
    const register = (n: number): number => hart.base + HART.x + 8 * n;
    const emitter = {
      f,
      xlen: hart.xlen,
      hart: hart.base,
      old,
      next,
      rs1: () => void f.i32(0).memory(wide ? Op.I64Load : Op.I32Load, register(rs1)),
      rd: () => void f.set(value).i32(0).get(value).memory(wide ? Op.I64Store : Op.I32Store, register(rd)),
      leaveIf: () => void f.brIf("leave"),
      dueIf: () => void f.set(due),
    };
    f.block("leave");
    // The row says what it does, and where its operand comes from.
    const sem: Pick<Sem<never, never>, "csr"> = {
      csr: (operation, source) =>
        emitCsr(emitter, code, operation, {
          immediate: source === "uimm" ? rs1 : undefined,
          writes: operation === "write" || rs1 !== 0,
          rd: rd !== 0,
        }),
    };
    base.run!(sem as Sem<never, never>);
    f.i32(Done.Due).i32(Done.All).get(due).op(Op.Select).set(done).end().get(done);
    const module = new ModuleWriter();
    module.add(f, "run");
    const bytes = module.encode(this.#memory.buffer.byteLength / 0x1_0000);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: this.#memory } });
    const run = instance.exports["run"] as () => number;
    return { privilege: code.privilege, length: 4, run: code.free === undefined ? run : () => this.#status(run) };
  }

  /** Does an access to mstatus, and what must follow where SUM has changed. */
  #status(run: () => number): number {
    const hart = this.#hart;
    const at = hart.slotOf(CSR.mstatus) >>> 2;
    const before = this.#u32[at]!;
    const done = run();
    if (((before ^ this.#u32[at]!) & Number(MSTATUS.SUM)) !== 0) hart.modeChanged();
    return done;
  }

  /** A register that is only read, and not by emitted code: `time` and the like. */
  #read({ base, operands: { rd, rs1, imm } }: Decoded): SystemFunction | undefined {
    const hart = this.#hart;
    const row = hart.csrRow(imm);
    let reads = false;
    const sem: Pick<Sem<never, never>, "csr"> = {
      csr: (operation) => reads = operation !== "write" && rs1 === 0,
    };
    base.run!(sem as Sem<never, never>);
    if (row === undefined || !reads) return undefined;
    return {
      privilege: csrPrivilege(imm),
      length: 4,
      run: () => {
        if (row.refused?.(hart, false)) return Done.Nothing;
        hart.setX(rd, row.read(hart));
        return Done.All;
      },
    };
  }

  /** What every interrupt handler ends with, and every wait; and fences. */
  #other(decoded: Decoded): SystemFunction | undefined {
    const hart = this.#hart;
    switch (decoded.base.name) {
      case "mret":
      case "sret": {
        const { name } = decoded.base;
        const run = () => returnFromTrap(hart, name) ? Done.All : Done.Nothing;
        return { privilege: name === "mret" ? Privilege.M : Privilege.S, length: 0, run };
      }
      case "wfi": {
        const run = () => {
          hart.wait();
          return Done.All;
        };
        // In a lower mode mstatus.TW has a say.
        return { privilege: Privilege.M, length: 4, run };
      }
      case "sfence.vma":
        return this.#fence(decoded);
      default:
        return undefined;
    }
  }

  /** A fence for what page tables say. */
  #fence({ operands: { rs1, rs2 } }: Decoded): SystemFunction {
    const hart = this.#hart;
    const low = (n: number) => this.#u32[(hart.base + HART.x + 8 * n) >>> 2]!;
    const high = (n: number) => hart.xlen === 64 ? this.#u32[(hart.base + HART.x + 8 * n + 4) >>> 2]! : 0;
    return {
      privilege: Privilege.S,
      length: 4,
      run: () => {
        if (hart.virtualMemoryTrapped) return Done.Nothing;
        fenceTranslation(
          hart,
          rs1 === 0 ? undefined : { low: low(rs1), high: high(rs1) },
          rs2 === 0 ? undefined : low(rs2),
        );
        return Done.All;
      },
    };
  }
}
