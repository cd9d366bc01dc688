/** Who called whom: return addresses from call frame information, else from ra. */
import type { CallFrames, FrameRules, RegisterRule } from "./call_frames.ts";

/** A hart's registers, and its memory at virtual addresses, at one moment. */
export interface StackState {
  readonly xlen: 32 | 64;
  readonly pc: bigint;
  /** Register `n`, unsigned. */
  x(n: number): bigint;
  /** The XLEN-wide word at a virtual address; undefined where nothing can be read. */
  word(addr: bigint): bigint | undefined;
}

/** Most callers that are listed. */
export const CALLERS_MAX = 32;

const RA = 1;
const SP = 2;

/**
 * Return addresses, the innermost first. `known` says whether an address is in a function at all: without frame
 * information ra is only believed where it points into one.
 */
export function callersOf(
  state: StackState,
  frames: readonly CallFrames[],
  known: (pc: bigint) => boolean,
): bigint[] {
  const mask = (1n << BigInt(state.xlen)) - 1n;
  let x = Array.from({ length: 32 }, (_, n) => state.x(n));
  let { pc } = state;
  const callers: bigint[] = [];
  for (let depth = 0; depth < CALLERS_MAX; depth++) {
    // A return address may be the first of the next function: what called is the instruction before it.
    const at = depth === 0 ? pc : pc - 1n;
    let rules: FrameRules | undefined;
    for (const one of frames) rules ??= one.find(at);
    if (rules === undefined) {
      // In a function that calls nothing, and nobody else's, ra is still as it was at the call.
      const ra = x[RA]!;
      if (depth === 0 && ra !== 0n && known(ra - 1n)) callers.push(ra);
      return callers;
    }
    const base = x[rules.register];
    if (base === undefined) return callers;
    const cfa = (base + BigInt(rules.offset)) & mask;
    const next = x.map((value, n) => {
      const rule = rules.rules.get(n);
      return rule === undefined ? value : registerOf(rule, cfa, x, state, mask);
    });
    const returns = next[rules.returnColumn];
    if (returns === undefined || returns === 0n || !known(returns - 1n)) return callers;
    // A stack grows down: a caller's frame is above.
    if (depth > 0 && cfa <= x[SP]!) return callers;
    next[SP] = cfa;
    callers.push(returns);
    pc = returns;
    x = next.map((value) => value ?? 0n);
  }
  return callers;
}

function registerOf(
  rule: RegisterRule,
  cfa: bigint,
  x: readonly bigint[],
  state: StackState,
  mask: bigint,
): bigint | undefined {
  switch (rule.at) {
    case "memory":
      return state.word((cfa + BigInt(rule.offset)) & mask);
    case "address":
      return (cfa + BigInt(rule.offset)) & mask;
    case "register":
      return x[rule.register];
    case "undefined":
      return undefined;
  }
}
