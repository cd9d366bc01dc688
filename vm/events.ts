/**
 * The facts of a run. Everything that watches a machine (traces, checker, stall explainer, profiler, page) reads this
 * one stream and nothing else. What nobody listens to is not emitted: an emitter asks `wants(kind)` first, and engines
 * are specialised when listeners change.
 */
import type { RegisterDef } from "./bus/register.ts";
import { Watches } from "./watches.ts";

/** Privilege modes by their encoding (priv §1.2). */
export const Privilege = { U: 0, S: 1, M: 3 } as const;
/** A privilege mode. */
export type Privilege = typeof Privilege[keyof typeof Privilege];

/** Where in the run a fact belongs: the instruction being executed. */
export interface Where {
  /** Hart id. */
  readonly hart: number;
  /** Address of the instruction; unsigned, as wide as the hart's XLEN. */
  readonly pc: bigint;
  /** Mode the instruction was executed in. */
  readonly privilege: Privilege;
  /** Steps of the machine before this one: instructions retired or trapped. Harts of one round count the same steps. */
  readonly steps: number;
  /** Virtual time in steps: `steps` and what was skipped while idle. */
  readonly now: number;
}

/** One access to a device, or to nothing (`device` is then undefined). An 8-byte access is two of these. */
export interface MmioEvent {
  /** Tells facts apart. */
  readonly kind: "mmio";
  /** What was accessed. */
  readonly device: EventDevice | undefined;
  /** Guest-physical address. */
  readonly addr: number;
  /** Offset from the device's base. */
  readonly offset: number;
  /** Bytes of this access. */
  readonly size: 1 | 2 | 4;
  /** Width of the instruction's access: 8 where this is one half of a doubleword. */
  readonly accessSize: 1 | 2 | 4 | 8;
  /** Whether it was a write. */
  readonly write: boolean;
  /** Unsigned; -1 where the access faulted. */
  readonly value: number;
}

/** What a listener may know of a device: its name and the names of its registers. */
export interface EventDevice {
  /** Its name on the board. */
  readonly name: string;
  /** Names and fields of its registers. */
  readonly registers: readonly RegisterDef[];
  /** Whether the table's legacy names and registers apply. */
  readonly legacy?: boolean;
}

/** A trap was taken (priv §3.1.15 mcause codes). */
export interface TrapEvent {
  /** Tells facts apart. */
  readonly kind: "trap";
  /** Whether it is an interrupt, else an exception. */
  readonly interrupt: boolean;
  /** Exception code. */
  readonly cause: number;
  /** What mtval or stval got. */
  readonly tval: bigint;
  /** What mepc or sepc got: where the trap was taken. */
  readonly epc: bigint;
  /** Mode before. */
  readonly from: Privilege;
  /** Mode of the handler. */
  readonly to: Privilege;
  /** Where the handler is. */
  readonly handler: bigint;
}

/** A handler returned. */
export interface TrapReturnEvent {
  /** Tells facts apart. */
  readonly kind: "trap-return";
  /** What returned. */
  readonly instruction: "mret" | "sret";
  /** Where execution goes on. */
  readonly target: bigint;
  /** Mode it goes on in. */
  readonly to: Privilege;
}

/** An interrupt on its way: a device's line, and what the guest does with it at the PLIC. */
export interface IrqEvent {
  /** Tells facts apart. */
  readonly kind: "irq";
  /** What happened: to the line by the device (raised, lowered), or at the PLIC by the guest. */
  readonly step: "raised" | "lowered" | "claimed" | "completed";
  /** PLIC source; 0 for a claim that found nothing. */
  readonly source: number;
  /** PLIC context (claimed and completed only). */
  readonly context?: number;
  /** Name of the device behind the source, where the board knows one. */
  readonly device?: string;
}

/** A descriptor as the device read it. */
export interface DescriptorFact {
  /** Index in its table; `table` tells which. */
  readonly index: number;
  /** The descriptor table of the queue, or an indirect one. */
  readonly table: "ring" | "indirect";
  /** Guest-physical address of its buffer. */
  readonly addr: number;
  /** Bytes of its buffer. */
  readonly length: number;
  /** NEXT 1, WRITE 2, INDIRECT 4 (virtio 1.2 §2.7.5). */
  readonly flags: number;
  /** Index of the next one, if `flags` has NEXT. */
  readonly next: number;
}

