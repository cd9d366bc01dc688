/* Reads blocks of 4 KiB from all over the first disk, some requests in flight. */
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_mmio.h"
#include "bench.h"

#define DEPTH 8
#define BLOCK_BYTES 4096u
#define BLOCK_SECTORS (BLOCK_BYTES / SECTOR_SIZE)
/* Reads of every block, on average. */
#define ROUNDS 4

static struct virtblk_req reqs[DEPTH];
static u8 buffers[DEPTH][BLOCK_BYTES] __attribute__((aligned(4096)));

int main(void)
{
	struct virtio_blk *vblk;
	u32 state = 1, reads, blocks;

	virtio_bus_init();
	virtio_mmio_init();
	vblk = virtblk_get(0);
	CHECK(vblk != NULL && virtblk_capacity(vblk) >= BLOCK_SECTORS);
	blocks = (u32)(virtblk_capacity(vblk) / BLOCK_SECTORS);
	reads = blocks * ROUNDS;
	for (u32 i = 0; i < reads + DEPTH; i++) {
		struct virtblk_req *req = &reqs[i % DEPTH];
		unsigned long saved;
		int err;

		if (i >= DEPTH) {
			CHECK(virtblk_wait(vblk, req) == 0);
			CHECK(req->written == BLOCK_BYTES + 1);
		}
		if (i >= reads)
			continue;
		*req = (struct virtblk_req){
			.out_hdr = {
				.type = VIRTIO_BLK_T_IN,
				.sector = (u64)(next_random(&state) % blocks) * BLOCK_SECTORS,
			},
			.data = buffers[i % DEPTH],
			.length = BLOCK_BYTES,
		};
		/* The callback takes from the same queue. */
		saved = irq_save();
		err = virtblk_submit(vblk, req, false);
		irq_restore(saved);
		CHECK(err == 0);
	}
	printf("disk_random: %u reads\n", reads);
	return 0;
}
