/* Queues made, made anew, and unmade. */
#include "virtio_ring.h"
#include "../lib/alloc.h"
#include "../lib/string.h"

void vring_transport_features(struct virtio_device *vdev)
{
	static const u64 implemented =
		BIT_ULL(VIRTIO_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_F_EVENT_IDX) | BIT_ULL(VIRTIO_F_VERSION_1) |
		BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | BIT_ULL(VIRTIO_F_RING_PACKED) | BIT_ULL(VIRTIO_F_IN_ORDER) |
		BIT_ULL(VIRTIO_F_ORDER_PLATFORM) | BIT_ULL(VIRTIO_F_NOTIFICATION_DATA) | BIT_ULL(VIRTIO_F_RING_RESET) |
		BIT_ULL(VIRTIO_F_SUSPEND);

	vdev->features &= ~VIRTIO_TRANSPORT_F_MASK | implemented;
}

/* Begins with nothing in flight. */
static void init(struct vring_virtqueue *vq)
{
	memset(vq->memory, 0, vq->ops->bytes(vq->num, vq->align));
	memset(vq->state, 0, vq->num * sizeof(*vq->state));
	for (unsigned int id = 0; id < vq->num; id++)
		vq->state[id].next = (id + 1) % vq->num;
	vq->free_head = 0;
	vq->oldest = 0;
	vq->batch.pending = false;
	vq->num_added = 0;
	vq->vq.num_free = vq->num;
	vq->ops->init(vq);
	/* Nobody listens: say so from the start. */
	if (vq->vq.callback == NULL)
		vq->ops->disable_cb(vq);
}

/* Gives the queue memory for `num` entries instead of what it had, which it keeps if there is none: false. */
static bool alloc_ring(struct vring_virtqueue *vq, unsigned int num)
{
	void *memory = alloc_pages_exact(vq->ops->bytes(num, vq->align));
	struct vring_desc_state *state = kzalloc(num * sizeof(*state));

	if (memory == NULL || state == NULL) {
		kfree(memory);
		kfree(state);
		return false;
	}
	kfree(vq->memory);
	kfree(vq->state);
	vq->memory = memory;
	vq->state = state;
	vq->num = num;
	return true;
}

/* §2.7: a split ring's size is a power of two; §2.8: a packed one's is any. */
static unsigned int size_for(const struct vring_virtqueue *vq, unsigned int num)
{
	unsigned int size = 1;

	if (num > VRING_NUM_MAX)
		num = VRING_NUM_MAX;
	if (vq->ops == &vring_packed_ops)
		return num;
	while (size * 2 <= num)
		size *= 2;
	return size;
}

struct virtqueue *vring_create_virtqueue(unsigned int index, unsigned int num, unsigned int align,
					 struct virtio_device *vdev, bool (*notify)(struct virtqueue *vq),
					 vq_callback_t *callback, const char *name)
{
	struct vring_virtqueue *vq = kzalloc(sizeof(*vq));
	struct virtqueue **end = &vdev->vqs;
	unsigned int size;

	if (vq == NULL || num == 0)
		goto fail;
	vq->vq = (struct virtqueue){
		.callback = callback, .name = name, .vdev = vdev, .index = index, .num_max = num
	};
	vq->ops = virtio_has_feature(vdev, VIRTIO_F_RING_PACKED) ? &vring_packed_ops : &vring_split_ops;
	vq->use_indirect = virtio_has_feature(vdev, VIRTIO_F_INDIRECT_DESC);
	vq->event = virtio_has_feature(vdev, VIRTIO_F_EVENT_IDX);
	vq->in_order = virtio_has_feature(vdev, VIRTIO_F_IN_ORDER);
	vq->notify = notify;
	vq->align = align;
	for (size = size_for(vq, num); size > 0 && !alloc_ring(vq, size); size /= 2)
		;
	if (size == 0)
		goto fail;
	init(vq);
	while (*end != NULL)
		end = &(*end)->next;
	*end = &vq->vq;
	return &vq->vq;
fail:
	kfree(vq);
	return NULL;
}

void vring_del_virtqueue(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);
	struct virtqueue **link = &_vq->vdev->vqs;

	while (*link != _vq)
		link = &(*link)->next;
	*link = _vq->next;
	for (unsigned int id = 0; id < vq->num; id++)
		kfree(vq->state[id].indirect);
	kfree(vq->state);
	kfree(vq->memory);
	kfree(vq);
}

/* ---- RING_RESET (§2.6.1) ------------------------------------------------------------------------------------- */

/* Takes the queue from the device, and what the device has not used back to the driver. */
static int disable_and_recycle(struct virtqueue *vq, void (*recycle)(struct virtqueue *vq, void *buf))
{
	void *buf;
	int err;

	if (vq->vdev->config->disable_vq_and_reset == NULL)
		return -ENOENT;
	err = vq->vdev->config->disable_vq_and_reset(vq);
	if (err != 0)
		return err;
	while ((buf = virtqueue_detach_unused_buf(vq)) != NULL)
		recycle(vq, buf);
	return 0;
}

static int enable_after_reset(struct virtqueue *vq, void (*recycle_done)(struct virtqueue *vq))
{
	init(to_vvq(vq));
	if (recycle_done != NULL)
		recycle_done(vq);
	return vq->vdev->config->enable_vq_after_reset(vq) == 0 ? 0 : -EBUSY;
}

int virtqueue_reset(struct virtqueue *vq, void (*recycle)(struct virtqueue *vq, void *buf),
		    void (*recycle_done)(struct virtqueue *vq))
{
	int err = disable_and_recycle(vq, recycle);

	return err != 0 ? err : enable_after_reset(vq, recycle_done);
}

int virtqueue_resize(struct virtqueue *_vq, unsigned int num, void (*recycle)(struct virtqueue *vq, void *buf),
		     void (*recycle_done)(struct virtqueue *vq))
{
	struct vring_virtqueue *vq = to_vvq(_vq);
	bool resized;
	int err;

	if (num > _vq->num_max)
		return -E2BIG;
	if (num == 0)
		return -EINVAL;
	if (size_for(vq, num) == vq->num)
		return 0;
	err = disable_and_recycle(_vq, recycle);
	if (err != 0)
		return err;
	/* Without memory it goes on as large as it was. */
	resized = alloc_ring(vq, size_for(vq, num));
	err = enable_after_reset(_vq, recycle_done);
	return err == 0 && !resized ? -ENOMEM : err;
}
