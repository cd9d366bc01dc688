/* Reads the whole first disk several times, a mebibyte a request, some requests in flight. */
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_mmio.h"

#define ROUNDS 16
#define DEPTH 4

/* Sectors of a request. */
static u32 most = 2048;

static struct virtblk_req reqs[DEPTH];
static u8 *buffers[DEPTH];
static u64 bytes;

/* What no disk of this bench holds: a request that left it there read nothing. */
#define POISON 0xa5a5a5a5a5a5a5a5ull

static u64 *end_of(unsigned int slot)
{
	return (u64 *)(buffers[slot] + reqs[slot].length - sizeof(u64));
}

static int finish(struct virtio_blk *vblk, unsigned int slot)
{
	if (reqs[slot].length == 0)
		return 0;
	CHECK(virtblk_wait(vblk, &reqs[slot]) == 0);
	CHECK(reqs[slot].written == reqs[slot].length + 1);
	CHECK(*(u64 *)buffers[slot] != POISON && *end_of(slot) != POISON);
	bytes += reqs[slot].length;
	reqs[slot].length = 0;
	return 0;
}

static int read_all(struct virtio_blk *vblk)
{
	u64 capacity = virtblk_capacity(vblk);
	unsigned int slot = 0;

	for (u64 sector = 0; sector < capacity; slot = (slot + 1) % DEPTH) {
		u64 left = capacity - sector;
		u32 now = left < most ? (u32)left : most;
		unsigned long saved;
		int err;

		if (finish(vblk, slot) != 0)
			return 1;
		reqs[slot] = (struct virtblk_req){
			.out_hdr = { .type = VIRTIO_BLK_T_IN, .sector = sector },
			.data = buffers[slot],
			.length = now * SECTOR_SIZE,
		};
		*(u64 *)buffers[slot] = *end_of(slot) = POISON;
		/* The callback takes from the same queue. */
		saved = irq_save();
		err = virtblk_submit(vblk, &reqs[slot], false);
		irq_restore(saved);
		CHECK(err == 0);
		sector += now;
	}
	for (slot = 0; slot < DEPTH; slot++)
		if (finish(vblk, slot) != 0)
			return 1;
	return 0;
}

int main(void)
{
	struct virtio_blk *vblk;

	virtio_bus_init();
	virtio_mmio_init();
	vblk = virtblk_get(0);
	CHECK(vblk != NULL);
	if (virtblk_capacity(vblk) < most)
		most = (u32)virtblk_capacity(vblk);
	for (unsigned int slot = 0; slot < DEPTH; slot++) {
		buffers[slot] = alloc_pages_exact(most * SECTOR_SIZE);
		CHECK(buffers[slot] != NULL);
	}
	for (unsigned int round = 0; round < ROUNDS; round++)
		if (read_all(vblk) != 0)
			return 1;
	printf("disk_read: %llu bytes\n", bytes);
	return 0;
}
