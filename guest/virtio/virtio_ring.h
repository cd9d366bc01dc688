/*
 * Between transports, virtio_ring.c and the ring layouts; drivers do not include this. A layout (split here, packed
 * once there is one) fills a struct vring_ops; everything above sees struct virtqueue only.
 */
#ifndef VIRTIO_VIRTIO_RING_H
#define VIRTIO_VIRTIO_RING_H

#include "virtio.h"

/*
 * Order of memory accesses between driver and device, which runs on the same coherent memory as another hart would
 * (virtio 1.2 §6, ORDER_PLATFORM not negotiated): plain memory fences do. The MMIO notification is ordered by writel.
 */
#define virtio_mb() __asm__ volatile("fence rw, rw" ::: "memory")
#define virtio_rmb() __asm__ volatile("fence r, r" ::: "memory")
#define virtio_wmb() __asm__ volatile("fence w, w" ::: "memory")

struct vring_virtqueue;

/* What a ring layout does; each function is the virtqueue_ one of its name, for a queue that is not broken. */
struct vring_ops {
	int (*add)(struct vring_virtqueue *vq, struct scatterlist *sgs[], unsigned int total, unsigned int out_sgs,
		   unsigned int in_sgs, void *data);
	bool (*kick_prepare)(struct vring_virtqueue *vq);
	bool (*more_used)(const struct vring_virtqueue *vq);
	void *(*get_buf)(struct vring_virtqueue *vq, unsigned int *len);
	void (*disable_cb)(struct vring_virtqueue *vq);
	unsigned int (*enable_cb_prepare)(struct vring_virtqueue *vq);
	bool (*poll)(const struct vring_virtqueue *vq, unsigned int last_used_idx);
	bool (*enable_cb_delayed)(struct vring_virtqueue *vq);
	void *(*detach_unused_buf)(struct vring_virtqueue *vq);
	void (*destroy)(struct vring_virtqueue *vq);
};

struct vring_virtqueue {
	struct virtqueue vq;
	const struct vring_ops *ops;
	bool (*notify)(struct virtqueue *vq);
	bool broken;
	bool indirect; /* INDIRECT_DESC accepted */
	bool event;    /* EVENT_IDX accepted */
	unsigned int num;
	/* Buffers added since the last kick: the device may not have looked at them. */
	unsigned int num_added;
	/* The areas, as the transport tells the device. */
	u64 desc_addr, avail_addr, used_addr;
};

#define to_vvq(pointer) container_of(pointer, struct vring_virtqueue, vq)

/*
 * Makes queue `index` with up to `num` entries (fewer if memory is short), the used ring at a multiple of `align`.
 * NULL without memory, or for a size no split ring can have.
 */
struct virtqueue *vring_create_virtqueue(unsigned int index, unsigned int num, unsigned int align,
					 struct virtio_device *vdev, bool (*notify)(struct virtqueue *vq),
					 vq_callback_t *callback, const char *name);
void vring_del_virtqueue(struct virtqueue *vq);

/* Clears transport features that the rings do not implement. */
void vring_transport_features(struct virtio_device *vdev);

/* Runs the queue's callback if the device used anything. False: not this queue. */
bool vring_interrupt(struct virtqueue *vq);

/* The device broke the ring: says so, and the queue does nothing any more. */
void vring_bad(struct vring_virtqueue *vq, const char *what, unsigned int value);

/* Layouts. */
struct vring_virtqueue *vring_create_split(unsigned int num, unsigned int align, bool event, bool callbacks);

#endif
