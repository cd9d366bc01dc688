/** Mistakes in requests to devices of each type. */
import type { Mistake } from "./mistake.ts";

const blk = "virtio/virtio_blk.c";

export const requestMistakes: readonly Mistake[] = [
  {
    name: "blk_header_short",
    base: "disk",
    what: "The header of a request is offered without its sector: 8 bytes.",
    file: blk,
    changes: [[
      "sg_init_one(&hdr, &req->out_hdr, sizeof(req->out_hdr));",
      "sg_init_one(&hdr, &req->out_hdr, offsetof(struct virtio_blk_outhdr, sector));",
    ]],
    finds: ["blk-data-length@vm_notify"],
    ends: "fail",
  },
  {
    name: "blk_status_missing",
    base: "disk",
    what: "A request has no room for the device's verdict.",
    file: blk,
    changes: [[
      "\tsg_init_one(&status, &req->status, sizeof(req->status));\n\tsgs[out + in++] = &status;\n",
      "\t(void)status;\n",
    ]],
    finds: ["blk-status@vm_notify"],
    ends: "fail",
  },
  {
    name: "blk_data_wrong_way",
    base: "disk",
    what: "What is to be written to the disk is offered for the device to write.",
    file: blk,
    changes: [["\treturn type == VIRTIO_BLK_T_OUT || type ==", "\treturn type =="]],
    finds: ["blk-direction@vm_notify"],
    ends: "fail",
  },
  {
    name: "blk_sector_in_bytes",
    base: "disk",
    what: "The sector of a request is counted in bytes.",
    file: blk,
    changes: [[
      "\tsg_init_one(&hdr, &req->out_hdr, sizeof(req->out_hdr));",
      "\treq->out_hdr.sector = (req->out_hdr.sector + 2048) * SECTOR_SIZE;\n\tsg_init_one(&hdr, &req->out_hdr, sizeof(req->out_hdr));",
    ]],
    finds: ["blk-range@vm_notify"],
    ends: "fail",
  },
  {
    name: "blk_odd_length",
    base: "disk",
    what: "The data of a request are not a multiple of 512 bytes.",
    file: blk,
    changes: [[
      "\t\tsg_init_one(&data, req->data, req->length);",
      "\t\tsg_init_one(&data, req->data, req->length - 12);",
    ]],
    finds: ["blk-data-length@vm_notify"],
    ends: "fail",
  },
  {
    name: "blk_unknown_type",
    base: "disk",
    what: "The type of a request is written with the most significant byte first.",
    file: blk,
    changes: [[
      "\tsg_init_one(&hdr, &req->out_hdr, sizeof(req->out_hdr));",
      "\treq->out_hdr.type = __builtin_bswap32(req->out_hdr.type);\n\tsg_init_one(&hdr, &req->out_hdr, sizeof(req->out_hdr));",
    ]],
    finds: ["blk-type@vm_notify"],
    ends: "fail",
  },
  {
    name: "blk_flush_sector",
    base: "disk",
    what: "A FLUSH names a sector.",
    file: blk,
    changes: [[
      "\treturn virtblk_request(vblk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);",
      "\treturn virtblk_request(vblk, VIRTIO_BLK_T_FLUSH, 1, NULL, 0);",
    ]],
    finds: ["blk-flush-sector@vm_notify"],
  },
  {
    name: "blk_flush_empty_data",
    base: "disk",
    what: "A FLUSH has a data buffer of no bytes.",
    file: blk,
    changes: [["\tif (req->length > 0) {", "\tif (req != NULL) {"]],
    finds: ["descriptor-empty@fill"],
  },
  {
    name: "blk_flush_not_accepted",
    base: "disk",
    what: "FLUSH is sent, and VIRTIO_BLK_F_FLUSH was not accepted.",
    file: blk,
    changes: [["\tVIRTIO_BLK_F_RO,\n\tVIRTIO_BLK_F_FLUSH,\n", "\tVIRTIO_BLK_F_RO,\n"], [
      "\tif (!virtio_has_feature(vblk->vdev, VIRTIO_BLK_F_FLUSH))\n\t\treturn 0;\n",
      "",
    ]],
    finds: ["blk-type-feature@vm_notify"],
  },
  {
    name: "blk_write_read_only",
    base: "disk_read_only",
    what: "The driver does not look at VIRTIO_BLK_F_RO before it writes.",
    file: blk,
    changes: [["\treturn virtio_has_feature(vblk->vdev, VIRTIO_BLK_F_RO);", "\treturn vblk == NULL;"]],
    finds: ["blk-read-only@vm_notify"],
    ends: "fail",
  },
  {
    name: "console_input_readable",
    base: "console",
    what: "Buffers for input are offered as if they were output.",
    file: "virtio/virtio_console_port.c",
    changes: [[
      "\terr = virtqueue_add_inbuf(port->in_vq, &sg, 1, buf, GFP_ATOMIC);",
      "\terr = virtqueue_add_outbuf(port->in_vq, &sg, 1, buf, GFP_ATOMIC);",
    ]],
    finds: ["console-direction@vm_notify"],
  },
  {
    name: "entropy_buffer_readable",
    base: "entropy",
    what: "The buffer for random bytes is offered for the device to read.",
    file: "virtio/virtio_rng.c",
    changes: [[
      "\terr = virtqueue_add_inbuf(vi->vq, &sg, 1, buf, GFP_KERNEL);",
      "\terr = virtqueue_add_outbuf(vi->vq, &sg, 1, buf, GFP_KERNEL);",
    ]],
    finds: ["rng-direction@vm_notify"],
    ends: "fail",
  },
  {
    name: "blk_status_not_read",
    base: "disk",
    what: "Nobody looks at the status byte: a request that failed is taken for one that did not.",
    file: "virtio/virtio_blk.c",
    changes: [["\treturn req->status == VIRTIO_BLK_S_OK ? 0 : -EIO;\n", "\treturn 0;\n"]],
    finds: ["blk-status-unread@vm_notify"],
  },
];
