/*
 * IN_ORDER: answers come in the order of the requests, also where a short one behind a long one is done first; the
 * device may then tell of several by one entry of its ring.
 */
#include "requests.h"

/* So much that a device which moves data in parts needs several moments for it. */
#define LONG_BYTES (5u << 20)
#define PIECE_BYTES (256u << 10)
#define LONG_PIECES (LONG_BYTES / PIECE_BYTES)
#define SHORT 6

static struct request requests[SHORT + 1];
static u8 data[PIECE_BYTES];

/* Offers a read over one piece of memory, again and again: only its length matters. */
static int add_long(struct request *request)
{
	struct scatterlist out, in[LONG_PIECES + 1], *sgs[] = { &out, in };
	unsigned long saved;
	int err;

	*request = (struct request){ .hdr.type = VIRTIO_BLK_T_IN, .status = 0xff };
	sg_init_one(&out, &request->hdr, sizeof(request->hdr));
	sg_init_table(in, LONG_PIECES + 1);
	for (unsigned int i = 0; i < LONG_PIECES; i++)
		sg_set_buf(&in[i], data, sizeof(data));
	sg_set_buf(&in[LONG_PIECES], &request->status, sizeof(request->status));
	saved = irq_save();
	err = virtqueue_add_sgs(queue, sgs, 1, 1, request, GFP_ATOMIC);
	irq_restore(saved);
	return err;
}

/* Requests of up to so many pieces. */
static int in_a_row(unsigned int count, unsigned int longest)
{
	for (unsigned int i = 0; i < count; i++) {
		CHECK(request_add(&requests[i], PIECES_MIN + i % (longest - PIECES_MIN + 1)) == 0);
		virtqueue_kick(queue);
	}
	CHECK(wait_answers(count));
	for (unsigned int i = 0; i < count; i++)
		CHECK(requests[i].order == i + 1);
	printf("  %u requests, answered in order\n", count);
	return 0;
}

static int behind_a_long_one(void)
{
	unsigned int before = answers;

	CHECK(add_long(&requests[0]) == 0);
	for (unsigned int i = 1; i <= SHORT; i++)
		CHECK(request_add(&requests[i], PIECES_MIN) == 0);
	virtqueue_kick(queue);
	CHECK(wait_answers(before + SHORT + 1));
	for (unsigned int i = 0; i <= SHORT; i++)
		CHECK(requests[i].order == before + i + 1 && requests[i].status == VIRTIO_BLK_S_OK);
	CHECK(requests[0].written == LONG_BYTES + 1);
	printf("  %u short requests, answered after the long one before them\n", SHORT);
	return 0;
}

static int course(void)
{
	unsigned int size, longest;
	int status;

	if (!disk_begin("in_order", 0, VIRTIO_F_IN_ORDER, &status))
		return status;
	size = virtqueue_get_vring_size(queue);
	longest = size < PIECES_MIN + 2 ? size : PIECES_MIN + 2;
	if (longest < PIECES_MIN) {
		printf("in_order: the queue is too small\n");
		return 0;
	}
	if (in_a_row(room_for(queue, longest, SHORT), longest))
		return 1;
	if (virtio_cread64(device, 0) < LONG_BYTES / SECTOR_SIZE ||
	    size < entries_of(queue, LONG_PIECES + 2) + SHORT * entries_of(queue, PIECES_MIN))
		printf("  disk or queue too small for a long request\n");
	else
		for (unsigned int round = 0; round < 3; round++)
			if (behind_a_long_one())
				return 1;
	queue_end();
	return 0;
}

int main(void)
{
	printf("in_order: RV%d\n", __riscv_xlen);
	return run_course("in_order", course);
}
