/** Operand formats: where an instruction's register numbers and immediate sit. The only place that knows. */

/** Operands of one decoded instruction; a field the format lacks is 0. */
export interface Operands {
  rd: number;
  rs1: number;
  rs2: number;
  /** Signed 32-bit. */
  imm: number;
}

/** Where a register number sits: `bits` bits at `at` (3-bit fields mean x8..x15), or always the same register. */
export type RegisterField =
  | { readonly at: number; readonly bits: 3 | 5; /** A floating-point register. */ readonly float?: true }
  | { readonly fixed: number };

/** An immediate, gathered from parts: instruction bits `high..low` become immediate bits from `to` upwards. */
export interface ImmediateField {
  readonly parts: readonly { readonly high: number; readonly low: number; readonly to: number }[];
  /** Sign-extended from its highest bit. */
  readonly signed: boolean;
  /** There are no parts: the immediate is always this one. */
  readonly fixed?: number;
}

/** One format. `rv32Zero` are bits that must be 0 when XLEN is 32 (the sixth shift-amount bit). */
export interface Format {
  readonly name: string;
  readonly rd?: RegisterField;
  readonly rs1?: RegisterField;
  readonly rs2?: RegisterField;
  readonly imm?: ImmediateField;
  readonly rv32Zero?: number;
}

const reg = (at: number): RegisterField => ({ at, bits: 5 });
const reg3 = (at: number): RegisterField => ({ at, bits: 3 });
const fixed = (n: number): RegisterField => ({ fixed: n });
const float = (at: number): RegisterField => ({ at, bits: 5, float: true });
const float3 = (at: number): RegisterField => ({ at, bits: 3, float: true });

/** `"31:25>5 11:7>0"`: instruction bits 31..25 go to immediate bit 5 and up, and so on. */
function parts(text: string, signed: boolean): ImmediateField {
  // Most formats do not occur before a guest's first instruction, which waits for this module.
  let read: ImmediateField["parts"] | undefined;
  return {
    signed,
    get parts(): ImmediateField["parts"] {
      return read ??= text.split(" ").map((part) => {
        const [range, to] = part.split(">") as [string, string];
        const [high, low] = range.split(":") as [string, string | undefined];
        return { high: Number(high), low: Number(low ?? high), to: Number(to) };
      });
    },
  };
}
const signed = (text: string): ImmediateField => parts(text, true);
const unsigned = (text: string): ImmediateField => parts(text, false);
const constant = (fixed: number): ImmediateField => ({ parts: [], signed: false, fixed });

const RD = reg(7);
const RS1 = reg(15);
const RS2 = reg(20);

/** 32-bit formats (unpriv §2.2, §2.3). */
export const R: Format = { name: "R", rd: RD, rs1: RS1, rs2: RS2 };
export const I: Format = { name: "I", rd: RD, rs1: RS1, imm: signed("31:20>0") };
export const Shift: Format = { name: "Shift", rd: RD, rs1: RS1, imm: unsigned("25:20>0"), rv32Zero: 1 << 25 };
export const ShiftW: Format = { name: "ShiftW", rd: RD, rs1: RS1, imm: unsigned("24:20>0") };
export const S: Format = { name: "S", rs1: RS1, rs2: RS2, imm: signed("31:25>5 11:7>0") };
export const B: Format = { name: "B", rs1: RS1, rs2: RS2, imm: signed("31>12 7>11 30:25>5 11:8>1") };
export const U: Format = { name: "U", rd: RD, imm: signed("31:12>12") };
export const J: Format = { name: "J", rd: RD, imm: signed("31>20 19:12>12 20>11 30:21>1") };
/** CSR number in `imm`; the 5-bit immediate of the I forms travels in `rs1`. */
export const Csr: Format = { name: "Csr", rd: RD, rs1: RS1, imm: unsigned("31:20>0") };
/** Ordering bits aq and rl in `imm`. */
export const Amo: Format = { name: "Amo", rd: RD, rs1: RS1, rs2: RS2, imm: unsigned("26:25>0") };
/** fm, predecessor and successor sets in `imm`. */
export const Fence: Format = { name: "Fence", rd: RD, rs1: RS1, imm: unsigned("31:20>0") };
export const None: Format = { name: "None" };
export const Sfence: Format = { name: "Sfence", rs1: RS1, rs2: RS2 };
/** Two registers; the bits of rs2 belong to the opcode. */
export const RR: Format = { name: "RR", rd: RD, rs1: RS1 };
/** The address of a cache block. */
export const Block: Format = { name: "Block", rs1: RS1 };
/** An offset whose low five bits belong to the opcode. */
export const Prefetch: Format = { name: "Prefetch", rs1: RS1, imm: signed("31:25>5") };

/**
 * Floating-point formats (unpriv §20.2): where `F` stands, the register is a floating-point one, in the order of rd, rs1
 * and rs2. Those with a rounding mode keep it in bits 2..0 of `imm`, and rs3 above it.
 */
