import type { AccessSize, Device } from "../vm/bus/device.ts";
import type { IrqLine } from "../vm/bus/irq.ts";
import type { RegisterDef } from "../vm/bus/register.ts";
import type { EventStream } from "../vm/events.ts";

/** Offsets and strides of the memory map (plic §3). */
const PRIORITY = 0x0;
const PENDING = 0x1000;
const ENABLE = 0x2000;
const ENABLE_STRIDE = 0x80;
const CONTEXT = 0x20_0000;
const CONTEXT_STRIDE = 0x1000;
const CLAIM = 4;

/** Writable bits of priorities and thresholds: 0..7 as on QEMU's `virt`. */
const PRIORITY_MASK = 7;

/** What a PLIC needs. */
export interface PlicOptions {
  /** The external-interrupt line of each context. The board's order: M then S of hart 0, M then S of hart 1, and so on. */
  readonly contexts: readonly IrqLine[];
  /** Where it tells of interrupts. */
  readonly events: EventStream;
  /** Name of the device behind each source, for events; index is the source. */
  readonly names?: readonly (string | undefined)[];
  /** Number of sources, at most 1023; they are 1..sources. */
  readonly sources: number;
}

/** How one source stands. */
export interface PlicSource {
  readonly priority: number;
  /** Its device's line. */
  readonly raised: boolean;
  /** It has a request that nobody has claimed. */
  readonly pending: boolean;
  /** Claimed and not completed: no further request is forwarded. */
  readonly claimed: boolean;
  /** Contexts that it is enabled for. */
  readonly enabled: readonly number[];
}

/** Register table of a PLIC with this many sources and contexts. */
export function plicRegisters(sources: number, contexts: number): readonly RegisterDef[] {
  const words = Math.floor(sources / 32) + 1;
  const enables = Array.from({ length: contexts }, (_, context): RegisterDef => ({
    name: `enable[${context}]`,
    offset: ENABLE + context * ENABLE_STRIDE,
    size: 4,
    access: "RW",
    reset: 0,
    repeat: { count: words, stride: 4 },
    spec: "plic §6",
  }));
  return [
    {
      name: "priority",
      offset: PRIORITY,
      size: 4,
      access: "RW",
      reset: 0,
      bits: [{ name: "PRIORITY", mask: PRIORITY_MASK }],
      repeat: { count: sources + 1, stride: 4 },
      spec: "plic §4",
    },
    {
      name: "pending",
      offset: PENDING,
      size: 4,
      access: "R",
      reset: 0,
      repeat: { count: words, stride: 4 },
      spec: "plic §5",
    },
    ...enables,
    {
      name: "threshold",
      offset: CONTEXT,
      size: 4,
      access: "RW",
      reset: 0,
      bits: [{ name: "THRESHOLD", mask: PRIORITY_MASK }],
      repeat: { count: contexts, stride: CONTEXT_STRIDE },
      spec: "plic §7",
    },
    {
      name: "claim_complete",
      offset: CONTEXT + CLAIM,
      size: 4,
      access: "RW",
      reset: 0,
      repeat: { count: contexts, stride: CONTEXT_STRIDE },
      spec: "plic §8, §9",
    },
  ];
}

/**
 * Platform-level interrupt controller (RISC-V PLIC 1.0.0), wired as on QEMU's `virt`.
 *
 * A source has a level-sensitive gateway (plic §1.2): a raised line becomes one request; the next one is forwarded only
 * after completion, and at once then if the line is still raised. A request once forwarded stays pending even if the
 * line falls. QEMU 7.2 differs in four places where this follows the specification: there a falling line takes the
 * request back, a line still raised at completion is not looked at again, a claim honours the threshold, and a context
 * may complete what is not enabled for it.
 *
 * ```ts
 * import { EventStream } from "../vm/events.ts";
 *
 * const [mei, sei] = [{ set() {} }, { set() {} }];
 * const plic = new Plic({ sources: 95, contexts: [mei, sei], events: new EventStream(), names: [undefined, "virtio0"] });
 * plic.source(1).set(true); // virtio0 asks for service
 * ```
 */
