/**
 * Call frame information (DWARF 5 §6.4; the LSB's .eh_frame): where a function's caller left its registers. Columns are
 * the RISC-V registers: 0..31 are x0..x31 (riscv-dwarf, table of register numbers).
 */
import { ByteReader, DwarfError } from "./byte_reader.ts";

/** How to find one register of the caller. */
export type RegisterRule =
  /** In memory, so far from the frame's address. */
  | { readonly at: "memory"; readonly offset: number }
  /** So far from the frame's address itself. */
  | { readonly at: "address"; readonly offset: number }
  | { readonly at: "register"; readonly register: number }
  | { readonly at: "undefined" };

/** A frame as one instruction has it. */
export interface FrameRules {
  /** The frame's address: a register and an offset. */
  readonly register: number;
  readonly offset: number;
  readonly rules: ReadonlyMap<number, RegisterRule>;
  /** Register that holds the return address. */
  readonly returnColumn: number;
}

interface Cie {
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly returnColumn: number;
  readonly encoding: number;
  readonly augmented: boolean;
  readonly instructions: readonly [start: number, end: number];
}

interface Fde {
  readonly start: bigint;
  readonly end: bigint;
  readonly cie: Cie;
  readonly instructions: readonly [start: number, end: number];
}

/** A section of call frame information. */
export interface FrameSection {
  readonly kind: "debug" | "eh";
  readonly data: Uint8Array;
  /** Address of .eh_frame, which its pointers are relative to. */
  readonly address: bigint;
}

/** Saved states of DW_CFA_remember_state. */
const REMEMBERED_MAX = 64;
/** Instructions of one frame: they are short; a hostile file has no more than its bytes, again and again. */
const MASK = 0xffff_ffff_ffff_ffffn;

/** Everything known of frames, sorted by address. */
export class CallFrames {
  readonly #section: FrameSection;
  readonly #addressSize: number;
  readonly #fdes: Fde[] = [];

  constructor(section: FrameSection, addressSize: number) {
    this.#section = section;
    this.#addressSize = addressSize;
    try {
      this.#readAll();
    } catch (error) {
      if (!(error instanceof DwarfError)) throw error;
    }
    this.#fdes.sort((a, b) => a.start < b.start ? -1 : a.start > b.start ? 1 : 0);
  }

  /** The frame of the function that `pc` is in, as it is there; undefined where nobody says. */
  find(pc: bigint): FrameRules | undefined {
    let low = 0;
    let high = this.#fdes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#fdes[middle]!.start <= pc) low = middle + 1;
      else high = middle;
    }
    const fde = this.#fdes[low - 1];
    if (fde === undefined || pc >= fde.end) return undefined;
    try {
      return new FrameProgram(fde.cie, this.#section.data).run(fde, pc);
    } catch (error) {
      if (error instanceof DwarfError) return undefined;
      throw error;
    }
  }

