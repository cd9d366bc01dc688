import type { GuestMemory } from "../../vm/bus/memory.ts";
import type { EventStream } from "../../vm/events.ts";
import type { Chain } from "./chain.ts";
import type { VirtioRule } from "./rules.ts";

/** A virtqueue as a device type sees it, whatever its layout in memory (virtio 1.2 §2.6). */
export interface Virtqueue {
  /** Its number, an index of `VirtioDevice.queues`. */
  readonly index: number;
  /** Whether the driver has set it up. */
  readonly ready: boolean;
  /** Chains taken and not given back. */
  readonly inFlight: number;
  /**
   * Takes the next available buffer; undefined if there is none, or if the queue is stopped. A buffer taken is in
   * flight until `push`, or until the queue stops: then it must not be touched any more.
   */
  pop(): Chain | undefined;
  /**
   * Gives a buffer back as used with `written` bytes in its device-writable part, counted from the first, and notifies
   * the driver if it wants that. A chain of a queue that was stopped meanwhile is dropped.
   *
   * @throws if `written` exceeds the device-writable part, which would be our mistake
   */
  push(chain: Chain, written: number): void;
  /**
   * Advises the driver that available buffer notifications are not needed (virtio 1.2 §2.7.10), or are again. Who
   * wants them again must look at the queue afterwards: buffers may have come in between.
   */
  suppressNotifications(suppressed: boolean): void;
}

/** Where the driver laid out a queue. Guest-physical addresses, `size` in entries. */
export interface QueueLayout {
  readonly size: number;
  /** Descriptor Area: the table of a split queue, the ring of a packed one. */
  readonly desc: number;
  /** Driver Area: the available ring of a split queue, the driver's event suppression of a packed one. */
  readonly driver: number;
  /** Device Area: the used ring of a split queue, the device's event suppression of a packed one. */
  readonly device: number;
}

/** How far a queue is, for who wants to know why nothing happens. */
export interface QueueState extends QueueLayout {
  readonly format: "split" | "packed";
  /** Where the device takes the next buffer and puts the next used one: split, a 16-bit index; packed, an offset. */
  readonly taken: number;
  readonly used: number;
  /** Packed: the wrap counter that belongs to `taken`; split: 0. */
  readonly wrap: 0 | 1;
  /** Where `used` stood when the driver was last sent a used buffer notification, and how many it was sent. */
  readonly told: number;
  readonly interrupts: number;
  /** The driver notified the device, and nothing was found in the queue since. */
  readonly vain: boolean;
}

/** A virtqueue as its transport sees it. */
export interface ManagedVirtqueue extends Virtqueue {
  /** Undefined while the driver has not handed it over. Nothing is changed by looking. */
  readonly state: QueueState | undefined;
  /** Begins at index 0 of the rings at `layout`; false (and a failed device) if they cannot be used. */
  configure(layout: QueueLayout): boolean;
  /** The driver says that it has made something available. */
  notified(): void;
  /** Forgets the rings and everything in flight. */
  stop(): void;
  /**
   * What is wrong with the `next_off` and `next_wrap` of an available buffer notification (virtio 1.2 §2.9), if
   * anything is.
   */
  notificationProblem(offset: number, wrap: number): string | undefined;
}

/** The largest power of two up to `size`: the most entries of a split virtqueue (virtio 1.2 §2.7) in its place. */
export function splitSizeMax(size: number): number {
  return 2 ** Math.floor(Math.log2(size));
}

/** What a queue needs of the device it belongs to. */
export interface QueueHost {
  /** Name of the device in events. */
  readonly name: string;
  readonly memory: GuestMemory;
  readonly events: EventStream;
  /** Refuse what only works because devices are lenient. */
  readonly strict: boolean;
  /** Whether buffers may be given back now. */
  readonly live: boolean;
  /** Whether buffers may be taken now. */
  readonly taking: boolean;
  /** Negotiated: VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC, VIRTIO_F_NOTIFY_ON_EMPTY, VIRTIO_F_IN_ORDER. */
  readonly eventIdx: boolean;
  readonly indirectDesc: boolean;
  readonly notifyOnEmpty: boolean;
  readonly inOrder: boolean;
  /** A number that no queue of the device has had before, for a new life of one. */
  newEpoch(): number;
  /** Sends a used buffer notification. */
  usedBuffer(): void;
  /** The guest broke `rule`; it goes on. */
  violation(rule: VirtioRule, what: string): void;
  /** The guest broke `rule` so that the device cannot go on: DEVICE_NEEDS_RESET. */
  fail(rule: VirtioRule, what: string): void;
}
