/*
 * Who wants to be told of what: virtqueue_disable_cb, enable_cb, enable_cb_delayed, enable_cb_prepare with poll, kicks
 * that nobody needs, and virtqueue_detach_unused_buf; with EVENT_IDX and without, which must come to the same.
 */
#include "requests.h"

#define IN_FLIGHT 8

static struct request requests[IN_FLIGHT];

/* Each with a kick of its own, so that they are done one after the other. */
static int add_all(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		CHECK(request_add(&requests[i], PIECES_MIN) == 0);
		virtqueue_kick(queue);
	}
	return 0;
}

/* Takes them as they come, without asking for callbacks. */
static int poll_all(unsigned int count)
{
	u64 end = timer_now() + timer_ticks(1000000);

	while (count > 0) {
		count -= take_answers();
		CHECK(!device->needs_reset && timer_now() < end);
	}
	CHECK(wrong == 0 && take_answers() == 0);
	return 0;
}

/* Callbacks off: none, one that was on its way, or any that nobody asked for: it is advice. */
static int disabled(unsigned int count)
{
	unsigned int before = callbacks;

	virtqueue_disable_cb(queue);
	if (add_all(count) || poll_all(count))
		return 1;
	sleep_us(1000);
	printf("  disabled: %u requests, %s\n", count, callbacks == before ? "no callback" : "a callback all the same");
	return 0;
}

/* Callbacks on again: told of what came meanwhile by false, of what comes by a callback. */
static int enabled(void)
{
	unsigned int before, answered;

	virtqueue_disable_cb(queue);
	before = virtqueue_enable_cb_prepare(queue);
	CHECK(!virtqueue_poll(queue, before));
	virtqueue_disable_cb(queue);
	if (add_all(1))
		return 1;
	CHECK(wait_used(before));
	CHECK(!virtqueue_enable_cb(queue));
	CHECK(take_answers() == 1);
	CHECK(virtqueue_enable_cb(queue));
	take_in_callback = true;
	before = callbacks;
	answered = answers;
	if (add_all(1))
		return 1;
	CHECK(wait_answers(answered + 1) && callbacks > before);
	take_in_callback = false;
	printf("  enabled:  told of one that was there, called for one that came\n");
	return 0;
}

/* Delayed: with EVENT_IDX the callback comes when three quarters are done, or for nothing before. */
static int delayed(unsigned int count)
{
	unsigned int before, taken;
	bool event = virtio_has_feature(device, VIRTIO_F_EVENT_IDX), waiting;
	u64 end = timer_now() + timer_ticks(1000000);
	const char *when = event ? "three quarters" : "some";
	unsigned long saved;

	virtqueue_disable_cb(queue);
	saved = irq_save();
	before = callbacks;
	if (add_all(count))
		return 1;
	/* False: a fast device has done some, for which no callback need come. */
	waiting = virtqueue_enable_cb_delayed(queue);
	irq_restore(saved);
	while (waiting && callbacks == before && !device->needs_reset && timer_now() < end)
		;
	CHECK(!waiting || callbacks > before);
	virtqueue_disable_cb(queue);
	taken = take_answers();
	if (waiting && event && taken < count * 3 / 4)
		when = "fewer than three quarters";
	if (taken < count && poll_all(count - taken))
		return 1;
	printf("  delayed:  %u requests, first called when %s were done\n", count, when);
	return 0;
}

/* A kick that has nothing new to tell goes nowhere with EVENT_IDX; flags cannot say that. */
static int kicks(void)
{
	unsigned int before = virtqueue_enable_cb_prepare(queue);

	if (add_all(1))
		return 1;
	if (virtio_has_feature(device, VIRTIO_F_EVENT_IDX))
		CHECK(!virtqueue_kick_prepare(queue));
	CHECK(wait_used(before));
	if (poll_all(1))
		return 1;
	printf("  kicks:    the second for one request is %s\n",
	       virtio_has_feature(device, VIRTIO_F_EVENT_IDX) ? "kept" : "sent if the device likes kicks");
	return 0;
}

/* Buffers that the device never saw come back after the reset, each once. */
static int detached(unsigned int count)
{
	unsigned int back = 0;
	struct request *request;

	for (unsigned int i = 0; i < count; i++)
		CHECK(request_add(&requests[i], PIECES_MIN) == 0);
	virtio_reset_device(device);
	while ((request = virtqueue_detach_unused_buf(queue)) != NULL) {
		CHECK(request >= requests && request < requests + count && request->order == 0);
		request->order = ++back;
	}
	CHECK(back == count && queue->num_free == virtqueue_get_vring_size(queue));
	printf("  detached: %u requests came back unused\n", back);
	return 0;
}

static int denying(u64 denied)
{
	unsigned int count;
	int status = 0;

	if (!disk_begin("event_idx", denied, -1, &status))
		return status;
	take_in_callback = false;
	count = room_for(queue, PIECES_MIN, IN_FLIGHT);
	CHECK(count > 0);
	if (disabled(count) || enabled() || delayed(count) || kicks() || detached(count))
		return 1;
	queue_end();
	return 0;
}

static int course(void)
{
	return denying(BIT_ULL(VIRTIO_F_EVENT_IDX)) || denying(0);
}

int main(void)
{
	printf("event_idx: RV%d\n", __riscv_xlen);
	return run_course("event_idx", course);
}
