#include "course.h"
#include "../generated/virtio_mmio_regs.h"
#include "../lib/lib.h"

#define ATTEMPTS 8

/* Takes the drivers from devices that gave up; whether there were any. */
static bool take_drivers(const char *name)
{
	bool any = false;

	for (struct virtio_device *dev = virtio_next_device(NULL); dev != NULL; dev = virtio_next_device(dev)) {
		if (dev->driver == NULL || !(dev->config->get_status(dev) & VIRTIO_CONFIG_S_DEVICE_NEEDS_RESET))
			continue;
		printf("%s: %s gave up and is reset, once more from the start\n", name, dev->name);
		unregister_virtio_driver(dev->driver);
		any = true;
	}
	return any;
}

int run_course(const char *name, int (*course)(void))
{
	int status = course();

	for (unsigned int attempt = 1; status != 0 && attempt < ATTEMPTS && take_drivers(name); attempt++) {
		/* It may have ended in the middle of anything. */
		irq_enable();
		status = course();
	}
	return status;
}
