/* Inside the console driver: a port's queues and the text in them, and control messages. Users have virtio_console.h. */
#ifndef VIRTIO_VIRTIO_CONSOLE_PORT_H
#define VIRTIO_VIRTIO_CONSOLE_PORT_H

#include "virtio_console.h"

#define PORT_IN_BUFFERS 8
#define PORT_BUFFER_BYTES 64
#define PORT_NAME_MAX 32

/* Received text; full ones wait in the order of their arrival. */
struct port_buffer {
	struct port_buffer *next;
	unsigned int length;
	unsigned int offset;
	char text[PORT_BUFFER_BYTES];
};

struct port {
	u32 id;
	bool added;		/* MULTIPORT: the device said that it is there */
	bool ready;		/* and this side that it is ready, since the last reset */
	bool is_console;	/* for people; else a channel for programs */
	bool host_connected;	/* somebody is at the other end */
	bool guest_connected;	/* somebody is at this end */
	char name[PORT_NAME_MAX]; /* "" without one */
	struct virtqueue *in_vq, *out_vq;
	struct port_buffer *received, **received_end;
	volatile bool arrived; /* input since somebody last looked */
	volatile bool written; /* the device took the output */
	unsigned int input_interrupts, output_interrupts;
	u16 cols, rows; /* as the device told of this port; 0: it has not */
};

/* §5.3.6.2 */
struct virtio_console_control {
	le32 id; /* of the port */
	le16 event;
	le16 value;
};

enum {
	VIRTIO_CONSOLE_DEVICE_READY,
	VIRTIO_CONSOLE_PORT_ADD,
	VIRTIO_CONSOLE_PORT_REMOVE,
	VIRTIO_CONSOLE_PORT_READY,
	VIRTIO_CONSOLE_CONSOLE_PORT,
	VIRTIO_CONSOLE_RESIZE,
	VIRTIO_CONSOLE_PORT_OPEN,
	VIRTIO_CONSOLE_PORT_NAME,
};

/* No port: in messages about the device. */
#define VIRTIO_CONSOLE_BAD_ID 0xffffffff

/* What follows RESIZE: in this order in Linux, and so in devices; the text of §5.3.6.2 has it the other way. */
struct virtio_console_resize {
	le16 rows;
	le16 cols;
};

/* A message with room for what may follow it. */
struct control_buffer {
	struct virtio_console_control message;
	char more[PORT_NAME_MAX];
};

/* Callbacks of a port's queues. */
void port_in_intr(struct port *port);
void port_out_intr(struct port *port);

/* Gives the device room for input: 0, or -ENOMEM with some room or none. */
int port_fill_queue(struct port *port);

/* After a reset: frees the room the device had. Text that was received stays. */
void port_detach_queue(struct port *port);
/* Frees received text. */
void port_discard(struct port *port);

#endif
