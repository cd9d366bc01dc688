/**
 * Random programs for comparing engines, made from the rows of an ISA: a row that is added takes part without a line
 * here. Operands lean to edge values; memory accesses mostly go to scratch memory, some elsewhere, misaligned or over a
 * page's end; jumps go forwards, or backwards while there is fuel; the program writes to its own code now and then, and
 * to CSRs that it may and may not.
 *
 * A program is a list of numbered atoms. Any of them can be left out and the rest is a program still, so that a failing
 * one can be shrunk.
 */
import { csrName, csrNames, csrNumber } from "../../vm/isa/csr_names.ts";
import { patternOf } from "../../vm/isa/decode.ts";
import { Disassembler } from "../../vm/isa/disassemble.ts";
import { encode } from "../../vm/isa/encode.ts";
import type { Operands } from "../../vm/isa/format.ts";
import { completeOperands } from "../../vm/isa/operand_text.ts";
import { loadAddress, loadImmediate, type Step } from "../../vm/isa/pseudo.ts";
import type { Row } from "../../vm/isa/row.ts";
import type { Isa } from "../../vm/isa/table.ts";
import { BARE } from "./engine.ts";
import { FRAME, type Frame, FUEL, programFrame, RECOVER, SCRATCH } from "./program_frame.ts";
import { Random } from "./random.ts";
import { RandomOperands } from "./random_operands.ts";

/** A piece of a program. `target` is the number of the atom to go to; if that one is left out, the next one is meant. */
export type Atom =
  | { readonly kind: "instruction"; readonly row: Row; readonly operands: Operands }
  | { readonly kind: "jump"; readonly row: Row; readonly operands: Operands; readonly target: number }
  | { readonly kind: "address"; readonly rd: number; readonly target: number; readonly plus: bigint };

/** A random program before it has addresses. */
export interface RandomProgram {
  readonly seed: number;
  readonly isa: Isa;
  readonly frame: Frame;
  readonly atoms: readonly { readonly number: number; readonly atom: Atom }[];
}

/** What can be loaded and run: from its first byte, at the start of RAM, until pc is `end`. */
export interface BuiltProgram {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly end: bigint;
  /** One line per instruction, without the frame. */
  readonly listing: string;
}

const ORIGIN = BigInt(BARE.ram);

/** Address of each atom, and at the end that of the jump that ends the program. */
export function atomPlaces({ frame, atoms }: RandomProgram): bigint[] {
  const places = [ORIGIN + BigInt(frame.bytes.length)];
  for (const { atom } of atoms) {
    places.push(places.at(-1)! + BigInt(atom.kind === "address" ? 8 : patternOf(atom.row).length));
  }
  return places;
}

/** Lays out a program. */
export function buildProgram(program: RandomProgram): BuiltProgram {
  const { isa, frame, atoms } = program;
  const places = atomPlaces(program);
  const at = places.at(-1)!;
  const placeOf = (number: number): bigint => {
    const i = atoms.findIndex((a) => a.number >= number);
    return i < 0 ? at : places[i]!;
  };
  const words = atoms.flatMap(({ atom }, i) => wordsOf(atom, places[i]!, placeOf, isa));
  words.push(encode(rowNamed(isa, "jal"), { rd: 0, rs1: 0, rs2: 0, imm: Number(frame.end - at) }, isa.xlen));
  const code = words.flatMap(({ word, length }) => Array.from({ length }, (_, i) => (word >>> (8 * i)) & 255));
  const bytes = new Uint8Array(frame.bytes.length + code.length);
  if (bytes.length > FRAME.codeMax) throw new RangeError(`random program has ${bytes.length} bytes`);
  bytes.set(frame.bytes);
  bytes.set(code, frame.bytes.length);
  return { bytes, end: frame.end, listing: listingOf(isa, words, ORIGIN + BigInt(frame.bytes.length)) };
}