/** One step of a virtqueue as its device sees it (virtio 1.2 §2.7, §2.8). */
export type VirtqueueEvent =
  & { readonly kind: "virtqueue"; readonly device: string; readonly queue: number }
  & (
    | { readonly step: "notified"; readonly value: number }
    /** The available index was read: `from` was the device's position, `to` the driver's. */
    | { readonly step: "available"; readonly from: number; readonly to: number }
    | {
      readonly step: "chain";
      readonly head: number;
      readonly position: number;
      readonly descriptors: readonly DescriptorFact[];
    }
    | {
      readonly step: "used";
      readonly head: number;
      readonly written: number;
      readonly position: number;
      /** How many buffers this one stands for, itself the last, if several (VIRTIO_F_IN_ORDER). */
      readonly buffers?: number;
    }
    | { readonly step: "interrupt"; readonly sent: boolean; readonly reason: string }
    | {
      readonly step: "configured";
      readonly format: "split" | "packed";
      readonly size: number;
      readonly desc: number;
      readonly driver: number;
      readonly device_area: number;
    }
    | { readonly step: "stopped" }
  );

/** Life cycle of a virtio device. */
export type VirtioDeviceEvent =
  & { readonly kind: "virtio"; readonly device: string }
  & (
    | { readonly step: "status"; readonly from: number; readonly to: number }
    | { readonly step: "reset" }
    | { readonly step: "features"; readonly offered: bigint; readonly accepted: bigint; readonly ok: boolean }
    | { readonly step: "config-changed"; readonly generation: number }
    | { readonly step: "needs-reset"; readonly reason: string }
    | { readonly step: "request"; readonly queue: number; readonly head: number; readonly text: string }
    /** `--chaos` had the device do something legal that drivers seldom meet: which kind, and what. */
    | { readonly step: "chaos"; readonly chaos: string; readonly text: string }
  );

/** The guest broke a rule of a device; the guest goes on. `spec` cites it, `what` says what was seen. */
export interface ViolationEvent {
  /** Tells facts apart. */
  readonly kind: "violation";
  /** Name of the device. */
  readonly device: string;
  /** E.g. `virtio 1.2 §2.7.5.2`. */
  readonly spec: string;
  /** Short stable id, e.g. `descriptor-loop`. */
  readonly id: string;
  /** What was seen, in words. */
  readonly what: string;
}

/** A hart began to wait, or was woken. */
export interface WfiEvent {
  /** Tells facts apart. */
  readonly kind: "wfi";
  /** What it does. */
  readonly step: "wait" | "wake";
}

/** Bytes that went through a console or UART. */
export interface ConsoleEvent {
  /** Tells facts apart. */
  readonly kind: "console";
  /** Name of the device. */
  readonly device: string;
  /** `out` of the guest, or `in` to it. */
  readonly direction: "out" | "in";
  /** Which ones; valid during the call. */
  readonly bytes: Uint8Array;
}

/** The machine was reset or told to stop. */
export interface MachineEvent {
  /** Tells facts apart. */
  readonly kind: "machine";
  /** What it does. */
  readonly step: "reset" | "pass" | "fail";
  /** Exit code of `fail`, else 0. */
  readonly code: number;
}

/** A low-rate fact: an object, told as it happens. */
export type MachineFact =
  | MmioEvent
  | TrapEvent
  | TrapReturnEvent
  | IrqEvent
  | VirtqueueEvent
  | VirtioDeviceEvent
  | ViolationEvent
  | WfiEvent
  | ConsoleEvent
  | MachineEvent;

/** Names of the low-rate facts, which travel as objects. */
export type FactKind = MachineFact["kind"];

/** The facts of one kind. */
export type FactOf<K extends FactKind> = Extract<MachineFact, { kind: K }>;

/** Told of facts of one kind, each with where in the run it belongs. */
export type FactListener<K extends FactKind> = (fact: FactOf<K>, where: Where) => void;

/**
 * Layout of one high-rate record (retired instructions and what belongs to them), in the ring in the machine's Memory.
 * Little endian; `RECORD.bytes` long, aligned to 8. A CSR or extra memory record belongs to the instruction record
 * before it and comes in the same batch. A CSR record names the CSR that holds the bits (mstatus for a write to sstatus;
 * sie and mie for one to sie) and its whole new value; the CSRs that a trap itself writes have none. A CSR that an instruction changes without naming it
 * has a record too: fflags where flags were raised, mstatus where its FS became Dirty. A record's numbers are zero-extended from XLEN.
 *
 * A `Trapped` record stands for a trap: `pc` is the epc, `insn` the instruction (0 where none was fetched, or for an
 * interrupt), `privilege` the mode trapped from, `rd` the mode trapped to, `csr` the cause code with bit 15 set for an
 * interrupt, `addr` the tval and `value` the handler's address.
 */
