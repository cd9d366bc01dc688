/** The links between a driver's descriptors and the device's used ring (virtio 1.2 §2.7, §2.8). */
import { deviceType } from "../../../devices/virtio/features.ts";
import { statusText, virtioStatus } from "../../../devices/virtio/registers.ts";
import { hex } from "../../bits.ts";
import type { Stall, StallDevice, StallQueue, StallView } from "./view.ts";

/** AVAIL and USED of a packed descriptor (virtio 1.2 §2.8.1). */
const AVAIL_SHIFT = 7;
const USED_SHIFT = 15;

/** Device types whose even queues wait for something from outside: network and console receive (§5.1.2, §5.3.2). */
const RECEIVING: ReadonlySet<number> = new Set([1, 3]);
/** Device types whose first queue only brings events: input, socket receive and the test device (§5.8, §5.10). */
const FIRST_RECEIVING: ReadonlySet<number> = new Set([18, 19, 63]);

/** Whether buffers in a queue stay there until something comes from outside. */
export function waitsOutside(id: number, queue: number): boolean {
  return (RECEIVING.has(id) && queue % 2 === 0) || (FIRST_RECEIVING.has(id) && queue === 0);
}

/** Whether a queue only sends: its driver need not be told that a buffer is used. */
export function transmits(id: number, queue: number): boolean {
  return RECEIVING.has(id) && queue % 2 === 1;
}

/** `virtio0 (blk)`. */
export function deviceText({ name, id }: StallDevice): string {
  const type = deviceType(id)?.name;
  return type === undefined ? name : `${name} (${type})`;
}

/** How many buffers stand in the available ring that the device has not taken, as far as that can be seen. */
function waiting(view: StallView, queue: StallQueue): number {
  if (queue.format === "split") return (view.read(queue.driver + 2, 2) - queue.taken) & 0xffff;
  const flags = view.read(queue.desc + 16 * queue.taken + 14, 2);
  const avail = (flags >>> AVAIL_SHIFT) & 1;
  const used = (flags >>> USED_SHIFT) & 1;
  return avail === queue.wrap && used !== queue.wrap ? 1 : 0;
}

/**
 * Whether the driver has made the next descriptor of a packed ring available for the other wrap counter (virtio 1.2
 * §2.8.1). The tail of an old list looks so too, but of that nobody notifies.
 */
function otherWrap(view: StallView, { desc, taken, wrap, vain }: StallQueue): boolean {
  if (!vain) return false;
  const flags = view.read(desc + 16 * taken + 14, 2);
  return ((flags >>> AVAIL_SHIFT) & 1) !== wrap && ((flags >>> USED_SHIFT) & 1) === wrap;
}

/** Where a queue stands, in words. */
export function queueText(view: StallView, queue: StallQueue): string {
  const { index, inFlight, taken, used, format } = queue;
  const flight = `${inFlight} in flight`;
  if (format === "packed") {
    const flags = view.read(queue.desc + 16 * taken + 14, 2);
    return `queue ${index} (packed): the device takes next at ${taken} (flags there ${
      hex(flags, 4)
    }, its wrap counter ${queue.wrap}), uses next at ${used}; ${flight}`;
  }
  const idx = view.read(queue.driver + 2, 2);
  const ring = view.read(queue.device + 2, 2);
  return `queue ${index}: available idx ${idx}, the device has taken ${taken}; used idx ${ring}; ${flight}`;
}

/** A descriptor that is filled in while nothing was ever made available; -1 if there is none. */
function unexposed(view: StallView, queue: StallQueue): number {
  const filled = (index: number) => {
    const at = queue.desc + 16 * index;
    return view.read(at + 8, 4) > 0 && (view.read(at, 4) !== 0 || view.read(at + 4, 4) !== 0);
  };
  if (queue.taken !== 0) return -1;
  if (queue.format === "packed") {
    // A used one may look like it, when the device has gone around the ring.
    const used = queue.interrupts > 0 || queue.used > 0 || queue.wrap === 0;
    const flags = view.read(queue.desc + 14, 2);
    return !used && ((flags >>> AVAIL_SHIFT) & 1) === 0 && ((flags >>> USED_SHIFT) & 1) === 0 && filled(0) ? 0 : -1;
  }
  if (view.read(queue.driver + 2, 2) !== 0) return -1;
  for (let i = 0; i < queue.size; i++) if (filled(i)) return i;
  return -1;
}

