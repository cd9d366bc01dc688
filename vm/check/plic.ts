/** Follows how the guest sets the PLIC up, and finds what keeps a device's interrupt from a hart that waits for it. */
import type { IrqEvent, MmioEvent, Where } from "../events.ts";
import type { MemoryReport } from "./watched_queue.ts";

/** The memory map (plic §3). */
const ENABLE = 0x2000;
const ENABLE_STRIDE = 0x80;
const CONTEXT = 0x20_0000;
const CONTEXT_STRIDE = 0x1000;
const PENDING = 0x1000;

/** A source whose device is known. */
interface Source {
  readonly device: string;
  raised: boolean;
  /** The context that has claimed it and not completed. */
  claimedBy: number | undefined;
}

/** Watches the PLIC. */
export class PlicWatch {
  readonly #report: MemoryReport;
  readonly #sources = new Map<number, Source>();
  readonly #priority = new Map<number, number>();
  /** By context: its words of enable bits, and its threshold. */
  readonly #enable = new Map<number, number[]>();
  readonly #threshold = new Map<number, number>();
  /** Harts that wait, by their numbers. */
  readonly #waiting = new Map<number, Where>();

  constructor(report: MemoryReport) {
    this.#report = report;
  }

  /** The machine was reset. */
  powerOn(): void {
    for (const map of [this.#sources, this.#priority, this.#enable, this.#threshold, this.#waiting]) map.clear();
  }

  /** An access to the PLIC's registers. */
  access({ write, offset, value }: MmioEvent): void {
    if (!write) return;
    if (offset < PENDING) this.#priority.set(offset >>> 2, value);
    else if (offset >= ENABLE && offset < CONTEXT) {
      const context = Math.floor((offset - ENABLE) / ENABLE_STRIDE);
      const words = this.#enable.get(context) ?? [];
      words[((offset - ENABLE) % ENABLE_STRIDE) >>> 2] = value;
      this.#enable.set(context, words);
    } else if (offset >= CONTEXT && offset % CONTEXT_STRIDE === 0) {
      this.#threshold.set((offset - CONTEXT) / CONTEXT_STRIDE, value);
    }
  }

  /** A step of an interrupt. */
  irq({ step, source: id, device, context }: IrqEvent, where: Where): void {
    if (device === undefined) return;
    let source = this.#sources.get(id);
    if (source === undefined) this.#sources.set(id, source = { device, raised: false, claimedBy: undefined });
    if (step === "raised" || step === "lowered") {
      const rises = step === "raised" && !source.raised;
      source.raised = step === "raised";
      // Who waits for just this is not woken by it.
      if (rises) { for (const waiting of this.#waiting.values()) this.#blocked(id, source, waiting); }
    } else if (step === "claimed") source.claimedBy = context;
    else {
      if (source.claimedBy === undefined) {
        this.#report(device, "plic-complete-unclaimed", `context ${context} completed source ${id}`, where);
      }
      source.claimedBy = undefined;
    }
  }

  /** A hart begins to wait. */
  waits(where: Where): void {
    this.#waiting.set(where.hart, where);
    for (const [id, source] of this.#sources) if (source.raised) this.#blocked(id, source, where);
  }

  /** A hart goes on. */
  wakes({ hart }: Where): void {
    this.#waiting.delete(hart);
  }

  /** Whether `where` is where its hart waits now. */
  waitsAt(where: Where): boolean {
    return this.#waiting.get(where.hart) === where;
  }

  /** The device asks for an interrupt while a hart waits: what in the PLIC keeps it away? */
  #blocked(id: number, { device, claimedBy }: Source, where: Where): void {
    const waits = `hart ${where.hart} waits in wfi while source ${id} asks for an interrupt`;
    if (claimedBy !== undefined) {
      // Another hart may be in its handler.
      if (claimedBy >>> 1 !== where.hart) return;
      return this.#report(device, "plic-not-completed", `${waits}, claimed by context ${claimedBy}`, where);
    }
    const priority = this.#priority.get(id) ?? 0;
    if (priority === 0) return this.#report(device, "plic-priority", `${waits}; its priority is 0`, where);
    const bit = (words: readonly number[]) => ((words[id >>> 5] ?? 0) >>> (id & 31) & 1) !== 0;
    const contexts = [...this.#enable].flatMap(([context, words]) => bit(words) ? [context] : []);
    if (contexts.length === 0) {
      return this.#report(device, "plic-not-enabled", `${waits}; it is enabled for no context`, where);
    }
    if (contexts.some((context) => priority > (this.#threshold.get(context) ?? 0))) return;
    const what = `${waits}; its priority is ${priority}, the threshold of context ${contexts[0]} not below that`;
    this.#report(device, "plic-threshold", what, where);
  }
}
