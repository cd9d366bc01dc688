/* Reading and writing the configuration space, with the width each field has (virtio 1.2 §2.5). */
#include "virtio.h"

u8 virtio_cread8(struct virtio_device *vdev, unsigned int offset)
{
	u8 value;

	vdev->config->get(vdev, offset, &value, sizeof(value));
	return value;
}

u16 virtio_cread16(struct virtio_device *vdev, unsigned int offset)
{
	u16 value;

	vdev->config->get(vdev, offset, &value, sizeof(value));
	return value;
}

u32 virtio_cread32(struct virtio_device *vdev, unsigned int offset)
{
	u32 value;

	vdev->config->get(vdev, offset, &value, sizeof(value));
	return value;
}

u64 virtio_cread64(struct virtio_device *vdev, unsigned int offset)
{
	u32 generation, before;
	u64 value;

	/* §2.5.1: more than 32 bits may change between two accesses. */
	before = vdev->config->generation(vdev);
	for (;;) {
		vdev->config->get(vdev, offset, &value, sizeof(value));
		generation = vdev->config->generation(vdev);
		if (generation == before)
			return value;
		before = generation;
	}
}

void virtio_cwrite8(struct virtio_device *vdev, unsigned int offset, u8 value)
{
	vdev->config->set(vdev, offset, &value, sizeof(value));
}

void virtio_cwrite16(struct virtio_device *vdev, unsigned int offset, u16 value)
{
	vdev->config->set(vdev, offset, &value, sizeof(value));
}

void virtio_cwrite32(struct virtio_device *vdev, unsigned int offset, u32 value)
{
	vdev->config->set(vdev, offset, &value, sizeof(value));
}
