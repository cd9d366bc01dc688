/** Mistakes with the status bits and the features. */
import type { Mistake } from "./mistake.ts";

const bus = "virtio/virtio.c";
const mmio = "virtio/virtio_mmio.c";

export const statusMistakes: readonly Mistake[] = [
  {
    name: "status_no_reset",
    base: "entropy",
    what: "The device is not reset before it is set up.",
    file: bus,
    changes: [[
      "\tvirtio_reset_device(dev);\n\tvirtio_add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);\n\twhile",
      "\tvirtio_add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);\n\twhile",
    ]],
    finds: ["status-not-reset@vm_set_status"],
  },
  {
    name: "status_reset_not_awaited",
    base: "entropy",
    what: "The driver goes on after a reset without having read that it is done.",
    file: bus,
    changes: [[
      "\tvirtio_reset_device(dev);\n\tvirtio_add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);\n\twhile",
      "\tvirtio_reset_device(dev);\n\tdev->config->set_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);\n\twhile",
    ]],
    finds: ["reset-unread@vm_set_status"],
  },
  {
    name: "status_no_acknowledge",
    base: "entropy",
    what: "ACKNOWLEDGE is left out: DRIVER comes first.",
    file: bus,
    changes: [["\tvirtio_add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);\n\twhile (*end", "\twhile (*end"]],
    finds: ["status-order@vm_set_status"],
  },
  {
    name: "status_two_at_once",
    base: "entropy",
    what: "ACKNOWLEDGE and DRIVER are set with one write.",
    file: bus,
    changes: [["\tvirtio_add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);\n\twhile (*end", "\twhile (*end"], [
      "\tdev->driver = drv;\n\tvirtio_add_status(dev, VIRTIO_CONFIG_S_DRIVER);",
      "\tdev->driver = drv;\n\tvirtio_add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);",
    ]],
    finds: ["status-combined@vm_set_status"],
  },
  {
    name: "status_bits_cleared",
    base: "entropy",
    what: "DRIVER_OK is written alone, and takes back the bits that were set before.",
    file: bus,
    changes: [["set_status(dev, status | VIRTIO_CONFIG_S_DRIVER_OK)", "set_status(dev, VIRTIO_CONFIG_S_DRIVER_OK)"]],
    finds: ["status-cleared@vm_set_status"],
  },
  {
    name: "status_undefined_bit",
    base: "entropy",
    what: "A bit is set that the status register does not have.",
    file: bus,
    changes: [[
      "set_status(dev, status | VIRTIO_CONFIG_S_DRIVER_OK)",
      "set_status(dev, status | VIRTIO_CONFIG_S_DRIVER_OK | 0x20)",
    ]],
    finds: ["status-undefined@vm_set_status"],
  },
  {
    name: "status_after_failed",
    base: "entropy",
    what: "The driver gives the device up with FAILED, and uses it all the same.",
    file: bus,
    changes: [[
      "set_status(dev, status | VIRTIO_CONFIG_S_DRIVER_OK)",
      "set_status(dev, status | VIRTIO_CONFIG_S_FAILED);\n\tdev->config->set_status(dev, status | VIRTIO_CONFIG_S_FAILED | VIRTIO_CONFIG_S_DRIVER_OK)",
    ]],
    finds: ["status-after-failed@vm_set_status", "notify-dead-device@vm_notify"],
    ends: "fail",
  },
  {
    name: "features_ok_missing",
    base: "entropy",
    what: "FEATURES_OK is never set, as in drivers of the time before virtio 1.0.",
    file: bus,
    changes: [[
      "\tif (!virtio_has_feature(dev, VIRTIO_F_VERSION_1))\n\t\treturn 0;\n\tvirtio_add_status",
      "\tif (dev->features != 0)\n\t\treturn 0;\n\tvirtio_add_status",
    ]],
    finds: ["queue-early@vm_activate", "status-order@vm_set_status"],
  },
  {
    name: "features_ok_not_read",
    base: "entropy",
    what: "FEATURES_OK is set, and the driver does not look whether the device has agreed.",
    file: bus,
    changes: [[
      "\tif (!(dev->config->get_status(dev) & VIRTIO_CONFIG_S_FEATURES_OK)) {",
      "\tif (dev->features == 0) {",
    ]],
    finds: ["features-ok-unread@vm_setup_vq"],
  },
  {
    name: "features_ok_legacy",
    base: "disk_legacy",
    what: "FEATURES_OK is set on a legacy device, which knows no such bit.",
    file: bus,
    changes: [[
      "\tif (!virtio_has_feature(dev, VIRTIO_F_VERSION_1))\n\t\treturn 0;\n\tvirtio_add_status(dev, VIRTIO_CONFIG_S_FEATURES_OK);\n\tif (!(dev->config->get_status(dev) & VIRTIO_CONFIG_S_FEATURES_OK)) {",
      "\tvirtio_add_status(dev, VIRTIO_CONFIG_S_FEATURES_OK);\n\tif (dev->config == NULL) {",
    ]],
    finds: ["status-features-ok-legacy@vm_set_status"],
  },
  {
    name: "features_no_version_1",
    base: "entropy",
    what: "VIRTIO_F_VERSION_1 is offered, and the driver does not accept it.",
    file: mmio,
    changes: [[
      "\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(vdev->features >> 32));",
      "\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, 0);",
    ]],
    finds: ["feature-version-1@vm_set_status"],
  },
  {
    name: "features_one_word",
    base: "entropy",
    what: "Only the first 32 feature bits are written.",
    file: mmio,
    changes: [[
      "\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);\n\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(vdev->features >> 32));\n",
      "",
    ]],
    finds: ["features-word-1@vm_set_status", "feature-version-1@vm_set_status"],
  },
  {
    name: "features_device_not_selected",
    base: "entropy",
    what: "DeviceFeatures is read without DeviceFeaturesSel having been written: word 0 comes by luck.",
    file: mmio,
    changes: [[
      "\tvm_writel(vm, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);\n\tfeatures = (u64)vm_readl(vm, VIRTIO_MMIO_DEVICE_FEATURES) << 32;\n\tvm_writel(vm, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);\n\treturn features | vm_readl(vm, VIRTIO_MMIO_DEVICE_FEATURES);",
      "\tfeatures = vm_readl(vm, VIRTIO_MMIO_DEVICE_FEATURES);\n\tvm_writel(vm, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);\n\treturn features | (u64)vm_readl(vm, VIRTIO_MMIO_DEVICE_FEATURES) << 32;",
    ]],
    finds: ["device-features-sel@vm_get_features"],
  },
  {
    name: "features_driver_not_selected",
    base: "entropy",
    what: "DriverFeatures is written without DriverFeaturesSel having been written.",
    file: mmio,
    changes: [[
      "\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);\n\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(vdev->features >> 32));\n\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);\n\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, (u32)vdev->features);\n\treturn 0;",
      "\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, (u32)vdev->features);\n\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);\n\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(vdev->features >> 32));\n\treturn 0;",
    ]],
    finds: ["driver-features-sel@vm_finalize_features"],
  },
  {
    name: "features_not_offered",
    base: "disk",
    what: "A feature is accepted that the device does not offer.",
    file: mmio,
    changes: [[
      "\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, (u32)vdev->features);\n\treturn 0;",
      "\tvm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, (u32)vdev->features | BIT_ULL(VIRTIO_BLK_F_RO));\n\treturn 0;",
    ]],
    finds: ["feature-not-offered@vm_set_status"],
    ends: "fail",
  },
  {
    name: "features_refusal_ignored",
    base: "disk",
    what: "The device takes FEATURES_OK back, the driver reads that, and goes on.",
    file: bus,
    changes: [
      [
        "\terr = dev->config->finalize_features(dev);\n\tif (err != 0)\n\t\treturn err;\n\tif (dev->driver->validate",
        "\tdev->features |= BIT_ULL(VIRTIO_BLK_F_RO);\n\terr = dev->config->finalize_features(dev);\n\tif (err != 0)\n\t\treturn err;\n\tif (dev->driver->validate",
      ],
      [
        '\t\tprintf("%s: device refuses features 0x%llx\\n", dev->name, dev->features);\n\t\treturn -ENODEV;\n',
        '\t\tprintf("%s: device refuses features 0x%llx\\n", dev->name, dev->features);\n',
      ],
    ],
    finds: [
      "feature-not-offered@vm_set_status",
      "features-refused-ignored@vm_setup_vq",
      "queue-early@vm_activate",
      "status-order@vm_set_status",
    ],
  },
  {
    name: "features_after_ok",
    base: "entropy",
    what: "Features are written once more after FEATURES_OK.",
    file: bus,
    changes: [[
      "\treturn features_ok(dev);",
      "\terr = features_ok(dev);\n\treturn err != 0 ? err : dev->config->finalize_features(dev);",
    ]],
    finds: ["features-after-ok@vm_finalize_features", "features-after-ok@vm_finalize_features"],
  },
  {
    name: "features_before_driver",
    base: "entropy",
    what: "Features are written before DRIVER is set.",
    file: bus,
    changes: [[
      "\tvirtio_add_status(dev, VIRTIO_CONFIG_S_DRIVER);\n\terr = negotiate(dev);",
      "\tdev->features = common_features(dev, dev->config->get_features(dev));\n\tdev->config->finalize_features(dev);\n\tvirtio_add_status(dev, VIRTIO_CONFIG_S_DRIVER);\n\terr = negotiate(dev);",
    ]],
    finds: ["features-early@vm_finalize_features", "features-early@vm_finalize_features"],
  },
  {
    name: "features_without_code",
    base: "disk",
    what: "A feature is accepted that the driver has no code for.",
    file: "virtio/virtio_blk.c",
    changes: [["\tVIRTIO_BLK_F_FLUSH,\n", "\tVIRTIO_BLK_F_FLUSH,\n\tVIRTIO_BLK_F_TOPOLOGY,\n"]],
    finds: ["feature-unused@vm_finalize_features"],
  },
  {
    name: "features_order_ignored",
    base: "disk_in_order",
    what: "IN_ORDER is accepted by a driver that takes its descriptors from the table's end downwards.",
    file: "virtio/virtio_ring_create.c",
    changes: [["vq->state[id].next = (id + 1) % vq->num;", "vq->state[id].next = (id + vq->num - 1) % vq->num;"]],
    finds: ["in-order-next@fill"],
    ends: "limit",
    stall: "open",
  },
];
