/** ISA strings and the rows they stand for. */
import { rvA } from "./rv_a.ts";
import { rvZba, rvZbb, rvZbc, rvZbkb, rvZbkc, rvZbkx, rvZbs } from "./rv_b.ts";
import { rvC, rvZcb } from "./rv_c.ts";
import { rvD, rvF, rvZfh, rvZfhmin } from "./rv_float.ts";
import { rvI, rvZifencei } from "./rv_i.ts";
import { rvM } from "./rv_m.ts";
import { rvPriv, rvZawrs, rvZcmop, rvZicsr, rvZimop, svinval } from "./rv_system.ts";
import { rvZicbom, rvZicbop, rvZicboz } from "./rv_zicbo.ts";
import { rvZicond } from "./rv_zicond.ts";
import { type Extension, opcodeOf, type Row, type Xlen } from "./row.ts";

/**
 * Every extension there are rows for, single letters in the order in which an ISA string has them. Where the words of one
 * row are some of another's, it comes first: hints before the instructions whose unused encodings they are.
 */
export const extensions: readonly Extension[] = [
  rvZicbop,
  rvI,
  rvM,
  rvA,
  rvF,
  rvD,
  rvC,
  { name: "b", rows: [] },
  rvZicsr,
  rvZifencei,
  rvZfhmin,
  rvZfh,
  svinval,
  rvZba,
  rvZbb,
  rvZbc,
  rvZbs,
  rvZbkb,
  rvZbkc,
  rvZbkx,
  rvZicond,
  rvZicbom,
  rvZicboz,
  rvZawrs,
  rvZimop,
  rvZcmop,
  rvZcb,
  // What is not instructions, or hints that are what they were before: the name is known, there are no rows.
  ...["sstc", "svadu", "svnapot", "svpbmt", "zicntr", "zihintntl", "zihintpause", "zihpm"].map((name) => ({
    name,
    rows: [],
  })),
];

/** What every hart has, whether its ISA string says so or not: the privileged architecture needs it. */
const always: readonly string[] = ["zicsr", "zifencei", "zicntr"];

/** What an extension brings along: it consists of it, or depends on it. */
const implied: Readonly<Record<string, readonly string[]>> = {
  g: ["i", "m", "a", "f", "d", "zicsr", "zifencei"],
  d: ["f"],
  b: ["zba", "zbb", "zbs"],
  zcb: ["c"],
  zcmop: ["c", "zimop"],
  zfhmin: ["f"],
  zfh: ["zfhmin", "f"],
};

/** A parsed ISA string. */
export interface Isa {
  /** Width of the integer registers in bits. */
  readonly xlen: Xlen;
  /** Canonical form: `rv64imac_zicntr_zicsr_zifencei`. */
  readonly name: string;
  /** Their names, in table order: `i`, `m`, and so on to `zicsr`. */
  readonly extensions: readonly string[];
  /**
   * Rows in table order.
   *
   * @internal
   */
  readonly rows: readonly Row[];
  /**
   * Those of them whose words end in `opcode` (see `opcodeOf`). Rows of extensions that have no such words are not made.
   *
   * @internal
   */
  rowsWith(opcode: string): readonly Row[];
  /** Instruction alignment in bytes: 2 with C, else 4. */
  readonly ialign: 2 | 4;
}

/** An ISA string names an extension that there is none of. */
export class UnknownExtensionError extends RangeError {
  /** As it is written there. */
  readonly extension: string;

  constructor(text: string, extension: string) {
    super(`ISA ${text}: unknown extension ${extension}; known are ${extensions.map((e) => e.name).join(" ")}`);
    this.extension = extension;
  }
}

/**
 * Parses an ISA string such as `rv64imac` or `rv32imac_zicsr`. Throws a RangeError that names the unknown part.
 *
 * ```ts
 * import { parseIsa } from "./table.ts";
 * parseIsa("rv32ima").ialign; // 4
 * ```
 */
export function parseIsa(text: string): Isa {
  const match = /^rv(32|64)([a-z]*)((?:_[a-z0-9]+)*)$/.exec(text.toLowerCase());
  if (match === null) throw new RangeError(`ISA string must look like rv64imac, got ${text}`);
  const xlen: Xlen = match[1] === "32" ? 32 : 64;
  const single = [...match[2]!].filter((c) => c !== "s" && c !== "u");
  if (single[0] !== "i" && single[0] !== "g") throw new RangeError(`ISA ${text}: the base I or G must come first`);
  const named = [...single, ...match[3]!.split("_").filter((n) => n !== "")];
  const wanted = new Set([...named.flatMap((n) => [n, ...implied[n] ?? []]), ...always]);
  wanted.delete("g");
  for (const name of wanted) {
    if (!extensions.some((e) => e.name === name)) {
      throw new UnknownExtensionError(text, name);
    }
  }
  const chosen = extensions.filter((e) => wanted.has(e.name));
  const short = chosen.filter((e) => e.name.length === 1).map((e) => e.name).join("");
  const long = chosen.filter((e) => e.name.length > 1).map((e) => e.name).sort();
  return new ParsedIsa(xlen, [`rv${xlen}${short}`, ...long].join("_"), chosen);
}

/** The ISA with more instructions than its extensions have. */
export function withRows(isa: Isa, more: readonly Row[]): Isa {
  const { xlen, name, extensions, ialign } = isa;
  const rowsWith = (opcode: string) => [...isa.rowsWith(opcode), ...more.filter((row) => opcodeOf(row) === opcode)];
  return { xlen, name, extensions, ialign, rows: [...isa.rows, ...more], rowsWith };
}

/** Makes rows no sooner than they are asked for: every start waits for the first ones. */
class ParsedIsa implements Isa {
  readonly xlen: Xlen;
  readonly name: string;
  readonly extensions: readonly string[];
  readonly ialign: 2 | 4;
  readonly #parts: readonly Extension[];
  #rows: readonly Row[] | undefined;

  constructor(xlen: Xlen, name: string, chosen: readonly Extension[]) {
    this.xlen = xlen;
    this.name = name;
    this.extensions = chosen.map((e) => e.name);
    this.ialign = this.extensions.includes("c") ? 2 : 4;
    this.#parts = [...chosen, rvPriv];
  }

  get rows(): readonly Row[] {
    return this.#rows ??= this.#rowsOf(this.#parts);
  }

  rowsWith(opcode: string): readonly Row[] {
    const parts = this.#parts.filter((e) => e.opcodes === undefined || e.opcodes.includes(opcode));
    return this.#rowsOf(parts).filter((row) => opcodeOf(row) === opcode);
  }

  /** A row may belong to several extensions. */
  #rowsOf(parts: readonly Extension[]): Row[] {
    return [...new Set(parts.flatMap((e) => e.rows))].filter((r) =>
      (r.xlen === undefined || r.xlen === this.xlen) &&
      (r.needs === undefined || this.extensions.includes(r.needs))
    );
  }
}
