/** Mistakes in what stands in packed rings. */
import type { Mistake } from "./mistake.ts";

const packed = "virtio/virtio_ring_packed.c";

export const packedMistakes: readonly Mistake[] = [
  {
    name: "packed_offset_address",
    base: "disk_packed",
    what: "Descriptors hold addresses counted from the start of RAM.",
    file: packed,
    changes: [["\tdesc->addr = (uintptr_t)sg->address;", "\tdesc->addr = (uintptr_t)sg->address - 0x80000000;"]],
    finds: ["descriptor-address@add_direct"],
    ends: "fail",
  },
  {
    name: "packed_directions_swapped",
    base: "disk_packed",
    what: "WRITE marks what the driver writes, not what the device writes.",
    file: packed,
    changes: [[
      "\t\t\tu16 flags = (list < buffer->out_sgs ? 0 : VRING_DESC_F_WRITE) |",
      "\t\t\tu16 flags = (list < buffer->out_sgs ? VRING_DESC_F_WRITE : 0) |",
    ]],
    finds: ["descriptor-order@add_direct"],
    ends: "fail",
  },
  {
    name: "packed_indirect_with_next",
    base: "disk_packed_indirect",
    what: "A descriptor has INDIRECT and NEXT.",
    file: packed,
    changes: [[
      "\treturn VRING_DESC_F_INDIRECT | available_flags(at);",
      "\treturn VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT | available_flags(at);",
    ]],
    finds: ["indirect-next@packed_add"],
    ends: "fail",
  },
  {
    name: "packed_indirect_length",
    base: "disk_packed_indirect",
    what: "The length of an indirect table is the number of its entries, not of its bytes.",
    file: packed,
    changes: [[
      "\tsg_init_one(&whole, table, buffer->total * sizeof(*table));",
      "\tsg_init_one(&whole, table, buffer->total);",
    ]],
    finds: ["indirect-length@add_indirect"],
    ends: "fail",
  },
  {
    name: "packed_id_in_flight",
    base: "disk_packed",
    what: "Every buffer has the same id, also while the device still has the last one.",
    file: packed,
    changes: [[
      "\tvq->free_head = vq->in_order ? vq->packed.avail.idx : vq->state[id].next;",
      "\tvq->free_head = vq->in_order ? vq->packed.avail.idx : id;",
    ]],
    finds: ["packed-id-in-flight@add_direct"],
    ends: "fail",
  },
  {
    name: "packed_list_not_available",
    base: "disk_packed",
    what: "Only the first descriptor of a list is marked available.",
    file: packed,
    changes: [[
      "\t\t\t\tvq->packed.desc[at.idx].flags = flags;",
      "\t\t\t\tvq->packed.desc[at.idx].flags = flags & ~(VRING_PACKED_DESC_F_AVAIL | VRING_PACKED_DESC_F_USED);",
    ]],
    finds: ["packed-list-unavailable@add_direct"],
    ends: "fail",
  },
];
