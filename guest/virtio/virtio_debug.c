/* What was negotiated, in words. */
#include "virtio.h"
#include "../lib/printf.h"

static const struct {
	unsigned int bit;
	const char *name;
} transport_features[] = {
	{ VIRTIO_F_INDIRECT_DESC, "INDIRECT_DESC" },
	{ VIRTIO_F_EVENT_IDX, "EVENT_IDX" },
	{ VIRTIO_F_ACCESS_PLATFORM, "ACCESS_PLATFORM" },
	{ VIRTIO_F_IN_ORDER, "IN_ORDER" },
	{ VIRTIO_F_ORDER_PLATFORM, "ORDER_PLATFORM" },
	{ VIRTIO_F_NOTIFICATION_DATA, "NOTIFICATION_DATA" },
	{ VIRTIO_F_RING_RESET, "RING_RESET" },
	{ VIRTIO_F_SUSPEND, "SUSPEND" },
};

void virtio_print_features(const struct virtio_device *vdev)
{
	const char *separator = ": ";

	printf("%s, %s queue of %u", virtio_has_feature(vdev, VIRTIO_F_VERSION_1) ? "modern" : "legacy",
	       virtio_has_feature(vdev, VIRTIO_F_RING_PACKED) ? "packed" : "split", virtqueue_get_vring_size(vdev->vqs));
	for (unsigned int i = 0; i < ARRAY_SIZE(transport_features); i++) {
		if (!virtio_has_feature(vdev, transport_features[i].bit))
			continue;
		printf("%s%s", separator, transport_features[i].name);
		separator = ", ";
	}
	printf("\n");
}
