/* The console driver: one port, or with MULTIPORT as many as the device adds by messages on its control queues. */
#include "virtio_console_port.h"
#include "../lib/alloc.h"
#include "../lib/string.h"
#include "../lib/timer.h"
#include "../lib/trap.h"

#define CONTROL_BUFFERS 4
#define TIMEOUT_US 1000000

/* §5.3.4 */
struct virtio_console_config {
	le16 cols;
	le16 rows;
	le32 max_nr_ports;
	le32 emerg_wr;
};

struct ports_device {
	struct virtio_device *vdev;
	struct virtqueue *c_ivq, *c_ovq; /* NULL without MULTIPORT */
	unsigned int nr_ports;
	struct port ports[VIRTCONS_PORTS_MAX];
	struct port *console;
	volatile bool console_ready;
	unsigned int resized;
};

static struct ports_device *portdev;

/* Port n has queues 2n and 2n+1, but for the control queues, which are 2 and 3 (§5.3.2). */
static unsigned int port_queue(u32 id)
{
	return id == 0 ? 0 : 2 * id + 2;
}

static struct port *find_port_by_vq(const struct virtqueue *vq)
{
	return &portdev->ports[vq->index < 2 ? 0 : (vq->index - 2) / 2];
}

static void set_console(struct port *port)
{
	portdev->console = port;
	portdev->console_ready = true;
}

/* ---- Control queues ------------------------------------------------------------------------------------------ */

static void send_control_msg(u32 id, u16 event, u16 value)
{
	struct virtio_console_control *message = kzalloc(sizeof(*message));
	struct scatterlist sg;
	unsigned long saved;

	if (message == NULL)
		return;
	*message = (struct virtio_console_control){ .id = id, .event = event, .value = value };
	sg_init_one(&sg, message, sizeof(*message));
	saved = irq_save();
	if (virtqueue_add_outbuf(portdev->c_ovq, &sg, 1, message, GFP_ATOMIC) != 0)
		kfree(message);
	else
		virtqueue_kick(portdev->c_ovq);
	irq_restore(saved);
}

static void add_control_buffer(struct control_buffer *buf)
{
	struct scatterlist sg;
	unsigned long saved = irq_save();

	sg_init_one(&sg, buf, sizeof(*buf));
	virtqueue_add_inbuf(portdev->c_ivq, &sg, 1, buf, GFP_ATOMIC);
	irq_restore(saved);
}

