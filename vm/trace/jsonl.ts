/**
 * Trace for programs: one JSON object per line (the schema, with samples, is in docs/TRACE.md). Addresses, instruction
 * words and what registers and memory hold are strings such as `"0x80000000"`, unsigned; counts and codes are numbers.
 */
import { hex } from "../bits.ts";
import { RecordFlag, RecordKind } from "../events.ts";
import type { MachineFact, Where } from "../events.ts";
import { causeName } from "../isa/causes.ts";
import { csrName } from "../isa/csr_names.ts";
import { Decoder } from "../isa/decode.ts";
import { Disassembler } from "../isa/disassemble.ts";
import { floatRegisterNames, registerNames } from "../isa/names.ts";
import {
  hasInstruction,
  privilegeName,
  RECORD_WORDS,
  recordWords,
  refuseTornBatch,
  SHIFT,
  TRAP_INTERRUPT,
  WORD,
  wordNumber,
  wordPair,
} from "./record.ts";
import { accessedRegister, registerName } from "./register_text.ts";
import type { ByteSink, RecordWriter } from "./sink.ts";
import { symbolText } from "./symbolizer.ts";
import type { Privilege } from "../events.ts";
import type { TextOptions } from "./text.ts";

/** How to write JSON lines; `harts` is not needed: every line names its hart. */
export type JsonOptions = Omit<TextOptions, "harts">;

/** Characters gathered before they are handed on. */
const BUFFER = 1 << 16;
const CACHE_SLOTS = 1 << 14;

/** What is the same every time an instruction runs. */
interface Known {
  readonly pc: bigint;
  readonly insn: number;
  readonly text: string;
}

/** Writes instructions, traps and, if given, facts as JSON lines to a sink. */
export class JsonWriter implements RecordWriter {
  readonly #sink: ByteSink;
  readonly #options: JsonOptions;
  readonly #decoder: Decoder;
  readonly #disassembler: Disassembler;
  readonly #encoder = new TextEncoder();
  readonly #known: (Known | undefined)[] = new Array(CACHE_SLOTS).fill(undefined);
  #text = "";

  /** Writes to `sink`. */
  constructor(sink: ByteSink, options: JsonOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#decoder = new Decoder(options.isa);
    this.#disassembler = new Disassembler(options.isa, { aliases: true });
  }

