/** Why an instruction is illegal on a hart, for people: what it would be, and what is missing or in the way. */
import { hex } from "../bits.ts";
import { Privilege } from "../events.ts";
import { csrName, csrNumber } from "../isa/csr_names.ts";
import { Decoder } from "../isa/decode.ts";
import { Disassembler } from "../isa/disassemble.ts";
import type { Row } from "../isa/row.ts";
import { extensions, type Isa, parseIsa } from "../isa/table.ts";
import type { HartView } from "./hart_view.ts";
import { privilegeName } from "./record.ts";

/** An instruction, and where it was tried. */
export interface IllegalInstruction {
  readonly isa: Isa;
  readonly hart: HartView;
  /** Only the low half counts for a compressed one. */
  readonly word: number;
  readonly pc: bigint;
  /** The mode it was tried in. */
  readonly mode: Privilege;
}

/** mstatus.FS (priv §3.1.6.6). */
const FS = 3n << 13n;

/** Opcodes whose instructions nothing here knows, by the extension that they belong to. */
const FOREIGN: readonly (readonly [mask: number, match: number, name: string])[] = [
  [0x7f, 0x57, "a vector instruction (V)"],
  // Vector loads and stores: the widths that floating-point ones leave.
  ...[0, 5, 6, 7].flatMap((width) =>
    [0x07, 0x27].map((opcode) => [0x707f, width << 12 | opcode, "a vector instruction (V)"] as const)
  ),
  [0x707f, 0x4073, "a hypervisor instruction (H)"],
];

/** `fadd.d fa0, fa1, fa2, an instruction of D, which rv64imac lacks`. */
export function illegalText({ isa, hart, word, pc, mode }: IllegalInstruction): string {
  const short = (word & 3) !== 3;
  const bits = short ? hex(word & 0xffff, 4) : hex(word >>> 0, 8);
  if (short && (word & 0xffff) === 0) {
    return `${bits}, which is illegal by definition: as memory reads that nobody wrote`;
  }
  const every = everything(isa);
  const decoded = new Decoder(every).decode(word);
  if (decoded === undefined) {
    const foreign = FOREIGN.find(([mask, match]) => !short && ((word ^ match) & mask) === 0)?.[2];
    return `${bits}, ${foreign ?? "which is no instruction that Ringside knows"}`;
  }
  const text = `${bits}, ${new Disassembler(every, { aliases: true }).text(word, pc)}`;
  const missing = lacking(decoded.row, isa);
  if (missing !== undefined) return `${text}: an instruction of ${missing}, which ${isa.name} lacks (see --isa)`;
  const { row, base, operands } = decoded;
  const reason = base.class === "csr"
    ? csrReason(hart, operands.imm & 0xfff, mode, /^csrrw/.test(base.name) || operands.rs1 !== 0)
    : (row.class === "float" || usesFloat(row)) && ((hart.csr(csrNumber("mstatus")!) ?? 0n) & FS) === 0n
    ? "floating point is off: mstatus.FS is 0"
    : base.class === "system" && mode < Privilege.M
    ? `${privilegeName(mode)} mode may not do this, or not now`
    : undefined;
  return reason === undefined ? text : `${text}: ${reason}`;
}

/** An ISA with everything that there are rows for. */
function everything(isa: Isa): Isa {
  const names = extensions.map((e) => e.name);
  const short = names.filter((name) => name.length === 1).join("");
  return parseIsa([`rv${isa.xlen}${short}`, ...names.filter((name) => name.length > 1)].join("_"));
}

/** What a row's instruction belongs to, as far as the ISA has none of it. */
function lacking(row: Row, isa: Isa): string | undefined {
  const homes = extensions.filter((e) => e.rows.includes(row)).map((e) => e.name);
  const has = (name: string) => isa.extensions.includes(name);
  const missing = homes.length === 0 || homes.some(has) ? [] : [homes.map(extensionName).join(" or ")];
  if (row.needs !== undefined && !has(row.needs)) missing.push(extensionName(row.needs));
  return missing.length === 0 ? undefined : missing.join(" and ");
}

/** As manuals write it: `D`, `Zba`. */
function extensionName(name: string): string {
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
}

/** Loads and stores of floating-point registers are of their class, not of `float`. */
function usesFloat(row: Row): boolean {
  return extensions.some((e) => ["f", "d", "zfh", "zfhmin"].includes(e.name) && e.rows.includes(row)) ||
    row.needs === "f" || row.needs === "d";
}

/** Why a CSR may not be accessed (priv §2.1). */
function csrReason(hart: HartView, number: number, mode: Privilege, writes: boolean): string {
  const name = csrName(number) ?? `CSR ${hex(number)}`;
  if (hart.csr(number) === undefined) return `this hart has no ${name}`;
  const needed = (number >> 8) & 3;
  if (needed > mode) return `${name} is not for ${privilegeName(mode)} mode`;
  if (number >>> 10 === 3 && writes) return `${name} is read-only`;
  if (number <= 3) return "floating point is off: mstatus.FS is 0";
  return `another register, such as mcounteren or mstatus, does not allow it to ${privilegeName(mode)} mode`;
}
