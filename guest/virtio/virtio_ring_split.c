/* Split virtqueues, the driver's side (virtio 1.2 §2.7). */
#include "virtio_ring.h"
#include "../lib/alloc.h"
#include "../lib/io.h"
#include "../lib/string.h"

#define VIRTQ_DESC_F_NEXT 1
#define VIRTQ_DESC_F_WRITE 2
#define VIRTQ_DESC_F_INDIRECT 4
#define VIRTQ_AVAIL_F_NO_INTERRUPT 1
#define VIRTQ_USED_F_NO_NOTIFY 1

/* §2.7.5 */
struct virtq_desc {
	le64 addr;
	le32 len;
	le16 flags;
	le16 next;
};

/* §2.7.6; used_event follows the ring. */
struct virtq_avail {
	le16 flags;
	le16 idx;
	le16 ring[];
};

/* §2.7.8; avail_event follows the ring. */
struct virtq_used {
	le16 flags;
	le16 idx;
	struct virtq_used_elem {
		le32 id;
		le32 len;
	} ring[];
};

/* Our notes on a descriptor: the device can write to the ring memory, so nothing is read back from there. */
struct desc_state {
	void *data;			/* head of a buffer in flight: the driver's token */
	struct virtq_desc *indirect;	/* head: its table */
	u16 next;			/* in the chain or the free list */
	u16 count;			/* head: descriptors it holds */
};

struct split_virtqueue {
	struct vring_virtqueue vvq;
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	struct desc_state *state;
	u16 free_head;
	u16 avail_idx;	 /* as in avail->idx */
	u16 avail_flags; /* what we want of the device; written there unless EVENT_IDX rules */
	u16 last_used_idx;
};

static struct split_virtqueue *split(const struct vring_virtqueue *vq)
{
	return container_of(vq, struct split_virtqueue, vvq);
}

static le16 *used_event(struct split_virtqueue *vq)
{
	return &vq->avail->ring[vq->vvq.num];
}

static le16 *avail_event(const struct split_virtqueue *vq)
{
	return (le16 *)&vq->used->ring[vq->vvq.num];
}

static u16 used_idx(const struct split_virtqueue *vq)
{
	return READ_ONCE(vq->used->idx);
}

/* §2.7.7.2, §2.7.10.1: going from `old` to `new` passed the event index. All modulo 2^16. */
static bool need_event(u16 event, u16 new, u16 old)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

/* ---- Adding (§2.7.13) ---------------------------------------------------------------------------------------- */

static void fill(struct virtq_desc *desc, const struct scatterlist *sg, u16 flags, u16 next)
{
	desc->addr = (uintptr_t)sg->address;
	desc->len = sg->length;
	desc->flags = flags;
	desc->next = (flags & VIRTQ_DESC_F_NEXT) ? next : 0;
}

/* §2.7.5.3: one table, chained by its own indexes. */
static int add_indirect(struct split_virtqueue *vq, struct scatterlist *sgs[], unsigned int total, unsigned int out_sgs,
			unsigned int in_sgs, u16 head)
{
	struct virtq_desc *table = kzalloc(total * sizeof(*table));
	struct scatterlist whole;
	unsigned int i = 0;

	if (table == NULL)
		return -ENOMEM;
	for (unsigned int list = 0; list < out_sgs + in_sgs; list++) {
		for (struct scatterlist *sg = sgs[list]; sg != NULL && i < total; sg = sg_next(sg), i++) {
			u16 flags = (list < out_sgs ? 0 : VIRTQ_DESC_F_WRITE) | (i + 1 < total ? VIRTQ_DESC_F_NEXT : 0);

			fill(&table[i], sg, flags, i + 1);
		}
	}
	sg_init_one(&whole, table, total * sizeof(*table));
	fill(&vq->desc[head], &whole, VIRTQ_DESC_F_INDIRECT, 0);
	vq->state[head].indirect = table;
	vq->state[head].count = 1;
	vq->free_head = vq->state[head].next;
	return 0;
}

static void add_direct(struct split_virtqueue *vq, struct scatterlist *sgs[], unsigned int total, unsigned int out_sgs,
		       unsigned int in_sgs, u16 head)
{
	unsigned int done = 0;
	u16 i = head;

	for (unsigned int list = 0; list < out_sgs + in_sgs; list++) {
		for (struct scatterlist *sg = sgs[list]; sg != NULL && done < total; sg = sg_next(sg)) {
			u16 flags = (list < out_sgs ? 0 : VIRTQ_DESC_F_WRITE) |
				    (++done < total ? VIRTQ_DESC_F_NEXT : 0);

			fill(&vq->desc[i], sg, flags, vq->state[i].next);
			i = vq->state[i].next;
		}
	}
	vq->state[head].indirect = NULL;
	vq->state[head].count = total;
	vq->free_head = i;
}