/** The first broken link on the way from a driver to a used buffer, of any device. */
export function chainStall(view: StallView): Stall | undefined {
  return view.devices.map((device) => brokenQueue(view, device)).find((one) => one !== undefined);
}

/** The first broken link of a device on the way to its used ring; undefined where none is seen. */
function brokenQueue(view: StallView, device: StallDevice): Stall | undefined {
  const { status, queues } = device;
  const name = deviceText(device);
  const states = [`${name}: Status ${statusText(status)}`, ...queues.map((queue) => queueText(view, queue))];
  if ((status & virtioStatus.DEVICE_NEEDS_RESET) !== 0) {
    return {
      link: "device",
      why:
        `${name} has stopped: it set DEVICE_NEEDS_RESET, because of something the driver did, and answers nothing more.`,
      seen: states,
      next: "run with --check (or --trace-devices) to see which rule was broken; only a reset brings the device back",
    };
  }
  if ((status & virtioStatus.FAILED) !== 0) {
    return {
      link: "device",
      why: `the driver has given ${name} up: it set FAILED in Status.`,
      seen: states,
      next: "find out why the driver failed: its probe function returned an error",
    };
  }
  for (const queue of queues) {
    const found = brokenRing(view, device, queue, states);
    if (found !== undefined) return found;
  }
  return undefined;
}

function brokenRing(
  view: StallView,
  device: StallDevice,
  queue: StallQueue,
  seen: readonly string[],
): Stall | undefined {
  const name = `${deviceText(device)}, queue ${queue.index}`;
  const buffers = waiting(view, queue);
  const live = (device.status & virtioStatus.DRIVER_OK) !== 0;
  if (buffers > 0 && !live) {
    return {
      link: "device",
      why:
        `${name}: the driver has made buffers available but never set DRIVER_OK, so the device does not look at them.`,
      seen,
      next: "set DRIVER_OK in Status (0x0f in all) once the queues are set up, before the first notification",
    };
  }
  if (buffers > queue.size && queue.format === "split") {
    return {
      link: "avail",
      why: `${name}: the available idx is ${buffers} ahead of the device, in a queue of ${queue.size}.`,
      seen,
      next: "idx counts buffers modulo 65536, by one for each; do not put a byte offset or a ring position there",
    };
  }
  if (buffers > 0 && !waitsOutside(device.id, queue.index)) {
    const many = buffers === 1 ? "a buffer is" : `${buffers} buffers are`;
    return {
      link: "notify",
      why:
        `${name}: ${many} available that the device has not taken, and nobody has told it: the notification is missing.`,
      seen,
      next: `write ${queue.index} to QueueNotify (0x050) after the available idx; a device does not look by itself`,
    };
  }
  if (queue.format === "packed" && otherWrap(view, queue)) {
    const { taken, wrap } = queue;
    return {
      link: "avail",
      why:
        `${name}: the driver has notified, but descriptor ${taken} is marked available for the wrap counter ${
          1 - wrap
        }, and the device's is ${wrap}: ` +
        "the driver went around the ring and did not flip its own.",
      seen,
      next: "flip the wrap counter whenever the next place goes over the ring's end; AVAIL equals it and USED does not",
    };
  }
  const hidden = unexposed(view, queue);
  if (hidden >= 0) {
    const split = queue.format === "split";
    const lacks = split
      ? "nothing was ever put into the available ring (idx is 0)"
      : "its flags do not make it available: AVAIL is 0";
    return {
      link: "avail",
      why: `${name}: descriptor ${hidden} is filled in, but ${lacks}.`,
      seen,
      next: split
        ? "put the head's index into ring[idx % size], then add 1 to idx, then notify"
        : "store flags last, with AVAIL (bit 7) equal to the driver's wrap counter and USED (bit 15) not, then notify",
    };
  }
  return undefined;
}
