/**
 * Commit log: one line per retired instruction, as Spike's `--log-commits` writes it, so that its users' scripts and
 * eyes work unchanged. Instructions that trap do not commit and have no line.
 *
 * ```text
 * core   0: 3 0x0000000080000052 (0x00b4b7af) x15 0x1234567856780078 mem 0x0000000080000140 mem 0x… 0x1234567868ac56f0
 * ```
 *
 * Hart, privilege, pc, instruction; then the register, the CSRs by rising number, the address of a load, the
 * address and value of a store. Byte work throughout: millions of lines per second go through here.
 */
import { RecordFlag, RecordKind } from "../events.ts";
import { csrName } from "../isa/csr_names.ts";
import type { Xlen } from "../isa/row.ts";
import type { RecordFilter } from "./filter.ts";
import { HEX4 } from "./hex_table.ts";
import { RECORD_WORDS, recordWords, refuseTornBatch, SHIFT, WORD, wordPair } from "./record.ts";
import type { ByteSink, RecordWriter } from "./sink.ts";

/** How to write a commit log. */
export interface CommitOptions {
  /** Width of pc, addresses and registers. */
  readonly xlen: Xlen;
  /** Width of the floating-point registers in bits: 32 where there is no D. Default 64. */
  readonly flen?: 32 | 64 | undefined;
  /** Only instructions that it keeps. */
  readonly filter?: RecordFilter | undefined;
}

/** Bytes handed to the sink at a time. */
const CAPACITY = 1 << 17;
/** Longer than any line without CSRs, and than what one CSR adds. */
const LINE_MAX = 256;

/** Four characters as the little-endian word that stores them. */
function word(text: string): number {
  return [...text.padEnd(4)].reduce((w, c, i) => w | c.charCodeAt(0) << (8 * i), 0);
}
const CORE = word("core");
const ZERO_X = word("0x");
const OPEN = word(" (0x");
const CLOSE = 0x29;
const MEM = word(" mem");
const SPACE_ZERO_X = word(" 0x");
const NEWLINE = 0x0a;
const MRET = 0x3020_0073;
const HARTS = Int32Array.from({ length: 256 }, (_, n) => word(String(n).padStart(4)));
const MODES = Int32Array.from({ length: 4 }, (_, n) => word(`: ${n} `));
/** x0..x31 and f0..f31. */
const REGISTERS = Int32Array.from({ length: 64 }, (_, n) => word(n < 32 ? ` x${n}` : ` f${n - 32}`));
const FLOAT = 32;
/** No register: x0 is never written. */
const NONE = 0;

/** Writes the commit log of a run to a sink. */
export class CommitWriter implements RecordWriter {
  readonly #sink: ByteSink;
  readonly #xlen: Xlen;
  readonly #wideFloat: boolean;
  readonly #filter: RecordFilter | undefined;
  readonly #bytes = new Uint8Array(CAPACITY + 2 * LINE_MAX);
  readonly #out = new DataView(this.#bytes.buffer);
  #at = 0;

  /** Writes to `sink`. */
  constructor(sink: ByteSink, options: CommitOptions) {
    this.#sink = sink;
    this.#xlen = options.xlen;
    this.#wideFloat = options.flen !== 32;
    this.#filter = options.filter;
  }

