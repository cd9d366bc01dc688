/* What a driver or program asks of a disk (virtio 1.2 §5.2.6), one request at a time. */
#include "virtio_blk_disk.h"

int virtblk_request(struct virtio_blk *vblk, u32 type, u64 sector, void *data, u32 length)
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
		int err = virtblk_request(vblk, type, sector, buf, now * SECTOR_SIZE);

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

/* One segment at a time: that many every device takes. */
static int ranges(struct virtio_blk *vblk, u32 type, u32 most, u64 sector, u32 sectors, u32 flags)
{
	if (most == 0)
		return -ENOTSUP;
	while (sectors > 0) {
		u32 now = sectors < most ? sectors : most;
		struct virtio_blk_discard_write_zeroes range = { .sector = sector, .num_sectors = now, .flags = flags };
		int err = virtblk_request(vblk, type, 0, &range, sizeof(range));

		if (err != 0)
			return err;
		sector += now;
		sectors -= now;
	}
	return 0;
}

int virtblk_discard(struct virtio_blk *vblk, u64 sector, u32 sectors)
{
	return ranges(vblk, VIRTIO_BLK_T_DISCARD, vblk->max_discard_sectors, sector, sectors, 0);
}

int virtblk_write_zeroes(struct virtio_blk *vblk, u64 sector, u32 sectors, bool unmap)
{
	return ranges(vblk, VIRTIO_BLK_T_WRITE_ZEROES, vblk->max_write_zeroes_sectors, sector, sectors,
		      unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0);
}

int virtblk_secure_erase(struct virtio_blk *vblk, u64 sector, u32 sectors)
{
	return ranges(vblk, VIRTIO_BLK_T_SECURE_ERASE, vblk->max_secure_erase_sectors, sector, sectors, 0);
}

int virtblk_get_lifetime(struct virtio_blk *vblk, struct virtio_blk_lifetime *lifetime)
{
	if (!virtio_has_feature(vblk->vdev, VIRTIO_BLK_F_LIFETIME))
		return -ENOTSUP;
	return virtblk_request(vblk, VIRTIO_BLK_T_GET_LIFETIME, 0, lifetime, sizeof(*lifetime));
}

int virtblk_set_writeback(struct virtio_blk *vblk, bool writeback)
{
	if (!virtio_has_feature(vblk->vdev, VIRTIO_BLK_F_CONFIG_WCE))
		return -ENOTSUP;
	virtio_cwrite8(vblk->vdev, offsetof(struct virtio_blk_config, writeback), writeback);
	return 0;
}

/* §5.2.6.2: where the driver cannot choose, there is a cache if there is a way to flush it. */
bool virtblk_writeback(const struct virtio_blk *vblk)
{
	if (!virtio_has_feature(vblk->vdev, VIRTIO_BLK_F_CONFIG_WCE))
		return virtio_has_feature(vblk->vdev, VIRTIO_BLK_F_FLUSH);
	return virtio_cread8(vblk->vdev, offsetof(struct virtio_blk_config, writeback)) == 1;
}

int virtblk_get_id(struct virtio_blk *vblk, char id[VIRTIO_BLK_ID_BYTES])
{
	return virtblk_request(vblk, VIRTIO_BLK_T_GET_ID, 0, id, VIRTIO_BLK_ID_BYTES);
}
