/* The console driver at work: output, whatever input there is, and removal. */
#include "../lib/lib.h"
#include "../virtio/virtio_console.h"
#include "../virtio/virtio_mmio.h"

#define LINES 4
#define INPUT_US 1000

int main(void)
{
	static const char line[] = "a line by way of the driver\n";

	virtio_deny_features(DENIED_FEATURES);
	virtio_bus_init();
	virtio_mmio_init();
	if (virtcons_vdev() == NULL) {
		printf("no console\n");
		return 1;
	}
	for (unsigned int i = 0; i < LINES; i++)
		virtcons_write(line, sizeof(line) - 1);
	while (virtcons_getc(INPUT_US) >= 0)
		;
	unregister_virtio_driver(virtcons_driver());
	return 0;
}
