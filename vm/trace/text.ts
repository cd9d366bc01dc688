/**
 * Instruction trace for people:
 *
 * ```text
 * #       step mode pc        symbol        bytes     instruction            changes
 *           23 M    80000052  _start+0x52   00b4b7af  amoadd.d a5, a1, (s1)  a5=0x78 [0x80000140]=0x12345678
 * ```
 *
 * Instruction count, privilege mode, pc, symbol, the instruction's bytes as a number, its text, and what it changed:
 * registers by ABI name, CSRs, memory as `[address]=value` in as many digits as were stored, `<-[address]` for a load.
 * A trap's line says `trap:` or `interrupt:` there, and where the handler is.
 */
import { RecordFlag, RecordKind } from "../events.ts";
import { causeName } from "../isa/causes.ts";
import { csrName } from "../isa/csr_names.ts";
import { Disassembler } from "../isa/disassemble.ts";
import { floatRegisterNames, registerNames } from "../isa/names.ts";
import type { Isa } from "../isa/table.ts";
import { hex } from "../bits.ts";
import type { RecordFilter } from "./filter.ts";
import {
  hasInstruction,
  PRIVILEGE_LETTERS,
  RECORD_WORDS,
  recordWords,
  refuseTornBatch,
  SHIFT,
  TRAP_INTERRUPT,
  WORD,
  wordNumber,
  wordPair,
} from "./record.ts";
import type { ByteSink, RecordWriter } from "./sink.ts";
import { symbolText } from "./symbolizer.ts";
import type { Symbolizer } from "./symbolizer.ts";

/** How to write an instruction trace. */
export interface TextOptions {
  /** What the instructions are read by, and the width of registers. */
  readonly isa: Isa;
  /** With more than one, each line says which. */
  readonly harts?: number | undefined;
  /** Names of addresses; without it there is no column for them. */
  readonly symbolize?: Symbolizer | undefined;
  /** Only instructions and traps that it keeps. */
  readonly filter?: RecordFilter | undefined;
}

const CAPACITY = 1 << 17;
/** Longer than any line: see `SYMBOL_MAX`. */
const LINE_MAX = 2048;
/** Longer names are cut: in UTF-8 they may be four times as long. */
const SYMBOL_MAX = 96;
/** Widths of the columns. */
const STEP_WIDTH = 12;
const SYMBOL_WIDTH = 24;
const ASM_WIDTH = 32;
/** Instructions whose columns are remembered. */
const CACHE_SLOTS = 1 << 14;

const encoder = new TextEncoder();
const DIGITS = encoder.encode("0123456789abcdef");
const MODES = encoder.encode(PRIVILEGE_LETTERS);
const REGISTERS: readonly Uint8Array[] = registerNames.map((name) => encoder.encode(`${name}=0x`));
const FLOAT_REGISTERS: readonly Uint8Array[] = floatRegisterNames.map((name) => encoder.encode(`${name}=0x`));
const FROM = encoder.encode("<-[0x");
const BRACKET = encoder.encode("[0x");
const VALUE = encoder.encode("]=0x");
const SPACE = 0x20;

/** Writes the instruction trace of a run to a sink. */
export class TextWriter implements RecordWriter {
  readonly #sink: ByteSink;
  readonly #options: TextOptions;
  readonly #wide: boolean;
  readonly #disassembler: Disassembler;
  readonly #bytes = new Uint8Array(CAPACITY + LINE_MAX);
  #at = 0;
  /** The columns from pc to instruction, by pc and instruction: three words of key per slot. */
  readonly #keys = new Int32Array(CACHE_SLOTS * 3);
  readonly #columns: (Uint8Array | undefined)[] = new Array(CACHE_SLOTS).fill(undefined);
  readonly #csrs = new Map<number, Uint8Array>();

