/** A hart's registers and the memory above its stack pointer, kept so that its callers can be found later. */
import type { StackState } from "./unwind.ts";

/** Bytes of stack that are kept. */
export const STACK_BYTES = 8192;

/** What is captured of a hart. */
export interface StackSource {
  readonly xlen: 32 | 64;
  /** Register `n`, unsigned. */
  x(n: number): bigint;
  /** Copies bytes at a virtual address, as many as there are; returns how many. */
  peek(addr: bigint, target: Uint8Array): number;
}

const SP = 2;

/** One moment of a hart. */
export class CapturedStack implements StackState {
  readonly xlen: 32 | 64;
  readonly #source: StackSource;
  readonly #x: bigint[] = [];
  readonly #bytes = new Uint8Array(STACK_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #pc = 0n;

  /** Captures `source`, which executes the instruction at `pc`. */
  constructor(source: StackSource, pc: bigint) {
    this.xlen = source.xlen;
    this.#source = source;
    this.take(pc);
  }

  /** Forgets that moment for this one. */
  take(pc: bigint): void {
    this.#pc = pc;
    for (let n = 0; n < 32; n++) this.#x[n] = this.#source.x(n);
    this.#length = this.#source.peek(this.#x[SP]!, this.#bytes);
  }

  get pc(): bigint {
    return this.#pc;
  }

  x(n: number): bigint {
    return this.#x[n]!;
  }

  word(addr: bigint): bigint | undefined {
    const offset = addr - this.#x[SP]!;
    const size = this.xlen / 8;
    if (offset < 0n || offset + BigInt(size) > BigInt(this.#length)) return undefined;
    const at = Number(offset);
    return size === 8 ? this.#view.getBigUint64(at, true) : BigInt(this.#view.getUint32(at, true));
  }
}
