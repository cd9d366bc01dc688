import type { Privilege } from "../events.ts";
import type { Xlen } from "../isa/row.ts";

/** What a report looks at of a hart. */
export interface HartView {
  readonly index: number;
  readonly xlen: Xlen;
  readonly pc: bigint;
  readonly privilege: Privilege;
  /** In wfi. */
  readonly waiting: boolean;
  /** Register `n`, unsigned. */
  x(n: number): bigint;
  /** CSR `number`, without access checks; undefined if the hart has no such CSR. */
  csr(number: number): bigint | undefined;
}
