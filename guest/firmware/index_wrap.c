/*
 * More than 65,536 requests: the 16-bit indexes of a split ring come around, with EVENT_IDX also those that say when to
 * notify, and a packed ring goes around some hundred times. Each request is for 4 bytes of entropy.
 */
#include "one_queue.h"

#define REQUESTS 66000
#define BATCH_MAX 256

static u32 buffers[BATCH_MAX];
static volatile unsigned int outstanding;
static volatile bool all_back;
static unsigned int wrong, callbacks;

static void request_done(struct virtqueue *vq)
{
	unsigned int len;
	u32 *buffer;

	callbacks++;
	while ((buffer = virtqueue_get_buf(vq, &len)) != NULL) {
		/* §5.4.6.1: less than was asked for is right, nothing is not. */
		if (buffer < buffers || buffer >= buffers + BATCH_MAX || len == 0 || len > sizeof(*buffer))
			wrong++;
		outstanding--;
	}
	if (outstanding == 0)
		all_back = true;
}

/* As many requests as fit, with one kick; all must come back. */
static int batch(unsigned int count)
{
	unsigned long saved = irq_save();
	struct scatterlist sg;

	all_back = false;
	outstanding = count;
	for (unsigned int i = 0; i < count; i++) {
		sg_init_one(&sg, &buffers[i], sizeof(buffers[i]));
		CHECK(virtqueue_add_inbuf(queue, &sg, 1, &buffers[i], GFP_KERNEL) == 0);
	}
	virtqueue_kick(queue);
	irq_restore(saved);
	CHECK(virtio_wait(device, &all_back, 5000000) == 1 && wrong == 0);
	return 0;
}

static int course(void)
{
	unsigned int size, done = 0;

	if (!queue_begin(VIRTIO_ID_RNG, request_done, 0)) {
		printf("index_wrap: no entropy device\n");
		return 1;
	}
	printf("index_wrap: ");
	virtio_print_features(device);
	size = virtqueue_get_vring_size(queue);
	while (done < REQUESTS) {
		unsigned int count = size < BATCH_MAX ? size : BATCH_MAX;

		if (count > REQUESTS - done)
			count = REQUESTS - done;
		if (batch(count))
			return 1;
		done += count;
	}
	CHECK(queue->num_free == size);
	printf("  %u requests answered, %u times around the ring\n", done, done / size);
	queue_end();
	return 0;
}

int main(void)
{
	printf("index_wrap: RV%d\n", __riscv_xlen);
	return run_course("index_wrap", course);
}
