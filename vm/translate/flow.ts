/**
 * The control flow of a region: the blocks that direct branches and jumps reach from one entry. Addresses are offsets
 * from the entry, so that the same flow serves wherever the code is mapped.
 */
import type { CodeMap } from "./code_map.ts";
import { Decoder } from "../isa/decode.ts";
import type { Decoded } from "../isa/decode.ts";

/** Where control goes from a block: to another block, or out of the region at an offset. */
export type Edge = { readonly block: FlowBlock } | { readonly exit: number };

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
}

/** The blocks a block can go to, in the order of its end's edges. */
export function successors(block: FlowBlock): FlowBlock[] {
  const end = block.end;
  const edges = end.kind === "branch"
    ? [end.taken, end.next]
    : end.kind === "goto"
    ? [end.to]
    : end.kind === "jump"
    ? end.targets.map((t) => t.to)
    : end.kind === "enter"
    ? [...end.cases.map((c) => c.to), end.next]
    : [];
  return edges.flatMap((e) => "block" in e ? [e.block] : []);
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

/** A place in the code together with the calls that were inlined to get there. */
interface Place {
  readonly offset: number;
  readonly calls: Calls | undefined;
}
interface Calls {
  readonly id: number;
  readonly back: number;
  readonly depth: number;
  readonly outer: Calls | undefined;
}

/** Finds the blocks of the region at offset 0; the first one is the entry's. Undefined if the entry is not emittable. */
export function discover(source: FlowSource, limits: FlowLimits): FlowBlock[] | undefined {
  return new Discovery(source, limits).run();
}

class Discovery {
  readonly #source: FlowSource;
  readonly #limits: FlowLimits;
  /** Every place that control comes to from elsewhere, and the stretch of code that starts there. */
  readonly #leaders = new Map<string, Place>();
  readonly #blocks = new Map<string, FlowBlock>();
  readonly #calls = new Map<string, Calls>();
  #instructions = 0;

  constructor(source: FlowSource, limits: FlowLimits) {
    this.#source = source;
    this.#limits = limits;
  }

  run(): FlowBlock[] | undefined {
    const first = this.#source.at(0);
    if (first === undefined || !this.#source.emittable(first)) return undefined;
    this.#findLeaders();
    for (const place of this.#leaders.values()) this.#blocks.set(keyOf(place), this.#block(place));
    for (const place of this.#leaders.values()) this.#link(place);
    return [...this.#blocks.values()];
  }

  #findLeaders(): void {
    const work: Place[] = [{ offset: 0, calls: undefined }];
    while (work.length > 0 && this.#instructions < this.#limits.instructions) {
      const place = work.shift()!;
      const key = keyOf(place);
      if (this.#leaders.has(key)) continue;
      this.#leaders.set(key, place);
      const last = this.#walk(place, () => false);
      work.push(...this.#successors(place, last));
    }
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
    if (decoded.base.class === "branch") {
      return [{ offset: next, calls }, { offset: offset + decoded.operands.imm, calls }];
    }
    if (decoded.base.name === "jal") return [this.#jumpTarget(offset, decoded, calls)];
    return this.#jumpPlaces(offset, decoded, calls);
  }

  /** Where a `jalr` is expected to go: back into the caller that it was inlined into, or where it was seen to go. */
  #jumpPlaces(offset: number, decoded: Decoded, calls: Calls | undefined): Place[] {
    if (decoded.base.name !== "jalr") return [];
    // Returns go to too many places to follow, but for the one that the call was inlined from.
    if (isReturn(decoded)) return calls === undefined ? [] : [{ offset: calls.back, calls: calls.outer }];
    // What is reached through a jump that was seen, not followed, stands for itself, whoever called it.
    return this.#source.seen(offset).map((target) => ({ offset: target, calls: undefined }));
  }

  /** Where a direct jump goes; a call of a small function is inlined, which the place remembers. */
  #jumpTarget(offset: number, decoded: Decoded, calls: Calls | undefined): Place {
    const target = offset + decoded.operands.imm;
    const depth = calls?.depth ?? 0;
    if (decoded.operands.rd !== 1 || depth >= this.#limits.depth || !this.#small(target)) {
      return { offset: target, calls: decoded.operands.rd === 1 ? undefined : calls };
    }
    const back = offset + decoded.length;
    const key = `${calls?.id ?? 0}:${back}`;
    let inner = this.#calls.get(key);
    if (inner === undefined) {
      inner = { id: this.#calls.size + 1, back, depth: depth + 1, outer: calls };
      this.#calls.set(key, inner);
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
    const cut = (offset: number) => this.#leaders.has(keyOf({ offset, calls: place.calls }));
    const { offset } = place;
    return {
      offset,
      position: positionOf(place),
      instructions: this.#walk(place, cut),
      end: { kind: "leave", at: offset },
    };
  }

  #link(place: Place): void {
    const block = this.#blocks.get(keyOf(place))!;
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
      const known = this.#leaders.has(keyOf({ offset: next, calls }));
      const leaves = !known && following !== undefined && !this.#source.emittable(following);
      block.end = leaves ? { kind: "leave", at: next } : { kind: "goto", to: this.#edge({ offset: next, calls }) };
    }
  }

  #edge(place: Place): Edge {
    const block = this.#blocks.get(keyOf(place));
    // A block without instructions would only leave: leave right away.
    return block === undefined || block.instructions.length === 0 ? { exit: place.offset } : { block };
  }
}

function keyOf({ offset, calls }: Place): string {
  return calls === undefined ? `${offset}` : `${offset}/${calls.id}`;
}

function positionOf({ offset, calls }: Place): number {
  let position = offset;
  for (let call = calls; call !== undefined; call = call.outer) position = call.back - 1;
  return position;
}

/** `ret`: jalr x0, 0(ra). */
function isReturn({ base, operands }: Decoded): boolean {
  return base.name === "jalr" && operands.rd === 0 && operands.rs1 === 1 && operands.imm === 0;
}

/** Reads instructions from host memory. `seen` is asked where the jump at a host address went. */
export function flowSource(
  u16: Uint16Array,
  decoder: Decoder,
  emittable: (decoded: Decoded) => boolean,
  map: CodeMap,
  seen: (host: number) => readonly number[],
): FlowSource {
  const known = new Map<number, Decoded | undefined>();
  const read = (offset: number) => {
    const host = map.host(offset);
    if (host < 0) return undefined;
    const half = u16[host >>> 1]!;
    if (Decoder.length(half) === 2) return decoder.decode(half);
    const second = map.host(offset + 2);
    return second < 0 ? undefined : decoder.decode((half | (u16[second >>> 1]! << 16)) >>> 0);
  };
  return {
    at(offset) {
      if (known.has(offset)) return known.get(offset);
      const decoded = read(offset);
      known.set(offset, decoded);
      return decoded;
    },
    emittable,
    seen: (offset) => seen(map.host(offset)).flatMap((host) => map.offset(host) ?? []),
  };
}
