/*
 * Queues, split and packed alike: virtqueue_* for drivers, vring_* for transports. What the layouts do differently is in
 * virtio_ring_split.c and virtio_ring_packed.c.
 */
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

/* Bytes the device may write, for the buffers of a batch whose used length nobody tells. */
static u32 in_bytes(const struct vring_buffer *buffer)
{
	u32 bytes = 0;

	for (unsigned int list = buffer->out_sgs; list < buffer->out_sgs + buffer->in_sgs; list++)
		for (struct scatterlist *sg = buffer->sgs[list]; sg != NULL; sg = sg_next(sg))
			bytes += sg->length;
	return bytes;
}

static int add(struct virtqueue *_vq, const struct vring_buffer *buffer, void *data)
{
	struct vring_virtqueue *vq = to_vvq(_vq);
	unsigned int needed = buffer->total;
	void *table = NULL;

	if (vq->broken)
		return -EIO;
	if (_vq->vdev->suspended)
		return -EBUSY;
	if (data == NULL || needed == 0)
		return -EINVAL;
	/*
	 * Several pieces in a table take one entry of the ring. Without memory for one they may still fit. §2.7.5.3.1: not
	 * more than the queue has entries, though many devices take that.
	 */
	if (vq->use_indirect && needed > 1 && needed <= vq->num && _vq->num_free > 0)
		table = kzalloc(needed * VRING_DESC_BYTES);
	if (table != NULL)
		needed = 1;
	if (_vq->num_free < needed) {
		/* The device may be waiting for a kick that was saved up; with output in the queue let it work. */
		if (buffer->out_sgs > 0)
			virtqueue_notify(_vq);
		return -ENOSPC;
	}
	_vq->num_free -= needed;
	/* Before the device can see the buffer: it may be back at once. */
	vq->state[vq->free_head] = (struct vring_desc_state){
		.data = data,
		.indirect = table,
		.in_bytes = vq->in_order ? in_bytes(buffer) : 0,
		.next = vq->state[vq->free_head].next,
		.count = needed,
	};
	vq->ops->add(vq, buffer, table);
	/* A kick has to see how far we went; the count must not come around unseen. */
	if (vq->num_added > UINT16_MAX - vq->num)
		virtqueue_kick(_vq);
	return 0;
}

int virtqueue_add_sgs(struct virtqueue *vq, struct scatterlist *sgs[], unsigned int out_sgs, unsigned int in_sgs,
		      void *data, gfp_t gfp)
{
	struct vring_buffer buffer = { .sgs = sgs, .out_sgs = out_sgs, .in_sgs = in_sgs };

	(void)gfp;
	for (unsigned int i = 0; i < out_sgs + in_sgs; i++)
		for (struct scatterlist *sg = sgs[i]; sg != NULL; sg = sg_next(sg))
			buffer.total++;
	return add(vq, &buffer, data);
}

int virtqueue_add_outbuf(struct virtqueue *vq, struct scatterlist *sg, unsigned int num, void *data, gfp_t gfp)
{
	(void)gfp;
	return add(vq, &(struct vring_buffer){ .sgs = &sg, .total = num, .out_sgs = 1 }, data);
}

int virtqueue_add_inbuf(struct virtqueue *vq, struct scatterlist *sg, unsigned int num, void *data, gfp_t gfp)
{
	(void)gfp;
	return add(vq, &(struct vring_buffer){ .sgs = &sg, .total = num, .in_sgs = 1 }, data);
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

	if (vq->broken || _vq->vdev->suspended)
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

u32 vring_notification_data(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	return _vq->index | (u32)vq->ops->next_avail(vq) << 16;
}

/* ---- Taking back --------------------------------------------------------------------------------------------- */

/* Whether there is a buffer to take back: in a batch that was begun, or newly used. */
static bool more_used(const struct vring_virtqueue *vq)
{
	return vq->batch.pending || vq->ops->more_used(vq);
}

/* Frees what a buffer took, and returns its token. */
static void *detach(struct vring_virtqueue *vq, u16 id)
{
	struct vring_desc_state *state = &vq->state[id];
	void *data = state->data;

	if (!vq->in_order)
		vq->ops->release(vq, id);
	vq->vq.num_free += state->count;
	kfree(state->indirect);
	state->indirect = NULL;
	state->data = NULL;
	return data;
}

/* The buffer of the next used entry; false if the device made it up. */
static bool used_entry(struct vring_virtqueue *vq, u16 *id, u32 *len)
{
	u32 used;

	/* §2.7.8.3, §2.8.22: nothing of the entry may be read before what says that it is used. */
	virtio_rmb();
	used = vq->ops->used_id(vq, len);
	*id = used;
	if (used < vq->num && vq->state[used].data != NULL)
		return true;
	vring_bad(vq, "device used descriptor", used);
	return false;
}

/*
 * With IN_ORDER an entry may stand for all buffers up to the one it names; the others were used completely (§2.7.9,
 * §2.8.8). They are taken back one by one, the oldest first.
 */
static bool used_in_order(struct vring_virtqueue *vq, u16 *id, u32 *len)
{
	if (!vq->batch.pending) {
		if (!used_entry(vq, &vq->batch.id, &vq->batch.len))
			return false;
		vq->batch.pending = true;
	}
	*id = vq->oldest;
	*len = vq->state[*id].in_bytes;
	if (*id == vq->batch.id) {
		*len = vq->batch.len;
		vq->batch.pending = false;
	}
	/* Buffers lie one behind the other, in the table or ring. */
	vq->oldest = (vq->oldest + vq->state[*id].count) % vq->num;
	return true;
}

void *virtqueue_get_buf(struct virtqueue *_vq, unsigned int *len)
{
	struct vring_virtqueue *vq = to_vvq(_vq);
	u16 id, count;
	void *data;

	if (vq->broken || !more_used(vq))
		return NULL;
	if (!(vq->in_order ? used_in_order(vq, &id, len) : used_entry(vq, &id, len)))
		return NULL;
	_vq->vdev->recoveries = 0;
	count = vq->state[id].count;
	data = detach(vq, id);
	vq->ops->pass_used(vq, count);
	return data;
}

void *virtqueue_detach_unused_buf(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	for (unsigned int id = 0; id < vq->num; id++)
		if (vq->state[id].data != NULL)
			return detach(vq, id);
	return NULL;
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
	return vq->batch.pending || vq->ops->poll(vq, last_used_idx);
}

bool virtqueue_enable_cb(struct virtqueue *vq)
{
	return !virtqueue_poll(vq, virtqueue_enable_cb_prepare(vq));
}

bool virtqueue_enable_cb_delayed(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	return vq->ops->enable_cb_delayed(vq) && !vq->batch.pending;
}

bool vring_interrupt(struct virtqueue *_vq)
{
	struct vring_virtqueue *vq = to_vvq(_vq);

	if (vq->broken || !more_used(vq))
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

void __virtqueue_break(struct virtqueue *vq)
{
	to_vvq(vq)->broken = true;
}

void __virtqueue_unbreak(struct virtqueue *vq)
{
	to_vvq(vq)->broken = false;
}

void virtio_break_device(struct virtio_device *dev)
{
	for (struct virtqueue *vq = dev->vqs; vq != NULL; vq = vq->next)
		__virtqueue_break(vq);
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