const FRD = float(7);
const FRS1 = float(15);
const FRS2 = float(20);
const RM = unsigned("14:12>0");
export const FFF: Format = { name: "FFF", rd: FRD, rs1: FRS1, rs2: FRS2 };
export const FFFround: Format = { name: "FFFround", rd: FRD, rs1: FRS1, rs2: FRS2, imm: RM };
export const FFFF: Format = { name: "FFFF", rd: FRD, rs1: FRS1, rs2: FRS2, imm: unsigned("14:12>0 31:27>3") };
export const FFround: Format = { name: "FFround", rd: FRD, rs1: FRS1, imm: RM };
export const FX: Format = { name: "FX", rd: FRD, rs1: RS1 };
export const FXround: Format = { name: "FXround", rd: FRD, rs1: RS1, imm: RM };
export const XF: Format = { name: "XF", rd: RD, rs1: FRS1 };
export const XFround: Format = { name: "XFround", rd: RD, rs1: FRS1, imm: RM };
export const XFF: Format = { name: "XFF", rd: RD, rs1: FRS1, rs2: FRS2 };
export const Fload: Format = { name: "Fload", rd: FRD, rs1: RS1, imm: I.imm! };
export const Fstore: Format = { name: "Fstore", rs1: RS1, rs2: FRS2, imm: S.imm! };

/** 16-bit formats (unpriv §26.2). Names as in the manual, with the destination folded into the base instruction's. */
const RD_CI = reg(7);
const RS2_C = reg(2);
export const CR: Format = { name: "CR", rd: RD_CI, rs1: RD_CI, rs2: RS2_C };
export const CRmove: Format = { name: "CRmove", rd: RD_CI, rs1: fixed(0), rs2: RS2_C };
export const CRjump: Format = { name: "CRjump", rd: fixed(0), rs1: RD_CI };
export const CRlink: Format = { name: "CRlink", rd: fixed(1), rs1: RD_CI };
export const CI: Format = { name: "CI", rd: RD_CI, rs1: RD_CI, imm: signed("12>5 6:2>0") };
export const CIli: Format = { name: "CIli", rd: RD_CI, rs1: fixed(0), imm: signed("12>5 6:2>0") };
export const CIlui: Format = { name: "CIlui", rd: RD_CI, imm: signed("12>17 6:2>12") };
export const CIsp16: Format = { name: "CIsp16", rd: fixed(2), rs1: fixed(2), imm: signed("12>9 6>4 5>6 4:3>7 2>5") };
export const CIshift: Format = {
  name: "CIshift",
  rd: RD_CI,
  rs1: RD_CI,
  imm: unsigned("12>5 6:2>0"),
  rv32Zero: 1 << 12,
};
export const CIlwsp: Format = { name: "CIlwsp", rd: RD_CI, rs1: fixed(2), imm: unsigned("12>5 6:4>2 3:2>6") };
export const CIldsp: Format = { name: "CIldsp", rd: RD_CI, rs1: fixed(2), imm: unsigned("12>5 6:5>3 4:2>6") };
export const CSSw: Format = { name: "CSSw", rs1: fixed(2), rs2: RS2_C, imm: unsigned("12:9>2 8:7>6") };
export const CSSd: Format = { name: "CSSd", rs1: fixed(2), rs2: RS2_C, imm: unsigned("12:10>3 9:7>6") };
export const CIW: Format = { name: "CIW", rd: reg3(2), rs1: fixed(2), imm: unsigned("12:11>4 10:7>6 6>2 5>3") };
export const CLw: Format = { name: "CLw", rd: reg3(2), rs1: reg3(7), imm: unsigned("12:10>3 6>2 5>6") };
export const CLd: Format = { name: "CLd", rd: reg3(2), rs1: reg3(7), imm: unsigned("12:10>3 6:5>6") };
export const CSw: Format = { name: "CSw", rs1: reg3(7), rs2: reg3(2), imm: unsigned("12:10>3 6>2 5>6") };
export const CSd: Format = { name: "CSd", rs1: reg3(7), rs2: reg3(2), imm: unsigned("12:10>3 6:5>6") };
export const CLb: Format = { name: "CLb", rd: reg3(2), rs1: reg3(7), imm: unsigned("6>0 5>1") };
export const CLh: Format = { name: "CLh", rd: reg3(2), rs1: reg3(7), imm: unsigned("5>1") };
export const CSb: Format = { name: "CSb", rs1: reg3(7), rs2: reg3(2), imm: unsigned("6>0 5>1") };
export const CSh: Format = { name: "CSh", rs1: reg3(7), rs2: reg3(2), imm: unsigned("5>1") };
/** One register, and what the long instruction has beside it. */
export const CU: Format = { name: "CU", rd: reg3(7), rs1: reg3(7) };
export const CUzero: Format = { ...CU, name: "CUzero", rs2: fixed(0) };
export const CUbyte: Format = { ...CU, name: "CUbyte", imm: constant(255) };
export const CUnot: Format = { ...CU, name: "CUnot", imm: constant(-1) };
export const CA: Format = { name: "CA", rd: reg3(7), rs1: reg3(7), rs2: reg3(2) };
export const CBimm: Format = { name: "CBimm", rd: reg3(7), rs1: reg3(7), imm: signed("12>5 6:2>0") };
export const CBshift: Format = {
  name: "CBshift",
  rd: reg3(7),
  rs1: reg3(7),
  imm: unsigned("12>5 6:2>0"),
  rv32Zero: 1 << 12,
};
export const CB: Format = { name: "CB", rs1: reg3(7), rs2: fixed(0), imm: signed("12>8 11:10>3 6:5>6 4:3>1 2>5") };
const CJ_IMM = signed("12>11 11>4 10:9>8 8>10 7>6 6>7 5:3>1 2>5");
export const CJ: Format = { name: "CJ", rd: fixed(0), imm: CJ_IMM };
export const CJlink: Format = { name: "CJlink", rd: fixed(1), imm: CJ_IMM };
/** Floating-point loads and stores. */
export const CIflwsp: Format = { ...CIlwsp, name: "CIflwsp", rd: float(7) };
export const CIfldsp: Format = { ...CIldsp, name: "CIfldsp", rd: float(7) };
export const CSSfw: Format = { ...CSSw, name: "CSSfw", rs2: float(2) };
export const CSSfd: Format = { ...CSSd, name: "CSSfd", rs2: float(2) };
export const CLfw: Format = { ...CLw, name: "CLfw", rd: float3(2) };
export const CLfd: Format = { ...CLd, name: "CLfd", rd: float3(2) };
export const CSfw: Format = { ...CSw, name: "CSfw", rs2: float3(2) };
export const CSfd: Format = { ...CSd, name: "CSfd", rs2: float3(2) };

