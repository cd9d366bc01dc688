/**
 * The control flow of a region: the blocks that direct branches and jumps reach from one entry. Addresses are offsets
 * from the entry, so that the same flow serves wherever the code is mapped.
 */
import type { CodeMap } from "./code_map.ts";
import { Decoder } from "../isa/decode.ts";
import type { Decoded } from "../isa/decode.ts";

/**
 * Where control goes from a block: to another block, which may be the region's root in order to go on at one of its
 * entries; or out of the region at an offset, where `again` is the block there that could not be gone to.
 */
export type Edge =
  | { readonly block: FlowBlock; readonly entry?: number }
  | { readonly exit: number; readonly again?: FlowBlock };

/** An instruction at its offset. */
export interface FlowInstruction {
  readonly offset: number;
  readonly decoded: Decoded;
}

/** How a block ends. */
export type FlowEnd =
  /** Its last instruction is a branch. */
  | { readonly kind: "branch"; taken: Edge; next: Edge }
  /** It runs on, or its last instruction is a direct jump. */
  | { readonly kind: "goto"; to: Edge }
  /** Its last instruction is `jalr`; these are the places it is expected to go to, the likeliest first. */
  | { readonly kind: "jump"; readonly targets: { readonly offset: number; to: Edge }[] }
  /** The instruction at this offset is not for emitted code. */
  | { readonly kind: "leave"; readonly at: number }
  /** A block without instructions, from which control goes on, but where the region was entered elsewhere. */
  | { readonly kind: "enter"; readonly cases: readonly EnterCase[]; next: Edge };

/** The way from outside to an entry of the region: through the headers of the loops that the entry is in. */
export interface EnterCase {
  /** Number of the entry. */
  readonly entry: number;
  /** Whether this is the entry itself, not a loop around it. */
  readonly last: boolean;
  to: Edge;
}

/** Straight code. */
export class FlowBlock {
  readonly offset: number;
  /** Where it stands in the program: its offset, or that of the call through which it was inlined. */
  readonly position: number;
  readonly instructions: readonly FlowInstruction[];
  end: FlowEnd;
  /** Its place in the order that the blocks were put into last. */
  order = -1;
  /** For who goes through blocks: the number of the last walk that came here, see {@linkcode nextWalk}. */
  walk = 0;
  /** What `successors` found, until edges are sent elsewhere. */
  successors: readonly FlowBlock[] | undefined = undefined;

  constructor(offset: number, position: number, instructions: readonly FlowInstruction[], end: FlowEnd) {
    this.offset = offset;
    this.position = position;
    this.instructions = instructions;
    this.end = end;
  }

  /** A block without instructions that stands where this one does. */
  before(end: FlowEnd): FlowBlock {
    return new FlowBlock(this.offset, this.position, [], end);
  }
}

let walks = 0;
/** A number for `FlowBlock.walk` that no block has yet. */
export function nextWalk(): number {
  return ++walks;
}

/** The blocks a block can go to, in the order of its end's edges; for as long as its end stays as it is. */
export function successors(block: FlowBlock): readonly FlowBlock[] {
  return block.successors ??= findSuccessors(block.end);
}

function findSuccessors(end: FlowEnd): FlowBlock[] {
  const blocks: FlowBlock[] = [];
  if (end.kind === "branch") {
    addBlock(blocks, end.taken);
    addBlock(blocks, end.next);
  } else if (end.kind === "goto") addBlock(blocks, end.to);
  else if (end.kind === "jump") { for (const target of end.targets) addBlock(blocks, target.to); }
  else if (end.kind === "enter") {
    for (const way of end.cases) addBlock(blocks, way.to);
    addBlock(blocks, end.next);
  }
  return blocks;
}
function addBlock(blocks: FlowBlock[], edge: Edge): void {
  if ("block" in edge) blocks.push(edge.block);
}

