/*
 * The virtio core as drivers see it: devices, drivers and queues, under the names Linux gives them (there spread over
 * <linux/virtio.h>, <linux/virtio_config.h> and <linux/scatterlist.h>), so that a driver written here reads like one
 * written there. Bare metal makes it smaller: one hart, addresses are physical, and sleeping is wfi.
 */
#ifndef VIRTIO_VIRTIO_H
#define VIRTIO_VIRTIO_H

#include "../generated/virtio_features.h"
#include "../lib/types.h"

struct virtio_device;
struct virtqueue;
struct virtqueue_info;

/* How memory may be had. Here it never sleeps, so the flags say nothing; they keep calls as they are in Linux. */
typedef unsigned int gfp_t;
#define GFP_KERNEL 0u
#define GFP_ATOMIC 1u

/* ---- Buffers ------------------------------------------------------------------------------------------------- */

/* One piece of a buffer; a list of them ends at the one marked as last. */
struct scatterlist {
	void *address;
	u32 length;
	bool last;
};

/* Makes `sgl` a list of `n` empty pieces. */
void sg_init_table(struct scatterlist *sgl, unsigned int n);
void sg_set_buf(struct scatterlist *sg, const void *buf, unsigned int length);
/* Makes `sg` a list of this one piece. */
void sg_init_one(struct scatterlist *sg, const void *buf, unsigned int length);
/* The piece behind `sg`, NULL behind the last. */
struct scatterlist *sg_next(struct scatterlist *sg);

/* ---- Queues -------------------------------------------------------------------------------------------------- */

typedef void vq_callback_t(struct virtqueue *vq);

/*
 * What a driver may know of a queue; virtio_ring.c keeps the rest behind it, for split or packed rings alike.
 * num_free counts descriptors; a buffer takes one for each piece, or one in all with an indirect table.
 */
struct virtqueue {
	struct virtqueue *next; /* in vdev->vqs */
	vq_callback_t *callback;
	const char *name;
	struct virtio_device *vdev;
	unsigned int index;
	unsigned int num_free;
	unsigned int num_max; /* what the device offered */
	bool reset;	      /* RING_RESET took it from the device */
	void *priv;	      /* the transport's */
};

/*
 * Offers a buffer: `out_sgs` lists the device reads, then `in_sgs` lists it writes. `data` comes back from
 * virtqueue_get_buf() and must not be NULL. 0, -ENOSPC when there are not enough descriptors, -EIO when the queue is
 * broken, -ENOMEM. Nothing is seen by the device before virtqueue_kick().
 */
int virtqueue_add_sgs(struct virtqueue *vq, struct scatterlist *sgs[], unsigned int out_sgs, unsigned int in_sgs,
		      void *data, gfp_t gfp);
/* The same for one list of `num` pieces, all read or all written by the device. */
int virtqueue_add_outbuf(struct virtqueue *vq, struct scatterlist *sg, unsigned int num, void *data, gfp_t gfp);
int virtqueue_add_inbuf(struct virtqueue *vq, struct scatterlist *sg, unsigned int num, void *data, gfp_t gfp);

/*
 * Tells the device there is work, if it wants to know. kick = prepare + notify; apart they let a driver prepare under
 * a lock and notify outside. kick and notify are false when the queue is broken.
 */
bool virtqueue_kick(struct virtqueue *vq);
bool virtqueue_kick_prepare(struct virtqueue *vq);
bool virtqueue_notify(struct virtqueue *vq);

/* Takes back the next used buffer: its `data`, or NULL. *len: bytes the device wrote. */
void *virtqueue_get_buf(struct virtqueue *vq, unsigned int *len);

/*
 * Asks the device for no more interrupts. Advice: one that was already on its way still comes, and with EVENT_IDX the
 * device may send one when its index has come around. A callback must cope with finding nothing.
 */