function wordsOf(
  atom: Atom,
  place: bigint,
  placeOf: (number: number) => bigint,
  isa: Isa,
): { word: number; length: 2 | 4 }[] {
  if (atom.kind === "instruction") return [encode(atom.row, atom.operands, isa.xlen)];
  const distance = placeOf(atom.target) - place;
  if (atom.kind === "jump") return [encode(atom.row, { ...atom.operands, imm: Number(distance) }, isa.xlen)];
  return loadAddress(atom.rd, distance + atom.plus, isa.xlen).map((step) => {
    const row = rowNamed(isa, step.row);
    return encode(row, completeOperands(row.format, step.operands), isa.xlen);
  });
}

function listingOf(isa: Isa, words: readonly { word: number; length: 2 | 4 }[], from: bigint): string {
  const disassembler = new Disassembler(isa);
  let at = from;
  return words.map(({ word, length }) => {
    const line = `${at.toString(16)}: ${word.toString(16).padStart(2 * length, "0")} ${disassembler.text(word, at)}`;
    at += BigInt(length);
    return line;
  }).join("\n");
}

/** The program without some of its atoms. */
export function without(program: RandomProgram, from: number, count: number): RandomProgram {
  return { ...program, atoms: program.atoms.toSpliced(from, count) };
}

/** The smallest program that `fails` still holds for, found by leaving out ever shorter stretches of atoms. */
export function shrinkProgram(program: RandomProgram, fails: (p: RandomProgram) => boolean): RandomProgram {
  let best = program;
  for (let count = Math.ceil(best.atoms.length / 2); count >= 1; count = Math.floor(count / 2)) {
    for (let from = best.atoms.length - count; from >= 0; from -= count) {
      const smaller = without(best, from, count);
      if (fails(smaller)) best = smaller;
    }
  }
  return best;
}

function rowNamed(isa: Isa, name: string): Row {
  const row = isa.rows.find((r) => r.name === name);
  if (row === undefined) throw new Error(`the ISA has no ${name}`);
  return row;
}

/** A random program; the same seed gives the same one. */
export function randomProgram(seed: number, isa: Isa): RandomProgram {
  return new Generator(seed, isa).program();
}

const CSRS = csrNames();
/** CSRs that a program uses most; which ones it may depends on the mode. */
const FAVOURITES =
  ("mscratch sscratch mepc sepc mcause scause mtval stval mstatus sstatus mie sie mip sip mideleg medeleg " +
    "fflags frm fcsr mcounteren scounteren mcountinhibit mcycle minstret cycle time instret misa satp pmpcfg0 pmpaddr0 mhartid")
    .split(
      " ",
    );

class Generator {
  readonly #random: Random;
  readonly #make: RandomOperands;
  readonly #seed: number;
  readonly #isa: Isa;
  readonly #atoms: { number: number; atom: Atom }[] = [];
  readonly #memory: readonly Row[];
  readonly #relative: readonly Row[];
  readonly #indirect: readonly Row[];
  readonly #csr: readonly Row[];
  readonly #system: readonly Row[];
  readonly #plain: readonly Row[];
  readonly #float: readonly Row[];

  constructor(seed: number, isa: Isa) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#isa = isa;
    this.#make = new RandomOperands(this.#random, isa, [RECOVER, SCRATCH, FUEL]);
    this.#memory = isa.rows.filter((r) => ["load", "store", "atomic"].includes(r.class));
    this.#relative = isa.rows.filter((r) => r.asm.includes("offset"));
    this.#indirect = isa.rows.filter((r) => r.class === "jump" && !r.asm.includes("offset"));
    this.#csr = isa.rows.filter((r) => r.class === "csr");
    this.#system = isa.rows.filter((r) => r.class === "system" || r.class === "fence");
    this.#float = isa.rows.filter((r) => r.class === "float");
    const special = [this.#memory, this.#relative, this.#indirect, this.#csr, this.#system, this.#float].flat();
    this.#plain = isa.rows.filter((r) => !special.includes(r));
  }

