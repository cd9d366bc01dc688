/* A driver of one queue that does nothing with it: for images that do everything themselves. */
#ifndef FIRMWARE_ONE_QUEUE_H
#define FIRMWARE_ONE_QUEUE_H

#include "../lib/lib.h"
#include "course.h"

/* While a device is bound. */
extern struct virtio_device *device;
extern struct virtqueue *queue;

/* Binds the first device of this kind without these feature bits; false if there is none. */
bool queue_begin(u32 kind, vq_callback_t *callback, u64 denied);
void queue_end(void);

/* Waits, without taking or calling, until the device has used a buffer since `last_used_idx`. */
bool wait_used(unsigned int last_used_idx);

#endif
