/*
 * Packed virtqueues, the driver's side (virtio 1.2 §2.8): one ring of descriptors, in which the driver overwrites what
 * the device has used. Two flags and a wrap counter say whose an entry is; two small structures say who wants to be told.
 */
#include "virtio_ring.h"
#include "../lib/io.h"

/* §2.8.1: the driver sets AVAIL to its wrap counter and USED to the opposite; the device sets both to its own. */
#define VRING_PACKED_DESC_F_AVAIL (1 << 7)
#define VRING_PACKED_DESC_F_USED (1 << 15)

/* §2.8.10: tell always, never, or at a certain place. */
#define VRING_PACKED_EVENT_FLAG_ENABLE 0
#define VRING_PACKED_EVENT_FLAG_DISABLE 1
#define VRING_PACKED_EVENT_FLAG_DESC 2
#define VRING_PACKED_EVENT_F_WRAP_CTR 15

/* §2.8.13 */
struct vring_packed_desc {
	le64 addr;
	le32 len;
	le16 id;
	le16 flags;
};

/* §2.8.14: the place, its wrap counter in bit 15, and the flags. */
struct vring_packed_desc_event {
	union {
		struct {
			le16 off_wrap;
			le16 flags;
		};
		le32 both;
	};
};

_Static_assert(sizeof(struct vring_packed_desc) == VRING_DESC_BYTES, "descriptor");

static u16 off_wrap(struct vring_place place)
{
	return place.idx | place.wrap << VRING_PACKED_EVENT_F_WRAP_CTR;
}

/* The place `count` entries on; at most once around. */
static struct vring_place advance(const struct vring_virtqueue *vq, struct vring_place place, unsigned int count)
{
	if (place.idx + count < vq->num)
		return (struct vring_place){ place.idx + count, place.wrap };
	return (struct vring_place){ place.idx + count - vq->num, !place.wrap };
}

static bool is_used(const struct vring_virtqueue *vq, struct vring_place place)
{
	u16 flags = READ_ONCE(vq->packed.desc[place.idx].flags);
	bool avail = flags & VRING_PACKED_DESC_F_AVAIL, used = flags & VRING_PACKED_DESC_F_USED;

	return avail == used && used == place.wrap;
}

/* ---- Adding (§2.8.21) ---------------------------------------------------------------------------------------- */

static u16 available_flags(struct vring_place place)
{
	return place.wrap ? VRING_PACKED_DESC_F_AVAIL : VRING_PACKED_DESC_F_USED;
}

static void fill(struct vring_packed_desc *desc, const struct scatterlist *sg, u16 id)
{
	desc->addr = (uintptr_t)sg->address;
	desc->len = sg->length;
	desc->id = id;
}

/* §2.8.7: a table has as many entries as its length says, in order; of their flags only WRITE counts. */
static u16 add_indirect(struct vring_virtqueue *vq, const struct vring_buffer *buffer, struct vring_packed_desc *table,
			u16 id)
{
	struct vring_place at = vq->packed.avail;
	struct scatterlist whole;
	unsigned int i = 0;

	for (unsigned int list = 0; list < buffer->out_sgs + buffer->in_sgs; list++) {
		for (struct scatterlist *sg = buffer->sgs[list]; sg != NULL && i < buffer->total; sg = sg_next(sg)) {
			fill(&table[i], sg, 0);
			table[i++].flags = list < buffer->out_sgs ? 0 : VRING_DESC_F_WRITE;
		}
	}
	sg_init_one(&whole, table, buffer->total * sizeof(*table));
	fill(&vq->packed.desc[at.idx], &whole, id);
	return VRING_DESC_F_INDIRECT | available_flags(at);
}

/*
 * §2.8.6: a list takes entries in sequence, over the ring's end if it has to. All but the first entry are written here,
 * flags included; returns the flags of the first.
 */
static u16 add_direct(struct vring_virtqueue *vq, const struct vring_buffer *buffer, u16 id)
{
	unsigned int done = 0;
	u16 head_flags = 0;

	for (unsigned int list = 0; list < buffer->out_sgs + buffer->in_sgs; list++) {
		for (struct scatterlist *sg = buffer->sgs[list]; sg != NULL && done < buffer->total; sg = sg_next(sg)) {
			struct vring_place at = advance(vq, vq->packed.avail, done++);
			u16 flags = (list < buffer->out_sgs ? 0 : VRING_DESC_F_WRITE) |
				    (done < buffer->total ? VRING_DESC_F_NEXT : 0) | available_flags(at);

			/* The id counts in the last entry; in all of them it does no harm. */
			fill(&vq->packed.desc[at.idx], sg, id);
			if (done == 1)
				head_flags = flags;
			else
				vq->packed.desc[at.idx].flags = flags;
		}
	}
	return head_flags;
}

static void packed_add(struct vring_virtqueue *vq, const struct vring_buffer *buffer, void *table)
{
	/* Any number may name a buffer, if no other in flight has it. With IN_ORDER it is the first entry's place. */
	u16 head = vq->packed.avail.idx, id = vq->free_head, count = vq->state[id].count, flags;

	if (table != NULL)
		flags = add_indirect(vq, buffer, table, id);
	else
		flags = add_direct(vq, buffer, id);
	vq->packed.avail = advance(vq, vq->packed.avail, count);
	vq->free_head = vq->in_order ? vq->packed.avail.idx : vq->state[id].next;
	vq->num_added += count;
	/* §2.8.6, §2.8.21.2: everything else before the flags that show it, those of the first entry. */
	virtio_wmb();
	WRITE_ONCE(vq->packed.desc[head].flags, flags);
}

