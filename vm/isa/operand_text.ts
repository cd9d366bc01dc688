/**
 * Operands as assembly text, in both directions. A row's `asm` is a list of these words; the disassembler prints them
 * and the assembler parses them, so that neither has an idea of its own:
 *
 * | word | text | operand |
 * |---|---|---|
 * | `rd` `rs1` `rs2` | `a0` | register |
 * | `frd` `frs1` `frs2` `frs3` | `fa0` | floating-point register; rs3 is in `imm` |
 * | `rm` | `rtz`, or nothing | rounding mode, in `imm`; left out where it is dynamic |
 * | `exact` | `rtz`, or nothing | the same where nothing is rounded; left out where it is rne |
 * | `sp` | `sp` | the format's fixed x2; nothing to encode |
 * | `imm` | `-12` | the immediate |
 * | `imm(rs1)` `(rs1)` | `8(sp)` | address of a memory access |
 * | `imm20` | `0xfffff` | upper 20 bits of the immediate |
 * | `offset` | `0x80000010` | target of a pc-relative jump, absolute |
 * | `csr` | `mstatus` or `0x7c0` | CSR number, in `imm` |
 * | `uimm` | `17` | five-bit number, in `rs1` |
 * | `fence` | `rw, w` | predecessor and successor sets, in `imm` |
 */
import { hex } from "../bits.ts";
import { csrName, csrNumber } from "./csr_names.ts";
import type { Format, Operands, RegisterField } from "./format.ts";
import { floatRegisterName, floatRegisterNumber, registerName, registerNumber } from "./names.ts";
import { RM_BITS, RM_WIDTH, Rounding, roundingNames } from "./rounding.ts";
import type { Xlen } from "./row.ts";

/** What printing needs to know beside the operands. */
export interface Printing {
  readonly xlen: Xlen;
  /** Address of the instruction. */
  readonly pc: bigint;
  /** Name for an address, e.g. `main+0x10`. */
  readonly symbol?: ((addr: bigint) => string | undefined) | undefined;
}

/** What parsing needs to know beside the text. */
export interface Parsing {
  readonly xlen: Xlen;
  readonly pc: bigint;
  /** Value of a number, label or sum of them. Throws if it is none. */
  value(text: string): bigint;
}

/** One word of an `asm` string. */
export interface OperandText {
  /** Empty for an operand that is left out. */
  print(o: Operands, p: Printing): string;
  /** The operand fields that `text` gives; those of several words are or-ed together. Throws a RangeError. */
  parse(text: string, p: Parsing): Partial<Operands>;
}

function parseRegister(text: string): number {
  const n = registerNumber(text);
  if (n === undefined) throw new RangeError(`expected a register, got ${text || "nothing"}`);
  return n;
}

function parseSmall(text: string, p: Parsing, low: number, high: number): number {
  const value = p.value(text);
  if (value < low || value > high) throw new RangeError(`expected ${low} to ${high}, got ${text}`);
  return Number(value);
}

function parseImmediate(text: string, p: Parsing): number {
  return parseSmall(text, p, -0x8000_0000, 0x7fff_ffff);
}

function register(field: "rd" | "rs1" | "rs2"): OperandText {
  return { print: (o) => registerName(o[field]), parse: (text) => ({ [field]: parseRegister(text) }) };
}

function floatRegister(field: "rd" | "rs1" | "rs2"): OperandText {
  return { print: (o) => floatRegisterName(o[field]), parse: (text) => ({ [field]: parseFloatRegister(text) }) };
}

function parseFloatRegister(text: string): number {
  const n = floatRegisterNumber(text);
  if (n === undefined) throw new RangeError(`expected a floating-point register, got ${text || "nothing"}`);
  return n;
}

/** A rounding mode; `usual` is the one that is not written. */
function rounding(usual: Rounding): OperandText {
  return {
    print: (o) => (o.imm & RM_BITS) === usual ? "" : roundingNames[o.imm & RM_BITS] ?? String(o.imm & RM_BITS),
    parse: (text) => {
      const mode = roundingNames.indexOf(text.toLowerCase());
      if (text === "" || mode < 0) {
        throw new RangeError(`expected a rounding mode such as rtz, got ${text || "nothing"}`);
      }
      return { imm: mode };
    },
  };
}

/** Words for an operand that may be left out, with the `imm` that then is meant. */
const optional: ReadonlyMap<string, number> = new Map([["rm", Rounding.Dynamic], ["exact", Rounding.NearestEven]]);

/** An `asm` string without its last word, if that may be left out, and the `imm` it then stands for. */
export function shorterForm(asm: string): { readonly asm: string; readonly imm: number } | undefined {
  const words = asm.split(", ");
  const imm = optional.get(words.at(-1)!);
  return imm === undefined ? undefined : { asm: words.slice(0, -1).join(", "), imm };
}

/** The target of a pc-relative jump, as wide as the pc. */
function target(o: Operands, p: Printing): bigint {
  return BigInt.asUintN(p.xlen, p.pc + BigInt(o.imm));
}

/** Device input, device output, reads, writes: bits 3..0 of a fence's set (unpriv §2.7). */
const FENCE_SET = "iorw";

