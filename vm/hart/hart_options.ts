/** What a hart needs of the machine around it, and what may be put beside it. */
import type { Bus } from "../bus/bus.ts";
import type { Clock } from "../bus/clock.ts";
import type { GuestMemory } from "../bus/memory.ts";
import type { EventStream } from "../events.ts";
import type { Isa } from "../isa/table.ts";
import type { Hart } from "./hart.ts";
import type { PmpEntries } from "./pmp.ts";
import type { RecordRing } from "./record_ring.ts";

/** What a hart needs of the machine around it. */
export interface HartOptions {
  readonly index: number;
  readonly isa: Isa;
  readonly memory: GuestMemory;
  readonly bus: Bus;
  readonly events: EventStream;
  readonly clock: Clock;
  /** Host address of the hart's state. */
  readonly base: number;
  /** High-rate records of all harts go here. */
  readonly records: RecordRing;
  /** Where the reset vector is. */
  readonly resetPc: bigint;
  /** `mtime` for the time CSR. */
  readonly time: () => bigint;
  /** PMP entries; default 16. With none, every mode may access everything (priv §3.7.1). */
  readonly pmpEntries?: PmpEntries;
}

/** Told when guest memory that may hold decoded code changes. Addresses are host addresses. */
export interface CodeWatch {
  /** Whether the page at this host address holds decoded code, so that stores there must be seen. */
  holds(page: number): boolean;
  written(host: number, length: number): void;
}

/** What serves S-mode's environment calls where no firmware in M-mode does. */
export interface Environment {
  /** Does the call of a hart that executes ecall in S-mode; gives where it goes on, if not behind the call. */
  call(hart: Hart): bigint | undefined;
}