/** Sends a block's edges elsewhere. */
export function redirect(block: FlowBlock, to: (edge: Edge) => Edge): void {
  const { end } = block;
  block.successors = undefined;
  if (end.kind === "branch") {
    end.taken = to(end.taken);
    end.next = to(end.next);
  } else if (end.kind === "goto") end.to = to(end.to);
  else if (end.kind === "jump") { for (const target of end.targets) target.to = to(target.to); }
  else if (end.kind === "enter") {
    for (const way of end.cases) way.to = to(way.to);
    end.next = to(end.next);
  }
}

/** What discovery may look at. */
export interface FlowSource {
  /** The instruction at an offset that emitted code can do; undefined where there is none such, or where the region must not go. */
  at(offset: number): FlowInstruction | undefined;
  /** Whether there is an instruction at an offset that emitted code cannot do. */
  refuses(offset: number): boolean;
  /** Where the `jalr` at an offset was seen to go, as offsets, the likeliest first. */
  seen(offset: number): readonly number[];
  /** Whether control was ever seen to come to an offset, or near before it; what never ran is not worth its translation. */
  reached(offset: number): boolean;
}

/** Bounds of a region. */
export interface FlowLimits {
  readonly instructions: number;
  /** Calls inlined inside each other. */
  readonly depth: number;
  /** Longest function that is inlined. */
  readonly callee: number;
}

/** Most places that a return is expected to go to. */
const RETURNS = 4;

/** A place in the code together with the calls that were inlined to get there. */
interface Place {
  readonly offset: number;
  readonly calls: Calls | undefined;
}
interface Calls {
  readonly back: number;
  readonly depth: number;
  readonly outer: Calls | undefined;
  /** The calls inlined in it, by where they come back to. */
  readonly inner: Map<number, Calls>;
  readonly leaders: Leaders;
}

/** A place that control comes to from elsewhere, and what was found there. */
interface Leader {
  readonly place: Place;
  /** The straight code from there to its end, other leaders in it notwithstanding. */
  readonly list: readonly FlowInstruction[];
  block: FlowBlock | undefined;
}

/** Leaders by offset. */
type Leaders = Map<number, Leader>;

/** Finds the blocks of the region at offset 0; the first one is the entry's. Undefined if the entry is not emittable. */
export function discover(source: FlowSource, limits: FlowLimits): FlowBlock[] | undefined {
  return new Discovery(source, limits).run();
}

class Discovery {
  readonly #source: FlowSource;
  readonly #limits: FlowLimits;
  /** Leaders and calls that are in no inlined function. */
  readonly #leaders: Leaders = new Map();
  readonly #calls = new Map<number, Calls>();
  readonly #found: Leader[] = [];
  /** Where calls that are not inlined come back to. */
  readonly #returns = new Set<number>();
  /** Functions that were asked about, whether they are small. */
  readonly #functions = new Map<number, boolean>();
  #instructions = 0;

  constructor(source: FlowSource, limits: FlowLimits) {
    this.#source = source;
    this.#limits = limits;
  }

