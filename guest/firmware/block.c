/*
 * The block device in earnest: every request type this driver knows, several in flight, a full queue, indexes that
 * come around, all with and without INDIRECT_DESC and EVENT_IDX. What was on the disk is put back.
 */
#include "course.h"
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_mmio.h"

#define BLOCK_SECTORS 16
#define IN_FLIGHT 8
/* Of a request: header, data, status. */
#define PIECES 3

static u8 saved[BLOCK_SECTORS * SECTOR_SIZE];
static u8 wrote[BLOCK_SECTORS * SECTOR_SIZE];
/* Not even aligned to a word: the device must not care (virtio 1.2 §2.7.4). */
static u8 read_space[BLOCK_SECTORS * SECTOR_SIZE + 1];
#define read_back (read_space + 1)

static void pattern(u32 seed)
{
	for (unsigned int i = 0; i < sizeof(wrote); i++) {
		seed = seed * 1664525 + 1013904223;
		wrote[i] = seed >> 24;
	}
}

/* One request by hand: its status and how much the device wrote. */
static int raw(struct virtio_blk *vblk, u32 type, u64 sector, void *data, u32 length, struct virtblk_req *req)
{
	memset(req, 0, sizeof(*req));
	req->out_hdr.type = type;
	req->out_hdr.sector = sector;
	req->data = data;
	req->length = length;
	if (virtblk_submit(vblk, req, false) != 0)
		return -1;
	return virtblk_wait(vblk, req) == -ETIMEDOUT ? -1 : req->status;
}

static int one_at_a_time(struct virtio_blk *vblk, u32 seed)
{
	struct virtblk_req req;

	CHECK(raw(vblk, VIRTIO_BLK_T_IN, 0, read_back, SECTOR_SIZE, &req) == VIRTIO_BLK_S_OK);
	CHECK(req.written == SECTOR_SIZE + 1); /* data and status */
	CHECK(memcmp(read_back, saved, SECTOR_SIZE) == 0);
	pattern(seed);
	CHECK(raw(vblk, VIRTIO_BLK_T_OUT, 1, wrote, 3 * SECTOR_SIZE, &req) == VIRTIO_BLK_S_OK);
	CHECK(req.written == 1);
	CHECK(virtblk_flush(vblk) == 0);
	CHECK(virtblk_read(vblk, 1, read_back, 3) == 0);
	CHECK(memcmp(read_back, wrote, 3 * SECTOR_SIZE) == 0);
	/* Its neighbours are untouched. */
	CHECK(virtblk_read(vblk, 0, read_back, 5) == 0);
	CHECK(memcmp(read_back, saved, SECTOR_SIZE) == 0);
	CHECK(memcmp(read_back + 4 * SECTOR_SIZE, saved + 4 * SECTOR_SIZE, SECTOR_SIZE) == 0);
	return 0;
}

static int large(struct virtio_blk *vblk, u32 seed)
{
	pattern(seed + 1);
	CHECK(virtblk_write(vblk, 0, wrote, BLOCK_SECTORS) == 0);
	CHECK(virtblk_flush(vblk) == 0);
	CHECK(virtblk_read(vblk, 0, read_back, BLOCK_SECTORS) == 0);
	CHECK(memcmp(read_back, wrote, sizeof(wrote)) == 0);
	return 0;
}

/* Several requests with one kick; whatever order they come back in. */
static int in_flight(struct virtio_blk *vblk)
{
	static struct virtblk_req reqs[IN_FLIGHT];
	unsigned int count = room_for(virtblk_vdev(vblk)->vqs, PIECES, IN_FLIGHT);

	memset(read_back, 0, BLOCK_SECTORS * SECTOR_SIZE);
	for (unsigned int i = 0; i < count; i++) {
		unsigned int sector = count - 1 - i;

		reqs[i] = (struct virtblk_req){
			.out_hdr = { .type = VIRTIO_BLK_T_IN, .sector = sector },
			.data = read_back + sector * SECTOR_SIZE,
			.length = SECTOR_SIZE,
		};
		CHECK(virtblk_submit(vblk, &reqs[i], i + 1 < count) == 0);
	}
	for (unsigned int i = 0; i < count; i++)
		CHECK(virtblk_wait(vblk, &reqs[i]) == 0);
	CHECK(memcmp(read_back, wrote, count * SECTOR_SIZE) == 0);
	return 0;
}

