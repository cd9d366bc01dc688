/** Mistakes in setting up queues, notifying them and taking them back. */
import type { Mistake } from "./mistake.ts";

const mmio = "virtio/virtio_mmio.c";
const split = "virtio/virtio_ring_split.c";
const modernSize =
  "static void vm_activate(struct virtio_mmio_device *vm, struct virtqueue *vq)\n{\n\tvm_writel(vm, VIRTIO_MMIO_QUEUE_NUM, virtqueue_get_vring_size(vq));\n";
const start = "static void vm_activate(struct virtio_mmio_device *vm, struct virtqueue *vq)\n{\n";
const ready = "\tvm_writel(vm, VIRTIO_MMIO_QUEUE_READY, 1);\n";
const desc = "write_address(vm, VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DESC_HIGH, virtqueue_get_desc_addr(vq));";
const used =
  "\twrite_address(vm, VIRTIO_MMIO_QUEUE_DEVICE_LOW, VIRTIO_MMIO_QUEUE_DEVICE_HIGH, virtqueue_get_used_addr(vq));\n";

const driverOk = "\tvirtio_device_ready(portdev->vdev);\n";
const fill = "\tfor (u32 id = 0; err == 0 && id < portdev->nr_ports; id++)\n\t\tif (portdev->ports[id].added)\n" +
  "\t\t\terr = port_fill_queue(&portdev->ports[id]);\n";

