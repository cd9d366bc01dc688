/** The last few thousand instructions of a hart that gets nowhere, and what they have in common. */
import { RECORD, RecordFlag, RecordKind } from "../../events.ts";
import { TRAP_INTERRUPT } from "../../trace/record.ts";

/** Instructions that are kept: a loop of any length that a person calls one comes round several times. */
export const SAMPLE_STEPS = 16_384;
/** Most addresses that a loop may have instructions at. */
const LOOP_MAX = 256;

/** Loads by one instruction from one address. */
export interface SampledLoad {
  readonly pc: bigint;
  /** Virtual. */
  readonly addr: bigint;
  readonly size: number;
  /** The value last loaded, and whether it was always that. */
  readonly value: bigint;
  readonly constant: boolean;
  readonly times: number;
}

/** Traps of one kind. */
export interface SampledTrap {
  readonly interrupt: boolean;
  readonly cause: number;
  readonly epc: bigint;
  readonly tval: bigint;
  readonly times: number;
}

/** What a sample shows. */
export interface Sample {
  readonly hart: number;
  /** Instructions seen. */
  readonly steps: number;
  /** Their addresses, lowest first; undefined where there are too many for a loop. */
  readonly loop: readonly bigint[] | undefined;
  /** Whether every instruction wrote the same value each time: nothing can change. */
  readonly unchanging: boolean;
  readonly loads: readonly SampledLoad[];
  readonly stores: number;
  readonly traps: readonly SampledTrap[];
}

/** Listens to records and keeps the last ones. */
export class Sampler {
  readonly #bytes = new Uint8Array(SAMPLE_STEPS * RECORD.bytes);
  #next = 0;
  #filled = false;

  /** A listener for `EventStream.onRecords`. */
  records(view: DataView<ArrayBuffer>, count: number): void {
    const from = Math.max(0, count - SAMPLE_STEPS);
    for (let i = from; i < count; i++) {
      const source = new Uint8Array(view.buffer, view.byteOffset + i * RECORD.bytes, RECORD.bytes);
      this.#bytes.set(source, this.#next * RECORD.bytes);
      this.#next = (this.#next + 1) % SAMPLE_STEPS;
      this.#filled ||= this.#next === 0;
    }
  }

  /** What hart `index` did. */
  sample(index: number): Sample {
    const view = new DataView(this.#bytes.buffer);
    const count = this.#filled ? SAMPLE_STEPS : this.#next;
    const first = this.#filled ? this.#next : 0;
    const tally = new Tally();
    for (let i = 0; i < count; i++) {
      const at = ((first + i) % SAMPLE_STEPS) * RECORD.bytes;
      if (view.getUint8(at + RECORD.hart) === index) tally.add(view, at);
    }
    return tally.result(index);
  }
}

class Tally {
  readonly #written = new Map<bigint, bigint>();
  readonly #pcs = new Map<bigint, number>();
  readonly #loads = new Map<string, { -readonly [K in keyof SampledLoad]: SampledLoad[K] }>();
  readonly #traps = new Map<string, { -readonly [K in keyof SampledTrap]: SampledTrap[K] }>();
  #steps = 0;
  #stores = 0;
  #unchanging = true;
  #csr = false;

  add(view: DataView<ArrayBuffer>, at: number): void {
    const kind = view.getUint8(at + RECORD.kind);
    const pc = view.getBigUint64(at + RECORD.pc, true);
    if (kind === RecordKind.Csr) {
      this.#csr = true;
      return;
    }
    this.#steps++;
    if (kind === RecordKind.Trapped) return this.#trap(view, at, pc);
    if (this.#pcs.size <= LOOP_MAX) this.#pcs.set(pc, (this.#pcs.get(pc) ?? 0) + 1);
    const flags = view.getUint8(at + RECORD.flags);
    if ((flags & RecordFlag.Rd) !== 0) {
      const value = view.getBigUint64(at + RECORD.value, true);
      const before = this.#written.get(pc);
      if (before !== undefined && before !== value) this.#unchanging = false;
      if (this.#written.size <= LOOP_MAX) this.#written.set(pc, value);
    }
    if ((flags & RecordFlag.Store) !== 0) this.#stores++;
    if ((flags & RecordFlag.Load) !== 0) this.#load(view, at, pc);
  }

  #load(view: DataView<ArrayBuffer>, at: number, pc: bigint): void {
    const addr = view.getBigUint64(at + RECORD.addr, true);
    const value = view.getBigUint64(at + RECORD.data, true);
    const key = `${pc} ${addr}`;
    const known = this.#loads.get(key);
    if (known !== undefined) {
      known.constant &&= known.value === value;
      known.value = value;
      known.times++;
    } else if (this.#loads.size < LOOP_MAX) {
      this.#loads.set(key, { pc, addr, size: view.getUint8(at + RECORD.size), value, constant: true, times: 1 });
    }
  }

  #trap(view: DataView<ArrayBuffer>, at: number, epc: bigint): void {
    const code = view.getUint16(at + RECORD.csr, true);
    const key = `${code} ${epc}`;
    const known = this.#traps.get(key);
    if (known !== undefined) known.times++;
    else if (this.#traps.size < LOOP_MAX) {
      const tval = view.getBigUint64(at + RECORD.addr, true);
      const interrupt = (code & TRAP_INTERRUPT) !== 0;
      this.#traps.set(key, { interrupt, cause: code & ~TRAP_INTERRUPT, epc, tval, times: 1 });
    }
  }

  result(hart: number): Sample {
    // What was done once only led to the loop.
    const again = [...this.#pcs].flatMap(([pc, times]) => times > 1 ? [pc] : []);
    const loop = this.#pcs.size > LOOP_MAX || again.length * 3 > this.#steps ? undefined : again.sort(compare);
    return {
      hart,
      steps: this.#steps,
      loop,
      unchanging: this.#unchanging && !this.#csr,
      loads: [...this.#loads.values()].sort((a, b) => b.times - a.times),
      stores: this.#stores,
      traps: [...this.#traps.values()].sort((a, b) => b.times - a.times),
    };
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