  /** Writes to `sink`; the header line comes with the first bytes. */
  constructor(sink: ByteSink, options: TextOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#wide = options.isa.xlen === 64;
    const symbol = (addr: bigint) => clip(symbolText(options.symbolize, addr));
    this.#disassembler = new Disassembler(options.isa, { aliases: true, symbol });
    this.#text(
      `#${this.#hart("hart")}${"step".padStart(STEP_WIDTH - 1)} mode ${
        joinColumns("pc", options.symbolize && "symbol", "bytes", "instruction")
      }changes\n`,
    );
  }

  records(view: DataView<ArrayBuffer>, count: number): void {
    const words = recordWords(view, count);
    const filter = this.#options.filter;
    let shown = false;
    if (count > 0 && (words[WORD.head]! & 0xff) === RecordKind.Csr) refuseTornBatch();
    for (let r = 0; r < words.length; r += RECORD_WORDS) {
      const kind = words[r + WORD.head]! & 0xff;
      if (kind === RecordKind.Csr) {
        if (shown) this.#csr(words, r);
        continue;
      }
      this.#endLine(shown);
      shown = filter === undefined || filter.keeps(words, r);
      if (!shown) continue;
      if (this.#at > CAPACITY) this.flush();
      this.#beginLine(words, r);
      if (kind === RecordKind.Retired) this.#changes(words, r);
      else this.#trap(words, r);
    }
    this.#endLine(shown);
  }

  flush(): void {
    if (this.#at > 0) this.#sink.write(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
  }

  #hart(text: string): string {
    return (this.#options.harts ?? 1) > 1 ? text.padStart(5) : "";
  }

  #beginLine(words: Int32Array, r: number): void {
    const out = this.#bytes;
    if ((this.#options.harts ?? 1) > 1) this.#decimal((words[r + WORD.tail]! >>> SHIFT.hart) & 0xff, 5);
    this.#bytes[this.#at++] = SPACE;
    this.#decimal(wordNumber(words, r + WORD.step), STEP_WIDTH - 1);
    let at = this.#at;
    out[at++] = SPACE;
    out[at++] = MODES[(words[r + WORD.head]! >>> SHIFT.privilege) & 3]!;
    for (let i = 0; i < 4; i++) out[at++] = SPACE;
    const columns = this.#columnsOf(words, r);
    out.set(columns, at);
    this.#at = at + columns.length;
  }

  /** Ends the line begun before, if there is one; columns left empty at its end take no room. */
  #endLine(begun: boolean): void {
    if (!begun) return;
    let at = this.#at;
    while (this.#bytes[at - 1] === SPACE) at--;
    this.#bytes[at++] = 0x0a;
    this.#at = at;
  }

  /** Columns from pc to instruction of the record at word `r`. */
  #columnsOf(words: Int32Array, r: number): Uint8Array {
    const low = words[r + WORD.pc]!;
    const high = words[r + WORD.pc + 1]!;
    const insn = words[r + WORD.insn]!;
    if (!hasInstruction(words, r)) return encoder.encode(this.#makeColumns(wordPair(words, r + WORD.pc), undefined));
    const slot = ((low >>> 1) ^ (high << 3)) & (CACHE_SLOTS - 1);
    const keys = this.#keys;
    const key = slot * 3;
    const known = this.#columns[slot];
    if (known !== undefined && keys[key] === low && keys[key + 1] === high && keys[key + 2] === insn) return known;
    const pc = wordPair(words, r + WORD.pc);
    const made = encoder.encode(this.#makeColumns(pc, insn));
    keys[key] = low;
    keys[key + 1] = high;
    keys[key + 2] = insn;
    this.#columns[slot] = made;
    return made;
  }

  #makeColumns(pc: bigint, insn: number | undefined): string {
    const symbol = this.#options.symbolize && (clip(symbolText(this.#options.symbolize, pc)) ?? "");
    if (insn === undefined) return joinColumns(pcText(pc), symbol, "", "");
    const short = (insn & 3) !== 3;
    const bytes = (short ? insn & 0xffff : insn >>> 0).toString(16).padStart(short ? 4 : 8, "0");
    const { mnemonic, operands } = this.#disassembler.instruction(insn, pc);
    return joinColumns(pcText(pc), symbol, bytes, operands === "" ? mnemonic : `${mnemonic.padEnd(7)} ${operands}`);
  }

  /** Register and memory of the instruction at word `r`. */
  #changes(words: Int32Array, r: number): void {
    const head = words[r + WORD.head]!;
    const flags = head >>> SHIFT.flags;
    const rd = head >>> SHIFT.rd;
    if ((flags & RecordFlag.Float) !== 0) {
      this.#put(FLOAT_REGISTERS[rd]!);
      this.#number(words, r + WORD.value, true);
    } else if ((flags & RecordFlag.Rd) !== 0 && rd !== 0) {
      this.#put(REGISTERS[rd]!);
      this.#number(words, r + WORD.value);
    }
    if ((flags & RecordFlag.Store) !== 0) {
      // One that also loads shows the address once, with what it stored.
      this.#gap();
      this.#put(BRACKET);
      this.#number(words, r + WORD.addr);
      this.#put(VALUE);
      // Of a cleared cache block, the first doubleword.
      const digits = Math.min(words[r + WORD.tail]! & 0xff, 8) * 2;
      this.#digits(words[r + WORD.data]!, words[r + WORD.data + 1]!, digits);
    } else if ((flags & RecordFlag.Load) !== 0) {
      this.#gap();
      this.#put(FROM);
      this.#number(words, r + WORD.addr);
      this.#bytes[this.#at++] = 0x5d;
    }
  }

  #csr(words: Int32Array, r: number): void {
    if (this.#at > CAPACITY + LINE_MAX / 2) this.flush();
    const number = words[r + WORD.tail]! >>> SHIFT.csr;
    let name = this.#csrs.get(number);
    if (name === undefined) {
      name = encoder.encode(`${csrName(number) ?? hex(number, 3)}=0x`);
      this.#csrs.set(number, name);
    }
    this.#gap();
    this.#put(name);
    this.#number(words, r + WORD.value);
  }

  #trap(words: Int32Array, r: number): void {
    const code = words[r + WORD.tail]! >>> SHIFT.csr;
    const interrupt = (code & TRAP_INTERRUPT) !== 0;
    const cause = code & ~TRAP_INTERRUPT;
    const to = PRIVILEGE_LETTERS[(words[r + WORD.head]! >>> SHIFT.rd) & 3]!;
    const handler = wordPair(words, r + WORD.value);
    const symbol = clip(symbolText(this.#options.symbolize, handler));
    const where = `${to} ${hex(handler)}${symbol === undefined ? "" : ` <${symbol}>`}`;
    const tval = interrupt ? "" : ` tval=${hex(wordPair(words, r + WORD.addr))}`;
    this.#text(`${interrupt ? "interrupt" : "trap"}: ${causeName(interrupt, cause)} (${cause})${tval} -> ${where}`);
  }

  /** One space between two changes. */
  #gap(): void {
    if (this.#bytes[this.#at - 1] !== SPACE) this.#bytes[this.#at++] = SPACE;
  }

  #text(text: string): void {
    this.#at += encoder.encodeInto(text, this.#bytes.subarray(this.#at)).written;
  }

  /** A few bytes; a loop is faster than `set` for so few. */
  #put(bytes: Uint8Array): void {
    const out = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < bytes.length; i++) out[at++] = bytes[i]!;
    this.#at = at;
  }

  /** A decimal number, right-aligned in `width` columns. */
  #decimal(value: number, width: number): void {
    const out = this.#bytes;
    let end = this.#at + width;
    while (width < 16 && value >= 10 ** width) {
      width++;
      end++;
    }
    this.#at = end;
    let rest = value;
    // Above 2^31 by halves: integer division of small numbers is much faster.
    while (rest > 0x3fff_ffff) {
      const next = Math.floor(rest / 10);
      out[--end] = DIGITS[rest - next * 10]!;
      rest = next;
    }
    let small = rest | 0;
    do {
      const next = (small / 10) | 0;
      out[--end] = DIGITS[small - next * 10]!;
      small = next;
    } while (small > 0);
    const begin = this.#at - width;
    while (end > begin) out[--end] = SPACE;
  }

  /** The number at word `from`, XLEN bits unless said otherwise, in as many digits as it needs. */
  #number(words: Int32Array, from: number, wide = this.#wide): void {
    const low = words[from]!;
    const high = wide ? words[from + 1]! : 0;
    const digits = high !== 0 ? 16 - (Math.clz32(high) >> 2) : low !== 0 ? 8 - (Math.clz32(low) >> 2) : 1;
    this.#digits(low, high, digits);
  }

  #digits(low: number, high: number, digits: number): void {
    const out = this.#bytes;
    let at = this.#at;
    for (let i = digits - 1; i >= 8; i--) out[at++] = DIGITS[(high >>> ((i - 8) * 4)) & 15]!;
    for (let i = Math.min(digits, 8) - 1; i >= 0; i--) out[at++] = DIGITS[(low >>> (i * 4)) & 15]!;
    this.#at = at;
  }
}

/** An address without `0x`, in 8 digits or 16. */
function pcText(pc: bigint): string {
  return pc.toString(16).padStart(pc > 0xffff_ffffn ? 16 : 8, "0");
}

/** Columns from pc to instruction; no symbol column where there are no symbols. */
function joinColumns(pc: string, symbol: string | undefined, bytes: string, asm: string): string {
  const symbols = symbol === undefined ? "" : `${symbol.padEnd(SYMBOL_WIDTH)} `;
  return `${pc.padEnd(8)}  ${symbols}${bytes.padEnd(8)}  ${asm.padEnd(ASM_WIDTH)} `;
}

function clip(name: string | undefined): string | undefined {
  return name !== undefined && name.length > SYMBOL_MAX ? `${name.slice(0, SYMBOL_MAX - 3)}...` : name;
}
