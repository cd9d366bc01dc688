/* Split virtqueues, the driver's side (virtio 1.2 §2.7): a table of descriptors, and a ring for each direction. */
#include "virtio_ring.h"
#include "../lib/io.h"

#define VRING_AVAIL_F_NO_INTERRUPT 1
#define VRING_USED_F_NO_NOTIFY 1

/* §2.7.5 */
struct vring_desc {
	le64 addr;
	le32 len;
	le16 flags;
	le16 next;
};

/* §2.7.6; used_event follows the ring. */
struct vring_avail {
	le16 flags;
	le16 idx;
	le16 ring[];
};

/* §2.7.8; avail_event follows the ring. */
struct vring_used {
	le16 flags;
	le16 idx;
	struct vring_used_elem {
		le32 id;
		le32 len;
	} ring[];
};

_Static_assert(sizeof(struct vring_desc) == VRING_DESC_BYTES, "descriptor");

static le16 *used_event(struct vring_virtqueue *vq)
{
	return &vq->split.avail->ring[vq->num];
}

static le16 *avail_event(const struct vring_virtqueue *vq)
{
	return (le16 *)&vq->split.used->ring[vq->num];
}

static u16 used_idx(const struct vring_virtqueue *vq)
{
	return READ_ONCE(vq->split.used->idx);
}

/* ---- Adding (§2.7.13) ---------------------------------------------------------------------------------------- */

static void fill(struct vring_desc *desc, const struct scatterlist *sg, u16 flags, u16 next)
{
	desc->addr = (uintptr_t)sg->address;
	desc->len = sg->length;
	desc->flags = flags;
	desc->next = (flags & VRING_DESC_F_NEXT) ? next : 0;
}

/* §2.7.5.3: one table, chained by its own indexes. */
static void add_indirect(struct vring_virtqueue *vq, const struct vring_buffer *buffer, struct vring_desc *table,
			 u16 head)
{
	struct scatterlist whole;
	unsigned int i = 0;

	for (unsigned int list = 0; list < buffer->out_sgs + buffer->in_sgs; list++) {
		for (struct scatterlist *sg = buffer->sgs[list]; sg != NULL && i < buffer->total; sg = sg_next(sg), i++) {
			u16 flags = (list < buffer->out_sgs ? 0 : VRING_DESC_F_WRITE) |
				    (i + 1 < buffer->total ? VRING_DESC_F_NEXT : 0);

			fill(&table[i], sg, flags, i + 1);
		}
	}
	sg_init_one(&whole, table, buffer->total * sizeof(*table));
	fill(&vq->split.desc[head], &whole, VRING_DESC_F_INDIRECT, 0);
	vq->free_head = vq->state[head].next;
}

/* A chain of free descriptors. With IN_ORDER (§2.7.5.2) the list of them stays the circle that it began as. */
static void add_direct(struct vring_virtqueue *vq, const struct vring_buffer *buffer, u16 head)
{
	unsigned int done = 0;
	u16 i = head;

	for (unsigned int list = 0; list < buffer->out_sgs + buffer->in_sgs; list++) {
		for (struct scatterlist *sg = buffer->sgs[list]; sg != NULL && done < buffer->total; sg = sg_next(sg)) {
			u16 flags = (list < buffer->out_sgs ? 0 : VRING_DESC_F_WRITE) |
				    (++done < buffer->total ? VRING_DESC_F_NEXT : 0);

			fill(&vq->split.desc[i], sg, flags, vq->state[i].next);
			i = vq->state[i].next;
		}
	}
	vq->free_head = i;
}

static void split_add(struct vring_virtqueue *vq, const struct vring_buffer *buffer, void *table)
{
	u16 head = vq->free_head;

	if (table != NULL)
		add_indirect(vq, buffer, table, head);
	else
		add_direct(vq, buffer, head);
	vq->split.avail->ring[vq->split.avail_idx & (vq->num - 1)] = head;
	/* §2.7.13.3.1: descriptors and ring entry before the index that shows them. */
	virtio_wmb();
	WRITE_ONCE(vq->split.avail->idx, ++vq->split.avail_idx);
	vq->num_added++;
}

static bool split_kick_prepare(struct vring_virtqueue *vq)
{
	u16 new = vq->split.avail_idx, old = new - vq->num_added;

	/* §2.7.13.4.1: the index must be out before we read whether the device wants to know. */
	virtio_mb();
	vq->num_added = 0;
	if (vq->event)
		return vring_need_event(READ_ONCE(*avail_event(vq)), new, old);
	return !(READ_ONCE(vq->split.used->flags) & VRING_USED_F_NO_NOTIFY);
}

static u16 split_next_avail(const struct vring_virtqueue *vq)
{
	return vq->split.avail_idx;
}

