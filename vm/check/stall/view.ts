/** What the stall explainer looks at: a machine that stands still for the moment. Nothing is changed by looking. */
import type { HartView } from "../../trace/hart_view.ts";
import type { Symbolizer } from "../../trace/symbolizer.ts";
import type { RegisterDef } from "../../bus/register.ts";

/** A virtqueue that its driver has handed over. Guest-physical addresses. */
export interface StallQueue {
  readonly index: number;
  readonly format: "split" | "packed";
  readonly size: number;
  readonly desc: number;
  readonly driver: number;
  readonly device: number;
  /** Where the device takes the next buffer and puts the next used one: split, a 16-bit index; packed, an offset. */
  readonly taken: number;
  readonly used: number;
  /** Packed: the wrap counter that belongs to `taken`. */
  readonly wrap: 0 | 1;
  /** Where `used` stood when the driver was last sent a used buffer notification, and how many it was sent. */
  readonly told: number;
  readonly interrupts: number;
  /** The driver notified the device, and nothing was found in the queue since. */
  readonly vain: boolean;
  /** Buffers that the device has taken and not given back. */
  readonly inFlight: number;
  /**
   * Used buffers that the driver has not read, and whether it has looked for some since the last was used; absent where
   * nobody watches.
   */
  readonly unread?: number;
  readonly looked?: boolean;
}

/** A virtio device. */
export interface StallDevice {
  readonly name: string;
  /** DeviceID. */
  readonly id: number;
  readonly status: number;
  readonly interruptStatus: number;
  /** VIRTIO_F_EVENT_IDX was negotiated. */
  readonly eventIdx: boolean;
  /** PLIC source of its line. */
  readonly source: number;
  /** Those that are handed over. */
  readonly queues: readonly StallQueue[];
}

/** A PLIC source. */
export interface StallSource {
  readonly id: number;
  /** What is behind it. */
  readonly name: string;
  readonly priority: number;
  readonly raised: boolean;
  readonly pending: boolean;
  /** Claimed and not completed. */
  readonly claimed: boolean;
  /** Contexts that it is enabled for: 2 × hart for M-mode, one more for S-mode. */
  readonly enabled: readonly number[];
}

/** What is at a guest-physical address. */
export interface StallPlace {
  readonly name: string;
  readonly offset: number;
  readonly registers: readonly RegisterDef[];
  readonly legacy: boolean;
}

/** The machine. */
export interface StallView {
  readonly harts: readonly HartView[];
  readonly devices: readonly StallDevice[];
  /** Sources that something is behind. */
  readonly sources: readonly StallSource[];
  threshold(context: number): number;
  /** Little-endian number in guest memory; -1 outside it. */
  read(addr: number, size: 1 | 2 | 4): number;
  /** Guest-physical address of what a hart would load from; undefined where it cannot. */
  physical(hart: number, addr: bigint): number | undefined;
  /** The device at a guest-physical address. */
  place(addr: number): StallPlace | undefined;
  readonly symbolize?: Symbolizer | undefined;
}

/** Why nothing happens: the first broken link. */
export interface Stall {
  /** Which link: for tests and for other readers than people. */
  readonly link: string;
  /** One sentence. */
  readonly why: string;
  readonly seen: readonly string[];
  /** What to try next. */
  readonly next: string;
}
