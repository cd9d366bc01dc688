#include "virtio_console.h"
#include "../lib/alloc.h"
#include "../lib/timer.h"
#include "../lib/trap.h"

#define IN_BUFFERS 8
#define IN_BUFFER_BYTES 64
#define TIMEOUT_US 5000000

/* §5.3.4 */
struct virtio_console_config {
	le16 cols;
	le16 rows;
	le32 max_nr_ports;
	le32 emerg_wr;
};

/* Received text; full ones wait in the order of their arrival. */
struct port_buffer {
	struct port_buffer *next;
	unsigned int length;
	unsigned int offset;
	char text[IN_BUFFER_BYTES];
};

struct port {
	struct virtio_device *vdev;
	struct virtqueue *in_vq, *out_vq;
	struct port_buffer *received, **received_end;
	volatile bool arrived; /* input since somebody last looked */
	volatile bool written; /* the device took the output */
	unsigned int input_interrupts, output_interrupts;
	unsigned int resized;
};

static struct port *console;

/* ---- Input --------------------------------------------------------------------------------------------------- */

static int add_inbuf(struct port *port, struct port_buffer *buf)
{
	struct scatterlist sg;

	buf->offset = 0;
	buf->length = 0;
	sg_init_one(&sg, buf->text, sizeof(buf->text));
	return virtqueue_add_inbuf(port->in_vq, &sg, 1, buf, GFP_ATOMIC);
}

static void in_intr(struct virtqueue *vq)
{
	struct port *port = vq->vdev->priv;
	struct port_buffer *buf;
	unsigned int len;

	port->input_interrupts++;
	while ((buf = virtqueue_get_buf(vq, &len)) != NULL) {
		/* A device may lie about what it wrote; it cannot have written more than there was room. */
		buf->length = len < sizeof(buf->text) ? len : sizeof(buf->text);
		buf->next = NULL;
		*port->received_end = buf;
		port->received_end = &buf->next;
		port->arrived = true;
	}
}

/* Next byte at hand, or -1. An empty buffer goes back to the device. */
static int take(struct port *port)
{
	unsigned long saved = irq_save();
	struct port_buffer *buf = port->received;
	int c = -1;

	if (buf != NULL) {
		if (buf->offset < buf->length)
			c = (u8)buf->text[buf->offset++];
		if (buf->offset == buf->length) {
			port->received = buf->next;
			if (port->received == NULL)
				port->received_end = &port->received;
			add_inbuf(port, buf);
			virtqueue_kick(port->in_vq);
		}
	} else {
		port->arrived = false;
	}
	irq_restore(saved);
	return c;
}

int virtcons_getc(u64 timeout_us)
{
	struct port *port = console;
	int c;

	if (port == NULL)
		return -1;
	while ((c = take(port)) < 0)
		if (!port->arrived && !wait_flag(&port->arrived, timeout_us))
			return -1;
	return c;
}

/* ---- Output -------------------------------------------------------------------------------------------------- */

static void out_intr(struct virtqueue *vq)
{
	struct port *port = vq->vdev->priv;
	unsigned int len;

	port->output_interrupts++;
	while (virtqueue_get_buf(vq, &len) != NULL)
		port->written = true;
}

void virtcons_write(const char *text, size_t length)
{
	struct port *port = console;
	struct scatterlist sg;

	if (port == NULL)
		return;
	port->written = false;
	sg_init_one(&sg, text, length);
	if (virtqueue_add_outbuf(port->out_vq, &sg, 1, port, GFP_ATOMIC) != 0)
		return;
	virtqueue_kick(port->out_vq);
	/* The text is the caller's: it may not be left with the device. */
	if (!wait_flag(&port->written, TIMEOUT_US))
		panic("virtio_console: output not taken");
}

