/** Floating point: F, D and Zfh, whose rows are one text for all three formats (unpriv §20, §21, §32). */
import { FFF, FFFF, FFFround, FFround, Fload, Fstore, FX, FXround, XF, XFF, XFround } from "./format.ts";
import type { FloatArithmetic, FloatFormat, IntegerKind } from "./float_sem.ts";
import { RM_BITS } from "./rounding.ts";
import { type Extension, extension, FLOAT_OPCODES, type Row } from "./row.ts";

type More = Partial<Pick<Row, "xlen" | "needs" | "except">>;

/** Where the manual defines one format's instructions. */
interface FloatSpecs {
  readonly memory: string;
  readonly compute: string;
  readonly convert: string;
  readonly compare: string;
  readonly classify: string;
}

/** The `fmt` field (unpriv §20.6, table 31) and the width field of loads and stores. */
const FMT: Readonly<Record<FloatFormat, string>> = { s: "00", d: "01", h: "10" };
const WIDTH: Readonly<Record<FloatFormat, string>> = { h: "001", s: "010", d: "011" };

/** Rounding modes 5 and 6 are reserved. */
const reservedMode: More = { except: (o) => (o.imm & RM_BITS) === 5 || (o.imm & RM_BITS) === 6 };

const integers: readonly (readonly [name: string, code: string, kind: IntegerKind, more: More])[] = [
  ["w", "00000", { bits: 32, signed: true }, {}],
  ["wu", "00001", { bits: 32, signed: false }, {}],
  ["l", "00010", { bits: 64, signed: true }, { xlen: 64 }],
  ["lu", "00011", { bits: 64, signed: false }, { xlen: 64 }],
];

/** `flw`, `fsw`: what of a format only moves values (Zfhmin has just these, moves and conversions). */
function memoryRows(format: FloatFormat, name: string, spec: string): Row[] {
  return [
    {
      name: `fl${name}`,
      bits: `............ ..... ${WIDTH[format]} ..... 0000111`,
      format: Fload,
      asm: "frd, imm(rs1)",
      class: "load",
      spec,
      run: (s) => {
        s.float("exact");
        s.frd(s.fload(s.add(s.rs1(), s.imm()), format), format);
      },
    },
    {
      name: `fs${name}`,
      bits: `....... ..... ..... ${WIDTH[format]} ..... 0100111`,
      format: Fstore,
      asm: "frs2, imm(rs1)",
      class: "store",
      spec,
      run: (s) => {
        s.float("exact");
        s.fstore(s.add(s.rs1(), s.imm()), s.frs2Bits(format), format);
      },
    },
  ];
}

/** `fmv.x.w` and back, with the name that the format has there. */
function moveRows(format: FloatFormat, name: string, spec: string, more: More = {}): Row[] {
  return [
    {
      name: `fmv.x.${name}`,
      bits: `11100 ${FMT[format]} 00000 ..... 000 ..... 1010011`,
      format: XF,
      asm: "rd, frs1",
      class: "float",
      spec,
      ...more,
      run: (s) => {
        s.float("exact");
        s.rd(s.floatToBits(s.frs1Bits(format), format));
      },
    },
    {
      name: `fmv.${name}.x`,
      bits: `11110 ${FMT[format]} 00000 ..... 000 ..... 1010011`,
      format: FX,
      asm: "frd, rs1",
      class: "float",
      spec,
      ...more,
      run: (s) => {
        s.float("exact");
        s.frd(s.bitsToFloat(s.rs1(), format), format);
      },
    },
  ];
}