  run(): FlowBlock[] | undefined {
    if (this.#source.at(0) === undefined) return undefined;
    this.#findLeaders();
    const blocks: FlowBlock[] = [];
    for (const leader of this.#found) blocks.push(leader.block = this.#block(leader));
    for (const { place, block } of this.#found) this.#link(place, block!);
    return blocks;
  }

  #leader({ offset, calls }: Place): Leader | undefined {
    return (calls === undefined ? this.#leaders : calls.leaders).get(offset);
  }

  #findLeaders(): void {
    const work: Place[] = [{ offset: 0, calls: undefined }];
    const returns: Leader[] = [];
    for (let i = 0; i < work.length && this.#instructions < this.#limits.instructions; i++) {
      const place = work[i]!;
      if (this.#leader(place) === undefined && (i === 0 || this.#source.reached(place.offset))) {
        const list = this.#walk(place.offset);
        const leader = { place, list, block: undefined };
        (place.calls === undefined ? this.#leaders : place.calls.leaders).set(place.offset, leader);
        this.#found.push(leader);
        const last = list.length === 0 ? undefined : list[list.length - 1]!.decoded;
        if (last !== undefined && isReturn(last)) returns.push(leader);
        else this.#addSuccessors(leader, work);
      }
      // Where returns go is known when all calls are.
      if (i === work.length - 1) { for (const leader of returns) this.#addUnknown(leader, work); }
    }
  }

  /** Adds where a return goes that is not known yet. */
  #addUnknown(leader: Leader, work: Place[]): void {
    const places: Place[] = [];
    this.#addSuccessors(leader, places);
    // What is not followed would be unknown for ever.
    for (const to of places) if (this.#leader(to) === undefined && this.#source.reached(to.offset)) work.push(to);
  }

  /** Goes along straight code to its end; counts instructions. */
  #walk(from: number): FlowInstruction[] {
    const list: FlowInstruction[] = [];
    let offset = from;
    for (;;) {
      const instruction = this.#source.at(offset);
      if (instruction === undefined) return list;
      list.push(instruction);
      this.#instructions++;
      const { decoded } = instruction;
      const { class: kind } = decoded.base;
      if (kind === "branch" || kind === "jump" || list.length >= this.#limits.instructions) return list;
      offset += decoded.length;
    }
  }

  #addSuccessors({ place: { calls }, list }: Leader, to: Place[]): void {
    if (list.length === 0) return;
    const { offset, decoded } = list[list.length - 1]!;
    const { base, operands } = decoded;
    const next = offset + decoded.length;
    if (base.class === "jump" && operands.rd === 1) this.#returns.add(next);
    if (base.class === "branch") {
      to.push({ offset: next, calls }, { offset: offset + operands.imm, calls });
    } else if (base.name === "jal") to.push(this.#jumpTarget(offset, decoded, calls));
    else if (base.name === "jalr") to.push(...this.#jumpPlaces(offset, decoded, calls));
  }

  /** Where a `jalr` is expected to go: back into the caller that it was inlined into, or where it was seen to go. */
  #jumpPlaces(offset: number, decoded: Decoded, calls: Calls | undefined): Place[] {
    if (isReturn(decoded) && calls !== undefined) return [{ offset: calls.back, calls: calls.outer }];
    // Other returns go to too many places to follow, but for those after calls that are here too.
    const seen = this.#source.seen(offset);
    const targets = isReturn(decoded) ? seen.filter((to) => this.#returns.has(to)).slice(0, RETURNS) : seen;
    // What is reached through a jump that was seen, not followed, stands for itself, whoever called it.
    return targets.map((target) => ({ offset: target, calls: undefined }));
  }

  /** Where a direct jump goes; a call of a small function is inlined, which the place remembers. */
  #jumpTarget(offset: number, decoded: Decoded, calls: Calls | undefined): Place {
    const target = offset + decoded.operands.imm;
    const depth = calls?.depth ?? 0;
    if (decoded.operands.rd !== 1 || depth >= this.#limits.depth || !this.#small(target)) {
      return { offset: target, calls: decoded.operands.rd === 1 ? undefined : calls };
    }
    const back = offset + decoded.length;
    const others = calls?.inner ?? this.#calls;
    let inner = others.get(back);
    if (inner === undefined) {
      inner = { back, depth: depth + 1, outer: calls, inner: new Map(), leaders: new Map() };
      others.set(back, inner);
    }
    return { offset: target, calls: inner };
  }

  #small(offset: number): boolean {
    let small = this.#functions.get(offset);
    if (small === undefined) this.#functions.set(offset, small = this.#isSmall(offset));
    return small;
  }

  /** Whether straight code from here returns within the limit; functions with branches are followed both ways. */
  #isSmall(offset: number): boolean {
    const seen = new Set<number>();
    const work = [offset];
    let returns = false;
    while (work.length > 0) {
      let at = work.pop()!;
      while (!seen.has(at)) {
        seen.add(at);
        if (seen.size > this.#limits.callee) return false;
        const decoded = this.#source.at(at)?.decoded;
        if (decoded === undefined) return false;
        const { base, operands } = decoded;
        if (base.class === "branch") work.push(at + operands.imm);
        if (base.name === "jal" && operands.rd === 0) {
          at += operands.imm;
          continue;
        }
        if (isReturn(decoded)) returns = true;
        if (base.name === "jalr") break;
        at += decoded.length;
      }
    }
    return returns;
  }

  /** The block of a leader: its code up to the next leader. */
  #block({ place, list }: Leader): FlowBlock {
    const leaders = place.calls === undefined ? this.#leaders : place.calls.leaders;
    let length = Math.min(1, list.length);
    while (length < list.length && !leaders.has(list[length]!.offset)) length++;
    const { offset } = place;
    const instructions = length === list.length ? list : list.slice(0, length);
    return new FlowBlock(offset, positionOf(place), instructions, { kind: "leave", at: offset });
  }

  #link({ calls }: Place, block: FlowBlock): void {
    const { instructions } = block;
    if (instructions.length === 0) return;
    const { offset, decoded } = instructions[instructions.length - 1]!;
    const { base, operands } = decoded;
    const next = offset + decoded.length;
    if (base.class === "branch") {
      const taken = this.#edge({ offset: offset + operands.imm, calls });
      block.end = { kind: "branch", taken, next: this.#edge({ offset: next, calls }) };
    } else if (base.name === "jal") {
      block.end = { kind: "goto", to: this.#edge(this.#jumpTarget(offset, decoded, calls)) };
    } else if (base.class === "jump") {
      const places = this.#jumpPlaces(offset, decoded, calls);
      block.end = { kind: "jump", targets: places.map((p) => ({ offset: p.offset, to: this.#edge(p) })) };
    } else {
      const to = { offset: next, calls };
      const leaves = this.#leader(to) === undefined && this.#source.refuses(next);
      block.end = leaves ? { kind: "leave", at: next } : { kind: "goto", to: this.#edge(to) };
    }
  }

  #edge(place: Place): Edge {
    const block = this.#leader(place)?.block;
    // A block without instructions would only leave: leave right away.
    return block === undefined || block.instructions.length === 0 ? { exit: place.offset } : { block };
  }
}

function positionOf({ offset, calls }: Place): number {
  let position = offset;
  for (let call = calls; call !== undefined; call = call.outer) position = call.back - 1;
  return position;
}

/** `ret`: jalr x0, 0(ra). */
export function isReturn({ base, operands }: Decoded): boolean {
  return base.name === "jalr" && operands.rd === 0 && operands.rs1 === 1 && operands.imm === 0;
}

/**
 * Reads instructions from host memory. `seen` is asked where the jump at a host address went, `reached` whether control was
 * seen at one.
 */
export function flowSource(
  u16: Uint16Array,
  decoder: Decoder,
  emittable: (decoded: Decoded) => boolean,
  map: CodeMap,
  seen: (host: number) => readonly number[],
  reached: (host: number) => boolean,
): FlowSource & { readonly word: (offset: number) => number } {
  /** What `at` found; null for nothing. */
  const known = new Map<number, FlowInstruction | null>();
  const word = (offset: number): number => {
    const host = map.host(offset);
    if (host < 0) return -1;
    const half = u16[host >>> 1]!;
    if (Decoder.length(half) === 2) return half;
    const second = map.host(offset + 2);
    return second < 0 ? -1 : (half | (u16[second >>> 1]! << 16)) >>> 0;
  };
  const read = (offset: number): Decoded | undefined => {
    const found = word(offset);
    return found < 0 ? undefined : decoder.decode(found);
  };
  return {
    at(offset) {
      let found = known.get(offset);
      if (found === undefined) {
        const decoded = read(offset);
        found = decoded !== undefined && emittable(decoded) ? { offset, decoded } : null;
        known.set(offset, found);
      }
      return found ?? undefined;
    },
    refuses(offset) {
      const decoded = read(offset);
      return decoded !== undefined && !emittable(decoded);
    },
    word,
    seen: (offset) => seen(map.host(offset)).flatMap((host) => map.offset(host) ?? []),
    reached: (offset) => reached(map.host(offset)),
  };
}
