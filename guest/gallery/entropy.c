/* The entropy driver at work: more requests than the ring has entries, and removal. */
#include "../lib/lib.h"
#include "../virtio/virtio_mmio.h"
#include "../virtio/virtio_rng.h"

#define ROUNDS 12

static u8 bytes[32];

int main(void)
{
	int got = 1;

	virtio_deny_features(DENIED_FEATURES);
	virtio_bus_init();
	virtio_mmio_init();
	for (unsigned int i = 0; i < ROUNDS && got > 0; i++)
		got = virtrng_read(bytes, sizeof(bytes));
	unregister_virtio_driver(virtrng_driver());
	if (got <= 0)
		printf("no entropy: error %d\n", got);
	return got > 0 ? 0 : 1;
}
