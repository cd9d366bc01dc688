/* virtio over MMIO, both interfaces (virtio 1.2 §4.2). */
#ifndef VIRTIO_VIRTIO_MMIO_H
#define VIRTIO_VIRTIO_MMIO_H

#include "virtio.h"

/* Looks into every slot the device tree names and registers what is there. Returns the number of devices. */
unsigned int virtio_mmio_init(void);

/* virtio_device_freeze() and virtio_device_restore() for devices here: a device that lost its power lost more than that. */
int virtio_mmio_freeze(struct virtio_device *vdev);
int virtio_mmio_restore(struct virtio_device *vdev);

/* Version register of a device on this transport: 1 (legacy) or 2. */
u32 virtio_mmio_version(const struct virtio_device *vdev);

/* Its slot's address. */
uintptr_t virtio_mmio_base(const struct virtio_device *vdev);

#endif
