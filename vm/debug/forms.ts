/** Attribute values of DWARF 4 and 5 (DWARF 5 §7.5.5, §7.5.6): how long each form is, and what it says. */
import { type ByteReader, DwarfError, textAt } from "./byte_reader.ts";

/** Sections of debug information by name, `.debug_line` and so on. */
export type DebugSections = ReadonlyMap<string, Uint8Array>;

/** Forms (DWARF 5 table 7.6). */
export const Form = {
  addr: 0x01,
  block2: 0x03,
  block4: 0x04,
  data2: 0x05,
  data4: 0x06,
  data8: 0x07,
  string: 0x08,
  block: 0x09,
  block1: 0x0a,
  data1: 0x0b,
  flag: 0x0c,
  sdata: 0x0d,
  strp: 0x0e,
  udata: 0x0f,
  refAddr: 0x10,
  ref1: 0x11,
  ref2: 0x12,
  ref4: 0x13,
  ref8: 0x14,
  refUdata: 0x15,
  indirect: 0x16,
  secOffset: 0x17,
  exprloc: 0x18,
  flagPresent: 0x19,
  strx: 0x1a,
  addrx: 0x1b,
  refSup4: 0x1c,
  strpSup: 0x1d,
  data16: 0x1e,
  lineStrp: 0x1f,
  refSig8: 0x20,
  implicitConst: 0x21,
  loclistx: 0x22,
  rnglistx: 0x23,
  refSup8: 0x24,
  strx1: 0x25,
  strx2: 0x26,
  strx3: 0x27,
  strx4: 0x28,
  addrx1: 0x29,
  addrx2: 0x2a,
  addrx3: 0x2b,
  addrx4: 0x2c,
} as const;

/** What the forms of a unit depend on. */
export interface FormContext {
  /** 64-bit DWARF: offsets have 8 bytes. */
  readonly wide: boolean;
  readonly addressSize: number;
  /** Offset of the unit in its section, which references count from. */
  readonly unit: number;
  readonly sections: DebugSections;
}

/** What a form says. Texts are looked up only when they are asked for: a hostile file may name one a million times. */
export type FormValue =
  | { readonly is: "number"; readonly value: number }
  | { readonly is: "address"; readonly value: bigint }
  /** Index into .debug_addr, .debug_str_offsets or the offsets of .debug_rnglists. */
  | { readonly is: "address-index" | "text-index" | "range-index"; readonly value: number }
  /** Offset in .debug_info. */
  | { readonly is: "reference"; readonly value: number }
  /** Offset in the section that the attribute says. */
  | { readonly is: "offset"; readonly value: number }
  | { readonly is: "text"; readonly section: Uint8Array | undefined; readonly value: number }
  | { readonly is: "other" };

const OTHER: FormValue = { is: "other" };

/** Reads one value. `implicit` is the value of an `implicitConst`, which stands with the abbreviation. */
export function readForm(r: ByteReader, form: number, context: FormContext, implicit = 0): FormValue {
  const { wide, unit, sections } = context;
  const number = (value: number): FormValue => ({ is: "number", value });
  const reference = (value: number): FormValue => ({ is: "reference", value: unit + value });
  const text = (section: string): FormValue => {
    return { is: "text", section: sections.get(section), value: r.offset(wide) };
  };
  switch (form) {
    case Form.addr:
      return { is: "address", value: r.unsigned(context.addressSize) };
    case Form.data1:
    case Form.flag:
      return number(r.u8());
    case Form.data2:
      return number(r.u16());
    case Form.data4:
      return number(r.u32());
    case Form.data8:
      return number(Number(r.u64()));
    case Form.udata:
      return number(r.uleb());
    case Form.sdata:
      return number(r.sleb());
    case Form.flagPresent:
      return number(1);
    case Form.implicitConst:
      return number(implicit);
    case Form.secOffset:
      return { is: "offset", value: r.offset(wide) };
    case Form.string: {
      const value = r.at;
      r.skipText();
      return { is: "text", section: r.bytes, value };
    }
    case Form.strp:
      return text(".debug_str");
    case Form.lineStrp:
      return text(".debug_line_str");
    case Form.ref1:
      return reference(r.u8());
    case Form.ref2:
      return reference(r.u16());
    case Form.ref4:
      return reference(r.u32());
    case Form.ref8:
      return reference(Number(r.u64()));
    case Form.refUdata:
      return reference(r.uleb());
    case Form.refAddr:
      return { is: "reference", value: r.offset(wide) };
    case Form.rnglistx:
      return { is: "range-index", value: r.uleb() };
    case Form.indirect: {
      const inner = r.uleb();
      if (inner === Form.indirect || inner === Form.implicitConst) throw new DwarfError("a form that leads to itself");
      return readForm(r, inner, context);
    }
  }
  const index = readIndex(r, form);
  if (index !== undefined) return index;
  skipBlock(r, form, wide);
  return OTHER;
}

/** A value that is an index into a table of values; undefined for other forms. */
function readIndex(r: ByteReader, form: number): FormValue | undefined {
  const threeBytes = () => r.u8() | (r.u16() << 8);
  switch (form) {
    case Form.strx:
      return { is: "text-index", value: r.uleb() };
    case Form.strx1:
      return { is: "text-index", value: r.u8() };
    case Form.strx2:
      return { is: "text-index", value: r.u16() };
    case Form.strx3:
      return { is: "text-index", value: threeBytes() };
    case Form.strx4:
      return { is: "text-index", value: r.u32() };
    case Form.addrx:
      return { is: "address-index", value: r.uleb() };
    case Form.addrx1:
      return { is: "address-index", value: r.u8() };
    case Form.addrx2:
      return { is: "address-index", value: r.u16() };
    case Form.addrx3:
      return { is: "address-index", value: threeBytes() };
    case Form.addrx4:
      return { is: "address-index", value: r.u32() };
  }
  return undefined;
}

/** Passes over a value that nobody here reads. */
function skipBlock(r: ByteReader, form: number, wide: boolean): void {
  switch (form) {
    case Form.block1:
      return r.skip(r.u8());
    case Form.block2:
      return r.skip(r.u16());
    case Form.block4:
      return r.skip(r.u32());
    case Form.block:
    case Form.exprloc:
      return r.skip(r.uleb());
    case Form.data16:
      return r.skip(16);
    case Form.refSig8:
    case Form.refSup8:
      return r.skip(8);
    case Form.refSup4:
      return r.skip(4);
    case Form.strpSup:
      return r.skip(wide ? 8 : 4);
    case Form.loclistx:
      r.uleb();
      return;
    default:
      throw new DwarfError(`unknown form ${form}`);
  }
}

/** The text that a value stands for, where it is one. */
export function formText(value: FormValue): string | undefined {
  return value.is === "text" ? textAt(value.section, value.value) : undefined;
}