export const queueMistakes: readonly Mistake[] = [
  {
    name: "queue_too_large",
    base: "entropy",
    what: "The queue is made larger than QueueNumMax allows.",
    file: mmio,
    changes: [[modernSize, `${start}\tvm_writel(vm, VIRTIO_MMIO_QUEUE_NUM, 1024);\n`]],
    finds: ["queue-num@vm_activate", "queue-num-unset@vm_activate", "queue-areas-overlap@vm_activate"],
  },
  {
    name: "queue_size_missing",
    base: "entropy",
    what: "QueueNum is not written: the device takes its own size, the driver another.",
    file: mmio,
    changes: [[modernSize, start]],
    finds: ["queue-num-unset@vm_activate", "queue-areas-overlap@vm_activate"],
  },
  {
    name: "queue_size_not_power_of_two",
    base: "entropy",
    what: "The size of a split queue is not a power of two.",
    file: mmio,
    changes: [[modernSize, `${start}\tvm_writel(vm, VIRTIO_MMIO_QUEUE_NUM, virtqueue_get_vring_size(vq) - 1);\n`]],
    finds: ["queue-size@vm_activate", "notify-dead-device@vm_notify"],
    ends: "fail",
  },
  {
    name: "queue_max_not_read",
    base: "entropy",
    what: "QueueNumMax is not read: eight entries will do, the driver thinks.",
    file: mmio,
    changes: [[
      "\tnum = vm_readl(vm, VIRTIO_MMIO_QUEUE_NUM_MAX);\n\tif (num == 0)\n\t\treturn -ENOENT;\n",
      "\tnum = 8;\n",
    ]],
    finds: ["queue-num-max-unread@vm_activate"],
  },
  {
    name: "queue_use_not_checked",
    base: "entropy",
    what: "The driver does not look whether somebody has left the queue running.",
    file: mmio,
    changes: [[
      "\tif (vm_readl(vm, legacy(vm) ? VIRTIO_MMIO_QUEUE_PFN : VIRTIO_MMIO_QUEUE_READY) != 0)\n\t\treturn -ENOENT;\n",
      "",
    ]],
    finds: ["queue-ready-unread@vm_activate"],
  },
  {
    name: "queue_address_missing",
    base: "entropy",
    what: "The queue is handed over without the address of its used ring.",
    file: mmio,
    changes: [[used, ""]],
    finds: ["queue-address-unset@vm_activate", "queue-address@vm_activate", "notify-dead-device@vm_notify"],
    ends: "fail",
  },
  {
    name: "queue_page_number",
    base: "entropy",
    what: "A modern device is given page numbers in place of addresses.",
    file: mmio,
    changes: [[desc, desc.replace("virtqueue_get_desc_addr(vq)", "virtqueue_get_desc_addr(vq) / PAGE_SIZE")]],
    finds: ["queue-misaligned@vm_activate", "queue-address@vm_activate", "notify-dead-device@vm_notify"],
    ends: "fail",
  },
  {
    name: "queue_address_halves",
    base: "entropy",
    what: "The two halves of the queue's address are swapped.",
    file: mmio,
    changes: [[
      "\tvm_writel(vm, low, (u32)address);\n\tvm_writel(vm, high, (u32)(address >> 32));",
      "\tvm_writel(vm, high, (u32)address);\n\tvm_writel(vm, low, (u32)(address >> 32));",
    ]],
    finds: ["queue-address@vm_activate", "notify-dead-device@vm_notify"],
    ends: "fail",
  },
  {
    name: "queue_misaligned",
    base: "entropy",
    what: "The descriptor table begins at an address that is not a multiple of 16.",
    file: split,
    changes: [["\tchar *memory = vq->memory;", "\tchar *memory = (char *)vq->memory + 8;"], [
      "\t\t.desc = vq->memory,",
      "\t\t.desc = (struct vring_desc *)memory,",
    ]],
    finds: ["queue-misaligned@vm_activate"],
  },
  {
    name: "queue_parts_overlap",
    base: "entropy",
    what: "The used ring is put where the available ring is.",
    file: mmio,
    changes: [[used, used.replace("virtqueue_get_used_addr(vq)", "virtqueue_get_avail_addr(vq)")]],
    finds: ["queue-areas-overlap@vm_activate"],
    ends: "fail",
  },
  {
    name: "queue_ready_value",
    base: "entropy",
    what: "QueueReady is written with the size of the queue.",
    file: mmio,
    changes: [[ready, "\tvm_writel(vm, VIRTIO_MMIO_QUEUE_READY, virtqueue_get_vring_size(vq));\n"]],
    finds: ["queue-ready-value@vm_activate"],
  },
  {
    name: "queue_not_ready",
    base: "entropy",
    what: "The queue is set up, and QueueReady is forgotten.",
    file: mmio,
    changes: [[ready, ""]],
    finds: ["notify-stopped-queue@vm_notify"],
    ends: "fail",
  },
  {
    name: "queue_changed_in_use",
    base: "entropy",
    what: "The size is written when the queue has been handed over.",
    file: mmio,
    changes: [[ready, `${ready}\tvm_writel(vm, VIRTIO_MMIO_QUEUE_NUM, virtqueue_get_vring_size(vq));\n`]],
    finds: ["queue-in-use@vm_activate"],
  },
  {
    name: "queue_stop_not_read",
    base: "entropy",
    what: "A queue is taken back to be changed, and changed before QueueReady reads 0.",
    file: mmio,
    changes: [[
      ready,
      `${ready}\tvm_writel(vm, VIRTIO_MMIO_QUEUE_READY, 0);\n\tvm_writel(vm, VIRTIO_MMIO_QUEUE_NUM, virtqueue_get_vring_size(vq));\n${ready}`,
    ]],
    finds: ["queue-stop-unread@vm_activate"],
  },
  {
    name: "queue_stopped_in_flight",
    base: "console",
    what: "The queues are taken from a running device that still has buffers.",
    file: "virtio/virtio_console.c",
    changes: [
      ["\tvirtio_reset_device(portdev->vdev);\n\tfor", "\tfor"],
      [
        "\tportdev->vdev->config->del_vqs(portdev->vdev);\n}",
        "\tportdev->vdev->config->del_vqs(portdev->vdev);\n\tvirtio_reset_device(portdev->vdev);\n}",
      ],
    ],
    finds: ["queue-stopped-in-flight@vm_del_vq"],
  },
  {
    name: "legacy_page_size_missing",
    base: "disk_legacy",
    what: "GuestPageSize is not written: the device cannot tell what a page number means.",
    file: mmio,
    changes: [["\t\tvm_writel(vm, VIRTIO_MMIO_GUEST_PAGE_SIZE, PAGE_SIZE);", "\t\tvm->version = 1;"]],
    finds: ["legacy-page-size@vm_activate_legacy", "notify-dead-device@vm_notify"],
    ends: "fail",
  },
  {
    name: "legacy_align_missing",
    base: "disk_legacy",
    what: "QueueAlign is not written: the two sides look for the used ring in different places.",
    file: mmio,
    changes: [["\tvm_writel(vm, VIRTIO_MMIO_QUEUE_ALIGN, VIRTIO_MMIO_VRING_ALIGN);\n", ""]],
    finds: ["legacy-align@vm_activate_legacy"],
  },
  {
    name: "legacy_byte_address",
    base: "disk_legacy",
    what: "QueuePFN is given the address of the queue in bytes.",
    file: mmio,
    changes: [[
      "\tvm_writel(vm, VIRTIO_MMIO_QUEUE_PFN, (u32)pfn);",
      "\tvm_writel(vm, VIRTIO_MMIO_QUEUE_PFN, (u32)virtqueue_get_desc_addr(vq));",
    ]],
    finds: ["queue-address@vm_activate_legacy", "notify-dead-device@vm_notify"],
    ends: "fail",
  },
  {
    name: "notify_mask",
    base: "entropy",
    what: "QueueNotify is written with a bit mask of queues in place of an index.",
    file: mmio,
    changes: [[
      "\tvm_writel(to_vm(vq->vdev), VIRTIO_MMIO_QUEUE_NOTIFY, vq->index);",
      "\tvm_writel(to_vm(vq->vdev), VIRTIO_MMIO_QUEUE_NOTIFY, 1u << vq->index);",
    ]],
    finds: ["notify-unknown-queue@vm_notify", "notify-missing@split_add"],
    ends: "fail",
  },
  {
    name: "notify_data_missing",
    base: "entropy_data",
    what: "NOTIFICATION_DATA is accepted, and the driver still writes only the queue's index.",
    file: mmio,
    changes: [["vring_notification_data(vq));", "vq->index);"]],
    finds: ["notify-data@vm_notify"],
  },
  {
    name: "notify_before_driver_ok",
    base: "console",
    what: "Buffers for input are made known before DRIVER_OK.",
    file: "virtio/virtio_console.c",
    changes: [[`${driverOk}${fill}`, `${fill}${driverOk}`]],
    finds: ["notify-before-driver-ok@vm_notify"],
  },
  {
    name: "notify_after_reset",
    base: "disk",
    what: "The driver resets the device, forgets that its queues are gone, and goes on.",
    file: "virtio/virtio_blk.c",
    changes: [[
      "\treturn req->status == VIRTIO_BLK_S_OK ? 0 : -EIO;",
      "\tif (req->out_hdr.type == VIRTIO_BLK_T_IN)\n\t\tvirtio_reset_device(vblk->vdev);\n\treturn req->status == VIRTIO_BLK_S_OK ? 0 : -EIO;",
    ]],
    finds: ["notify-stopped-queue@vm_notify"],
    ends: "fail",
  },
  {
    name: "ring_used_in_available",
    base: "disk",
    what: "The used ring's index is put where the available ring's belongs.",
    file: split,
    changes: [[
      "\tWRITE_ONCE(vq->split.avail->idx, ++vq->split.avail_idx);",
      "\tvq->split.avail_idx++;\n\tWRITE_ONCE(vq->split.avail->idx, vq->split.last_used_idx - 1);",
    ]],
    finds: ["avail-idx-jump@split_add"],
    ends: "fail",
  },
];
