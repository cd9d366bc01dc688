#include "requests.h"
#include "../virtio/virtio_mmio.h"

#define TIMEOUT_US 5000000

struct virtio_device *disk;
struct virtqueue *queue;
volatile unsigned int callbacks, answers, wrong;
volatile bool take_in_callback;

static volatile unsigned int awaited;
static volatile bool reached;
static char serial[VIRTIO_BLK_ID_BYTES];

/* The serial number is the same each time, and not empty. */
static bool right(const struct request *request)
{
	if (answers == 0)
		memcpy(serial, request->id, sizeof(serial));
	return request->status == VIRTIO_BLK_S_OK && request->written == sizeof(serial) + 1 && serial[0] != '\0' &&
	       memcmp(request->id, serial, sizeof(serial)) == 0;
}

unsigned int take_answers(void)
{
	struct request *request;
	unsigned int len, taken = 0;

	while ((request = virtqueue_get_buf(queue, &len)) != NULL) {
		request->written = len;
		if (request->hdr.type == VIRTIO_BLK_T_GET_ID && !right(request))
			wrong++;
		request->order = ++answers;
		taken++;
	}
	if (answers >= awaited)
		reached = true;
	return taken;
}

static void answered(struct virtqueue *vq)
{
	(void)vq;
	callbacks++;
	if (take_in_callback)
		take_answers();
}

bool wait_answers(unsigned int count)
{
	unsigned long saved = irq_save();

	awaited = count;
	reached = answers >= count;
	irq_restore(saved);
	return wait_flag(&reached, TIMEOUT_US) && wrong == 0;
}

bool wait_used(unsigned int last_used_idx)
{
	u64 end = timer_now() + timer_ticks(TIMEOUT_US);

	while (!virtqueue_poll(queue, last_used_idx))
		if (timer_now() >= end)
			return false;
	return true;
}

int request_add(struct request *request, unsigned int pieces)
{
	struct scatterlist out, in[PIECES_MAX - 1], *sgs[] = { &out, in };
	unsigned int data = pieces - 2, offset = 0;
	unsigned long saved;
	int err;

	*request = (struct request){ .hdr.type = VIRTIO_BLK_T_GET_ID, .status = 0xff };
	sg_init_one(&out, &request->hdr, sizeof(request->hdr));
	sg_init_table(in, data + 1);
	for (unsigned int i = 0; i < data; i++) {
		unsigned int end = (i + 1) * sizeof(request->id) / data;

		sg_set_buf(&in[i], request->id + offset, end - offset);
		offset = end;
	}
	sg_set_buf(&in[data], &request->status, sizeof(request->status));
	saved = irq_save();
	err = virtqueue_add_sgs(queue, sgs, 1, 1, request, GFP_ATOMIC);
	irq_restore(saved);
	return err;
}

/* ---- Driver -------------------------------------------------------------------------------------------------- */

static int probe(struct virtio_device *vdev)
{
	if (disk != NULL)
		return -EBUSY;
	disk = vdev;
	queue = virtio_find_single_vq(vdev, answered, "requests");
	return queue == NULL ? -ENOENT : 0;
}

static void remove(struct virtio_device *vdev)
{
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	disk = NULL;
	queue = NULL;
}

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_BLOCK, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

static struct virtio_driver requests = {
	.driver.name = "requests",
	.id_table = id_table,
	.probe = probe,
	.remove = remove,
};

bool disk_begin(const char *name, u64 denied, int needed, int *status)
{
	if (virtio_next_device(NULL) == NULL)
		virtio_mmio_init();
	virtio_deny_features(denied);
	callbacks = answers = wrong = 0;
	take_in_callback = true;
	*status = register_virtio_driver(&requests);
	if (disk == NULL) {
		printf("%s: no disk\n", name);
		*status = 1;
		return false;
	}
	printf("%s: ", name);
	virtio_print_features(disk);
	if (needed >= 0 && !virtio_has_feature(disk, needed)) {
		printf("%s: not offered, nothing to see\n", name);
		disk_end();
		return false;
	}
	return true;
}

void disk_end(void)
{
	unregister_virtio_driver(&requests);
}
