/**
 * Translated regions: which code is hot, the modules made for it, and when they must go. One cache serves all harts:
 * the state of the one that runs is always at the same address.
 */
import { PAGE_SIZE } from "../bus/memory.ts";
import type { TranslatedRegion } from "../hart/engine_statistics.ts";
import type { Hart } from "../hart/hart.ts";
import { fetchablePage } from "../hart/memory_access.ts";
import { EDGES, ENTRY, HART, LEVEL, REGION } from "../hart/layout.ts";
import type { Decoded } from "../isa/decode.ts";
import {
  type CodeMap,
  type FollowingPage,
  followingPages,
  hostRanges,
  pageAt,
  PagedMap,
  straightMap,
} from "./code_map.ts";
import { type CsrCode, csrCode } from "./csr_code.ts";
import type { DecodedPages } from "./decoded_pages.ts";
import { discover, flowSource } from "./flow.ts";
import type { FlowBlock } from "./flow.ts";
import { Handler } from "./decoded_pages.ts";
import { EdgeMark, REGION_MARK } from "./exit.ts";
import type { Handlers } from "./handlers.ts";
import { emitRegion } from "./region_module.ts";
import { structure } from "./structure.ts";
import { type WaysOut, waysOut } from "./ways_out.ts";

/** How often a place must be seen among the last branches before it is translated, unless said otherwise. */
const HOT = 9;
/** How many of the last branches are looked at after a burst. */
const SAMPLE = 16;
/** Most places that a jump is expected to go to. */
const TARGETS = 32;
/** How often a place must be seen before it counts as a target of a region's jumps. */
const WARM = 2;
/** How much hotter a place must be that a region comes to anyway. */
const COVERED = 6;
/** How often a region is made again because its jumps were seen to go elsewhere. */
const REBUILDS = 3;
/** In code that the machine runs in the flat; a system has too much code that runs too little for more of it. */
const UNROLLING = { longest: 24, times: 4, total: 48 } as const;
const LIMITS = { instructions: 400, depth: 2, callee: 40 } as const;
/** Farthest that a region's code may lie from its entry: offsets must fit into the constants of its exits. */
const REACH = 0x4_0000;

/** The same in pages where each may be anywhere. */
const PAGED_REACH = REACH / PAGE_SIZE;

/** A live region. */
interface Region extends WaysOut {
  /** Host addresses of the entries' code, with their places in the table. */
  readonly entries: readonly { readonly host: number; readonly index: number }[];
  /** The virtual pages that it goes on in, and the host pages they were when it was made; none where that cannot change. */
  readonly pages: readonly FollowingPage[];
  /** Host address ranges of the code it was made from. */
  readonly ranges: readonly (readonly [from: number, to: number])[];
  /** Whether it relies on the stretch of RAM without code. */
  readonly flat: boolean;
  /** Host address that it was made for. */
  readonly host: number;
}

/** What a cache is made for. */
export interface RegionsOptions {
  /** One of the harts that share them. */
  readonly hart: Hart;
  /** Host address of the state of the hart that runs. */
  readonly state: number;
  readonly pages: DecodedPages;
  readonly handlers: Handlers;
  readonly memory: WebAssembly.Memory;
  /** Host address of the region table. */
  readonly table: number;
  /** Host address of RAM's code lines. */
  readonly lines: number;
  readonly hot?: number | undefined;
}

/** The regions that the harts share. */
export class Regions {
  readonly functions: WebAssembly.Table = new WebAssembly.Table({ element: "anyfunc", initial: REGION.max });
  /** How many were made, and how many instructions they hold. */
  readonly stats = { made: 0, instructions: 0, remade: 0, dropped: 0, flushed: 0 };
  /** Most steps that the budget must cover for any of them to be entered. */
  longest = 0;
  /** Told of each region that is made. */
  made: ((region: TranslatedRegion) => void) | undefined;
  readonly #o: RegionsOptions;
  /** The hart that runs. */
  #hart: Hart;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #byEntry = new Map<number, Region>();
  readonly #byIndex: Region[] = [];
  /** The region that follows each `jalr`, by its host address. */
  readonly #byJump = new Map<number, Region>();
  readonly #byPage = new Map<number, Set<Region>>();
  readonly #free: number[] = [];
  #count = 0;
  /** How often control was seen to come to code at a host address. */
  readonly #heat = new Map<number, number>();
  /** Whether an instruction word is a jump; and where jumps went, by host address, with how often. */
  readonly #jumps = new Map<number, boolean>();
  readonly #targets = new Map<number, Map<number, number>>();
  /** How often regions were made again, by host address. */
  readonly #rebuilt = new Map<number, number>();

