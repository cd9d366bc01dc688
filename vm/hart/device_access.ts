/**
 * Loads and stores of device registers, the quick way: drivers make them by the thousand, and the reference executor's
 * BigInt costs several times what devices do. What an instruction loads or stores is found by running its row once.
 */
import { BUS_FAULT } from "../bus/device.ts";
import { PAGE_SIZE } from "../bus/memory.ts";
import type { Decoded } from "../isa/decode.ts";
import type { MemorySize, Sem } from "../isa/row.ts";
import type { Hart } from "./hart.ts";
import { HART } from "./layout.ts";
import { ACCESS_FAULT } from "./memory_access.ts";
import { TRANSLATED } from "./mmu.ts";
import { Access } from "./tlb.ts";
import { takeTrap } from "./trap.ts";

/** A load or store of one register's width at rs1 plus an immediate. */
interface Plan {
  readonly access: 0 | 1;
  readonly size: 1 | 2 | 4;
  readonly signed: boolean;
  /** The register that is loaded, or stored. */
  readonly register: number;
  /** The register with the address, and what is added. */
  readonly base: number;
  readonly offset: number;
  /** Bytes of the instruction. */
  readonly length: 2 | 4;
}

/** Most instructions remembered; a guest that has more begins again. */
const PLANS_MAX = 4096;

/** What one hart needs for it. */
export class DeviceAccess {
  readonly #hart: Hart;
  readonly #u32: Uint32Array;
  readonly #plans = new Map<number, Plan | undefined>();

  constructor(hart: Hart) {
    this.#hart = hart;
    this.#u32 = new Uint32Array(hart.memory.buffer);
  }

  /**
   * Does the load or store `word` at the hart's pc, whose virtual address is `low` and `high`, if it is one of a device
   * that answers, and counts as one step. False: nothing is done, the reference executor has to.
   */
  run(word: number, low: number, high: number, access: 0 | 1): boolean {
    const plan = this.#plan(word);
    return plan !== undefined && plan.access === access && this.#do(plan, low, high);
  }

  /** The same, of which only the instruction is known. */
  runAnywhere(word: number): boolean {
    const plan = this.#plan(word);
    if (plan === undefined) return false;
    const at = (this.#hart.base + HART.x) / 4 + 2 * plan.base;
    const sum = this.#u32[at]! + plan.offset;
    const carry = sum < 0 ? -1 : sum > 0xffff_ffff ? 1 : 0;
    return this.#do(plan, sum >>> 0, this.#hart.xlen === 64 ? (this.#u32[at + 1]! + carry) >>> 0 : 0);
  }

  #do(plan: Plan, low: number, high: number): boolean {
    const hart = this.#hart;
    if (hart.records.active) return false;
    const { size, access } = plan;
    if (low % size !== 0) return false;
    const { addressing, bus } = hart;
    if (addressing.translate(low, high, access) !== TRANSLATED) return false;
    const addr = addressing.mmu.frame * PAGE_SIZE + (low & (PAGE_SIZE - 1));
    if (!addressing.allows(addr, size, access)) return false;
    if (hart.memory.host(addr, size) >= 0 || !bus.answers(addr, size)) return false;
    const state = hart.base >>> 2;
    const register = state + HART.x / 4 + 2 * plan.register;
    const answer = access === Access.Store ? bus.write(addr, size, this.#u32[register]!) : bus.read(addr, size);
    if (answer === BUS_FAULT) {
      takeTrap(hart, false, ACCESS_FAULT[access], BigInt(low) | (BigInt(high) << 32n));
      hart.trapped++;
    } else {
      if (access === Access.Load && plan.register !== 0) this.#load(register, answer, plan);
      hart.advance(plan.length);
    }
    hart.steps++;
    return true;
  }

  /** Puts a value that was read into the register at word `at` of the Memory. */
  #load(at: number, value: number, { size, signed }: Plan): void {
    const shift = 32 - 8 * size;
    const word = signed ? value << shift >> shift : value;
    this.#u32[at] = word;
    this.#u32[at + 1] = signed && word < 0 && this.#hart.xlen === 64 ? 0xffff_ffff : 0;
  }

  #plan(word: number): Plan | undefined {
    const plans = this.#plans;
    let plan = plans.get(word);
    if (plan === undefined && !plans.has(word)) {
      const decoded = this.#hart.decoder.decode(word);
      plan = decoded && planOf(decoded);
      if (plans.size >= PLANS_MAX) plans.clear();
      plans.set(word, plan);
    }
    return plan;
  }
}

/** What a row loads or stores; undefined if it does anything else. */
function planOf({ base, operands, length }: Decoded): Plan | undefined {
  let plan: Plan | undefined;
  let simple = true;
  const place = { base: operands.rs1, offset: operands.imm, length };
  const width = (size: MemorySize): 1 | 2 | 4 => size === 8 ? (simple = false, 4) : size;
  // The values are what they stand for.
  const letters: Partial<Sem<string, string>> = {
    rs1: () => "rs1",
    rs2: () => "rs2",
    imm: () => "imm",
    add: (a, b) => `${a} + ${b}`,
    load(addr, size, extend) {
      if (addr !== "rs1 + imm") simple = false;
      plan = { ...place, access: Access.Load, size: width(size), signed: extend === "signed", register: operands.rd };
      return "loaded";
    },
    store(addr, value, size) {
      if (addr !== "rs1 + imm" || value !== "rs2") simple = false;
      plan = { ...place, access: Access.Store, size: width(size), signed: false, register: operands.rs2 };
    },
    rd: (value) => void (value === "loaded" || (simple = false)),
  };
  const sem = new Proxy(letters, {
    get: (known, name) => Reflect.get(known, name) ?? (() => simple = false),
  }) as Sem<string, string>;
  base.run!(sem);
  return simple ? plan : undefined;
}