/* Fills the queue until it takes no more, twice, so that every index comes around. */
static int full_queue(struct virtio_blk *vblk, unsigned int size)
{
	unsigned int room = room_for(virtblk_vdev(vblk)->vqs, PIECES, size);
	struct virtblk_req *reqs = kzalloc((room + 1) * sizeof(*reqs));

	CHECK(reqs != NULL && virtblk_vdev(vblk)->vqs->num_free == size);
	for (unsigned int round = 0; round < 2; round++) {
		unsigned int taken = 0;
		int err = 0;
		/* Held back, so that nothing is given back while the queue fills. */
		unsigned long flags = irq_save();

		/* The last one finds no room. */
		while (taken <= room && err == 0) {
			reqs[taken] = (struct virtblk_req){
				.out_hdr = { .type = VIRTIO_BLK_T_IN, .sector = taken % BLOCK_SECTORS },
				.data = read_back,
				.length = SECTOR_SIZE,
			};
			err = virtblk_submit(vblk, &reqs[taken], true);
			taken += err == 0;
		}
		CHECK(taken == room && err == -ENOSPC);
		virtqueue_kick(virtblk_vdev(vblk)->vqs);
		irq_restore(flags);
		for (unsigned int i = 0; i < taken; i++)
			CHECK(virtblk_wait(vblk, &reqs[i]) == 0);
		CHECK(virtblk_vdev(vblk)->vqs->num_free == size);
	}
	kfree(reqs);
	return 0;
}

static int serial(struct virtio_blk *vblk)
{
	char id[VIRTIO_BLK_ID_BYTES + 1];

	memset(id, 0x5a, sizeof(id));
	CHECK(virtblk_get_id(vblk, id) == 0);
	CHECK(id[VIRTIO_BLK_ID_BYTES] == 0x5a);
	id[VIRTIO_BLK_ID_BYTES] = '\0';
	printf("block: %llu sectors, serial \"%s\"\n", virtblk_capacity(vblk), id);
	return 0;
}

/* The whole course with some transport features refused. */
static int course(const char *name, u64 denied, u32 seed)
{
	struct virtio_blk *vblk;
	unsigned int size;

	unregister_virtio_driver(virtblk_driver());
	virtio_deny_features(denied);
	CHECK(register_virtio_driver(virtblk_driver()) == 0);
	vblk = virtblk_get(0);
	CHECK(vblk != NULL && (virtblk_vdev(vblk)->features & denied) == 0);
	size = virtqueue_get_vring_size(virtblk_vdev(vblk)->vqs);
	if (one_at_a_time(vblk, seed) || large(vblk, seed) || in_flight(vblk) || full_queue(vblk, size))
		return 1;
	CHECK(virtblk_write(vblk, 0, saved, BLOCK_SECTORS) == 0);
	CHECK(virtblk_flush(vblk) == 0);
	printf("block: %-26s ok\n", name);
	return 0;
}

int main(void)
{
	struct virtio_blk *vblk;
	const u64 indirect = BIT_ULL(VIRTIO_F_INDIRECT_DESC), event = BIT_ULL(VIRTIO_F_EVENT_IDX);

	printf("block: RV%d\n", __riscv_xlen);
	virtio_bus_init();
	virtio_mmio_init();
	vblk = virtblk_get(0);
	if (vblk == NULL || virtblk_read_only(vblk) || virtblk_capacity(vblk) < BLOCK_SECTORS) {
		printf("block: needs a writable disk of %u sectors\n", BLOCK_SECTORS);
		return 1;
	}
	if (serial(vblk) != 0)
		return 1;
	CHECK(virtblk_read(vblk, 0, saved, BLOCK_SECTORS) == 0);
	return course("plain", indirect | event, 1) || course("EVENT_IDX", indirect, 2) ||
	       course("INDIRECT_DESC", event, 3) || course("INDIRECT_DESC, EVENT_IDX", 0, 4);
}
