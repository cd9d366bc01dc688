/*
 * NOTIFICATION_DATA (virtio 1.2 §2.9): a notification says where the driver will go on. The place is counted here once
 * more, apart from the driver: the available index of a split ring, entry and wrap counter of a packed one.
 */
#include "requests.h"
#include "../virtio/virtio_ring.h"

#define REQUESTS 100

static unsigned int size;
static bool packed;
static u16 place;
static bool wrap;

static u16 next(void)
{
	return packed ? place | wrap << 15 : place;
}

static void advance(unsigned int entries)
{
	if (!packed) {
		place++;
		return;
	}
	place += entries;
	if (place >= size) {
		place -= size;
		wrap = !wrap;
	}
}

static int course(void)
{
	static struct request request;
	unsigned int shown = 0, entries;
	int status;

	if (!disk_begin("notification_data", 0, VIRTIO_F_NOTIFICATION_DATA, &status))
		return status;
	size = virtqueue_get_vring_size(queue);
	packed = virtio_has_feature(device, VIRTIO_F_RING_PACKED);
	place = 0;
	wrap = true;
	entries = entries_of(queue, PIECES_MIN);
	if (size < entries) {
		printf("notification_data: the queue is too small\n");
		return 0;
	}
	CHECK(vring_notification_data(queue) == (queue->index | (u32)next() << 16));
	for (unsigned int i = 0; i < REQUESTS; i++) {
		CHECK(request_add(&request, PIECES_MIN) == 0);
		advance(entries);
		CHECK(vring_notification_data(queue) == (queue->index | (u32)next() << 16));
		if (shown < 3) {
			printf("  notification %u: 0x%08x\n", i + 1, vring_notification_data(queue));
			shown++;
		}
		virtqueue_kick(queue);
		CHECK(wait_answers(i + 1));
	}
	printf("  notification %u: 0x%08x\n", REQUESTS, vring_notification_data(queue));
	queue_end();
	return 0;
}

int main(void)
{
	printf("notification_data: RV%d\n", __riscv_xlen);
	return run_course("notification_data", course);
}
