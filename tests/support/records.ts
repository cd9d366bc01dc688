/** High-rate records made by hand: what an engine would put into the ring, for tests of its readers. */
import { Privilege, RECORD, RecordFlag, RecordKind } from "../../vm/events.ts";

/** What every record may say; what is left out is 0. */
interface RecordCommon {
  readonly pc?: bigint;
  readonly insn?: number;
  readonly privilege?: Privilege;
  readonly hart?: number;
  readonly step?: number;
}

/** A retired instruction. */
export interface RetiredSpec extends RecordCommon {
  readonly rd?: readonly [register: number, value: bigint];
  /** A floating-point register. */
  readonly frd?: readonly [register: number, value: bigint];
  readonly load?: { readonly addr: bigint; readonly size: 1 | 2 | 4 | 8; readonly data?: bigint };
  readonly store?: { readonly addr: bigint; readonly size: 1 | 2 | 4 | 8 | 64; readonly data: bigint };
  /** CSR records that follow. */
  readonly csrs?: readonly (readonly [number: number, value: bigint])[];
}

/** A trap. */
export interface TrappedSpec extends RecordCommon {
  readonly cause: number;
  readonly interrupt?: boolean;
  readonly tval?: bigint;
  readonly to?: Privilege;
  readonly handler: bigint;
}

/** Collects records in order; steps count up by themselves unless given. */
export class RecordBuilder {
  #view = new DataView(new ArrayBuffer(RECORD.bytes * 64));
  #count = 0;
  #step = 0;

  get count(): number {
    return this.#count;
  }

  /** The records so far; their number is `count`. */
  get view(): DataView<ArrayBuffer> {
    return this.#view;
  }

  /** Adds a retired instruction and its CSR records. */
  retired(spec: RetiredSpec): this {
    const at = this.#begin(RecordKind.Retired, spec);
    const v = this.#view;
    let flags = 0;
    if (spec.rd !== undefined) {
      flags |= RecordFlag.Rd;
      v.setUint8(at + RECORD.rd, spec.rd[0]);
      v.setBigUint64(at + RECORD.value, spec.rd[1], true);
    }
    if (spec.frd !== undefined) {
      flags |= RecordFlag.Rd | RecordFlag.Float;
      v.setUint8(at + RECORD.rd, spec.frd[0]);
      v.setBigUint64(at + RECORD.value, spec.frd[1], true);
    }
    const access = spec.store ?? spec.load;
    if (access !== undefined) {
      flags |= (spec.load && RecordFlag.Load || 0) | (spec.store && RecordFlag.Store || 0);
      v.setBigUint64(at + RECORD.addr, access.addr, true);
      v.setBigUint64(at + RECORD.data, access.data ?? 0n, true);
      v.setUint8(at + RECORD.size, access.size);
    }
    v.setUint8(at + RECORD.flags, flags);
    for (const [number, value] of spec.csrs ?? []) {
      const csr = this.#begin(RecordKind.Csr, spec, this.#step - 1);
      this.#view.setUint16(csr + RECORD.csr, number, true);
      this.#view.setBigUint64(csr + RECORD.value, value, true);
    }
    return this;
  }

  /** Adds a trap. */
  trapped(spec: TrappedSpec): this {
    const at = this.#begin(RecordKind.Trapped, spec);
    this.#view.setUint16(at + RECORD.csr, spec.cause | (spec.interrupt ? 0x8000 : 0), true);
    this.#view.setBigUint64(at + RECORD.addr, spec.tval ?? 0n, true);
    this.#view.setBigUint64(at + RECORD.value, spec.handler, true);
    this.#view.setUint8(at + RECORD.rd, spec.to ?? Privilege.M);
    return this;
  }

  #begin(kind: RecordKind, spec: RecordCommon, step = spec.step ?? this.#step): number {
    const at = this.#count++ * RECORD.bytes;
    if (at + RECORD.bytes > this.#view.byteLength) {
      const larger = new Uint8Array(this.#view.byteLength * 2);
      larger.set(new Uint8Array(this.#view.buffer));
      this.#view = new DataView(larger.buffer);
    }
    const v = this.#view;
    v.setBigUint64(at + RECORD.pc, spec.pc ?? 0n, true);
    v.setUint32(at + RECORD.insn, spec.insn ?? 0, true);
    v.setUint8(at + RECORD.kind, kind);
    v.setUint8(at + RECORD.privilege, spec.privilege ?? Privilege.M);
    v.setUint8(at + RECORD.hart, spec.hart ?? 0);
    v.setBigUint64(at + RECORD.step, BigInt(step), true);
    this.#step = step + 1;
    return at;
  }
}