  records(view: DataView<ArrayBuffer>, count: number): void {
    const words = recordWords(view, count);
    const out = this.#out;
    const filter = this.#filter;
    const wide = this.#xlen === 64;
    const end = words.length;
    let at = this.#at;
    let next = count > 0 ? words[WORD.head]! : 0;
    if ((next & 0xff) === RecordKind.Csr) refuseTornBatch();
    for (let r = 0; r < end;) {
      const head = next;
      const record = r;
      r += RECORD_WORDS;
      next = r < end ? words[r + WORD.head]! : 0;
      const csrs = r;
      // Rare: one look at the record that follows keeps the rest of the loop free of it.
      if ((next & 0xff) === RecordKind.Csr) {
        r = endOfCsrs(words, r);
        next = r < end ? words[r + WORD.head]! : 0;
      }
      if ((head & 0xff) !== RecordKind.Retired || (filter !== undefined && !filter.keeps(words, record))) continue;
      if (at > CAPACITY) {
        this.#sink.write(this.#bytes.subarray(0, at));
        at = 0;
      }
      at = putInstruction(out, at, words, record, wide);
      const flags = head >>> SHIFT.flags;
      const float = (flags & RecordFlag.Float) !== 0;
      const rd = (flags & RecordFlag.Rd) !== 0 ? (head >>> SHIFT.rd) + (float ? FLOAT : 0) : NONE;
      if (r !== csrs) {
        this.#at = at;
        this.#registers(words, record, rd, csrs, r);
        at = this.#at;
      } else if (rd !== NONE) {
        out.setInt32(at, REGISTERS[rd]!, true);
        out.setInt32(at + 4, SPACE_ZERO_X, true);
        at = putXlen(out, at + 7, words, record + WORD.value, float ? this.#wideFloat : wide);
      }
      if ((flags & RecordFlag.Load) !== 0) at = putAddress(out, at, words, record, wide);
      if ((flags & RecordFlag.Store) !== 0) {
        if ((words[record + WORD.tail]! & 0xff) > 8) {
          this.#at = at;
          this.#block(words, record);
          at = this.#at;
        } else at = putData(out, putAddress(out, at, words, record, wide), words, record);
      }
      out.setInt8(at++, NEWLINE);
    }
    this.#at = at;
  }

  flush(): void {
    if (this.#at > 0) this.#sink.write(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
  }

  /**
   * Register `rd` (an index of `REGISTERS`) and CSRs of an instruction whose CSR records are `from..to`. Spike keeps both in one map
   * by `number * 16 + type`: CSRs come by rising number, and those below the register's own number before it.
   */
  #registers(words: Int32Array, record: number, rd: number, from: number, to: number): void {
    const wide = this.#xlen === 64;
    const writes: { readonly order: number; readonly name: string; readonly at: number; readonly wide: boolean }[] = [];
    for (let r = from; r < to; r += RECORD_WORDS) {
      const csr = words[r + WORD.tail]! >>> SHIFT.csr;
      writes.push({ order: csr * 16 + 4, name: `c${csr}_${csrName(csr) ?? "unknown"} `, at: r + WORD.value, wide });
    }
    if (rd >= FLOAT) {
      const n = rd - FLOAT;
      writes.push({ order: n * 16 + 1, name: `f${n}`.padEnd(4), at: record + WORD.value, wide: this.#wideFloat });
    } else if (rd !== NONE) writes.push({ order: rd * 16, name: `x${rd}`.padEnd(4), at: record + WORD.value, wide });
    writes.sort((a, b) => a.order - b.order);
    for (const write of writes) {
      if (this.#at > CAPACITY) this.flush();
      this.#characters(` ${write.name}0x`);
      this.#at = putXlen(this.#out, this.#at, words, write.at, write.wide);
    }
    // On RV32 Spike tells of both halves of mstatus; the high one holds nothing that a return changes.
    if (!wide && words[record + WORD.insn] === MRET) this.#characters(" c784_mstatush 0x00000000");
  }

  /** A cleared cache block: to Spike, a store of each byte. */
  #block(words: Int32Array, record: number): void {
    const size = words[record + WORD.tail]! & 0xff;
    const addr = wordPair(words, record + WORD.addr);
    for (let i = 0n; i < size; i++) {
      if (this.#at > CAPACITY) this.flush();
      this.#characters(` mem 0x${(addr + i).toString(16).padStart(this.#xlen / 4, "0")} 0x00`);
    }
  }

  #characters(text: string): void {
    for (const c of text) this.#out.setUint8(this.#at++, c.charCodeAt(0));
  }
}

/** The word after the CSR records that begin at word `from`. */
function endOfCsrs(words: Int32Array, from: number): number {
  let r = from;
  while (r < words.length && (words[r + WORD.head]! & 0xff) === RecordKind.Csr) r += RECORD_WORDS;
  return r;
}

// Each of these puts text at `at` and returns where it ends. Four characters are stored at once, even where fewer are
// wanted: what follows overwrites the rest.

/** `core   0: 3 0x0000000080000000 (0x00000297)` */
function putInstruction(out: DataView, at: number, words: Int32Array, record: number, wide: boolean): number {
  out.setInt32(at, CORE, true);
  out.setInt32(at + 4, HARTS[(words[record + WORD.tail]! >>> SHIFT.hart) & 0xff]!, true);
  out.setInt32(at + 8, MODES[(words[record + WORD.head]! >>> SHIFT.privilege) & 3]!, true);
  out.setInt32(at + 12, ZERO_X, true);
  let p = putXlen(out, at + 14, words, record + WORD.pc, wide);
  const insn = words[record + WORD.insn]!;
  out.setInt32(p, OPEN, true);
  p += 4;
  if ((insn & 3) === 3) {
    out.setInt32(p, HEX4[insn >>> 16]!, true);
    p += 4;
  }
  out.setInt32(p, HEX4[insn & 0xffff]!, true);
  out.setInt8(p + 4, CLOSE);
  return p + 5;
}

/** ` mem 0x0000000080000140` */
function putAddress(out: DataView, at: number, words: Int32Array, record: number, wide: boolean): number {
  out.setInt32(at, MEM, true);
  out.setInt32(at + 4, SPACE_ZERO_X, true);
  return putXlen(out, at + 7, words, record + WORD.addr, wide);
}

/** ` 0x12345678`, as many digits as the access has. */
function putData(out: DataView, at: number, words: Int32Array, record: number): number {
  out.setInt32(at, SPACE_ZERO_X, true);
  const size = words[record + WORD.tail]! & 0xff;
  const data = words[record + WORD.data]!;
  if (size >= 4) return putXlen(out, at + 3, words, record + WORD.data, size === 8);
  // A byte's two digits are the upper half of the table's word.
  out.setInt32(at + 3, size === 2 ? HEX4[data & 0xffff]! : HEX4[data & 0xff]! >>> 16, true);
  return at + 3 + size * 2;
}

/** 16 digits, or 8 where not `wide`, of the number at word `from`. */
function putXlen(out: DataView, at: number, words: Int32Array, from: number, wide: boolean): number {
  const low = words[from]!;
  let p = at;
  if (wide) {
    const high = words[from + 1]!;
    out.setInt32(p, HEX4[high >>> 16]!, true);
    out.setInt32(p + 4, HEX4[high & 0xffff]!, true);
    p += 8;
  }
  out.setInt32(p, HEX4[low >>> 16]!, true);
  out.setInt32(p + 4, HEX4[low & 0xffff]!, true);
  return p + 8;
}
