#include "virtio_blk_disk.h"
#include "../lib/alloc.h"
#include "../lib/string.h"
#include "../lib/timer.h"
#include "../lib/trap.h"

#define VIRTBLK_MAX 8
#define TIMEOUT_US 5000000

static struct virtio_blk *disks[VIRTBLK_MAX];

/* ---- Completion ---------------------------------------------------------------------------------------------- */

static void complete(struct virtio_blk *vblk, struct virtblk_req *req, unsigned int len)
{
	req->written = len;
	req->done = true;
	vblk->idle = --vblk->in_flight == 0;
}

static void virtblk_done(struct virtqueue *vq)
{
	struct virtio_blk *vblk = vq->vdev->priv;
	struct virtblk_req *req;
	unsigned int len;

	vblk->interrupts++;
	do {
		virtqueue_disable_cb(vq);
		while ((req = virtqueue_get_buf(vq, &len)) != NULL)
			complete(vblk, req, len);
		if (virtqueue_is_broken(vq))
			break;
	} while (!virtqueue_enable_cb(vq));
}

/* ---- Requests (§5.2.6): header | data | status, each in a piece of its own ------------------------------------- */

/* Whether the device reads the data of such a request. */
static bool data_out(u32 type)
{
	return type == VIRTIO_BLK_T_OUT || type == VIRTIO_BLK_T_DISCARD || type == VIRTIO_BLK_T_WRITE_ZEROES ||
	       type == VIRTIO_BLK_T_SECURE_ERASE;
}

static int add_request(struct virtio_blk *vblk, struct virtblk_req *req)
{
	struct scatterlist hdr, data, status, *sgs[3];
	unsigned int out = 0, in = 0;

	req->done = false;
	req->status = 0xff; /* no verdict the device could give */
	sg_init_one(&hdr, &req->out_hdr, sizeof(req->out_hdr));
	sgs[out++] = &hdr;
	if (req->length > 0) {
		sg_init_one(&data, req->data, req->length);
		if (data_out(req->out_hdr.type))
			sgs[out++] = &data;
		else
			sgs[out + in++] = &data;
	}
	sg_init_one(&status, &req->status, sizeof(req->status));
	sgs[out + in++] = &status;
	return virtqueue_add_sgs(vblk->vqs[req->queue], sgs, out, in, req, GFP_ATOMIC);
}

int virtblk_submit(struct virtio_blk *vblk, struct virtblk_req *req, bool more)
{
	struct virtqueue *vq = vblk->vqs[req->queue];
	unsigned long saved;
	int err;

	/* The callback frees entries of the same ring. */
	saved = irq_save();
	err = add_request(vblk, req);
	if (err == 0) {
		vblk->in_flight++;
		vblk->idle = false;
	}
	irq_restore(saved);
	if (err != 0)
		return err;
	if (!more && virtqueue_kick_prepare(vq))
		virtqueue_notify(vq);
	return 0;
}

int virtblk_wait(struct virtio_blk *vblk, struct virtblk_req *req)
{
	int err;

	do
		err = virtio_wait(vblk->vdev, &req->done, TIMEOUT_US);
	while (err == -EAGAIN);
	if (err <= 0) {
		/* The request is the device's until a reset, and the caller's stack may hold it. */
		virtio_break_device(vblk->vdev);
		virtio_reset_device(vblk->vdev);
		return err == 0 ? -ETIMEDOUT : err;
	}
	return req->status == VIRTIO_BLK_S_OK ? 0 : -EIO;
}

int virtblk_flush(struct virtio_blk *vblk)
{
	if (!virtio_has_feature(vblk->vdev, VIRTIO_BLK_F_FLUSH))
		return 0;
	return virtblk_request(vblk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
}

/* ---- Properties ---------------------------------------------------------------------------------------------- */

struct virtio_blk *virtblk_get(unsigned int n)
{
	for (unsigned int i = 0; i < VIRTBLK_MAX; i++)
		if (disks[i] != NULL && n-- == 0)
			return disks[i];
	return NULL;
}

struct virtio_device *virtblk_vdev(const struct virtio_blk *vblk)
{
	return vblk->vdev;
}

u64 virtblk_capacity(const struct virtio_blk *vblk)
{
	return vblk->capacity;
}

bool virtblk_read_only(const struct virtio_blk *vblk)
{
	return virtio_has_feature(vblk->vdev, VIRTIO_BLK_F_RO);
}

unsigned int virtblk_queues(const struct virtio_blk *vblk)
{
	return vblk->num_vqs;
}

unsigned int virtblk_interrupts(const struct virtio_blk *vblk)
{
	return vblk->interrupts;
}

/* ---- Driver -------------------------------------------------------------------------------------------------- */

static void virtblk_config_changed(struct virtio_device *vdev)
{
	struct virtio_blk *vblk = vdev->priv;

	virtio_cread(vdev, struct virtio_blk_config, capacity, &vblk->capacity);
}

static int init_vq(struct virtio_blk *vblk)
{
	static const struct virtqueue_info info[VIRTBLK_QUEUES_MAX] = {
		{ .name = "req.0", .callback = virtblk_done },
		{ .name = "req.1", .callback = virtblk_done },
		{ .name = "req.2", .callback = virtblk_done },
		{ .name = "req.3", .callback = virtblk_done },
	};
	u16 num_vqs = 1;

	if (virtio_has_feature(vblk->vdev, VIRTIO_BLK_F_MQ))
		virtio_cread(vblk->vdev, struct virtio_blk_config, num_queues, &num_vqs);
	if (num_vqs == 0)
		return -EINVAL;
	if (num_vqs > VIRTBLK_QUEUES_MAX)
		num_vqs = VIRTBLK_QUEUES_MAX;
	vblk->num_vqs = num_vqs;
	return virtio_find_vqs(vblk->vdev, num_vqs, vblk->vqs, info);
}

static void read_limits(struct virtio_blk *vblk)
{
	struct virtio_device *vdev = vblk->vdev;

	vblk->size_max = UINT32_MAX;
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_SIZE_MAX))
		virtio_cread(vdev, struct virtio_blk_config, size_max, &vblk->size_max);
	if (vblk->size_max < SECTOR_SIZE)
		vblk->size_max = SECTOR_SIZE;
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_DISCARD))
		virtio_cread(vdev, struct virtio_blk_config, max_discard_sectors, &vblk->max_discard_sectors);
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_WRITE_ZEROES))
		virtio_cread(vdev, struct virtio_blk_config, max_write_zeroes_sectors,
			     &vblk->max_write_zeroes_sectors);
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_SECURE_ERASE))
		virtio_cread(vdev, struct virtio_blk_config, max_secure_erase_sectors,
			     &vblk->max_secure_erase_sectors);
}

