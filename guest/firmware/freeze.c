/*
 * Suspend and resume as of a machine that loses its power: every driver's freeze leaves the device reset, restore
 * starts it again with the same features, and what the driver's users hold still works. Then what takes less from a
 * device: SUSPEND, which leaves all it has, and RING_RESET, which takes single queues.
 */
#include "course.h"
#include "../generated/virtio_mmio_regs.h"
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_console.h"
#include "../virtio/virtio_mmio.h"
#include "../virtio/virtio_rng.h"

#define CYCLES 3
#define IN_FLIGHT 3
/* Of a request: header, data, status. */
#define PIECES 3

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
	unsigned int count = room_for(virtblk_vdev(vblk)->vqs, PIECES, IN_FLIGHT);

	CHECK(count > 0);
	for (unsigned int i = 0; i < count; i++) {
		reqs[i] = (struct virtblk_req){
			.out_hdr = { .type = VIRTIO_BLK_T_OUT, .sector = i },
			.data = wrote,
			.length = sizeof(wrote),
		};
		CHECK(virtblk_submit(vblk, &reqs[i], i + 1 < count) == 0);
	}
	if (freeze_all())
		return 1;
	for (unsigned int i = 0; i < count; i++)
		CHECK(reqs[i].done && reqs[i].status == VIRTIO_BLK_S_OK);
	return restore_all();
}

/* Every device does what it is for. `done`: sectors that have been written. */
static int works(struct virtio_blk *vblk, const char *said)
{
	unsigned int done = room_for(virtblk_vdev(vblk)->vqs, PIECES, IN_FLIGHT);
	u8 random[16] = { 0 };

	for (unsigned int i = 0; i < done; i++) {
		CHECK(virtblk_read(vblk, i, read_back, 1) == 0);
		CHECK(memcmp(read_back, wrote, sizeof(wrote)) == 0);
	}
	CHECK(virtrng_read(random, sizeof(random)) > 0);
	virtcons_write(said, strlen(said));
	return 0;
}

static int cycle(struct virtio_blk *vblk, unsigned int number)
{
	memset(wrote, 0x40 + number, sizeof(wrote));
	return with_requests(vblk) || works(vblk, "freeze: the console is back\n");
}

/* All that can be suspended at once, and resumed. */
static int suspended(struct virtio_blk *vblk)
{
	unsigned int count = 0;

	for (struct virtio_device *dev = virtio_next_device(NULL); dev != NULL; dev = virtio_next_device(dev)) {
		if (dev->driver == NULL || !virtio_has_feature(dev, VIRTIO_F_SUSPEND))
			continue;
		CHECK(virtio_device_suspend(dev) == 0);
		count++;
	}
	for (struct virtio_device *dev = virtio_next_device(NULL); dev != NULL; dev = virtio_next_device(dev)) {
		if (dev->suspended)
			CHECK(virtio_device_resume(dev) == 0);
	}
	printf("  SUSPEND:    %u devices suspended at once, resumed\n", count);
	return works(vblk, "freeze: the console was suspended\n");
}

/* 1: the queues were reset, 0: the device cannot, -1: it went wrong. A device may only say that it can: -EIO. */
static int verdict(int err)
{
	return err == 0 ? 1 : err == -ENOENT || err == -EIO ? 0 : -1;
}

static int queues_reset(struct virtio_blk *vblk)
{
	int console = verdict(port_reset_queues(virtcons_port(0))), entropy = verdict(virtrng_reset_queue());

	CHECK(console >= 0 && entropy >= 0);
	printf("  RING_RESET: queues of the console %s, of the entropy device %s\n", console ? "began anew" : "stayed",
	       entropy ? "began anew" : "stayed");
	return works(vblk, "freeze: the console has new queues\n");
}

/* Drivers are bound at first, and taken from what gave up. */
static int bind(struct virtio_driver *drv, bool bound)
{
	return bound ? 0 : register_virtio_driver(drv);
}

static int course(void)
{
	struct virtio_blk *vblk;

	CHECK(bind(virtblk_driver(), virtblk_get(0) != NULL) == 0);
	CHECK(bind(virtcons_driver(), virtcons_vdev() != NULL) == 0);
	CHECK(bind(virtrng_driver(), virtrng_vdev() != NULL) == 0);
	vblk = virtblk_get(0);
	printf("freeze: ");
	virtio_print_features(virtblk_vdev(vblk));
	for (unsigned int i = 0; i < CYCLES; i++)
		if (cycle(vblk, i))
			return 1;
	return suspended(vblk) || queues_reset(vblk);
}

int main(void)
{
	printf("freeze: RV%d\n", __riscv_xlen);
	virtio_bus_init();
	virtio_mmio_init();
	if (virtblk_get(0) == NULL || virtblk_read_only(virtblk_get(0)) || virtcons_vdev() == NULL ||
	    virtrng_vdev() == NULL) {
		printf("freeze: needs a console, a writable disk and a source of entropy\n");
		return 1;
	}
	CHECK(virtblk_read(virtblk_get(0), 0, saved, 1) == 0);
	if (run_course("freeze", course) != 0)
		return 1;
	CHECK(virtblk_write(virtblk_get(0), 0, saved, 1) == 0);
	printf("freeze: %u cycles, requests answered before each, data there after each\n", CYCLES);
	return 0;
}