bool virtcons_emerg_write(char c)
{
	if (console == NULL || !virtio_has_feature(console->vdev, VIRTIO_CONSOLE_F_EMERG_WRITE))
		return false;
	virtio_cwrite32(console->vdev, offsetof(struct virtio_console_config, emerg_wr), (u8)c);
	return true;
}

/* ---- Properties ---------------------------------------------------------------------------------------------- */

struct virtio_device *virtcons_vdev(void)
{
	return console == NULL ? NULL : console->vdev;
}

bool virtcons_size(u16 *cols, u16 *rows)
{
	if (console == NULL || !virtio_has_feature(console->vdev, VIRTIO_CONSOLE_F_SIZE))
		return false;
	virtio_cread(console->vdev, struct virtio_console_config, cols, cols);
	virtio_cread(console->vdev, struct virtio_console_config, rows, rows);
	return true;
}

unsigned int virtcons_resized(void)
{
	return console == NULL ? 0 : console->resized;
}

unsigned int virtcons_input_interrupts(void)
{
	return console == NULL ? 0 : console->input_interrupts;
}

unsigned int virtcons_output_interrupts(void)
{
	return console == NULL ? 0 : console->output_interrupts;
}

/* ---- Driver -------------------------------------------------------------------------------------------------- */

static void virtcons_config_changed(struct virtio_device *vdev)
{
	((struct port *)vdev->priv)->resized++;
}

/* Gives the device room for input. */
static int fill_queue(struct port *port)
{
	for (unsigned int i = 0; i < IN_BUFFERS && port->in_vq->num_free > 0; i++) {
		struct port_buffer *buf = kzalloc(sizeof(*buf));

		if (buf == NULL)
			return -ENOMEM;
		add_inbuf(port, buf);
	}
	virtqueue_kick(port->in_vq);
	return 0;
}

static void virtcons_remove(struct virtio_device *vdev)
{
	struct port *port = vdev->priv;
	struct port_buffer *buf;

	console = NULL;
	virtio_reset_device(vdev);
	while ((buf = virtqueue_detach_unused_buf(port->in_vq)) != NULL)
		kfree(buf);
	while ((buf = port->received) != NULL) {
		port->received = buf->next;
		kfree(buf);
	}
	vdev->config->del_vqs(vdev);
	kfree(port);
}

static int virtcons_probe(struct virtio_device *vdev)
{
	static const struct virtqueue_info info[] = {
		{ .name = "input", .callback = in_intr },
		{ .name = "output", .callback = out_intr },
	};
	struct virtqueue *vqs[ARRAY_SIZE(info)];
	struct port *port;
	int err;

	if (console != NULL)
		return -EBUSY;
	port = kzalloc(sizeof(*port));
	if (port == NULL)
		return -ENOMEM;
	port->vdev = vdev;
	port->received_end = &port->received;
	vdev->priv = port;
	err = virtio_find_vqs(vdev, ARRAY_SIZE(info), vqs, info);
	if (err != 0) {
		kfree(port);
		return err;
	}
	port->in_vq = vqs[0];
	port->out_vq = vqs[1];
	console = port;
	/* Before the queues are filled: notifying earlier is not allowed (§3.1.1). */
	virtio_device_ready(vdev);
	err = fill_queue(port);
	if (err != 0)
		virtcons_remove(vdev);
	return err;
}

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_CONSOLE, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

/* MULTIPORT is left alone: without it the first port works by itself. */
static const unsigned int features[] = {
	VIRTIO_CONSOLE_F_SIZE,
	VIRTIO_CONSOLE_F_EMERG_WRITE,
};

static struct virtio_driver virtio_console = {
	.driver.name = "virtio_console",
	.id_table = id_table,
	.feature_table = features,
	.feature_table_size = ARRAY_SIZE(features),
	.probe = virtcons_probe,
	.remove = virtcons_remove,
	.config_changed = virtcons_config_changed,
};

module_virtio_driver(virtio_console);

struct virtio_driver *virtcons_driver(void)
{
	return &virtio_console;
}
