/** The interpreter as an engine: emitted code for what it can do, the reference executor for the rest. */
import { PAGE_SIZE } from "../bus/memory.ts";
import type { StraightRun } from "../events.ts";
import { DeviceAccess } from "../hart/device_access.ts";
import type { Engine } from "../hart/engine.ts";
import type { EngineObserver, EngineStatistics } from "../hart/engine_statistics.ts";
import type { Hart } from "../hart/hart.ts";
import { EDGES, ENTRY, HART } from "../hart/layout.ts";
import { fetchablePage, fillTlb } from "../hart/memory_access.ts";
import { Reference } from "../hart/reference.ts";
import { Access } from "../hart/tlb.ts";
import { Decoder } from "../isa/decode.ts";
import type { DecodedPages } from "./decoded_pages.ts";
import { SystemFunctions } from "./system_functions.ts";
import { EdgeMark, Exit } from "./exit.ts";
import type { EmittedInterpreter } from "./emitted_interpreter.ts";
import type { Regions } from "./regions.ts";
import { endCounts, leaveCounts } from "./statistics.ts";

/** The opcode of CSR instructions, among others. */
const SYSTEM = 0x73;

/** Most instructions per call of emitted code: re-entry is how V8 swaps in its optimised version. */
const QUANTUM = 100_000;

/**
 * Between looks at the last branches the interpreter must have worked so much: a look after so many steps of any kind sees
 * the few that it still does, however seldom it does them, and what is seldom done is not worth its translation.
 */
const LOOK = 20_000;
/** What a way from the interpreter into a region and out again is worth, in interpreted instructions. */
const ENTRY_WORK = 16;
/** How much longer than that emitted code may run while it is nearly all translated code, and the share that this means. */
const LONGER = 5;
/** By which factor it becomes longer, and shorter. */
const QUANTUM_GROWTH = 1.25;

/** What the harts' interpreters share, and what their code is made for. */
export interface InterpreterOptions {
  readonly pages: DecodedPages;
  readonly memory: WebAssembly.Memory;
  readonly code: EmittedInterpreter;
  /** Host address of the state of the hart that runs. */
  readonly running: number;
  /** Translated code; absent: everything is interpreted. */
  readonly regions: Regions | undefined;
  /** Interpreted instructions between looks at the last branches. */
  readonly quantum?: number | undefined;
}

/** `--engine interpreter`, and with regions `--engine auto`: hot code is translated. */
export class Interpreter implements Engine {
  readonly name: "interpreter" | "auto";
  /** Translated code; undefined for the plain interpreter. */
  readonly regions: Regions | undefined;
  readonly #hart: Hart;
  readonly #pages: DecodedPages;
  readonly #reference: Reference;
  readonly #devices: DeviceAccess;
  readonly #system: SystemFunctions;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #code: EmittedInterpreter;
  /** Where emitted code expects the state of the hart that runs, and where it is else. */
  readonly #running: number;
  readonly #home: number;
  /** Steps of this quantum so far; and what the interpreter did since the last look, and before this quantum. */
  #steps = 0;
  #work = 0;
  #workBefore = 0;

  /** How often emitted code came back, by `Exit`; steps that the reference executor did, and those before this engine. */
  readonly #left: number[] = Object.values(Exit).map(() => 0);
  #executed: number;
  /** The host's time, for who wants to know where it goes; milliseconds so far. */
  #now: (() => number) | undefined;
  readonly #time = { emitted: 0, translating: 0, longest: 0 };

  /** Steps between questions whether a look is due; and the interpreter's work between looks. */
  #quantum: number;
  readonly #look: number;

  constructor(hart: Hart, { pages, memory, code, running, regions, quantum }: InterpreterOptions) {
    this.#hart = hart;
    this.#pages = pages;
    this.#reference = new Reference(hart);
    this.#devices = new DeviceAccess(hart);
    this.#system = new SystemFunctions(hart, memory);
    this.#u16 = new Uint16Array(memory.buffer);
    this.#u32 = new Uint32Array(memory.buffer);
    this.#executed = hart.steps;
    this.#code = code;
    this.#running = running;
    this.#home = hart.base;
    this.#look = quantum ?? LOOK;
    this.#quantum = this.#look;
    this.name = regions === undefined ? "interpreter" : "auto";
    this.regions = regions;
    hart.code = pages;
    const { watches } = hart.events;
    watches.onRevoke(() => hart.addressing.tlb.revokeFlagged(watches.flags, hart.memory.host(watches.base, 1)));
    pages.listen({
      held: (page) => hart.addressing.tlb.revoke(page, Access.Store),
      dropped: (page) => hart.addressing.tlb.revoke(page, Access.Fetch),
    });
  }

