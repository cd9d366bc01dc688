/* Writes half as many bytes as there is RAM to the virtio console, 4 KiB at a time, in lines of 64. */
#include "../lib/lib.h"
#include "../virtio/virtio_console.h"
#include "../virtio/virtio_mmio.h"

#define CHUNK 4096u
#define LINE 64u

static char text[CHUNK];

int main(void)
{
	u64 bytes = platform.memory_size / 2;

	virtio_bus_init();
	virtio_mmio_init();
	CHECK(virtcons_vdev() != NULL);
	for (unsigned int i = 0; i < CHUNK; i++)
		text[i] = i % LINE == LINE - 1 ? '\n' : (char)('!' + i % 90);
	for (u64 done = 0; done < bytes; done += CHUNK)
		virtcons_write(text, CHUNK);
	printf("console_write: %llu bytes\n", bytes);
	return 0;
}