function fenceSet(shift: 0 | 4): OperandText {
  return {
    print: (o) => [...FENCE_SET].filter((_, i) => (o.imm >>> shift) & (8 >> i)).join("") || "0",
    parse: (text) => {
      if (text === "0") return { imm: 0 };
      if (!/^(?=.)i?o?r?w?$/.test(text)) throw new RangeError(`expected a set such as rw or iorw, got ${text}`);
      return { imm: [...FENCE_SET].reduce((set, c, i) => text.includes(c) ? set | (8 >> i) : set, 0) << shift };
    },
  };
}

const words: ReadonlyMap<string, OperandText> = new Map(Object.entries<OperandText>({
  rd: register("rd"),
  rs1: register("rs1"),
  rs2: register("rs2"),
  frd: floatRegister("rd"),
  frs1: floatRegister("rs1"),
  frs2: floatRegister("rs2"),
  frs3: {
    print: (o) => floatRegisterName(o.imm >>> RM_WIDTH),
    parse: (text) => ({ imm: parseFloatRegister(text) << RM_WIDTH }),
  },
  rm: rounding(optional.get("rm") as Rounding),
  exact: rounding(optional.get("exact") as Rounding),
  sp: {
    print: () => "sp",
    parse: (text) => {
      if (registerNumber(text) !== 2) throw new RangeError(`expected sp, got ${text}`);
      return {};
    },
  },
  imm: { print: (o) => String(o.imm), parse: (text, p) => ({ imm: parseImmediate(text, p) }) },
  "imm(rs1)": {
    print: (o) => `${o.imm}(${registerName(o.rs1)})`,
    parse: (text, p) => {
      const [, offset, base] = /^(.*)\(\s*(\w+)\s*\)$/.exec(text) ?? [];
      if (offset === undefined) throw new RangeError(`expected an address such as 8(sp), got ${text || "nothing"}`);
      return { imm: offset.trim() === "" ? 0 : parseImmediate(offset.trim(), p), rs1: parseRegister(base!) };
    },
  },
  "(rs1)": {
    print: (o) => `(${registerName(o.rs1)})`,
    parse: (text) => {
      const [, base] = /^0?\s*\(\s*(\w+)\s*\)$/.exec(text) ?? [];
      if (base === undefined) throw new RangeError(`expected an address such as (a0), got ${text || "nothing"}`);
      return { rs1: parseRegister(base) };
    },
  },
  imm20: {
    print: (o) => hex(o.imm >>> 12),
    // 0xfffff and -1 are the same twenty bits.
    parse: (text, p) => ({ imm: parseSmall(text, p, -0x8_0000, 0xf_ffff) << 12 }),
  },
  offset: {
    print: (o, p) => {
      const address = target(o, p);
      const name = p.symbol?.(address);
      return name === undefined ? hex(address) : `${hex(address)} <${name}>`;
    },
    parse: (text, p) => {
      // A symbol that `print` added is no part of the number.
      const distance = BigInt.asIntN(p.xlen, p.value(text.replace(/\s*<.*>$/, "")) - p.pc);
      if (distance !== BigInt.asIntN(32, distance)) throw new RangeError(`${text} is too far away`);
      return { imm: Number(distance) };
    },
  },
  csr: {
    print: (o) => csrName(o.imm) ?? hex(o.imm),
    parse: (text, p) => ({ imm: csrNumber(text) ?? parseSmall(text, p, 0, 0xfff) }),
  },
  uimm: { print: (o) => String(o.rs1), parse: (text, p) => ({ rs1: parseSmall(text, p, 0, 31) }) },
  pred: fenceSet(4),
  succ: fenceSet(0),
}));

/** The words of an `asm` string. Throws for one that is not in the table: a mistake in a row. */
export function operandWords(asm: string): readonly OperandText[] {
  if (asm === "") return [];
  return asm.replace("fence", "pred, succ").split(",").map((part) => {
    const word = words.get(part.trim());
    if (word === undefined) throw new Error(`asm ${asm}: ${part.trim()} is not an operand word`);
    return word;
  });
}

/** Whether an instruction with this `asm` reads differently at another address. */
export function dependsOnPc(asm: string): boolean {
  return asm.includes("offset");
}

/** The operands `given`, completed by what the format fixes: constant registers, and two fields in the same place. */
export function completeOperands(format: Format, given: Partial<Operands>): Operands {
  const operands: Operands = { rd: 0, rs1: 0, rs2: 0, imm: 0, ...given };
  if (given.imm === undefined) operands.imm = format.imm?.fixed ?? 0;
  const names = ["rd", "rs1", "rs2"] as const;
  for (const name of names) {
    const field = format[name];
    if (field === undefined || given[name] !== undefined) continue;
    if ("fixed" in field) {
      operands[name] = field.fixed;
      continue;
    }
    const twin = names.find((other) => given[other] !== undefined && samePlace(format[other], field));
    if (twin !== undefined) operands[name] = given[twin]!;
  }
  return operands;
}

function samePlace(a: RegisterField | undefined, b: RegisterField): boolean {
  return a !== undefined && "at" in a && "at" in b && a.at === b.at;
}