  #readAll(): void {
    const cies = new Map<number, Cie | undefined>();
    const { data } = this.#section;
    for (let at = 0; at + 4 < data.length;) {
      const entry = new ByteReader(data, at);
      const { length, wide } = entry.initialLength();
      if (length === 0) {
        at = entry.at;
        continue;
      }
      if (length > entry.left) return;
      at = entry.end = entry.at + length;
      const idAt = entry.at;
      const id = this.#section.kind === "eh" ? entry.u32() : entry.offset(wide);
      if (this.#isCie(id, wide)) continue;
      const cieAt = this.#section.kind === "eh" ? idAt - id : id;
      if (!cies.has(cieAt)) cies.set(cieAt, this.#cie(cieAt));
      const cie = cies.get(cieAt);
      if (cie !== undefined) this.#fde(entry, cie);
    }
  }

  #isCie(id: number, wide: boolean): boolean {
    if (this.#section.kind === "eh") return id === 0;
    return wide ? id === Number(MASK) : id === 0xffff_ffff;
  }

  /** The CIE at an offset; undefined for what is none, or is of a kind we cannot follow. */
  #cie(at: number): Cie | undefined {
    if (!(at >= 0 && at < this.#section.data.length)) return undefined;
    const r = new ByteReader(this.#section.data, at);
    const { length, wide } = r.initialLength();
    if (length > r.left) return undefined;
    r.end = r.at + length;
    if (!this.#isCie(this.#section.kind === "eh" ? r.u32() : r.offset(wide), wide)) return undefined;
    const version = r.u8();
    const augmentation = r.text();
    if (version >= 4) r.skip(2); // address and segment selector sizes
    const codeAlign = r.uleb();
    const dataAlign = r.sleb();
    const returnColumn = version === 1 ? r.u8() : r.uleb();
    const augmented = augmentation.startsWith("z");
    if (augmentation !== "" && !augmented) return undefined;
    let encoding = 0;
    if (augmented) {
      const end = r.uleb() + r.at;
      for (const letter of augmentation.slice(1)) {
        if (letter === "R") encoding = r.u8();
        else if (letter === "L") r.u8();
        else if (letter === "P") this.#pointer(r, r.u8());
        else if (letter !== "S" && letter !== "B") break;
      }
      if (end > r.end) return undefined;
      r.at = end;
    }
    return { codeAlign, dataAlign, returnColumn, encoding, augmented, instructions: [r.at, r.end] };
  }

  #fde(r: ByteReader, cie: Cie): void {
    const { encoding } = cie;
    const start = this.#pointer(r, encoding);
    // The length has the format of the pointer, and is relative to nothing.
    const length = this.#pointer(r, encoding & 0x0f);
    if (cie.augmented) r.skip(r.uleb());
    if (length > 0n) this.#fdes.push({ start, end: start + length, cie, instructions: [r.at, r.end] });
  }

  /** A pointer in one of the encodings of .eh_frame (LSB §10.5.1). */
  #pointer(r: ByteReader, encoding: number): bigint {
    const place = this.#section.address + BigInt(r.at);
    if (encoding === 0xff) return 0n;
    const value = this.#encoded(r, encoding & 0x0f);
    switch (encoding & 0x70) {
      case 0x00:
        return value & MASK;
      case 0x10:
        return (value + place) & MASK;
      default:
        throw new DwarfError(`pointer encoding ${encoding}`);
    }
  }

  #encoded(r: ByteReader, format: number): bigint {
    switch (format) {
      case 0x00:
        return r.unsigned(this.#addressSize);
      case 0x01:
        return BigInt(r.uleb());
      case 0x02:
        return BigInt(r.u16());
      case 0x03:
        return BigInt(r.u32());
      case 0x04:
      case 0x0c:
        return BigInt.asIntN(64, r.u64());
      case 0x09:
        return BigInt(r.sleb());
      case 0x0a:
        return BigInt.asIntN(16, BigInt(r.u16()));
      case 0x0b:
        return BigInt.asIntN(32, BigInt(r.u32()));
      default:
        throw new DwarfError(`pointer format ${format}`);
    }
  }
}

/** The state of one frame while its instructions run (DWARF 5 §6.4.2). */
class FrameProgram {
  readonly #cie: Cie;
  readonly #data: Uint8Array;
  #register = 2;
  #offset = 0;
  #rules = new Map<number, RegisterRule>();
  /** What the CIE says, for DW_CFA_restore. */
  #initial: ReadonlyMap<number, RegisterRule> = new Map();
  readonly #remembered: [number, number, Map<number, RegisterRule>][] = [];

  constructor(cie: Cie, data: Uint8Array) {
    this.#cie = cie;
    this.#data = data;
  }

  run(fde: Fde, pc: bigint): FrameRules {
    this.#execute(this.#cie.instructions, 0n, MASK);
    this.#initial = new Map(this.#rules);
    this.#execute(fde.instructions, fde.start, pc);
    const { returnColumn } = this.#cie;
    return { register: this.#register, offset: this.#offset, rules: this.#rules, returnColumn };
  }

  /** Executes instructions up to those for addresses after `pc`. */
  #execute([start, end]: readonly [number, number], location: bigint, pc: bigint): void {
    const { codeAlign, dataAlign } = this.#cie;
    const r = new ByteReader(this.#data, start, end);
    const forward = (delta: number): boolean => {
      location += BigInt(delta * codeAlign);
      return location <= pc;
    };
    while (r.left > 0) {
      const opcode = r.u8();
      const low = opcode & 0x3f;
      switch (opcode >> 6) {
        case 1: // advance_loc
          if (!forward(low)) return;
          continue;
        case 2: // offset
          this.#set(low, { at: "memory", offset: r.uleb() * dataAlign });
          continue;
        case 3: // restore
          this.#restore(low);
          continue;
      }
      switch (low) {
        case 0x00: // nop
          break;
        case 0x02: // advance_loc1, 2, 4
          if (!forward(r.u8())) return;
          break;
        case 0x03:
          if (!forward(r.u16())) return;
          break;
        case 0x04:
          if (!forward(r.u32())) return;
          break;
        default:
          this.#instruction(low, r, dataAlign);
      }
    }
  }

  #instruction(opcode: number, r: ByteReader, dataAlign: number): void {
    switch (opcode) {
      case 0x05: // offset_extended
        return this.#set(r.uleb(), { at: "memory", offset: r.uleb() * dataAlign });
      case 0x06: // restore_extended
        return this.#restore(r.uleb());
      case 0x07: // undefined
        return this.#set(r.uleb(), { at: "undefined" });
      case 0x08: // same_value
        return void this.#rules.delete(r.uleb());
      case 0x09: // register
        return this.#set(r.uleb(), { at: "register", register: r.uleb() });
      case 0x0a: // remember_state
        if (this.#remembered.length >= REMEMBERED_MAX) throw new DwarfError("too many states to remember");
        this.#remembered.push([this.#register, this.#offset, new Map(this.#rules)]);
        return;
      case 0x0b: { // restore_state
        const state = this.#remembered.pop();
        if (state === undefined) throw new DwarfError("no state was remembered");
        [this.#register, this.#offset, this.#rules] = state;
        return;
      }
      case 0x0c: // def_cfa
        this.#register = r.uleb();
        this.#offset = r.uleb();
        return;
      case 0x0d: // def_cfa_register
        this.#register = r.uleb();
        return;
      case 0x0e: // def_cfa_offset
        this.#offset = r.uleb();
        return;
      case 0x11: // offset_extended_sf
        return this.#set(r.uleb(), { at: "memory", offset: r.sleb() * dataAlign });
      case 0x12: // def_cfa_sf
        this.#register = r.uleb();
        this.#offset = r.sleb() * dataAlign;
        return;
      case 0x13: // def_cfa_offset_sf
        this.#offset = r.sleb() * dataAlign;
        return;
      case 0x14: // val_offset
        return this.#set(r.uleb(), { at: "address", offset: r.uleb() * dataAlign });
      case 0x15: // val_offset_sf
        return this.#set(r.uleb(), { at: "address", offset: r.sleb() * dataAlign });
      case 0x2e: // GNU_args_size
        r.uleb();
        return;
      default:
        // Expressions, and what is not known here: better no caller than a wrong one.
        throw new DwarfError(`call frame instruction ${opcode}`);
    }
  }

  #set(register: number, rule: RegisterRule): void {
    this.#rules.set(register, rule);
  }

  #restore(register: number): void {
    const rule = this.#initial.get(register);
    if (rule === undefined) this.#rules.delete(register);
    else this.#rules.set(register, rule);
  }
}
