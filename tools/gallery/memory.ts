/** Mistakes in when memory is read and written that the device uses too. */
import type { Mistake } from "./mistake.ts";

const split = "virtio/virtio_ring_split.c";
const rng = "virtio/virtio_rng.c";
const entry = "\tvq->split.avail->ring[vq->split.avail_idx & (vq->num - 1)] = head;\n";
const publish = "\tWRITE_ONCE(vq->split.avail->idx, ++vq->split.avail_idx);\n";
const kick = "\tvirtqueue_kick(vi->vq);\n";

export const memoryMistakes: readonly Mistake[] = [
  {
    name: "barrier_before_idx",
    base: "entropy",
    what: "Nothing keeps the descriptors before the index that shows them: there is no barrier.",
    file: split,
    changes: [[`\tvirtio_wmb();\n${publish}`, publish]],
    finds: ["barrier-available@split_add"],
  },
  {
    name: "barrier_before_used",
    base: "entropy",
    what: "Nothing keeps the used index before the element that it shows.",
    file: "virtio/virtio_ring.c",
    changes: [["\tvirtio_rmb();\n", ""]],
    finds: ["barrier-used@split_used_id"],
  },
  {
    name: "ring_entry_after_idx",
    base: "entropy",
    what: "The ring's entry is written after the index that shows it.",
    file: split,
    changes: [[entry, ""], [
      publish,
      `${publish}\tvirtio_wmb();\n\tvq->split.avail->ring[(vq->split.avail_idx - 1) & (vq->num - 1)] = head;\n`,
    ]],
    finds: ["avail-entry-late@split_add"],
  },
  {
    name: "used_read_early",
    base: "disk",
    what: "An element of the used ring is read without a look at the used index.",
    file: "virtio/virtio_ring.c",
    changes: [["\tif (vq->broken || !more_used(vq))\n\t\treturn NULL;\n", "\tif (vq->broken)\n\t\treturn NULL;\n"], [
      "\tif (vq->broken || !more_used(vq))\n\t\treturn false;\n",
      "\tif (vq->broken)\n\t\treturn false;\n",
    ]],
    finds: ["used-read-early@split_used_id", "used-read-early@split_used_id"],
    ends: "fail",
  },
  {
    name: "used_ring_cleared",
    base: "entropy",
    what: "The driver clears flags in the used ring, which only the device may write.",
    file: split,
    changes: [[
      "\tvirtio_mb();\n\tvq->num_added = 0;\n\tif (vq->event)",
      "\tvirtio_mb();\n\tvq->num_added = 0;\n\tWRITE_ONCE(vq->split.used->flags, 0);\n\tif (vq->event)",
    ]],
    finds: ["used-ring-written@split_kick_prepare"],
  },
  {
    name: "buffer_read_early",
    base: "entropy",
    what: "The buffer is looked at while the device has it.",
    file: rng,
    changes: [[kick, `${kick}\t(void)*(volatile u8 *)buf;\n`]],
    finds: ["buffer-read-in-flight@virtrng_read"],
  },
  {
    name: "buffer_written_in_flight",
    base: "entropy",
    what: "The buffer is cleared after it has been offered to the device.",
    file: rng,
    changes: [[kick, `${kick}\t*(volatile u8 *)buf = 0;\n`]],
    finds: ["buffer-written-in-flight@virtrng_read"],
  },
  {
    name: "barrier_before_suppression",
    base: "disk",
    what: "Whether the device wants to be told is read with no full barrier after the index.",
    file: "virtio/virtio_ring_split.c",
    changes: [["\tvirtio_mb();\n\tvq->num_added = 0;\n", "\tvq->num_added = 0;\n"]],
    finds: ["barrier-suppression@split_kick_prepare"],
  },
];
