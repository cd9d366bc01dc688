/* Queues without regard to the layout of their rings: virtqueue_* for drivers, vring_* for transports. */
#include "virtio_ring.h"
#include "../lib/alloc.h"
#include "../lib/printf.h"

void sg_init_table(struct scatterlist *sgl, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		sgl[i] = (struct scatterlist){ .last = i == n - 1 };
}

void sg_set_buf(struct scatterlist *sg, const void *buf, unsigned int length)
{
	sg->address = (void *)buf;
	sg->length = length;
}

void sg_init_one(struct scatterlist *sg, const void *buf, unsigned int length)
{
	sg_init_table(sg, 1);
	sg_set_buf(sg, buf, length);
}

struct scatterlist *sg_next(struct scatterlist *sg)
{
	return sg->last ? NULL : sg + 1;
}

/* ---- Adding -------------------------------------------------------------------------------------------------- */

static int add(struct virtqueue *_vq, struct scatterlist *sgs[], unsigned int total, unsigned int out_sgs,
	       unsigned int in_sgs, void *data)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	if (vq->broken)
		return -EIO;
	if (data == NULL || total == 0)
		return -EINVAL;
	return vq->ops->add(vq, sgs, total, out_sgs, in_sgs, data);
}

int virtqueue_add_sgs(struct virtqueue *vq, struct scatterlist *sgs[], unsigned int out_sgs, unsigned int in_sgs,
		      void *data, gfp_t gfp)
{
	unsigned int total = 0;

	(void)gfp;
	for (unsigned int i = 0; i < out_sgs + in_sgs; i++)
		for (struct scatterlist *sg = sgs[i]; sg != NULL; sg = sg_next(sg))
			total++;
	return add(vq, sgs, total, out_sgs, in_sgs, data);
}

int virtqueue_add_outbuf(struct virtqueue *vq, struct scatterlist *sg, unsigned int num, void *data, gfp_t gfp)
{
	(void)gfp;
	return add(vq, &sg, num, 1, 0, data);
}

int virtqueue_add_inbuf(struct virtqueue *vq, struct scatterlist *sg, unsigned int num, void *data, gfp_t gfp)
{
	(void)gfp;
	return add(vq, &sg, num, 0, 1, data);
}

/* ---- Notifying ----------------------------------------------------------------------------------------------- */

bool virtqueue_kick_prepare(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	return vq->ops->kick_prepare(vq);
}

bool virtqueue_notify(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	if (vq->broken)
		return false;
	if (!vq->notify(_vq)) {
		vq->broken = true;
		return false;
	}
	return true;
}

bool virtqueue_kick(struct virtqueue *vq)
{
	if (virtqueue_kick_prepare(vq))
		return virtqueue_notify(vq);
	return !virtqueue_is_broken(vq);
}

/* ---- Taking back --------------------------------------------------------------------------------------------- */

void *virtqueue_get_buf(struct virtqueue *_vq, unsigned int *len)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	return vq->broken ? NULL : vq->ops->get_buf(vq, len);
}

void *virtqueue_detach_unused_buf(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	return vq->ops->detach_unused_buf(vq);
}

/* ---- Callbacks ----------------------------------------------------------------------------------------------- */

void virtqueue_disable_cb(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	vq->ops->disable_cb(vq);
}

unsigned int virtqueue_enable_cb_prepare(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	return vq->ops->enable_cb_prepare(vq);
}

bool virtqueue_poll(struct virtqueue *_vq, unsigned int last_used_idx)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	if (vq->broken)
		return false;
	/* The device must see our wish before we look, or it uses a buffer unseen and unannounced in between. */
	virtio_mb();
	return vq->ops->poll(vq, last_used_idx);
}

bool virtqueue_enable_cb(struct virtqueue *vq)
{
	return !virtqueue_poll(vq, virtqueue_enable_cb_prepare(vq));
}

bool virtqueue_enable_cb_delayed(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	return vq->ops->enable_cb_delayed(vq);
}

bool vring_interrupt(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	if (vq->broken || !vq->ops->more_used(vq))
		return false;
	if (_vq->callback != NULL)
		_vq->callback(_vq);
	return true;
}

/* ---- State --------------------------------------------------------------------------------------------------- */

void vring_bad(struct vring_virtqueue *vq, const char *what, unsigned int value)
{
	printf("%s: queue %s: %s %u, queue given up\n", vq->vq.vdev->name, vq->vq.name, what, value);
	vq->broken = true;
}

unsigned int virtqueue_get_vring_size(const struct virtqueue *_vq)
{
	return to_vvq(_vq)->num;
}

bool virtqueue_is_broken(const struct virtqueue *_vq)
{
	return to_vvq(_vq)->broken;
}

void virtio_break_device(struct virtio_device *dev)
{
	for (struct virtqueue *vq = dev->vqs; vq != NULL; vq = vq->next)
		to_vvq(vq)->broken = true;
}

u64 virtqueue_get_desc_addr(const struct virtqueue *_vq)
{
	return to_vvq(_vq)->desc_addr;
}

u64 virtqueue_get_avail_addr(const struct virtqueue *_vq)
{
	return to_vvq(_vq)->avail_addr;
}

u64 virtqueue_get_used_addr(const struct virtqueue *_vq)
{
	return to_vvq(_vq)->used_addr;
}

/* ---- For transports ------------------------------------------------------------------------------------------ */

void vring_transport_features(struct virtio_device *vdev)
{
	static const u64 implemented = BIT_ULL(VIRTIO_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_F_EVENT_IDX) |
				       BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	/* Bits 28 to 40: those of queues and negotiation (virtio 1.2 §2.2); 24 to 27 no driver here knows. */
	u64 transport = BIT_ULL(VIRTIO_F_RING_RESET + 1) - BIT_ULL(VIRTIO_F_INDIRECT_DESC);

	vdev->features &= ~transport | implemented;
}

struct virtqueue *vring_create_virtqueue(unsigned int index, unsigned int num, unsigned int align,
					 struct virtio_device *vdev, bool (*notify)(struct virtqueue *vq),
					 vq_callback_t *callback, const char *name)
{
	struct vring_virtqueue *vq = NULL;
	struct virtqueue **end = &vdev->vqs;

	/* §2.7: a split ring's size is a power of two, up to 32768. */
	if (num == 0 || (num & (num - 1)) != 0 || num > 32768)
		return NULL;
	for (unsigned int size = num; vq == NULL && size > 0; size /= 2)
		vq = vring_create_split(size, align, virtio_has_feature(vdev, VIRTIO_F_EVENT_IDX), callback != NULL);
	if (vq == NULL)
		return NULL;
	vq->notify = notify;
	vq->indirect = virtio_has_feature(vdev, VIRTIO_F_INDIRECT_DESC);
	vq->vq.index = index;
	vq->vq.num_max = num;
	vq->vq.vdev = vdev;
	vq->vq.callback = callback;
	vq->vq.name = name;
	while (*end != NULL)
		end = &(*end)->next;
	*end = &vq->vq;
	return &vq->vq;
}

void vring_del_virtqueue(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);
	struct virtqueue **link = &_vq->vdev->vqs;

	while (*link != _vq)
		link = &(*link)->next;
	*link = _vq->next;
	vq->ops->destroy(vq);
}
