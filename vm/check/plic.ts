/** Follows how the guest sets the PLIC up, and finds what keeps a device's interrupt from a hart that waits for it. */
import { hex } from "../bits.ts";
import { csrNumber } from "../isa/csr_names.ts";
import type { IrqEvent, MmioEvent, Where } from "../events.ts";
import type { HartView } from "../trace/hart_view.ts";
import { closedGate, enablesExternal, type Gate } from "./gates.ts";
import type { MemoryReport } from "./watched_queue.ts";

/** The memory map (plic §3). */
const ENABLE = 0x2000;
const ENABLE_STRIDE = 0x80;
const CONTEXT = 0x20_0000;
const CONTEXT_STRIDE = 0x1000;
const PENDING = 0x1000;

/** How many steps an interrupt is not taken before it is clear that it never will be. */
const NEVER_STEPS = 100_000;

/** A source whose device is known. */
interface Source {
  readonly device: string;
  /** Where its line went up; undefined while it is down. */
  raised: Where | undefined;
  /** It was claimed at some time, or was told of why it is not. */
  served: boolean;
  /** The context that has claimed it and not completed. */
  claimedBy: number | undefined;
}

/** What is looked at beside the facts. */
export interface PlicSight {
  /** A hart as it stands now; undefined where there is none, or nobody to ask. */
  hart(index: number): HartView | undefined;
  /** Whether the driver of `device` has read all that its device has used: it does not wait to be told. */
  collected(device: string): boolean;
}

/** Watches the PLIC. */
export class PlicWatch {
  readonly #report: MemoryReport;
  readonly #sight: PlicSight;
  /** The hart that wrote to a device's registers last: who waits elsewhere does not wait for this device. */
  readonly #drivers = new Map<string, number>();
  readonly #sources = new Map<number, Source>();
  readonly #priority = new Map<number, number>();
  /** By context: its words of enable bits, and its threshold. */
  readonly #enable = new Map<number, number[]>();
  readonly #threshold = new Map<number, number>();
  /** Harts that wait, by their numbers. */
  readonly #waiting = new Map<number, Where>();

  constructor(report: MemoryReport, sight: PlicSight) {
    this.#report = report;
    this.#sight = sight;
  }

  /** The machine was reset. */
  powerOn(): void {
    for (const map of [this.#sources, this.#priority, this.#enable, this.#threshold, this.#waiting]) map.clear();
    this.#drivers.clear();
  }

  /** A hart has written to a register of `device`. */
  driven(device: string, { hart }: Where): void {
    this.#drivers.set(device, hart);
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
    if (source === undefined) {
      this.#sources.set(id, source = { device, raised: undefined, served: false, claimedBy: undefined });
    }
    if (step === "lowered") source.raised = undefined;
    else if (step === "raised") {
      if (source.raised !== undefined) return;
      source.raised = where;
      // Who waits for just this is not woken by it.
      for (const waiting of this.#waiting.values()) this.#blocked(id, source, waiting);
    } else if (step === "claimed") {
      source.claimedBy = context;
      source.served = true;
    } else {
      if (source.claimedBy === undefined) {
        this.#report(device, "plic-complete-unclaimed", `context ${context} completed source ${id}`, where);
      }
      source.claimedBy = undefined;
    }
  }

  /** A hart begins to wait. */
  waits(where: Where): void {
    this.#waiting.set(where.hart, where);
    for (const [id, source] of this.#sources) if (source.raised !== undefined) this.#blocked(id, source, where);
  }

  /** The run is over: tells of interrupts that nobody ever took. */
  end({ now }: Where): void {
    for (const [id, { device, raised, served, claimedBy }] of this.#sources) {
      if (raised === undefined || served || claimedBy !== undefined || now - raised.now < NEVER_STEPS) continue;
      if (this.#sight.collected(device)) continue;
      const gates = this.#open(id).map((context) => this.#gate(context));
      if (gates.length === 0 || gates.includes(undefined)) continue;
      const off = gates.includes("mstatus") ? "mstatus" : gates[0] === "mode" ? "being in M-mode" : "mie";
      const what = `source ${id} has asked for an interrupt for ${now - raised.now} steps, kept away by ${off}`;
      this.#report(device, "interrupt-masked", what, raised);
    }
  }

  /** A hart goes on. */
  wakes({ hart }: Where): void {
    this.#waiting.delete(hart);
  }

  /** Whether `where` is where its hart waits now. */
  waitsAt(where: Where): boolean {
    return this.#waiting.get(where.hart) === where;
  }

  /** The device asks for an interrupt while a hart waits: what in the PLIC, or in the hart, keeps it away? */
  #blocked(id: number, { device, claimedBy }: Source, where: Where): void {
    if (this.#drivers.get(device) !== where.hart || this.#sight.collected(device)) return;
    const waits = `hart ${where.hart} waits in wfi while source ${id} asks for an interrupt`;
    if (claimedBy !== undefined) {
      // Another hart may be in its handler.
      if (claimedBy >>> 1 !== where.hart) return;
      return this.#report(device, "plic-not-completed", `${waits}, claimed by context ${claimedBy}`, where);
    }
    const priority = this.#priority.get(id) ?? 0;
    if (priority === 0) return this.#report(device, "plic-priority", `${waits}; its priority is 0`, where);
    const contexts = this.#enabled(id);
    if (contexts.length === 0) {
      return this.#report(device, "plic-not-enabled", `${waits}; it is enabled for no context`, where);
    }
    const open = this.#open(id);
    if (open.length === 0) {
      const what = `${waits}; its priority is ${priority}, the threshold of context ${contexts[0]} not below that`;
      return this.#report(device, "plic-threshold", what, where);
    }
    this.#closed(id, device, open, waits, where);
  }

  /** The PLIC passes an interrupt on to these contexts, and `where` waits: wfi ends for whatever mie enables. */
  #closed(id: number, device: string, open: readonly number[], waits: string, where: Where): void {
    const hart = this.#sight.hart(where.hart);
    if (hart === undefined || open.some((context) => this.#gate(context) !== "mie")) return;
    const to = `${waits}; it is enabled for context ${open.join(" and ")}`;
    this.#sources.get(id)!.served = true;
    // The other mode would take it.
    const taker = [true, false].find((machine) => enablesExternal(hart, machine));
    if (taker !== undefined) {
      const own = 2 * where.hart + (taker ? 0 : 1);
      return this.#report(device, "plic-context", `${to}, and the hart takes those of context ${own}`, where);
    }
    const mie = hart.csr(csrNumber("mie")!) ?? 0n;
    this.#report(device, "interrupt-not-enabled", `${to}, and mie is ${hex(mie)}`, where);
  }

  /** What keeps the hart of a context from taking its external interrupt; for a hart that there is not, everything. */
  #gate(context: number): Gate | undefined {
    const hart = this.#sight.hart(context >>> 1);
    return hart === undefined ? "mie" : closedGate(hart, context % 2 === 0);
  }

  /** The contexts that a source is enabled for. */
  #enabled(id: number): number[] {
    const bit = (words: readonly number[]) => ((words[id >>> 5] ?? 0) >>> (id & 31) & 1) !== 0;
    return [...this.#enable].flatMap(([context, words]) => bit(words) ? [context] : []);
  }

  /** The contexts that the PLIC passes an interrupt of a source on to. */
  #open(id: number): number[] {
    const priority = this.#priority.get(id) ?? 0;
    return this.#enabled(id).filter((context) => priority > (this.#threshold.get(context) ?? 0));
  }
}