  program(): RandomProgram {
    const random = this.#random;
    const traps = random.chance(50);
    // Off now and then, but mostly as a program that computes finds it.
    const fs = this.#hasFloat ? random.pick([0, 1, 2, 3, 3, 3, 3, 3, 3]) : 0;
    const frame = programFrame(this.#isa, {
      origin: ORIGIN,
      registers: Array.from({ length: 31 }, () => this.#make.value()),
      fuel: 100,
      csrs: {
        medeleg: traps ? BigInt(random.below(0x10000)) : 0n,
        mideleg: traps ? BigInt(random.below(0x1000)) : 0n,
        mie: random.chance(50) ? BigInt(random.below(0x1000)) : 0n,
        mcounteren: BigInt(random.below(8)),
        scounteren: BigInt(random.below(8)),
        mstatus: BigInt(random.pick([0, 0, 2, 8, 10, 0x22, 0x88]) | fs << 13),
        ...(fs !== 0 && { fcsr: BigInt(random.chance(60) ? random.below(2) : random.below(256)) }),
      },
      floats: fs === 0 ? [] : Array.from({ length: 32 }, () => this.#make.floatValue(random.pick(this.#formats))),
      vectored: random.chance(50),
      beforePageEnd: random.below(200) * this.#isa.ialign,
    });
    const units = random.between(30, 100);
    for (let i = 0; i < units; i++) this.#unit();
    return { seed: this.#seed, isa: this.#isa, frame, atoms: this.#atoms };
  }

  #unit(): void {
    const kind = this.#random.below(100);
    if (kind < 45 && this.#hasFloat && this.#random.chance(60)) this.#compute();
    else if (kind < 45) this.#instruction(this.#random.pick(this.#plain));
    else if (kind < 51) this.#constant(this.#make.register(), this.#make.value());
    else if (kind < 73) this.#access();
    else if (kind < 85) this.#jump();
    else if (kind < 91) this.#csrAccess();
    else if (kind < 94) this.#systemCall();
    else if (kind < 96) this.#changeMode();
    else if (kind < 98) this.#changeCode();
    else this.#wildJump();
  }

  // --- atoms -------------------------------------------------------------------------------------------------------

  #push(atom: Atom): void {
    this.#atoms.push({ number: this.#atoms.length, atom });
  }

  /** Number of the next atom. */
  get #here(): number {
    return this.#atoms.length;
  }

