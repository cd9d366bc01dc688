/*
 * The life of a driver, on the test device: probe with one input queue, a callback for every buffer received, remove
 * with reset, detach_unused_buf and del_vqs, and a second probe. Where the device is missing it says so and passes.
 */
#include "course.h"
#include "../generated/virtio_mmio_regs.h"
#include "../lib/lib.h"
#include "../virtio/virtio_dummy.h"
#include "../virtio/virtio_mmio.h"

#define MORE 20

static int receive(struct virtio_dummy *dummy)
{
	u64 patience = (u64)(dummy->limit + MORE + 10) * (dummy->interval + 1000);

	if (virtio_has_feature(dummy->vdev, DUMMY_F_LIMIT)) {
		CHECK(virtdummy_wait(dummy, dummy->limit, patience));
		printf("dummy: %u buffers received, all as expected: %s\n", dummy->received,
		       dummy->wrong == 0 ? "yes" : "no");
		CHECK(dummy->received == dummy->limit && dummy->wrong == 0);
		/* It keeps to its limit. */
		CHECK(!virtdummy_wait(dummy, dummy->limit + 1, 10 * (dummy->interval + 1000)));
		printf("dummy: quiet after its limit\n");
		CHECK(virtdummy_kick(dummy, MORE));
		CHECK(virtdummy_wait(dummy, dummy->limit + MORE, patience));
	} else {
		CHECK(virtdummy_wait(dummy, MORE, patience));
	}
	printf("dummy: %u buffers received, all as expected: %s\n", dummy->received, dummy->wrong == 0 ? "yes" : "no");
	CHECK(dummy->wrong == 0);
	CHECK(dummy->interrupts > 0 && dummy->interrupts <= dummy->received);
	return 0;
}

static int life(void)
{
	struct virtio_dummy *dummy = virtdummy_get();
	struct virtio_device *vdev = dummy->vdev;
	unsigned int buffers = room_for(dummy->vq, 1, DUMMY_BUFFERS);

	printf("dummy: %s bound, queue %s index %u, %u of %u descriptors free\n", vdev->name, dummy->vq->name,
	       dummy->vq->index, dummy->vq->num_free, virtqueue_get_vring_size(dummy->vq));
	printf("dummy: a buffer every %u us, ", dummy->interval);
	if (virtio_has_feature(vdev, DUMMY_F_LIMIT))
		printf("%u of them\n", dummy->limit);
	else
		printf("without end\n");
	CHECK(dummy->vq->num_free == virtqueue_get_vring_size(dummy->vq) - buffers);
	if (receive(dummy) != 0)
		return 1;
	unregister_virtio_driver(virtdummy_driver());
	printf("dummy: removed, %u buffers taken back unused, status 0x%x\n", virtdummy_detached(),
	       vdev->config->get_status(vdev));
	CHECK(virtdummy_detached() == buffers);
	CHECK(virtdummy_get() == NULL && vdev->vqs == NULL);
	CHECK(vdev->config->get_status(vdev) == VIRTIO_CONFIG_S_ACKNOWLEDGE);
	return 0;
}

static int course(void)
{
	size_t in_use;

	/* At first it is bound already. */
	if (virtdummy_get() == NULL)
		CHECK(register_virtio_driver(virtdummy_driver()) == 0);
	if (life() != 0)
		return 1;
	in_use = alloc_in_use();
	CHECK(register_virtio_driver(virtdummy_driver()) == 0 && virtdummy_get() != NULL);
	CHECK(alloc_in_use() > in_use);
	printf("dummy: second probe\n");
	if (life() != 0)
		return 1;
	CHECK(alloc_in_use() == in_use);
	return 0;
}

int main(void)
{
	printf("dummy: RV%d\n", __riscv_xlen);
	virtio_bus_init();
	virtio_mmio_init();
	if (virtdummy_get() == NULL) {
		printf("dummy: not present\n");
		return 0;
	}
	return run_course("dummy", course);
}
