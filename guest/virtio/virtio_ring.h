/*
 * Between transports, virtio_ring.c and the ring layouts; drivers do not include this. A layout, split or packed, fills
 * a struct vring_ops; everything above sees struct virtqueue only.
 */
#ifndef VIRTIO_VIRTIO_RING_H
#define VIRTIO_VIRTIO_RING_H

#include "virtio.h"

/*
 * Order of memory accesses between driver and device, which runs on the same coherent memory as another hart would
 * (virtio 1.2 §6, ORDER_PLATFORM not needed): plain memory fences do. The MMIO notification is ordered by writel.
 */
#define virtio_mb() __asm__ volatile("fence rw, rw" ::: "memory")
#define virtio_rmb() __asm__ volatile("fence r, r" ::: "memory")
#define virtio_wmb() __asm__ volatile("fence w, w" ::: "memory")

/* Flags of a descriptor, the same in both layouts (§2.7.5, §2.8.3, §2.8.6, §2.8.7). */
#define VRING_DESC_F_NEXT 1
#define VRING_DESC_F_WRITE 2
#define VRING_DESC_F_INDIRECT 4

/* Bytes of a descriptor in both layouts, in the ring and in an indirect table. */
#define VRING_DESC_BYTES 16
/* Most entries of a queue in both layouts (§2.7, §2.8). */
#define VRING_NUM_MAX 32768

struct vring_virtqueue;

/* What a driver adds: lists of pieces, `total` in all; the device reads the first `out_sgs` lists, writes the others. */
struct vring_buffer {
	struct scatterlist **sgs;
	unsigned int total, out_sgs, in_sgs;
};

/* What a ring layout does. The virtqueue_ functions in virtio_ring.c are made of these. */
struct vring_ops {
	/* Bytes of the ring memory for `num` entries. */
	size_t (*bytes)(unsigned int num, unsigned int align);
	/* Begins at the start of vq->memory, which is zero. */
	void (*init)(struct vring_virtqueue *vq);
	/*
	 * Makes a buffer available, under the id vq->free_head (an index of vq->state), in `table` if that is not NULL.
	 * There is room, and vq->free_head becomes the next id.
	 */
	void (*add)(struct vring_virtqueue *vq, const struct vring_buffer *buffer, void *table);
	bool (*kick_prepare)(struct vring_virtqueue *vq);
	/* Where the driver will go on, as a notification carries it (NOTIFICATION_DATA, §2.9). */
	u16 (*next_avail)(const struct vring_virtqueue *vq);
	/* The device has used an entry at our place. */
	bool (*more_used)(const struct vring_virtqueue *vq);
	/* Reads that entry. */
	u32 (*used_id)(const struct vring_virtqueue *vq, u32 *len);
	/* Goes on behind a buffer that took `count` entries. */
	void (*pass_used)(struct vring_virtqueue *vq, u16 count);
	/* Puts the buffer's id back among the free ones. Not called with IN_ORDER: there the next id is always free. */
	void (*release)(struct vring_virtqueue *vq, u16 id);
	void (*disable_cb)(struct vring_virtqueue *vq);
	unsigned int (*enable_cb_prepare)(struct vring_virtqueue *vq);
	bool (*poll)(const struct vring_virtqueue *vq, unsigned int last_used_idx);
	bool (*enable_cb_delayed)(struct vring_virtqueue *vq);
};

/* Our notes on a buffer or descriptor: the device can write to the ring memory, so nothing is read back from there. */
struct vring_desc_state {
	void *data;	/* the driver's token; NULL: not in flight */
	void *indirect; /* its table */
	u32 in_bytes;	/* what the device may write */
	u16 next;	/* in the chain (split) or among the free ones */
	u16 count;	/* entries of the ring it takes */
};

struct vring_virtqueue_split {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	u16 avail_idx;	 /* as in avail->idx */
	u16 avail_flags; /* what we want of the device; written there unless EVENT_IDX rules */
	u16 last_used_idx;
};

/* A place in a packed ring: an entry below its size, and the wrap counter that goes with it (§2.8.1). */
struct vring_place {
	u16 idx;
	bool wrap;
};

struct vring_virtqueue_packed {
	struct vring_packed_desc *desc;
	struct vring_packed_desc_event *driver, *device;
	struct vring_place avail, used;
	u16 event_flags; /* as in driver->flags */
};

struct vring_virtqueue {
	struct virtqueue vq;
	const struct vring_ops *ops;
	bool (*notify)(struct virtqueue *vq);
	bool broken;
	bool use_indirect; /* INDIRECT_DESC accepted */
	bool event;	   /* EVENT_IDX accepted */
	bool in_order;	   /* IN_ORDER accepted */
	unsigned int num;
	unsigned int align; /* of the used ring, for legacy devices */
	void *memory;	    /* of the ring */
	struct vring_desc_state *state;
	u16 free_head;
	/* Entries, for the device to see, added since the last kick: it may not have looked at them. */
	unsigned int num_added;
	/* IN_ORDER: the oldest buffer in flight, and the end of the batch that is being taken back (§2.7.9, §2.8.8). */
	u16 oldest;
	struct {
		bool pending;
		u16 id;
		u32 len;
	} batch;
	union {
		struct vring_virtqueue_split split;
		struct vring_virtqueue_packed packed;
	};
	/* The areas, as the transport tells the device. */
	u64 desc_addr, avail_addr, used_addr;
};

#define to_vvq(pointer) container_of(pointer, struct vring_virtqueue, vq)

/*
 * Makes queue `index` with up to `num` entries, fewer if memory is short or the layout allows no such number. The used
 * ring of a split one is at a multiple of `align`. NULL without memory.
 */
struct virtqueue *vring_create_virtqueue(unsigned int index, unsigned int num, unsigned int align,
					 struct virtio_device *vdev, bool (*notify)(struct virtqueue *vq),
					 vq_callback_t *callback, const char *name);
void vring_del_virtqueue(struct virtqueue *vq);

/* Clears transport features that the rings do not implement. */
void vring_transport_features(struct virtio_device *vdev);

/* What to notify with once NOTIFICATION_DATA is accepted (§2.9): the queue, and where the driver will go on. */
u32 vring_notification_data(struct virtqueue *vq);

/* Runs the queue's callback if the device used anything. False: not this queue. */
bool vring_interrupt(struct virtqueue *vq);

/* The device broke the ring: says so, and the queue does nothing any more. */
void vring_bad(struct vring_virtqueue *vq, const char *what, unsigned int value);

/* While the device has no queue there, nothing may go through it. */
void __virtqueue_break(struct virtqueue *vq);
void __virtqueue_unbreak(struct virtqueue *vq);

/* Going from `old` to `new` passed the event index (§2.7.7.2, §2.7.10.1). All modulo 2^16. */
static inline bool vring_need_event(u16 event, u16 new, u16 old)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

extern const struct vring_ops vring_split_ops, vring_packed_ops;

#endif
