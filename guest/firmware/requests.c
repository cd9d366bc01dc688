#include "requests.h"

#define TIMEOUT_US 5000000

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
	return virtio_wait(device, &reached, TIMEOUT_US) == 1 && wrong == 0;
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

int request_add_all(struct request requests[], unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		CHECK(request_add(&requests[i], PIECES_MIN) == 0);
	virtqueue_kick(queue);
	return 0;
}

/* ---- The disk ------------------------------------------------------------------------------------------------ */

bool disk_begin(const char *name, u64 denied, int needed, int *status)
{
	callbacks = answers = wrong = 0;
	take_in_callback = true;
	*status = 0;
	if (!queue_begin(VIRTIO_ID_BLOCK, answered, denied)) {
		printf("%s: no disk\n", name);
		*status = 1;
		return false;
	}
	printf("%s: ", name);
	virtio_print_features(device);
	if (needed >= 0 && !virtio_has_feature(device, needed)) {
		printf("%s: not offered, nothing to see\n", name);
		queue_end();
		return false;
	}
	return true;
}