static int split_add(struct vring_virtqueue *vvq, struct scatterlist *sgs[], unsigned int total, unsigned int out_sgs,
		     unsigned int in_sgs, void *data)
{
	struct split_virtqueue *vq = split(vvq);
	bool indirect = vvq->indirect && total > 1 && vvq->vq.num_free > 0;
	unsigned int needed = indirect ? 1 : total;
	u16 head = vq->free_head;

	if (vvq->vq.num_free < needed) {
		/* The device may be waiting for a kick that was saved up; with output in the queue let it work. */
		if (out_sgs > 0)
			virtqueue_notify(&vvq->vq);
		return -ENOSPC;
	}
	if (indirect) {
		int err = add_indirect(vq, sgs, total, out_sgs, in_sgs, head);

		if (err != 0)
			return err;
	} else {
		add_direct(vq, sgs, total, out_sgs, in_sgs, head);
	}
	vq->state[head].data = data;
	vvq->vq.num_free -= needed;

	vq->avail->ring[vq->avail_idx & (vvq->num - 1)] = head;
	/* §2.7.13.3.1: descriptors and ring entry before the index that shows them. */
	virtio_wmb();
	WRITE_ONCE(vq->avail->idx, ++vq->avail_idx);
	/* A kick has to see how far the index moved; it must not come around unseen. */
	if (++vvq->num_added == UINT16_MAX)
		virtqueue_kick(&vvq->vq);
	return 0;
}

static bool split_kick_prepare(struct vring_virtqueue *vvq)
{
	struct split_virtqueue *vq = split(vvq);
	u16 new = vq->avail_idx, old = new - vvq->num_added;

	/* §2.7.13.4.1: the index must be out before we read whether the device wants to know. */
	virtio_mb();
	vvq->num_added = 0;
	if (vvq->event)
		return need_event(READ_ONCE(*avail_event(vq)), new, old);
	return !(READ_ONCE(vq->used->flags) & VIRTQ_USED_F_NO_NOTIFY);
}

/* ---- Taking back (§2.7.14) ----------------------------------------------------------------------------------- */

/* Puts the chain at `head` back into the free list; returns its token. */
static void *detach(struct split_virtqueue *vq, u16 head)
{
	struct desc_state *state = &vq->state[head];
	void *data = state->data;
	u16 last = head;

	for (unsigned int i = 1; i < state->count; i++)
		last = vq->state[last].next;
	vq->state[last].next = vq->free_head;
	vq->free_head = head;
	vq->vvq.vq.num_free += state->count;
	kfree(state->indirect);
	state->indirect = NULL;
	state->data = NULL;
	return data;
}

static bool split_more_used(const struct vring_virtqueue *vvq)
{
	return split(vvq)->last_used_idx != used_idx(split(vvq));
}

static void *split_get_buf(struct vring_virtqueue *vvq, unsigned int *len)
{
	struct split_virtqueue *vq = split(vvq);
	struct virtq_used_elem *elem = &vq->used->ring[vq->last_used_idx & (vvq->num - 1)];
	u32 id;
	void *data;

	if (!split_more_used(vvq))
		return NULL;
	/* §2.7.8.3: nothing of the entry may be read before the index that covers it. */
	virtio_rmb();
	id = READ_ONCE(elem->id);
	*len = READ_ONCE(elem->len);
	if (id >= vvq->num || vq->state[id].data == NULL) {
		vring_bad(vvq, "device used descriptor", id);
		return NULL;
	}
	data = detach(vq, id);
	vq->last_used_idx++;
	if (vvq->event && !(vq->avail_flags & VIRTQ_AVAIL_F_NO_INTERRUPT)) {
		WRITE_ONCE(*used_event(vq), vq->last_used_idx);
		virtio_mb();
	}
	return data;
}

static void *split_detach_unused_buf(struct vring_virtqueue *vvq)
{
	struct split_virtqueue *vq = split(vvq);

	for (unsigned int i = 0; i < vvq->num; i++) {
		if (vq->state[i].data == NULL)
			continue;
		/* The queue is dead: taking the index back keeps "offered minus used" true. */
		WRITE_ONCE(vq->avail->idx, --vq->avail_idx);
		return detach(vq, i);
	}
	return NULL;
}

