/*
 * Ringside's test device (DeviceID 63, which no version of the specification gives out): one queue, whose buffers the
 * device fills. Buffer number n holds n as a little-endian u32, then at every further offset i the byte (n + i) & 0xff.
 */
#ifndef VIRTIO_VIRTIO_DUMMY_H
#define VIRTIO_VIRTIO_DUMMY_H

#include "virtio.h"

#define DUMMY_BUFFERS 8
#define DUMMY_BUFFER_BYTES 64

struct virtio_dummy {
	struct virtio_device *vdev;
	struct virtqueue *vq;
	u8 *buffers[DUMMY_BUFFERS]; /* as many as the queue has room for */
	u32 interval; /* microseconds between fills */
	u32 limit;    /* fills the device makes by itself, with DUMMY_F_LIMIT */
	unsigned int interrupts;
	volatile unsigned int received;
	volatile unsigned int wrong; /* buffers whose bytes or length were not as they should be */
	volatile unsigned int awaited; /* what virtdummy_wait waits for */
	volatile bool reached;
};

/* The driver itself, to be unregistered and registered again. */
struct virtio_driver *virtdummy_driver(void);

/* The device, NULL while there is none. */
struct virtio_dummy *virtdummy_get(void);

/* Sleeps until `count` buffers were received since the driver was bound; false when the time is over before. */
bool virtdummy_wait(struct virtio_dummy *dummy, unsigned int count, u64 timeout_us);

/* Asks for `count` more fills; false where the device cannot be asked. */
bool virtdummy_kick(struct virtio_dummy *dummy, u32 count);

/* Buffers the last removal took back unused. */
unsigned int virtdummy_detached(void);

#endif
