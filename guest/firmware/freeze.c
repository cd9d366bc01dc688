/*
 * Suspend and resume as of a machine that loses its power: every driver's freeze leaves the device reset, restore
 * starts it again with the same features, and what the driver's users hold still works.
 */
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_console.h"
#include "../virtio/virtio_mmio.h"
#include "../virtio/virtio_rng.h"

#define CYCLES 3
#define IN_FLIGHT 3

static u8 saved[SECTOR_SIZE], wrote[SECTOR_SIZE], read_back[SECTOR_SIZE];

static int freeze_all(void)
{
	for (struct virtio_device *dev = virtio_next_device(NULL); dev != NULL; dev = virtio_next_device(dev)) {
		CHECK(virtio_mmio_freeze(dev) == 0);
		CHECK(dev->driver == NULL || (dev->config->get_status(dev) == 0 && dev->vqs == NULL));
	}
	return 0;
}

static int restore_all(void)
{
	for (struct virtio_device *dev = virtio_next_device(NULL); dev != NULL; dev = virtio_next_device(dev)) {
		u64 features = dev->features;

		CHECK(virtio_mmio_restore(dev) == 0);
		CHECK(dev->features == features);
		CHECK(dev->driver == NULL || (dev->config->get_status(dev) & 0x4));
	}
	return 0;
}

/* What is asked before the freeze is answered before it is over. */
static int with_requests(struct virtio_blk *vblk)
{
	static struct virtblk_req reqs[IN_FLIGHT];

	for (unsigned int i = 0; i < IN_FLIGHT; i++) {
		reqs[i] = (struct virtblk_req){
			.out_hdr = { .type = VIRTIO_BLK_T_OUT, .sector = i },
			.data = wrote,
			.length = sizeof(wrote),
		};
		CHECK(virtblk_submit(vblk, &reqs[i], i + 1 < IN_FLIGHT) == 0);
	}
	if (freeze_all())
		return 1;
	for (unsigned int i = 0; i < IN_FLIGHT; i++)
		CHECK(reqs[i].done && reqs[i].status == VIRTIO_BLK_S_OK);
	return restore_all();
}

static int cycle(struct virtio_blk *vblk, unsigned int number)
{
	u8 random[16] = { 0 };

	memset(wrote, 0x40 + number, sizeof(wrote));
	if (with_requests(vblk))
		return 1;
	for (unsigned int i = 0; i < IN_FLIGHT; i++) {
		CHECK(virtblk_read(vblk, i, read_back, 1) == 0);
		CHECK(memcmp(read_back, wrote, sizeof(wrote)) == 0);
	}
	CHECK(virtrng_read(random, sizeof(random)) > 0);
	virtcons_write("freeze: the console is back\n", 28);
	return 0;
}

int main(void)
{
	struct virtio_blk *vblk;

	printf("freeze: RV%d\n", __riscv_xlen);
	virtio_bus_init();
	virtio_mmio_init();
	vblk = virtblk_get(0);
	if (vblk == NULL || virtblk_read_only(vblk) || virtcons_vdev() == NULL || virtrng_vdev() == NULL) {
		printf("freeze: needs a console, a writable disk and a source of entropy\n");
		return 1;
	}
	printf("freeze: ");
	virtio_print_features(virtblk_vdev(vblk));
	CHECK(virtblk_read(vblk, 0, saved, 1) == 0);
	for (unsigned int i = 0; i < CYCLES; i++)
		if (cycle(vblk, i))
			return 1;
	CHECK(virtblk_write(vblk, 0, saved, 1) == 0);
	printf("freeze: %u cycles, requests answered before each, data there after each\n", CYCLES);
	return 0;
}
