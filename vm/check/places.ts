/** Where an instruction stands in the program: by symbol, and by the source where there is debug information. */
import type { SourceFrame } from "../debug/debug_info.ts";
import type { StackState } from "../debug/unwind.ts";
import { hex } from "../bits.ts";
import { harmless } from "../trace/colour.ts";
import { type Symbolizer, symbolText } from "../trace/symbolizer.ts";

/** What an image says of addresses; `DebugInfo` does. */
export interface Sources {
  /** Functions at an instruction, the innermost first. */
  frames(pc: bigint): SourceFrame[];
  /** Return addresses of the callers, the innermost first. */
  callers(state: StackState, known: (pc: bigint) => boolean): bigint[];
}

/** Names of addresses, as far as there are any. */
export interface Names {
  readonly symbolize?: Symbolizer | undefined;
  readonly sources?: Sources | undefined;
}

/** One call: an instruction, or one that was inlined around it. */
export interface Frame {
  readonly pc: bigint;
  /** Function. */
  readonly name: string | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly inlined: boolean;
  /** See `SourceFrame`. */
  readonly helper: boolean;
}

/** An instruction's place. */
export interface Place {
  readonly pc: bigint;
  /** `vm_reset+0x8`, or undefined. */
  readonly symbol: string | undefined;
  /** The functions it belongs to, the innermost first; empty where not even a symbol is known. */
  readonly frames: readonly Frame[];
  /** The one of them that a reader looks for: not an accessor of registers. */
  readonly frame: Frame | undefined;
}

/** Width of the column of functions in a list of calls. */
const FUNCTION_WIDTH = 28;

/** Finds places, each once. */
export class Places {
  readonly #names: Names;
  readonly #known = new Map<bigint, Place>();

  constructor(names: Names) {
    this.#names = names;
  }

  /** The place of the instruction at `pc`. */
  at(pc: bigint): Place {
    let place = this.#known.get(pc);
    if (place === undefined) this.#known.set(pc, place = this.#find(pc));
    return place;
  }

  /** The calls that led to an instruction, the innermost first; only the instruction's own where nothing was kept. */
  stack(pc: bigint, state: StackState | undefined): Frame[] {
    const frames = [...this.at(pc).frames];
    if (state === undefined) return frames;
    const { sources } = this.#names;
    const callers = sources?.callers(state, (at) => this.#symbol(at) !== undefined) ?? this.#returnAddress(state);
    // The place of a call is the instruction before the one that it returns to.
    return [...frames, ...callers.flatMap((at) => this.at(at - 1n).frames.map((frame) => ({ ...frame, pc: at })))];
  }

  #find(pc: bigint): Place {
    const symbol = symbolText(this.#names.symbolize, pc);
    const found = this.#names.sources?.frames(pc) ?? [];
    const name = this.#symbol(pc);
    const frames = found.map(({ name: own, file, line, inlined, helper }, i): Frame => ({
      pc,
      // The symbol table knows the name of what assembly wrote.
      name: own === undefined ? (i === found.length - 1 ? name : undefined) : harmless(own),
      file: file === undefined ? undefined : harmless(file),
      line: line === 0 ? undefined : line,
      inlined,
      helper,
    })).filter((frame, i, all) => {
      // A part of a function that was split off is inlined in the rest of it: the same function.
      const inner = all[i - 1];
      return inner === undefined || inner.name === undefined || inner.name !== frame.name;
    });
    if (frames.length === 0 && name !== undefined) {
      frames.push({ pc, name, file: undefined, line: undefined, inlined: false, helper: false });
    }
    return { pc, symbol, frames, frame: frames.find(({ helper }) => !helper) ?? frames.at(-1) };
  }

  #symbol(pc: bigint): string | undefined {
    const found = this.#names.symbolize?.(pc);
    return found === undefined ? undefined : harmless(found.name);
  }

  /** Without debug information ra may be the way back: in another function it is. */
  #returnAddress(state: StackState): bigint[] {
    const ra = state.x(1);
    const caller = ra === 0n ? undefined : this.#symbol(ra - 1n);
    return caller === undefined || caller === this.#symbol(state.pc) ? [] : [ra];
  }
}

/** `virtio_mmio.c:146` with its folders, or undefined. */
export function sourceText({ file, line }: Pick<Frame, "file" | "line">): string | undefined {
  if (file === undefined) return undefined;
  return line === undefined ? file : `${file}:${line}`;
}

/** A call in a list of calls: function, then file and line. */
export function frameText(frame: Frame): string {
  const name = (frame.name ?? hex(frame.pc, 8)).padEnd(FUNCTION_WIDTH);
  return `${name} ${sourceText(frame) ?? hex(frame.pc, 8)}${frame.inlined ? " (inlined)" : ""}`;
}

/** A place in words: function, file and line; else symbol and address. */
export function placeText({ pc, symbol, frame }: Place): string {
  const source = frame && sourceText(frame);
  if (source !== undefined) return `${frame!.name ?? symbol ?? hex(pc, 8)}, ${source}`;
  return symbol === undefined ? hex(pc, 8) : `${symbol} (${hex(pc, 8)})`;
}
