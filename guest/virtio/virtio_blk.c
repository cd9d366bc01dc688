#include "virtio_blk.h"
#include "../lib/alloc.h"
#include "../lib/string.h"
#include "../lib/timer.h"

#define VIRTBLK_MAX 8
#define TIMEOUT_US 5000000

/* §5.2.4, as far as this driver reads it. */
struct virtio_blk_config {
	le64 capacity;
	le32 size_max;
	le32 seg_max;
	le16 cylinders;
	u8 heads;
	u8 sectors;
	le32 blk_size;
};

struct virtio_blk {
	struct virtio_device *vdev;
	struct virtqueue *vq;
	u64 capacity;
	u32 size_max; /* bytes in one segment */
	unsigned int interrupts;
};

static struct virtio_blk *disks[VIRTBLK_MAX];

/* ---- Completion ---------------------------------------------------------------------------------------------- */

static void virtblk_done(struct virtqueue *vq)
{
	struct virtio_blk *vblk = vq->vdev->priv;
	struct virtblk_req *req;
	unsigned int len;

	vblk->interrupts++;
	do {
		virtqueue_disable_cb(vq);
		while ((req = virtqueue_get_buf(vq, &len)) != NULL) {
			req->written = len;
			req->done = true;
		}
		if (virtqueue_is_broken(vq))
			break;
	} while (!virtqueue_enable_cb(vq));
}

/* ---- Requests (§5.2.6): header | data | status, each in a piece of its own ------------------------------------- */

int virtblk_submit(struct virtio_blk *vblk, struct virtblk_req *req, bool more)
{
	struct scatterlist hdr, data, status, *sgs[3];
	unsigned int out = 0, in = 0;
	int err;

	req->done = false;
	req->status = 0xff; /* no verdict the device could give */
	sg_init_one(&hdr, &req->out_hdr, sizeof(req->out_hdr));
	sgs[out++] = &hdr;
	if (req->length > 0) {
		sg_init_one(&data, req->data, req->length);
		if (req->out_hdr.type == VIRTIO_BLK_T_OUT)
			sgs[out++] = &data;
		else
			sgs[out + in++] = &data;
	}
	sg_init_one(&status, &req->status, sizeof(req->status));
	sgs[out + in++] = &status;

	err = virtqueue_add_sgs(vblk->vq, sgs, out, in, req, GFP_ATOMIC);
	if (err != 0)
		return err;
	if (!more && virtqueue_kick_prepare(vblk->vq))
		virtqueue_notify(vblk->vq);
	return 0;
}

int virtblk_wait(struct virtio_blk *vblk, struct virtblk_req *req)
{
	if (!wait_flag(&req->done, TIMEOUT_US)) {
		/* The request is the device's until a reset, and the caller's stack may hold it. */
		virtio_break_device(vblk->vdev);
		virtio_reset_device(vblk->vdev);
		return -ETIMEDOUT;
	}
	return req->status == VIRTIO_BLK_S_OK ? 0 : -EIO;
}

static int request(struct virtio_blk *vblk, u32 type, u64 sector, void *data, u32 length)
{
	struct virtblk_req req = {
		.out_hdr = { .type = type, .sector = sector },
		.data = data,
		.length = length,
	};
	int err = virtblk_submit(vblk, &req, false);

	return err != 0 ? err : virtblk_wait(vblk, &req);
}

static int transfer(struct virtio_blk *vblk, u32 type, u64 sector, void *buf, unsigned int sectors)
{
	u32 most = vblk->size_max / SECTOR_SIZE;

	while (sectors > 0) {
		u32 now = sectors < most ? sectors : most;
		int err = request(vblk, type, sector, buf, now * SECTOR_SIZE);

		if (err != 0)
			return err;
		sector += now;
		sectors -= now;
		buf = (char *)buf + now * SECTOR_SIZE;
	}
	return 0;
}

int virtblk_read(struct virtio_blk *vblk, u64 sector, void *buf, unsigned int sectors)
{
	return transfer(vblk, VIRTIO_BLK_T_IN, sector, buf, sectors);
}

int virtblk_write(struct virtio_blk *vblk, u64 sector, const void *buf, unsigned int sectors)
{
	return transfer(vblk, VIRTIO_BLK_T_OUT, sector, (void *)buf, sectors);
}

int virtblk_flush(struct virtio_blk *vblk)
{
	if (!virtio_has_feature(vblk->vdev, VIRTIO_BLK_F_FLUSH))
		return 0;
	return request(vblk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
}

int virtblk_get_id(struct virtio_blk *vblk, char id[VIRTIO_BLK_ID_BYTES])
{
	return request(vblk, VIRTIO_BLK_T_GET_ID, 0, id, VIRTIO_BLK_ID_BYTES);
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
	vdev->priv = vblk;
	vblk->vq = virtio_find_single_vq(vdev, virtblk_done, "req.0");
	if (vblk->vq == NULL) {
		kfree(vblk);
		return -ENOENT;
	}
	vblk->size_max = UINT32_MAX;
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_SIZE_MAX))
		virtio_cread(vdev, struct virtio_blk_config, size_max, &vblk->size_max);
	if (vblk->size_max < SECTOR_SIZE)
		vblk->size_max = SECTOR_SIZE;
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
	while ((req = virtqueue_detach_unused_buf(vblk->vq)) != NULL) {
		req->status = VIRTIO_BLK_S_IOERR;
		req->done = true;
	}
	vdev->config->del_vqs(vdev);
	for (unsigned int i = 0; i < VIRTBLK_MAX; i++)
		if (disks[i] == vblk)
			disks[i] = NULL;
	kfree(vblk);
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
};

static struct virtio_driver virtio_blk = {
	.driver.name = "virtio_blk",
	.id_table = id_table,
	.feature_table = features,
	.feature_table_size = ARRAY_SIZE(features),
	.probe = virtblk_probe,
	.remove = virtblk_remove,
	.config_changed = virtblk_config_changed,
};

module_virtio_driver(virtio_blk);

struct virtio_driver *virtblk_driver(void)
{
	return &virtio_blk;
}
