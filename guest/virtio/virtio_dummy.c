/* The smallest whole driver: probe, receive, remove. A good one to read first. */
#include "virtio_dummy.h"
#include "../lib/alloc.h"
#include "../lib/timer.h"
#include "../lib/trap.h"

struct virtio_dummy_config {
	le32 interval;
	le32 limit;
	le32 kick;
};

static struct virtio_dummy *the_dummy;
static unsigned int detached;

static bool as_expected(const u8 *buffer, unsigned int len, u32 sequence)
{
	if (len != DUMMY_BUFFER_BYTES)
		return false;
	for (unsigned int i = 0; i < len; i++)
		if (buffer[i] != (i < 4 ? (sequence >> 8 * i & 0xff) : ((sequence + i) & 0xff)))
			return false;
	return true;
}

static void add_buffer(struct virtio_dummy *dummy, u8 *buffer)
{
	struct scatterlist sg;

	sg_init_one(&sg, buffer, DUMMY_BUFFER_BYTES);
	virtqueue_add_inbuf(dummy->vq, &sg, 1, buffer, GFP_ATOMIC);
}

/* A buffer came back: look at it and offer it again. */
static void virtdummy_recv_cb(struct virtqueue *vq)
{
	struct virtio_dummy *dummy = vq->vdev->priv;
	unsigned int len;
	u8 *buffer;

	dummy->interrupts++;
	while ((buffer = virtqueue_get_buf(vq, &len)) != NULL) {
		if (!as_expected(buffer, len, dummy->received))
			dummy->wrong++;
		dummy->received++;
		add_buffer(dummy, buffer);
	}
	virtqueue_kick(vq);
	if (dummy->received >= dummy->awaited)
		dummy->reached = true;
}

static int virtdummy_probe(struct virtio_device *vdev)
{
	struct virtio_dummy *dummy;

	if (the_dummy != NULL)
		return -EBUSY;
	dummy = kzalloc(sizeof(*dummy));
	if (dummy == NULL)
		return -ENOMEM;
	dummy->vdev = vdev;
	vdev->priv = dummy;
	dummy->vq = virtio_find_single_vq(vdev, virtdummy_recv_cb, "input");
	if (dummy->vq == NULL) {
		kfree(dummy);
		return -ENOENT;
	}
	virtio_cread(vdev, struct virtio_dummy_config, interval, &dummy->interval);
	if (virtio_has_feature(vdev, DUMMY_F_LIMIT))
		virtio_cread(vdev, struct virtio_dummy_config, limit, &dummy->limit);
	for (unsigned int i = 0; i < DUMMY_BUFFERS && dummy->vq->num_free > 0; i++) {
		dummy->buffers[i] = kzalloc(DUMMY_BUFFER_BYTES);
		add_buffer(dummy, dummy->buffers[i]);
	}
	the_dummy = dummy;
	virtio_device_ready(vdev);
	virtqueue_kick(dummy->vq);
	return 0;
}

static void virtdummy_remove(struct virtio_device *vdev)
{
	struct virtio_dummy *dummy = vdev->priv;

	the_dummy = NULL;
	/* First stop the device; what it has not filled by now it never will. */
	virtio_reset_device(vdev);
	for (detached = 0; virtqueue_detach_unused_buf(dummy->vq) != NULL; detached++)
		;
	vdev->config->del_vqs(vdev);
	for (unsigned int i = 0; i < DUMMY_BUFFERS; i++)
		kfree(dummy->buffers[i]);
	kfree(dummy);
}

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_DUMMY, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

static const unsigned int features[] = {
	DUMMY_F_LIMIT,
};

static struct virtio_driver virtio_dummy = {
	.driver.name = "virtio_dummy",
	.id_table = id_table,
	.feature_table = features,
	.feature_table_size = ARRAY_SIZE(features),
	.probe = virtdummy_probe,
	.remove = virtdummy_remove,
};

module_virtio_driver(virtio_dummy);

struct virtio_driver *virtdummy_driver(void)
{
	return &virtio_dummy;
}

struct virtio_dummy *virtdummy_get(void)
{
	return the_dummy;
}

bool virtdummy_wait(struct virtio_dummy *dummy, unsigned int count, u64 timeout_us)
{
	unsigned long saved = irq_save();

	dummy->awaited = count;
	dummy->reached = dummy->received >= count;
	irq_restore(saved);
	return wait_flag(&dummy->reached, timeout_us);
}

bool virtdummy_kick(struct virtio_dummy *dummy, u32 count)
{
	if (!virtio_has_feature(dummy->vdev, DUMMY_F_LIMIT))
		return false;
	virtio_cwrite32(dummy->vdev, offsetof(struct virtio_dummy_config, kick), count);
	return true;
}

unsigned int virtdummy_detached(void)
{
	return detached;
}
