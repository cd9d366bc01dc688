/* A disk with several queues (VIRTIO_BLK_F_MQ): requests on all of them in flight at once, each queue by itself. */
#include "course.h"
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_mmio.h"

/* Requests on a queue at once, where it has room for them. */
#define EACH 2
#define ROUNDS 20
#define SECTORS (EACH * VIRTBLK_QUEUES_MAX)

static u8 saved[SECTORS * SECTOR_SIZE], wrote[SECTORS * SECTOR_SIZE], read_back[SECTORS * SECTOR_SIZE];
static struct virtblk_req reqs[SECTORS];
static unsigned int each;

/* One request for each sector, spread over the queues, all on their way before the first is waited for. */
static int spread(struct virtio_blk *vblk, u32 type, u8 *data, unsigned int queues)
{
	unsigned long flags = irq_save();

	for (unsigned int i = 0; i < each * queues; i++) {
		reqs[i] = (struct virtblk_req){
			.out_hdr = { .type = type, .sector = i },
			.data = data + i * SECTOR_SIZE,
			.length = SECTOR_SIZE,
			.queue = i % queues,
		};
		CHECK(virtblk_submit(vblk, &reqs[i], false) == 0);
	}
	irq_restore(flags);
	for (unsigned int i = 0; i < each * queues; i++)
		CHECK(virtblk_wait(vblk, &reqs[i]) == 0);
	return 0;
}

int main(void)
{
	struct virtio_blk *vblk;
	unsigned int queues;

	printf("block_queues: RV%d\n", __riscv_xlen);
	virtio_bus_init();
	virtio_mmio_init();
	vblk = virtblk_get(0);
	if (vblk == NULL || virtblk_read_only(vblk) || virtblk_capacity(vblk) < SECTORS) {
		printf("block_queues: needs a writable disk of %u sectors\n", SECTORS);
		return 1;
	}
	queues = virtblk_queues(vblk);
	printf("block_queues: ");
	virtio_print_features(virtblk_vdev(vblk));
	if (!virtio_has_feature(virtblk_vdev(vblk), VIRTIO_BLK_F_MQ))
		printf("block_queues: MQ is not offered, one queue\n");
	each = room_for(virtblk_vdev(vblk)->vqs, 3, EACH);
	if (each == 0) {
		printf("block_queues: the queues are too small\n");
		return 0;
	}
	CHECK(virtblk_read(vblk, 0, saved, SECTORS) == 0);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < sizeof(wrote); i++)
			wrote[i] = (u8)(round + i * 3 + (i >> 9));
		if (spread(vblk, VIRTIO_BLK_T_OUT, wrote, queues) || spread(vblk, VIRTIO_BLK_T_IN, read_back, queues))
			return 1;
		CHECK(memcmp(read_back, wrote, each * queues * SECTOR_SIZE) == 0);
	}
	CHECK(virtblk_write(vblk, 0, saved, SECTORS) == 0 && virtblk_flush(vblk) == 0);
	printf("block_queues: %u queues, %u requests on each, written and read back\n", queues, 2 * each * ROUNDS);
	return 0;
}
