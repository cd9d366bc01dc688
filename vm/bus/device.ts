import type { RegisterDef } from "./register.ts";

/** Returned by a read or write that nothing answers: the hart raises an access fault. No register value is negative. */
export const BUS_FAULT: -1 = -1;

/** Width of one access in bytes. An 8-byte access reaches a device as two of 4, low half first. */
export type AccessSize = 1 | 2 | 4;

/**
 * A memory-mapped device. Offsets are relative to its base and already inside its region.
 *
 * Values are unsigned 32-bit numbers. A device answers every access: what its specification calls an error is an
 * event and a defined value, never an exception; `BUS_FAULT` is for accesses real hardware would not accept at all.
 */
export interface Device {
  /** Name on the board, e.g. `plic`, `virtio3`. */
  readonly name: string;
  /** Register table: names for traces and checks. */
  readonly registers: readonly RegisterDef[];
  /** Whether the table's legacy names and registers apply (virtio-mmio version 1). */
  readonly legacy?: boolean;
  /** Widths of an instruction's access it takes, in bytes; the bus refuses others. Absent: all of them. */
  readonly widths?: { readonly min: 1 | 2 | 4; readonly max: 4 | 8 };
  /** Returns an unsigned number of `size` bytes, or `BUS_FAULT`. */
  read(offset: number, size: AccessSize): number;
  /** Returns 0, or `BUS_FAULT`. */
  write(offset: number, size: AccessSize, value: number): number;
  /** System reset: back to the state at power-on. */
  reset(): void;
}