void virtqueue_disable_cb(struct virtqueue *vq);
/* Asks for them again. False: there are used buffers already, no interrupt may come for those; get them first. */
bool virtqueue_enable_cb(struct virtqueue *vq);
/* enable_cb in two halves: the value of `prepare` goes to `poll`, which tells whether buffers were used since. */
unsigned int virtqueue_enable_cb_prepare(struct virtqueue *vq);
bool virtqueue_poll(struct virtqueue *vq, unsigned int last_used_idx);
/* Like enable_cb, but content with an interrupt after about three quarters of what is outstanding. */
bool virtqueue_enable_cb_delayed(struct virtqueue *vq);

/* After a reset: takes back a buffer the device never used; NULL when there are no more. */
void *virtqueue_detach_unused_buf(struct virtqueue *vq);

unsigned int virtqueue_get_vring_size(const struct virtqueue *vq);
bool virtqueue_is_broken(const struct virtqueue *vq);

/* Nothing more goes through this device's queues: the driver has given it up. */
void virtio_break_device(struct virtio_device *dev);

/*
 * RING_RESET: takes one queue from the device and starts it anew, the others go on. Each buffer that the device had not
 * used goes to `recycle`; `recycle_done` may be NULL. 0, -ENOENT without the feature, -EBUSY.
 */
int virtqueue_reset(struct virtqueue *vq, void (*recycle)(struct virtqueue *vq, void *buf),
		    void (*recycle_done)(struct virtqueue *vq));
/* The same with another size: up to `num`, a split queue the power of two below. -E2BIG, -EINVAL, -ENOMEM besides. */
int virtqueue_resize(struct virtqueue *vq, unsigned int num, void (*recycle)(struct virtqueue *vq, void *buf),
		     void (*recycle_done)(struct virtqueue *vq));

/* Addresses of the three areas, for the transport. */
u64 virtqueue_get_desc_addr(const struct virtqueue *vq);
u64 virtqueue_get_avail_addr(const struct virtqueue *vq);
u64 virtqueue_get_used_addr(const struct virtqueue *vq);

/* ---- Transports ---------------------------------------------------------------------------------------------- */

/* What a driver wants of one queue. Without a name the queue is skipped. */
struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
	bool ctx;
};

/* What a transport does for a device. */
struct virtio_config_ops {
	void (*get)(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len);
	void (*set)(struct virtio_device *vdev, unsigned int offset, const void *buf, unsigned int len);
	/* Changes whenever the configuration may have; 0 always on legacy devices. */
	u32 (*generation)(struct virtio_device *vdev);
	u8 (*get_status)(struct virtio_device *vdev);
	void (*set_status)(struct virtio_device *vdev, u8 status);
	void (*reset)(struct virtio_device *vdev);
	int (*find_vqs)(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
			const struct virtqueue_info info[]);
	void (*del_vqs)(struct virtio_device *vdev);
	/* RING_RESET: takes one queue from the device, and hands it over again, perhaps of another size. */
	int (*disable_vq_and_reset)(struct virtqueue *vq);
	int (*enable_vq_after_reset)(struct virtqueue *vq);
	u64 (*get_features)(struct virtio_device *vdev);
	/* Tells the device vdev->features, less what the transport cannot do. */
	int (*finalize_features)(struct virtio_device *vdev);
	const char *(*bus_name)(struct virtio_device *vdev);
};

/* ---- Devices and drivers ------------------------------------------------------------------------------------- */

#define VIRTIO_DEV_ANY_ID 0xffffffff
/* Linux's name for the block device's number. */
#define VIRTIO_ID_BLOCK VIRTIO_ID_BLK

/* In a driver's table, ended by an entry of zeros. */
struct virtio_device_id {
	u32 device;
	u32 vendor;
};

struct virtio_driver;