  specialise(): void {
    // Regions are made for memory that is watched, or for memory that is not.
    this.regions?.reset();
    this.#code.specialise();
  }

  run(): void {
    this.#hart.moveState(this.#running);
    try {
      this.#runSlice();
    } finally {
      this.#hart.moveState(this.#home);
    }
  }

  #runSlice(): void {
    const hart = this.#hart;
    const clock = hart.clock;
    while (clock.now < clock.sliceEnd && hart.death === undefined) {
      if (hart.attention) {
        hart.takeInterrupt();
        if (hart.waiting) return;
      }
      this.#code.widen();
      const sampled = this.regions !== undefined && !hart.records.active;
      // Wherever emitted code came back in between, the quantum ends after so many steps: looks at where it comes back
      // would not see what it does else.
      const quantum = sampled ? Math.max(1, Math.floor(this.#quantum) - this.#steps) : QUANTUM;
      const exit = this.#burst(Math.min(Math.ceil(clock.sliceEnd - clock.now), quantum));
      this.#left[exit]!++;
      if (sampled && exit === Exit.Budget && this.#steps >= Math.floor(this.#quantum)) this.#endQuantum(this.regions);
      // Emitted code finds out about the page before it looks at the budget: the slice may be over all the same.
      if (clock.now >= clock.sliceEnd) return;
      if (exit === Exit.Slow) this.#slow();
      else if (exit === Exit.Undecoded) this.#decode();
      else if (exit === Exit.Page) this.#enterPage();
      else if (exit === Exit.Stale) this.#refresh();
      else if (exit === Exit.LoadMiss) this.#miss(Access.Load);
      else if (exit === Exit.StoreMiss) this.#miss(Access.Store);
      if (hart.waiting) return;
    }
  }

  /** One call of emitted code; counts what it retired. */
  #burst(budget: number): number {
    const hart = this.#hart;
    const records = hart.records;
    const state = hart.base >>> 2;
    let n = budget;
    if (records.active) {
      if (records.room < 64) records.drain();
      n = Math.min(n, records.room);
      this.#u32[state + HART.record / 4] = records.next;
      const step = hart.clock.steps + hart.clock.inSlice;
      this.#u32[state + HART.step / 4] = step >>> 0;
      this.#u32[state + HART.step / 4 + 1] = Math.floor(step / 0x1_0000_0000);
    }
    const from = this.#now?.() ?? 0;
    const translated = this.#u32[state + HART.regionSteps / 4]!;
    const entered = this.#u32[state + HART.entered / 4]!;
    const exit = this.#code.run(n);
    if (this.#now !== undefined) this.#time.emitted += this.#now() - from;
    const retired = n - this.#u32[state + HART.left / 4]!;
    if (records.active) records.next = this.#u32[state + HART.record / 4]!;
    hart.steps += retired;
    hart.clock.inSlice += retired;
    this.#steps += retired;
    this.#work += retired - ((this.#u32[state + HART.regionSteps / 4]! - translated) >>> 0) +
      ENTRY_WORK * ((this.#u32[state + HART.entered / 4]! - entered) >>> 0);
    return exit;
  }

  #step(): void {
    if (this.regions !== undefined) this.#noteBlock();
    const word = this.#fetched();
    if (word === undefined || !this.#known(word)) {
      this.#reference.step(word);
      this.#executed++;
    }
    this.#hart.clock.inSlice++;
  }

  /** Does what there is a quick way for; translated code leaves loads and stores of devices to it too. */
  #known(word: number): boolean {
    return (word & 0x7f) === SYSTEM ? this.#system.run(word) : this.#devices.runAnywhere(word);
  }

  /** The instruction at pc, if the TLB knows all of it. */
  #fetched(): number | undefined {
    const { base, addressing: { tlb, context } } = this.#hart;
    const low = this.#u32[(base + HART.pc) >>> 2]!;
    const host = tlb.fetchedFrom(context, low, this.#u32[((base + HART.pc) >>> 2) + 1]!);
    if (host < 0) return undefined;
    const first = this.#u16[host >>> 1]!;
    if (Decoder.length(first) === 2) return first;
    return host % PAGE_SIZE > PAGE_SIZE - 4 ? undefined : (first | (this.#u16[(host >>> 1) + 1]! << 16)) >>> 0;
  }

  /** Emitted code cannot do the instruction at pc. If it lies in two pages, it may be able to the next time. */
  #slow(): void {
    const { base, addressing } = this.#hart;
    const at = (base + HART.pc) >>> 2;
    const low = this.#u32[at]!;
    if ((low & (PAGE_SIZE - 1)) === PAGE_SIZE - 2) {
      const high = this.#u32[at + 1]!;
      const next = this.#following(low, high);
      // Entering the next page may drop this one from the pool, and then from the TLB.
      const entries = next < 0 ? -1 : this.#pages.enter(next);
      const { tlb, context } = addressing;
      const own = tlb.decodedPage(context, low, high);
      if (entries >= 0 && own >= 0) {
        this.#pages.refreshCrossing(own, next);
        this.#fillFetch(...this.#followingAddress(low, high), next, entries);
      }
    }
    this.#step();
  }

  /** The page after the one of a virtual address: both halves of its address, and its host address or -1. */
  #followingAddress(low: number, high: number): readonly [low: number, high: number] {
    const next = ((low & -PAGE_SIZE) + PAGE_SIZE) >>> 0;
    return [next, next === 0 && this.#hart.xlen === 64 ? (high + 1) >>> 0 : high];
  }
  #following(low: number, high: number): number {
    return fetchablePage(this.#hart, ...this.#followingAddress(low, high), true);
  }

  /** The page of a load or store is not known to the TLB: makes it so, or lets the reference executor do the access. */
  #miss(access: 0 | 1): void {
    const at = (this.#hart.base + HART.miss) >>> 2;
    // Signed, as V8 allocates a number above 2^31 where it is handed on.
    const low = this.#u32[at]! | 0;
    const high = this.#u32[at + 1]! | 0;
    if (!fillTlb(this.#hart, low, high, access)) this.#access(low >>> 0, high >>> 0, access);
  }

  /** A load or store that emitted code cannot do: of a device, as a rule. */
  #access(low: number, high: number, access: 0 | 1): void {
    const word = this.#fetched();
    if (this.regions !== undefined) this.#noteBlock();
    if (word === undefined || !this.#devices.run(word, low, high, access)) this.#reference.step(word);
    this.#hart.clock.inSlice++;
  }

  /** The page at pc is not known to the TLB: makes it so, or lets the reference executor take the fetch fault. */
  #enterPage(): void {
    const hart = this.#hart;
    const at = (hart.base + HART.pc) >>> 2;
    const low = this.#u32[at]! | 0;
    const high = this.#u32[at + 1]! | 0;
    const page = fetchablePage(hart, low, high);
    if (page < 0) return this.#step();
    this.#fillFetch(low, high, page, this.#pages.enter(page));
  }

  /** Lets emitted code fetch from the page that was translated last. */
  #fillFetch(low: number, high: number, page: number, entries: number): void {
    const { tlb, mmu, context } = this.#hart.addressing;
    tlb.fillFetch(context, low, high, page, entries);
    if (mmu.pages > 1) tlb.noteLarge(context, low, high, mmu.pages);
  }

  /** The entry at pc is not decoded. Its page is the one the TLB names, whatever page tables say by now. */
  #decode(): void {
    const hart = this.#hart;
    const at = (hart.base + HART.pc) >>> 2;
    const low = this.#u32[at]!;
    const { tlb, context } = hart.addressing;
    const entries = tlb.decodedPage(context, low, this.#u32[at + 1]!);
    if (entries < 0) throw new Error(`interpreter: page of 0x${hart.pc.toString(16)} is decoded but not in the TLB`);
    const high = this.#u32[at + 1]!;
    this.#pages.decode(entries + ((low & (PAGE_SIZE - 1)) / 2) * ENTRY.bytes, () => this.#following(low, high));
  }

  /** A region of several pages begins at pc: finds out whether they are where they were. */
  #refresh(): void {
    const { base, addressing: { tlb, context } } = this.#hart;
    const low = this.#u32[(base + HART.pc) >>> 2]!;
    const entries = tlb.decodedPage(context, low, this.#u32[((base + HART.pc) >>> 2) + 1]!);
    const at = entries + ((low & (PAGE_SIZE - 1)) / 2) * ENTRY.bytes;
    this.regions!.refresh(this.#hart, this.#u32[(at + ENTRY.word) >>> 2]!);
  }

  /** Where a region left at pc: puts the straight code it did last into the ring of taken branches. */
  #noteBlock(): void {
    const state = this.#hart.base >>> 2;
    const bytes = this.#u32[state + HART.blockBytes / 4]! >>> 1;
    if (this.#u32[state + HART.blockBytes / 4] === 0) return;
    this.#u32[state + HART.blockBytes / 4] = 0;
    const low = this.#u32[state + HART.pc / 4]!;
    const { tlb, context, flat } = this.#hart.addressing;
    const page = tlb.decodedPage(context, low, this.#u32[state + HART.pc / 4 + 1]!);
    const here = page >= 0
      ? page + ((low & (PAGE_SIZE - 1)) / 2) * ENTRY.bytes
      : flat
      ? this.#pages.entryOf(this.#hart.memory.host(low, 2))
      : -1;
    if (here < 0) return;
    const start = here - Math.min(bytes, low & (PAGE_SIZE - 1)) / 2 * ENTRY.bytes;
    const ring = state + HART.edges / 4;
    const edge = this.#u32[state + HART.edge / 4]!;
    this.#u32[ring + edge / 4 + 1] = start;
    const next = (edge + 8) % (EDGES * 8);
    this.#u32[ring + next / 4] = here;
    this.#u32[state + HART.edge / 4] = next;
  }

  /** Has the last branches looked at, if the interpreter has worked enough. */
  #endQuantum(regions: Regions): void {
    const little = (this.#work - this.#workBefore) * LONGER < this.#steps;
    const next = little ? this.#quantum * QUANTUM_GROWTH : this.#quantum / QUANTUM_GROWTH;
    // A region is entered only where what is left covers it: calls as short as that would hardly ever enter it.
    const shortest = Math.max(this.#look, LONGER * regions.longest);
    this.#quantum = Math.max(shortest, Math.min(LONGER * this.#look, next));
    this.#steps = 0;
    if (this.#work >= this.#look) {
      this.#work = 0;
      this.#sample(regions);
    }
    this.#workBefore = this.#work;
  }

  #sample(regions: Regions): void {
    const from = this.#now?.() ?? 0;
    regions.sample(this.#hart);
    if (this.#now === undefined) return;
    const took = this.#now() - from;
    this.#time.translating += took;
    this.#time.longest = Math.max(this.#time.longest, took);
  }

  observe({ now, region }: EngineObserver): void {
    this.#now = now;
    if (this.regions !== undefined) this.regions.made = region;
  }

  statistics(): EngineStatistics {
    const state = this.#hart.base >>> 2;
    const at = state + HART.regionSteps / 4;
    const translated = this.#u32[at]! + this.#u32[at + 1]! * 0x1_0000_0000;
    const regions = this.regions?.stats;
    return {
      steps: {
        translated,
        interpreted: this.#hart.steps - translated - this.#executed,
        executor: this.#executed,
      },
      left: leaveCounts(this.#left),
      ...(this.#now !== undefined && { time: { ...this.#time } }),
      ...(regions !== undefined && {
        regions: {
          ...regions,
          live: this.regions!.live,
          ends: endCounts(this.#u32.subarray(state + HART.regionEnds / 4)),
        },
      }),
    };
  }

  reset(): void {
    this.regions?.reset();
    this.#pages.reset();
  }

  /** Read from the ring of taken branches in the hart's state: each entry is where control left and where it went. */
  recentRuns(): readonly StraightRun[] {
    const runs: StraightRun[] = [];
    const ring = (this.#hart.base + HART.edges) >>> 2;
    const next = this.#u32[(this.#hart.base + HART.edge) >>> 2]! / 8;
    let start = 0;
    for (let i = 0; i < EDGES; i++) {
      const at = ring + ((next + i) % EDGES) * 2;
      this.#addRun(runs, start, this.#u32[at]!);
      start = this.#u32[at + 1]!;
    }
    // The newest entry has its first half only: where emitted code left last.
    this.#addRun(runs, start, this.#u32[ring + next * 2]!);
    return runs;
  }

  #addRun(runs: StraightRun[], start: number, end: number): void {
    const from = this.#pages.codeAt(start);
    const to = this.#pages.codeAt(end & ~EdgeMark.all);
    if (from < 0 || to < from || to - from > PAGE_SIZE) return;
    runs.push({
      from: this.#guestAddress(from),
      to: this.#guestAddress(to),
      done: (end & EdgeMark.NotDone) === 0,
      translated: (end & EdgeMark.Translated) !== 0,
    });
  }

  #guestAddress(host: number): bigint {
    const region = this.#hart.memory.regions.find((r) => host >= r.host && host < r.host + r.size)!;
    return BigInt(region.base + host - region.host);
  }
}