  #instruction(row: Row, wanted: Partial<Operands> = {}): void {
    const operands = this.#make.operands(row, wanted);
    if (operands !== undefined) this.#push({ kind: "instruction", row, operands });
  }

  #named(name: string, operands: Partial<Operands>): void {
    const row = rowNamed(this.#isa, name);
    this.#push({ kind: "instruction", row, operands: completeOperands(row.format, operands) });
  }

  #steps(steps: readonly Step[]): void {
    for (const { row, operands } of steps) this.#named(row, operands);
  }

  #constant(rd: number, value: bigint): void {
    this.#steps(loadImmediate(rd, BigInt.asIntN(this.#isa.xlen, value), this.#isa.xlen));
  }

  /** A jump over the next `count` atoms unless there is fuel left; uses some up. */
  #guard(count: number): void {
    this.#named("addi", { rd: FUEL, rs1: FUEL, imm: -1 });
    const row = rowNamed(this.#isa, "bge");
    this.#push({ kind: "jump", row, operands: { rd: 0, rs1: 0, rs2: FUEL, imm: 0 }, target: this.#here + 1 + count });
  }

  // --- units -------------------------------------------------------------------------------------------------------

  get #hasFloat(): boolean {
    return this.#float.length > 0;
  }

  /** Formats there are moves and memory accesses for. */
  get #formats(): ("h" | "s" | "d")[] {
    const { extensions } = this.#isa;
    return (["h", "s", "d"] as const).filter((f) => extensions.includes({ h: "zfhmin", s: "f", d: "d" }[f]));
  }

  /** A floating-point instruction, often after a fresh operand. */
  #compute(): void {
    const random = this.#random;
    if (random.chance(50)) this.#freshFloat(random.pick(this.#formats), this.#make.register());
    this.#instruction(random.pick(this.#float));
  }

  /** Puts an operand that leans to the edges into a register: by a move, or through memory where that is wider. */
  #freshFloat(format: "h" | "s" | "d", rd: number): void {
    const value = this.#make.floatValue(format);
    if (format !== "d" || this.#isa.xlen === 64) {
      this.#constant(30, value);
      return this.#named(`fmv.${{ h: "h", s: "w", d: "d" }[format]}.x`, { rd, rs1: 30 });
    }
    for (const [imm, word] of [[0, value], [4, value >> 32n]] as const) {
      this.#constant(30, BigInt.asIntN(32, word));
      this.#named("sw", { rs1: SCRATCH, rs2: 30, imm });
    }
    this.#named("fld", { rd, rs1: SCRATCH, imm: 0 });
  }

  #access(): void {
    const row = this.#random.pick(this.#memory);
    const base = this.#make.baseRegister(row);
    const wanted = this.#make.operands(row, { rs1: base });
    if (wanted === undefined) return;
    const offset = row.class === "atomic" ? 0 : wanted.imm;
    // Some addresses are whatever a register holds.
    if (!this.#random.chance(5)) this.#point(base, this.#address() - BigInt(offset));
    this.#push({ kind: "instruction", row, operands: wanted });
    // A store-conditional is of interest only after a load-reserved.
    if (!row.name.startsWith("lr.")) return;
    if (this.#random.chance(30)) this.#instruction(this.#random.pick(this.#plain));
    const conditional = this.#memory.filter((r) => r.name.startsWith("sc."));
    this.#instruction(this.#random.pick(conditional), { rs1: this.#random.chance(80) ? base : this.#make.register() });
  }

  /** Puts an address into a register, through the scratch pointer where it reaches. */
  #point(register: number, address: bigint): void {
    const distance = BigInt.asIntN(this.#isa.xlen, address - (ORIGIN + BigInt(FRAME.scratch)));
    if (distance >= -2048n && distance < 2048n) {
      this.#named("addi", { rd: register, rs1: SCRATCH, imm: Number(distance) });
    } else this.#constant(register, address);
  }

  #address(): bigint {
    const random = this.#random;
    const scratch = ORIGIN + BigInt(FRAME.scratch);
    const kind = random.below(100);
    if (kind < 60) return scratch + BigInt(8 * random.between(-FRAME.scratchBytes / 8, FRAME.scratchBytes / 8 - 1));
    if (kind < 75) return scratch + BigInt(random.between(-FRAME.scratchBytes, FRAME.scratchBytes - 8));
    if (kind < 85) return scratch - BigInt(random.between(1, 7));
    if (kind < 90) return BigInt(BARE.device + (random.below(BARE.deviceSize) & (random.chance(70) ? -8 : -1)));
    const end = BARE.ram + BARE.ramSize;
    return random.pick([
      BigInt(BARE.rom + random.below(BARE.romSize)),
      BigInt(BARE.rom + BARE.romSize - random.between(1, 7)),
      BigInt(BARE.ram - random.between(0, 7)),
      BigInt(end - random.between(0, 7)),
      BigInt(BARE.device + BARE.deviceSize - random.between(0, 7)),
      BigInt(random.below(0x1000)),
      BigInt.asUintN(this.#isa.xlen, random.bits64()),
      BigInt.asUintN(this.#isa.xlen, -BigInt(random.between(1, 16))),
    ]);
  }

  #jump(): void {
    const random = this.#random;
    const back = random.chance(30);
    const relative = random.chance(75);
    if (back) this.#guard(relative ? 1 : 2);
    if (relative) {
      const row = random.pick(this.#relative);
      const operands = this.#make.operands(row, {}, false);
      if (operands !== undefined) this.#push({ kind: "jump", row, operands, target: this.#target(back) });
      return;
    }
    const row = random.pick(this.#indirect);
    const operands = this.#make.operands(row, { rs1: this.#make.register() });
    if (operands === undefined) return;
    // Bit 0 of a computed target is dropped; bit 1 is an error where instructions are four bytes.
    const extra = random.pick([0n, 0n, 0n, 1n]) + (this.#isa.ialign === 4 && random.chance(10) ? 2n : 0n);
    const target = this.#target(back);
    this.#push({
      kind: "address",
      rd: operands.rs1,
      target: target + (back ? 0 : 1),
      plus: extra - BigInt(operands.imm),
    });
    this.#push({ kind: "instruction", row, operands });
  }

  #target(back: boolean): number {
    return back ? Math.max(0, this.#here - this.#random.between(1, 12)) : this.#here + this.#random.between(1, 10);
  }

  #wildJump(): void {
    const random = this.#random;
    const base = this.#make.register();
    const end = BARE.ram + BARE.ramSize;
    this.#constant(base, random.pick([0n, BigInt(end - 2), BigInt(end), BigInt(BARE.device), this.#make.value()]));
    this.#push({ kind: "address", rd: RECOVER, target: this.#here + 2, plus: 0n });
    this.#instruction(random.pick(this.#indirect), { rs1: base });
  }

  /** Interrupts off and on again, as they were, around a short loop. */
  #criticalSection(): void {
    const random = this.#random;
    const status = random.pick([0x100, 0x300]);
    const saved = random.pick([8, 9]);
    this.#named("csrrci", { rd: saved, rs1: random.pick([2, 8, 10]), imm: status });
    this.#constant(30, BigInt(random.between(1, 6)));
    const head = this.#here;
    this.#instruction(random.pick(this.#plain), { rd: 10 });
    this.#named("addi", { rd: 30, rs1: 30, imm: -1 });
    const row = rowNamed(this.#isa, "blt");
    this.#push({ kind: "jump", row, operands: { rd: 0, rs1: 0, rs2: 30, imm: 0 }, target: head });
    this.#named("csrrs", { rd: random.pick([0, 0, 11]), rs1: saved, imm: status });
  }

  #csrAccess(): void {
    const random = this.#random;
    if (random.chance(20)) return this.#criticalSection();
    const kind = random.below(100);
    const favourite = random.pick(FAVOURITES);
    const number = kind < 75 ? csrNumber(favourite)! : kind < 95 ? random.pick(CSRS).number : random.below(4096);
    // Where traps go is left alone most of the time: without handlers a program is soon over.
    if (/^[ms]tvec$/.test(csrName(number) ?? "") && random.chance(80)) return;
    this.#instruction(random.pick(this.#csr), { imm: number });
  }

  #systemCall(): void {
    const row = this.#random.pick(this.#system);
    if (this.#random.chance(50)) {
      this.#constant(30, 0xaaan);
      this.#named("csrrs", { rs1: 30, imm: 0x304 });
    }
    if (row.asm === "(rs1)") {
      const base = this.#make.register();
      this.#point(base, this.#address());
      return this.#instruction(row, { rs1: base });
    }
    this.#guard(1);
    this.#instruction(row);
  }

  /** Goes on in another mode; in U-mode and S-mode this traps and changes nothing, so an ecall goes first. */
  #changeMode(): void {
    const random = this.#random;
    this.#named("ecall", {});
    const mode = random.pick([0, 1, 3]);
    this.#constant(30, 0x1800n);
    this.#named("csrrc", { rs1: 30, imm: 0x300 });
    this.#constant(30, BigInt(mode << 11) | BigInt(random.pick([0, 0x80, 0x20, 0xa0])));
    this.#named("csrrs", { rs1: 30, imm: 0x300 });
    this.#push({ kind: "address", rd: 31, target: this.#here + 3, plus: 0n });
    this.#named("csrrw", { rs1: 31, imm: 0x341 });
    this.#named("mret", {});
  }

  /** Writes an instruction over another one, ahead or behind. */
  #changeCode(): void {
    const random = this.#random;
    const row = random.pick(this.#plain);
    const operands = this.#make.operands(row, {});
    if (operands === undefined) return;
    const { word, length } = encode(row, operands, this.#isa.xlen);
    const value = random.pick([8, 9, 10, 11]);
    const place = random.pick([12, 13, 14, 15]);
    this.#constant(value, BigInt(word));
    const ahead = random.chance(60);
    const target = ahead ? this.#here + 1 + random.between(1, 8) : Math.max(0, this.#here - random.between(1, 20));
    this.#push({ kind: "address", rd: place, target, plus: 0n });
    this.#named(length === 2 ? "sh" : "sw", { rs1: place, rs2: value });
    if (random.chance(50)) this.#named("fence.i", {});
  }
}