/** Whether the register named by this field is a floating-point one. */
export function isFloat(field: RegisterField | undefined): boolean {
  return field !== undefined && "at" in field && field.float === true;
}

/** Number of immediate bits, the sign included. */
export function immediateWidth(imm: ImmediateField): number {
  return Math.max(...imm.parts.map((p) => p.to + p.high - p.low + 1));
}

/** Lowest immediate bit a format can hold: the immediate's granularity as a shift. */
export function immediateShift(imm: ImmediateField): number {
  return Math.min(...imm.parts.map((p) => p.to));
}

function readRegister(f: RegisterField | undefined, word: number): number {
  if (f === undefined) return 0;
  if ("fixed" in f) return f.fixed;
  return f.bits === 5 ? (word >>> f.at) & 31 : 8 + ((word >>> f.at) & 7);
}

/** The operands of `word` read by `format`. */
export function readOperands(format: Format, word: number): Operands {
  let imm = 0;
  const f = format.imm;
  if (f !== undefined) {
    for (const p of f.parts) {
      const width = p.high - p.low + 1;
      imm |= ((word >>> p.low) & (width === 32 ? -1 : (1 << width) - 1)) << p.to;
    }
    if (f.fixed !== undefined) imm = f.fixed;
    else if (f.signed) {
      const spare = 32 - immediateWidth(f);
      imm = (imm << spare) >> spare;
    }
  }
  return {
    rd: readRegister(format.rd, word),
    rs1: readRegister(format.rs1, word),
    rs2: readRegister(format.rs2, word),
    imm,
  };
}

function writeRegister(f: RegisterField | undefined, name: string, n: number): number {
  if (f === undefined) return 0;
  if ("fixed" in f) {
    if (f.fixed !== n) throw new RangeError(`${name} must be x${f.fixed}, got x${n}`);
    return 0;
  }
  const low = f.bits === 5 ? 0 : 8;
  const high = f.bits === 5 ? 31 : 15;
  if (n < low || n > high) throw new RangeError(`${name} must be x${low} to x${high}, got x${n}`);
  return (n - low) << f.at;
}

/** The operand bits of an instruction word; throws a RangeError for a value the format cannot hold. */
export function writeOperands(format: Format, operands: Operands): number {
  let word = writeRegister(format.rd, "rd", operands.rd) | writeRegister(format.rs1, "rs1", operands.rs1) |
    writeRegister(format.rs2, "rs2", operands.rs2);
  const f = format.imm;
  if (f === undefined) return word;
  for (const p of f.parts) {
    const width = p.high - p.low + 1;
    word |= ((operands.imm >>> p.to) & (width === 32 ? -1 : (1 << width) - 1)) << p.low;
  }
  const back = readOperands(format, word).imm;
  if (back !== operands.imm) throw new RangeError(`immediate ${operands.imm} does not fit format ${format.name}`);
  return word;
}
