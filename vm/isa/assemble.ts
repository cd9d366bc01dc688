/**
 * Assembly text to machine code, from the rows' `asm`, the alias table and the pseudoinstructions: for tests and for the
 * monitor. The syntax is GNU's, as far as it goes: labels, numeric labels (`1:`, `1b`, `1f`), `#` and `//` comments, `;`
 * between statements, `.byte .half .word .dword .zero .align`. No relocations and no sections: addresses are final.
 */
import { aliases } from "./aliases.ts";
import { encode, type Encoded } from "./encode.ts";
import { evaluate, type Scope } from "./expression.ts";
import { Amo } from "./format.ts";
import type { Operands } from "./format.ts";
import { registerNumber } from "./names.ts";
import { completeOperands, operandWords, shorterForm } from "./operand_text.ts";
import type { OperandText, Parsing } from "./operand_text.ts";
import { orderingSuffixes } from "./disassemble.ts";
import { call, loadAddress, loadImmediate, PC_RELATIVE_BYTES, type Step, tail } from "./pseudo.ts";
import { patternOf } from "./decode.ts";
import type { Row, Xlen } from "./row.ts";
import type { Isa } from "./table.ts";

/** What is wrong with the text, and where: `line` counts from 1. */
export class AssemblyError extends Error {
  /** Line of the text, from 1. */
  readonly line: number;
  /** `problem` says what is wrong there. */
  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
    this.name = "AssemblyError";
    this.line = line;
  }
}

/** Assembled text. */
export interface Program {
  /** Address of the first byte. */
  readonly origin: bigint;
  /** What is there, from `origin` on. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Addresses of the labels. */
  readonly labels: ReadonlyMap<string, bigint>;
}

/** One way to read a mnemonic. */
interface Reading {
  readonly row: Row;
  readonly words: readonly OperandText[];
  readonly with: Partial<Operands>;
  /** rs2 is rs1. */
  readonly twice: boolean;
}

/** A statement whose place is known: what it puts there is computed once all labels are. */
interface Item {
  readonly line: number;
  readonly address: bigint;
  readonly size: number;
  emit(scope: Scope): readonly number[];
}

/** Longest program, so that a mistyped `.zero` cannot take the host's memory. */
const PROGRAM_MAX = 1 << 24;

const DATA: Readonly<Record<string, 1 | 2 | 4 | 8>> = {
  ".byte": 1,
  ".half": 2,
  ".short": 2,
  ".2byte": 2,
  ".word": 4,
  ".4byte": 4,
  ".dword": 8,
  ".8byte": 8,
};

/**
 * Assembler for one ISA.
 *
 * ```ts
 * import { Assembler } from "./assemble.ts";
 * import { parseIsa } from "./table.ts";
 * const assembler = new Assembler(parseIsa("rv64imac"));
 * assembler.instruction("add a2, a0, a1").word; // 0x00b50633
 * assembler.program("loop: addi a0, a0, -1; bnez a0, loop", 0x8000_0000n).bytes.length; // 8
 * ```
 */
export class Assembler {
  readonly #xlen: Xlen;
  readonly #rows: ReadonlyMap<string, Row>;
  readonly #readings = new Map<string, Reading[]>();

  /** An assembler that knows the instructions of `isa`. */
  constructor(isa: Isa) {
    this.#xlen = isa.xlen;
    this.#rows = new Map(isa.rows.map((row) => [row.name, row]));
    for (const row of isa.rows) this.#add(row.name, row, row.asm, {});
    for (const alias of aliases) {
      const row = this.#rows.get(alias.of);
      if (row !== undefined && alias.only !== "disassemble") {
        this.#add(alias.name, row, alias.asm, alias.with, alias.twice === true);
      }
    }
  }

  /** One instruction at `pc`. Throws an AssemblyError, also for text that is not exactly one instruction. */
  instruction(text: string, pc = 0n): Encoded {
    const { bytes } = this.program(text, pc);
    if (bytes.length !== 2 && bytes.length !== 4) {
      throw new AssemblyError(1, `expected one instruction, got ${bytes.length} bytes`);
    }
    const view = new DataView(bytes.buffer);
    return bytes.length === 4
      ? { word: view.getUint32(0, true), length: 4 }
      : { word: view.getUint16(0, true), length: 2 };
  }

