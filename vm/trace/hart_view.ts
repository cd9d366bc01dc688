import type { Privilege } from "../events.ts";
import type { Xlen } from "../isa/row.ts";

/** What a report looks at of a hart. */
export interface HartView {
  /** Hart id. */
  readonly index: number;
  /** Width of its registers. */
  readonly xlen: Xlen;
  /** Address of the instruction it does next. */
  readonly pc: bigint;
  /** Mode it is in. */
  readonly privilege: Privilege;
  /** In wfi. */
  readonly waiting: boolean;
  /** Register `n`, unsigned. */
  x(n: number): bigint;
  /** Floating-point register `n`: 64 bits, a narrower value NaN-boxed. */
  f(n: number): bigint;
  /** CSR `number`, without access checks; undefined if the hart has no such CSR. */
  csr(number: number): bigint | undefined;
}