struct virtio_device {
	struct virtio_device *next; /* on the bus */
	unsigned int index;
	char name[12]; /* "virtio0" */
	struct virtio_device_id id;
	const struct virtio_config_ops *config;
	struct virtio_driver *driver; /* NULL while unbound */
	struct virtqueue *vqs;
	u64 features;
	bool config_enabled;
	bool config_change_pending;
	bool suspended; /* nothing new goes through its queues */
	volatile bool event;	   /* an interrupt of the device was handled */
	volatile bool needs_reset; /* it was seen to have given up: DEVICE_NEEDS_RESET */
	unsigned int recoveries;   /* how often it was started again for that since it last used a buffer */
	void *priv;	/* the driver's */
};

struct virtio_driver {
	struct {
		const char *name;
	} driver;
	const struct virtio_device_id *id_table;
	/* Bits the driver understands. With no VERSION_1 offered the legacy table counts, if there is one. */
	const unsigned int *feature_table;
	unsigned int feature_table_size;
	const unsigned int *feature_table_legacy;
	unsigned int feature_table_size_legacy;
	/* May read the configuration and clear bits before they are final. */
	int (*validate)(struct virtio_device *vdev);
	int (*probe)(struct virtio_device *vdev);
	void (*scan)(struct virtio_device *vdev);
	void (*remove)(struct virtio_device *vdev);
	void (*config_changed)(struct virtio_device *vdev);
	/* The machine is about to sleep: leaves the device reset and without queues, keeps what restore needs. */
	int (*freeze)(struct virtio_device *vdev);
	/* It woke up, the device may have lost everything: queues again, and DRIVER_OK if they are needed at once. */
	int (*restore)(struct virtio_device *vdev);
	/* The device gave up: as freeze, but what is in flight is never answered. Without it there is no recovery. */
	int (*reset_prepare)(struct virtio_device *vdev);
	/* It is restored: asks again for what was in flight. */
	int (*reset_done)(struct virtio_device *vdev);
};

/* Adds a driver at start-up: virtio_bus_init() registers all that are linked in. */
#define module_virtio_driver(drv)                                                                                      \
	static struct virtio_driver *const drv##_registration __attribute__((used, section(".virtio_drivers"))) =      \
		&(drv)

/* Registers the linked drivers. Devices come from the transports, e.g. virtio_mmio_init(). */
void virtio_bus_init(void);

/* Puts a driver on the bus and binds it to every device that has none; unregistering unbinds (remove) them all. */
int register_virtio_driver(struct virtio_driver *drv);
void unregister_virtio_driver(struct virtio_driver *drv);

/* Puts a device on the bus: reset, ACKNOWLEDGE, and the driver if one matches. */
void register_virtio_device(struct virtio_device *dev);
void unregister_virtio_device(struct virtio_device *dev);

/*
 * Suspend and resume as for a machine that loses its power: the driver's freeze, and later a new start of the device
 * with the features it had, and the driver's restore. 0, or the driver's error; -ENODEV if the device refuses them now.
 */
int virtio_device_freeze(struct virtio_device *dev);
int virtio_device_restore(struct virtio_device *dev);

/*
 * SUSPEND (virtio 1.4 §3.4): the device finishes what it has begun and then rests, its queues as they are, until it is
 * resumed. 0, -ENOTSUP without the feature, -EIO if it needs a reset instead, -ETIMEDOUT. Meanwhile nothing can be
 * added to its queues: -EBUSY.
 */
int virtio_device_suspend(struct virtio_device *dev);
int virtio_device_resume(struct virtio_device *dev);

/*
 * Sleeps until an interrupt handler of the device sets *flag: 1, or 0 when so long nothing came from it. A device that
 * gives up meanwhile (DEVICE_NEEDS_RESET, virtio 1.2 §2.1.2) is reset and started again: -EAGAIN, or the error of that;
 * -EIO once that has been in vain three times in a row.
 */
int virtio_wait(struct virtio_device *dev, const volatile bool *flag, u64 microseconds);

/* Devices in order of registration; NULL starts, and ends. */
struct virtio_device *virtio_next_device(struct virtio_device *dev);