export class Plic implements Device {
  readonly name = "plic";
  readonly registers: readonly RegisterDef[];
  /** Words only (plic §3). */
  readonly widths = { min: 4, max: 4 } as const;
  readonly #contexts: readonly IrqLine[];
  readonly #events: EventStream;
  readonly #names: readonly (string | undefined)[];
  readonly #lines: readonly IrqLine[];
  readonly #words: number;
  readonly #priority: Uint8Array;
  /** One bit per source in each of these. */
  readonly #level: Uint32Array;
  readonly #pending: Uint32Array;
  /** The gateway waits for completion. */
  readonly #inService: Uint32Array;
  /** `#words` words per context. */
  readonly #enable: Uint32Array;
  readonly #threshold: Uint8Array;

  /** A PLIC at power-on, all lines low. */
  constructor(options: PlicOptions) {
    const { sources } = options;
    const contexts = options.contexts.length;
    this.#contexts = options.contexts;
    this.#events = options.events;
    this.#names = options.names ?? [];
    this.#words = Math.floor(sources / 32) + 1;
    this.#priority = new Uint8Array(sources + 1);
    this.#level = new Uint32Array(this.#words);
    this.#pending = new Uint32Array(this.#words);
    this.#inService = new Uint32Array(this.#words);
    this.#enable = new Uint32Array(this.#words * contexts);
    this.#threshold = new Uint8Array(contexts);
    this.registers = plicRegisters(sources, contexts);
    this.#lines = Array.from({ length: sources + 1 }, (_, id) => ({ set: (level) => this.#setLevel(id, level) }));
  }

  /** The line of source `id`; throws for one that does not exist (a mistake in the wiring). */
  source(id: number): IrqLine {
    const line = id > 0 ? this.#lines[id] : undefined;
    if (line === undefined) throw new RangeError(`plic: no source ${id}, there are 1 to ${this.#lines.length - 1}`);
    return line;
  }