  /** A program whose first byte is at `origin`. Throws an AssemblyError for the first thing that is wrong. */
  program(text: string, origin = 0n): Program {
    const labels = new Map<string, bigint>();
    const locals: { number: string; address: bigint; before: number }[] = [];
    const items: Item[] = [];
    let size = 0;
    for (const { line, statement } of statements(text)) {
      attempt(line, () => {
        let rest = statement;
        for (let m; (m = /^([\w.$]+):\s*/.exec(rest)) !== null; rest = rest.slice(m[0].length)) {
          const name = m[1]!;
          const address = this.#wrap(origin + BigInt(size));
          if (/^\d+$/.test(name)) locals.push({ number: name, address, before: items.length });
          else if (labels.has(name)) throw new RangeError(`label ${name} is there already`);
          else labels.set(name, address);
        }
        if (rest === "") return;
        const item = this.#item(line, rest, this.#wrap(origin + BigInt(size)));
        size += item.size;
        if (size > PROGRAM_MAX) throw new RangeError(`program is longer than ${PROGRAM_MAX} bytes`);
        items.push(item);
      });
    }
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const [index, item] of items.entries()) {
      attempt(item.line, () => {
        bytes.set(
          item.emit({
            here: item.address,
            label: (name) => labels.get(name),
            local: (number, direction) => {
              const same = locals.filter((l) => l.number === number);
              const back = direction === "b";
              return (back ? same.findLast((l) => l.before <= index) : same.find((l) => l.before > index))?.address;
            },
          }),
          at,
        );
      });
      at += item.size;
    }
    return { origin, bytes, labels };
  }

  #add(name: string, row: Row, asm: string, fixed: Partial<Operands>, twice = false): void {
    const shorter = shorterForm(asm);
    if (shorter !== undefined) this.#add(name, row, shorter.asm, { ...fixed, imm: shorter.imm }, twice);
    const list = this.#readings.get(name) ?? [];
    list.push({ row, words: operandWords(asm), with: fixed, twice });
    this.#readings.set(name, list);
  }

  #wrap(addr: bigint): bigint {
    return BigInt.asUintN(this.#xlen, addr);
  }

  #item(line: number, statement: string, address: bigint): Item {
    const [, mnemonic, rest] = /^(\S+)\s*(.*)$/.exec(statement)!;
    const name = mnemonic!.toLowerCase();
    const texts = rest === "" ? [] : rest!.split(",").map((t) => t.trim());
    if (name.startsWith(".")) return this.#directive(line, name, texts, address);
    return this.#pseudo(line, name, texts, address) ?? this.#single(line, name, texts, address);
  }

  #directive(line: number, name: string, texts: readonly string[], address: bigint): Item {
    const width = DATA[name];
    if (width !== undefined) {
      const emit = (scope: Scope) => texts.flatMap((t) => littleEndian(evaluate(t, scope), width, t));
      return { line, address, size: width * texts.length, emit };
    }
    const [count, ...others] = texts;
    if (count === undefined || others.length > 0) throw new RangeError(`${name} takes one number`);
    if (name === ".zero" || name === ".space") {
      const size = constantValue(count, PROGRAM_MAX);
      return { line, address, size, emit: () => [] };
    }
    if (name === ".align" || name === ".p2align") {
      const unit = 1n << BigInt(constantValue(count, 20));
      const size = Number((unit - address % unit) % unit);
      return { line, address, size, emit: () => this.#padding(size) };
    }
    throw new RangeError(`unknown directive ${name}`);
  }

  /** What execution may run through: nops where they fit. */
  #padding(size: number): number[] {
    const bytes = new Array<number>(size % 2).fill(0);
    if (size - bytes.length & 2) bytes.push(...(this.#rows.has("c.nop") ? [1, 0] : [0, 0]));
    while (bytes.length < size) bytes.push(0x13, 0, 0, 0);
    return bytes;
  }

  #pseudo(line: number, name: string, texts: readonly string[], address: bigint): Item | undefined {
    const from = (scope: Scope, text: string) => BigInt.asIntN(this.#xlen, evaluate(text, scope) - address);
    const distant = (steps: (scope: Scope) => Step[]): Item => ({
      line,
      address,
      size: PC_RELATIVE_BYTES,
      emit: (scope) => this.#steps(steps(scope)),
    });
    if (name === "li" && texts.length === 2) {
      const value = evaluate(texts[1]!, { here: address, label: () => undefined, local: () => undefined });
      const bytes = this.#steps(loadImmediate(register(texts[0]!), value, this.#xlen));
      return { line, address, size: bytes.length, emit: () => bytes };
    }
    if ((name === "la" || name === "lla") && texts.length === 2) {
      const rd = register(texts[0]!);
      return distant((scope) => loadAddress(rd, from(scope, texts[1]!), this.#xlen));
    }
    if (name === "call" && texts.length === 1) return distant((scope) => call(from(scope, texts[0]!), this.#xlen));
    if (name === "tail" && texts.length === 1) return distant((scope) => tail(from(scope, texts[0]!), this.#xlen));
    return undefined;
  }

  #steps(steps: readonly Step[]): number[] {
    return steps.flatMap(({ row, operands }) => {
      const found = this.#rows.get(row);
      if (found === undefined) throw new RangeError(`this needs ${row}, which the ISA does not have`);
      const { word, length } = encode(found, completeOperands(found.format, operands), this.#xlen);
      return littleEndian(BigInt(word), length, row);
    });
  }

  #single(line: number, name: string, texts: readonly string[], address: bigint): Item {
    const { readings, ordering } = this.#lookUp(name);
    const fitting = readings.filter((r) => r.words.length === texts.length);
    if (fitting.length === 0) {
      const counts = [...new Set(readings.map((r) => r.words.length))].sort().join(" or ");
      throw new RangeError(`${name} takes ${counts} operands, got ${texts.length}`);
    }
    // All rows of one mnemonic are equally long: compressed ones have names of their own.
    const size = patternOf(fitting[0]!.row).length;
    const emit = (scope: Scope): number[] => {
      const parsing: Parsing = { xlen: this.#xlen, pc: address, value: (text) => evaluate(text, scope) };
      const problems: string[] = [];
      for (const reading of fitting) {
        try {
          const operands = parseOperands(reading, texts, parsing, ordering);
          return littleEndian(BigInt(encode(reading.row, operands, this.#xlen).word), size, name);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          problems.push(error.message);
        }
      }
      throw new RangeError(problems.join("; or "));
    };
    return { line, address, size, emit };
  }

  #lookUp(name: string): { readings: readonly Reading[]; ordering: number } {
    const plain = this.#readings.get(name);
    if (plain !== undefined) return { readings: plain, ordering: 0 };
    const ordering = orderingSuffixes.findIndex((suffix, i) => i > 0 && name.endsWith(suffix));
    const readings = ordering < 0 ? undefined : this.#readings.get(name.slice(0, -orderingSuffixes[ordering]!.length));
    if (readings === undefined || readings[0]!.row.format !== Amo) throw new RangeError(`unknown instruction ${name}`);
    return { readings, ordering };
  }
}

function parseOperands(reading: Reading, texts: readonly string[], parsing: Parsing, ordering: number): Operands {
  const given: Partial<Operands> = { ...reading.with };
  reading.words.forEach((word, i) => {
    const { imm, ...registers } = word.parse(texts[i]!, parsing);
    Object.assign(given, registers);
    if (imm !== undefined) given.imm = (given.imm ?? 0) | imm;
  });
  if (ordering !== 0) given.imm = ordering;
  if (reading.twice) given.rs2 = given.rs1!;
  return completeOperands(reading.row.format, given);
}

function register(text: string): number {
  const n = registerNumber(text);
  if (n === undefined) throw new RangeError(`expected a register, got ${text}`);
  return n;
}

function constantValue(text: string, max: number): number {
  const value = evaluate(text, { here: 0n, label: () => undefined, local: () => undefined });
  if (value < 0n || value > max) throw new RangeError(`expected 0 to ${max}, got ${text}`);
  return Number(value);
}

function littleEndian(value: bigint, width: 1 | 2 | 4 | 8, text: string): number[] {
  const bits = width * 8;
  if (value !== BigInt.asIntN(bits, value) && value !== BigInt.asUintN(bits, value)) {
    throw new RangeError(`${text} does not fit ${width} bytes`);
  }
  return Array.from({ length: width }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

/** The statements of a text, without comments, with the line each stands in. */
function* statements(text: string): Generator<{ line: number; statement: string }> {
  for (const [i, raw] of text.split("\n").entries()) {
    for (const statement of raw.replace(/(#|\/\/).*$/, "").split(";")) {
      if (statement.trim() !== "") yield { line: i + 1, statement: statement.trim() };
    }
  }
}

/** Runs `body`; a RangeError of it becomes the text's error. */
function attempt(line: number, body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new AssemblyError(line, error.message);
  }
}
