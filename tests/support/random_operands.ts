/** Random operands for the rows of an ISA: registers, immediates and register values that lean to the edges. */
import { patternOf } from "../../vm/isa/decode.ts";
import { encode } from "../../vm/isa/encode.ts";
import { immediateShift, immediateWidth, type Operands, type RegisterField } from "../../vm/isa/format.ts";
import { completeOperands } from "../../vm/isa/operand_text.ts";
import { floatBytes } from "../../vm/isa/float_sem.ts";
import type { FloatFormat } from "../../vm/isa/float_sem.ts";
import type { Row } from "../../vm/isa/row.ts";
import type { Isa } from "../../vm/isa/table.ts";
import { FloatOperands } from "./float_operands.ts";
import type { Random } from "./random.ts";

/** Makes operands. Registers in `reserved` are never chosen to be written or to hold an address. */
export class RandomOperands {
  readonly #random: Random;
  readonly #isa: Isa;
  readonly #reserved: readonly number[];
  readonly #floats: Readonly<Record<FloatFormat, FloatOperands>>;

  constructor(random: Random, isa: Isa, reserved: readonly number[] = []) {
    this.#random = random;
    this.#isa = isa;
    this.#reserved = reserved;
    const of = (format: FloatFormat) => new FloatOperands(random, format);
    this.#floats = { h: of("h"), s: of("s"), d: of("d") };
  }

  /** Operands for a row, those `wanted` if it can hold them; undefined if nothing fitting was found. */
  operands(row: Row, wanted: Partial<Operands>, immediate = true): Operands | undefined {
    const { mask, match } = patternOf(row);
    for (let i = 0; i < 20; i++) {
      const given: Partial<Operands> = {};
      for (const name of ["rd", "rs1", "rs2"] as const) {
        const field = row.format[name];
        if (field === undefined || "fixed" in field || sharesPlace(row, given, field)) continue;
        const width = field.bits === 5 ? 31 : 7;
        if (((mask >>> field.at) & width) === width) {
          given[name] = (match >>> field.at) & width;
        } else given[name] = wanted[name] ?? (field.bits === 3 ? this.#random.between(8, 15) : this.#registerFor(name));
      }
      if (row.format.imm !== undefined && row.format.imm.fixed === undefined && immediate) {
        given.imm = wanted.imm ?? this.#immediate(row);
      }
      const operands = completeOperands(row.format, given);
      if (fits(row, operands, this.#isa)) return operands;
    }
    return undefined;
  }

  #immediate(row: Row): number {
    const imm = row.format.imm!;
    const width = immediateWidth(imm);
    const shift = immediateShift(imm);
    const step = 2 ** shift;
    const end = imm.signed ? 2 ** (width - 1) : 2 ** width;
    const start = imm.signed ? -end : 0;
    const random = this.#random;
    if (random.chance(30)) return random.pick([0, step, imm.signed ? -step : step, start, end - step]);
    return start + step * random.below((end - start) / step);
  }

  /** Which register a memory access goes through. */
  baseRegister(row: Row): number {
    const field = row.format.rs1!;
    if ("fixed" in field) return field.fixed;
    return field.bits === 3 ? this.#random.between(8, 15) : this.register();
  }

  #registerFor(role: "rd" | "rs1" | "rs2"): number {
    if (this.#random.chance(6)) return 0;
    return role === "rd" || this.#random.chance(90) ? this.register() : this.#random.below(32);
  }

  /** A register that is not reserved, and not x0; mostly those that compressed instructions reach. */
  register(): number {
    const n = this.#random.chance(60) ? this.#random.between(8, 15) : this.#random.between(1, 31);
    return this.#reserved.includes(n) ? 10 : n;
  }

  /** A bit pattern of a format, NaN-boxed to 64 bits but for one in ten. */
  floatValue(format: FloatFormat): bigint {
    const box = -1n << BigInt(floatBytes[format] * 8);
    return BigInt.asIntN(64, this.#floats[format].value() | (this.#random.chance(90) ? box : 0n));
  }

  /** A register's value: near an edge, or of random length. */
  value(): bigint {
    const random = this.#random;
    if (random.chance(10)) return 0n;
    const bits = BigInt(
      random.chance(50) ? random.pick([7, 8, 11, 12, 15, 16, 31, 32, 63, 64]) : random.between(1, 64),
    );
    const value = random.chance(60) ? (1n << bits) + BigInt(random.between(-2, 1)) : random.bits64() >> (64n - bits);
    return BigInt.asIntN(this.#isa.xlen, random.chance(30) ? -value : value);
  }
}

function sharesPlace(row: Row, given: Partial<Operands>, field: RegisterField): boolean {
  return (["rd", "rs1", "rs2"] as const).some((name) => {
    const other = row.format[name];
    return given[name] !== undefined && other !== undefined && "at" in other && "at" in field && other.at === field.at;
  });
}

function fits(row: Row, operands: Operands, isa: Isa): boolean {
  try {
    encode(row, operands, isa.xlen);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
