import { RECORD, RecordKind } from "../events.ts";
import type { EventStream } from "../events.ts";
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
  /** Offset of the record of the instruction being done, while one is; -1 otherwise. */
  openAt = -1;
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

  /** Hands all finished records to the listeners; the open one stays, and moves to the front. */
  drain(): void {
    const end = this.next - this.base;
    const finished = this.openAt < 0 ? end : this.openAt;
    if (finished === 0) return;
    this.#events.emitRecords(this.view, finished / RECORD.bytes);
    new Uint8Array(this.#buffer, this.base, RECORDS * RECORD.bytes).copyWithin(0, finished, end);
    this.next -= finished;
    if (this.openAt >= 0) this.openAt = 0;
  }

  /** Starts a record; the caller fills in the rest through `view`, from the returned offset. */
  begin(kind: RecordKind, pc: bigint, privilege: number, hart: number, step: number): number {
    // A CSR record stays in the batch of its instruction; the spare room is for these.
    if (this.room <= 0 && kind !== RecordKind.Csr) this.drain();
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

  /** Makes the record at `at` one of a trap that `hart` has just taken; `cause` has bit 15 set for an interrupt. */
  trapped(at: number, hart: { readonly pc: bigint; readonly privilege: number }, cause: number, tval: bigint): void {
    this.view.setUint8(at + RECORD.kind, RecordKind.Trapped);
    this.view.setUint8(at + RECORD.flags, 0);
    this.view.setUint8(at + RECORD.rd, hart.privilege);
    this.view.setUint16(at + RECORD.csr, cause, true);
    this.view.setBigUint64(at + RECORD.addr, tval, true);
    this.view.setBigUint64(at + RECORD.value, hart.pc, true);
  }
}
