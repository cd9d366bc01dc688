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
  "buffer-overlap": {
    ...implied,
    occasion: "chain",
    statement: "implied:buffer-overlap",
    section: "2.7",
    wrong:
      "A buffer that the device writes lies partly on another one that it writes, on a ring, or on an indirect table.",
    why: "The later of two writes stays: data of one request shows up in another, or descriptors turn into data.",
    mend: "Give every buffer memory of its own until it comes back, and check lengths against what was allocated.",
    tolerated: ["qemu", "firecracker"],
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
    wrong: "The driver wrote to the used ring, or to what else only the device writes.",
    why: "What the device has said there, of used buffers or of notifications, is lost.",
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
  "used-unread": {
    ...implied,
    severity: "advice",
    statement: "implied:used-entry-skipped",
    section: "2.7.14",
    wrong: "An element of the used ring was never read: the device has written the next one in its place.",
    why:
      "Only the element says which buffer came back, and how many bytes the device wrote. A driver that looks at a status " +
      "byte or at the idx alone works with one request at a time, and takes the wrong one for done with two.",
    mend: "For every step of the used idx read ring[last % size]: id names the buffer, len what was written to it.",
    tolerated: ["qemu", "firecracker"],
  },
  "used-recheck": {
    ...implied,
    severity: "advice",
    statement: "implied:used-recheck",
    section: "2.7.14",
    wrong: "The driver asked for interrupts again and went to wait without another look at the used idx.",
    why:
      "What the device used just before that is told by no interrupt: the driver sleeps on a request that is done, until " +
      "the next one comes, if one does.",
    mend: "After clearing NO_INTERRUPT or writing used_event do a full fence and read the used idx once more.",
  },
  "interrupt-ack-late": {
    ...implied,
    statement: "implied:interrupt-ack-order",
    section: "4.2.3.4",
    wrong: "The interrupt was acknowledged after the used ring was read, and the ring not looked at again.",
    why:
      "What the device used between the last look and InterruptACK is acknowledged with the rest: its interrupt is gone, " +
      "and nobody has seen the buffer.",
    mend: "Write InterruptACK first and read the used ring after it, as Linux does; or look once more at the end.",
  },
  "event-idx-unused": {
    ...implied,
    statement: "implied:event-idx-unused",
    section: "2.7.7",
    wrong: "VIRTIO_F_EVENT_IDX was accepted, and used_event is never written.",
    why:
      "With the feature the device interrupts only when it passes used_event, and ignores flags: after the first buffer " +
      "it stays silent until the idx has gone around.",
    mend: "Write the next position you wait for to used_event (ring[size] of the available ring), or decline bit 29.",
  },
  "avail-flags": {
    statement: "split024 split026",
    section: "2.7.7.1",
    keyword: "MUST",
    occasion: "memory",
    wrong: "The flags of the available ring are not 0 or 1; with VIRTIO_F_EVENT_IDX they are to be 0.",
    why: "The other bits mean nothing yet, and with EVENT_IDX none does: the device goes by used_event alone.",
    mend: "Write 0 or 1 (NO_INTERRUPT) as 16 bits; with EVENT_IDX leave it 0, and write used_event.",
    tolerated: ["qemu", "firecracker"],
  },
  "used-flags-not-zeroed": {
    statement: "split040",
    section: "2.7.10.1",
    keyword: "MUST",
    occasion: "queue-setup",
    wrong: "The flags of the used ring were not 0 when the queue was handed over.",
    why: "They say whether the device wants to be notified: leftovers keep the driver from notifying at all.",
    mend: "Fill all memory of a queue with zeroes before its address goes to the device.",
    tolerated: ["qemu", "firecracker"],
  },
  "queue-not-zeroed": {
    ...implied,
    statement: "implied:queue-memory-zeroed",
    section: "4.2.3.2",
    occasion: "queue-setup",
    wrong: "The memory of a queue that was handed over looks as if the device had used buffers already.",
    why:
      "The driver takes what an earlier life has left there for answers, and both sides count from different numbers.",
    mend: "Fill all memory of a queue with zeroes before its address goes to the device, also the second time.",
    tolerated: ["qemu", "firecracker"],
  },
  "notify-missing": {
    statement: "split043 split045",
    section: "2.7.10.1",
    keyword: "MUST",
    occasion: "memory",
    wrong:
      "A buffer was made available, the device asks to be notified, and the driver waits without having done that.",
    why: "A device does not look by itself: the buffer stays where it is, and what the driver waits for never comes.",
    mend:
      "Write the queue's index to QueueNotify after the store of idx and a full fence, unless flags of the used ring is 1; " +
      "with EVENT_IDX if (u16)(new - avail_event - 1) < (u16)(new - old).",
  },
  "notify-suppressed": {
    statement: "split042 split046",
    section: "2.7.10.1",
    keyword: "SHOULD NOT",
    severity: "advice",
    occasion: "memory",
    wrong: "The device was notified although it had said that it wants no notification now.",
    why: "It is at work on the queue and will come to the buffer anyway; each write to QueueNotify costs an exit.",
    mend:
      "Notify only if flags of the used ring is 0; with EVENT_IDX only if (u16)(new - avail_event - 1) < (u16)(new - old).",
    tolerated: ["qemu", "firecracker"],
  },
  "suspend-available": {
    statement: "basic057",
    section: "3.4.1",
    keyword: "MUST NOT",
    since: "1.4",
    only: "modern",
    occasion: "suspend",
    wrong: "A buffer was made available after SUSPEND was set.",
    why:
      "The device takes no buffers until it runs again, and may be moved or powered down with its queues as they are.",
    mend: "Stop whoever adds buffers before SUSPEND is set, and let them go on after DRIVER_OK reads 1 again.",
  },
  "barrier-suppression": {
    statement: "split058 packed029",
    section: "2.7.13.4.1",
    keyword: "MUST",
    severity: "advice",
    occasion: "memory",
    wrong:
      "There is no full barrier between making a buffer available and reading whether the device wants to be told.",
    why:
      "A hart may read first and store later: it reads that no notification is wanted, the device looks and finds nothing, " +
      "and both wait. Harts that do things in order, as here, never fail without it.",
    mend: "Put `fence rw, rw` (virtio_mb, smp_mb) between the store and the load; a store-release is not enough.",
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
