/*
 * Requests a driver must not make, and what the device says to them: beyond the end, and of no known type (virtio 1.2
 * §5.2.6). Each breaks a rule on purpose; the device must answer, and go on working.
 */
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_mmio.h"

static u8 bytes[2 * SECTOR_SIZE];

static const char *verdict(int status)
{
	static const char *const names[] = { "OK", "IOERR", "UNSUPP" };

	return status >= 0 && (unsigned int)status < ARRAY_SIZE(names) ? names[status] : "no answer";
}

static int expect(struct virtio_blk *vblk, const char *what, u32 type, u64 sector, u32 length, int expected)
{
	struct virtblk_req req = {
		.out_hdr = { .type = type, .sector = sector },
		.data = bytes,
		.length = length,
	};
	int status;

	CHECK(virtblk_submit(vblk, &req, false) == 0);
	CHECK(virtblk_wait(vblk, &req) != -ETIMEDOUT);
	status = req.status;
	printf("block_errors: %-28s %s\n", what, verdict(status));
	CHECK(status == expected);
	return 0;
}

int main(void)
{
	struct virtio_blk *vblk;
	u64 end;

	printf("block_errors: RV%d\n", __riscv_xlen);
	virtio_bus_init();
	virtio_mmio_init();
	vblk = virtblk_get(0);
	if (vblk == NULL) {
		printf("block_errors: needs a disk\n");
		return 1;
	}
	end = virtblk_capacity(vblk);
	return expect(vblk, "read at the end", VIRTIO_BLK_T_IN, end, SECTOR_SIZE, VIRTIO_BLK_S_IOERR) ||
	       expect(vblk, "read across the end", VIRTIO_BLK_T_IN, end - 1, 2 * SECTOR_SIZE, VIRTIO_BLK_S_IOERR) ||
	       expect(vblk, "write at the end", VIRTIO_BLK_T_OUT, end, SECTOR_SIZE, VIRTIO_BLK_S_IOERR) ||
	       expect(vblk, "read at sector 2^63", VIRTIO_BLK_T_IN, 1ull << 63, SECTOR_SIZE, VIRTIO_BLK_S_IOERR) ||
	       expect(vblk, "request of an unknown type", 0x5eed, 0, SECTOR_SIZE, VIRTIO_BLK_S_UNSUPP) ||
	       expect(vblk, "read of the last sector", VIRTIO_BLK_T_IN, end - 1, SECTOR_SIZE, VIRTIO_BLK_S_OK);
}
