#include "virtio_rng.h"
#include "../lib/alloc.h"
#include "../lib/timer.h"

#define TIMEOUT_US 5000000

struct virtrng_info {
	struct virtio_device *vdev;
	struct virtqueue *vq;
	volatile bool have_data;
	unsigned int data_avail;
	unsigned int interrupts;
};

static struct virtrng_info *rng;

static void random_recv_done(struct virtqueue *vq)
{
	struct virtrng_info *vi = vq->vdev->priv;

	vi->interrupts++;
	if (virtqueue_get_buf(vq, &vi->data_avail) != NULL)
		vi->have_data = true;
}

int virtrng_read(void *buf, unsigned int length)
{
	struct virtrng_info *vi = rng;
	struct scatterlist sg;
	int err;

	if (vi == NULL)
		return -ENODEV;
	do {
		vi->have_data = false;
		sg_init_one(&sg, buf, length);
		err = virtqueue_add_inbuf(vi->vq, &sg, 1, buf, GFP_KERNEL);
		if (err != 0)
			return err;
		virtqueue_kick(vi->vq);
		err = virtio_wait(vi->vdev, &vi->have_data, TIMEOUT_US);
	} while (err == -EAGAIN);
	if (err <= 0) {
		virtio_break_device(vi->vdev);
		virtio_reset_device(vi->vdev);
		return err == 0 ? -ETIMEDOUT : err;
	}
	/* §5.4.6.1: the length says how much of the buffer is random. More than it holds, or nothing, cannot be. */
	if (vi->data_avail == 0 || vi->data_avail > length)
		return -EIO;
	return (int)vi->data_avail;
}

/* Nothing is asked for: virtrng_read() waits. */
static void recycle(struct virtqueue *vq, void *buf)
{
	(void)vq;
	(void)buf;
}

int virtrng_reset_queue(void)
{
	return rng == NULL ? -ENODEV : virtqueue_reset(rng->vq, recycle, NULL);
}

struct virtio_device *virtrng_vdev(void)
{
	return rng == NULL ? NULL : rng->vdev;
}

unsigned int virtrng_interrupts(void)
{
	return rng == NULL ? 0 : rng->interrupts;
}

/* Makes the queue, and the device ready. */
static int start(struct virtrng_info *vi)
{
	vi->vq = virtio_find_single_vq(vi->vdev, random_recv_done, "input");
	if (vi->vq == NULL)
		return -ENOENT;
	virtio_device_ready(vi->vdev);
	return 0;
}

static void stop(struct virtrng_info *vi)
{
	virtio_reset_device(vi->vdev);
	vi->vdev->config->del_vqs(vi->vdev);
}

static int virtrng_probe(struct virtio_device *vdev)
{
	struct virtrng_info *vi;
	int err;

	if (rng != NULL)
		return -EBUSY;
	vi = kzalloc(sizeof(*vi));
	if (vi == NULL)
		return -ENOMEM;
	vi->vdev = vdev;
	vdev->priv = vi;
	err = start(vi);
	if (err != 0)
		kfree(vi);
	else
		rng = vi;
	return err;
}

static void virtrng_remove(struct virtio_device *vdev)
{
	struct virtrng_info *vi = vdev->priv;

	rng = NULL;
	stop(vi);
	kfree(vi);
}

static int virtrng_freeze(struct virtio_device *vdev)
{
	stop(vdev->priv);
	return 0;
}

static int virtrng_restore(struct virtio_device *vdev)
{
	return start(vdev->priv);
}

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_RNG, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

static struct virtio_driver virtio_rng = {
	.driver.name = "virtio_rng",
	.id_table = id_table,
	.probe = virtrng_probe,
	.remove = virtrng_remove,
	.freeze = virtrng_freeze,
	.restore = virtrng_restore,
	.reset_prepare = virtrng_freeze,
};

module_virtio_driver(virtio_rng);

struct virtio_driver *virtrng_driver(void)
{
	return &virtio_rng;
}