/* ---- Taking back (§2.7.14) ----------------------------------------------------------------------------------- */

static bool split_more_used(const struct vring_virtqueue *vq)
{
	return vq->split.last_used_idx != used_idx(vq);
}

static u32 split_used_id(const struct vring_virtqueue *vq, u32 *len)
{
	const struct vring_used_elem *elem = &vq->split.used->ring[vq->split.last_used_idx & (vq->num - 1)];

	*len = READ_ONCE(elem->len);
	return READ_ONCE(elem->id);
}

static void split_pass_used(struct vring_virtqueue *vq, u16 count)
{
	(void)count;
	vq->split.last_used_idx++;
	if (vq->event && !(vq->split.avail_flags & VRING_AVAIL_F_NO_INTERRUPT)) {
		WRITE_ONCE(*used_event(vq), vq->split.last_used_idx);
		virtio_mb();
	}
}

static void split_release(struct vring_virtqueue *vq, u16 id)
{
	u16 last = id;

	for (unsigned int i = 1; i < vq->state[id].count; i++)
		last = vq->state[last].next;
	vq->state[last].next = vq->free_head;
	vq->free_head = id;
}

/* ---- Callbacks (§2.7.7) -------------------------------------------------------------------------------------- */

static void split_disable_cb(struct vring_virtqueue *vq)
{
	vq->split.avail_flags |= VRING_AVAIL_F_NO_INTERRUPT;
	if (!vq->event)
		WRITE_ONCE(vq->split.avail->flags, vq->split.avail_flags);
	else
		/* §2.7.7.1: flags stay 0. Ask for the entry just passed: the index is there again in 65536 entries. */
		WRITE_ONCE(*used_event(vq), (u16)(vq->split.last_used_idx - 1));
}

static unsigned int split_enable_cb_prepare(struct vring_virtqueue *vq)
{
	vq->split.avail_flags &= ~VRING_AVAIL_F_NO_INTERRUPT;
	if (!vq->event)
		WRITE_ONCE(vq->split.avail->flags, vq->split.avail_flags);
	else
		WRITE_ONCE(*used_event(vq), vq->split.last_used_idx);
	return vq->split.last_used_idx;
}

static bool split_poll(const struct vring_virtqueue *vq, unsigned int last_used_idx)
{
	return (u16)last_used_idx != used_idx(vq);
}

static bool split_enable_cb_delayed(struct vring_virtqueue *vq)
{
	u16 wait_for;

	split_enable_cb_prepare(vq);
	wait_for = (u16)(vq->split.avail_idx - vq->split.last_used_idx) * 3 / 4;
	if (vq->event)
		WRITE_ONCE(*used_event(vq), (u16)(vq->split.last_used_idx + wait_for));
	/* The device must see our wish before we look, or it uses a buffer unseen and unannounced in between. */
	virtio_mb();
	return (u16)(used_idx(vq) - vq->split.last_used_idx) <= wait_for;
}

/* ---- Making -------------------------------------------------------------------------------------------------- */

/* §2.7.2: descriptors, available ring, and at the next multiple of `align` the used ring. */
static size_t used_offset(unsigned int num, unsigned int align)
{
	size_t offset = num * sizeof(struct vring_desc) + sizeof(struct vring_avail) + (num + 1) * sizeof(le16);

	return ALIGN_UP(offset, (size_t)align);
}

static size_t split_bytes(unsigned int num, unsigned int align)
{
	return used_offset(num, align) + sizeof(struct vring_used) + num * sizeof(struct vring_used_elem) + sizeof(le16);
}

static void split_init(struct vring_virtqueue *vq)
{
	char *memory = vq->memory;

	vq->split = (struct vring_virtqueue_split){
		.desc = vq->memory,
		.avail = (struct vring_avail *)(memory + vq->num * sizeof(struct vring_desc)),
		.used = (struct vring_used *)(memory + used_offset(vq->num, vq->align)),
	};
	vq->desc_addr = (uintptr_t)vq->split.desc;
	vq->avail_addr = (uintptr_t)vq->split.avail;
	vq->used_addr = (uintptr_t)vq->split.used;
}

const struct vring_ops vring_split_ops = {
	.bytes = split_bytes,
	.init = split_init,
	.add = split_add,
	.kick_prepare = split_kick_prepare,
	.next_avail = split_next_avail,
	.more_used = split_more_used,
	.used_id = split_used_id,
	.pass_used = split_pass_used,
	.release = split_release,
	.disable_cb = split_disable_cb,
	.enable_cb_prepare = split_enable_cb_prepare,
	.poll = split_poll,
	.enable_cb_delayed = split_enable_cb_delayed,
};
