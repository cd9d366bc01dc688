/** Mistakes in what stands in split rings. */
import type { Mistake } from "./mistake.ts";

const split = "virtio/virtio_ring_split.c";
const entry = "\tvq->split.avail->ring[vq->split.avail_idx & (vq->num - 1)] = head;";
const index = "\tWRITE_ONCE(vq->split.avail->idx, ++vq->split.avail_idx);";
const directFill = "\t\t\tfill(&vq->split.desc[i], sg, flags, vq->state[i].next);";
const directFlags =
  "\t\t\tu16 flags = (list < buffer->out_sgs ? 0 : VRING_DESC_F_WRITE) |\n\t\t\t\t    (++done < buffer->total ? VRING_DESC_F_NEXT : 0);\n";
const outer = "\tfill(&vq->split.desc[head], &whole, VRING_DESC_F_INDIRECT, 0);";
const inner = "\t\t\tfill(&table[i], sg, flags, i + 1);";
const tableLength = "\tsg_init_one(&whole, table, buffer->total * sizeof(*table));\n\tfill(&vq->split.desc[head]";

export const ringMistakes: readonly Mistake[] = [
  {
    name: "ring_idx_masked",
    base: "disk",
    what: "The index of the available ring is kept below the size of the ring.",
    file: split,
    changes: [[
      index,
      "\tvq->split.avail_idx = (vq->split.avail_idx + 1) % vq->num;\n\tWRITE_ONCE(vq->split.avail->idx, vq->split.avail_idx);",
    ]],
    finds: ["avail-idx-back@split_add", "avail-idx-jump@split_add"],
  },
  {
    name: "ring_idx_by_descriptors",
    base: "disk",
    what: "The index goes on by the number of descriptors in place of 1 for each chain.",
    file: split,
    changes: [[
      index,
      "\tvq->split.avail_idx += vq->state[head].count;\n\tWRITE_ONCE(vq->split.avail->idx, vq->split.avail_idx);",
    ]],
    finds: ["avail-head-in-flight@vm_notify"],
    ends: "fail",
  },
  {
    name: "ring_entry_is_offset",
    base: "disk",
    what: "The ring gets the offset of a descriptor in bytes in place of its index.",
    file: split,
    changes: [[
      entry,
      "\tvq->split.avail->ring[vq->split.avail_idx & (vq->num - 1)] = (head + 1) * sizeof(struct vring_desc);",
    ]],
    finds: ["avail-head-range@split_add"],
    ends: "fail",
  },
  {
    name: "ring_free_list_forgotten",
    base: "disk",
    what: "Every chain begins at the same descriptor, also while the device still has the last one.",
    file: split,
    changes: [["\tvq->free_head = i;\n", "\tvq->free_head = head;\n"]],
    finds: ["avail-head-in-flight@split_add"],
    ends: "fail",
  },
  {
    name: "chain_loop",
    base: "disk",
    what: "Each descriptor's next is the first one: the chain runs in a circle.",
    file: split,
    changes: [[directFill, "\t\t\tfill(&vq->split.desc[i], sg, flags, head);"]],
    finds: ["descriptor-loop@fill"],
    ends: "fail",
  },
  {
    name: "chain_next_is_offset",
    base: "disk",
    what: "The next field holds an offset in bytes.",
    file: split,
    changes: [[
      "\tdesc->next = (flags & VRING_DESC_F_NEXT) ? next : 0;",
      "\tdesc->next = (flags & VRING_DESC_F_NEXT) ? next * sizeof(*desc) : 0;",
    ]],
    finds: ["descriptor-next-range@fill"],
    ends: "fail",
  },
  {
    name: "chain_next_never_ends",
    base: "disk",
    what: "NEXT is set on the last descriptor of a chain too.",
    file: split,
    changes: [[
      directFlags,
      "\t\t\tu16 flags = (list < buffer->out_sgs ? 0 : VRING_DESC_F_WRITE) | VRING_DESC_F_NEXT;\n\n\t\t\tdone++;\n",
    ]],
    finds: ["descriptor-order@fill"],
    ends: "fail",
  },
  {
    name: "descriptor_offset_address",
    base: "disk",
    what: "Descriptors hold addresses counted from the start of RAM.",
    file: split,
    changes: [["\tdesc->addr = (uintptr_t)sg->address;", "\tdesc->addr = (uintptr_t)sg->address - 0x80000000;"]],
    finds: ["descriptor-address@fill"],
    ends: "fail",
  },
  {
    name: "descriptor_virtual_address",
    base: "entropy",
    what: "Descriptors hold addresses of a kernel's map of memory in place of physical ones.",
    file: split,
    changes: [[
      "\tdesc->addr = (uintptr_t)sg->address;",
      "\tdesc->addr = (uintptr_t)sg->address + 0xffffffd600000000;",
    ]],
    finds: ["descriptor-address@fill"],
    ends: "fail",
  },
  {
    name: "descriptor_length_negative",
    base: "entropy",
    what: "The length of a buffer is less than nothing: 4 GiB.",
    file: split,
    changes: [["\tdesc->len = sg->length;", "\tdesc->len = sg->length - 33;"]],
    finds: ["descriptor-address@fill"],
    ends: "fail",
  },
  {
    name: "descriptor_status_readable",
    base: "disk",
    what: "The descriptor of the status byte lacks WRITE.",
    file: split,
    changes: [[
      directFlags,
      "\t\t\tu16 flags = (list < buffer->out_sgs || ++done == buffer->total ? 0 : VRING_DESC_F_WRITE) |\n\t\t\t\t    ((done += list < buffer->out_sgs) < buffer->total ? VRING_DESC_F_NEXT : 0);\n",
    ]],
    finds: ["blk-status@vm_notify"],
    ends: "fail",
  },
  {
    name: "descriptor_directions_swapped",
    base: "disk",
    what: "WRITE marks what the driver writes, not what the device writes.",
    file: split,
    changes: [[directFlags, directFlags.replace("? 0 : VRING_DESC_F_WRITE", "? VRING_DESC_F_WRITE : 0")]],
    finds: ["descriptor-order@fill"],
    ends: "fail",
  },
  {
    name: "descriptor_flags_noise",
    base: "disk",
    what: "The flags hold a bit that descriptors do not have.",
    file: split,
    changes: [["\tdesc->flags = flags;", "\tdesc->flags = flags | 0x100;"]],
    finds: ["descriptor-flags@fill"],
  },
  {
    name: "indirect_not_accepted",
    base: "disk",
    what: "Indirect tables are used, and INDIRECT_DESC was not accepted.",
    file: "virtio/virtio_ring_create.c",
    changes: [["\tvq->use_indirect = virtio_has_feature(vdev, VIRTIO_F_INDIRECT_DESC);", "\tvq->use_indirect = true;"]],
    finds: ["indirect-not-negotiated@fill"],
  },
  {
    name: "indirect_with_next",
    base: "disk_indirect",
    what: "A descriptor has INDIRECT and NEXT.",
    file: split,
    changes: [[outer, outer.replace("VRING_DESC_F_INDIRECT", "VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT")]],
    finds: ["indirect-next@fill"],
    ends: "fail",
  },
  {
    name: "indirect_nested",
    base: "disk_indirect",
    what: "A descriptor in an indirect table has INDIRECT itself.",
    file: split,
    changes: [[inner, inner.replace("flags, i + 1", "flags | VRING_DESC_F_INDIRECT, i + 1")]],
    finds: ["indirect-nested@vm_notify"],
    ends: "fail",
  },
  {
    name: "indirect_length_in_entries",
    base: "disk_indirect",
    what: "The length of an indirect table is the number of its entries, not of its bytes.",
    file: split,
    changes: [[tableLength, tableLength.replace("buffer->total * sizeof(*table)", "buffer->total")]],
    finds: ["indirect-length@fill"],
    ends: "fail",
  },
  {
    name: "indirect_next_beyond",
    base: "disk_indirect",
    what: "The next fields of an indirect table count from the head in the ring.",
    file: split,
    changes: [[inner, inner.replace("i + 1", "i + 1 + vq->num")]],
    finds: ["descriptor-next-range@vm_notify"],
    ends: "fail",
  },
];
