/*
 * SUSPEND (virtio 1.4 §3.4): the device finishes what it has begun, then rests with its queues as they are. Nothing can
 * be asked meanwhile; resumed, it goes on where it was.
 */
#include "requests.h"
#include "../generated/virtio_mmio_regs.h"

#define CYCLES 5
#define IN_FLIGHT 4

static struct request requests[IN_FLIGHT + 1];

/* Suspended with `count` requests under way, and resumed. */
static int cycle(unsigned int count)
{
	unsigned int before = answers, room = room_for(queue, PIECES_MIN, IN_FLIGHT);
	u64 desc = virtqueue_get_desc_addr(queue);

	if (request_add_all(requests, count))
		return 1;
	CHECK(virtio_device_suspend(device) == 0);
	CHECK(device->config->get_status(device) == (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
						 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_SUSPEND));
	/* What was under way is answered; the last interrupt may still be coming in. */
	CHECK(wait_answers(before + count));
	CHECK(request_add(&requests[IN_FLIGHT], PIECES_MIN) == -EBUSY);
	sleep_us(1000);
	CHECK(answers == before + count);
	CHECK(virtio_device_resume(device) == 0 && !device->suspended);
	/* The same queue, not a new one. */
	CHECK(desc == virtqueue_get_desc_addr(queue));
	if (request_add_all(requests, room))
		return 1;
	CHECK(wait_answers(before + count + room));
	return 0;
}

static int course(void)
{
	unsigned int room;
	int status;

	if (!disk_begin("suspend", 0, VIRTIO_F_SUSPEND, &status))
		return status;
	room = room_for(queue, PIECES_MIN, IN_FLIGHT);
	for (unsigned int i = 0; i < CYCLES; i++)
		if (cycle(i % (room + 1)))
			return 1;
	printf("  %u times suspended and resumed, with up to %u requests under way\n", CYCLES, room);
	queue_end();
	if (!disk_begin("suspend", BIT_ULL(VIRTIO_F_SUSPEND), -1, &status))
		return status;
	CHECK(virtio_device_suspend(device) == -ENOTSUP && !device->suspended);
	queue_end();
	return 0;
}

int main(void)
{
	printf("suspend: RV%d\n", __riscv_xlen);
	return run_course("suspend", course);
}