/** `fcvt.s.d`: to one format from another; to a wider one nothing is rounded. */
function convertRow(to: FloatFormat, from: FloatFormat, spec: string, more: More = {}): Row {
  const widens = FORMAT_ORDER.indexOf(to) > FORMAT_ORDER.indexOf(from);
  return {
    name: `fcvt.${to}.${from}`,
    bits: `01000 ${FMT[to]} 000${FMT[from]} ..... ... ..... 1010011`,
    format: FFround,
    asm: `frd, frs1, ${widens ? "exact" : "rm"}`,
    class: "float",
    spec,
    ...reservedMode,
    ...more,
    run: (s) => {
      s.float("rounds");
      s.frd(s.fconvert(s.frs1(from), from, to), to);
    },
  };
}
const FORMAT_ORDER = "hsd";

function arithmetic(format: FloatFormat, spec: string): Row[] {
  const operations: readonly (readonly [FloatArithmetic, string])[] = [
    ["fadd", "00000"],
    ["fsub", "00001"],
    ["fmul", "00010"],
    ["fdiv", "00011"],
  ];
  return [
    ...operations.map(([name, funct]): Row => ({
      name: `${name}.${format}`,
      bits: `${funct} ${FMT[format]} ..... ..... ... ..... 1010011`,
      format: FFFround,
      asm: "frd, frs1, frs2, rm",
      class: "float",
      spec,
      ...reservedMode,
      run: (s) => {
        s.float("rounds");
        s.frd(s[name](s.frs1(format), s.frs2(format), format), format);
      },
    })),
    {
      name: `fsqrt.${format}`,
      bits: `01011 ${FMT[format]} 00000 ..... ... ..... 1010011`,
      format: FFround,
      asm: "frd, frs1, rm",
      class: "float",
      spec,
      ...reservedMode,
      run: (s) => {
        s.float("rounds");
        s.frd(s.fsqrt(s.frs1(format), format), format);
      },
    },
    ...(["fmin", "fmax"] as const).map((name, i): Row => ({
      name: `${name}.${format}`,
      bits: `00101 ${FMT[format]} ..... ..... 00${i} ..... 1010011`,
      format: FFF,
      asm: "frd, frs1, frs2",
      class: "float",
      spec,
      run: (s) => {
        s.float("exact");
        s.frd(s[name](s.frs1(format), s.frs2(format), format), format);
      },
    })),
  ];
}

function fused(format: FloatFormat, spec: string): Row[] {
  const rows: readonly (readonly [name: string, opcode: string, product: boolean, addend: boolean])[] = [
    ["fmadd", "1000011", false, false],
    ["fmsub", "1000111", false, true],
    ["fnmsub", "1001011", true, false],
    ["fnmadd", "1001111", true, true],
  ];
  return rows.map(([name, opcode, product, addend]): Row => ({
    name: `${name}.${format}`,
    bits: `..... ${FMT[format]} ..... ..... ... ..... ${opcode}`,
    format: FFFF,
    asm: "frd, frs1, frs2, frs3, rm",
    class: "float",
    spec,
    ...reservedMode,
    run: (s) => {
      s.float("rounds");
      s.frd(s.fma(s.frs1(format), s.frs2(format), s.frs3(format), format, { product, addend }), format);
    },
  }));
}

function signs(format: FloatFormat, spec: string): Row[] {
  return (["copy", "negate", "xor"] as const).map((how, i): Row => ({
    name: `fsgnj${["", "n", "x"][i]}.${format}`,
    bits: `00100 ${FMT[format]} ..... ..... 0${i >> 1}${i & 1} ..... 1010011`,
    format: FFF,
    asm: "frd, frs1, frs2",
    class: "float",
    spec,
    run: (s) => {
      s.float("exact");
      s.frd(s.fsgnj(s.frs1(format), s.frs2(format), format, how), format);
    },
  }));
}