  records(view: DataView<ArrayBuffer>, count: number): void {
    const words = recordWords(view, count);
    const filter = this.#options.filter;
    if (count > 0 && (words[WORD.head]! & 0xff) === RecordKind.Csr) refuseTornBatch();
    for (let r = 0; r < words.length;) {
      const record = r;
      const kind = words[r + WORD.head]! & 0xff;
      r += RECORD_WORDS;
      const csrs = r;
      while (r < words.length && (words[r + WORD.head]! & 0xff) === RecordKind.Csr) r += RECORD_WORDS;
      if (filter !== undefined && !filter.keeps(words, record)) continue;
      if (kind === RecordKind.Retired) this.#retired(words, record, csrs, r);
      else this.#trapped(words, record);
      if (this.#text.length > BUFFER) this.flush();
    }
  }

  /** Writes one fact of the run (device accesses, virtqueue steps, …) under its own names. */
  fact(fact: MachineFact, where: Where): void {
    const { pc, mode, ...rest } = spokenFact(fact, where);
    const symbol = symbolText(this.#options.symbolize, pc);
    const at = { steps: where.steps, now: where.now, hart: where.hart, mode, pc: hex(pc) };
    const line = { type: fact.kind, ...at, ...(symbol && { symbol }), ...rest };
    this.#text += `${JSON.stringify(line, plain)}\n`;
    if (this.#text.length > BUFFER) this.flush();
  }

  flush(): void {
    if (this.#text !== "") this.#sink.write(this.#encoder.encode(this.#text));
    this.#text = "";
  }

  #retired(words: Int32Array, record: number, csrs: number, end: number): void {
    const head = words[record + WORD.head]!;
    const flags = head >>> SHIFT.flags;
    const rd = head >>> SHIFT.rd;
    let line = this.#begin("insn", words, record);
    if ((flags & RecordFlag.Float) !== 0) {
      line += `,"reg":{"${floatRegisterNames[rd]}":"${hex(wordPair(words, record + WORD.value))}"}`;
    } else if ((flags & RecordFlag.Rd) !== 0 && rd !== 0) {
      line += `,"reg":{"${registerNames[rd]}":"${hex(this.#xlen(words, record + WORD.value))}"}`;
    }
    if (csrs < end) {
      const writes: string[] = [];
      for (let r = csrs; r < end; r += RECORD_WORDS) {
        const number = words[r + WORD.tail]! >>> SHIFT.csr;
        writes.push(`"${csrName(number) ?? hex(number, 3)}":"${hex(this.#xlen(words, r + WORD.value))}"`);
      }
      line += `,"csr":{${writes.join(",")}}`;
    }
    const stored = (flags & RecordFlag.Store) !== 0;
    if ((flags & RecordFlag.Load) !== 0) line += `,"load":${this.#access(words, record, !stored)}`;
    if (stored) line += `,"store":${this.#access(words, record, true)}`;
    this.#text += `${line}}\n`;
  }

  /** An access; where an instruction loads and stores, the record's data is what was stored. */
  #access(words: Int32Array, record: number, data: boolean): string {
    const size = words[record + WORD.tail]! & 0xff;
    const value = data ? `,"data":"${hex(wordPair(words, record + WORD.data), size * 2)}"` : "";
    return `{"addr":"${hex(this.#xlen(words, record + WORD.addr))}","size":${size}${value}}`;
  }

  #trapped(words: Int32Array, record: number): void {
    const code = words[record + WORD.tail]! >>> SHIFT.csr;
    const interrupt = (code & TRAP_INTERRUPT) !== 0;
    const cause = code & ~TRAP_INTERRUPT;
    const to = privilegeName(((words[record + WORD.head]! >>> SHIFT.rd) & 3) as Privilege);
    const tval = hex(this.#xlen(words, record + WORD.addr));
    const handler = hex(this.#xlen(words, record + WORD.value));
    this.#text += `${this.#begin("trap", words, record)},"interrupt":${interrupt},"cause":${cause},` +
      `"name":"${causeName(interrupt, cause)}","tval":"${tval}","to":"${to}","handler":"${handler}"}\n`;
  }

  #begin(type: string, words: Int32Array, record: number): string {
    const mode = privilegeName(((words[record + WORD.head]! >>> SHIFT.privilege) & 3) as Privilege);
    const hart = (words[record + WORD.tail]! >>> SHIFT.hart) & 0xff;
    const step = wordNumber(words, record + WORD.step);
    return `{"type":"${type}","steps":${step},"hart":${hart},"mode":"${mode}",${this.#instruction(words, record)}`;
  }

  /** pc, symbol, instruction, text and class. */
  #instruction(words: Int32Array, record: number): string {
    const pc = this.#xlen(words, record + WORD.pc);
    if (!hasInstruction(words, record)) return this.#describe(pc, undefined);
    const insn = words[record + WORD.insn]!;
    const slot = (words[record + WORD.pc]! >>> 1) & (CACHE_SLOTS - 1);
    const known = this.#known[slot];
    if (known !== undefined && known.pc === pc && known.insn === insn) return known.text;
    const text = this.#describe(pc, insn);
    this.#known[slot] = { pc, insn, text };
    return text;
  }

  #describe(pc: bigint, insn: number | undefined): string {
    const symbol = symbolText(this.#options.symbolize, pc);
    const where = `"pc":"${hex(pc)}"${symbol === undefined ? "" : `,"symbol":${JSON.stringify(symbol)}`}`;
    if (insn === undefined) return where;
    const short = (insn & 3) !== 3;
    const word = short ? insn & 0xffff : insn >>> 0;
    const text = JSON.stringify(this.#disassembler.text(insn, pc));
    const kind = this.#decoder.decode(insn)?.row.class;
    const more = kind === undefined ? "" : `,"class":"${kind}"`;
    return `${where},"insn":"${hex(word, short ? 4 : 8)}","asm":${text}${more}`;
  }

  #xlen(words: Int32Array, at: number): bigint {
    return this.#options.isa.xlen === 64 ? wordPair(words, at) : BigInt(words[at]! >>> 0);
  }
}

interface SpokenFact {
  readonly pc: bigint;
  readonly mode: string;
  readonly [field: string]: unknown;
}

/** A fact's fields with what a line says of it otherwise than the event: modes as letters, registers by name. */
function spokenFact(fact: MachineFact, where: Where): SpokenFact {
  const { kind: _, ...fields } = fact;
  const at = { pc: where.pc, mode: privilegeName(where.privilege) };
  switch (fact.kind) {
    case "mmio": {
      const found = accessedRegister(fact);
      return { ...at, ...(found && { register: registerName(fact, found) }), ...fields };
    }
    // As the record of a trap has it: where it happened, not where the handler is.
    case "trap": {
      const { interrupt, cause, tval, epc, from, to, handler } = fact;
      const name = causeName(interrupt, cause);
      return { pc: epc, mode: privilegeName(from), interrupt, cause, name, tval, to: privilegeName(to), handler };
    }
    case "trap-return":
      return { ...at, instruction: fact.instruction, target: fact.target, to: privilegeName(fact.to) };
    default:
      return { ...at, ...fields };
  }
}

/** Fields of facts that are addresses. */
const ADDRESSES: readonly string[] = ["addr", "desc", "driver", "device_area"];

/** How facts become JSON: addresses, big numbers and bytes as text, a device by its name alone. */
function plain(key: string, value: unknown): unknown {
  if (typeof value === "bigint" || (typeof value === "number" && ADDRESSES.includes(key))) return hex(value);
  if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (key === "device" && typeof value === "object" && value !== null && "name" in value) return value.name;
  return value;
}
