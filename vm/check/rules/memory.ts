/** Rules on memory that the device has, and on the order in which it is written and read (virtio 1.2 §2.7.13, §3.3). */
import type { RuleRow } from "../rule.ts";

const implied = { keyword: "implied", severity: "warning", occasion: "memory" } as const;

/** By name. */
export const memoryRules: Readonly<Record<string, RuleRow>> = {
  "buffer-read-in-flight": {
    ...implied,
    statement: "implied:buffer-written-in-flight implied:blk-data-before-complete",
    section: "2.7.14",
    wrong: "A buffer that the device writes was read before the device had used it.",
    why: "What stands there until then is old or half-written: it worked by luck, or on a device that answers at once.",
    mend: "Wait until the buffer's head is in the used ring, then a read barrier, then read len bytes of it.",
  },
  "buffer-written-in-flight": {
    ...implied,
    statement: "implied:buffer-written-in-flight",
    section: "2.7.13",
    wrong: "A buffer was written while the device had it.",
    why: "The device may read it at any moment until it is used, and get half of the old and half of the new.",
    mend: "Fill the buffer before it is made available, and use it again only after it came back in the used ring.",
  },
  "descriptor-written-in-flight": {
    statement: "basic053",
    section: "3.3.1",
    keyword: "MUST NOT",
    occasion: "memory",
    wrong: "A descriptor of a chain that the device has was changed.",
    why: "The device may read descriptors at any time until the chain is used: it would go to wrong addresses.",
    mend: "Take descriptors from a free list, and put them back there only when their head comes in the used ring.",
  },
  "avail-entry-late": {
    ...implied,
    severity: "error",
    statement: "implied:avail-entry-late",
    section: "2.7.13.2",
    wrong: "An entry of the available ring was written after the idx that makes it available.",
    why: "As soon as idx has moved the device may take the entry: it finds whatever stood there before.",
    mend: "Write ring[idx % size] first, then a write barrier, then idx.",
  },
  "avail-idx-back": {
    statement: "basic071 split023",
    section: "2.7.6.1",
    keyword: "MUST NOT",
    occasion: "memory",
    wrong: "The available idx of a live queue went back.",
    why: "Buffers once made available cannot be taken back: the device may have them already.",
    mend: "Only ever add to idx; to take buffers back, reset the queue or the device.",
  },
  "used-ring-written": {
    ...implied,
    severity: "error",
    statement: "implied:used-ring-written",
    section: "2.7.8",
    wrong: "The driver wrote to the used ring.",
    why: "Only the device writes there: what it has said of used buffers is lost.",
    mend:
      "Keep in a variable of the driver how far the used ring was read; clear the ring before the queue is handed over.",
  },
  "used-read-early": {
    ...implied,
    statement: "implied:used-read-beyond-idx",
    section: "2.7.14",
    wrong: "An element of the used ring was read that the device had not written yet.",
    why: "There stands an id and a length of nothing: the driver would take back a buffer that the device still has.",
    mend: "Read an element only when the used idx is beyond it, and count with 16 bits as idx does.",
  },
  "barrier-available": {
    statement: "split056 packed027",
    section: "2.7.13.3.1",
    keyword: "MUST",
    severity: "advice",
    occasion: "memory",
    wrong: "There is no barrier between a buffer's descriptors and what makes it available.",
    why:
      "A hart may let the device see the second store first, and it takes a buffer that is not there yet. Harts that " +
      "do things in order, as here, never fail without it; others do, seldom and at random.",
    mend: "Put `fence w, w` (smp_wmb) before the store of the available idx, or of the first descriptor's flags.",
  },
  "barrier-notify": {
    ...implied,
    severity: "advice",
    statement: "implied:barrier-notify",
    section: "2.7.13.4.1",
    wrong: "There is no barrier between making a buffer available and notifying the device.",
    why: "The notification may reach the device before the idx does: it looks, finds nothing, and is not told again.",
    mend: "Put `fence w, o` or `fence rw, rw` (virtio_mb, or writel, which has one) before the write to QueueNotify.",
  },
  "barrier-used": {
    ...implied,
    severity: "advice",
    statement: "implied:used-barrier",
    section: "2.7.14",
    wrong: "There is no barrier between reading the used idx and reading the element that it announces.",
    why: "A hart may have read the element before the idx: it is then what stood there before the device wrote it.",
    mend: "Put `fence r, r` (virtio_rmb) between the two.",
  },
};
