/*
 * A driver for images that look at rings: it sends a disk any requests, cut into any number of pieces, and leaves the
 * queue to whoever wants to touch it. Answers are taken in the callback, unless that is told not to.
 */
#ifndef FIRMWARE_REQUESTS_H
#define FIRMWARE_REQUESTS_H

#include "one_queue.h"
#include "../virtio/virtio_blk.h"

#define PIECES_MAX 22
/* The fewest: header, data, status. */
#define PIECES_MIN 3

struct request {
	struct virtio_blk_outhdr hdr;
	char id[VIRTIO_BLK_ID_BYTES]; /* of a request for the serial number */
	u8 status;
	unsigned int written;
	unsigned int order; /* of its answer among all, from 1; 0: none yet */
};

/* Callbacks, answers and wrong ones since disk_begin(). */
extern volatile unsigned int callbacks, answers, wrong;
/* Whether the callback takes the answers; true after disk_begin(). */
extern volatile bool take_in_callback;

/*
 * Binds a disk without these feature bits, and prints what was negotiated. Where there is no disk, or it does not have
 * the feature `needed` (-1: none), says so under `name` and is false; *status is then how to end. queue_end() unbinds it.
 */
bool disk_begin(const char *name, u64 denied, int needed, int *status);

/* Offers a request for the serial number, whose 20 bytes take `pieces` - 2 of the pieces. As virtqueue_add_sgs(). */
int request_add(struct request *request, unsigned int pieces);
/* Offers `count` requests of the fewest pieces, with one kick. */
int request_add_all(struct request requests[], unsigned int count);

/* Takes all answers that are there and looks at them; how many. */
unsigned int take_answers(void);
/* Waits until so many answers came since disk_begin(), by interrupt. */
bool wait_answers(unsigned int count);

#endif
