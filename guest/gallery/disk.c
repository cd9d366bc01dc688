/* The disk driver at work: two requests in flight, a few more than the ring has entries, a flush, and removal. */
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_mmio.h"

#define ROUNDS 4

static u8 sectors[2][SECTOR_SIZE], copy[SECTOR_SIZE];

/* Writes two sectors at once, and waits for both. */
static int write_two(struct virtio_blk *disk, u8 value)
{
	struct virtblk_req req[2] = { 0 };
	int err = 0;

	for (unsigned int i = 0; i < 2 && err == 0; i++) {
		memset(sectors[i], value + i, SECTOR_SIZE);
		req[i].out_hdr.type = VIRTIO_BLK_T_OUT;
		req[i].out_hdr.sector = i;
		req[i].data = sectors[i];
		req[i].length = SECTOR_SIZE;
		err = virtblk_submit(disk, &req[i], i == 0);
	}
	for (unsigned int i = 0; i < 2 && err == 0; i++)
		err = virtblk_wait(disk, &req[i]);
	return err;
}

/* Reads a sector and compares it with what was written, if it was. */
static int read_back(struct virtio_blk *disk, unsigned int sector)
{
	int err = virtblk_read(disk, sector, copy, 1);

	if (err == 0 && !virtblk_read_only(disk) && memcmp(copy, sectors[sector], SECTOR_SIZE) != 0)
		return -EIO;
	return err;
}

int main(void)
{
	struct virtio_blk *disk;
	int err = 0;

	virtio_deny_features(DENIED_FEATURES);
	virtio_bus_init();
	virtio_mmio_init();
	disk = virtblk_get(0);
	if (disk == NULL) {
		printf("no disk\n");
		return 1;
	}
	for (u8 round = 0; round < ROUNDS && err == 0; round++) {
		if (!virtblk_read_only(disk))
			err = write_two(disk, round);
		for (unsigned int i = 0; i < 2 && err == 0; i++)
			err = read_back(disk, i);
	}
	if (err == 0)
		err = virtblk_flush(disk);
	unregister_virtio_driver(virtblk_driver());
	if (err != 0)
		printf("the disk does not work: error %d\n", err);
	return err == 0 ? 0 : 1;
}
