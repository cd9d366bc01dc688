/**
 * CSR instructions that the interpreter meets again and again, each as a WebAssembly function of its own, with the code
 * that regions have for it: kernels switch interrupts off and on in code too cold to be translated.
 */
import type { Hart } from "../hart/hart.ts";
import { HART } from "../hart/layout.ts";
import type { Sem } from "../isa/row.ts";
import { csrCode, emitCsr } from "./csr_code.ts";
import { FunctionBody, I32, I64, ModuleWriter, Op } from "./wasm.ts";

/** How often an instruction is met before it is worth a function. */
const WORTH = 32;
/** Most instructions remembered; a guest that has more begins again. */
const MOST = 1024;

/** A function for one instruction word. */
interface CsrFunction {
  /** The lowest privilege mode that may do it. */
  readonly privilege: number;
  /** Does it: 1. 0: nothing is done. */
  readonly run: () => number;
}

/** What one hart needs for it. */
export class CsrFunctions {
  readonly #hart: Hart;
  readonly #memory: WebAssembly.Memory;
  readonly #u32: Uint32Array;
  /** By instruction word: its function, how often it was met so far, or -1 if it can have none. */
  readonly #known = new Map<number, CsrFunction | number>();

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
    if (hart.privilege < known.privilege || hart.records.active || known.run() === 0) return false;
    const at = (hart.base + HART.pc) >>> 2;
    const next = this.#u32[at]! + 4;
    this.#u32[at] = next;
    if (next > 0xffff_ffff && hart.xlen === 64) this.#u32[at + 1]!++;
    hart.steps++;
    return true;
  }

  #meet(word: number, times: number = 0): false {
    if (times < 0) return false;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(word, times < WORTH ? times + 1 : this.#function(word) ?? -1);
    return false;
  }

  #function(word: number): CsrFunction | undefined {
    const hart = this.#hart;
    const decoded = hart.decoder.decode(word);
    const code = decoded && csrCode(hart, decoded);
    if (decoded === undefined || code === undefined) return undefined;
    const { base, operands: { rd, rs1 } } = decoded;
    const wide = hart.xlen === 64;
    const type = wide ? I64 : I32;
    const f = new FunctionBody([], [I32]);
    const [old, next, value, done] = [f.local(type), f.local(type), f.local(type), f.local(I32)];
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
    f.i32(1).set(done).end().get(done);
    const module = new ModuleWriter();
    module.add(f, "run");
    const bytes = module.encode(this.#memory.buffer.byteLength / 0x1_0000);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: this.#memory } });
    return { privilege: code.privilege, run: instance.exports["run"] as () => number };
  }
}