function comparisons(format: FloatFormat, specs: FloatSpecs): Row[] {
  return [
    ...(["fle", "flt", "feq"] as const).map((name, i): Row => ({
      name: `${name}.${format}`,
      bits: `10100 ${FMT[format]} ..... ..... 0${i >> 1}${i & 1} ..... 1010011`,
      format: XFF,
      asm: "rd, frs1, frs2",
      class: "float",
      spec: specs.compare,
      run: (s) => {
        s.float("exact");
        s.rd(s.flag(s[name](s.frs1(format), s.frs2(format), format)));
      },
    })),
    {
      name: `fclass.${format}`,
      bits: `11100 ${FMT[format]} 00000 ..... 001 ..... 1010011`,
      format: XF,
      asm: "rd, frs1",
      class: "float",
      spec: specs.classify,
      run: (s) => {
        s.float("exact");
        s.rd(s.fclass(s.frs1(format), format));
      },
    },
  ];
}

function integerConversions(format: FloatFormat, spec: string): Row[] {
  return integers.flatMap(([name, code, kind, more]): Row[] => [
    {
      name: `fcvt.${name}.${format}`,
      bits: `11000 ${FMT[format]} ${code} ..... ... ..... 1010011`,
      format: XFround,
      asm: "rd, frs1, rm",
      class: "float",
      spec,
      ...reservedMode,
      ...more,
      run: (s) => {
        s.float("rounds");
        s.rd(s.fromFloat(s.frs1(format), format, kind));
      },
    },
    {
      name: `fcvt.${format}.${name}`,
      bits: `11010 ${FMT[format]} ${code} ..... ... ..... 1010011`,
      format: FXround,
      asm: `frd, rs1, ${format === "d" && kind.bits === 32 ? "exact" : "rm"}`,
      class: "float",
      spec,
      ...reservedMode,
      ...more,
      run: (s) => {
        s.float("rounds");
        s.frd(s.toFloat(s.rs1(), kind, format), format);
      },
    },
  ]);
}

/** Everything that computes in one format. */
function computeRows(format: FloatFormat, specs: FloatSpecs): Row[] {
  return [
    ...arithmetic(format, specs.compute),
    ...fused(format, specs.compute),
    ...signs(format, specs.convert),
    ...comparisons(format, specs),
    ...integerConversions(format, specs.convert),
  ];
}

/** The F extension. */
export const rvF: Extension = extension("f", FLOAT_OPCODES, () => [
  ...memoryRows("s", "w", "unpriv §20.5"),
  ...computeRows("s", {
    memory: "unpriv §20.5",
    compute: "unpriv §20.6",
    convert: "unpriv §20.7",
    compare: "unpriv §20.8",
    classify: "unpriv §20.9",
  }),
  ...moveRows("s", "w", "unpriv §20.7"),
]);

/** The D extension. */
export const rvD: Extension = extension("d", FLOAT_OPCODES, () => [
  ...memoryRows("d", "d", "unpriv §21.3"),
  ...computeRows("d", {
    memory: "unpriv §21.3",
    compute: "unpriv §21.4",
    convert: "unpriv §21.5",
    compare: "unpriv §21.6",
    classify: "unpriv §21.7",
  }),
  convertRow("s", "d", "unpriv §21.5"),
  convertRow("d", "s", "unpriv §21.5"),
  ...moveRows("d", "d", "unpriv §21.5", { xlen: 64 }),
]);

/** Zfhmin. */
export const rvZfhmin: Extension = extension("zfhmin", FLOAT_OPCODES, () => [
  ...memoryRows("h", "h", "unpriv §32.1"),
  ...moveRows("h", "h", "unpriv §32.3"),
  convertRow("s", "h", "unpriv §32.3"),
  convertRow("h", "s", "unpriv §32.3"),
  convertRow("d", "h", "unpriv §32.3", { needs: "d" }),
  convertRow("h", "d", "unpriv §32.3", { needs: "d" }),
]);

/** Zfh, without what Zfhmin has. */
export const rvZfh: Extension = extension("zfh", FLOAT_OPCODES, () => (computeRows("h", {
  memory: "unpriv §32.1",
  compute: "unpriv §32.2",
  convert: "unpriv §32.3",
  compare: "unpriv §32.4",
  classify: "unpriv §32.5",
})));