export const RECORD = {
  bytes: 64,
  /** u64 */
  pc: 0,
  /** u32; the low half only for a compressed instruction */
  insn: 8,
  /** u8, a `RecordKind` */
  kind: 12,
  /** u8, `RecordFlag`s */
  flags: 13,
  /** u8 */
  privilege: 14,
  /** u8, 0..31 */
  rd: 15,
  /** u64: value written to rd, or to the CSR */
  value: 16,
  /** u64: virtual address of the memory access */
  addr: 24,
  /** u64: value stored (or loaded, zero-extended to the access) */
  data: 32,
  /** u64: steps before this instruction */
  step: 40,
  /** u8: 1, 2, 4 or 8; 64 for a cleared cache block, whose data is 0 */
  size: 48,
  /** u8 */
  hart: 49,
  /** u16 */
  csr: 50,
} as const;

/** What a record says. */
export const RecordKind = { Retired: 0, Csr: 1, Trapped: 2 } as const;
/** What a record says, as a type. */
export type RecordKind = typeof RecordKind[keyof typeof RecordKind];

/** What an instruction record holds beside pc and instruction. */
export const RecordFlag = {
  Rd: 1,
  Load: 2,
  Store: 4,
  /** With `Rd`: rd is a floating-point register, and the value its 64 bits. */
  Float: 8,
} as const;

/** A batch of records: `count` of them from `view`'s start. Valid only during the call. */
export type RecordListener = (view: DataView<ArrayBuffer>, count: number) => void;

/**
 * Instructions one after the other in memory, none of which jumped away before the last: what engines remember of the
 * past where nobody reads records.
 */
export interface StraightRun {
  /** Guest-physical address of the first instruction. */
  readonly from: bigint;
  /** Guest-physical address of the last one. */
  readonly to: bigint;
  /**
   * Whether emitted code did the last one. If not, an interrupt or trap came instead, the run is still going on, or
   * something else had to do it, such as a device, or to make it ready: then the next run starts behind it or there.
   */
  readonly done: boolean;
  /** Translated code ran from `to` on, whose instructions are not remembered. */
  readonly translated?: boolean;
}

/** The one stream of a machine. */
export class EventStream {
  /** Tells where the run stands; set by the machine. */
  where: () => Where = () => ({ hart: 0, pc: 0n, privilege: Privilege.M, steps: 0, now: 0 });
  /** Called when the set of record listeners becomes empty or non-empty; set by the machine. */
  onSpecialise: (records: boolean) => void = () => {};
  /** Hands over the records made so far; set by the machine. */
  drainRecords: () => void = () => {};
  /**
   * Loads and stores in memory that somebody watches.
   *
   * @internal
   */
  readonly watches: Watches = new Watches();
  readonly #listeners = new Map<FactKind, FactListener<FactKind>[]>();
  #records: RecordListener[] = [];

  /** A stream that nobody listens to yet. */
  constructor() {
    this.watches.where = () => {
      // What happened before the access must be told before it.
      if (this.#records.length > 0) this.drainRecords();
      return this.where();
    };
  }

  /** Whether anybody listens to `kind`; ask before building a fact. */
  wants(kind: FactKind): boolean {
    return this.#listeners.has(kind);
  }

  /** Listens to one kind of fact; the returned function ends it. */
  on<K extends FactKind>(kind: K, listener: FactListener<K>): () => void {
    const list = this.#listeners.get(kind) ?? [];
    list.push(listener as unknown as FactListener<FactKind>);
    this.#listeners.set(kind, list);
    return () => {
      const i = list.indexOf(listener as unknown as FactListener<FactKind>);
      if (i >= 0) list.splice(i, 1);
      if (list.length === 0 && this.#listeners.get(kind) === list) this.#listeners.delete(kind);
    };
  }

  /** Tells everybody who listens. */
  emit(fact: MachineFact): void {
    const list = this.#listeners.get(fact.kind);
    if (list === undefined) return;
    // What happened before the fact must be told before it.
    if (this.#records.length > 0) this.drainRecords();
    const where = this.where();
    for (const listener of [...list]) listener(fact as never, where);
  }

  /** Reads retired instructions in batches; the returned function ends it. */
  onRecords(listener: RecordListener): () => void {
    this.#records = [...this.#records, listener];
    if (this.#records.length === 1) this.onSpecialise(true);
    return () => {
      this.#records = this.#records.filter((l) => l !== listener);
      if (this.#records.length === 0) this.onSpecialise(false);
    };
  }

  /** Hands a batch to the record listeners. */
  emitRecords(view: DataView<ArrayBuffer>, count: number): void {
    for (const listener of this.#records) listener(view, count);
  }
}
