/** Rounding modes and exception flags of floating-point instructions (unpriv §20.2, tables 28 and 29). */

/** Rounding modes, as `rm` and `frm` encode them; 5 and 6 are reserved. */
export const Rounding = {
  /** To nearest, ties to even. */
  NearestEven: 0,
  TowardsZero: 1,
  Down: 2,
  Up: 3,
  /** To nearest, ties away from zero. */
  NearestMax: 4,
  /** In an instruction only: the mode is in `frm`. */
  Dynamic: 7,
} as const;
export type Rounding = typeof Rounding[keyof typeof Rounding];

/** Assembly names by encoding; empty for the reserved ones. */
export const roundingNames: readonly string[] = ["rne", "rtz", "rdn", "rup", "rmm", "", "", "dyn"];

/** The rounding mode's bits in `Operands.imm`, and how many these are: rs3 stands above them. */
export const RM_BITS = 7;
export const RM_WIDTH = 3;

/** Exception flags: bits of `fflags`. */
export const FFlag = {
  /** Inexact. */
  NX: 1,
  /** Underflow: tiny after rounding, and inexact. */
  UF: 2,
  /** Overflow. */
  OF: 4,
  /** Division by zero. */
  DZ: 8,
  /** Invalid operation. */
  NV: 16,
} as const;
