import { RECORD } from "../events.ts";
import type { EventStream, RecordKind } from "../events.ts";
import { RECORDS } from "./layout.ts";

/** Most records that one instruction done in TypeScript can make. */
const SPARE = 16;

/**
 * The ring of high-rate records: engines append, the stream's listeners get batches. `next` is the host address of the
 * next record; emitted code keeps its own copy of it while it runs.
 */
export class RecordRing {
  readonly base: number;
  /** Whether anybody reads records; engines make none otherwise. */
  active = false;
  next: number;
  readonly view: DataView<ArrayBuffer>;
  readonly #events: EventStream;
  readonly #buffer: ArrayBuffer;

  constructor(buffer: ArrayBuffer, base: number, events: EventStream) {
    this.#buffer = buffer;
    this.base = base;
    this.next = base;
    this.#events = events;
    this.view = new DataView(buffer, base, RECORDS * RECORD.bytes);
  }

  /** How many instructions emitted code may retire before the ring must be drained. */
  get room(): number {
    return RECORDS - SPARE - (this.next - this.base) / RECORD.bytes;
  }

  /** Hands everything to the listeners. */
  drain(): void {
    const count = (this.next - this.base) / RECORD.bytes;
    this.next = this.base;
    if (count > 0) this.#events.emitRecords(this.view, count);
  }

  /** Starts a record; the caller fills in the rest through `view`, from the returned offset. */
  begin(kind: RecordKind, pc: bigint, privilege: number, hart: number, step: number): number {
    if (this.room <= -SPARE + 1) this.drain();
    const at = this.next - this.base;
    this.next += RECORD.bytes;
    new Uint8Array(this.#buffer, this.base + at, RECORD.bytes).fill(0);
    this.view.setBigUint64(at + RECORD.pc, pc, true);
    this.view.setUint8(at + RECORD.kind, kind);
    this.view.setUint8(at + RECORD.privilege, privilege);
    this.view.setUint8(at + RECORD.hart, hart);
    this.view.setUint32(at + RECORD.step, step >>> 0, true);
    this.view.setUint32(at + RECORD.step + 4, Math.floor(step / 0x1_0000_0000), true);
    return at;
  }
}