static int virtblk_probe(struct virtio_device *vdev)
{
	struct virtio_blk *vblk;
	unsigned int slot = 0;

	while (slot < VIRTBLK_MAX && disks[slot] != NULL)
		slot++;
	if (slot == VIRTBLK_MAX)
		return -ENOSPC;
	vblk = kzalloc(sizeof(*vblk));
	if (vblk == NULL)
		return -ENOMEM;
	vblk->vdev = vdev;
	vblk->idle = true;
	vdev->priv = vblk;
	if (init_vq(vblk) != 0) {
		kfree(vblk);
		return -ENOENT;
	}
	read_limits(vblk);
	virtblk_config_changed(vdev);
	disks[slot] = vblk;
	virtio_device_ready(vdev);
	return 0;
}

static void virtblk_remove(struct virtio_device *vdev)
{
	struct virtio_blk *vblk = vdev->priv;
	struct virtblk_req *req;

	/* From here on the device answers nothing and touches no memory. */
	virtio_reset_device(vdev);
	for (unsigned int i = 0; i < vblk->num_vqs; i++) {
		while ((req = virtqueue_detach_unused_buf(vblk->vqs[i])) != NULL) {
			req->status = VIRTIO_BLK_S_IOERR;
			complete(vblk, req, 0);
		}
	}
	vdev->config->del_vqs(vdev);
	for (unsigned int i = 0; i < VIRTBLK_MAX; i++)
		if (disks[i] == vblk)
			disks[i] = NULL;
	kfree(vblk);
}

static int virtblk_freeze(struct virtio_device *vdev)
{
	struct virtio_blk *vblk = vdev->priv;
	int err;

	/* What was asked is answered first: nobody would ask again. */
	do
		err = virtio_wait(vdev, &vblk->idle, TIMEOUT_US);
	while (err == -EAGAIN);
	if (err <= 0)
		return -EBUSY;
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	return 0;
}

static int virtblk_restore(struct virtio_device *vdev)
{
	struct virtio_blk *vblk = vdev->priv;
	int err = init_vq(vblk);

	if (err != 0)
		return err;
	virtblk_config_changed(vdev);
	virtio_device_ready(vdev);
	return 0;
}

/* What is in flight is kept aside, and asked for again: doing a request twice does no harm. */
static int virtblk_reset_prepare(struct virtio_device *vdev)
{
	struct virtio_blk *vblk = vdev->priv;
	struct virtblk_req *req;

	virtio_reset_device(vdev);
	for (unsigned int i = 0; i < vblk->num_vqs; i++) {
		while ((req = virtqueue_detach_unused_buf(vblk->vqs[i])) != NULL) {
			req->next = vblk->again;
			vblk->again = req;
		}
	}
	vdev->config->del_vqs(vdev);
	return 0;
}

static int virtblk_reset_done(struct virtio_device *vdev)
{
	struct virtio_blk *vblk = vdev->priv;
	struct virtblk_req *req;
	unsigned long saved = irq_save();
	int err = 0;

	while (err == 0 && (req = vblk->again) != NULL) {
		vblk->again = req->next;
		err = add_request(vblk, req);
	}
	irq_restore(saved);
	for (unsigned int i = 0; i < vblk->num_vqs; i++)
		virtqueue_kick(vblk->vqs[i]);
	return err;
}

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_BLOCK, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

/* Only what there is code for: an accepted bit is a promise. */
static const unsigned int features[] = {
	VIRTIO_BLK_F_SIZE_MAX,
	VIRTIO_BLK_F_RO,
	VIRTIO_BLK_F_FLUSH,
	VIRTIO_BLK_F_CONFIG_WCE,
	VIRTIO_BLK_F_MQ,
	VIRTIO_BLK_F_DISCARD,
	VIRTIO_BLK_F_WRITE_ZEROES,
	VIRTIO_BLK_F_LIFETIME,
	VIRTIO_BLK_F_SECURE_ERASE,
};

static struct virtio_driver virtio_blk = {
	.driver.name = "virtio_blk",
	.id_table = id_table,
	.feature_table = features,
	.feature_table_size = ARRAY_SIZE(features),
	.probe = virtblk_probe,
	.remove = virtblk_remove,
	.config_changed = virtblk_config_changed,
	.freeze = virtblk_freeze,
	.restore = virtblk_restore,
	.reset_prepare = virtblk_reset_prepare,
	.reset_done = virtblk_reset_done,
};

module_virtio_driver(virtio_blk);

struct virtio_driver *virtblk_driver(void)
{
	return &virtio_blk;
}
