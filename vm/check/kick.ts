/**
 * Whether a driver tells the device of what it has made available when, and only when, the device asks for that
 * (virtio 1.2 §2.7.10, §2.8.14).
 */
import type { VirtqueueEvent, Where } from "../events.ts";

/** Reads two bytes of guest memory; undefined where that cannot be seen. */
export type Peek = (addr: number) => number | undefined;

/** Tells that a rule was broken. */
export type KickReport = (rule: string, what: string, where: Where) => void;

type Layout = Extract<VirtqueueEvent, { step: "configured" }>;

/** What the device says of notifications. */
interface Asked {
  /** Of VIRTIO_F_EVENT_IDX, where it wants to be told; else the flags of the used ring, or of a packed ring's structure. */
  readonly event: boolean;
  readonly word: number;
}

/** VIRTQ_USED_F_NO_NOTIFY (virtio 1.2 §2.7.8), and RING_EVENT_FLAGS_DISABLE of packed rings (§2.8.14). */
const QUIET = 1;
/** RING_EVENT_FLAGS_DESC, and all bits of desc_event_flags (§2.8.14). */
const AT_DESC = 2;
const FLAGS_MASK = 3;

/** How often a driver looks at the used ring in vain before it is clear that it waits. */
const LOOKS = 1000;

/** Watches one queue. */
export class Kick {
  readonly #layout: Layout;
  readonly #peek: Peek;
  readonly #report: KickReport;
  /** Where something was made available last, since the device was told or took it by itself. */
  #exposed: Where | undefined;
  /** What the device said then, and whether it wanted silence every time. */
  #asked: Asked | undefined;
  #quiet = true;
  /** The available idx when the device was told last, and now. */
  #told = 0;
  #idx = 0;
  #looks = 0;
  /** Of a packed ring: the place that the device asks to be told of was made available. */
  #reached = false;

  constructor(layout: Layout, peek: Peek, report: KickReport) {
    this.#layout = layout;
    this.#peek = peek;
    this.#report = report;
  }

  /**
   * Something was made available: `idx` is the new one. Of a packed ring it is the place of the descriptor, with the wrap
   * counter as bit 15.
   */
  exposed(where: Where, idx: number, event: boolean): void {
    if (this.#exposed === undefined) this.#quiet = true;
    this.#exposed = where;
    this.#idx = idx;
    this.#looks = 0;
    this.#asked = this.#ask(event);
    this.#quiet &&= this.#asked?.word === QUIET;
    this.#reached ||= this.#asked?.word === idx;
  }

  /** The device has taken all that there is: nobody need tell it. */
  taken(): void {
    this.#exposed = undefined;
    this.#reached = false;
  }

  /** The driver is about to notify the device. `crowded`: the ring is so full that it may do so to get room. */
  notified(where: Where, crowded: boolean): void {
    const asked = this.#asked;
    // Which places of a packed ring the driver has gone over is left to the device.
    if (this.#exposed !== undefined && asked !== undefined && !crowded && this.#layout.format === "split") {
      const now = this.#ask(asked.event);
      const same = now?.word === asked.word;
      const { index, idx } = { index: this.#layout.queue, idx: this.#idx };
      if (asked.event && same && !this.#passed(asked.word)) {
        const what =
          `avail_event of queue ${index} is ${asked.word}, the available idx went from ${this.#told} to ${idx}`;
        this.#report("notify-suppressed", what, where);
      } else if (!asked.event && same && this.#quiet) {
        this.#report("notify-suppressed", `flags of queue ${index}'s used ring are ${QUIET}`, where);
      }
    }
    this.#exposed = undefined;
    this.#reached = false;
    this.#told = this.#idx;
  }

  /** The driver looks at the used ring, at what may be the end of a request. */
  looked(where: Where): void {
    if (this.#exposed === undefined || ++this.#looks !== LOOKS) return;
    this.#missing(where, `the driver has looked at the used ring ${LOOKS} times since`);
  }

  /** A hart begins to wait. */
  waits(where: Where): void {
    this.#missing(where, `hart ${where.hart} waits in wfi`);
  }

  /** Who waits has made something available, and the device, which asks for notifications, was not told. */
  #missing({ hart }: Where, waiting: string): void {
    const exposed = this.#exposed;
    const asked = this.#asked;
    if (exposed === undefined || asked === undefined || exposed.hart !== hart) return;
    const now = this.#ask(asked.event);
    if (now?.word !== asked.word || now.event !== asked.event) return;
    if (asked.event ? !this.#passed(asked.word) : asked.word !== 0) return;
    this.#exposed = undefined;
    const reason = this.#reason(asked);
    this.#report(
      "notify-missing",
      `queue ${this.#layout.queue} was not notified of what was made available here (${reason}); ${waiting}`,
      exposed,
    );
  }

  #reason({ event, word }: Asked): string {
    if (!event) return "its flags are 0";
    return this.#layout.format === "split"
      ? `avail_event is ${word}, the idx went from ${this.#told} to ${this.#idx}`
      : `it asks to be told of descriptor ${word & 0x7fff} with wrap counter ${word >>> 15}`;
  }

  /** §2.7.10.1, §2.8.14: whether the driver has gone beyond where the device wants to be told, since it was told. */
  #passed(event: number): boolean {
    if (this.#layout.format === "packed") return this.#reached;
    return ((this.#idx - event - 1) & 0xffff) < ((this.#idx - this.#told) & 0xffff);
  }

  #ask(event: boolean): Asked | undefined {
    const { format, device_area: area, size } = this.#layout;
    if (format === "packed") {
      const flags = this.#peek(area + 2);
      if (flags === undefined) return undefined;
      const at = (flags & FLAGS_MASK) === AT_DESC;
      return at ? asked(this.#peek(area), true) : asked(flags & FLAGS_MASK, false);
    }
    return asked(this.#peek(event ? area + 4 + 8 * size : area), event);
  }
}

function asked(word: number | undefined, event: boolean): Asked | undefined {
  return word === undefined ? undefined : { event, word };
}
