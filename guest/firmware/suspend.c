/*
 * SUSPEND (virtio 1.4 §3.4): the device finishes what it has begun, then rests with its queues as they are. Nothing can
 * be asked meanwhile; resumed, it goes on where it was.
 */
#include "requests.h"
#include "../generated/virtio_mmio_regs.h"

#define CYCLES 5
#define IN_FLIGHT 4

static struct request requests[IN_FLIGHT + 1];

static unsigned int room(void)
{
	unsigned int size = virtqueue_get_vring_size(queue);
	bool table = virtio_has_feature(disk, VIRTIO_F_INDIRECT_DESC) && size >= PIECES_MIN;
	unsigned int fit = table ? size : size / PIECES_MIN;

	return fit < IN_FLIGHT ? fit : IN_FLIGHT;
}

static int add(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		CHECK(request_add(&requests[i], PIECES_MIN) == 0);
	virtqueue_kick(queue);
	return 0;
}

/* Suspended with `count` requests under way, and resumed. */
static int cycle(unsigned int count)
{
	unsigned int before = answers;
	u64 desc = virtqueue_get_desc_addr(queue);

	if (add(count))
		return 1;
	CHECK(virtio_device_suspend(disk) == 0);
	CHECK(disk->config->get_status(disk) == (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
						 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_SUSPEND));
	/* What was under way is answered; the last interrupt may still be coming in. */
	CHECK(wait_answers(before + count));
	CHECK(request_add(&requests[IN_FLIGHT], PIECES_MIN) == -EBUSY);
	sleep_us(1000);
	CHECK(answers == before + count);
	CHECK(virtio_device_resume(disk) == 0 && !disk->suspended);
	/* The same queue, not a new one. */
	CHECK(desc == virtqueue_get_desc_addr(queue));
	if (add(room()))
		return 1;
	CHECK(wait_answers(before + count + room()));
	return 0;
}

int main(void)
{
	int status = 0;

	printf("suspend: RV%d\n", __riscv_xlen);
	if (!disk_begin("suspend", 0, VIRTIO_F_SUSPEND, &status))
		return status;
	for (unsigned int i = 0; i < CYCLES; i++)
		if (cycle(i % (room() + 1)))
			return 1;
	printf("  %u times suspended and resumed, with up to %u requests under way\n", CYCLES, room());
	disk_end();
	if (!disk_begin("suspend", BIT_ULL(VIRTIO_F_SUSPEND), -1, &status))
		return status;
	CHECK(virtio_device_suspend(disk) == -ENOTSUP && !disk->suspended);
	disk_end();
	return 0;
}
