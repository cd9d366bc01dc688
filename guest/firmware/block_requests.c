/* Every request that a block device may offer beside reading and writing, each with what it must not touch. */
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_mmio.h"

#define SECTORS 24
#define FIRST 8
#define COUNT 8

static u8 saved[SECTORS * SECTOR_SIZE], wrote[SECTORS * SECTOR_SIZE], read_back[SECTORS * SECTOR_SIZE];

/* Writes a pattern everywhere, and reads back after `what` was done to COUNT sectors from FIRST. */
static int prepare(struct virtio_blk *vblk, u8 seed)
{
	for (unsigned int i = 0; i < sizeof(wrote); i++)
		wrote[i] = (u8)(seed + i * 7 + (i >> 9));
	CHECK(virtblk_write(vblk, 0, wrote, SECTORS) == 0);
	return 0;
}

static int neighbours(struct virtio_blk *vblk)
{
	CHECK(virtblk_read(vblk, 0, read_back, SECTORS) == 0);
	CHECK(memcmp(read_back, wrote, FIRST * SECTOR_SIZE) == 0);
	CHECK(memcmp(read_back + (FIRST + COUNT) * SECTOR_SIZE, wrote + (FIRST + COUNT) * SECTOR_SIZE,
		     (SECTORS - FIRST - COUNT) * SECTOR_SIZE) == 0);
	return 0;
}

static int zeroes(struct virtio_blk *vblk, bool unmap)
{
	if (prepare(vblk, unmap))
		return 1;
	CHECK(virtblk_write_zeroes(vblk, FIRST, COUNT, unmap) == 0);
	if (neighbours(vblk))
		return 1;
	for (unsigned int i = FIRST * SECTOR_SIZE; i < (FIRST + COUNT) * SECTOR_SIZE; i++)
		CHECK(read_back[i] == 0);
	printf("  WRITE_ZEROES %u sectors%s: zeroes, and only there\n", COUNT, unmap ? " with UNMAP" : "");
	return 0;
}

/* What they held is undefined afterwards; beside them nothing changes. */
static int gone(struct virtio_blk *vblk, const char *name, int (*request)(struct virtio_blk *, u64, u32))
{
	if (prepare(vblk, name[0]))
		return 1;
	CHECK(request(vblk, FIRST, COUNT) == 0);
	if (neighbours(vblk))
		return 1;
	/* And they can be written again. */
	CHECK(virtblk_write(vblk, FIRST, wrote + FIRST * SECTOR_SIZE, COUNT) == 0);
	CHECK(virtblk_read(vblk, 0, read_back, SECTORS) == 0 && memcmp(read_back, wrote, sizeof(wrote)) == 0);
	printf("  %s %u sectors: only there\n", name, COUNT);
	return 0;
}

static int cache(struct virtio_blk *vblk)
{
	bool before = virtblk_writeback(vblk);

	CHECK(virtblk_set_writeback(vblk, false) == 0 && !virtblk_writeback(vblk));
	if (prepare(vblk, 1))
		return 1;
	CHECK(virtblk_set_writeback(vblk, true) == 0 && virtblk_writeback(vblk));
	if (prepare(vblk, 2))
		return 1;
	CHECK(virtblk_flush(vblk) == 0 && virtblk_set_writeback(vblk, before) == 0);
	printf("  CONFIG_WCE: writethrough and writeback\n");
	return 0;
}

static int lifetime(struct virtio_blk *vblk)
{
	struct virtio_blk_lifetime life = { 0xffff, 0xffff, 0xffff };

	CHECK(virtblk_get_lifetime(vblk, &life) == 0);
	CHECK(life.pre_eol_info <= 3 && life.device_lifetime_est_typ_a <= 0xb && life.device_lifetime_est_typ_b <= 0xb);
	printf("  GET_LIFETIME: pre-EOL %u, used %u and %u\n", life.pre_eol_info, life.device_lifetime_est_typ_a,
	       life.device_lifetime_est_typ_b);
	return 0;
}

static int all(struct virtio_blk *vblk)
{
	struct virtio_device *vdev = virtblk_vdev(vblk);

	CHECK(virtblk_flush(vblk) == 0);
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_FLUSH))
		printf("  FLUSH\n");
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_CONFIG_WCE) && cache(vblk))
		return 1;
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_WRITE_ZEROES) && (zeroes(vblk, false) || zeroes(vblk, true)))
		return 1;
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_DISCARD) && gone(vblk, "DISCARD", virtblk_discard))
		return 1;
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_SECURE_ERASE) && gone(vblk, "SECURE_ERASE", virtblk_secure_erase))
		return 1;
	if (virtio_has_feature(vdev, VIRTIO_BLK_F_LIFETIME) && lifetime(vblk))
		return 1;
	return 0;
}

/* Without the features the driver does not ask. */
static int none(struct virtio_blk *vblk)
{
	struct virtio_blk_lifetime life;

	CHECK(virtblk_discard(vblk, 0, 1) == -ENOTSUP && virtblk_write_zeroes(vblk, 0, 1, false) == -ENOTSUP);
	CHECK(virtblk_secure_erase(vblk, 0, 1) == -ENOTSUP && virtblk_get_lifetime(vblk, &life) == -ENOTSUP);
	CHECK(virtblk_set_writeback(vblk, true) == -ENOTSUP && virtblk_flush(vblk) == 0);
	printf("  none of them accepted, none asked for\n");
	return 0;
}

static struct virtio_blk *begin(u64 denied)
{
	unregister_virtio_driver(virtblk_driver());
	virtio_deny_features(denied);
	return register_virtio_driver(virtblk_driver()) == 0 ? virtblk_get(0) : NULL;
}

int main(void)
{
	struct virtio_blk *vblk;

	printf("block_requests: RV%d\n", __riscv_xlen);
	virtio_bus_init();
	virtio_mmio_init();
	vblk = virtblk_get(0);
	if (vblk == NULL || virtblk_read_only(vblk) || virtblk_capacity(vblk) < SECTORS) {
		printf("block_requests: needs a writable disk of %u sectors\n", SECTORS);
		return 1;
	}
	printf("block_requests: ");
	virtio_print_features(virtblk_vdev(vblk));
	CHECK(virtblk_read(vblk, 0, saved, SECTORS) == 0);
	if (all(vblk))
		return 1;
	vblk = begin(BIT_ULL(VIRTIO_BLK_F_FLUSH) | BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE) | BIT_ULL(VIRTIO_BLK_F_DISCARD) |
		     BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES) | BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE) |
		     BIT_ULL(VIRTIO_BLK_F_LIFETIME));
	CHECK(vblk != NULL);
	if (none(vblk))
		return 1;
	vblk = begin(0);
	CHECK(vblk != NULL && virtblk_write(vblk, 0, saved, SECTORS) == 0 && virtblk_flush(vblk) == 0);
	return 0;
}
