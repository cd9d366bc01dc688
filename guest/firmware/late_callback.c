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
#include "one_queue.h"

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

/* In two pieces: where tables are accepted, it is one. */
static void request(void)
{
	struct scatterlist sg[2];

	sg_init_table(sg, ARRAY_SIZE(sg));
	sg_set_buf(&sg[0], buffer, sizeof(buffer) / 2);
	sg_set_buf(&sg[1], buffer + sizeof(buffer) / 2, sizeof(buffer) / 2);
	virtqueue_add_inbuf(queue, sg, ARRAY_SIZE(sg), buffer, GFP_KERNEL);
	virtqueue_kick(queue);
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
	/* Interrupts that nobody asked for may come as well. */
	CHECK(plic_handled() > handled && callbacks == before);
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

static int denying(u64 denied, const char *name)
{
	take_in_callback = false;
	empty_callbacks = 0;
	if (!queue_begin(VIRTIO_ID_RNG, request_done, denied)) {
		printf("late_callback: no entropy device\n");
		return 1;
	}
	printf("%s\n", name);
	if (in_time() || too_late() || taken_by_hand() || enabling_tells())
		return 1;
	queue_end();
	return 0;
}

static int course(void)
{
	return denying(BIT_ULL(VIRTIO_F_EVENT_IDX), "with avail.flags") || denying(0, "with EVENT_IDX");
}

int main(void)
{
	printf("late_callback: RV%d\n", __riscv_xlen);
	return run_course("late_callback", course);
}
