/** Instruction words as text, from the rows' `asm` and the alias table. */
import { hex } from "../bits.ts";
import { type Alias, aliases, aliasFits } from "./aliases.ts";
import { type Decoded, Decoder } from "./decode.ts";
import { Amo } from "./format.ts";
import type { Operands } from "./format.ts";
import { dependsOnPc, operandWords } from "./operand_text.ts";
import type { OperandText, Printing } from "./operand_text.ts";
import type { Row } from "./row.ts";
import type { Isa } from "./table.ts";

/** How to write. */
export interface DisassembleOptions {
  /**
   * The usual names (`li`, `mv`, `ret`, `beqz`, `csrr`, …), and a compressed instruction as the one it stands for.
   * Without it, the row's own name and operands, which assemble to the same word again.
   */
  readonly aliases?: boolean;
  /** Name for a jump target, shown after its address: `0x80000010 <main+0x10>`. */
  readonly symbol?: (addr: bigint) => string | undefined;
}

/** One instruction in two columns. */
export interface InstructionText {
  /** The first word: `addi`, or an alias such as `mv`. */
  readonly mnemonic: string;
  /** Separated by `, `; empty if it has none. */
  readonly operands: string;
}

/** Suffixes of an atomic instruction by its ordering bits: rl is bit 0, aq is bit 1 (unpriv §13.1). */
export const orderingSuffixes: readonly string[] = ["", ".rl", ".aq", ".aqrl"];

/** Texts remembered at most; a program's working set is far smaller. */
const CACHE_MAX = 16384;

interface Printer {
  readonly name: string;
  readonly words: readonly OperandText[];
  readonly dependsOnPc: boolean;
}

/**
 * Disassembler for one ISA. Fields that the text leaves out (the reserved ones of `fence` and `fence.i`, the immediate
 * of a hint `c.nop`) are not shown.
 *
 * ```ts
 * import { Disassembler } from "./disassemble.ts";
 * import { parseIsa } from "./table.ts";
 * const isa = parseIsa("rv64imac");
 * new Disassembler(isa).text(0x00008067, 0n); // "jalr zero, 0(ra)"
 * new Disassembler(isa, { aliases: true }).text(0x00008067, 0n); // "ret"
 * ```
 */
export class Disassembler {
  readonly #decoder: Decoder;
  readonly #options: DisassembleOptions;
  readonly #rows: ReadonlyMap<string, Printer>;
  readonly #aliases: ReadonlyMap<string, readonly { alias: Alias; printer: Printer }[]>;
  readonly #cache = new Map<number, InstructionText>();

  /** A disassembler that knows the instructions of `isa`. */
  constructor(isa: Isa, options: DisassembleOptions = {}) {
    this.#decoder = new Decoder(isa);
    this.#options = options;
    this.#rows = new Map(isa.rows.map((row) => [row.name, printerOf(row)]));
    const shown = aliases.filter((a) => a.only !== "assemble" && (a.always === true || options.aliases === true));
    this.#aliases = Map.groupBy(shown.map((alias) => ({ alias, printer: printerOf(alias) })), (s) => s.alias.of);
  }

  /** Name and operands of the instruction `word` at `pc`; what is no instruction reads `.word` or `.short`. */
  instruction(word: number, pc: bigint): InstructionText {
    const length = Decoder.length(word);
    const key = length === 2 ? word & 0xffff : word >>> 0;
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const decoded = this.#decoder.decode(key);
    if (decoded === undefined) {
      return { mnemonic: length === 2 ? ".short" : ".word", operands: hex(key, length * 2) };
    }
    const { printer, row } = this.#choose(decoded);
    const at: Printing = { xlen: this.#decoder.xlen, pc, symbol: this.#options.symbol };
    const text = {
      mnemonic: printer.name + (row.format === Amo ? orderingSuffixes[decoded.operands.imm]! : ""),
      operands: printer.words.map((w) => w.print(decoded.operands, at)).filter((t) => t !== "").join(", "),
    };
    if (!printer.dependsOnPc) {
      if (this.#cache.size >= CACHE_MAX) this.#cache.clear();
      this.#cache.set(key, text);
    }
    return text;
  }

  /** The instruction `word` at `pc` on one line. */
  text(word: number, pc: bigint): string {
    const { mnemonic, operands } = this.instruction(word, pc);
    return operands === "" ? mnemonic : `${mnemonic} ${operands}`;
  }

  #choose({ row, base, operands }: Decoded): { printer: Printer; row: Row } {
    const own = this.#alias(row, operands);
    if (own !== undefined) return { printer: own, row };
    if (this.#options.aliases !== true) return { printer: this.#rows.get(row.name)!, row };
    return { printer: this.#alias(base, operands) ?? this.#rows.get(base.name)!, row: base };
  }

  #alias(row: Row, operands: Operands): Printer | undefined {
    return this.#aliases.get(row.name)?.find((s) => aliasFits(s.alias, operands))?.printer;
  }
}

function printerOf({ name, asm }: { readonly name: string; readonly asm: string }): Printer {
  return { name, words: operandWords(asm), dependsOnPc: dependsOnPc(asm) };
}
