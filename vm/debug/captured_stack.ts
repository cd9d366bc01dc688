/** A hart's registers and the memory above its stack pointer, kept so that its callers can be found later. */
import type { StackState } from "./unwind.ts";

/** Bytes of stack that are kept. */
export const STACK_BYTES = 8192;

/** What is captured of a hart. */
export interface StackSource {
  readonly xlen: 32 | 64;
  /** Register `n`, unsigned. */
  x(n: number): bigint;
  /** A copy of up to `size` bytes at a virtual address. */
  peek(addr: bigint, size: number): Uint8Array;
}

const SP = 2;

/** One moment of a hart. */
export class CapturedStack implements StackState {
  readonly xlen: 32 | 64;
  readonly pc: bigint;
  readonly #x: readonly bigint[];
  readonly #stack: DataView;

  /** Captures `source`, which executes the instruction at `pc`. */
  constructor(source: StackSource, pc: bigint) {
    this.xlen = source.xlen;
    this.pc = pc;
    this.#x = Array.from({ length: 32 }, (_, n) => source.x(n));
    const bytes = source.peek(this.#x[SP]!, STACK_BYTES);
    this.#stack = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  x(n: number): bigint {
    return this.#x[n]!;
  }

  word(addr: bigint): bigint | undefined {
    const offset = addr - this.#x[SP]!;
    const size = this.xlen / 8;
    if (offset < 0n || offset + BigInt(size) > BigInt(this.#stack.byteLength)) return undefined;
    const at = Number(offset);
    return size === 8 ? this.#stack.getBigUint64(at, true) : BigInt(this.#stack.getUint32(at, true));
  }
}
