/* The console device's first port (virtio 1.2 §5.3). */
#ifndef VIRTIO_VIRTIO_CONSOLE_H
#define VIRTIO_VIRTIO_CONSOLE_H

#include "virtio.h"

/* The driver itself, to be unregistered and registered again. */
struct virtio_driver *virtcons_driver(void);

/* The console's device, NULL while there is none. */
struct virtio_device *virtcons_vdev(void);

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

#endif
