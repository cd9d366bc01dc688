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
export interface FlowBlock {
  readonly offset: number;
  /** Where it stands in the program: its offset, or that of the call through which it was inlined. */
  readonly position: number;
  readonly instructions: readonly FlowInstruction[];
  end: FlowEnd;
  /** Its place in the order that the blocks were put into last. */
  order: number;
}

/** The blocks a block can go to, in the order of its end's edges. */
export function successors({ end }: FlowBlock): FlowBlock[] {
  const blocks: FlowBlock[] = [];
  const add = (edge: Edge) => {
    if ("block" in edge) blocks.push(edge.block);
  };
  if (end.kind === "branch") add(end.taken), add(end.next);
  else if (end.kind === "goto") add(end.to);
  else if (end.kind === "jump") { for (const target of end.targets) add(target.to); }
  else if (end.kind === "enter") {
    for (const way of end.cases) add(way.to);
    add(end.next);
  }
  return blocks;
}

/** Sends a block's edges elsewhere. */
export function redirect({ end }: FlowBlock, to: (edge: Edge) => Edge): void {
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
  /** The instruction at an offset; undefined where there is none, or where the region must not go. */
  at(offset: number): Decoded | undefined;
  /** Whether emitted code can do it. */
  emittable(decoded: Decoded): boolean;
  /** Where the `jalr` at an offset was seen to go, as offsets, the likeliest first. */
  seen(offset: number): readonly number[];
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

/** Every place that control comes to from elsewhere, by offset, with the block that begins there once it is made. */
type Leaders = Map<number, { readonly place: Place; block: FlowBlock | undefined }>;

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
  readonly #places: Place[] = [];
  /** Where calls that are not inlined come back to. */
  readonly #returns = new Set<number>();
  #instructions = 0;

  constructor(source: FlowSource, limits: FlowLimits) {
    this.#source = source;
    this.#limits = limits;
  }

  run(): FlowBlock[] | undefined {
    const first = this.#source.at(0);
    if (first === undefined || !this.#source.emittable(first)) return undefined;
    this.#findLeaders();
    const blocks = this.#places.map((place) => this.#leader(place)!.block = this.#block(place));
    this.#places.forEach((place, i) => this.#link(place, blocks[i]!));
    return blocks;
  }

  #leader({ offset, calls }: Place): ReturnType<Leaders["get"]> {
    return (calls?.leaders ?? this.#leaders).get(offset);
  }

  #findLeaders(): void {
    const work: Place[] = [{ offset: 0, calls: undefined }];
    const returns: { readonly place: Place; readonly list: FlowInstruction[] }[] = [];
    for (let i = 0; i < work.length && this.#instructions < this.#limits.instructions; i++) {
      const place = work[i]!;
      if (this.#leader(place) === undefined) {
        (place.calls?.leaders ?? this.#leaders).set(place.offset, { place, block: undefined });
        this.#places.push(place);
        const list = this.#walk(place, () => false);
        const last = list.at(-1)?.decoded;
        if (last !== undefined && isReturn(last)) returns.push({ place, list });
        else work.push(...this.#successors(place, list));
      }
      // Where returns go is known when all calls are.
      if (i === work.length - 1) { for (const { place, list } of returns) work.push(...this.#unknown(place, list)); }
    }
  }

  /** Where a return goes that is not known yet. */
  #unknown(place: Place, list: readonly FlowInstruction[]): Place[] {
    return this.#successors(place, list).filter((to) => this.#leader(to) === undefined);
  }

  /** Goes along straight code to its end; counts instructions. */
  #walk(place: Place, stop: (offset: number) => boolean): FlowInstruction[] {
    const list: FlowInstruction[] = [];
    let offset = place.offset;
    for (;;) {
      if (list.length > 0 && stop(offset)) return list;
      const decoded = this.#source.at(offset);
      if (decoded === undefined || !this.#source.emittable(decoded)) return list;
      list.push({ offset, decoded });
      this.#instructions++;
      if (decoded.base.class === "branch" || decoded.base.class === "jump") return list;
      if (list.length >= this.#limits.instructions) return list;
      offset += decoded.length;
    }
  }

  #successors(place: Place, list: readonly FlowInstruction[]): Place[] {
    const last = list.at(-1);
    if (last === undefined) return [];
    const { offset, decoded } = last;
    const next = offset + decoded.length;
    const calls = place.calls;
    if (decoded.base.class === "jump" && decoded.operands.rd === 1) this.#returns.add(next);
    if (decoded.base.class === "branch") {
      return [{ offset: next, calls }, { offset: offset + decoded.operands.imm, calls }];
    }
    if (decoded.base.name === "jal") return [this.#jumpTarget(offset, decoded, calls)];
    return this.#jumpPlaces(offset, decoded, calls);
  }

  /** Where a `jalr` is expected to go: back into the caller that it was inlined into, or where it was seen to go. */
  #jumpPlaces(offset: number, decoded: Decoded, calls: Calls | undefined): Place[] {
    if (decoded.base.name !== "jalr") return [];
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

  /** Whether straight code from here returns within the limit; functions with branches are followed both ways. */
  #small(offset: number): boolean {
    const seen = new Set<number>();
    const work = [offset];
    let count = 0;
    let returns = false;
    while (work.length > 0) {
      let at = work.pop()!;
      for (;;) {
        if (seen.has(at)) break;
        seen.add(at);
        if (++count > this.#limits.callee) return false;
        const decoded = this.#source.at(at);
        if (decoded === undefined || !this.#source.emittable(decoded)) return false;
        if (decoded.base.class === "branch") work.push(at + decoded.operands.imm);
        if (decoded.base.name === "jal" && decoded.operands.rd === 0) {
          at += decoded.operands.imm;
          continue;
        }
        if (isReturn(decoded)) returns = true;
        if (decoded.base.name === "jalr") break;
        at += decoded.length;
      }
    }
    return returns;
  }

  #block(place: Place): FlowBlock {
    const leaders = place.calls?.leaders ?? this.#leaders;
    const cut = (offset: number) => leaders.has(offset);
    const { offset } = place;
    return {
      offset,
      position: positionOf(place),
      order: -1,
      instructions: this.#walk(place, cut),
      end: { kind: "leave", at: offset },
    };
  }

  #link(place: Place, block: FlowBlock): void {
    const last = block.instructions.at(-1);
    if (last === undefined) return;
    const { offset, decoded } = last;
    const next = offset + decoded.length;
    const calls = place.calls;
    if (decoded.base.class === "branch") {
      const taken = this.#edge({ offset: offset + decoded.operands.imm, calls });
      block.end = { kind: "branch", taken, next: this.#edge({ offset: next, calls }) };
    } else if (decoded.base.name === "jal") {
      block.end = { kind: "goto", to: this.#edge(this.#jumpTarget(offset, decoded, calls)) };
    } else if (decoded.base.class === "jump") {
      const places = this.#jumpPlaces(offset, decoded, calls);
      block.end = { kind: "jump", targets: places.map((p) => ({ offset: p.offset, to: this.#edge(p) })) };
    } else {
      const following = this.#source.at(next);
      const known = this.#leader({ offset: next, calls }) !== undefined;
      const leaves = !known && following !== undefined && !this.#source.emittable(following);
      block.end = leaves ? { kind: "leave", at: next } : { kind: "goto", to: this.#edge({ offset: next, calls }) };
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

/** Reads instructions from host memory. `seen` is asked where the jump at a host address went. */
export function flowSource(
  u16: Uint16Array,
  decoder: Decoder,
  emittable: (decoded: Decoded) => boolean,
  map: CodeMap,
  seen: (host: number) => readonly number[],
): FlowSource & { readonly word: (offset: number) => number } {
  const known = new Map<number, Decoded | undefined>();
  const word = (offset: number): number => {
    const host = map.host(offset);
    if (host < 0) return -1;
    const half = u16[host >>> 1]!;
    if (Decoder.length(half) === 2) return half;
    const second = map.host(offset + 2);
    return second < 0 ? -1 : (half | (u16[second >>> 1]! << 16)) >>> 0;
  };
  const read = (offset: number) => {
    const found = word(offset);
    return found < 0 ? undefined : decoder.decode(found);
  };
  return {
    at(offset) {
      if (known.has(offset)) return known.get(offset);
      const decoded = read(offset);
      known.set(offset, decoded);
      return decoded;
    },
    emittable,
    word,
    seen: (offset) => seen(map.host(offset)).flatMap((host) => map.offset(host) ?? []),
  };
}
