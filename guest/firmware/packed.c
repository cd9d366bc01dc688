/*
 * A packed ring, looked at in memory: which entries are available and used in which round, lists over the ring's end,
 * a full ring, and one entry per buffer with INDIRECT_DESC. The place is counted here once more, apart from the driver.
 */
#include "requests.h"

/* virtio 1.2 §2.8.1, §2.8.6, §2.8.13 */
#define NEXT 1
#define INDIRECT 4
#define AVAIL (1 << 7)
#define USED (1 << 15)
#define ROUNDS 5

struct entry {
	le64 addr;
	le32 len;
	le16 id;
	le16 flags;
};

static volatile const struct entry *ring;
static unsigned int size, place, rounds, crossed;
static bool wrap;

static void start(void)
{
	ring = (volatile const struct entry *)(uintptr_t)virtqueue_get_desc_addr(queue);
	size = virtqueue_get_vring_size(queue);
	place = rounds = crossed = 0;
	wrap = true;
}

static void advance(unsigned int count)
{
	place += count;
	if (place < size)
		return;
	crossed += place > size;
	place -= size;
	wrap = !wrap;
	rounds++;
}

/* Entry `i` from our place is available, and says whether the list goes on. */
static bool available(unsigned int i, u16 list_flags)
{
	bool round = place + i < size ? wrap : !wrap;
	u16 flags = ring[(place + i) % size].flags;

	return (flags & (AVAIL | USED)) == (round ? AVAIL : USED) && (flags & (NEXT | INDIRECT)) == list_flags;
}

static bool used(void)
{
	return (ring[place].flags & (AVAIL | USED)) == (wrap ? AVAIL | USED : 0);
}

/* Requests one at a time, of changing length, until the ring came around often. */
static int one_at_a_time(unsigned int shortest, unsigned int longest, bool indirect)
{
	static struct request request;
	unsigned int count = 0;

	for (unsigned int pieces = shortest; rounds < ROUNDS; pieces = pieces < longest ? pieces + 1 : shortest) {
		unsigned int entries = indirect ? 1 : pieces;

		CHECK(request_add(&request, pieces) == 0);
		CHECK(queue->num_free == size - entries);
		for (unsigned int i = 0; i < entries; i++)
			CHECK(available(i, indirect ? INDIRECT : i + 1 < entries ? NEXT : 0));
		virtqueue_kick(queue);
		CHECK(wait_answers(++count));
		CHECK(used() && queue->num_free == size);
		advance(entries);
	}
	printf("  one at a time:  %u requests, %u times around, %u lists over the end\n", count, rounds, crossed);
	return 0;
}

/* As many as fit, twice. */
static int full(unsigned int entries)
{
	unsigned int fit = size / entries;
	struct request *requests = kzalloc((fit + 1) * sizeof(*requests));

	CHECK(requests != NULL);
	for (unsigned int round = 0; round < 2; round++) {
		unsigned int before = answers;
		/* Held back: a full queue is kicked, and the answers make room. */
		unsigned long saved = irq_save();

		for (unsigned int i = 0; i < fit; i++)
			CHECK(request_add(&requests[i], PIECES_MIN) == 0);
		CHECK(queue->num_free == size % entries);
		/* With output in the queue a full one is kicked, in case that was forgotten. */
		CHECK(request_add(&requests[fit], PIECES_MIN) == -ENOSPC);
		virtqueue_kick(queue);
		irq_restore(saved);
		CHECK(wait_answers(before + fit) && queue->num_free == size);
		advance(fit * entries);
	}
	printf("  full:           %u requests in %u entries, twice\n", fit, size);
	kfree(requests);
	return 0;
}

/* §2.8.17: no list, in the ring or in a table, has more descriptors than the ring. */
static unsigned int longest(void)
{
	return size < PIECES_MAX ? size : PIECES_MAX;
}

/* Buffers in tables where those are accepted, else in lists. */
static int looked_at(bool indirect)
{
	start();
	CHECK(indirect || size >= PIECES_MIN);
	if (one_at_a_time(PIECES_MIN, longest(), indirect) || full(indirect ? 1 : PIECES_MIN))
		return 1;
	CHECK(indirect || crossed > 0 || size == PIECES_MIN);
	return 0;
}

static int course(void)
{
	bool indirect;
	int status;

	if (!disk_begin("packed", 0, VIRTIO_F_RING_PACKED, &status))
		return status;
	indirect = virtio_has_feature(device, VIRTIO_F_INDIRECT_DESC);
	if (looked_at(indirect))
		return 1;
	queue_end();
	if (!indirect)
		return 0;
	if (!disk_begin("packed", BIT_ULL(VIRTIO_F_INDIRECT_DESC), VIRTIO_F_RING_PACKED, &status))
		return status;
	if (looked_at(false))
		return 1;
	queue_end();
	return 0;
}

int main(void)
{
	printf("packed: RV%d\n", __riscv_xlen);
	return run_course("packed", course);
}
