/*
 * RING_RESET: one queue is taken from the device with requests in it, which come back to the driver, and starts anew,
 * in the same size or another (virtqueue_reset, virtqueue_resize). The device stays as it is.
 */
#include "requests.h"
#include "../virtio/virtio_mmio.h"

#define IN_FLIGHT 4

static struct request requests[IN_FLIGHT];
static unsigned int recycled, done;

static void recycle(struct virtqueue *vq, void *buf)
{
	struct request *request = buf;

	if (vq == queue && request->order == 0)
		recycled++;
}

static void recycle_done(struct virtqueue *vq)
{
	if (vq == queue)
		done++;
}

/* So many that places and ids come around in the ring as it is now. */
static int works(void)
{
	unsigned int room = room_for(queue, PIECES_MIN, IN_FLIGHT);
	unsigned int rounds = 2 * virtqueue_get_vring_size(queue) / room + 2;

	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int before = answers;

		if (request_add_all(requests, room))
			return 1;
		CHECK(wait_answers(before + room));
	}
	return 0;
}

/* Takes the queue away with `count` requests in it; `num` 0 keeps the size. */
static int reset_with(unsigned int count, unsigned int num)
{
	unsigned int size = virtqueue_get_vring_size(queue), before = answers;
	unsigned long saved = irq_save();

	recycled = done = 0;
	if (request_add_all(requests, count))
		return 1;
	if (num == 0)
		CHECK(virtqueue_reset(queue, recycle, recycle_done) == 0);
	else
		CHECK(virtqueue_resize(queue, num, recycle, recycle_done) == 0);
	irq_restore(saved);
	CHECK(recycled == count && done == 1 && !queue->reset && !virtqueue_is_broken(queue));
	CHECK(virtqueue_get_vring_size(queue) == (num == 0 ? size : num));
	CHECK(queue->num_free == virtqueue_get_vring_size(queue));
	/* What was in it is never answered, and the device does not mind. */
	sleep_us(1000);
	CHECK(answers == before && device->config->get_status(device) == 0xf);
	return works();
}

static int course(void)
{
	unsigned int size, room;
	int status;

	if (!disk_begin("ring_reset", 0, VIRTIO_F_RING_RESET, &status))
		return status;
	size = virtqueue_get_vring_size(queue);
	room = room_for(queue, PIECES_MIN, IN_FLIGHT);
	if (room == 0) {
		printf("ring_reset: the queue is too small\n");
		return 0;
	}
	/* A device that offers what it cannot do keeps its queue, and the driver notices. */
	if (virtqueue_reset(queue, recycle, NULL) == -EIO) {
		printf("  this device only says so\n");
		return works();
	}
	if (works() || reset_with(0, 0) || reset_with(room, 0))
		return 1;
	printf("  reset:  %u requests came back, the queue works again\n", recycled);
	if (size / 2 < PIECES_MIN) {
		printf("  resize: not of so small a queue\n");
	} else {
		if (reset_with(room, size / 2))
			return 1;
		printf("  resize: %u requests came back, from %u entries to %u\n", recycled, size, size / 2);
		if (reset_with(room_for(queue, PIECES_MIN, IN_FLIGHT), size))
			return 1;
		printf("  resize: %u requests came back, %u entries again\n", recycled, size);
	}
	CHECK(virtqueue_resize(queue, queue->num_max + 1, recycle, NULL) == -E2BIG);
	CHECK(virtqueue_resize(queue, 0, recycle, NULL) == -EINVAL);
	if (works())
		return 1;
	queue_end();
	return 0;
}

int main(void)
{
	printf("ring_reset: RV%d\n", __riscv_xlen);
	return run_course("ring_reset", course);
}
