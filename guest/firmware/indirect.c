/*
 * INDIRECT_DESC, looked at in memory: a buffer of any number of pieces takes one entry of the ring, which refers to a
 * table of all of them; a full queue of such buffers; and none of it where the feature is not accepted.
 */
#include "requests.h"

#define WRITE 2
#define INDIRECT 4

/* Both layouts have these in the same places (virtio 1.2 §2.7.5, §2.8.13), but for id, flags and next. */
struct descriptor {
	le64 addr;
	le32 len;
	le16 last[2];
};

static const struct descriptor *at(u64 address, unsigned int index)
{
	return (const struct descriptor *)(uintptr_t)address + index;
}

static u16 flags(const struct descriptor *desc)
{
	return READ_ONCE(desc->last[virtio_has_feature(device, VIRTIO_F_RING_PACKED) ? 1 : 0]);
}

/* The descriptor of the ring that refers to a table of so many descriptors, with this request in it. */
static const struct descriptor *head_of(const struct request *request, unsigned int pieces)
{
	for (unsigned int i = 0; i < virtqueue_get_vring_size(queue); i++) {
		const struct descriptor *desc = at(virtqueue_get_desc_addr(queue), i);

		/* Others may be left from before, and refer to memory that is in use again. */
		if ((flags(desc) & INDIRECT) && desc->len == pieces * sizeof(*desc) &&
		    at(desc->addr, 0)->addr == (uintptr_t)&request->hdr)
			return desc;
	}
	return NULL;
}

/* Every length once, one at a time; returns a failure. */
static int every_length(void)
{
	static struct request requests[PIECES_MAX + 1];
	unsigned int size = virtqueue_get_vring_size(queue), count = 0;

	for (unsigned int pieces = PIECES_MIN; pieces <= PIECES_MAX && pieces <= size; pieces++) {
		struct request *request = &requests[pieces];
		const struct descriptor *head, *last;

		CHECK(request_add(request, pieces) == 0);
		CHECK(queue->num_free == size - 1);
		head = head_of(request, pieces);
		CHECK(head != NULL);
		last = at(head->addr, pieces - 1);
		CHECK(flags(at(head->addr, 0)) != (flags(at(head->addr, 0)) | WRITE));
		CHECK(last->addr == (uintptr_t)&request->status && last->len == 1 && (flags(last) & WRITE));
		virtqueue_kick(queue);
		CHECK(wait_answers(++count) && queue->num_free == size);
	}
	printf("  %u tables of %u to %u descriptors, one entry each\n", count, PIECES_MIN, PIECES_MIN + count - 1);
	return 0;
}

static int full(unsigned int entries)
{
	unsigned int size = virtqueue_get_vring_size(queue), fit = size / entries, before = answers;
	struct request *requests = kzalloc((fit + 1) * sizeof(*requests));
	size_t in_use = alloc_in_use();
	/* Held back: a full queue is kicked, and the answers free what is counted here. */
	unsigned long saved = irq_save();

	CHECK(requests != NULL);
	for (unsigned int i = 0; i < fit; i++)
		CHECK(request_add(&requests[i], PIECES_MIN) == 0);
	CHECK(request_add(&requests[fit], PIECES_MIN) == -ENOSPC);
	/* Tables are memory; lists are not. */
	CHECK((alloc_in_use() > in_use) == (entries == 1));
	virtqueue_kick(queue);
	irq_restore(saved);
	CHECK(wait_answers(before + fit) && alloc_in_use() == in_use);
	printf("  full: %u requests in %u entries\n", fit, size);
	kfree(requests);
	return 0;
}

static int course(void)
{
	int status;

	if (!disk_begin("indirect", 0, VIRTIO_F_INDIRECT_DESC, &status))
		return status;
	if (every_length() || full(1))
		return 1;
	queue_end();
	if (!disk_begin("indirect", BIT_ULL(VIRTIO_F_INDIRECT_DESC), -1, &status))
		return status;
	if (virtqueue_get_vring_size(queue) >= PIECES_MIN && full(PIECES_MIN))
		return 1;
	queue_end();
	return 0;
}

int main(void)
{
	printf("indirect: RV%d\n", __riscv_xlen);
	return run_course("indirect", course);
}
