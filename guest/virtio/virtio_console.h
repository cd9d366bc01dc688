/* The console device (virtio 1.2 §5.3): its console, and with MULTIPORT all its ports. */
#ifndef VIRTIO_VIRTIO_CONSOLE_H
#define VIRTIO_VIRTIO_CONSOLE_H

#include "virtio.h"

/* Most ports the driver takes (MULTIPORT). */
#define VIRTCONS_PORTS_MAX 8

/* The driver itself, to be unregistered and registered again. */
struct virtio_driver *virtcons_driver(void);

/* The console's device, NULL while there is none. */
struct virtio_device *virtcons_vdev(void);

/* ---- The console: the first port, with MULTIPORT the first that the device calls a console --------------------- */

/* Writes and waits until the device took it; console_set() accepts it. Text is lost if there is no console. */
void virtcons_write(const char *text, size_t length);

/* Next byte received, waiting so long at most: -1 if none came. */
int virtcons_getc(u64 timeout_us);

/* Columns and rows; false where the device does not say. */
bool virtcons_size(u16 *cols, u16 *rows);
/* How often the size changed since the driver was bound. */
unsigned int virtcons_resized(void);

/* Writes one byte without any queue (EMERG_WRITE); false where the device cannot. */
bool virtcons_emerg_write(char c);

/* Interrupts that brought input, and that brought finished output. */
unsigned int virtcons_input_interrupts(void);
unsigned int virtcons_output_interrupts(void);

/* ---- Ports (MULTIPORT) --------------------------------------------------------------------------------------- */

struct port;

/* Port `id`; NULL while the device has not added it. Ports come by interrupt, some time after the driver is bound. */
struct port *virtcons_port(u32 id);

u32 port_id(const struct port *port);
/* "" where the device gave none. */
const char *port_name(const struct port *port);
bool port_is_console(const struct port *port);
/* Whether somebody is at the other end. */
bool port_host_connected(const struct port *port);
/* Tells the device that somebody is at this end, or no more. A console is open from the start. */
void port_open(struct port *port, bool open);
/* As virtcons_write() and virtcons_getc() on one port; 0 or as virtqueue_add_outbuf(). */
int port_write(struct port *port, const char *text, size_t length);
int port_getc(struct port *port, u64 timeout_us);

/* RING_RESET: takes the port's queues from the device and starts them anew; 0 or as virtqueue_reset(). */
int port_reset_queues(struct port *port);

#endif
