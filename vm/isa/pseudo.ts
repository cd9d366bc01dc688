/** Pseudoinstructions that become several instructions (unpriv §"Assembly Programmer's Handbook"). */
import type { Operands } from "./format.ts";
import type { Xlen } from "./row.ts";

/** One instruction of an expansion: a row's name and operands; what is left out is 0. */
export interface Step {
  readonly row: string;
  readonly operands: Partial<Operands>;
}

/** The low twelve bits as a signed number, and what `lui` or `auipc` must add so that both sum to `value` mod 2^32. */
function split(value: number): { upper: number; low: number } {
  const low = (value << 20) >> 20;
  return { upper: (value - low) | 0, low };
}

function fits(value: bigint, bits: number): boolean {
  return BigInt.asIntN(bits, value) === value;
}

/**
 * `li rd, value`: the constant in as few instructions as a chain of lui, addi and slli needs. A value may be given signed
 * or unsigned. Throws a RangeError if it has more than XLEN bits.
 */
export function loadImmediate(rd: number, value: bigint, xlen: Xlen): Step[] {
  const signed = BigInt.asIntN(xlen, value);
  if (value !== signed && value !== BigInt.asUintN(xlen, value)) {
    throw new RangeError(`${value} does not fit ${xlen} bits`);
  }
  return constant(rd, signed, xlen);
}

function constant(rd: number, value: bigint, xlen: Xlen): Step[] {
  if (fits(value, 12)) return [{ row: "addi", operands: { rd, imm: Number(value) } }];
  if (fits(value, 32)) {
    const { upper, low } = split(Number(value));
    const steps: Step[] = [{ row: "lui", operands: { rd, imm: upper } }];
    // addiw, not addi: just below 2^31, lui alone gives a negative number that the sum must wrap back from.
    if (low !== 0) steps.push({ row: xlen === 64 ? "addiw" : "addi", operands: { rd, rs1: rd, imm: low } });
    return steps;
  }
  const low = BigInt.asIntN(12, value);
  let rest = (value - low) >> 12n;
  let shift = 12;
  while ((rest & 1n) === 0n) {
    rest >>= 1n;
    shift++;
  }
  const steps = constant(rd, BigInt.asIntN(64 - shift, rest), xlen);
  steps.push({ row: "slli", operands: { rd, rs1: rd, imm: shift } });
  if (low !== 0n) steps.push({ row: "addi", operands: { rd, rs1: rd, imm: Number(low) } });
  return steps;
}

/** Bytes that `la`, `call` and `tail` take. */
export const PC_RELATIVE_BYTES = 8;

/**
 * auipc and `row` with the rest of the distance: what `la`, `call` and `tail` are. On RV32 everything is in reach, since
 * sums wrap; on RV64 about 2 GiB either way are, and it throws a RangeError beyond.
 */
function pcRelative(row: string, via: number, rd: number, distance: bigint, xlen: Xlen): Step[] {
  if (xlen === 64 && !fits(distance + 0x800n, 32)) throw new RangeError(`${distance} bytes are too far away`);
  const { upper, low } = split(Number(BigInt.asIntN(32, distance)));
  return [{ row: "auipc", operands: { rd: via, imm: upper } }, { row, operands: { rd, rs1: via, imm: low } }];
}

/** `la rd, symbol`: the address `distance` bytes from here. */
export function loadAddress(rd: number, distance: bigint, xlen: Xlen): Step[] {
  return pcRelative("addi", rd, rd, distance, xlen);
}

/** `call symbol`. */
export function call(distance: bigint, xlen: Xlen): Step[] {
  return pcRelative("jalr", 1, 1, distance, xlen);
}

/** `tail symbol`: a jump that leaves ra alone and may change t1. */
export function tail(distance: bigint, xlen: Xlen): Step[] {
  return pcRelative("jalr", 6, 0, distance, xlen);
}