/* Tells the driver that the configuration changed, now or once it can be told (from the transport's interrupt). */
void virtio_config_changed(struct virtio_device *dev);

/* Feature bits not to accept of devices probed from here on, whatever drivers know: to try what else works. */
void virtio_deny_features(u64 bits);

void virtio_add_status(struct virtio_device *dev, unsigned int status);
/* DRIVER_OK: the device may use its queues from here on. */
void virtio_device_ready(struct virtio_device *dev);
/* Status 0: the device forgets its queues and uses no more memory. */
void virtio_reset_device(struct virtio_device *dev);

/* ---- Features ------------------------------------------------------------------------------------------------ */

/* Bits 28 to 40, and 43: those of rings and transport (virtio 1.2 §2.2). 24 to 27 no driver here knows. */
#define VIRTIO_TRANSPORT_F_MASK                                                                                        \
	(BIT_ULL(VIRTIO_F_RING_RESET + 1) - BIT_ULL(VIRTIO_F_INDIRECT_DESC) + BIT_ULL(VIRTIO_F_SUSPEND))

static inline bool virtio_has_feature(const struct virtio_device *vdev, unsigned int bit)
{
	return bit < 64 && (vdev->features & BIT_ULL(bit)) != 0;
}

static inline void __virtio_set_bit(struct virtio_device *vdev, unsigned int bit)
{
	vdev->features |= BIT_ULL(bit);
}

static inline void __virtio_clear_bit(struct virtio_device *vdev, unsigned int bit)
{
	vdev->features &= ~BIT_ULL(bit);
}

/* Prints what was negotiated for rings and transport, with the size of the first queue; ends the line. */
void virtio_print_features(const struct virtio_device *vdev);

/* ---- Configuration space ------------------------------------------------------------------------------------- */

u8 virtio_cread8(struct virtio_device *vdev, unsigned int offset);
u16 virtio_cread16(struct virtio_device *vdev, unsigned int offset);
u32 virtio_cread32(struct virtio_device *vdev, unsigned int offset);
/* Eight bytes in two accesses, repeated until the generation says they belong together. */
u64 virtio_cread64(struct virtio_device *vdev, unsigned int offset);
void virtio_cwrite8(struct virtio_device *vdev, unsigned int offset, u8 value);
void virtio_cwrite16(struct virtio_device *vdev, unsigned int offset, u16 value);
void virtio_cwrite32(struct virtio_device *vdev, unsigned int offset, u32 value);

/* Reads a member of a configuration structure, with the width it has there. */
#define virtio_cread(vdev, structure, member, pointer)                                                                 \
	do {                                                                                                           \
		_Static_assert(sizeof(*(pointer)) == sizeof(((structure *)0)->member), "width of " #member);           \
		switch (sizeof(*(pointer))) {                                                                          \
		case 1:                                                                                                \
			*(pointer) = virtio_cread8(vdev, offsetof(structure, member));                                 \
			break;                                                                                         \
		case 2:                                                                                                \
			*(pointer) = virtio_cread16(vdev, offsetof(structure, member));                                \
			break;                                                                                         \
		case 4:                                                                                                \
			*(pointer) = virtio_cread32(vdev, offsetof(structure, member));                                \
			break;                                                                                         \
		case 8:                                                                                                \
			*(pointer) = virtio_cread64(vdev, offsetof(structure, member));                                \
			break;                                                                                         \
		}                                                                                                      \
	} while (0)

/* ---- Finding queues ------------------------------------------------------------------------------------------ */

static inline int virtio_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
				  const struct virtqueue_info info[])
{
	return vdev->config->find_vqs(vdev, nvqs, vqs, info);
}

/* The one queue of a device with one; NULL if it cannot be had. */
struct virtqueue *virtio_find_single_vq(struct virtio_device *vdev, vq_callback_t *callback, const char *name);

#endif
