/**
 * Random page tables and PMP entries for machines that run the same program: RAM mapped to itself in small pages, some of
 * them elsewhere or with fewer rights, the rest of the address space in larger ones. What is changed is fenced, so that
 * engines that cache translations must agree with those that do not.
 */
import { csrNumber } from "../../vm/isa/csr_names.ts";
import { Privilege } from "../../vm/events.ts";
import type { Hart } from "../../vm/hart/hart.ts";
import { BARE, type BareMachine } from "./engine.ts";
import { Random } from "./random.ts";

const PAGE = 4096;
/** Pages of RAM that a random program leaves alone: one per level of page tables. */
const TABLES = [0x6000, 0x7000, 0xb000, 0xc000, 0xd000].map((offset) => BARE.ram + offset);
/** The pages of RAM that programs may reach through page tables: changing these without a fence has no defined effect. */
const REACHED = Array.from({ length: BARE.ramSize / PAGE }, (_, i) => i)
  .filter((page) => !TABLES.includes(BARE.ram + page * PAGE));
/** V, R, W, X, A and D. */
const ALL = 0xcf;
const USER = 0x10;

/** The satp modes of RV64 with the number of levels. */
const MODES = [[8n, 3], [9n, 4], [10n, 5]] as const;

/** Keeps the tables of several machines equal. */
export class RandomPaging {
  readonly #random: Random;
  readonly #machines: readonly BareMachine[];
  #levels = 2;

  constructor(seed: number, machines: readonly BareMachine[]) {
    this.#random = new Random(seed ^ 0x5a5a);
    this.#machines = machines;
  }

  get #wide(): boolean {
    return this.#machines[0]!.hart.xlen === 64;
  }
  get #shift(): number {
    return this.#wide ? 9 : 10;
  }

  /** Right after a program was loaded: tables, satp, menvcfg, and PMP entries that allow most of memory. */
  begin(): void {
    const random = this.#random;
    const [mode, levels] = this.#wide ? random.pick(MODES) : [1n, 2];
    this.#levels = levels;
    this.#buildTables();
    const satp = (mode << (this.#wide ? 60n : 31n)) | BigInt(TABLES[levels - 1]! / PAGE);
    const menvcfg = random.chance(50) ? 7n << 61n : 0n;
    const cut = random.chance(40) ? BigInt(BARE.ram + 0x9000 + 8 * random.between(-64, 64)) >> 2n : 0n;
    const rights = BigInt(random.below(8));
    for (const { hart } of this.#machines) {
      if (cut !== 0n) this.#write(hart, "pmpaddr0", cut);
      this.#write(hart, "pmpaddr1", hart.mask);
      // Entry 0: four bytes (NA4), or off; entry 1: everything (NAPOT).
      this.#write(hart, "pmpcfg0", 0x1f00n | (cut === 0n ? 0n : 0x10n | rights));
      if (this.#wide) this.#write(hart, "menvcfg", menvcfg);
      else this.#write(hart, "menvcfgh", menvcfg >> 32n);
      this.#write(hart, "satp", satp);
    }
  }

  #write(hart: Hart, csr: string, value: bigint): void {
    hart.csrRow(csrNumber(csr)!)!.write!(hart, value);
  }

  /** Leaves of the lowest level for RAM; above it pointers on the way there, and leaves for everything else. */
  #buildTables(): void {
    for (const page of REACHED) this.#leaf(page, BARE.ram / PAGE + page, ALL);
    const entries = 1 << this.#shift;
    for (let level = 1; level < this.#levels; level++) {
      const pages = 2 ** (this.#shift * level);
      const way = Math.floor(BARE.ram / PAGE / pages) % entries;
      // The lowest few entries: enough for ROM and the device, by themselves or through the level below.
      for (const i of [0, 1, 2]) this.#entry(level, i, i * pages, ALL);
      this.#entry(level, way, TABLES[level - 1]! / PAGE, 1);
    }
  }

  #leaf(page: number, frame: number, flags: number): void {
    this.#entry(0, (BARE.ram / PAGE + page) % (1 << this.#shift), frame, flags);
  }

  #entry(level: number, index: number, frame: number, flags: number, top = 0): void {
    const at = TABLES[level]! + index * (this.#wide ? 8 : 4);
    const low = frame % 0x40_0000 * 1024 + flags;
    const high = Math.floor(frame / 0x40_0000) + top;
    for (const { memory } of this.#machines) {
      memory.write(at, 4, low);
      if (this.#wide) memory.write(at + 4, 4, high >>> 0);
    }
  }

  /**
   * Between two stretches: other rights or another place for some pages, and the mode that suits them. A page that code
   * runs from mostly keeps its rights, as a program is soon over without.
   */
  change(): void {
    const random = this.#random;
    if (!random.chance(70)) return;
    const { hart } = this.#machines[0]!;
    if (hart.privilege === Privilege.M && hart.steps > 100 && random.chance(90)) this.#enter(random.pick([0, 1]));
    const user = hart.privilege === Privilege.U ? USER : 0;
    for (const page of REACHED) {
      const own = BARE.ram / PAGE + page;
      const data = page >= 8 || random.chance(10);
      const kind = random.below(data ? 100 : 60);
      if (kind < 60) this.#leaf(page, own, ALL | (random.chance(95) ? user : USER));
      else if (kind < 80) this.#leaf(page, own, random.below(256) | 1 | user);
      else if (kind < 88) this.#leaf(page, BARE.ram / PAGE + random.pick(REACHED), ALL | user);
      else if (kind < 92) this.#leaf(page, random.pick([BARE.rom / PAGE, BARE.device / PAGE, 0x5_0000]), ALL | user);
      else if (kind < 96) this.#leaf(page, own, (ALL & ~random.pick([0x40, 0x80, 0xc0])) | user);
      else this.#entry(0, page, own, ALL | user, random.pick([0x8000_0000, 0x2000_0000, 0x6000_0000, 0x40_0000]));
    }
    if (random.chance(20)) this.#entry(1, 0, 0, ALL | (random.chance(50) ? USER : 0));
    for (const { hart } of this.#machines) hart.translationChanged();
  }

  #enter(privilege: Privilege): void {
    for (const { hart } of this.#machines) {
      hart.privilege = privilege;
      hart.modeChanged();
    }
  }
}
