/*
 * More than 65,536 requests: the 16-bit indexes of a split ring come around, with EVENT_IDX also those that say when to
 * notify, and a packed ring goes around some hundred times. Each request is for 4 bytes of entropy.
 */
#include "../lib/lib.h"
#include "../virtio/virtio_mmio.h"

#define REQUESTS 66000
#define BATCH_MAX 256

static struct virtio_device *device;
static struct virtqueue *queue;
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
}

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_RNG, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

static struct virtio_driver index_wrap = {
	.driver.name = "index_wrap",
	.id_table = id_table,
	.probe = probe,
	.remove = remove,
};

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
	CHECK(wait_flag(&all_back, 5000000) && wrong == 0);
	return 0;
}

int main(void)
{
	unsigned int size, done = 0;

	printf("index_wrap: RV%d\n", __riscv_xlen);
	virtio_mmio_init();
	CHECK(register_virtio_driver(&index_wrap) == 0);
	if (device == NULL) {
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
	unregister_virtio_driver(&index_wrap);
	return 0;
}
