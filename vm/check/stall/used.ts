/**
 * The links between the device's used ring and the driver that waits for it: what it wants to be told of (virtio 1.2
 * §2.7.7, §2.8.10), and whether its handler looks. For harts that all wait.
 */
import { deviceText, queueText, transmits, waitsOutside } from "./queues.ts";
import type { Stall, StallDevice, StallQueue, StallView } from "./view.ts";

/** VIRTQ_AVAIL_F_NO_INTERRUPT (virtio 1.2 §2.7.7). */
const NO_INTERRUPT = 1;
/** RING_EVENT_FLAGS_DISABLE and RING_EVENT_FLAGS_DESC (virtio 1.2 §2.8.10). */
const EVENT_DISABLE = 1;
const EVENT_DESC = 2;
/** Half of the numbers that a 16-bit index has: what is farther ahead lies behind. */
const HALF = 0x8000;
const LOOK_AGAIN = "and look for used buffers once more after that, before waiting";

/** One queue of one device. */
interface One {
  readonly device: StallDevice;
  readonly queue: StallQueue;
}

function queuesOf({ devices }: StallView): One[] {
  return devices.flatMap((device) => device.queues.map((queue) => ({ device, queue })));
}

function nameOf({ device, queue }: One): string {
  return `${deviceText(device)}, queue ${queue.index}`;
}

/**
 * A queue whose device has used buffers and not told, as the driver wanted it. Who sends does not wait for that: such
 * queues count only with `sending`.
 */
export function untoldStall(view: StallView, sending: boolean): Stall | undefined {
  const found = queuesOf(view).find(({ device, queue }) =>
    queue.used !== queue.told && transmits(device.id, queue.index) === sending
  );
  if (found === undefined) return undefined;
  const { why, next } = untold(view, found);
  return { link: "used", why: `${nameOf(found)}: ${why}`, seen: [queueText(view, found.queue)], next };
}

function untold(view: StallView, { device, queue }: One): Pick<Stall, "why" | "next"> {
  if (queue.format === "packed") return untoldPacked(view, queue);
  if (device.eventIdx) return untoldEvent(view.read(queue.driver + 4 + 2 * queue.size, 2), queue);
  if ((view.read(queue.driver, 2) & NO_INTERRUPT) !== 0) {
    return {
      why: "the device has used buffers, and the driver has told it not to interrupt (VIRTQ_AVAIL_F_NO_INTERRUPT).",
      next: `clear flags of the available ring before waiting, ${LOOK_AGAIN}`,
    };
  }
  return late("flags of the available ring", "cleared");
}

/** With VIRTIO_F_EVENT_IDX (virtio 1.2 §2.7.7.2). */
function untoldEvent(event: number, { used, told }: StallQueue): Pick<Stall, "why" | "next"> {
  const last = (used - 1) & 0xffff;
  if (event === last) return late("used_event", "written");
  const asks = `used_event is ${event}: the driver asks to be interrupted when entry ${event} is used`;
  const next = `write the index of the next entry the driver has not seen to used_event, ${LOOK_AGAIN}`;
  if (((event - used) & 0xffff) < HALF) {
    return { why: `${asks}, and the device has used all it was given, up to entry ${last}.`, next };
  }
  return {
    why: `${asks}, which the device has passed: it went on to entry ${last} and last interrupted at used idx ${told}.`,
    next,
  };
}

function untoldPacked(view: StallView, { driver, used }: StallQueue): Pick<Stall, "why" | "next"> {
  const event = view.read(driver, 2);
  const flags = view.read(driver + 2, 2) & 3;
  if (flags === EVENT_DISABLE) {
    return {
      why: "the device has used buffers, and the driver has told it not to interrupt (RING_EVENT_FLAGS_DISABLE).",
      next: `write RING_EVENT_FLAGS_ENABLE to the driver's event suppression structure before waiting, ${LOOK_AGAIN}`,
    };
  }
  if (flags !== EVENT_DESC) return late("the driver's event suppression flags", "changed");
  return {
    why: `the driver asks to be interrupted when descriptor ${event & 0x7fff} is used with wrap counter ${
      event >>> 15
    } (RING_EVENT_FLAGS_DESC), and the device has gone past that place: it uses next at ${used}.`,
    next: `write the place of the next descriptor the driver has not seen, with its wrap counter, ${LOOK_AGAIN}`,
  };
}

/** The driver wants interrupts now, and wanted none when the buffer was used. */
function late(what: string, verb: string): Pick<Stall, "why" | "next"> {
  return {
    why: `the device used a buffer before ${what} asked for an interrupt, and the driver has not looked since.`,
    next: `look for used buffers once more after ${what} ${what.endsWith("s") ? "are" : "is"} ${verb}, before waiting`,
  };
}

/** A queue of which is known that its driver was interrupted and has not looked at the used ring since. */
export function unreadStall(view: StallView): Stall | undefined {
  const found = queuesOf(view).find(({ queue: { unread = 0, interrupts } }) => unread > 0 && interrupts > 0);
  if (found === undefined) return undefined;
  const { unread, looked = false, format } = found.queue;
  const buffers = unread === 1 ? "a buffer" : `${unread} buffers`;
  const done = `${nameOf(found)}: the device has used ${buffers} and interrupted, the interrupt was acknowledged, and`;
  const seen = [queueText(view, found.queue), interruptsText(found.queue)];
  if (looked) {
    return {
      link: "handler",
      why: `${done} the handler has looked at ${
        format === "split" ? "the used idx" : "flags of the ring"
      } since and taken nothing: it compares with another position than the device's, or leaves the buffer there.`,
      seen,
      next: `${TAKE}; ${POSITION[format]}`,
    };
  }
  return {
    link: "handler",
    why: `${done} nobody has read the ${
      format === "split" ? "used ring" : "ring"
    } since: the handler ignores the queue.`,
    seen,
    next: TAKE,
  };
}

/** How a driver knows that there is something to take. */
const POSITION = {
  split:
    "count what was taken in 16 bits, take while that is not the used idx, and take it modulo the size only for the element",
  packed:
    "used is a descriptor whose AVAIL and USED both equal the driver's wrap counter, which flips at the end of the ring",
} as const;

/** A queue that may be the one: its device has done everything, and it depends on the handler what comes of it. */
export function answeredStall(view: StallView): Stall | undefined {
  const found = queuesOf(view).find(({ device, queue: { interrupts, inFlight, index, unread = 1 } }) =>
    interrupts > 0 && inFlight === 0 && unread > 0 && !waitsOutside(device.id, index)
  );
  if (found === undefined) return undefined;
  return {
    link: "handler",
    why: `every hart waits, and ${nameOf(found)} has used all buffers it was given and interrupted for them: if the ` +
      "program waits for one of them, its handler does not take them out of the used ring.",
    seen: [queueText(view, found.queue), interruptsText(found.queue)],
    next: `${TAKE}; --check tells whether it looks. If the program is over, end it through the test finisher`,
  };
}

const TAKE =
  "take used buffers in the handler until there are no more, after InterruptACK is written; then wake who waits";

function interruptsText({ interrupts }: StallQueue): string {
  return `${interrupts === 1 ? "one interrupt" : `${interrupts} interrupts`} sent for it; none is pending now`;
}