/* ---- Callbacks (§2.7.7) -------------------------------------------------------------------------------------- */

static void split_disable_cb(struct vring_virtqueue *vvq)
{
	struct split_virtqueue *vq = split(vvq);

	vq->avail_flags |= VIRTQ_AVAIL_F_NO_INTERRUPT;
	if (!vvq->event)
		WRITE_ONCE(vq->avail->flags, vq->avail_flags);
	else
		/* §2.7.7.1: flags stay 0. Ask for the entry just passed: the index is there again in 65536 entries. */
		WRITE_ONCE(*used_event(vq), (u16)(vq->last_used_idx - 1));
}

static unsigned int split_enable_cb_prepare(struct vring_virtqueue *vvq)
{
	struct split_virtqueue *vq = split(vvq);

	vq->avail_flags &= ~VIRTQ_AVAIL_F_NO_INTERRUPT;
	if (!vvq->event)
		WRITE_ONCE(vq->avail->flags, vq->avail_flags);
	else
		WRITE_ONCE(*used_event(vq), vq->last_used_idx);
	return vq->last_used_idx;
}

static bool split_poll(const struct vring_virtqueue *vvq, unsigned int last_used_idx)
{
	return (u16)last_used_idx != used_idx(split(vvq));
}

static bool split_enable_cb_delayed(struct vring_virtqueue *vvq)
{
	struct split_virtqueue *vq = split(vvq);
	u16 wait_for;

	split_enable_cb_prepare(vvq);
	wait_for = (u16)(vq->avail_idx - vq->last_used_idx) * 3 / 4;
	if (vvq->event)
		WRITE_ONCE(*used_event(vq), (u16)(vq->last_used_idx + wait_for));
	virtio_mb();
	return (u16)(used_idx(vq) - vq->last_used_idx) <= wait_for;
}

/* ---- Making and unmaking ------------------------------------------------------------------------------------- */

/* §2.7.2: descriptors, available ring, and at the next multiple of `align` the used ring. */
static size_t used_offset(unsigned int num, unsigned int align)
{
	size_t offset = num * sizeof(struct virtq_desc) + sizeof(struct virtq_avail) + (num + 1) * sizeof(le16);

	return ALIGN_UP(offset, (size_t)align);
}

static void split_destroy(struct vring_virtqueue *vvq)
{
	struct split_virtqueue *vq = split(vvq);

	for (unsigned int i = 0; i < vvq->num; i++)
		kfree(vq->state[i].indirect);
	kfree(vq->state);
	kfree(vq->desc);
	kfree(vq);
}

static const struct vring_ops split_ops = {
	.add = split_add,
	.kick_prepare = split_kick_prepare,
	.more_used = split_more_used,
	.get_buf = split_get_buf,
	.disable_cb = split_disable_cb,
	.enable_cb_prepare = split_enable_cb_prepare,
	.poll = split_poll,
	.enable_cb_delayed = split_enable_cb_delayed,
	.detach_unused_buf = split_detach_unused_buf,
	.destroy = split_destroy,
};

struct vring_virtqueue *vring_create_split(unsigned int num, unsigned int align, bool event, bool callbacks)
{
	size_t used = used_offset(num, align);
	size_t bytes = used + sizeof(struct virtq_used) + num * sizeof(struct virtq_used_elem) + sizeof(le16);
	struct split_virtqueue *vq = kzalloc(sizeof(*vq));
	char *memory = alloc_pages_exact(bytes);
	struct desc_state *state = kzalloc(num * sizeof(*state));

	if (vq == NULL || memory == NULL || state == NULL) {
		kfree(vq);
		kfree(memory);
		kfree(state);
		return NULL;
	}
	vq->vvq.ops = &split_ops;
	vq->vvq.num = num;
	vq->vvq.event = event;
	vq->vvq.vq.num_free = num;
	vq->desc = (struct virtq_desc *)memory;
	vq->avail = (struct virtq_avail *)(vq->desc + num);
	vq->used = (struct virtq_used *)(memory + used);
	vq->state = state;
	vq->vvq.desc_addr = (uintptr_t)vq->desc;
	vq->vvq.avail_addr = (uintptr_t)vq->avail;
	vq->vvq.used_addr = (uintptr_t)vq->used;
	for (unsigned int i = 0; i + 1 < num; i++)
		state[i].next = i + 1;
	/* Nobody listens: say so from the start. */
	if (!callbacks)
		split_disable_cb(&vq->vvq);
	return &vq->vvq;
}
