/**
 * Which interrupts wait, and taking the one that goes first (priv §3.1.9). Looked at after everything that may have
 * changed something, so in numbers: all bits of mip and mie are low ones.
 */
import type { IrqLine } from "../bus/irq.ts";
import { RecordKind } from "../events.ts";
import type { Interrupt } from "./csr.ts";
import { CSR } from "./csr_numbers.ts";
import type { Hart } from "./hart.ts";
import { HART } from "./layout.ts";
import { nextInterrupt, takeTrap } from "./trap.ts";

/** Marks an interrupt's cause in a record. */
const INTERRUPT_MARK = 0x8000;

/** Those of one hart. */
export class Interrupts {
  readonly #hart: Hart;
  readonly #u32: Uint32Array;
  /** Where mip and mie are in the hart's state. */
  readonly #mip: number;
  readonly #mie: number;
  /** External interrupt levels, as bits of mip. */
  #lines = 0;

  constructor(hart: Hart) {
    this.#hart = hart;
    this.#u32 = new Uint32Array(hart.memory.buffer);
    this.#mip = hart.slotOf(CSR.mip) - hart.base;
    this.#mie = hart.slotOf(CSR.mie) - hart.base;
  }

  #word(at: number): number {
    return this.#u32[(this.#hart.base + at) >>> 2]!;
  }

  /** mip as the guest reads it. */
  get pending(): number {
    return this.#word(this.#mip) | this.#lines | this.#hart.timer.pending;
  }

  /** Those pending ones that mie enables. */
  get enabled(): number {
    return this.pending & this.#word(this.#mie);
  }

  /** The line that drives an interrupt-pending bit. */
  line(interrupt: Interrupt): IrqLine {
    const bit = 1 << interrupt;
    return {
      set: (level) => {
        const next = level ? this.#lines | bit : this.#lines & ~bit;
        if (next === this.#lines) return;
        this.#lines = next;
        this.#hart.attention = true;
      },
    };
  }

  /** Takes the interrupt that is due, if one is; tells emitted code whether one may come due by what it does. */
  take(): void {
    const hart = this.#hart;
    hart.attention = false;
    const enabled = this.enabled;
    this.#u32[(hart.base + HART.ready) >>> 2] = enabled;
    if (enabled === 0) return;
    hart.wake();
    const interrupt = nextInterrupt(hart, enabled);
    if (interrupt === undefined) return;
    const { pc, privilege, records, clock } = hart;
    takeTrap(hart, true, interrupt, 0n);
    if (!records.active) return;
    const at = records.begin(RecordKind.Trapped, pc, privilege, hart.index, clock.steps + clock.inSlice);
    records.trapped(at, hart, interrupt | INTERRUPT_MARK, 0n);
  }
}
