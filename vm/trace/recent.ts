/**
 * The last instructions before a guest's death. Two sources: full records, where a trace is on anyway; otherwise the
 * straight runs between the last branches that were taken, which engines remember for next to nothing, with the
 * instructions read back from memory. The second knows what was executed, not when or with which values.
 */
import { hex } from "../bits.ts";
import { causeName } from "../isa/causes.ts";
import { Disassembler } from "../isa/disassemble.ts";
import type { Isa } from "../isa/table.ts";
import { RecordKind, type StraightRun } from "../events.ts";
import {
  hasInstruction,
  isInterrupt,
  RECORD_WORDS,
  recordWords,
  SHIFT,
  TRAP_INTERRUPT,
  WORD,
  wordPair,
} from "./record.ts";
import { symbolText } from "./symbolizer.ts";
import type { Symbolizer } from "./symbolizer.ts";

/** How many instructions a report shows. */
export const RECENT = 32;

/** One instruction of the list. */
export interface RecentInstruction {
  /** Its address. */
  readonly pc: bigint;
  /** Undefined where memory cannot be read, and for an interrupt. */
  readonly insn: number | undefined;
  /** What happened instead of retiring: the trap's or interrupt's name. */
  readonly note?: string;
}

/** Reads one instruction (only the low half counts for a compressed one); undefined where nothing can be fetched. */
export type FetchWord = (addr: bigint) => number | undefined;

/** The note beside an instruction after which translated code ran. */
export const TRANSLATED = "translated code from here, not remembered";

/** Longer runs are read from near their end: an engine's run does not leave a page. */
const RUN_MAX = 0x1_0000n;

/** Addresses of runs are physical and the hart's pc need not be, but this part of them is the same. */
const PAGE_OFFSET = 0xfffn;

/** The last `count` instructions of `runs`, which come oldest first; `pc` is where the hart is now, virtual or not. */
export function recentFromRuns(
  runs: readonly StraightRun[],
  fetch: FetchWord,
  pc: bigint,
  count: number = RECENT,
): RecentInstruction[] {
  let list: RecentInstruction[] = [];
  for (let i = runs.length - 1; i >= 0 && list.length < count; i--) {
    const after = runs[i + 1]?.from;
    const follows = after === undefined
      ? (addr: bigint) => ((addr ^ pc) & PAGE_OFFSET) === 0n
      : (addr: bigint) => addr === after;
    list = [...readRun(runs[i]!, follows, fetch), ...list].slice(-count);
  }
  return list;
}

/** Jumps that are never done by emitted code: sret and mret. */
const isTrapReturn = (insn: number): boolean => insn === 0x1020_0073 || insn === 0x3020_0073;

/** The instructions of a run; `follows` says whether the hart went on at an address. */
function readRun(
  { from, to, done, translated }: StraightRun,
  follows: (addr: bigint) => boolean,
  fetch: FetchWord,
): RecentInstruction[] {
  const list: RecentInstruction[] = [];
  let pc = to - from > RUN_MAX ? to - BigInt(RECENT * 4) : from;
  while (pc < to) {
    const insn = fetch(pc);
    list.push({ pc, insn });
    pc += insn !== undefined && (insn & 3) !== 3 ? 2n : 4n;
  }
  // Code that was overwritten since may not line up: what is known for certain is the last address.
  if (pc > to) list.pop();
  if (translated) return [...list, { pc: to, insn: fetch(to), note: TRANSLATED }];
  // Not done yet: a later run tells of it, if there is one.
  if (!done && follows(to)) return list;
  const insn = fetch(to);
  // What emitted code left to others, such as an access to a device, was done if control went on behind it.
  const retired = done || (insn !== undefined && (isTrapReturn(insn) || follows(to + ((insn & 3) === 3 ? 4n : 2n))));
  list.push({ pc: to, insn, ...(retired ? {} : { note: "trapped or interrupted" }) });
  return list;
}

/** Keeps the last records of every hart; attach it where records are made anyway. */
export class RecentRecords {
  /** Per hart: a ring of whole records, and how many have come. */
  readonly #rings: readonly { readonly words: Int32Array; count: number }[];
  readonly #size: number;
  /** Per hart: how many of its last instructions a batch has given. */
  readonly #seen: Uint32Array;

