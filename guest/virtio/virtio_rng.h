/* The entropy device (virtio 1.2 §5.4). */
#ifndef VIRTIO_VIRTIO_RNG_H
#define VIRTIO_VIRTIO_RNG_H

#include "virtio.h"

/* The driver itself, to be unregistered and registered again. */
struct virtio_driver *virtrng_driver(void);

/* The device, NULL while there is none. */
struct virtio_device *virtrng_vdev(void);

/* Random bytes: as many as the device gave in one go, at least 1 and at most `length`; -ENODEV, -EIO, -ETIMEDOUT. */
int virtrng_read(void *buf, unsigned int length);

/* RING_RESET: takes the queue from the device and starts it anew; 0, -ENODEV or as virtqueue_reset(). */
int virtrng_reset_queue(void);
/* Interrupts since the driver was bound. */
unsigned int virtrng_interrupts(void);

#endif