  constructor(options: RegionsOptions) {
    this.#o = options;
    this.#hart = options.hart;
    this.#u16 = new Uint16Array(options.memory.buffer);
    this.#u32 = new Uint32Array(options.memory.buffer);
    options.pages.listen({
      held: () => {},
      dropped: (page) => this.#dropPage(page),
      written: (host, length) => this.#written(host, length),
      shrunk: () => this.#dropFlat(),
    });
  }

  /** How many there are. */
  get live(): number {
    return new Set(this.#byEntry.values()).size;
  }

  /** Looks at the branches that a hart's interpreter took last, and translates what it comes to again and again. */
  sample(hart: Hart): void {
    this.#hart = hart;
    const ring = (hart.base + HART.edges) >>> 2;
    const next = this.#u32[(hart.base + HART.edge) >>> 2]! / 8;
    for (let i = 1; i <= SAMPLE; i++) {
      const at = ring + ((next - i + EDGES) % EDGES) * 2;
      this.#see(this.#u32[at]!, this.#u32[at + 1]!);
    }
    if (this.#heat.size > 10_000) this.#heat.clear();
  }

  /** A branch was taken, between these entries. */
  #see(from: number, to: number): void {
    if (to === 0) return;
    const jump = (from & EdgeMark.NotDone) === 0 && this.#isJump(from);
    if (jump) this.#noteJump(from, to);
    // Loop heads, functions, where a region ended: other targets are parts of these. Not where emitted code came back
    // to for another reason.
    const left = from & ~EdgeMark.all;
    if (!jump && to >= left && ((from & EdgeMark.Translated) === 0 || to === left)) return;
    const host = this.#o.pages.codeAt(to);
    const heat = (this.#heat.get(host) ?? 0) + 1;
    this.#heat.set(host, heat);
    const hot = this.#o.hot ?? HOT;
    // This is asked of every branch: what takes longer is done a few times only.
    if (heat !== WARM && heat !== hot && heat !== COVERED * hot) return;
    const jumped = to === left ? undefined : this.#noteExit(from, to, jump);
    if (heat !== (jumped === undefined && this.#isCovered(host) ? COVERED * hot : hot)) return;
    const times = jumped === undefined ? REBUILDS : this.#rebuilt.get(jumped.host) ?? 0;
    if (jumped === undefined || times >= REBUILDS) return this.#translate(host);
    // Its jumps are known better now.
    this.#rebuilt.set(jumped.host, times + 1);
    this.#heat.delete(host);
    this.#drop(jumped);
    this.stats.remade++;
    this.#translate(jumped.host);
  }

  /** Whether a region comes to a place, though it cannot be entered there: the way to its next entry is short. */
  #isCovered(host: number): boolean {
    for (const region of this.#byPage.get(host - (host % PAGE_SIZE)) ?? []) if (region.blocks.has(host)) return true;
    return false;
  }

  /** The region with a jump that this edge is and that did not expect it to go there; from now on it is expected. */
  #noteExit(from: number, to: number, jump: boolean): Region | undefined {
    const target = this.#o.pages.codeAt(to);
    const at = this.#o.pages.codeAt(from & ~EdgeMark.all);
    const translated = (from & EdgeMark.Translated) !== 0;
    const region = jump ? this.#byJump.get(at) : translated ? this.#byEntry.get(at) : undefined;
    if (region === undefined || region.blocks.has(target) || region.exits.has(target)) return undefined;
    const jumps = region.returns.has(target) ? [...region.jumps, ...region.rets] : region.jumps;
    if (translated) { for (const each of jumps) this.#noteTarget(each, target); }
    return jumps.length === 0 || (jump && !jumps.includes(at)) ? undefined : region;
  }

  /** Whether the instruction at an entry is `jal` or `jalr`. */
  #isJump(entry: number): boolean {
    const word = this.#u32[(entry + ENTRY.word) >>> 2]!;
    let jump = this.#jumps.get(word);
    if (jump === undefined) {
      jump = this.#hart.decoder.decode(word)?.base.class === "jump";
      if (this.#jumps.size > 10_000) this.#jumps.clear();
      this.#jumps.set(word, jump);
    }
    return jump;
  }

  /** Remembers where a jump went. */
  #noteJump(from: number, to: number): void {
    this.#noteTarget(this.#o.pages.codeAt(from), this.#o.pages.codeAt(to));
  }
  #noteTarget(at: number, target: number): void {
    if (at < 0 || target < 0) return;
    let targets = this.#targets.get(at);
    if (targets === undefined) {
      if (this.#targets.size > 10_000) this.#targets.clear();
      this.#targets.set(at, targets = new Map());
    }
    if (targets.size < 4 * TARGETS) targets.set(target, (targets.get(target) ?? 0) + 1);
  }

  /** Where the jump at a host address was seen to go, the likeliest first. */
  #seen(host: number): number[] {
    const targets = [...this.#targets.get(host) ?? []].sort((a, b) => b[1] - a[1]);
    return targets.slice(0, TARGETS).map(([target]) => target);
  }

  /** Makes a region that begins with the code at a host address. */
  #translate(host: number): void {
    const { pages, handlers, table } = this.#o;
    const hart = this.#hart;
    const region = hart.memory.regions.find((r) => host >= r.host && host < r.host + r.size);
    if (host < 0 || region === undefined || this.#byEntry.has(host)) return;
    const flat = this.#u32[(hart.base + HART.level) >>> 2] === LEVEL.flat;
    const page = host - (host % PAGE_SIZE);
    const pc = this.#virtualAddress(page, host);
    if (pc === undefined) {
      // It ran in another mode than the one that the hart has gone to since: perhaps that is seen the next time.
      this.#heat.delete(host);
      return;
    }
    const map = flat
      ? straightMap(host, Math.max(region.host, host - REACH), Math.min(region.host + region.size, host + REACH))
      : new PagedMap(host, PAGED_REACH, (n) => this.#fetchable(pc, n));
    const csr = (d: Decoded) => csrCode(hart, d);
    // What the mode does not allow is left to the hart, like all that only the hart can do.
    const emittable = (d: Decoded) =>
      handlers.of(d) >= Handler.First || (csr(d)?.privilege ?? Infinity) <= hart.privilege;
    const source = flowSource(
      this.#u16,
      hart.decoder,
      emittable,
      map,
      (at) => this.#seen(at),
      (at) => pages.decoded(at),
    );
    const blocks = discover(source, LIMITS);
    if (blocks === undefined) return;
    const shape = structure(blocks[0]!, flat ? UNROLLING : undefined);
    const used = shape.nodes.map((n) => n.block);
    const ranges = rangesOf(used, map);
    const following = map instanceof PagedMap ? followingPages(used, map, pc, hart.xlen) : [];
    // All its pages must be in the pool, so that stores to them are seen; a later one may drive out an earlier one.
    const codePages = pagesOf(ranges);
    for (const codePage of codePages) pages.enter(codePage);
    for (const codePage of codePages) if (!pages.holds(codePage)) return;
    // Before the code is emitted: the stretch of RAM without code is a constant in it.
    for (const [from, to] of ranges) pages.codeRead(from, to - from);
    const ram = hart.memory.regions.find((r) => r.name === "ram")!;
    const watch = hart.events.watches.active;
    const emitted = emitRegion({
      xlen: hart.xlen,
      ialign: hart.isa.ialign,
      hart: this.#o.state,
      pc,
      csr,
      // Watched memory is what the TLB does not know.
      ...(flat && !watch &&
        { flat: { base: ram.base, size: ram.size, host: ram.host, lines: this.#o.lines, window: pages.window } }),
      watch,
      memoryPages: this.#o.memory.buffer.byteLength / 0x1_0000,
    }, shape);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(emitted.module), {
      env: { memory: this.#o.memory },
    });
    if (this.#count - this.#free.length + shape.entries.length > REGION.max) return this.reset();
    const level = flat ? LEVEL.flat : levelOf(used, csr);
    const places = new Set<number>();
    // Where another region begins already, that one is kept. The entry's page is the one whose place is known.
    const entries = shape.entries.flatMap(({ block: { offset }, longest }, i) => {
      const at = host + offset;
      if (places.has(at) || this.#byEntry.has(at) || (!flat && (at < page || at >= page + PAGE_SIZE))) return [];
      places.add(at);
      const index = this.#free.pop() ?? this.#count++;
      this.functions.set(index, instance.exports["region"] as () => void);
      this.longest = Math.max(this.longest, longest);
      this.#describe(table + index * REGION.bytes, longest, level, pc + BigInt(offset));
      const row = (table + index * REGION.bytes) >>> 2;
      this.#u32[row + REGION.entry / 4] = i;
      this.#u32[row + REGION.paged / 4] = following.length === 0 ? 0 : 1;
      // Not checked yet: they were only looked at.
      this.#u32.fill(0, row + REGION.spaces / 4, row + REGION.bytes / 4);
      return [{ host: at, index }];
    });
    const made: Region = { entries, pages: following, ranges, flat, host, ...waysOut(shape.nodes, map) };
    for (const entry of entries) {
      this.#byEntry.set(entry.host, made);
      this.#byIndex[entry.index] = made;
    }
    for (const jump of [...made.jumps, ...made.rets]) this.#byJump.set(jump, made);
    for (const page of codePages) {
      let set = this.#byPage.get(page);
      if (set === undefined) this.#byPage.set(page, set = new Set());
      set.add(made);
    }
    this.#mark(made);
    this.made?.(emitted.describe((offset) => source.word(offset)));
    this.stats.made++;
    this.stats.instructions += used.reduce((sum, b) => sum + b.instructions.length, 0);
  }

  /** Host address of the code page `number` pages from the one of `pc`, if the hart can fetch from it now; else -1. */
  #fetchable(pc: bigint, number: number): number {
    const hart = this.#hart;
    const { low, high } = pageAt(pc, number, hart.xlen);
    return fetchablePage(hart, low, high, true);
  }

  /** Whether the pages of a region are where they were is found out anew: the hart's mappings may have changed. */
  refresh(hart: Hart, index: number): void {
    const { addressing: { tlb, mmu, context } } = hart;
    const row = (this.#o.table + index * REGION.bytes + REGION.spaces + hart.index * REGION.spaceBytes) >>> 2;
    const space = this.#u32[(hart.base + HART.space) >>> 2]!;
    for (const { low, high, host } of this.#byIndex[index]!.pages) {
      if (fetchablePage(hart, low, high, true) !== host) {
        this.#u32[row + REGION.refused / 4] = space;
        return;
      }
      tlb.watch(context, low, high, mmu.pages);
    }
    this.#u32[row + REGION.space / 4] = space;
  }

  /** Writes what the interpreter must know of an entry. */
  #describe(row: number, cost: number, level: number, pc: bigint): void {
    const at = row >>> 2;
    this.#u32[at + REGION.cost / 4] = cost;
    this.#u32[at + REGION.level / 4] = level;
    this.#u32[at + REGION.pc / 4] = Number(BigInt.asUintN(32, pc));
    this.#u32[at + REGION.pc / 4 + 1] = Number(BigInt.asUintN(32, pc >> 32n));
  }

  /** The virtual address of code in a page that the hart can fetch from now; undefined if it cannot. */
  #virtualAddress(page: number, host: number): bigint | undefined {
    const { tlb, context } = this.#hart.addressing;
    const virtual = tlb.fetchedAs(context, this.#o.pages.enter(page));
    return virtual === undefined ? undefined : virtual + BigInt(host - page);
  }

  /** Makes the interpreter go to the region where its code begins. */
  #mark(region: Region): void {
    for (const { host, index } of region.entries) {
      const at = this.#o.pages.entryOf(host);
      if (at < 0) continue;
      if (this.#u16[(at + ENTRY.op) >>> 1] === Handler.Undecoded) this.#o.pages.decode(at);
      this.#u16[(at + ENTRY.op) >>> 1]! |= REGION_MARK;
      this.#u32[(at + ENTRY.word) >>> 2] = index;
    }
  }

  #dropPage(page: number): void {
    for (const region of [...this.#byPage.get(page) ?? []]) this.#drop(region);
  }

  /** New code lies where regions store without a look. They are hot: the next time that one is seen it is made again. */
  #dropFlat(): void {
    for (const region of new Set(this.#byEntry.values())) {
      if (!region.flat) continue;
      this.#drop(region);
      for (const { host } of region.entries) this.#heat.set(host, (this.#o.hot ?? HOT) - 1);
    }
  }

  #written(host: number, length: number): void {
    const last = host + length - 1;
    for (let page = host - (host % PAGE_SIZE); page <= last; page += PAGE_SIZE) {
      for (const region of [...this.#byPage.get(page) ?? []]) {
        if (region.ranges.some(([from, to]) => host < to && last >= from)) this.#drop(region);
      }
    }
  }

  #drop(region: Region): void {
    for (const page of pagesOf(region.ranges)) this.#byPage.get(page)?.delete(region);
    for (const jump of [...region.jumps, ...region.rets]) {
      if (this.#byJump.get(jump) === region) this.#byJump.delete(jump);
    }
    for (const { host, index } of region.entries) {
      this.#byEntry.delete(host);
      this.#heat.delete(host);
      this.functions.set(index, null);
      this.#free.push(index);
      const at = this.#o.pages.entryOf(host);
      if (at < 0) continue;
      // The entry's word was overwritten: it is decoded anew, at once, as it is code that ran.
      this.#u16[(at + ENTRY.op) >>> 1] = Handler.Undecoded;
      this.#o.pages.decode(at);
    }
    this.stats.dropped++;
  }

  /** Drops everything. */
  reset(): void {
    for (const region of new Set(this.#byEntry.values())) this.#drop(region);
    this.#heat.clear();
    this.#rebuilt.clear();
    this.stats.flushed++;
  }
}

/** The lowest `HART.level` for all that blocks do with CSRs. */
function levelOf(blocks: readonly FlowBlock[], csr: (decoded: Decoded) => CsrCode | undefined): number {
  const levels = blocks.flatMap((b) => b.instructions.map(({ decoded }) => csr(decoded)?.privilege ?? 0));
  return levels.reduce((a, b) => Math.max(a, b), 0);
}

/** The code of blocks as host ranges, joined where they touch. */
function rangesOf(blocks: readonly FlowBlock[], map: CodeMap): [number, number][] {
  const ranges = blocks.flatMap(({ instructions }): [number, number][] => {
    const last = instructions.at(-1);
    return last === undefined ? [] : hostRanges(map, instructions[0]!.offset, last.offset + last.decoded.length);
  }).sort((a, b) => a[0] - b[0]);
  const joined: [number, number][] = [];
  for (const range of ranges) {
    const before = joined.at(-1);
    if (before !== undefined && range[0] <= before[1]) before[1] = Math.max(before[1], range[1]);
    else joined.push([...range]);
  }
  return joined;
}

function pagesOf(ranges: Region["ranges"]): Set<number> {
  const pages = new Set<number>();
  for (const [from, to] of ranges) {
    for (let page = from - (from % PAGE_SIZE); page < to; page += PAGE_SIZE) pages.add(page);
  }
  return pages;
}
