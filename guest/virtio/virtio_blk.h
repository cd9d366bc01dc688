/* Block devices (virtio 1.2 §5.2): requests one at a time, or several in flight, on one queue or several. */
#ifndef VIRTIO_VIRTIO_BLK_H
#define VIRTIO_VIRTIO_BLK_H

#include "virtio.h"

#define SECTOR_SIZE 512
#define VIRTIO_BLK_ID_BYTES 20
/* Most queues the driver takes (MQ). */
#define VIRTBLK_QUEUES_MAX 4

#define VIRTIO_BLK_T_IN 0
#define VIRTIO_BLK_T_OUT 1
#define VIRTIO_BLK_T_FLUSH 4
#define VIRTIO_BLK_T_GET_ID 8
#define VIRTIO_BLK_T_GET_LIFETIME 10
#define VIRTIO_BLK_T_DISCARD 11
#define VIRTIO_BLK_T_WRITE_ZEROES 13
#define VIRTIO_BLK_T_SECURE_ERASE 14

/* In the flags of a segment of WRITE_ZEROES: the device may give the sectors back. */
#define VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP 1

#define VIRTIO_BLK_S_OK 0
#define VIRTIO_BLK_S_IOERR 1
#define VIRTIO_BLK_S_UNSUPP 2

/* What a request begins with. */
struct virtio_blk_outhdr {
	le32 type;
	le32 ioprio; /* reserved */
	le64 sector;
};

/* A segment of DISCARD, WRITE_ZEROES or SECURE_ERASE, which have these as their data. */
struct virtio_blk_discard_write_zeroes {
	le64 sector;
	le32 num_sectors;
	le32 flags;
};

/* What GET_LIFETIME tells, as an eMMC says it (JESD84-B50). */
struct virtio_blk_lifetime {
	le16 pre_eol_info;
	le16 device_lifetime_est_typ_a;
	le16 device_lifetime_est_typ_b;
};

struct virtio_blk;

/* A request on its way: it must stay where it is until `done`. */
struct virtblk_req {
	struct virtio_blk_outhdr out_hdr;
	void *data;
	u32 length;
	unsigned int queue; /* on which it goes, from 0 */
	u8 status;	    /* the device's verdict */
	u32 written;
	volatile bool done;
	struct virtblk_req *next; /* the driver's */
};

/* The driver itself, to be unregistered and registered again. */
struct virtio_driver *virtblk_driver(void);

/* The `n`th block device that has a driver, NULL if there are not so many. */
struct virtio_blk *virtblk_get(unsigned int n);

struct virtio_device *virtblk_vdev(const struct virtio_blk *vblk);
u64 virtblk_capacity(const struct virtio_blk *vblk); /* sectors */
bool virtblk_read_only(const struct virtio_blk *vblk);
unsigned int virtblk_queues(const struct virtio_blk *vblk);
/* Interrupts that brought completions since the driver was bound. */
unsigned int virtblk_interrupts(const struct virtio_blk *vblk);

/* Offers a request to the device without waiting, and without a kick if `more` follow at once. 0 or as virtqueue_add_sgs. */
int virtblk_submit(struct virtio_blk *vblk, struct virtblk_req *req, bool more);
/* Sleeps until it is done. 0, -EIO for a bad status, -ETIMEDOUT (the device is then reset). */
int virtblk_wait(struct virtio_blk *vblk, struct virtblk_req *req);

/* Whole requests, split where the device's segments are smaller. */
int virtblk_read(struct virtio_blk *vblk, u64 sector, void *buf, unsigned int sectors);
int virtblk_write(struct virtio_blk *vblk, u64 sector, const void *buf, unsigned int sectors);
/* Success without a word to a device that has no cache to flush. */
int virtblk_flush(struct virtio_blk *vblk);
/* Without the feature of each: -ENOTSUP. Split where the device takes fewer sectors at once. */
int virtblk_discard(struct virtio_blk *vblk, u64 sector, u32 sectors);
int virtblk_write_zeroes(struct virtio_blk *vblk, u64 sector, u32 sectors, bool unmap);
int virtblk_secure_erase(struct virtio_blk *vblk, u64 sector, u32 sectors);
int virtblk_get_lifetime(struct virtio_blk *vblk, struct virtio_blk_lifetime *lifetime);
/* CONFIG_WCE: whether writes may complete before they are stable. */
int virtblk_set_writeback(struct virtio_blk *vblk, bool writeback);
bool virtblk_writeback(const struct virtio_blk *vblk);
/* Serial number, padded with zeros: not a string if all bytes are used. */
int virtblk_get_id(struct virtio_blk *vblk, char id[VIRTIO_BLK_ID_BYTES]);

#endif
