#include "one_queue.h"
#include "../generated/virtio_mmio_regs.h"
#include "../virtio/virtio_mmio.h"

#define TIMEOUT_US 1000000
#define POLLS 4096

struct virtio_device *device;
struct virtqueue *queue;

static vq_callback_t *used;

static int probe(struct virtio_device *vdev)
{
	if (device != NULL)
		return -EBUSY;
	queue = virtio_find_single_vq(vdev, used, "requests");
	if (queue == NULL)
		return -ENOENT;
	device = vdev;
	return 0;
}

static void remove(struct virtio_device *vdev)
{
	virtio_reset_device(vdev);
	while (virtqueue_detach_unused_buf(queue) != NULL)
		;
	vdev->config->del_vqs(vdev);
	device = NULL;
	queue = NULL;
}

static struct virtio_device_id id_table[] = {
	{ 0, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

static struct virtio_driver one_queue = {
	.driver.name = "one_queue",
	.id_table = id_table,
	.probe = probe,
	.remove = remove,
};

bool queue_begin(u32 kind, vq_callback_t *callback, u64 denied)
{
	used = callback;
	id_table[0].device = kind;
	if (virtio_next_device(NULL) == NULL)
		virtio_mmio_init();
	virtio_deny_features(denied);
	return register_virtio_driver(&one_queue) == 0 && device != NULL;
}

void queue_end(void)
{
	unregister_virtio_driver(&one_queue);
}

/* Asked of the device only now and then: with interrupts masked nobody else says it. */
static bool gave_up(unsigned int polls)
{
	return polls % POLLS == 0 && (device->config->get_status(device) & VIRTIO_CONFIG_S_DEVICE_NEEDS_RESET);
}

bool wait_used(unsigned int last_used_idx)
{
	u64 end = timer_now() + timer_ticks(TIMEOUT_US);

	for (unsigned int polls = 1; !virtqueue_poll(queue, last_used_idx); polls++)
		if (gave_up(polls) || timer_now() >= end)
			return false;
	return true;
}