  /** For harts 0 to `harts` - 1, `size` instructions of each. */
  constructor(harts: number = 1, size: number = RECENT) {
    this.#size = size;
    this.#seen = new Uint32Array(harts);
    this.#rings = Array.from({ length: harts }, () => ({ words: new Int32Array(size * RECORD_WORDS), count: 0 }));
  }

  /** A listener for `EventStream.onRecords`. */
  records(view: DataView<ArrayBuffer>, count: number): void {
    const words = recordWords(view, count);
    const seen = this.#seen.fill(0);
    const wanted: number[] = [];
    let complete = 0;
    // From the end: a batch has thousands of records, and a few of each hart are enough.
    for (let r = words.length - RECORD_WORDS; r >= 0 && complete < seen.length; r -= RECORD_WORDS) {
      if ((words[r + WORD.head]! & 0xff) === RecordKind.Csr) continue;
      const hart = (words[r + WORD.tail]! >>> SHIFT.hart) & 0xff;
      if (seen[hart]! >= this.#size) continue;
      if (++seen[hart]! === this.#size) complete++;
      wanted.push(r);
    }
    for (const r of wanted.reverse()) {
      const ring = this.#rings[(words[r + WORD.tail]! >>> SHIFT.hart) & 0xff]!;
      ring.words.set(words.subarray(r, r + RECORD_WORDS), (ring.count++ % this.#size) * RECORD_WORDS);
    }
  }

  /** The last instructions of a hart, oldest first. */
  list(hart: number): RecentInstruction[] {
    const ring = this.#rings[hart];
    if (ring === undefined) return [];
    const kept = Math.min(ring.count, this.#size);
    return Array.from({ length: kept }, (_, i) => {
      const at = ((ring.count - kept + i) % this.#size) * RECORD_WORDS;
      return instructionAt(ring.words, at);
    });
  }
}

function instructionAt(words: Int32Array, at: number): RecentInstruction {
  const pc = wordPair(words, at + WORD.pc);
  if ((words[at + WORD.head]! & 0xff) === RecordKind.Retired) return { pc, insn: words[at + WORD.insn]! };
  const code = words[at + WORD.tail]! >>> SHIFT.csr;
  const interrupt = isInterrupt(words, at);
  const note = causeName(interrupt, code & ~TRAP_INTERRUPT);
  return { pc, insn: hasInstruction(words, at) ? words[at + WORD.insn]! : undefined, note };
}

/** The instructions as lines: address, symbol, bytes, text, what happened; the last one marked. */
export function recentLines(list: readonly RecentInstruction[], isa: Isa, symbolize?: Symbolizer): string[] {
  const disassembler = new Disassembler(isa, { aliases: true, symbol: (addr) => symbolText(symbolize, addr) });
  const symbols = list.map(({ pc }) => symbolText(symbolize, pc) ?? "");
  const width = Math.min(40, Math.max(...symbols.map((s) => s.length)));
  const digits = list.some(({ pc }) => pc > 0xffff_ffffn) ? 16 : 8;
  return list.map(({ pc, insn, note }, i) => {
    const mark = i === list.length - 1 ? ">" : " ";
    const place = `${mark} ${pc.toString(16).padStart(digits, "0")}  ${
      width === 0 ? "" : `${symbols[i]!.padEnd(width)}  `
    }`;
    const short = insn !== undefined && (insn & 3) !== 3;
    const bytes = insn === undefined ? "" : hex(short ? insn & 0xffff : insn >>> 0, short ? 4 : 8).slice(2);
    const { mnemonic, operands } = insn === undefined
      ? { mnemonic: note === undefined ? "(cannot be fetched)" : "", operands: "" }
      : disassembler.instruction(insn, pc);
    const text = operands === "" ? mnemonic : `${mnemonic.padEnd(7)} ${operands}`;
    return `${place}${bytes.padEnd(8)}  ${note === undefined ? text : `${text.padEnd(32)}  ${note}`}`.trimEnd();
  });
}
