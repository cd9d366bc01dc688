/** Rules on packed rings, and on the order of buffers, notification data and queue reset (virtio 1.2 §2.8, §2.9). */
import type { RuleRow } from "../rule.ts";

const implied = { keyword: "implied", severity: "error", since: "1.1" } as const;

/** By name. */
export const packedRules: Readonly<Record<string, RuleRow>> = {
  "packed-id-in-flight": {
    ...implied,
    statement: "implied:packed-id-in-flight",
    section: "2.8.21.1",
    occasion: "chain",
    wrong: "A Buffer ID was used for another buffer while the device still had the first one.",
    why: "The device names what it has used by this number alone: the driver cannot tell the two buffers apart.",
    mend: "Take IDs from a list of free ones, and put an ID back only when it comes in a used descriptor.",
  },
  "packed-list-unavailable": {
    statement: "packed018",
    section: "2.8.17",
    keyword: "MUST NOT",
    since: "1.1",
    occasion: "chain",
    wrong: "The first descriptor of a list was made available before those that follow it.",
    why:
      "The device may read the list as soon as its first descriptor is available, and comes to one that is not there.",
    mend:
      "Write the flags of all other descriptors of the list, a write barrier, then the flags of the first; the marks of " +
      "descriptors behind the end of the ring have the other wrap counter.",
  },
  "packed-overcommitted": {
    statement: "packed009 packed010 packed017",
    section: "2.8.17",
    keyword: "MUST",
    since: "1.1",
    occasion: "chain",
    wrong: "A list was made available in a ring that has not that many free descriptors.",
    why: "It was written over descriptors that the device has not used yet: those buffers are lost.",
    mend: "Count free descriptors: take off as many as a list has, and add them again when its Buffer ID was used.",
  },
  "packed-indirect-flags": {
    statement: "packed022",
    section: "2.8.19",
    keyword: "MUST NOT",
    since: "1.1",
    occasion: "indirect",
    wrong: "A descriptor of an indirect table has other flags than WRITE.",
    why: "The table's length says how many there are; other flags there are reserved, and a device may refuse them.",
    mend: "Set flags of the table's entries to WRITE or 0. NEXT and the marks belong to the ring alone.",
  },
  "packed-event": {
    ...implied,
    statement: "implied:packed-event",
    section: "2.8.10",
    occasion: "chain",
    wrong: "The driver's event suppression structure says what is not defined.",
    why: "A device notifies too often then, or never: the driver waits for an interrupt that does not come.",
    mend:
      "Write 0 (enable) or 1 (disable) to its flags; 2 only with VIRTIO_F_EVENT_IDX, and an offset inside the ring.",
  },
  "in-order-next": {
    statement: "split015 split020",
    section: "2.7.5.2",
    keyword: "MUST",
    since: "1.1",
    occasion: "chain",
    wrong: "With VIRTIO_F_IN_ORDER a chain's descriptors do not follow each other in the table.",
    why: "The device goes by their order and need not read next: it takes another descriptor than the driver means.",
    mend:
      "Lay chains out in consecutive entries, after the last one's end, going on at 0 behind the table's last entry.",
    tolerated: ["qemu"],
  },
  "notify-data": {
    statement: "packed011",
    section: "2.9",
    keyword: "MUST",
    since: "1.1",
    occasion: "notify",
    wrong: "With VIRTIO_F_NOTIFICATION_DATA the notification does not say where the driver goes on.",
    why: "A device that reads only what the notification says comes to a wrong place in the ring.",
    mend: "Put the next available index (packed: offset, and the wrap counter as bit 15) into the upper 16 bits.",
    tolerated: ["qemu"],
  },
  "queue-reset-value": {
    ...implied,
    since: "1.2",
    statement: "implied:queue-reset-value",
    section: "4.2.2",
    occasion: "queue-reset",
    only: "modern",
    wrong: "QueueReset was written with another value than 1.",
    why: "Nothing happens, and the driver goes on as if the queue were reset.",
    mend: "Write 1 to QueueReset, then read it until it is 0.",
  },
};