static bool packed_kick_prepare(struct vring_virtqueue *vq)
{
	u16 new = vq->packed.avail.idx, old = new - vq->num_added, event;
	struct vring_packed_desc_event device;

	/* §2.8.21.3.1: the flags must be out before we read whether the device wants to know. */
	virtio_mb();
	vq->num_added = 0;
	/* Both halves at once: they belong together. */
	device.both = READ_ONCE(vq->packed.device->both);
	if (device.flags != VRING_PACKED_EVENT_FLAG_DESC)
		return device.flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	event = device.off_wrap & ~(1 << VRING_PACKED_EVENT_F_WRAP_CTR);
	/* Another wrap counter than ours: the place lies before the ring's start, counted from here. */
	if (device.off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR != vq->packed.avail.wrap)
		event -= vq->num;
	return vring_need_event(event, new, old);
}

static u16 packed_next_avail(const struct vring_virtqueue *vq)
{
	return off_wrap(vq->packed.avail);
}

/* ---- Taking back (§2.8.22) ----------------------------------------------------------------------------------- */

static bool packed_more_used(const struct vring_virtqueue *vq)
{
	return is_used(vq, vq->packed.used);
}

static u32 packed_used_id(const struct vring_virtqueue *vq, u32 *len)
{
	const struct vring_packed_desc *desc = &vq->packed.desc[vq->packed.used.idx];

	*len = READ_ONCE(desc->len);
	return READ_ONCE(desc->id);
}

/* §2.8.6: the device wrote one used entry, and skipped as many as the buffer had. */
static void packed_pass_used(struct vring_virtqueue *vq, u16 count)
{
	vq->packed.used = advance(vq, vq->packed.used, count);
	/* Waiting for the next: say where it will be. */
	if (vq->packed.event_flags == VRING_PACKED_EVENT_FLAG_DESC) {
		WRITE_ONCE(vq->packed.driver->off_wrap, off_wrap(vq->packed.used));
		virtio_mb();
	}
}

static void packed_release(struct vring_virtqueue *vq, u16 id)
{
	vq->state[id].next = vq->free_head;
	vq->free_head = id;
}

/* ---- Callbacks (§2.8.10) ------------------------------------------------------------------------------------- */

static void set_event_flags(struct vring_virtqueue *vq, u16 flags)
{
	vq->packed.event_flags = flags;
	WRITE_ONCE(vq->packed.driver->flags, flags);
}

static void packed_disable_cb(struct vring_virtqueue *vq)
{
	if (vq->packed.event_flags != VRING_PACKED_EVENT_FLAG_DISABLE)
		set_event_flags(vq, VRING_PACKED_EVENT_FLAG_DISABLE);
}

/* Asks for an interrupt at `place`, or at every place where that cannot be said. */
static void enable_at(struct vring_virtqueue *vq, struct vring_place place)
{
	if (!vq->event) {
		set_event_flags(vq, VRING_PACKED_EVENT_FLAG_ENABLE);
		return;
	}
	WRITE_ONCE(vq->packed.driver->off_wrap, off_wrap(place));
	/* The place before the flags that make it count. */
	virtio_wmb();
	set_event_flags(vq, VRING_PACKED_EVENT_FLAG_DESC);
}

static unsigned int packed_enable_cb_prepare(struct vring_virtqueue *vq)
{
	enable_at(vq, vq->packed.used);
	return off_wrap(vq->packed.used);
}

static bool packed_poll(const struct vring_virtqueue *vq, unsigned int last_used_idx)
{
	struct vring_place place = {
		.idx = last_used_idx & ~(1 << VRING_PACKED_EVENT_F_WRAP_CTR),
		.wrap = last_used_idx >> VRING_PACKED_EVENT_F_WRAP_CTR & 1,
	};

	return is_used(vq, place);
}

static bool packed_enable_cb_delayed(struct vring_virtqueue *vq)
{
	enable_at(vq, advance(vq, vq->packed.used, (vq->num - vq->vq.num_free) * 3 / 4));
	/* The device must see our wish before we look, or it uses a buffer unseen and unannounced in between. */
	virtio_mb();
	return !is_used(vq, vq->packed.used);
}

/* ---- Making (§2.8.10.1) -------------------------------------------------------------------------------------- */

static size_t packed_bytes(unsigned int num, unsigned int align)
{
	(void)align;
	return num * sizeof(struct vring_packed_desc) + 2 * sizeof(struct vring_packed_desc_event);
}

static void packed_init(struct vring_virtqueue *vq)
{
	struct vring_packed_desc *desc = vq->memory;
	/* §2.8.1: both wrap counters begin as 1; the zeros in the ring are entries used in the round before. */
	const struct vring_place start = { .idx = 0, .wrap = true };

	vq->packed = (struct vring_virtqueue_packed){
		.desc = desc,
		.driver = (struct vring_packed_desc_event *)(desc + vq->num),
		.device = (struct vring_packed_desc_event *)(desc + vq->num) + 1,
		.avail = start,
		.used = start,
	};
	/* ENABLE, which zeros mean, is the same as waiting for the first place. */
	if (vq->event)
		enable_at(vq, start);
	vq->desc_addr = (uintptr_t)vq->packed.desc;
	vq->avail_addr = (uintptr_t)vq->packed.driver;
	vq->used_addr = (uintptr_t)vq->packed.device;
}

const struct vring_ops vring_packed_ops = {
	.bytes = packed_bytes,
	.init = packed_init,
	.add = packed_add,
	.kick_prepare = packed_kick_prepare,
	.next_avail = packed_next_avail,
	.more_used = packed_more_used,
	.used_id = packed_used_id,
	.pass_used = packed_pass_used,
	.release = packed_release,
	.disable_cb = packed_disable_cb,
	.enable_cb_prepare = packed_enable_cb_prepare,
	.poll = packed_poll,
	.enable_cb_delayed = packed_enable_cb_delayed,
};
