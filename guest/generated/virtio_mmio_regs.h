/* Generated from devices/virtio/registers.ts by tools/gen_headers.ts: edit the table, not this file. */
#ifndef GENERATED_VIRTIO_MMIO_REGS_H
#define GENERATED_VIRTIO_MMIO_REGS_H

#define VIRTIO_MMIO_MAGIC_VALUE         0x000 /* R, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_VERSION             0x004 /* R, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_DEVICE_ID           0x008 /* R, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_VENDOR_ID           0x00c /* R, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_DEVICE_FEATURES     0x010 /* R legacy HostFeatures, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_DEVICE_FEATURES_SEL 0x014 /* W legacy HostFeaturesSel, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_DRIVER_FEATURES     0x020 /* W legacy GuestFeatures, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_DRIVER_FEATURES_SEL 0x024 /* W legacy GuestFeaturesSel, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_GUEST_PAGE_SIZE     0x028 /* W legacy only, virtio 1.2 §4.2.4 */
#define VIRTIO_MMIO_QUEUE_SEL           0x030 /* W, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_NUM_MAX       0x034 /* R, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_NUM           0x038 /* W, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_ALIGN         0x03c /* W legacy only, virtio 1.2 §4.2.4 */
#define VIRTIO_MMIO_QUEUE_PFN           0x040 /* RW legacy only, virtio 1.2 §4.2.4 */
#define VIRTIO_MMIO_QUEUE_READY         0x044 /* RW modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_NOTIFY        0x050 /* W, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_INTERRUPT_STATUS    0x060 /* R, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_INTERRUPT_ACK       0x064 /* W, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_STATUS              0x070 /* RW, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_DESC_LOW      0x080 /* W modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_DESC_HIGH     0x084 /* W modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_DRIVER_LOW    0x090 /* W modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_DRIVER_HIGH   0x094 /* W modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_DEVICE_LOW    0x0a0 /* W modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_DEVICE_HIGH   0x0a4 /* W modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_SHM_SEL             0x0ac /* W modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_SHM_LEN_LOW         0x0b0 /* R modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_SHM_LEN_HIGH        0x0b4 /* R modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_SHM_BASE_LOW        0x0b8 /* R modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_SHM_BASE_HIGH       0x0bc /* R modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_QUEUE_RESET         0x0c0 /* RW modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_CONFIG_GENERATION   0x0fc /* R modern only, virtio 1.2 §4.2.2 */
#define VIRTIO_MMIO_CONFIG              0x100 /* RW, virtio 1.2 §4.2.2 */

#define VIRTIO_MMIO_MAGIC 0x74726976

/* InterruptStatus and InterruptACK */
#define VIRTIO_MMIO_INT_USED_BUFFER   0x01
#define VIRTIO_MMIO_INT_CONFIG_CHANGE 0x02

/* Status (virtio 1.2 §2.1) */
#define VIRTIO_CONFIG_S_ACKNOWLEDGE        0x01
#define VIRTIO_CONFIG_S_DRIVER             0x02
#define VIRTIO_CONFIG_S_DRIVER_OK          0x04
#define VIRTIO_CONFIG_S_FEATURES_OK        0x08
#define VIRTIO_CONFIG_S_SUSPEND            0x10
#define VIRTIO_CONFIG_S_DEVICE_NEEDS_RESET 0x40
#define VIRTIO_CONFIG_S_FAILED             0x80

#endif
