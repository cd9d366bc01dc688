/* Inside the block driver: what it keeps of a disk. Users have virtio_blk.h. */
#ifndef VIRTIO_VIRTIO_BLK_DISK_H
#define VIRTIO_VIRTIO_BLK_DISK_H

#include "virtio_blk.h"

/* §5.2.4, as far as this driver reads it. */
struct virtio_blk_config {
	le64 capacity;
	le32 size_max;
	le32 seg_max;
	le16 cylinders;
	u8 heads;
	u8 sectors;
	le32 blk_size;
	struct {
		u8 physical_block_exp;
		u8 alignment_offset;
		le16 min_io_size;
		le32 opt_io_size;
	} topology;
	u8 writeback;
	u8 unused0;
	le16 num_queues;
	le32 max_discard_sectors;
	le32 max_discard_seg;
	le32 discard_sector_alignment;
	le32 max_write_zeroes_sectors;
	le32 max_write_zeroes_seg;
	u8 write_zeroes_may_unmap;
	u8 unused1[3];
	le32 max_secure_erase_sectors;
	le32 max_secure_erase_seg;
	le32 secure_erase_sector_alignment;
};

struct virtio_blk {
	struct virtio_device *vdev;
	struct virtqueue *vqs[VIRTBLK_QUEUES_MAX];
	unsigned int num_vqs;
	u64 capacity;
	u32 size_max; /* bytes in one segment */
	/* Sectors in one segment of each kind; 0 without the feature. */
	u32 max_discard_sectors, max_write_zeroes_sectors, max_secure_erase_sectors;
	unsigned int interrupts;
	unsigned int in_flight;
	volatile bool idle; /* nothing is in flight */
	struct virtblk_req *again; /* what was, when the device gave up */
};

/* One request of type `type`, until it is done. */
int virtblk_request(struct virtio_blk *vblk, u32 type, u64 sector, void *data, u32 length);

#endif
