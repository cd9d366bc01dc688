#include "virtio_console_port.h"
#include "../lib/alloc.h"
#include "../lib/timer.h"
#include "../lib/trap.h"

#define TIMEOUT_US 5000000

/* ---- Input --------------------------------------------------------------------------------------------------- */

static int add_inbuf(struct port *port, struct port_buffer *buf)
{
	struct scatterlist sg;
	unsigned long saved = irq_save();
	int err;

	buf->offset = 0;
	buf->length = 0;
	sg_init_one(&sg, buf->text, sizeof(buf->text));
	err = virtqueue_add_inbuf(port->in_vq, &sg, 1, buf, GFP_ATOMIC);
	irq_restore(saved);
	return err;
}

void port_in_intr(struct port *port)
{
	struct port_buffer *buf;
	unsigned int len;

	port->input_interrupts++;
	while ((buf = virtqueue_get_buf(port->in_vq, &len)) != NULL) {
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
			/* No room after a restore made all buffers anew: this one is one too many. */
			if (add_inbuf(port, buf) != 0)
				kfree(buf);
			else
				virtqueue_kick(port->in_vq);
		}
	} else {
		port->arrived = false;
	}
	irq_restore(saved);
	return c;
}

int port_getc(struct port *port, u64 timeout_us)
{
	u64 end = timer_now() + timer_ticks(timeout_us);
	int c, err;

	while ((c = take(port)) < 0) {
		/* A device that gives back nothing but empty buffers is one that brings no input. */
		if (timer_now() >= end)
			return -1;
		err = port->arrived ? 1 : virtio_wait(port->in_vq->vdev, &port->arrived, timeout_us);
		if (err <= 0 && err != -EAGAIN)
			return -1;
	}
	return c;
}

/* ---- Output -------------------------------------------------------------------------------------------------- */

void port_out_intr(struct port *port)
{
	unsigned int len;

	port->output_interrupts++;
	while (virtqueue_get_buf(port->out_vq, &len) != NULL)
		port->written = true;
}

int port_write(struct port *port, const char *text, size_t length)
{
	struct scatterlist sg;
	int err;

	do {
		unsigned long saved = irq_save();

		port->written = false;
		sg_init_one(&sg, text, length);
		err = virtqueue_add_outbuf(port->out_vq, &sg, 1, port, GFP_ATOMIC);
		irq_restore(saved);
		if (err != 0)
			return err;
		virtqueue_kick(port->out_vq);
		/* The text is the caller's: it may not be left with the device. */
		err = virtio_wait(port->out_vq->vdev, &port->written, TIMEOUT_US);
	} while (err == -EAGAIN);
	if (err <= 0)
		panic("virtio_console: output not taken, error %d", err == 0 ? -ETIMEDOUT : err);
	return 0;
}

/* ---- Queues -------------------------------------------------------------------------------------------------- */

int port_fill_queue(struct port *port)
{
	for (unsigned int i = 0; i < PORT_IN_BUFFERS && port->in_vq->num_free > 0; i++) {
		struct port_buffer *buf = kzalloc(sizeof(*buf));

		if (buf == NULL)
			return -ENOMEM;
		add_inbuf(port, buf);
	}
	virtqueue_kick(port->in_vq);
	return 0;
}

void port_detach_queue(struct port *port)
{
	struct port_buffer *buf;

	while ((buf = virtqueue_detach_unused_buf(port->in_vq)) != NULL)
		kfree(buf);
}

static void recycle_input(struct virtqueue *vq, void *buf)
{
	(void)vq;
	kfree(buf);
}

/* The port itself stands for its output. */
static void recycle_output(struct virtqueue *vq, void *port)
{
	(void)vq;
	(void)port;
}

int port_reset_queues(struct port *port)
{
	unsigned long saved = irq_save();
	int err = virtqueue_reset(port->out_vq, recycle_output, NULL);

	if (err == 0)
		err = virtqueue_reset(port->in_vq, recycle_input, NULL);
	if (err == 0)
		err = port_fill_queue(port);
	irq_restore(saved);
	return err;
}

void port_discard(struct port *port)
{
	struct port_buffer *buf;

	while ((buf = port->received) != NULL) {
		port->received = buf->next;
		kfree(buf);
	}
	port->received_end = &port->received;
}

/* ---- Properties ---------------------------------------------------------------------------------------------- */

u32 port_id(const struct port *port)
{
	return port->id;
}

const char *port_name(const struct port *port)
{
	return port->name;
}

bool port_is_console(const struct port *port)
{
	return port->is_console;
}

bool port_host_connected(const struct port *port)
{
	return port->host_connected;
}