  /**
   * How a source stands, for who wants to know why its interrupt does not come; nothing is changed by looking.
   *
   * @internal
   */
  sourceState(id: number): PlicSource {
    const bit = (words: Uint32Array, word = id >>> 5) => (words[word]! >>> (id & 31) & 1) !== 0;
    const contexts = this.#contexts.map((_, context) => context);
    return {
      priority: this.#priority[id] ?? 0,
      raised: bit(this.#level),
      pending: bit(this.#pending),
      claimed: bit(this.#inService),
      enabled: contexts.filter((context) => bit(this.#enable, context * this.#words + (id >>> 5))),
    };
  }
  /** Priorities up to this one do not interrupt a context. */
  threshold(context: number): number {
    return this.#threshold[context] ?? 0;
  }

  /** Reads a register; a read of claim_complete claims. */
  read(offset: number, _size: AccessSize): number {
    if (offset < PENDING) return this.#priority[offset >>> 2] ?? 0;
    if (offset < ENABLE) return this.#pending[(offset - PENDING) >>> 2] ?? 0;
    if (offset < CONTEXT) {
      const word = this.#enableWord(offset);
      return word < 0 ? 0 : this.#enable[word]!;
    }
    const context = Math.floor((offset - CONTEXT) / CONTEXT_STRIDE);
    if (context >= this.#contexts.length) return 0;
    const register = offset % CONTEXT_STRIDE;
    if (register === 0) return this.#threshold[context]!;
    return register === CLAIM ? this.#claim(context) : 0;
  }

  write(offset: number, _size: AccessSize, value: number): number {
    if (offset < PENDING) {
      const id = offset >>> 2;
      // Source 0 does not exist (plic §4); the bits that are there hold any combination.
      if (id > 0 && id < this.#priority.length) this.#priority[id] = value & PRIORITY_MASK;
    } else if (offset >= ENABLE && offset < CONTEXT) {
      const word = this.#enableWord(offset);
      if (word >= 0) this.#enable[word] = value & this.#existing(word % this.#words);
    } else if (offset >= CONTEXT) {
      this.#writeContext(Math.floor((offset - CONTEXT) / CONTEXT_STRIDE), offset % CONTEXT_STRIDE, value);
    }
    // Pending bits are cleared by a claim only (plic §5).
    this.#update();
    return 0;
  }

  reset(): void {
    this.#priority.fill(0);
    this.#pending.fill(0);
    this.#inService.fill(0);
    this.#enable.fill(0);
    this.#threshold.fill(0);
    // The devices' lines are what they are: one still raised asks anew.
    this.#level.forEach((level, word) => this.#pending[word] = level);
    this.#update();
  }

  /** Index in `#enable` of the word at `offset`, -1 where there is none. */
  #enableWord(offset: number): number {
    const context = Math.floor((offset - ENABLE) / ENABLE_STRIDE);
    const word = (offset % ENABLE_STRIDE) >>> 2;
    return context < this.#contexts.length && word < this.#words ? context * this.#words + word : -1;
  }

  /** Bits of a word that stand for sources that exist. */
  #existing(word: number): number {
    const bits = this.#priority.length - word * 32;
    const all = bits >= 32 ? -1 : (1 << bits) - 1;
    return word === 0 ? all & ~1 : all;
  }

  #writeContext(context: number, register: number, value: number): void {
    if (context >= this.#contexts.length) return;
    if (register === 0) this.#threshold[context] = value & PRIORITY_MASK;
    else if (register === CLAIM) this.#complete(context, value);
  }

  #setLevel(id: number, level: boolean): void {
    const word = id >>> 5;
    const bit = 1 << (id & 31);
    if (((this.#level[word]! & bit) !== 0) === level) return;
    if (this.#events.wants("irq")) this.#emit(level ? "raised" : "lowered", id);
    if (level) this.#level[word]! |= bit;
    else this.#level[word]! &= ~bit;
    if (level && (this.#inService[word]! & bit) === 0) {
      this.#pending[word]! |= bit;
      this.#update();
    }
  }

  /**
   * The pending source with the highest priority among those enabled for the context, 0 if there is none. A priority of
   * 0 never interrupts, and of equal ones the lowest id goes first (plic §4).
   */
  #best(context: number, threshold: number): number {
    let best = 0;
    let priority = threshold;
    for (let word = 0; word < this.#words; word++) {
      let bits = this.#pending[word]! & this.#enable[context * this.#words + word]!;
      while (bits !== 0) {
        const id = word * 32 + 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        if (this.#priority[id]! > priority) {
          best = id;
          priority = this.#priority[id]!;
        }
      }
    }
    return best;
  }

  /** A claim is not affected by the threshold (plic §8). */
  #claim(context: number): number {
    const id = this.#best(context, 0);
    if (id !== 0) {
      const bit = 1 << (id & 31);
      this.#pending[id >>> 5]! &= ~bit;
      this.#inService[id >>> 5]! |= bit;
    }
    if (this.#events.wants("irq")) this.#emit("claimed", id, context);
    if (id !== 0) this.#update();
    return id;
  }

  /** Whether the source was claimed, or by whom, is not checked; whether it is enabled for the context is (plic §9). */
  #complete(context: number, id: number): void {
    const word = id >>> 5;
    const bit = 1 << (id & 31);
    if (id >= this.#priority.length || (this.#enable[context * this.#words + word]! & bit) === 0) {
      this.#ignored(context, id);
      return;
    }
    if (this.#events.wants("irq")) this.#emit("completed", id, context);
    this.#inService[word]! &= ~bit;
    if ((this.#level[word]! & bit) !== 0) this.#pending[word]! |= bit;
  }

  #ignored(context: number, id: number): void {
    if (!this.#events.wants("violation")) return;
    this.#events.emit({
      kind: "violation",
      device: this.name,
      spec: "plic §9",
      id: "completion-ignored",
      what: `context ${context} completed source ${id}, which is not enabled for it: nothing happens`,
    });
  }

  /** Notifies each context while something it has enabled is above its threshold (plic §7). */
  #update(): void {
    for (let context = 0; context < this.#contexts.length; context++) {
      this.#contexts[context]!.set(this.#best(context, this.#threshold[context]!) !== 0);
    }
  }

  #emit(step: "raised" | "lowered" | "claimed" | "completed", source: number, context?: number): void {
    const device = this.#names[source];
    this.#events.emit({
      kind: "irq",
      step,
      source,
      ...(context === undefined ? {} : { context }),
      ...(device === undefined ? {} : { device }),
    });
  }
}
