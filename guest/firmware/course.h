/*
 * What an image does with its devices is a course. A device may give up in the middle of it (DEVICE_NEEDS_RESET, virtio
 * 1.2 §2.1.2): then its driver is taken from it, which resets it, and the course is run from its start.
 */
#ifndef FIRMWARE_COURSE_H
#define FIRMWARE_COURSE_H

#include "../virtio/virtio.h"

/* Runs it until it is 0, or not 0 although no device gave up; what it was then. It binds drivers itself. */
int run_course(const char *name, int (*course)(void));

/* Ring entries that a buffer of so many pieces takes in a queue: no table has more than the queue (§2.7.5.3.1). */
static inline unsigned int entries_of(const struct virtqueue *vq, unsigned int pieces)
{
	bool table = virtio_has_feature(vq->vdev, VIRTIO_F_INDIRECT_DESC) && pieces <= virtqueue_get_vring_size(vq);

	return table ? 1 : pieces;
}

/* How many such buffers the queue takes at once, at most `most`. */
static inline unsigned int room_for(const struct virtqueue *vq, unsigned int pieces, unsigned int most)
{
	unsigned int fit = virtqueue_get_vring_size(vq) / entries_of(vq, pieces);

	return fit < most ? fit : most;
}

#endif
