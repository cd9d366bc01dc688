/*
 * The legacy interface (virtio 1.2 §4.2.4): insists that every device is version 1, and looks at what is different
 * there: no FEATURES_OK, 32 feature bits, queues by page number, reset that clears them.
 */
#include "../generated/virtio_mmio_regs.h"
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_console.h"
#include "../virtio/virtio_mmio.h"
#include "../virtio/virtio_rng.h"

static u32 reg(struct virtio_device *vdev, u32 offset)
{
	return readl(virtio_mmio_base(vdev) + offset);
}

static int registers(struct virtio_device *vdev)
{
	uintptr_t base = virtio_mmio_base(vdev);

	CHECK(virtio_mmio_version(vdev) == 1);
	CHECK(vdev->features >> 32 == 0);
	CHECK(reg(vdev, VIRTIO_MMIO_STATUS) ==
	      (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK));
	for (struct virtqueue *vq = vdev->vqs; vq != NULL; vq = vq->next) {
		writel(vq->index, base + VIRTIO_MMIO_QUEUE_SEL);
		CHECK(reg(vdev, VIRTIO_MMIO_QUEUE_PFN) == virtqueue_get_desc_addr(vq) / PAGE_SIZE);
		/* The used ring starts a page of its own. */
		CHECK(virtqueue_get_used_addr(vq) % PAGE_SIZE == 0);
	}
	writel(99, base + VIRTIO_MMIO_QUEUE_SEL);
	CHECK(reg(vdev, VIRTIO_MMIO_QUEUE_NUM_MAX) == 0);
	printf("legacy: %s %s: queues by page number, no FEATURES_OK\n", vdev->name, vdev->driver->driver.name);
	return 0;
}

static int disk(struct virtio_blk *vblk)
{
	static u8 before[SECTOR_SIZE], bytes[SECTOR_SIZE], read[SECTOR_SIZE];

	CHECK(virtblk_read(vblk, 0, before, 1) == 0);
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 7;
	CHECK(virtblk_write(vblk, 0, bytes, 1) == 0);
	CHECK(virtblk_flush(vblk) == 0);
	CHECK(virtblk_read(vblk, 0, read, 1) == 0);
	CHECK(memcmp(bytes, read, sizeof(bytes)) == 0);
	CHECK(virtblk_write(vblk, 0, before, 1) == 0);
	printf("legacy: disk of %llu sectors written and read back\n", virtblk_capacity(vblk));
	return 0;
}

static int removal(struct virtio_device *vdev)
{
	unregister_virtio_driver(virtblk_driver());
	writel(0, virtio_mmio_base(vdev) + VIRTIO_MMIO_QUEUE_SEL);
	CHECK(reg(vdev, VIRTIO_MMIO_QUEUE_PFN) == 0);
	CHECK(reg(vdev, VIRTIO_MMIO_STATUS) == VIRTIO_CONFIG_S_ACKNOWLEDGE);
	/* GuestPageSize was written once, before the first reset, and still counts. */
	CHECK(register_virtio_driver(virtblk_driver()) == 0);
	CHECK(virtblk_get(0) != NULL);
	printf("legacy: removed, and bound again\n");
	return disk(virtblk_get(0));
}

int main(void)
{
	u8 random[8];

	printf("legacy: RV%d\n", __riscv_xlen);
	virtio_bus_init();
	virtio_mmio_init();
	for (struct virtio_device *vdev = virtio_next_device(NULL); vdev != NULL; vdev = virtio_next_device(vdev)) {
		if (virtio_mmio_version(vdev) != 1) {
			printf("legacy: %s is version %u; this image wants legacy devices\n", vdev->name,
			       virtio_mmio_version(vdev));
			return 1;
		}
		if (vdev->driver != NULL && registers(vdev) != 0)
			return 1;
	}
	CHECK(virtblk_get(0) != NULL && virtcons_vdev() != NULL && virtrng_vdev() != NULL);
	console_set(virtcons_write);
	printf("legacy: console output\n");
	CHECK(virtrng_read(random, sizeof(random)) > 0);
	printf("legacy: entropy\n");
	return disk(virtblk_get(0)) || removal(virtblk_vdev(virtblk_get(0)));
}
