/*
 * virtqueue_disable_cb() is advice: a callback may still arrive afterwards. Shown on the entropy device, once with
 * NO_INTERRUPT in avail.flags and once with EVENT_IDX:
 *
 *   asked in time      callbacks off before the request: the device sees the wish and no interrupt comes, mostly
 *                      (QEMU sends the first one after a reset whatever used_event says);
 *   asked too late     the device has used the buffer and raised its interrupt, which waits because this hart has
 *                      interrupts masked; now callbacks are disabled; unmasked, the callback arrives all the same;
 *   asked too late, but the buffer was taken by hand: the interrupt arrives, there is nothing in the ring, and
 *                      vring_interrupt() calls nobody.
 *
 * So a driver that turns callbacks off must cope with one more. And turning them on tells (by false) that a buffer
 * was used meanwhile, for which no interrupt need come.
 */
#include "../lib/lib.h"
#include "../virtio/virtio_mmio.h"

static struct virtio_device *device;
static struct virtqueue *queue;
static u8 buffer[8];
static volatile unsigned int callbacks, empty_callbacks, buffers;
/* Take the buffer in the callback, or leave it to who polls. */
static volatile bool take_in_callback;

static void request_done(struct virtqueue *vq)
{
	unsigned int len;

	callbacks++;
	if (!take_in_callback)
		return;
	if (virtqueue_get_buf(vq, &len) != NULL)
		buffers++;
	else
		empty_callbacks++;
}

static int probe(struct virtio_device *vdev)
{
	device = vdev;
	queue = virtio_find_single_vq(vdev, request_done, "input");
	return queue == NULL ? -ENOENT : 0;
}

static void remove(struct virtio_device *vdev)
{
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	device = NULL;
	queue = NULL;
}

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_RNG, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

static struct virtio_driver late_callback = {
	.driver.name = "late_callback",
	.id_table = id_table,
	.probe = probe,
	.remove = remove,
};

static void request(void)
{
	struct scatterlist sg;

	sg_init_one(&sg, buffer, sizeof(buffer));
	virtqueue_add_inbuf(queue, &sg, 1, buffer, GFP_KERNEL);
	virtqueue_kick(queue);
}

/* Waits, with interrupts as they are, until the device has used a buffer. */
static bool wait_used(unsigned int last_used_idx)
{
	u64 end = timer_now() + timer_ticks(1000000);

	while (!virtqueue_poll(queue, last_used_idx))
		if (timer_now() >= end)
			return false;
	return true;
}

/* Waits until the interrupt is at the hart's door, without taking it. */
static bool wait_raised(void)
{
	u64 end = timer_now() + timer_ticks(1000000);

	while (!(csr_read(mip) & 1UL << IRQ_M_EXT))
		if (timer_now() >= end)
			return false;
	return true;
}

static int in_time(void)
{
	unsigned int before = callbacks, index = virtqueue_enable_cb_prepare(queue), len;

	virtqueue_disable_cb(queue);
	request();
	CHECK(wait_used(index));
	sleep_us(1000); /* time for an interrupt that should not come */
	printf("  asked in time:  %u callbacks, buffer polled for\n", callbacks - before);
	CHECK(callbacks - before <= 1); /* advice, even so */
	CHECK(virtqueue_get_buf(queue, &len) != NULL && virtqueue_get_buf(queue, &len) == NULL);
	return 0;
}

static int too_late(void)
{
	unsigned int before = callbacks, index;
	unsigned long flags = irq_save();

	index = virtqueue_enable_cb_prepare(queue);
	request();
	CHECK(wait_used(index) && wait_raised());
	virtqueue_disable_cb(queue);
	CHECK(callbacks == before);
	take_in_callback = true;
	irq_restore(flags);
	sleep_us(1000);
	take_in_callback = false;
	printf("  asked too late: %u callback after virtqueue_disable_cb\n", callbacks - before);
	CHECK(callbacks - before == 1 && empty_callbacks == 0);
	return 0;
}

static int taken_by_hand(void)
{
	unsigned int before = callbacks, index, len;
	unsigned long handled = plic_handled(), flags = irq_save();

	index = virtqueue_enable_cb_prepare(queue);
	request();
	CHECK(wait_used(index) && wait_raised());
	virtqueue_disable_cb(queue);
	CHECK(virtqueue_get_buf(queue, &len) != NULL);
	irq_restore(flags);
	sleep_us(1000);
	printf("  taken by hand:  %lu interrupt, %u callbacks\n", plic_handled() - handled, callbacks - before);
	CHECK(plic_handled() - handled == 1 && callbacks == before);
	return 0;
}

static int enabling_tells(void)
{
	unsigned int index = virtqueue_enable_cb_prepare(queue), len;

	virtqueue_disable_cb(queue);
	request();
	CHECK(wait_used(index));
	CHECK(!virtqueue_enable_cb(queue));
	CHECK(virtqueue_get_buf(queue, &len) != NULL);
	CHECK(virtqueue_enable_cb(queue));
	printf("  enabled again:  told of the buffer used meanwhile\n");
	return 0;
}

static int course(const char *name, u64 denied)
{
	virtio_deny_features(denied);
	CHECK(register_virtio_driver(&late_callback) == 0);
	if (device == NULL) {
		printf("late_callback: no entropy device\n");
		return 1;
	}
	printf("%s\n", name);
	if (in_time() || too_late() || taken_by_hand() || enabling_tells())
		return 1;
	unregister_virtio_driver(&late_callback);
	return 0;
}

int main(void)
{
	printf("late_callback: RV%d\n", __riscv_xlen);
	virtio_mmio_init();
	return course("with avail.flags", BIT_ULL(VIRTIO_F_EVENT_IDX)) || course("with EVENT_IDX", 0);
}