/* A port is there, for the first time or again after a restore. */
static void add_port(u32 id)
{
	struct port *port = &portdev->ports[id];

	if (!port->added) {
		port->added = true;
		port_fill_queue(port);
	}
	send_control_msg(id, VIRTIO_CONSOLE_PORT_READY, 1);
	port->ready = true;
	if (port->guest_connected)
		send_control_msg(id, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

/* Its queues stay with the device, which will not use them: the port may come back. */
static void unplug_port(struct port *port)
{
	port->added = port->ready = false;
	port->guest_connected = port->host_connected = false;
	port->name[0] = '\0';
	port_discard(port);
	if (portdev->console == port) {
		portdev->console = NULL;
		portdev->console_ready = false;
	}
}

static void handle_control_message(const struct control_buffer *buf, unsigned int len)
{
	const struct virtio_console_control *message = &buf->message;
	unsigned int more = len - sizeof(*message);
	struct virtio_console_resize resize;
	struct port *port;

	/* What is too short or names what cannot be is the device's mistake; there is nobody to tell. */
	if (len < sizeof(*message) || len > sizeof(*buf) || message->id >= portdev->nr_ports)
		return;
	port = &portdev->ports[message->id];
	if (message->event == VIRTIO_CONSOLE_PORT_ADD) {
		add_port(message->id);
		return;
	}
	if (!port->added)
		return;
	switch (message->event) {
	case VIRTIO_CONSOLE_PORT_REMOVE:
		unplug_port(port);
		break;
	case VIRTIO_CONSOLE_CONSOLE_PORT:
		port->is_console = message->value != 0;
		if (!port->is_console)
			break;
		port_open(port, true);
		if (portdev->console == NULL)
			set_console(port);
		break;
	case VIRTIO_CONSOLE_RESIZE:
		if (more < sizeof(resize))
			break;
		memcpy(&resize, buf->more, sizeof(resize));
		port->cols = resize.cols;
		port->rows = resize.rows;
		portdev->resized++;
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		port->host_connected = message->value != 0;
		break;
	case VIRTIO_CONSOLE_PORT_NAME:
		if (more > PORT_NAME_MAX - 1)
			more = PORT_NAME_MAX - 1;
		memcpy(port->name, buf->more, more);
		port->name[more] = '\0';
		break;
	}
}

/* Gives the device room for its messages, and asks which ports there are. */
static int start_control(void)
{
	for (unsigned int i = 0; i < CONTROL_BUFFERS && portdev->c_ivq->num_free > 0; i++) {
		struct control_buffer *buf = kzalloc(sizeof(*buf));

		if (buf == NULL)
			return -ENOMEM;
		add_control_buffer(buf);
	}
	virtqueue_kick(portdev->c_ivq);
	send_control_msg(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	return 0;
}

static void control_in_intr(struct virtqueue *vq)
{
	struct control_buffer *buf;
	unsigned int len;

	while ((buf = virtqueue_get_buf(vq, &len)) != NULL) {
		handle_control_message(buf, len);
		add_control_buffer(buf);
	}
	virtqueue_kick(vq);
}

static void control_out_intr(struct virtqueue *vq)
{
	struct virtio_console_control *message;
	unsigned int len;

	while ((message = virtqueue_get_buf(vq, &len)) != NULL)
		kfree(message);
}

void port_open(struct port *port, bool open)
{
	if (port->guest_connected == open)
		return;
	port->guest_connected = open;
	/* After a restore the device adds the port again, and hears then how it is: nothing before PORT_READY (§5.3.6.2). */
	if (port->ready)
		send_control_msg(port->id, VIRTIO_CONSOLE_PORT_OPEN, open);
}

struct port *virtcons_port(u32 id)
{
	return portdev != NULL && id < portdev->nr_ports && portdev->ports[id].added ? &portdev->ports[id] : NULL;
}

/* ---- The console --------------------------------------------------------------------------------------------- */

/* The console port; with MULTIPORT it may still be on its way. */
static struct port *console_port(void)
{
	if (portdev == NULL)
		return NULL;
	if (!portdev->console_ready)
		while (virtio_wait(portdev->vdev, &portdev->console_ready, TIMEOUT_US) == -EAGAIN)
			;
	return portdev->console;
}

void virtcons_write(const char *text, size_t length)
{
	struct port *port = console_port();

	if (port != NULL)
		port_write(port, text, length);
}

int virtcons_getc(u64 timeout_us)
{
	struct port *port = console_port();

	return port == NULL ? -1 : port_getc(port, timeout_us);
}

bool virtcons_emerg_write(char c)
{
	if (portdev == NULL || !virtio_has_feature(portdev->vdev, VIRTIO_CONSOLE_F_EMERG_WRITE))
		return false;
	virtio_cwrite32(portdev->vdev, offsetof(struct virtio_console_config, emerg_wr), (u8)c);
	return true;
}

struct virtio_device *virtcons_vdev(void)
{
	return portdev == NULL ? NULL : portdev->vdev;
}

bool virtcons_size(u16 *cols, u16 *rows)
{
	struct port *port = console_port();

	if (port != NULL && port->cols != 0) {
		*cols = port->cols;
		*rows = port->rows;
		return true;
	}
	if (portdev == NULL || !virtio_has_feature(portdev->vdev, VIRTIO_CONSOLE_F_SIZE))
		return false;
	virtio_cread(portdev->vdev, struct virtio_console_config, cols, cols);
	virtio_cread(portdev->vdev, struct virtio_console_config, rows, rows);
	return true;
}

unsigned int virtcons_resized(void)
{
	return portdev == NULL ? 0 : portdev->resized;
}

unsigned int virtcons_input_interrupts(void)
{
	return portdev == NULL || portdev->console == NULL ? 0 : portdev->console->input_interrupts;
}

unsigned int virtcons_output_interrupts(void)
{
	return portdev == NULL || portdev->console == NULL ? 0 : portdev->console->output_interrupts;
}

/* ---- Driver -------------------------------------------------------------------------------------------------- */

static void virtcons_config_changed(struct virtio_device *vdev)
{
	((struct ports_device *)vdev->priv)->resized++;
}

static void in_intr(struct virtqueue *vq)
{
	port_in_intr(find_port_by_vq(vq));
}

static void out_intr(struct virtqueue *vq)
{
	port_out_intr(find_port_by_vq(vq));
}

static bool multiport(void)
{
	return virtio_has_feature(portdev->vdev, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* Finds the queues and begins; the ports are as they were before. */
static int start(void)
{
	struct virtqueue_info info[2 * VIRTCONS_PORTS_MAX + 2];
	struct virtqueue *vqs[ARRAY_SIZE(info)];
	unsigned int count = multiport() ? 2 * portdev->nr_ports + 2 : 2;
	int err;

	for (unsigned int i = 0; i < count; i += 2) {
		bool control = i == 2;

		info[i] = (struct virtqueue_info){ .name = control ? "control-i" : "input",
						   .callback = control ? control_in_intr : in_intr };
		info[i + 1] = (struct virtqueue_info){ .name = control ? "control-o" : "output",
						       .callback = control ? control_out_intr : out_intr };
	}
	err = virtio_find_vqs(portdev->vdev, count, vqs, info);
	if (err != 0)
		return err;
	for (u32 id = 0; id < portdev->nr_ports; id++) {
		portdev->ports[id].in_vq = vqs[port_queue(id)];
		portdev->ports[id].out_vq = vqs[port_queue(id) + 1];
	}
	portdev->c_ivq = multiport() ? vqs[2] : NULL;
	portdev->c_ovq = multiport() ? vqs[3] : NULL;
	/* Before the queues are filled: notifying earlier is not allowed (§3.1.1). */
	virtio_device_ready(portdev->vdev);
	for (u32 id = 0; err == 0 && id < portdev->nr_ports; id++)
		if (portdev->ports[id].added)
			err = port_fill_queue(&portdev->ports[id]);
	return err == 0 && multiport() ? start_control() : err;
}

static void stop(void)
{
	void *buf;

	virtio_reset_device(portdev->vdev);
	for (u32 id = 0; id < portdev->nr_ports; id++) {
		portdev->ports[id].ready = false;
		port_detach_queue(&portdev->ports[id]);
	}
	if (portdev->c_ivq != NULL) {
		while ((buf = virtqueue_detach_unused_buf(portdev->c_ivq)) != NULL)
			kfree(buf);
		while ((buf = virtqueue_detach_unused_buf(portdev->c_ovq)) != NULL)
			kfree(buf);
	}
	portdev->vdev->config->del_vqs(portdev->vdev);
}

static void virtcons_remove(struct virtio_device *vdev)
{
	(void)vdev;
	stop();
	for (u32 id = 0; id < portdev->nr_ports; id++)
		port_discard(&portdev->ports[id]);
	kfree(portdev);
	portdev = NULL;
}

static int virtcons_probe(struct virtio_device *vdev)
{
	int err;

	if (portdev != NULL)
		return -EBUSY;
	portdev = kzalloc(sizeof(*portdev));
	if (portdev == NULL)
		return -ENOMEM;
	portdev->vdev = vdev;
	vdev->priv = portdev;
	portdev->nr_ports = 1;
	if (multiport())
		virtio_cread(vdev, struct virtio_console_config, max_nr_ports, &portdev->nr_ports);
	if (portdev->nr_ports == 0) {
		kfree(portdev);
		portdev = NULL;
		return -EINVAL;
	}
	if (portdev->nr_ports > VIRTCONS_PORTS_MAX)
		portdev->nr_ports = VIRTCONS_PORTS_MAX;
	for (u32 id = 0; id < portdev->nr_ports; id++) {
		portdev->ports[id].id = id;
		portdev->ports[id].received_end = &portdev->ports[id].received;
	}
	if (!multiport()) {
		/* One port, which needs no telling. */
		portdev->ports[0].added = portdev->ports[0].is_console = portdev->ports[0].host_connected = true;
		set_console(&portdev->ports[0]);
	}
	err = start();
	if (err != 0) {
		if (vdev->vqs != NULL)
			stop();
		kfree(portdev);
		portdev = NULL;
	}
	return err;
}

static int virtcons_freeze(struct virtio_device *vdev)
{
	(void)vdev;
	stop();
	return 0;
}

static int virtcons_restore(struct virtio_device *vdev)
{
	(void)vdev;
	return start();
}

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_CONSOLE, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

static const unsigned int features[] = {
	VIRTIO_CONSOLE_F_SIZE,
	VIRTIO_CONSOLE_F_MULTIPORT,
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
	.freeze = virtcons_freeze,
	.restore = virtcons_restore,
	.reset_prepare = virtcons_freeze,
};

module_virtio_driver(virtio_console);

struct virtio_driver *virtcons_driver(void)
{
	return &virtio_console;
}
