/** Addresses as they are typed in the monitor, and the memory at them. */
import { PAGE_SIZE } from "../bus/memory.ts";
import type { Hart } from "../hart/hart.ts";
import { TRANSLATED } from "../hart/mmu.ts";
import { Access } from "../hart/tlb.ts";
import { csrNumber } from "../isa/csr_names.ts";
import { registerNumber } from "../isa/names.ts";
import type { SymbolTable } from "../boot/symbols.ts";
import { didYouMean } from "./nearest.ts";

/** What is wrong with a command, for the user. */
export class MonitorError extends Error {}

/** The value of `main+0x10`, `sp-16`, `0x80000000`, `mepc`, `pc`: numbers, registers, CSRs and symbols, added up. */
export function valueOf(text: string, hart: Hart, symbols: SymbolTable): bigint {
  const parts = text.match(/[+-]?[^+-]+/g) ?? [];
  if (parts.join("") !== text || parts.length === 0) throw new MonitorError(`${text}: ${EXPECTED}`);
  const sum = parts.reduce((total, part) => {
    const value = term(part.replace(/^[+-]/, "").trim(), hart, symbols);
    return part.startsWith("-") ? total - value : total + value;
  }, 0n);
  return sum & hart.mask;
}

const EXPECTED = "expected an address: a number, a register, a CSR, a symbol, or a sum of them such as main+0x10";

function term(text: string, hart: Hart, symbols: SymbolTable): bigint {
  if (/^(0x[0-9a-f]+|[0-9]+)$/i.test(text)) return BigInt(text);
  if (text === "pc") return hart.pc;
  const register = registerNumber(text);
  if (register !== undefined) return hart.x(register);
  const symbol = symbols.addressOf(text);
  if (symbol !== undefined) return symbol;
  const csr = csrNumber(text);
  const value = csr === undefined ? undefined : hart.csr(csr);
  if (value !== undefined) return value;
  throw new MonitorError(`${text}: ${EXPECTED}${didYouMean(text, symbols.names())}`);
}

/** A number from `min` to `max`, or `otherwise` where nothing is typed. */
export function countOf(text: string | undefined, otherwise: number, max: number): number {
  if (text === undefined) return otherwise;
  const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : NaN;
  if (!(value >= 1 && value <= max)) throw new MonitorError(`${text}: expected a number from 1 to ${max}`);
  return value;
}

/**
 * Looks at memory as a hart sees it now, through its page tables and without changing anything; with `physical` at
 * guest-physical addresses. Devices are not read: that can change them.
 */
export class MemoryView {
  readonly #hart: Hart;
  readonly #physical: boolean;

  constructor(hart: Hart, physical: boolean) {
    this.#hart = hart;
    this.#physical = physical;
  }

  /** The guest-physical address of a virtual one; undefined where nothing is mapped. */
  translate(address: bigint): number | undefined {
    if (this.#physical) return Number(address);
    const { addressing } = this.#hart;
    addressing.mmu.looking = true;
    const cause = addressing.translate(Number(address & 0xffff_ffffn), Number(address >> 32n), Access.Load);
    addressing.mmu.looking = false;
    if (cause !== TRANSLATED) return undefined;
    return addressing.mmu.frame * PAGE_SIZE + Number(address & BigInt(PAGE_SIZE - 1));
  }

  /** One byte; undefined where there is no memory. */
  byte(address: bigint): number | undefined {
    const physical = this.translate(address & this.#hart.mask);
    const value = physical === undefined ? -1 : this.#hart.memory.read(physical, 1);
    return value < 0 ? undefined : value;
  }

  /** The instruction at an address: 2 bytes if it is compressed, else 4; undefined where not all of it is there. */
  instruction(address: bigint): number | undefined {
    const bytes = [0n, 1n, 2n, 3n].map((i) => this.byte(address + i));
    const [a, b, c, d] = bytes;
    if (a === undefined || b === undefined) return undefined;
    if ((a & 3) !== 3) return a | b << 8;
    return c === undefined || d === undefined ? undefined : (a | b << 8 | c << 16 | d << 24) >>> 0;
  }
}
